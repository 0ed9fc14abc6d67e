//! The way out of the box: the ffmpeg that the user has installed, in a process of its own under limits.
//!
//! Container and demultiplexer are chosen by content and named to ffmpeg, so that no text that refers to other files (a
//! playlist, a list of parts) is ever read as a video; only the file itself can be opened. One process lists the
//! packets, one decodes; each has bounded memory, processor time and output, no network, and is killed at the deadline.

use std::ffi::{OsStr, OsString};
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use image::RgbImage;
use serde::Deserialize;

use super::error::{VideoError, corrupt, limit, truncated};
use super::facts::Facts;
use super::limits::VideoLimits;
use super::track::upright;
use super::yuv::{Colour, Planes, Sketch};
use super::{Event, Frame, Plan, Reader, Wanted, late};
use crate::error::MediaError;
use crate::format::Format;
use crate::note::Note;

/// Variable that names the folder of `ffmpeg` and `ffprobe`; without it they are looked up as any program.
pub const FOLDER: &str = "REALSCOPE_FFMPEG";

/// Memory that a decoder may map, in bytes.
const MEMORY: u64 = 4 << 30;
/// Bytes of messages that are kept.
const MESSAGES: u64 = 4096;
/// Largest list of packets, in bytes.
const MAX_LIST: u64 = 256 << 20;
/// Frames that are named one by one to ffmpeg; more are all passed on, and chosen from here.
const MAX_NAMED: usize = 64;
/// Codecs of sound and of subtitles that may lie beside the pictures. ffprobe opens the decoder of every stream, though
/// no sound is decoded, and gives up where it may not.
const SOUND: &str = "aac,mp3,mp3float,mp2,mp2float,ac3,eac3,opus,libopus,vorbis,libvorbis,flac,alac,amrnb,amrwb,\
                     adpcm_ima_qt,adpcm_ms,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_u8,\
                     pcm_mulaw,pcm_alaw,wmav1,wmav2";
const SUBTITLES: &str = "mov_text,subrip,srt,ass,ssa,webvtt";
/// Codecs of pictures that may be decoded; ffmpeg knows hundreds, some of them hardly ever read by anyone.
const CODECS: &str = "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,av1,libdav1d,libaom-av1,mpeg4,msmpeg4v2,msmpeg4v3,\
                      mpeg1video,mpeg2video,h263,mjpeg,prores,dnxhd,ffv1,huffyuv,gif,rawvideo,theora,wmv1,wmv2,vc1,\
                      png,flv,cinepak,qtrle";

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

/// ffmpeg's name of the demultiplexer for what a file begins with.
fn container(head: &[u8]) -> Option<(&'static str, &'static str)> {
    match Format::sniff(head)? {
        Format::Gif => Some(("gif", "GIF")),
        Format::Video if head.starts_with(b"RIFF") => Some(("avi", "AVI")),
        Format::Video if head.starts_with(&[0x1a, 0x45]) => Some(("matroska", "Matroska")),
        Format::Video => Some(("mov", "MP4")),
        _ => None,
    }
}

#[cfg(target_os = "linux")]
fn bound(child: &Child, deadline: Duration) {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    // Two threads decode; a second is for starting.
    let seconds = 2 * deadline.as_secs().min(1 << 30) + 2;
    for (resource, most) in [
        (Resource::As, MEMORY),
        (Resource::Cpu, seconds),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        let own = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Rlimit {
            current: Some(most.min(own)),
            maximum: Some(most.min(own)),
        };
        // A limit that the system refuses is no reason to refuse the video: the deadline still holds.
        let _ = prlimit(Some(Pid::from_child(child)), resource, limit);
    }
}

#[cfg(not(target_os = "linux"))]
fn bound(_child: &Child, _deadline: Duration) {}

/// A process that is killed at its deadline and never left behind.
struct Running {
    child: Arc<Mutex<Child>>,
    messages: Option<JoinHandle<String>>,
    /// Dropped to end the watch.
    done: Option<mpsc::Sender<()>>,
    watch: Option<JoinHandle<bool>>,
    allowed: Duration,
}

