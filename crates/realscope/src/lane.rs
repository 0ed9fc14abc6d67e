//! The side of decoding that asks: lanes, each a worker process that is started when first needed.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use image::RgbImage;
use realscope_detectors::card::Input;
use realscope_media::video::{self, Frame, Sketch, VideoError, VideoLimits};
use realscope_media::{Decoded, Limits, MediaError, Options as DecodeOptions};

use crate::cancel::Cancel;
use crate::timeline::Sketched;
use crate::worker::{
    self, Reply, Request, VideoReply, VideoRequest, payload, read_header, write_frame,
};

/// How often a waiting lane looks whether its request was cancelled.
const TICK: Duration = Duration::from_millis(50);
/// Files after which a worker is replaced, so that what decoders leave in memory does not grow for ever.
const FILES: u32 = 1000;

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
    /// The caller gave up; the worker was killed.
    #[error("cancelled")]
    Cancelled,
    /// The video yields no frames.
    #[error(transparent)]
    Video(#[from] VideoError),
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

/// How to start a worker: a program that calls [`crate::worker::serve`]. It is named by the caller; a process that
/// embeds the scanner is no worker.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    files: u32,
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What ended a wait ahead of the worker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Late,
    Cancelled,
}

/// Kills a worker at the deadline or when the request is cancelled, unless it was told that the work is done.
struct Watch {
    done: Arc<(Mutex<bool>, Condvar)>,
    thread: std::thread::JoinHandle<Option<Stop>>,
}

impl Watch {
    fn over(child: &Arc<Mutex<Child>>, deadline: Duration, cancel: &Cancel) -> Self {
        let done = Arc::new((Mutex::new(false), Condvar::new()));
        let (shared, child, cancel) = (Arc::clone(&done), Arc::clone(child), cancel.clone());
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            let (lock, signal) = &*shared;
            let mut finished = lock.lock().unwrap_or_else(PoisonError::into_inner);
            let stop = loop {
                if *finished {
                    return None;
                }
                if cancel.is_cancelled() {
                    break Stop::Cancelled;
                }
                let Some(left) = deadline
                    .checked_sub(begun.elapsed())
                    .filter(|d| !d.is_zero())
                else {
                    break Stop::Late;
                };
                let woken = signal.wait_timeout(finished, left.min(TICK));
                finished = woken.unwrap_or_else(PoisonError::into_inner).0;
            };
            if let Ok(mut child) = child.lock() {
                let _ = child.kill();
            }
            Some(stop)
        });
        Self { done, thread }
    }

    fn end(self) -> Option<Stop> {
        *self.done.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.done.1.notify_all();
        self.thread.join().unwrap_or(None)
    }
}

/// One decoding lane: a worker that is started when first needed and replaced when it dies.
pub struct Lane {
    launch: Launch,
    worker: Option<Worker>,
    files: u32,
}

impl Lane {
    /// A lane without a worker yet.
    #[must_use]
    pub fn new(launch: Launch) -> Self {
        Self {
            launch,
            worker: None,
            files: FILES,
        }
    }

    /// Replaces its worker after so many files, at least one; by default 1000.
    #[must_use]
    pub fn replaced_after(mut self, files: u32) -> Self {
        self.files = files.max(1);
        self
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
            files: 0,
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
        options: &DecodeOptions,
        deadline: Duration,
        cancel: &Cancel,
    ) -> Result<Decoded, DecodeError> {
        if bytes.len() as u64 > limits.max_bytes {
            return Err(MediaError::Limit {
                what: "bytes of file".into(),
                value: bytes.len() as u64,
                limit: limits.max_bytes,
            }
            .into());
        }
        self.watched(deadline, cancel, |worker| {
            exchange(worker, bytes, limits, options)
        })
        .map_err(|e| match e {
            Lost::Worker(e) => e,
            Lost::Caller(never) => never,
        })?
        .map_err(DecodeError::from)
    }

