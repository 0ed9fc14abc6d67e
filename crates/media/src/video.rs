//! Frames of videos, decoded by the ffmpeg that the user has installed.
//!
//! Container and demultiplexer are chosen by content and named to ffmpeg, so that no text that refers to other files (a
//! playlist, a list of parts) is ever read as a video; only the file itself can be opened. Each call is a process of
//! its own with bounded memory, and is killed at the deadline.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use image::RgbImage;
use serde::Deserialize;

use crate::error::MediaError;
use crate::format::Format;
use crate::limits::Limits;

/// Variable that names the folder of `ffmpeg` and `ffprobe`; without it they are looked up as any program.
pub const FOLDER: &str = "REALSCOPE_FFMPEG";

/// Why a video yields no frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VideoError {
    /// ffmpeg or ffprobe cannot be started.
    #[error("{program} cannot be started: {reason}; install ffmpeg or set {FOLDER} to its folder")]
    Program {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The decoder was stopped.
    #[error("the video took longer than {seconds} s to decode")]
    Deadline {
        /// The deadline.
        seconds: String,
    },
    /// The content.
    #[error(transparent)]
    Media(#[from] MediaError),
}

impl VideoError {
    /// Stable machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Program { .. } => "ffmpeg_missing",
            Self::File { .. } => "unreadable",
            Self::Deadline { .. } => "deadline",
            Self::Media(e) => e.code(),
        }
    }
}

/// Which frames are decoded: at most `count`, evenly spread over `first..=last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// First frame, from 0.
    pub first: u64,
    /// Last frame; without it that of the video.
    pub last: Option<u64>,
    /// Frames.
    pub count: usize,
}

/// A decoded frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its number in the video, from 0.
    pub index: u64,
    /// Pixels, turned upright.
    pub pixels: RgbImage,
}

impl Sampling {
    /// Numbers of the frames out of `all`: the middles of `count` stretches of one length.
    ///
    /// # Errors
    /// [`MediaError::Truncated`] when the video ends before the range does.
    fn of(&self, all: u64) -> Result<Vec<u64>, MediaError> {
        let last = self.last.unwrap_or_else(|| all.saturating_sub(1));
        if all == 0 || self.first > last || last >= all {
            return Err(MediaError::Truncated {
                format: "video".into(),
                reason: format!("{all} frames, {} to {last} wanted", self.first),
            });
        }
        let (n, length) = (self.count as u64, last - self.first + 1);
        let n = n.clamp(1, length);
        Ok((0..n)
            .map(|k| self.first + (2 * k + 1) * length / (2 * n))
            .collect())
    }
}

/// Memory that a decoder may map, in bytes.
const MEMORY: u64 = 4 << 30;
/// Bytes of messages that are kept.
const MESSAGES: u64 = 4096;

/// ffmpeg's name of the demultiplexer for what a file begins with.
#[must_use]
pub fn container(head: &[u8]) -> Option<&'static str> {
    match Format::sniff(head)? {
        Format::Gif => Some("gif"),
        Format::Video if head.starts_with(b"RIFF") => Some("avi"),
        Format::Video if head.starts_with(&[0x1a, 0x45]) => Some("matroska"),
        Format::Video => Some("mov"),
        _ => None,
    }
}

fn program(name: &str) -> OsString {
    match std::env::var_os(FOLDER).filter(|f| !f.is_empty()) {
        Some(folder) => Path::new(&folder).join(name).into_os_string(),
        None => name.into(),
    }
}

/// Whether ffmpeg and ffprobe can be started.
#[must_use]
pub fn available() -> bool {
    ["ffmpeg", "ffprobe"].iter().all(|name| {
        Command::new(program(name))
            .arg("-version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    })
}

#[cfg(target_os = "linux")]
fn bound(child: &Child) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let limit = Rlimit {
        current: Some(MEMORY),
        maximum: Some(MEMORY),
    };
    // A limit that the system refuses is no reason to refuse the video: the deadline still holds.
    let _ = prlimit(Some(Pid::from_child(child)), Resource::As, limit);
}

#[cfg(not(target_os = "linux"))]
fn bound(_child: &Child) {}

struct Output<T> {
    read: T,
    success: bool,
    messages: String,
}

/// Runs a program; `read` makes of its output what it needs, and what it leaves stops the program.
fn run<T: Send + 'static>(
    name: &str,
    args: &[&OsStr],
    read: impl FnOnce(ChildStdout) -> T + Send + 'static,
    begun: Instant,
    deadline: Duration,
) -> Result<Output<T>, VideoError> {
    let fault = |e: std::io::Error| VideoError::Program {
        program: name.into(),
        reason: e.to_string(),
    };
    let mut child = Command::new(program(name))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(fault)?;
    bound(&child);
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(fault(std::io::Error::other("no pipes")));
    };
    // Readers end when the process does, or when they have their fill, which ends the process.
    let output = std::thread::spawn(move || read(stdout));
    let messages = std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut stderr = stderr;
        let _ = stderr.by_ref().take(MESSAGES).read_to_end(&mut kept);
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        String::from_utf8_lossy(&kept).into_owned()
    });
    let mut pause = Duration::from_millis(1);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(fault)? {
            break Some(status);
        }
        if begun.elapsed() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(pause);
        pause = (2 * pause).min(Duration::from_millis(20));
    };
    let read = output
        .join()
        .map_err(|_| fault(std::io::Error::other("its output cannot be read")))?;
    let messages = messages.join().unwrap_or_default();
    match status {
        Some(status) => Ok(Output {
            read,
            success: status.success(),
            messages,
        }),
        None => Err(VideoError::Deadline {
            seconds: format!("{:.3}", deadline.as_secs_f64()),
        }),
    }
}

