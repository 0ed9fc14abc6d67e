//! Weights from a model hub, pinned: a repository, a revision, a file, the file's SHA-256.
//!
//! Files lie in the hub's usual cache (`HF_HOME`), so that what other programs fetched is not fetched
//! again, and an interrupted download goes on where it stopped. A file with another hash is removed and
//! is an error. Offline (`HF_HUB_OFFLINE`) only the cache is looked at.

use std::path::{Path, PathBuf};

use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Cache, Repo, RepoType};

use crate::entry::Pin;
use crate::network::sha256_of;

/// A pinned file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `OWNER/NAME`.
    pub repo: String,
    /// Commit.
    pub revision: String,
    /// File in the repository.
    pub file: String,
    /// Lower-case hex of the file's SHA-256; `None` when what reads the file checks its content.
    pub sha256: Option<String>,
}

impl From<&Pin> for Source {
    fn from(pin: &Pin) -> Self {
        Self {
            repo: pin.repo.into(),
            revision: pin.revision.into(),
            file: pin.file.into(),
            sha256: Some(pin.sha256.into()),
        }
    }
}

/// Where the hub and its cache are.
#[derive(Clone, Debug, Default)]
pub struct Hub {
    /// Address; `None` for the public one.
    pub endpoint: Option<String>,
    /// Cache folder; `None` for the hub's own.
    pub cache: Option<PathBuf>,
    /// Look at the cache alone.
    pub offline: bool,
    /// Show progress on a terminal.
    pub progress: bool,
}

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The source is not pinned or not well formed.
    #[error("{0}")]
    Source(String),
    /// Not in the cache, and nothing may be fetched.
    #[error("{repo}/{file} at {revision} is not in the cache, and fetching is off")]
    Offline {
        /// Repository.
        repo: String,
        /// File.
        file: String,
        /// Commit.
        revision: String,
    },
    /// The hub did not give the file.
    #[error("{repo}/{file}: {reason}")]
    Hub {
        /// Repository.
        repo: String,
        /// File.
        file: String,
        /// What went wrong.
        reason: String,
    },
    /// The file is not the pinned one.
    #[error("{file} has SHA-256 {found}, the pinned one is {expected}; it was removed")]
    Hash {
        /// File.
        file: String,
        /// Its hash.
        found: String,
        /// The pinned hash.
        expected: String,
    },
    /// The file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Removes a cached file and what its link points to.
fn remove(path: &Path) {
    // What cannot be removed is reported by its hash again next time.
    if let Ok(target) = std::fs::canonicalize(path) {
        let _ = std::fs::remove_file(target);
    }
    let _ = std::fs::remove_file(path);
}

impl Source {
    fn check(&self) -> Result<(), PullError> {
        let fail = |why: &str| Err(PullError::Source(why.to_owned()));
        let hex = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_hexdigit());
        let parts: Vec<&str> = self.repo.split('/').collect();
        if parts.len() != 2 || parts.iter().any(|p| p.is_empty() || *p == "..") {
            return fail("a repository is OWNER/NAME");
        }
        if !hex(&self.revision, 40) {
            return fail("a revision is a commit of 40 hexadecimal digits: branches move");
        }
        if self.file.is_empty() || self.file.starts_with('/') || self.file.contains("..") {
            return fail("a file is a path inside the repository");
        }
        if self.sha256.as_ref().is_some_and(|h| !hex(h, 64)) {
            return fail("a SHA-256 has 64 hexadecimal digits");
        }
        Ok(())
    }

    fn verify(&self, path: &Path) -> Result<(), PullError> {
        let Some(expected) = &self.sha256 else {
            return Ok(());
        };
        let found = sha256_of(path).map_err(|source| PullError::Io {
            path: path.to_owned(),
            source,
        })?;
        if found.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        remove(path);
        Err(PullError::Hash {
            file: self.file.clone(),
            found,
            expected: expected.clone(),
        })
    }

    /// The file on this disk, fetched where the cache lacks it or holds a damaged copy.
    ///
    /// # Errors
    /// [`PullError`].
    pub fn fetch(&self, hub: &Hub) -> Result<PathBuf, PullError> {
        self.check()?;
        let cache = match &hub.cache {
            Some(path) => Cache::new(path.clone()),
            None => Cache::from_env(),
        };
        let repo = Repo::with_revision(
            self.repo.clone(),
            RepoType::Model,
            self.revision.to_lowercase(),
        );
        // Where other programs put files of a commit; they write no reference to it.
        let path = cache
            .path()
            .join(repo.folder_name())
            .join("snapshots")
            .join(self.revision.to_lowercase())
            .join(&self.file);
        if path.is_file() {
            match self.verify(&path) {
                Ok(()) => return Ok(path),
                Err(e) if hub.offline => return Err(e),
                Err(_) => {}
            }
        }
        if hub.offline {
            return Err(PullError::Offline {
                repo: self.repo.clone(),
                file: self.file.clone(),
                revision: self.revision.clone(),
            });
        }
        let fault = |e: &dyn std::fmt::Display| PullError::Hub {
            repo: self.repo.clone(),
            file: self.file.clone(),
            reason: e.to_string(),
        };
        let mut builder = ApiBuilder::from_cache(cache).with_progress(hub.progress);
        if let Some(endpoint) = &hub.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        let api = builder.build().map_err(|e| fault(&e))?;
        let path = api.repo(repo).download(&self.file).map_err(|e| fault(&e))?;
        self.verify(&path)?;
        Ok(path)
    }
}