    /// Reads a video within `deadline` and gives what comes to `take`, whose error ends the reading.
    ///
    /// # Errors
    /// Those of `take`, and [`DecodeError`].
    pub fn video<E: From<DecodeError>>(
        &mut self,
        source: VideoSource<'_>,
        limits: &VideoLimits,
        options: &DecodeOptions,
        deadline: Duration,
        cancel: &Cancel,
        mut take: impl FnMut(Seen) -> Result<(), E>,
    ) -> Result<Option<VideoError>, E> {
        let read = self.watched(deadline, cancel, |worker| {
            let request = VideoRequest {
                limits: limits.clone(),
                clips: source.clips.cloned(),
                deadline,
            };
            read_video(worker, source.path, request, options, &mut take)
        });
        match read {
            Ok(Ok(cut)) => Ok(cut),
            Ok(Err(fault)) => Err(E::from(DecodeError::from(fault))),
            Err(Lost::Worker(e)) => Err(E::from(e)),
            Err(Lost::Caller(e)) => Err(e),
        }
    }

    /// Lets `work` talk with a worker, which is killed at the deadline and replaced when it is lost.
    fn watched<T, E>(
        &mut self,
        deadline: Duration,
        cancel: &Cancel,
        work: impl FnOnce(&mut Worker) -> Result<T, Broken<E>>,
    ) -> Result<T, Lost<E>> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.start().map_err(Lost::Worker)?,
        };
        let begun = Instant::now();
        let watch = Watch::over(&worker.child, deadline, cancel);
        let outcome = work(&mut worker);
        // The watch may wake after a quick answer; the clock decides, not the race.
        let overdue = (begun.elapsed() > deadline).then_some(Stop::Late);
        match watch.end().or(overdue) {
            Some(Stop::Late) => {
                return Err(Lost::Worker(DecodeError::Deadline {
                    seconds: format!("{:.3}", deadline.as_secs_f64()),
                }));
            }
            Some(Stop::Cancelled) => return Err(Lost::Worker(DecodeError::Cancelled)),
            None => {}
        }
        match outcome {
            Ok(result) => {
                worker.files += 1;
                if worker.files < self.files {
                    self.worker = Some(worker);
                }
                Ok(result)
            }
            // The worker still writes what nobody reads; it is let go.
            Err(Broken::Caller(e)) => Err(Lost::Caller(e)),
            Err(Broken::Pipe(e)) => {
                let status = worker
                    .child
                    .lock()
                    .ok()
                    .and_then(|mut c| c.wait().ok())
                    .map_or_else(|| e.to_string(), |s| s.to_string());
                Err(Lost::Worker(DecodeError::Crashed { reason: status }))
            }
        }
    }
}

/// Why talking with a worker ended.
enum Broken<E> {
    Pipe(io::Error),
    Caller(E),
}

impl<E> From<io::Error> for Broken<E> {
    fn from(e: io::Error) -> Self {
        Self::Pipe(e)
    }
}

/// What became of it.
enum Lost<E> {
    Worker(DecodeError),
    Caller(E),
}

/// A video to read.
#[derive(Clone, Copy, Debug)]
pub struct VideoSource<'a> {
    /// The file.
    pub path: &'a Path,
    /// What a detector of clips is shown; `None` for one of frames.
    pub clips: Option<&'a Input>,
}

/// What a worker tells of a video, in order.
#[derive(Clone, Debug)]
pub enum Seen {
    /// What is known of it.
    Facts(Box<video::Facts>),
    /// A frame was sketched.
    Sketch(Sketched),
    /// A frame to score.
    Frame(Frame),
}

