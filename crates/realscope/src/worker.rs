//! The side of decoding that serves: a process of its own.
//!
//! Catching panics stops neither a decoder that loops nor an allocation that aborts, so untrusted
//! bytes are decoded in a worker process under memory limits, which gives up its rights to write files and to open
//! sockets ([`crate::confine`]). A worker serves many files; it is killed at a file's
//! deadline and replaced ([`crate::lane`]).
//!
//! Frames on the worker's stdin and stdout: length of a JSON header (u32, little endian), the
//! header, then the bytes that it announces.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use realscope_detectors::card::Input;
use realscope_media::video::{self, Decoders, Event, Plan, Sketch, Video, VideoError, VideoLimits};
use realscope_media::{Decoded, Facts, Limits, MediaError, Options as DecodeOptions};
use serde::{Deserialize, Serialize};

use crate::confine::confine;
use crate::timeline;

/// Memory that a worker needs beside what decoding may claim: the program itself and its stacks.
const BASE_MEMORY: u64 = 512 << 20;
/// Largest header that is read.
const MAX_HEADER: usize = 16 << 20;

#[derive(Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) limits: Limits,
    pub(crate) options: DecodeOptions,
    /// Set where the bytes are the path of a video.
    pub(crate) video: Option<VideoRequest>,
    pub(crate) bytes: u64,
}

/// How a video is read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VideoRequest {
    pub(crate) limits: VideoLimits,
    /// What a detector is shown that sees clips.
    pub(crate) clips: Option<Input>,
    pub(crate) deadline: Duration,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) result: Result<Facts, MediaError>,
    pub(crate) bytes: u64,
}

/// One of the answers to a request for a video, in this order: facts, sketches and frames, an end. A fault stands in the
/// place of any and is the last.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum VideoReply {
    Facts {
        facts: Box<video::Facts>,
        plan: Plan,
        sketches: bool,
    },
    Sketch {
        time: f64,
    },
    Frame {
        index: u64,
        time: f64,
        width: u32,
        height: u32,
    },
    End {
        cut: Option<VideoError>,
    },
    Failed {
        fault: VideoError,
    },
}

pub(crate) fn write_frame(
    out: &mut impl Write,
    header: &impl Serialize,
    bytes: &[u8],
) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    let len = u32::try_from(header.len()).map_err(io::Error::other)?;
    out.write_all(&len.to_le_bytes())?;
    out.write_all(&header)?;
    out.write_all(bytes)?;
    out.flush()
}

pub(crate) fn read_header<T: for<'de> Deserialize<'de>>(input: &mut impl Read) -> io::Result<T> {
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
pub type Handler = fn(&[u8], &Limits, &DecodeOptions) -> Result<Decoded, MediaError>;

/// Serves requests on stdin until it closes. The first request sets the memory limit.
///
/// # Errors
/// When the pipe breaks.
pub fn serve(handler: Handler) -> io::Result<()> {
    // What the system does not offer cannot be had; `doctor` says so.
    let _ = confine();
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
        if let Some(video) = &request.video {
            serve_video(&bytes, video, request.options.allow_truncated, &mut output)?;
            continue;
        }
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

/// Reads the video whose path is `name` and writes what there is of it.
fn serve_video(
    name: &[u8],
    request: &VideoRequest,
    partial: bool,
    output: &mut impl Write,
) -> io::Result<()> {
    let mut broken = None;
    let read = path_of(name).and_then(|path| {
        // ffmpeg is stopped here, ahead of the worker itself.
        let deadline = request.deadline.mul_f64(0.95);
        let mut video = Video::open(&path, &request.limits, deadline, Decoders::Any)?;
        let facts = Box::new(video.facts().clone());
        let (plan, sketches) = timeline::plan(&facts, request.clips.as_ref());
        let mut write = |reply: VideoReply, bytes: &[u8]| {
            write_frame(output, &reply, bytes).map_err(|e| {
                let reason = e.to_string();
                broken = Some(e);
                VideoError::File {
                    path: "the reader of the frames".into(),
                    reason,
                }
            })
        };
        write(
            VideoReply::Facts {
                facts,
                plan: plan.clone(),
                sketches,
            },
            &[],
        )?;
        video.read(&plan, sketches, partial, &mut |event| match event {
            Event::Sketch { time, sketch, .. } => {
                write(VideoReply::Sketch { time }, sketch.bytes())
            }
            Event::Frame(frame) => {
                let (width, height) = frame.pixels.dimensions();
                let reply = VideoReply::Frame {
                    index: frame.index,
                    time: frame.time,
                    width,
                    height,
                };
                write(reply, frame.pixels.as_raw())
            }
        })
    });
    if let Some(e) = broken {
        return Err(e);
    }
    let reply = match read {
        Ok(outcome) => VideoReply::End { cut: outcome.cut },
        Err(fault) => VideoReply::Failed { fault },
    };
    write_frame(output, &reply, &[])
}

/// Bytes behind the header of a reply; an error of a reply that claims more than the limits allow.
pub(crate) fn payload(reply: &VideoReply, limits: &Limits) -> io::Result<usize> {
    let size = match reply {
        VideoReply::Sketch { .. } => Sketch::BYTES as u64,
        VideoReply::Frame { width, height, .. } => {
            let pixels = u64::from(*width) * u64::from(*height);
            if pixels > limits.max_pixels {
                return Err(io::Error::other("the worker announced another size"));
            }
            3 * pixels
        }
        _ => 0,
    };
    usize::try_from(size).map_err(io::Error::other)
}

/// A path as a worker is told it.
#[cfg(unix)]
pub(crate) fn name_of(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> Result<std::path::PathBuf, VideoError> {
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name);
    Ok(name.into())
}

/// A path as a worker is told it.
#[cfg(not(unix))]
pub(crate) fn name_of(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> Result<std::path::PathBuf, VideoError> {
    let name = std::str::from_utf8(name).map_err(|e| VideoError::File {
        path: String::from_utf8_lossy(name).into_owned(),
        reason: e.to_string(),
    })?;
    Ok(name.into())
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
