//! Media in a bucket that speaks S3: where it is, by whom it is asked, and how long one waits for it.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use crate::settings::{Settings, SettingsError};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Longest time of one request with its body; a part of an upload has at most 8 MiB.
const REQUEST: Duration = Duration::from_secs(60);
/// Times that a request is made again.
const RETRIES: usize = 2;
/// Time after which it is not made again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bucket and prefix of `s3://bucket/prefix`.
pub(crate) fn place(media: &str) -> Result<(String, String), SettingsError> {
    let fault = |reason: &str| SettingsError::Value {
        name: "media".into(),
        reason: reason.into(),
    };
    let url = Url::parse(media).map_err(|e| fault(&e.to_string()))?;
    let bucket = url.host_str().unwrap_or_default();
    let bare = url.port().is_none() && url.username().is_empty() && url.password().is_none();
    if url.scheme() != "s3" || bucket.is_empty() || !bare || url.query().is_some() {
        return Err(fault(
            "is empty or s3://bucket/prefix; keys have settings of their own",
        ));
    }
    Ok((bucket.to_owned(), url.path().trim_matches('/').to_owned()))
}

/// The bucket that the settings name. Nothing is asked yet.
pub(crate) fn open(settings: &Settings) -> Result<Arc<dyn ObjectStore>, SettingsError> {
    let (bucket, prefix) = place(&settings.media)?;
    // The client takes the process's own provider of TLS; the second of two that are set is no fault.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT)
        .with_timeout(REQUEST);
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: PATIENCE,
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&settings.s3_region)
        .with_client_options(client)
        .with_retry(retry);
    if !settings.s3_endpoint.is_empty() {
        builder = builder
            .with_endpoint(&settings.s3_endpoint)
            .with_allow_http(settings.s3_endpoint.starts_with("http://"));
    }
    if !settings.s3_access_key.is_empty() {
        builder = builder
            .with_access_key_id(&settings.s3_access_key)
            .with_secret_access_key(&settings.s3_secret_key);
    }
    if !settings.s3_session_token.is_empty() {
        builder = builder.with_token(&settings.s3_session_token);
    }
    let store = builder.build().map_err(|e| SettingsError::Value {
        name: "media".into(),
        reason: e.to_string(),
    })?;
    Ok(if prefix.is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, prefix))
    })
}

/// What is wrong with a bucket, in words that hold no secret and no address.
pub(crate) fn reason(e: &object_store::Error) -> &'static str {
    use object_store::Error as E;
    match e {
        E::NotFound { .. } if no_bucket(e) => "the bucket does not exist",
        E::NotFound { .. } => "the object is not there",
        E::Unauthenticated { .. } => "the store refuses these keys",
        E::PermissionDenied { .. } => "the store refuses these keys, or does not let them do that",
        _ => "the store does not answer, or cannot do that",
    }
}

/// Whether it is the bucket that is not there, not the object.
pub(crate) fn no_bucket(e: &object_store::Error) -> bool {
    e.to_string().contains("NoSuchBucket")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_a_name_and_perhaps_a_prefix() {
        let found = |media: &str| place(media).ok();
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(found("s3://media"), pair("media", ""));
        assert_eq!(found("s3://media/a/b/"), pair("media", "a/b"));
        for wrong in [
            "media",
            "/var/media",
            "https://media/a",
            "s3://",
            "s3://key:secret@media",
            "s3://media?key=1",
        ] {
            assert_eq!(found(wrong), None, "{wrong}");
        }
        let told = place("s3://key:hunter2@media").expect_err("refused");
        assert!(!told.to_string().contains("hunter2"), "{told}");
    }
}