impl Running {
    fn start(
        name: &str,
        args: &[&OsStr],
        allowed: Duration,
    ) -> Result<(Self, ChildStdout), VideoError> {
        let fault = |e: std::io::Error| VideoError::Program {
            program: name.into(),
            reason: e.to_string(),
        };
        let mut child = Command::new(program(name))
            .args(args)
            .env_clear()
            .envs(
                ["PATH", "LD_LIBRARY_PATH"]
                    .iter()
                    .filter_map(|k| Some((k, std::env::var_os(k)?))),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(fault)?;
        bound(&child, allowed);
        let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(fault(std::io::Error::other("no pipes")));
        };
        let messages = std::thread::spawn(move || {
            let mut kept = Vec::new();
            let _ = stderr.by_ref().take(MESSAGES).read_to_end(&mut kept);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            String::from_utf8_lossy(&kept).into_owned()
        });
        let child = Arc::new(Mutex::new(child));
        let (done, wait) = mpsc::channel::<()>();
        let watched = Arc::clone(&child);
        let watch = std::thread::spawn(move || {
            let late = wait.recv_timeout(allowed) == Err(RecvTimeoutError::Timeout);
            if late {
                let mut child = watched.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = child.kill();
            }
            late
        });
        let running = Self {
            child,
            messages: Some(messages),
            done: Some(done),
            watch: Some(watch),
            allowed,
        };
        Ok((running, stdout))
    }

