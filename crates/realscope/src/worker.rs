//! Decoding in worker processes.
//!
//! Catching panics stops neither a decoder that loops nor an allocation that aborts, so untrusted
//! bytes are decoded by this very program, started again as a worker under memory limits. A worker
//! serves many files; it is killed at a file's deadline and replaced.
//!
//! Frames on the worker's stdin and stdout: length of a JSON header (u32, little endian), the
//! header, then the bytes that it announces.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use image::RgbImage;
use realscope_media::{Decoded, Facts, Limits, MediaError, Options};
use serde::{Deserialize, Serialize};

/// Memory that a worker needs beside what decoding may claim: the program itself and its stacks.
const BASE_MEMORY: u64 = 512 << 20;
/// Largest header that is read.
const MAX_HEADER: usize = 16 << 20;

#[derive(Serialize, Deserialize)]
struct Request {
    limits: Limits,
    options: Options,
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Reply {
    result: Result<Facts, MediaError>,
    bytes: u64,
}

/// Why a file was not decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The decoder refused the file.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The deadline passed; the worker was killed.
    #[error("not decoded within {seconds} s")]
    Deadline {
        /// The deadline.
        seconds: String,
    },
    /// The worker died: a crash, or memory beyond its limit.
    #[error("the decoding worker crashed ({reason})")]
    Crashed {
        /// How it ended.
        reason: String,
    },
    /// No worker can be started.
    #[error("cannot start a decoding worker: {reason}")]
    Start {
        /// What the system said.
        reason: String,
    },
}

impl DecodeError {
    /// Stable machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Media(e) => e.code(),
            Self::Deadline { .. } => "deadline",
            Self::Crashed { .. } => "worker_crashed",
            Self::Start { .. } => "worker_unavailable",
        }
    }
}

fn write_frame(out: &mut impl Write, header: &impl Serialize, bytes: &[u8]) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    let len = u32::try_from(header.len()).map_err(io::Error::other)?;
    out.write_all(&len.to_le_bytes())?;
    out.write_all(&header)?;
    out.write_all(bytes)?;
    out.flush()
}

fn read_header<T: for<'de> Deserialize<'de>>(input: &mut impl Read) -> io::Result<T> {
    let mut len = [0; 4];
    input.read_exact(&mut len)?;
    let len = u32::from_le_bytes(len) as usize;
    if len > MAX_HEADER {
        return Err(io::Error::other("header too long"));
    }
    let mut header = vec![0; len];
    input.read_exact(&mut header)?;
    Ok(serde_json::from_slice(&header)?)
}

/// What a worker does with a file; tests put a faulty one in its place.
pub type Handler = fn(&[u8], &Limits, &Options) -> Result<Decoded, MediaError>;

/// Serves requests on stdin until it closes. The first request sets the memory limit.
///
/// # Errors
/// When the pipe breaks.
pub fn serve(handler: Handler) -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut limited = false;
    loop {
        let request: Request = match read_header(&mut input) {
            Ok(request) => request,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        };
        if !limited {
            limit_memory(BASE_MEMORY + request.limits.max_alloc + 2 * request.limits.max_bytes);
            limited = true;
        }
        let mut bytes = vec![0; usize::try_from(request.bytes).map_err(io::Error::other)?];
        input.read_exact(&mut bytes)?;
        match handler(&bytes, &request.limits, &request.options) {
            Ok(decoded) => {
                let pixels = decoded.pixels.into_raw();
                let reply = Reply {
                    result: Ok(decoded.facts),
                    bytes: pixels.len() as u64,
                };
                write_frame(&mut output, &reply, &pixels)?;
            }
            Err(e) => {
                let reply = Reply {
                    result: Err(e),
                    bytes: 0,
                };
                write_frame(&mut output, &reply, &[])?;
            }
        }
    }
}

#[cfg(unix)]
fn limit_memory(bytes: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    // Where the system refuses, the checks ahead of each allocation still hold.
    let _ = setrlimit(Resource::As, limit);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
}

#[cfg(not(unix))]
fn limit_memory(_bytes: u64) {}

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