fn read_video<E>(
    worker: &mut Worker,
    path: &Path,
    video: VideoRequest,
    options: &DecodeOptions,
    take: &mut impl FnMut(Seen) -> Result<(), E>,
) -> Result<Result<Option<VideoError>, VideoError>, Broken<E>> {
    use std::io::Read as _;
    let name = worker::name_of(path);
    let limits = video.limits.picture.clone();
    let request = Request {
        limits: limits.clone(),
        options: options.clone(),
        video: Some(video),
        bytes: name.len() as u64,
    };
    write_frame(&mut worker.stdin, &request, &name)?;
    let mut stdout = io::BufReader::new(&mut worker.stdout);
    loop {
        let reply: VideoReply = read_header(&mut stdout)?;
        let mut bytes = vec![0; payload(&reply, &limits)?];
        stdout.read_exact(&mut bytes)?;
        let other = || io::Error::other("the worker announced another size");
        let seen = match reply {
            VideoReply::Facts { facts, .. } => Seen::Facts(facts),
            VideoReply::Sketch { time } => Seen::Sketch(Sketched {
                time,
                sketch: Sketch::from_bytes(bytes).ok_or_else(other)?,
            }),
            VideoReply::Frame {
                index,
                time,
                width,
                height,
            } => Seen::Frame(Frame {
                index,
                time,
                pixels: RgbImage::from_raw(width, height, bytes).ok_or_else(other)?,
            }),
            VideoReply::End { cut } => return Ok(Ok(cut)),
            VideoReply::Failed { fault } => return Ok(Err(fault)),
        };
        take(seen).map_err(Broken::Caller)?;
    }
}

fn exchange(
    worker: &mut Worker,
    bytes: &[u8],
    limits: &Limits,
    options: &DecodeOptions,
) -> Result<Result<Decoded, MediaError>, Broken<DecodeError>> {
    use std::io::Read as _;
    let request = Request {
        limits: limits.clone(),
        options: options.clone(),
        video: None,
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
        return Err(io::Error::other("the worker announced another size").into());
    }
    let mut pixels = vec![0; usize::try_from(expected).map_err(io::Error::other)?];
    worker.stdout.read_exact(&mut pixels)?;
    let pixels = RgbImage::from_raw(facts.width, facts.height, pixels)
        .ok_or_else(|| io::Error::other("pixels do not fit"))?;
    Ok(Ok(Decoded { pixels, facts }))
}

/// Where untrusted bytes are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoding {
    /// In processes of their own, under a memory limit and a deadline.
    Processes {
        /// How many at once.
        lanes: usize,
        /// What a worker is.
        worker: Launch,
    },
    /// Nowhere: only frames that the caller has are scored.
    Off,
}

/// A scanner's lanes; whoever decodes takes one and gives it back.
pub(crate) struct Lanes {
    free: Mutex<Vec<Lane>>,
    given_back: Condvar,
    count: usize,
}

impl Lanes {
    pub(crate) fn new(decoding: &Decoding) -> Self {
        let free: Vec<Lane> = match decoding {
            Decoding::Off => Vec::new(),
            Decoding::Processes { lanes, worker } => (0..(*lanes).max(1))
                .map(|_| Lane::new(worker.clone()))
                .collect(),
        };
        Self {
            count: free.len(),
            free: Mutex::new(free),
            given_back: Condvar::new(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Runs `work` with a lane; waits for one until the deadline.
    ///
    /// # Errors
    /// [`DecodeError::Deadline`], [`DecodeError::Cancelled`], [`DecodeError::Start`] of a scanner that decodes nothing,
    /// and those of `work`.
    pub(crate) fn with<T, E: From<DecodeError>>(
        &self,
        deadline: Duration,
        cancel: &Cancel,
        work: impl FnOnce(&mut Lane, Duration) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.count == 0 {
            return Err(E::from(DecodeError::Start {
                reason: "this scanner decodes nothing".into(),
            }));
        }
        let begun = Instant::now();
        let left = || deadline.saturating_sub(begun.elapsed());
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lane = loop {
            if let Some(lane) = free.pop() {
                break lane;
            }
            if cancel.is_cancelled() {
                return Err(E::from(DecodeError::Cancelled));
            }
            if left().is_zero() {
                return Err(E::from(DecodeError::Deadline {
                    seconds: format!("{:.3}", deadline.as_secs_f64()),
                }));
            }
            let woken = self.given_back.wait_timeout(free, left().min(TICK));
            free = woken.unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(free);
        let outcome = work(&mut lane, left());
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lane);
        self.given_back.notify_one();
        outcome
    }
}
