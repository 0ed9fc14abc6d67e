//! What all handlers share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use realscope::Scanner;
use realscope::custody::PrivateKey;
use realscope_detectors::Models;
use realscope_media::metadata::Anchors;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc};

use crate::cases::Loaded;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::problem::Refusal;
use crate::settings::Settings;
use crate::state::audit::AuditEntry;
use crate::state::jobs::Wish;
use crate::state::{State, hex};
use crate::store::Store;

/// What all handlers share.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) address: SocketAddr,
    pub(crate) state: State,
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) metrics: Metrics,
    pub(crate) models: Models,
    pub(crate) trust: Option<Arc<Anchors>>,
    /// Requests that wait for an answer.
    pub(crate) interactive: Arc<Semaphore>,
    /// Bodies that are being read.
    pub(crate) uploads: Arc<Semaphore>,
    pub(crate) audit: mpsc::Sender<(i64, AuditEntry)>,
    pub(crate) stopping: AtomicBool,
    /// It signs reports.
    pub(crate) key: PrivateKey,
    loaded: OnceLock<Result<Loaded, String>>,
    rates: Mutex<HashMap<String, Bucket>>,
    /// When the store was tried last, and what was wrong with it.
    tried: AsyncMutex<Option<(Instant, Option<&'static str>)>>,
}

/// How long it is believed that the store can be written, and that it cannot.
const BELIEVED: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(1)];

/// Shared by handlers and runners.
pub(crate) type Shared = Arc<App>;

/// Requests that a key may still make.
#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl App {
    /// Without a trust list yet.
    pub(crate) fn new(
        settings: Settings,
        address: SocketAddr,
        state: State,
        store: Store,
        models: Models,
        audit: mpsc::Sender<(i64, AuditEntry)>,
        key: PrivateKey,
    ) -> Self {
        Self {
            interactive: Arc::new(Semaphore::new(settings.interactive())),
            uploads: Arc::new(Semaphore::new(settings.uploads)),
            settings,
            address,
            state,
            store,
            hub: Hub::default(),
            metrics: Metrics::new(),
            models,
            trust: None,
            audit,
            stopping: AtomicBool::new(false),
            key,
            loaded: OnceLock::new(),
            rates: Mutex::default(),
            tried: AsyncMutex::default(),
        }
    }

    /// The weights are in memory, or cannot be loaded.
    pub(crate) fn has_loaded(&self, loaded: Result<Loaded, String>) {
        let _ = self.loaded.set(loaded);
    }

    /// The scanner, once there is one.
    pub(crate) fn scanner(&self) -> Result<&Scanner, Refusal> {
        self.loaded().map(|l| &l.scanner)
    }

    /// What scans, once there is something.
    pub(crate) fn loaded(&self) -> Result<&Loaded, Refusal> {
        match self.loaded.get() {
            Some(Ok(loaded)) => Ok(loaded),
            Some(Err(reason)) => Err(Refusal::unavailable("starting", reason.clone())),
            None => Err(Refusal::unavailable("starting", "the weights are being loaded").after(1)),
        }
    }

    /// Whether media can be stored; tried every few seconds, however often it is asked.
    pub(crate) async fn stored(&self) -> Result<(), Refusal> {
        let mut tried = self.tried.lock().await;
        let last = tried.filter(|(at, wrong)| {
            let [good, bad] = BELIEVED;
            at.elapsed() < if wrong.is_some() { bad } else { good }
        });
        let wrong = match last {
            Some((_, wrong)) => wrong,
            None => {
                let wrong = self.store.probe().await.err().map(|e| {
                    tracing::error!(error = %e, "the media store cannot be used");
                    e.public()
                });
                *tried = Some((Instant::now(), wrong));
                wrong
            }
        };
        wrong.map_or(Ok(()), |wrong| {
            let detail = format!("the media store cannot be used: {wrong}");
            Err(Refusal::unavailable("store", detail))
        })
    }

    /// Whether the service is about to end.
    pub(crate) fn stops(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// What bears on a result, hashed: weights, settings, version and the request.
    pub(crate) fn config(&self, scanner: &Scanner, wish: &Wish) -> String {
        let tool = scanner.tool();
        let trust = self
            .trust
            .as_ref()
            .map(|a| format!("{}{}", a.certificates, a.allowed));
        let all = format!("{} {} {wish:?} {trust:?}", tool.version, tool.config_sha256);
        hex(&Sha256::digest(all.as_bytes()))
    }

    /// Counts a request of a key; the seconds until it may ask again where it asked too often.
    pub(crate) fn rate(&self, key: &str, own: Option<u32>) -> Option<u64> {
        let rate = own.unwrap_or(self.settings.rate);
        if rate == 0 {
            return None;
        }
        let per_second = f64::from(rate) / 60.0;
        // Ten seconds' worth at once, at least one.
        let most = (per_second * 10.0).max(1.0);
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.len() > 10_000 {
            rates.retain(|_, b| b.at.elapsed().as_secs() < 60);
        }
        let now = Instant::now();
        let bucket = rates.entry(key.to_owned()).or_insert(Bucket {
            left: most,
            at: now,
        });
        bucket.left =
            (bucket.left + now.duration_since(bucket.at).as_secs_f64() * per_second).min(most);
        bucket.at = now;
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return None;
        }
        Some(((1.0 - bucket.left) / per_second).ceil().max(1.0) as u64)
    }
}