    /// Waits for the end, after all output was read or dropped: whether it succeeded, and what it said.
    fn end(mut self) -> Result<(bool, String), VideoError> {
        let status = loop {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(Some(status)) = child.try_wait() {
                break status;
            }
            drop(child);
            std::thread::sleep(Duration::from_millis(1));
        };
        drop(self.done.take());
        let late = self.watch.take().is_some_and(|w| w.join().unwrap_or(false));
        let messages = self.messages.take().map(JoinHandle::join);
        if late {
            return Err(super::late(self.allowed));
        }
        let messages = messages.and_then(Result::ok).unwrap_or_default();
        Ok((status.success(), messages))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.done.take());
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn said(messages: &str) -> MediaError {
    let mut line = messages.lines().next().unwrap_or("no frames").trim();
    // The addresses of decoders within ffmpeg say nothing, and differ from run to run.
    while let Some((head, rest)) = line.split_once("] ")
        && head.starts_with('[')
    {
        line = rest;
    }
    too_large(line).unwrap_or_else(|| corrupt(line))
}

/// `Picture size WxH exceeds specified max pixel count N, ...`: our own bound, which ffmpeg was given.
fn too_large(line: &str) -> Option<MediaError> {
    let (size, rest) = line
        .strip_prefix("Picture size ")?
        .split_once(" exceeds specified max pixel count ")?;
    let (width, height) = size.split_once('x')?;
    let pixels = width
        .parse::<u64>()
        .ok()?
        .checked_mul(height.parse().ok()?)?;
    let most = rest.split([',', ' ']).next()?.parse().ok()?;
    Some(limit("pixels", pixels, most))
}

#[derive(Default, Deserialize)]
struct Probe {
    #[serde(default)]
    packets: Vec<Packet>,
    #[serde(default)]
    frames: Vec<Shown>,
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Container,
}

#[derive(Deserialize)]
struct Packet {
    pts_time: Option<String>,
    dts_time: Option<String>,
    duration_time: Option<String>,
    #[serde(default)]
    flags: String,
}

#[derive(Deserialize)]
struct Shown {
    best_effort_timestamp_time: Option<String>,
    duration_time: Option<String>,
    /// Its name before ffmpeg 6.
    pkt_duration_time: Option<String>,
    key_frame: Option<u8>,
}

#[derive(Deserialize)]
struct Stream {
    codec_name: Option<String>,
    codec_type: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    pix_fmt: Option<String>,
    color_range: Option<String>,
    color_space: Option<String>,
    bit_rate: Option<String>,
    #[serde(default)]
    side_data_list: Vec<Side>,
    #[serde(default)]
    tags: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Side {
    rotation: Option<f64>,
}

#[derive(Default, Deserialize)]
struct Container {
    #[serde(default)]
    tags: std::collections::BTreeMap<String, String>,
}

fn seconds(text: Option<&String>) -> Option<f64> {
    text?.parse().ok().filter(|t: &f64| t.is_finite())
}

/// A video that ffmpeg decodes.
pub(super) struct Process {
    input: OsString,
    demultiplexer: &'static str,
    facts: Facts,
    /// Size as coded, before it is turned.
    size: (u32, u32),
    /// ffmpeg's name of the planes, where they are 4:2:0 of 8 bits.
    planes: Option<&'static str>,
    colour: Colour,
    times: Vec<f64>,
    keys: Vec<u64>,
    until: Instant,
    /// Whether packets were shown to be frames by decoding them all.
    decoded: bool,
}

impl Process {
    /// Lists the packets of a video. `why` is what the decoders in the box said.
    pub(super) fn open(
        path: &Path,
        head: &[u8],
        limits: &VideoLimits,
        deadline: Duration,
        why: &str,
    ) -> Result<Self, VideoError> {
        let (demultiplexer, container) =
            container(head).ok_or_else(|| MediaError::NotAPicture {
                found: "no video in a container that is known here".into(),
            })?;
        let mut input = OsString::from("file:");
        input.push(path);
        let mut process = Self {
            input,
            demultiplexer,
            facts: Facts {
                container: container.into(),
                ..Facts::default()
            },
            size: (0, 0),
            planes: None,
            colour: Colour::default(),
            times: Vec::new(),
            keys: Vec::new(),
            until: Instant::now() + deadline,
            decoded: false,
        };
        let probe = process.probe(limits, false).map_err(|e| match e {
            VideoError::Program { .. } => VideoError::NeedsFfmpeg { what: why.into() },
            other => other,
        })?;
        process.describe(&probe, limits)?;
        // These codecs put packets into the container that are never shown; decoding tells them.
        if matches!(process.facts.codec.as_str(), "VP8" | "MPEG4" | "MSMPEG4V3") {
            process.decoded = true;
            let shown = process.probe(limits, true)?;
            process.list(&shown, limits)?;
        } else {
            process.list(&probe, limits)?;
        }
        Ok(process)
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    fn start(
        &self,
        name: &str,
        limits: &VideoLimits,
        before: &[&str],
        after: &[&str],
    ) -> Result<(Running, ChildStdout), VideoError> {
        let left = self.left();
        if left.is_zero() {
            return Err(late(left));
        }
        let pixels = limits.picture.max_pixels.to_string();
        let memory = limits.picture.max_alloc.to_string();
        // The level comes first: behind an option that ffmpeg does not know yet it would come too late for the banner.
        let first = ["-v", "error", "-hide_banner"];
        let mut args: Vec<&OsStr> = first.iter().chain(before).map(OsStr::new).collect();
        args.extend(
            [
                "-max_alloc",
                &memory,
                "-protocol_whitelist",
                "file",
                "-format_whitelist",
                self.demultiplexer,
                "-codec_whitelist:v",
                CODECS,
                "-codec_whitelist:a",
                SOUND,
                "-codec_whitelist:s",
                SUBTITLES,
                "-max_streams",
                "64",
                "-max_pixels",
                &pixels,
                "-threads",
                "2",
                "-f",
                self.demultiplexer,
                "-i",
            ]
            .map(OsStr::new),
        );
        args.push(&self.input);
        args.extend(after.iter().map(OsStr::new));
        Running::start(name, &args, left)
    }

    /// What ffprobe says of the first stream of pictures; with `decode` of its frames, else of its packets.
    fn probe(&self, limits: &VideoLimits, decode: bool) -> Result<Probe, VideoError> {
        let show = if decode {
            "frame=best_effort_timestamp_time,duration_time,pkt_duration_time,key_frame"
        } else {
            "packet=pts_time,dts_time,duration_time,flags:stream=codec_name,codec_type,width,height,pix_fmt,color_range,\
             color_space,bit_rate:stream_side_data=rotation:stream_tags:format_tags"
        };
        let query = [
            "-select_streams",
            "v:0",
            "-show_entries",
            show,
            "-of",
            "json",
        ];
        let (running, stdout) = self.start("ffprobe", limits, &query, &[])?;
        let mut bytes = Vec::new();
        let read = stdout.take(MAX_LIST + 1).read_to_end(&mut bytes);
        let (success, messages) = running.end()?;
        if bytes.len() as u64 > MAX_LIST {
            return Err(limit("bytes of packet list", bytes.len() as u64, MAX_LIST).into());
        }
        if !success || read.is_err() {
            return Err(said(&messages).into());
        }
        Ok(serde_json::from_slice(&bytes).map_err(|_| said(&messages))?)
    }

    /// Codec, size and colours.
    fn describe(&mut self, probe: &Probe, limits: &VideoLimits) -> Result<(), VideoError> {
        let stream = probe
            .streams
            .first()
            .ok_or_else(|| MediaError::NotAPicture {
                found: format!("{} without pictures", self.facts.container),
            })?;
        let (Some(width), Some(height)) = (stream.width, stream.height) else {
            return Err(corrupt("no size").into());
        };
        limits
            .picture
            .check(u64::from(width), u64::from(height), 6)?;
        self.size = (width, height);
        self.planes = match stream.pix_fmt.as_deref() {
            Some("yuv420p") => Some("yuv420p"),
            Some("yuvj420p") => Some("yuvj420p"),
            _ => None,
        };
        self.colour = Colour {
            matrix: match stream.color_space.as_deref() {
                Some("bt709") => Some(1),
                Some("fcc") => Some(4),
                Some("smpte240m") => Some(7),
                Some("bt2020nc") => Some(9),
                Some("gbr") => Some(0),
                Some("ycgco") => Some(8),
                Some("bt2020c") => Some(10),
                _ => None,
            },
            full_range: stream.color_range.as_deref() == Some("pc")
                || self.planes == Some("yuvj420p"),
        };
        if !self.colour.is_known() {
            self.planes = None;
        }
        let turned = stream.side_data_list.iter().find_map(|s| s.rotation);
        // ffmpeg counts against the clock.
        let clockwise = (-turned.unwrap_or(0.0)).rem_euclid(360.0).round() as u16;
        self.facts.rotation = if matches!(clockwise, 90 | 180 | 270) {
            clockwise
        } else {
            0
        };
        (self.facts.width, self.facts.height) = match self.facts.rotation {
            90 | 270 => (height, width),
            _ => (width, height),
        };
        let codec = stream.codec_name.as_deref().unwrap_or("unknown");
        self.facts.codec = match codec {
            "h264" => "H.264".into(),
            "hevc" => "HEVC".into(),
            "mjpeg" => "Motion JPEG".into(),
            other => other.to_ascii_uppercase(),
        };
        self.facts.decoder = "ffmpeg".into();
        self.facts.bit_rate = stream.bit_rate.as_ref().and_then(|b| b.parse().ok());
        let cut = |text: &String| text.chars().take(4096).collect::<String>();
        let tags = probe.format.tags.iter().chain(&stream.tags).take(32);
        self.facts.tags = tags
            .map(|(k, v)| (k.to_ascii_lowercase(), cut(v)))
            .collect();
        self.facts.encoder = self.facts.tags.get("encoder").cloned();
        if stream.codec_type.as_deref() == Some("video") && self.planes.is_none() {
            self.facts.notes.push(Note::new(
                "converted",
                "The frames are not 4:2:0 of 8 bits; ffmpeg converted them to RGB.",
            ));
        }
        Ok(())
    }

    /// Times of the frames in order of showing.
    fn list(&mut self, probe: &Probe, limits: &VideoLimits) -> Result<(), VideoError> {
        let listed: Vec<(Option<f64>, f64, bool)> = if self.decoded {
            let each = probe.frames.iter();
            each.map(|f| {
                (
                    seconds(f.best_effort_timestamp_time.as_ref()),
                    seconds(f.duration_time.as_ref().or(f.pkt_duration_time.as_ref()))
                        .unwrap_or(0.0),
                    f.key_frame == Some(1),
                )
            })
            .collect()
        } else {
            // What the container's edit list discards is not shown.
            let each = probe.packets.iter().filter(|p| !p.flags.contains('D'));
            each.map(|p| {
                (
                    seconds(p.pts_time.as_ref()).or(seconds(p.dts_time.as_ref())),
                    seconds(p.duration_time.as_ref()).unwrap_or(0.0),
                    p.flags.contains('K'),
                )
            })
            .collect()
        };
        if listed.is_empty() {
            return Err(truncated("there are no frames").into());
        }
        // A frame without a time follows the one before.
        let mut at = 0.0;
        let mut frames: Vec<(f64, f64, bool)> = listed
            .into_iter()
            .map(|(time, duration, key)| {
                let time = time.unwrap_or(at);
                at = time + duration;
                (time, duration, key)
            })
            .collect();
        frames.sort_by(|a, b| a.0.total_cmp(&b.0));
        let start = frames[0].0;
        self.times = frames.iter().map(|f| f.0 - start).collect();
        self.keys = (0..)
            .zip(&frames)
            .filter(|(_, f)| f.2)
            .map(|(k, _)| k)
            .collect();
        let end = frames.last().map_or(0.0, |f| f.0 + f.1 - start);
        self.facts.timed(&self.times, end, &self.keys);
        Ok(limits.length(self.facts.duration_s, self.facts.frame_count)?)
    }

    /// Decodes the frames `passed`, in order, and hands over those of them that are `chosen`.
    fn decode(
        &self,
        how: &Passed,
        passed: &[u64],
        chosen: &[u64],
        limits: &VideoLimits,
        wanted: &mut Wanted<'_>,
    ) -> Result<usize, VideoError> {
        let (w, h) = (self.size.0 as usize, self.size.1 as usize);
        let mut before = vec!["-nostdin", "-xerror", "-noautorotate"];
        let filter;
        let mut after = vec!["-map", "0:v:0", "-fps_mode", "passthrough"];
        match how {
            Passed::Keys => before.extend(["-skip_frame", "nokey"]),
            Passed::Named => {
                let named: Vec<String> = passed.iter().map(|i| format!("eq(n\\,{i})")).collect();
                filter = format!("select={}", named.join("+"));
                after.extend(["-vf", &filter]);
            }
            Passed::All => {}
        }
        let number = passed.len().to_string();
        after.extend(["-frames:v", &number]);
        match self.planes {
            Some(planes) => after.extend(["-pix_fmt", planes]),
            None => after.extend([
                "-sws_flags",
                "accurate_rnd+full_chroma_int",
                "-pix_fmt",
                "rgb24",
            ]),
        }
        after.extend(["-f", "rawvideo", "-"]);
        let (running, stdout) = self.start("ffmpeg", limits, &before, &after)?;
        let mut stdout = BufReader::with_capacity(1 << 20, stdout);
        let size = match self.planes {
            Some(_) => Planes::bytes(w, h),
            None => 3 * w * h,
        };
        let mut buffer = vec![0; size];
        let mut seen = 0;
        let mut fault = None;
        for index in passed {
            match fill(&mut stdout, &mut buffer) {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) => {
                    fault = Some(e);
                    break;
                }
            }
            wanted.go_on()?;
            let time = self.times[*index as usize];
            let keep = chosen.binary_search(index).is_ok();
            seen += 1;
            if !keep && !wanted.sketches() {
                continue;
            }
            let planes = self.planes.and_then(|_| Planes::of(w, h, &buffer));
            let rgb = || match planes {
                Some(planes) => planes.to_rgb(self.colour),
                None => RgbImage::from_raw(w as u32, h as u32, buffer.clone()).unwrap_or_default(),
            };
            if wanted.sketches() {
                let sketch = planes.map_or_else(|| Sketch::of(&rgb()), |p| p.sketch());
                wanted.take(Event::Sketch {
                    index: *index,
                    time,
                    sketch,
                })?;
            }
            if keep {
                wanted.take(Event::Frame(Frame {
                    index: *index,
                    time,
                    pixels: upright(rgb(), self.facts.rotation),
                }))?;
            }
        }
        drop(stdout);
        let (success, messages) = running.end()?;
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        // A process that was stopped because it had given all is no failure.
        if !success && seen < passed.len() {
            return Err(said(&messages).into());
        }
        Ok(seen)
    }
}

/// Fills a buffer with the next raw frame; `false` at the end of the stream.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> Result<bool, MediaError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(truncated("the decoder's output is cut short")),
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(truncated(format!("the decoder's output: {e}"))),
        }
    }
    Ok(true)
}

