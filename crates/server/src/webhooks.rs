//! Sends webhooks, signed as Standard Webhooks say, and again until the receiver took them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::app::Shared;
use crate::outbound;
use crate::settings::seconds;
use crate::state::StateError;
use crate::state::webhooks::Due;

/// Most attempts.
const ATTEMPTS: i64 = 8;
/// Pause behind the first attempt, in milliseconds; it trebles with every further one: 5 s to 1.5 h.
const PAUSE: i64 = 5_000;
/// How often the table is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Sends what is due until the service stops.
pub(crate) async fn run(app: Shared) {
    let hold = i64::try_from(seconds(app.settings.fetch_seconds).as_millis()).unwrap_or(60_000) * 2;
    while !app.stops() {
        match app.state.due_webhook(hold).await {
            Ok(Some(due)) => {
                if let Err(e) = one(&app, due).await {
                    tracing::error!(error = %e, "the outcome of a webhook cannot be written");
                }
            }
            Ok(None) => {
                let _ = tokio::time::timeout(LOOK, app.hub.webhooks.notified()).await;
            }
            Err(e) => {
                tracing::error!(error = %e, "webhooks cannot be read");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

async fn one(app: &Shared, due: Due) -> Result<(), StateError> {
    let (shared, hook) = (Arc::clone(app), due.clone());
    let sent = tokio::task::spawn_blocking(move || send(&shared, &hook)).await;
    let sent = sent.unwrap_or_else(|e| Err(e.to_string()));
    let done = matches!(sent, Ok(200..=299));
    let said = match &sent {
        Ok(status) => status.to_string(),
        Err(reason) => reason.clone(),
    };
    app.metrics.webhook(if done { "taken" } else { "failed" });
    if done || due.attempt >= ATTEMPTS {
        tracing::info!(
            job = due.job,
            said,
            attempt = due.attempt,
            "a webhook was sent for the last time"
        );
        return app.state.webhook_sent(&due.job, Some(&said), 0).await;
    }
    tracing::info!(
        job = due.job,
        said,
        attempt = due.attempt,
        "a webhook was not taken, it is sent again"
    );
    let exponent = u32::try_from(due.attempt - 1).unwrap_or(0).min(8);
    let delay = PAUSE
        .saturating_mul(3_i64.saturating_pow(exponent))
        .min(5_400_000);
    app.state.webhook_sent(&due.job, None, delay).await
}

fn send(app: &Shared, due: &Due) -> Result<u16, String> {
    let time = (crate::state::now() / 1000).to_string();
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("webhook-id", due.job.clone()),
        (
            "webhook-signature",
            signature(&app.settings.webhook_secret, &due.job, &time, &due.body),
        ),
        ("webhook-timestamp", time),
    ];
    outbound::post(&app.settings, &due.url, &headers, &due.body)
}

/// `v1,` and the Base64 of the HMAC-SHA256 of `id.timestamp.body`.
fn signature(secret: &str, id: &str, time: &str, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        // A key of any length is taken; there is no other fault.
        return String::new();
    };
    mac.update(format!("{id}.{time}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_openssl() {
        // printf '%s' 'msg_1.1614265330.{"test": 2432232314}' | openssl dgst -sha256 -hmac secret-of-sixteen -binary | base64
        let made = signature(
            "secret-of-sixteen",
            "msg_1",
            "1614265330",
            "{\"test\": 2432232314}",
        );
        assert_eq!(made, "v1,d1B3q379+lOlqgK7NFbS5QLa2EmC3OsshKQxRKRyCoE=");
    }
}