fn corrupt(reason: &str) -> MediaError {
    MediaError::Corrupt {
        format: "video".into(),
        reason: reason.lines().next().unwrap_or("no frames").trim().into(),
    }
}

#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    width: Option<u64>,
    height: Option<u64>,
    nb_read_packets: Option<String>,
    nb_read_frames: Option<String>,
}

/// One video to decode.
struct Source<'a> {
    input: OsString,
    container: &'static str,
    limits: &'a Limits,
    begun: Instant,
    deadline: Duration,
}

impl Source<'_> {
    fn run<T: Send + 'static>(
        &self,
        name: &str,
        before: &[&str],
        after: &[&str],
        read: impl FnOnce(ChildStdout) -> T + Send + 'static,
    ) -> Result<Output<T>, VideoError> {
        let fixed = ["-v", "error", "-protocol_whitelist", "file"];
        let mut args: Vec<&OsStr> = before.iter().chain(&fixed).map(OsStr::new).collect();
        args.extend(["-f", self.container, "-i"].map(OsStr::new));
        args.push(&self.input);
        args.extend(after.iter().map(OsStr::new));
        run(name, &args, read, self.begun, self.deadline)
    }

    /// Frames of the video: counted in the container, or where `decode` is set by decoding them.
    fn count(&self, decode: bool) -> Result<u64, VideoError> {
        let counter = if decode {
            "-count_frames"
        } else {
            "-count_packets"
        };
        let show = "stream=width,height,nb_read_packets,nb_read_frames";
        let query = [
            "-select_streams",
            "v:0",
            counter,
            "-show_entries",
            show,
            "-of",
            "json",
        ];
        let said = self.run("ffprobe", &query, &[], |stdout| {
            let mut bytes = Vec::new();
            let _ = stdout.take(1 << 16).read_to_end(&mut bytes);
            bytes
        })?;
        if !said.success {
            return Err(corrupt(&said.messages).into());
        }
        let probe: Probe =
            serde_json::from_slice(&said.read).map_err(|_| corrupt(&said.messages))?;
        let stream = probe
            .streams
            .first()
            .ok_or_else(|| corrupt(&said.messages))?;
        let (Some(width), Some(height)) = (stream.width, stream.height) else {
            return Err(corrupt("no size").into());
        };
        self.limits.check(width, height, 3)?;
        let counted = if decode {
            &stream.nb_read_frames
        } else {
            &stream.nb_read_packets
        };
        let number = counted.as_ref().and_then(|n| n.parse().ok());
        Ok(number.ok_or_else(|| corrupt("no frames"))?)
    }

    fn decode(&self, indices: &[u64]) -> Result<Vec<Frame>, VideoError> {
        let chosen: Vec<String> = indices.iter().map(|i| format!("eq(n\\,{i})")).collect();
        // Frames leave at a steady rate, so that none is repeated or dropped to keep time.
        let filter = format!("select={},settb=1/25,setpts=N", chosen.join("+"));
        let number = indices.len().to_string();
        let after = [
            "-map",
            "0:v:0",
            "-vf",
            &filter,
            "-r",
            "25",
            "-frames:v",
            &number,
            "-sws_flags",
            "accurate_rnd+full_chroma_int",
            "-pix_fmt",
            "rgb24",
            "-c:v",
            "ppm",
            "-f",
            "image2pipe",
            "-",
        ];
        let (wanted, limits) = (indices.to_vec(), self.limits.clone());
        let read = move |stdout| {
            let mut stdout = BufReader::new(stdout);
            let mut frames = Vec::with_capacity(wanted.len());
            for index in wanted {
                match ppm(&mut stdout, &limits)? {
                    Some(pixels) => frames.push(Frame { index, pixels }),
                    None => break,
                }
            }
            Ok::<_, MediaError>(frames)
        };
        let said = self.run("ffmpeg", &["-nostdin", "-xerror"], &after, read)?;
        let frames = said.read?;
        if !said.success {
            return Err(corrupt(&said.messages).into());
        }
        Ok(frames)
    }
}

