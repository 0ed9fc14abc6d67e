//! Keeps what the settings say for as long as they say, and takes jobs from servers that no longer answer.

use std::time::Duration;

use crate::app::Shared;
use crate::jobs::forget;
use crate::problem::Refusal;
use crate::settings::seconds;
use crate::state::now;

/// Milliseconds that results are kept without a store.
const PASSING: i64 = 600_000;
/// Milliseconds that keys of idempotent requests and sent webhooks are kept.
const DAY: i64 = 86_400_000;
/// Milliseconds that media stay which no job has: the request that stored them may still be under way.
const UNUSED: i64 = 3_600_000;

/// Looks every now and then until the service stops.
pub(crate) async fn run(app: Shared) {
    let lease = seconds(app.settings.lease_seconds);
    let recover = (lease / 2).max(Duration::from_millis(200));
    let mut passed = Duration::ZERO;
    let every = Duration::from_secs(60);
    while !app.stops() {
        tokio::time::sleep(recover.min(every)).await;
        match app.state.recover(false).await {
            Ok(0) => {}
            Ok(count) => {
                tracing::warn!(count, "jobs of a lost server are done again");
                app.hub.accepted.notify_one();
            }
            Err(e) => tracing::error!(error = %e, "jobs of lost servers cannot be looked for"),
        }
        passed += recover.min(every);
        if passed >= every {
            passed = Duration::ZERO;
            if let Err(problem) = clean(&app).await {
                tracing::error!(detail = problem.detail, "what is too old cannot be dropped");
            }
        }
    }
}

/// Days in milliseconds.
fn days(value: f64) -> i64 {
    (value * DAY as f64).min(1e15) as i64
}

/// Drops what is too old or too much.
pub(crate) async fn clean(app: &Shared) -> Result<(), Refusal> {
    let (state, settings) = (&app.state, &app.settings);
    let at = now();
    let results = if settings.no_store {
        PASSING
    } else {
        days(settings.keep_results_days)
    };
    for (id, owner) in state.finished_before(at.saturating_sub(results)).await? {
        forget(app, &id, &owner).await?;
    }
    state.expire(at.saturating_sub(results), at - DAY).await?;
    let mut before = at.saturating_sub(days(settings.keep_media_days));
    let most = i64::try_from(settings.keep_media_bytes).unwrap_or(i64::MAX);
    if let Some(oldest) = state.media_beyond(most).await? {
        before = before.max(oldest);
    }
    for place in state.drop_media(before, at - UNUSED).await? {
        app.store.delete(&place).await?;
    }
    Ok(())
}
