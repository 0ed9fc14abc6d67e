//! Videos: facts, a plan of frames, and frames that come one after the other with their time.
//!
//! [`Video::open`] tells what a file is without decoding a picture; [`Video::read`] decodes what a [`Plan`] asks for
//! and hands each frame over as soon as it is there, so that memory does not grow with the length. Decoders in the box
//! go first: MP4 and MOV with H.264, AV1 or JPEG, AVI with JPEG, animated GIF, PNG and WebP. What they do not know, and
//! AV1 where there is one, is decoded by the ffmpeg that the user has installed; [`Facts::decoder`] names the one that did.
//!
//! Open first: `mp4.rs` (a container), then `track.rs` (from samples to frames). `ffmpeg.rs` is the way out of the box.

mod animation;
mod av1;
mod avi;
mod error;
mod facts;
mod ffmpeg;
mod h264;
mod limits;
mod mp4;
mod outline;
mod plan;
mod track;
mod yuv;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::time::{Duration, Instant};

use image::RgbImage;

pub use error::VideoError;
pub use facts::Facts;
pub use ffmpeg::{FOLDER, available};
pub use limits::VideoLimits;
pub use outline::outline;
pub use plan::Plan;
pub use yuv::{CELLS, Sketch};

use crate::error::MediaError;
use crate::format::{self, Format};

/// A decoded frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its number in the video, in order of showing, from 0.
    pub index: u64,
    /// When it is shown, in seconds after the first frame.
    pub time: f64,
    /// Pixels, turned upright.
    pub pixels: RgbImage,
}

/// What reading a video gives, in order of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A frame was sketched; where the plan asks for its pixels they follow.
    Sketch {
        /// Its number.
        index: u64,
        /// When it is shown, in seconds after the first frame.
        time: f64,
        /// What is kept of it.
        sketch: Sketch,
    },
    /// A frame that the plan asks for.
    Frame(Frame),
}

/// Which decoders may serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decoders {
    /// Those in the box, and ffmpeg for what they do not know.
    #[default]
    Any,
    /// Those in the box alone.
    Box,
    /// ffmpeg alone.
    Ffmpeg,
}

/// Who takes events, and until when.
struct Wanted<'a> {
    sketches: bool,
    until: Instant,
    allowed: Duration,
    take: &'a mut dyn FnMut(Event) -> Result<(), VideoError>,
    /// Frames and sketches that were handed over.
    given: u64,
    frames: u64,
}

impl Wanted<'_> {
    fn sketches(&self) -> bool {
        self.sketches
    }

    fn go_on(&self) -> Result<(), VideoError> {
        if Instant::now() < self.until {
            Ok(())
        } else {
            Err(late(self.allowed))
        }
    }

    fn take(&mut self, event: Event) -> Result<(), VideoError> {
        self.given += 1;
        self.frames += u64::from(matches!(event, Event::Frame(_)));
        (self.take)(event)
    }
}

fn late(allowed: Duration) -> VideoError {
    VideoError::Deadline {
        seconds: format!("{:.3}", allowed.as_secs_f64()),
    }
}

/// A container and codec that are understood.
trait Reader {
    fn facts(&self) -> &Facts;

    /// Decodes what `plan` asks for.
    fn read(
        &mut self,
        plan: &Plan,
        limits: &VideoLimits,
        wanted: &mut Wanted<'_>,
    ) -> Result<(), VideoError>;
}

/// A video that was opened.
pub struct Video {
    reader: Box<dyn Reader>,
    /// What decodes the file where the reader turns out not to.
    path: Option<std::path::PathBuf>,
    limits: VideoLimits,
    begun: Instant,
    deadline: Duration,
}

/// How much of what was asked for was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Why reading stopped early, after at least one frame; `None` where all was read.
    pub cut: Option<VideoError>,
}

impl Video {
    /// Opens the video at `path`; the deadline counts from here.
    ///
    /// # Errors
    /// [`VideoError`].
    pub fn open(
        path: &Path,
        limits: &VideoLimits,
        deadline: Duration,
        decoders: Decoders,
    ) -> Result<Self, VideoError> {
        let begun = Instant::now();
        let io = |e: std::io::Error| VideoError::File {
            path: path.display().to_string(),
            reason: e.to_string(),
        };
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        limits.bytes(length)?;
        let mut head = Vec::new();
        (&mut file).take(512).read_to_end(&mut head).map_err(io)?;
        file.rewind().map_err(io)?;
        let format = Format::sniff(&head).ok_or_else(|| MediaError::NotAPicture {
            found: format::describe(&head).into(),
        })?;
        let outside = |what: &str| {
            let left = deadline.saturating_sub(begun.elapsed());
            ffmpeg::Process::open(path, &head, limits, left, what)
        };
        let (reader, inside): (Box<dyn Reader>, bool) = if decoders == Decoders::Ffmpeg {
            (Box::new(outside("ffmpeg was asked for")?), false)
        } else {
            match inside(Box::new(file), length, &head, format, limits) {
                // Without machine code of its own `rav1d` is many times slower than an ffmpeg, which shows the same frames.
                Ok(reader) if decoders == Decoders::Any && reader.facts().decoder == "rav1d" => {
                    match outside("AV1 is faster there") {
                        Ok(faster) => (Box::new(faster), false),
                        Err(_) => (reader, true),
                    }
                }
                Ok(reader) => (reader, true),
                Err(e) if decoders == Decoders::Box || !e.is_unsupported() => return Err(e),
                Err(e) => (Box::new(outside(&e.to_string())?), false),
            }
        };
        Ok(Self {
            reader,
            path: (inside && decoders == Decoders::Any).then(|| path.to_owned()),
            limits: limits.clone(),
            begun,
            deadline,
        })
    }