/// The next picture of a stream that ffmpeg writes: `P6`, sizes, 255, each on a line, then RGB. `None` at its end.
fn ppm(stream: &mut impl BufRead, limits: &Limits) -> Result<Option<RgbImage>, MediaError> {
    let fault = || corrupt("the decoder's output is cut short");
    let mut line = || {
        let mut text = String::new();
        let read = stream.by_ref().take(32).read_line(&mut text);
        read.map(|_| text).map_err(|_| fault())
    };
    match line()?.as_str() {
        "" => return Ok(None),
        "P6\n" => {}
        _ => return Err(fault()),
    }
    let sizes = line()?;
    if line()? != "255\n" {
        return Err(fault());
    }
    let (width, height) = sizes.trim_end().split_once(' ').ok_or_else(fault)?;
    let size = |text: &str| text.parse::<u32>().map_err(|_| fault());
    let (width, height) = (size(width)?, size(height)?);
    limits.check(u64::from(width), u64::from(height), 3)?;
    let mut pixels = vec![0; width as usize * height as usize * 3];
    stream.read_exact(&mut pixels).map_err(|_| fault())?;
    let picture = RgbImage::from_raw(width, height, pixels);
    Ok(Some(picture.ok_or_else(fault)?))
}

/// Decodes frames of the video at `path`: all that `sampling` asks for, or an error.
///
/// # Errors
/// [`VideoError`].
pub fn frames(
    path: &Path,
    sampling: &Sampling,
    limits: &Limits,
    deadline: Duration,
) -> Result<Vec<Frame>, VideoError> {
    let fault = |e: std::io::Error| VideoError::File {
        path: path.to_owned(),
        reason: e.to_string(),
    };
    let mut head = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(512).read_to_end(&mut head))
        .map_err(fault)?;
    if head.is_empty() {
        return Err(MediaError::Empty.into());
    }
    let container = container(&head).ok_or_else(|| MediaError::NotAPicture {
        found: "no video in a container that is known here".into(),
    })?;
    let mut input = OsString::from("file:");
    input.push(path);
    let source = Source {
        input,
        container,
        limits,
        begun: Instant::now(),
        deadline,
    };
    let indices = sampling.of(source.count(false)?)?;
    let found = source.decode(&indices)?;
    if found.len() == indices.len() {
        return Ok(found);
    }
    // A container may hold packets that are never shown; those that are count.
    let indices = sampling.of(source.count(true)?)?;
    let found = source.decode(&indices)?;
    if found.len() == indices.len() {
        Ok(found)
    } else {
        Err(MediaError::Truncated {
            format: "video".into(),
            reason: format!("{} of {} frames", found.len(), indices.len()),
        }
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spread_evenly() {
        let of = |first, last, count, all| Sampling { first, last, count }.of(all);
        assert_eq!(of(0, None, 4, 100), Ok(vec![12, 37, 62, 87]));
        assert_eq!(of(0, None, 8, 3), Ok(vec![0, 1, 2]));
        assert_eq!(of(10, Some(19), 2, 100), Ok(vec![12, 17]));
        assert_eq!(of(0, None, 1, 1), Ok(vec![0]));
        assert!(of(0, None, 4, 0).is_err());
        assert!(of(0, Some(100), 4, 100).is_err());
        assert!(of(5, Some(4), 4, 100).is_err());
    }

    #[test]
    fn what_the_decoder_writes_is_read_or_refused() {
        let mut two = b"P6\n2 1\n255\nabcdef".to_vec();
        two.extend(b"P6\n1 1\n255\nxyz");
        let limits = Limits::default();
        let mut stream = two.as_slice();
        let mut next = || ppm(&mut stream, &limits).expect("reads");
        let first = next().expect("a picture");
        let both = (first.dimensions(), first.as_raw().as_slice());
        assert_eq!(both, ((2, 1), &b"abcdef"[..]));
        assert_eq!(next().expect("a picture").as_raw(), b"xyz");
        assert_eq!(next(), None);
        for n in 1..15 {
            assert!(ppm(&mut &two[..n], &limits).is_err(), "{n}");
        }
        let huge = &mut &b"P6\n90000 90000\n255\n"[..];
        let e = ppm(huge, &limits).expect_err("refused");
        assert_eq!(e.code(), "limit_exceeded");
    }

    #[test]
    fn text_is_no_video_whatever_its_name() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("list.mp4");
        std::fs::write(&path, "#EXTM3U\n#EXTINF:1,\n/etc/passwd\n").expect("writes");
        let sampling = Sampling {
            first: 0,
            last: None,
            count: 2,
        };
        let found = frames(&path, &sampling, &Limits::default(), Duration::from_secs(5));
        assert_eq!(found.expect_err("refused").code(), "not_a_picture");
        let none = frames(
            &folder.path().join("none.mp4"),
            &sampling,
            &Limits::default(),
            Duration::from_secs(5),
        );
        assert_eq!(none.expect_err("refused").code(), "unreadable");
    }
}
