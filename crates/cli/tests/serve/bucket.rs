//! An S3 server of a test's own: `s3s-fs` on a free port, which checks signatures, and in front of it the faults that a
//! test asks for.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;

/// What the server does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Mode {
    /// Its work.
    Well,
    /// It refuses whatever would change something.
    ReadOnly,
    /// It has no such bucket.
    NoBucket,
    /// It closes every connection.
    Away,
    /// It goes away with the second part of an upload.
    GoesAway,
}

/// A server that runs as long as this lives.
pub struct Bucket {
    endpoint: String,
    folder: tempfile::TempDir,
    mode: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

pub const ACCESS: &str = "test-access";
pub const SECRET: &str = "test-secret-hunter2";
const NAME: &str = "media";

impl Bucket {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(NAME)).expect("a bucket");
        let files = s3s_fs::FileSystem::new(folder.path()).expect("a store");
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS, SECRET));
        let service = builder.build();
        let mode = Arc::new(AtomicUsize::new(Mode::Well as usize));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(serve(listener, service, Arc::clone(&mode)));
        Self {
            endpoint,
            folder,
            mode,
            _runtime: runtime,
        }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.store(mode as usize, Ordering::SeqCst);
    }

    /// Settings of a service that keeps its media here.
    pub fn settings(&self) -> Vec<(&str, &str)> {
        vec![
            ("media", "s3://media/of/realscope"),
            ("s3_endpoint", &self.endpoint),
            ("s3_access_key", ACCESS),
            ("s3_secret_key", SECRET),
        ]
    }

    /// The objects below a folder of the service's prefix.
    pub fn objects(&self, below: &str) -> Vec<PathBuf> {
        files(
            &self
                .folder
                .path()
                .join(NAME)
                .join("of/realscope")
                .join(below),
        )
    }
}

/// All files below a folder.
pub fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

async fn serve(listener: TcpListener, service: S3Service, mode: Arc<AtomicUsize>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (service, mode) = (service.clone(), Arc::clone(&mode));
        let answer = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let (service, mode) = (service.clone(), Arc::clone(&mode));
            async move {
                let own = mode.load(Ordering::SeqCst);
                let is = |m: Mode| own == m as usize;
                let query = request.uri().query().unwrap_or_default();
                if is(Mode::GoesAway) && query.contains("partNumber=2") {
                    mode.store(Mode::Away as usize, Ordering::SeqCst);
                    return Err(std::io::Error::other("away"));
                }
                if is(Mode::Away) {
                    return Err(std::io::Error::other("away"));
                }
                if is(Mode::NoBucket) {
                    return Ok(refusal(404, "NoSuchBucket"));
                }
                let reads = matches!(request.method().as_str(), "GET" | "HEAD");
                if is(Mode::ReadOnly) && !reads {
                    return Ok(refusal(403, "AccessDenied"));
                }
                let answer = service.call(request.map(s3s::Body::from)).await;
                answer.map_err(|e| std::io::Error::other(format!("{e:?}")))
            }
        });
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

/// An error as S3 has it.
fn refusal(status: u16, code: &str) -> hyper::Response<s3s::Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    );
    hyper::Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .body(s3s::Body::from(text))
        .expect("an answer")
}
