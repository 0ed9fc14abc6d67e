//! Starts the service, accepts connections, and ends without losing anything.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use realscope_detectors::Models;
use realscope_media::metadata::Anchors;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::{App, Shared};
use crate::cases::{Loaded, ReportKeyError};
use crate::feedback::{self, ExportError};
use crate::settings::{Settings, SettingsError, seconds};
use crate::state::audit::AuditEntry;
use crate::state::{State, StateError};
use crate::store::{Store, StoreError};
use crate::{
    admin, auth, cases, guard, health, jobs, models, openapi, page, reports, retention, runner,
    scan, tls, webhooks,
};

/// Entries of the audit log that wait to be written.
const AUDIT: usize = 4096;
/// How often they are written.
const WRITE: Duration = Duration::from_millis(200);
/// Time that connections get to end once all jobs have.
const LAST: Duration = Duration::from_secs(5);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings do not go together.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Without keys, an address that others reach.
    #[error(
        "{address} can be reached by others, and there is no key: make one with `realscope serve keys add NAME`, or \
         listen on 127.0.0.1"
    )]
    Open {
        /// The address.
        address: SocketAddr,
    },
    /// Another server has the data folder.
    #[error("{folder} is in use by another server")]
    InUse {
        /// The folder.
        folder: String,
    },
    /// The address cannot be listened on.
    #[error("{address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// The certificate or its key cannot be used.
    #[error("TLS: {reason}")]
    Tls {
        /// What is wrong.
        reason: String,
    },
    /// The state cannot be opened.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reports cannot be signed.
    #[error(transparent)]
    ReportKey(#[from] ReportKeyError),
}

/// A service that runs.
pub struct Server {
    address: SocketAddr,
    secure: bool,
    app: Shared,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    runners: Vec<JoinHandle<()>>,
    writing: JoinHandle<()>,
    /// Held for as long as the service runs.
    _lock: Option<File>,
}

/// All routes.
fn router(app: &Shared) -> Router {
    let uploads = Router::new()
        .route("/v1/scan", post(scan::scan))
        .route("/v1/batches", post(scan::new_batch))
        // Bodies are bounded as they are read, by the format of the file.
        .layer(DefaultBodyLimit::disable());
    let others = Router::new()
        .route("/v1/batches/{id}", get(scan::batch))
        .route("/v1/jobs", get(jobs::list))
        .route("/v1/jobs/{id}", get(jobs::one).delete(jobs::remove))
        .route("/v1/jobs/{id}/events", get(jobs::events))
        .route("/v1/report-key", get(cases::public))
        .route("/v1/reports/{id}", get(reports::one))
        .route("/v1/reports/{id}/media", get(reports::media))
        .route("/v1/reports/{id}/pictures/{name}", get(reports::picture))
        .route("/v1/feedback", get(feedback::list).post(feedback::add))
        .route("/v1/feedback/{id}", delete(feedback::remove))
        .route("/v1/models", get(models::list))
        .route("/v1/me", get(admin::me))
        .route("/v1/keys", get(admin::keys).post(admin::add_key))
        .route("/v1/keys/{id}", delete(admin::revoke))
        .route("/v1/keys/{id}/rotate", post(admin::rotate))
        .route("/v1/audit", get(admin::audit))
        .route("/v2", get(models::server))
        .route("/v2/health/live", get(models::live))
        .route("/v2/health/ready", get(models::ready))
        .route("/v2/models/{name}", get(models::model))
        .route("/v2/models/{name}/ready", get(models::model_ready))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/version", get(health::version))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::docs))
        .route("/", get(page::form))
        .layer(DefaultBodyLimit::max(1 << 16));
    uploads
        .merge(others)
        .fallback(guard::no_route)
        .method_not_allowed_fallback(guard::no_method)
        .layer(from_fn_with_state(Arc::clone(app), auth::check))
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(from_fn_with_state(Arc::clone(app), guard::around))
        .with_state(Arc::clone(app))
}

/// Takes the data folder for this server alone; nothing where it keeps nothing. Servers that share PostgreSQL may share
/// the folder, too.
fn lock(settings: &Settings) -> Result<Option<File>, StartError> {
    if settings.no_store {
        return Ok(None);
    }
    let folder = &settings.data_dir;
    let fault = |e: std::io::Error| {
        StartError::State(StateError::Folder {
            path: folder.display().to_string(),
            reason: e.to_string(),
        })
    };
    std::fs::create_dir_all(folder).map_err(fault)?;
    let file = File::create(folder.join("lock")).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(_) if !settings.database.is_empty() => Ok(None),
        Err(_) => Err(StartError::InUse {
            folder: folder.display().to_string(),
        }),
    }
}