struct Worker {
    child: Arc<Mutex<Child>>,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Gives the calling thread, one of `workers` that score `files` side by side, its share of the cores. A few files are
/// scored on all cores each, so that the last ones do not leave cores idle.
pub fn share_cores(workers: usize, files: usize) {
    if workers > 1 && files >= 4 * workers {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        realscope_engine::threads_of_this_thread(cores / workers);
    }
}

/// One decoding lane: a worker that is started when first needed and replaced when it dies.
pub struct Lane {
    launch: Launch,
    worker: Option<Worker>,
}

impl Lane {
    /// A lane without a worker yet.
    #[must_use]
    pub fn new(launch: Launch) -> Self {
        Self {
            launch,
            worker: None,
        }
    }

    fn start(&self) -> Result<Worker, DecodeError> {
        let fail = |reason: String| DecodeError::Start { reason };
        let mut child = Command::new(&self.launch.program)
            .args(&self.launch.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| fail(e.to_string()))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(fail("no pipes".into()));
        };
        Ok(Worker {
            child: Arc::new(Mutex::new(child)),
            stdin,
            stdout,
        })
    }

    /// Decodes one file within `deadline`.
    ///
    /// # Errors
    /// [`DecodeError`]; the next file gets a fresh worker where this one was lost.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        options: &Options,
        deadline: Duration,
    ) -> Result<Decoded, DecodeError> {
        if bytes.len() as u64 > limits.max_bytes {
            return Err(MediaError::Limit {
                what: "bytes of file".into(),
                value: bytes.len() as u64,
                limit: limits.max_bytes,
            }
            .into());
        }
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.start()?,
        };
        let done = Arc::new((Mutex::new(false), Condvar::new()));
        let watch = {
            let (done, child) = (Arc::clone(&done), Arc::clone(&worker.child));
            std::thread::spawn(move || {
                let (lock, signal) = &*done;
                let Ok(guard) = lock.lock() else { return false };
                let outcome = signal.wait_timeout_while(guard, deadline, |finished| !*finished);
                let late = outcome.is_ok_and(|(_, timeout)| timeout.timed_out());
                if late && let Ok(mut child) = child.lock() {
                    let _ = child.kill();
                }
                late
            })
        };
        let begun = Instant::now();
        let outcome = exchange(&mut worker, bytes, limits, options);
        // The watch may wake after a quick answer; the clock decides, not the race.
        let overdue = begun.elapsed() > deadline;
        if let Ok(mut finished) = done.0.lock() {
            *finished = true;
        }
        done.1.notify_all();
        let late = watch.join().unwrap_or(false) || overdue;
        if late {
            return Err(DecodeError::Deadline {
                seconds: format!("{:.3}", deadline.as_secs_f64()),
            });
        }
        match outcome {
            Ok(result) => {
                self.worker = Some(worker);
                Ok(result?)
            }
            Err(e) => {
                let status = worker
                    .child
                    .lock()
                    .ok()
                    .and_then(|mut c| c.wait().ok())
                    .map_or_else(|| e.to_string(), |s| s.to_string());
                Err(DecodeError::Crashed { reason: status })
            }
        }
    }
}

fn exchange(
    worker: &mut Worker,
    bytes: &[u8],
    limits: &Limits,
    options: &Options,
) -> io::Result<Result<Decoded, MediaError>> {
    let request = Request {
        limits: limits.clone(),
        options: options.clone(),
        bytes: bytes.len() as u64,
    };
    write_frame(&mut worker.stdin, &request, bytes)?;
    let reply: Reply = read_header(&mut worker.stdout)?;
    let facts = match reply.result {
        Ok(facts) => facts,
        Err(e) => return Ok(Err(e)),
    };
    // The worker is not trusted with sizes either.
    let expected = u64::from(facts.width) * u64::from(facts.height) * 3;
    if reply.bytes != expected || expected > limits.max_pixels.saturating_mul(3) {
        return Err(io::Error::other("the worker announced another size"));
    }
    let mut pixels = vec![0; usize::try_from(expected).map_err(io::Error::other)?];
    worker.stdout.read_exact(&mut pixels)?;
    let pixels = RgbImage::from_raw(facts.width, facts.height, pixels)
        .ok_or_else(|| io::Error::other("pixels do not fit"))?;
    Ok(Ok(Decoded { pixels, facts }))
}
