//! Content credentials that a file keeps at an address: fetched where the user asks for it, and checked like those in
//! the file.
//!
//! Whoever made the file chose the address. So nothing is fetched without being asked for, and what the feature `fetch`
//! provides (`Fetcher`) speaks HTTPS with public addresses alone, within limits of size and time.

mod address;
#[cfg(feature = "fetch")]
mod https;

use std::sync::Arc;

use realscope_media::{Decoded, Note, Options as DecodeOptions};

pub use address::is_public;
#[cfg(feature = "fetch")]
pub use https::{FetchError, Fetcher};

use crate::lane::DecodeError;

/// What gives the bytes at an address, or says why not.
type Get = dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync;

/// How manifests at an address are fetched.
#[derive(Clone)]
pub struct Fetch(Arc<Get>);

impl Fetch {
    /// By `get`, which is given the address and has to keep to limits of its own.
    pub fn new(get: impl Fn(&str) -> Result<Vec<u8>, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(get))
    }
}

impl std::fmt::Debug for Fetch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fetch")
    }
}

/// Decodes by `decode`, and once more with the manifest that the file keeps at an address, where there is a way to fetch
/// it. A note says what became of it.
///
/// # Errors
/// Those of `decode`.
pub fn decode(
    options: &DecodeOptions,
    fetch: Option<&Fetch>,
    mut decode: impl FnMut(&DecodeOptions) -> Result<Decoded, DecodeError>,
) -> Result<Decoded, DecodeError> {
    let mut decoded = decode(options)?;
    let kept = decoded.facts.metadata.c2pa.as_ref();
    let kept = kept.filter(|c| c.integrity == "not_checked");
    let Some((fetch, url)) = fetch.zip(kept.and_then(|c| c.remote_url.clone())) else {
        return Ok(decoded);
    };
    let fetched = (fetch.0)(&url);
    let note = match &fetched {
        Ok(bytes) => Note::new(
            "credentials_fetched",
            format!(
                "The content credentials were fetched from {url}: {} bytes with SHA-256 {}.",
                bytes.len(),
                realscope_detectors::network::sha256(bytes)
            ),
        ),
        Err(reason) => Note::new(
            "credentials_not_fetched",
            format!("The content credentials at {url} were not fetched: {reason}."),
        ),
    };
    if let Ok(manifest) = fetched {
        decoded = decode(&DecodeOptions {
            manifest: Some(manifest),
            ..options.clone()
        })?;
    }
    decoded.facts.notes.push(note);
    Ok(decoded)
}