impl Server {
    /// Starts the service. It listens at once, and takes work as soon as `load` has given the scanner.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        settings: Settings,
        models: Models,
        trust: Option<Anchors>,
        load: impl FnOnce() -> Result<Loaded, String> + Send + 'static,
    ) -> Result<Self, StartError> {
        settings.check()?;
        let tls = tls::acceptor(&settings).map_err(|reason| StartError::Tls { reason })?;
        let lock = lock(&settings)?;
        let state = State::open(&settings).await?;
        let store = Store::open(&settings)?;
        let key = cases::key(&settings)?;
        let wanted = settings.listen;
        if !wanted.ip().is_loopback() && !state.closed().await? {
            return Err(StartError::Open { address: wanted });
        }
        let fault = |e: std::io::Error| StartError::Listen {
            address: wanted,
            reason: e.to_string(),
        };
        let listener = TcpListener::bind(wanted).await.map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        let alone = settings.database.is_empty();
        if lock.is_some() {
            store.sweep_incoming();
        }
        let recovered = state.recover(alone).await?;
        if recovered > 0 {
            tracing::warn!(recovered, "jobs of the last run are done again");
        }
        let (audit, entries) = mpsc::channel(AUDIT);
        let mut app = App::new(settings, address, state, store, models, audit, key);
        app.trust = trust.map(Arc::new);
        let app: Shared = Arc::new(app);
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::clone(&app);
        tokio::task::spawn_blocking(move || {
            let loaded = load();
            if let Err(reason) = &loaded {
                tracing::error!(reason, "the weights cannot be loaded");
            }
            shared.has_loaded(loaded);
            shared.hub.accepted.notify_waiters();
            shared.hub.accepted.notify_one();
        });
        let claims = Arc::new(AtomicU64::new(0));
        let runners = (0..app.settings.lanes())
            .map(|_| tokio::spawn(runner::run(Arc::clone(&app), Arc::clone(&claims))))
            .collect();
        tokio::spawn(retention::run(Arc::clone(&app)));
        if app.settings.webhooks {
            tokio::spawn(webhooks::run(Arc::clone(&app)));
        }
        let sweeping = Arc::clone(&app);
        tokio::spawn(async move {
            if let Err(e) = sweeping.store.sweep(&sweeping.state).await {
                tracing::warn!(error = %e, "stray media cannot be swept");
            }
        });
        let writing = tokio::spawn(write_audit(app.state.clone(), entries, stopped.clone()));
        let secure = tls.is_some();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&app), tls, stopped));
        tracing::info!(%address, "listening");
        Ok(Self {
            address,
            secure,
            app,
            stop,
            accepting,
            runners,
            writing,
            _lock: lock,
        })
    }

    /// Where it is asked.
    #[must_use]
    pub fn address(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Ends the service: nothing new is taken, running jobs get their time, what is left waits for the next start.
    pub async fn stop(self) {
        let app = &self.app;
        app.stopping.store(true, Ordering::SeqCst);
        app.hub.stopping(false);
        app.hub.accepted.notify_waiters();
        app.hub.webhooks.notify_waiters();
        let running = async {
            while app.hub.count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let patience = seconds(app.settings.stop_seconds);
        if tokio::time::timeout(patience, running).await.is_err() {
            app.hub.stopping(true);
            app.hub.cancel_all();
        }
        for runner in self.runners {
            if tokio::time::timeout(LAST, runner).await.is_err() {
                tracing::warn!("a scan does not end; its job is done again at the next start");
            }
        }
        let _ = self.stop.send(true);
        let _ = tokio::time::timeout(LAST * 2, self.accepting).await;
        let _ = tokio::time::timeout(LAST, self.writing).await;
        app.state.close().await;
        tracing::info!("stopped");
    }
}

/// Accepts connections, no more than the settings say, until told to stop.
async fn accept(
    listener: TcpListener,
    app: Shared,
    tls: Option<TlsAcceptor>,
    mut stopped: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(app.settings.connections));
    let graceful = GracefulShutdown::new();
    let router = router(&app);
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            _ = stopped.changed() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                // Out of file descriptors, for instance: others must end first.
                tracing::warn!(error = %e, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (router, tls, watcher) = (router.clone(), tls.clone(), graceful.watcher());
        let patience = seconds(app.settings.header_seconds);
        tokio::spawn(async move {
            match tls {
                None => serve(stream, peer, router, patience, watcher).await,
                Some(tls) => match tokio::time::timeout(patience, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, peer, router, patience, watcher).await,
                    _ => tracing::debug!("a connection did not get through its handshake"),
                },
            }
            drop(permit);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST, graceful.shutdown()).await;
}

/// Serves one connection.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    patience: Duration,
    watcher: Watcher,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(e) = watcher.watch(connection).await {
        tracing::debug!(error = %e, "a connection ended");
    }
}

/// Writes the audit log in strokes, until the service stops and all is written.
async fn write_audit(
    state: State,
    mut entries: mpsc::Receiver<(i64, AuditEntry)>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut waiting = Vec::new();
    loop {
        let over = tokio::select! {
            count = entries.recv_many(&mut waiting, AUDIT) => count == 0,
            _ = stopped.changed() => true,
        };
        if over {
            while let Ok(entry) = entries.try_recv() {
                waiting.push(entry);
            }
        }
        if !waiting.is_empty()
            && let Err(e) = state.log(&waiting).await
        {
            tracing::error!(error = %e, lost = waiting.len(), "the audit log cannot be written");
        }
        waiting.clear();
        if over {
            return;
        }
        tokio::time::sleep(WRITE).await;
    }
}

/// Writes the files of all remarks and their manifest into a folder; how many, and how many are not kept any more.
///
/// # Errors
/// [`ExportError`].
pub async fn export_feedback(
    settings: &Settings,
    folder: &std::path::Path,
) -> Result<(usize, usize), ExportError> {
    let state = State::open(settings).await?;
    let store = Store::open(settings)?;
    feedback::export(&state, &store, folder).await
}