    /// Opens the video that `bytes` are, for the decoders in the box alone.
    ///
    /// # Errors
    /// [`VideoError`].
    pub fn of_bytes(
        bytes: Vec<u8>,
        limits: &VideoLimits,
        deadline: Duration,
    ) -> Result<Self, VideoError> {
        let length = bytes.len() as u64;
        limits.bytes(length)?;
        let head = bytes[..bytes.len().min(512)].to_vec();
        let format = Format::sniff(&head).ok_or_else(|| MediaError::NotAPicture {
            found: format::describe(&head).into(),
        })?;
        let bytes = Box::new(std::io::Cursor::new(bytes));
        Ok(Self {
            reader: inside(bytes, length, &head, format, limits)?,
            path: None,
            limits: limits.clone(),
            begun: Instant::now(),
            deadline,
        })
    }

    /// What is known of it.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        self.reader.facts()
    }

    /// Decodes what `plan` asks for and hands it to `take` in order of time; with `sketches` also what is kept of the frames
    /// between. What `take` returns as an error ends the reading.
    ///
    /// A decoder in the box that meets a coding tool it does not know before the first frame gives way to ffmpeg.
    /// Where `partial` is set, a fault after at least one frame is an [`Outcome`] and no error.
    ///
    /// # Errors
    /// [`VideoError`].
    pub fn read(
        &mut self,
        plan: &Plan,
        sketches: bool,
        partial: bool,
        take: &mut dyn FnMut(Event) -> Result<(), VideoError>,
    ) -> Result<Outcome, VideoError> {
        loop {
            let mut wanted = Wanted {
                sketches,
                until: self.begun + self.deadline,
                allowed: self.deadline,
                take: &mut *take,
                given: 0,
                frames: 0,
            };
            let read = guarded(|| self.reader.read(plan, &self.limits, &mut wanted));
            let (given, frames) = (wanted.given, wanted.frames);
            return match read {
                Ok(()) => Ok(Outcome { cut: None }),
                Err(e) if e.is_unsupported() && given == 0 && self.path.is_some() => {
                    let path = self.path.take().unwrap_or_default();
                    let left = self.deadline.saturating_sub(self.begun.elapsed());
                    let mut head = Vec::new();
                    let read = File::open(&path).and_then(|f| f.take(512).read_to_end(&mut head));
                    read.map_err(|e| VideoError::File {
                        path: path.display().to_string(),
                        reason: e.to_string(),
                    })?;
                    let what = e.to_string();
                    let process = ffmpeg::Process::open(&path, &head, &self.limits, left, &what)?;
                    self.reader = Box::new(process);
                    continue;
                }
                Err(e @ VideoError::Media { .. }) if partial && frames > 0 => {
                    Ok(Outcome { cut: Some(e) })
                }
                Err(e) => Err(e),
            };
        }
    }

    /// All frames of a plan at once, which must fit into memory.
    ///
    /// # Errors
    /// [`VideoError`].
    pub fn frames(&mut self, plan: &Plan) -> Result<Vec<Frame>, VideoError> {
        let mut frames = Vec::new();
        self.read(plan, false, false, &mut |event| {
            if let Event::Frame(frame) = event {
                frames.push(frame);
            }
            Ok(())
        })?;
        Ok(frames)
    }
}

/// A decoder's own assertion is a fault of the file to its reader, not of the program.
fn guarded<T>(work: impl FnOnce() -> Result<T, VideoError>) -> Result<T, VideoError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(error::corrupt("the decoder gave up on a broken assumption").into())
    })
}

/// The bytes of a video, wherever they lie.
trait Bytes: Read + Seek + Send {}

impl<T: Read + Seek + Send> Bytes for T {}

/// The decoder in the box for a file.
fn inside(
    mut file: Box<dyn Bytes>,
    length: u64,
    head: &[u8],
    format: Format,
    limits: &VideoLimits,
) -> Result<Box<dyn Reader>, VideoError> {
    guarded(|| {
        Ok(match format {
            Format::Video if head.starts_with(b"RIFF") => {
                Box::new(avi::open(file, length, limits)?) as Box<dyn Reader>
            }
            Format::Video if head.starts_with(&[0x1a, 0x45]) => {
                return Err(error::unsupported("a Matroska or WebM video").into());
            }
            Format::Video => Box::new(track::Film::mp4(file, length, limits)?),
            Format::Gif | Format::Png | Format::Webp => {
                let most = limits.picture.max_bytes;
                if length > most {
                    return Err(error::limit("bytes of animation", length, most).into());
                }
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)
                    .map_err(|e| error::truncated(format!("it cannot be read: {e}")))?;
                if !animation::moves(&bytes, format)? {
                    return Err(MediaError::NotAPicture {
                        found: format!("a still {}", format.name()),
                    }
                    .into());
                }
                Box::new(animation::Animation::new(bytes, format, limits)?)
            }
            other => {
                return Err(MediaError::NotAPicture {
                    found: format!("{}, no video", other.name()),
                }
                .into());
            }
        })
    })
}