/// Which frames leave ffmpeg.
enum Passed {
    All,
    Keys,
    Named,
}

impl Reader for Process {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn read(
        &mut self,
        plan: &Plan,
        limits: &VideoLimits,
        wanted: &mut Wanted<'_>,
    ) -> Result<(), VideoError> {
        loop {
            let chosen = plan.choose(&self.times, &self.keys)?;
            let all = || (0..self.times.len() as u64).collect::<Vec<u64>>();
            // ffmpeg's decoder of AV1, libdav1d, shows every frame whatever it is told to skip.
            let skips = self.facts.codec != "AV1";
            let (how, passed) = if matches!(plan, Plan::Keys { .. }) && skips {
                (Passed::Keys, self.keys.clone())
            } else if wanted.sketches() || chosen.len() > MAX_NAMED {
                (Passed::All, all())
            } else {
                (Passed::Named, chosen.clone())
            };
            limits.work(passed.len() as u64, self.size.0, self.size.1)?;
            let before = wanted.given;
            let seen = self.decode(&how, &passed, &chosen, limits, wanted)?;
            if seen == passed.len() {
                return Ok(());
            }
            if self.decoded || wanted.given > before || wanted.sketches() {
                let reason = format!("{seen} of {} frames", passed.len());
                return Err(truncated(reason).into());
            }
            // A container may hold packets that are never shown; those that are count.
            let probe = self.probe(limits, true)?;
            self.decoded = true;
            self.list(&probe, limits)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ffmpeg_says_is_told_without_its_addresses() {
        let e = said("[mov,mp4 @ 0x55d0] moov atom not found\nmore");
        assert_eq!(e.to_string(), "corrupt video: moov atom not found");
        assert_eq!(said("").to_string(), "corrupt video: no frames");
        let large = "[h264 @ 0x55] [IMGUTILS @ 0x7f] Picture size 64x48 exceeds specified max pixel count 1000, see the manual";
        assert!(matches!(
            said(large),
            MediaError::Limit {
                value: 3072,
                limit: 1000,
                ..
            }
        ));
    }
}
