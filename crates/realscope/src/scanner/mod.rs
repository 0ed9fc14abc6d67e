//! One scanner for every caller: long-lived, shared by threads, bounded.

mod deliveries;
mod evidence;
mod faces;
mod judge;
mod ordered;
mod queue;
mod video;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::RgbImage;
use realscope_detectors::card::Medium;
use realscope_detectors::network::sha256;
use realscope_detectors::{Card, Detector, DetectorError};
use realscope_engine::Threads;
use realscope_media::metadata::Anchors;
use realscope_media::video::VideoError;
use realscope_media::{Decoded, Facts, Format, Limits, MediaError, Options as DecodeOptions};

pub use deliveries::Deliveries;
pub use queue::WhenFull;
pub use video::{KeyFrame, Progress};

use crate::cancel::Cancel;
use crate::fetch::{self, Fetch};
use crate::lane::{DecodeError, Decoding, Lanes};
use crate::map::HeatMap;
use crate::provenance;
use crate::record::{ErrorCode, Provenance, Record, Tool};
use queue::Queue;

/// What is scanned.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The bytes of one file, decoded in a worker.
    Bytes(&'a [u8]),
    /// A file, which a worker reads: a video of any size, or a picture.
    File(&'a Path),
    /// A file that was decoded before, and the SHA-256 of its bytes.
    Decoded(&'a Decoded, &'a str),
    /// Frames that the caller has: one for a picture; for a detector of clips those of whole clips, as far apart as its
    /// card says. They are scored as they are.
    Frames(&'a [RgbImage]),
}

/// How one source is scanned.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the source in its record.
    pub path: String,
    /// Scan what there is of a truncated JPEG.
    pub allow_truncated: bool,
    /// Which picture of a file that holds several, by its name ([`MediaError::Parts`]).
    pub part: Option<String>,
    /// Whose signatures on content credentials are trusted; without them trust is not checked.
    pub trust: Option<Arc<Anchors>>,
    /// False-positive rate that a verdict may have.
    pub max_fpr: Option<f64>,
    /// Which re-deliveries are scored.
    pub deliveries: Deliveries,
    /// Also make the heat map and keep the pixels, for a report.
    pub draw: bool,
    /// Longest time for a picture, waiting included.
    pub deadline: Duration,
    /// Longest time for a video, waiting included.
    pub video_deadline: Duration,
    /// What to do when the queue is full.
    pub when_full: WhenFull,
    /// The caller's way to give up.
    pub cancel: Cancel,
    /// Who is told of each frame of a video as soon as it is scored.
    pub live: Option<Live>,
    /// How credentials are fetched that a picture keeps at an address; by default they are not.
    pub fetch: Option<Fetch>,
}

/// Who is told of each frame of a video as soon as it is scored.
#[derive(Clone)]
pub struct Live(Arc<dyn Fn(&Progress<'_>) + Send + Sync>);

impl Live {
    /// Tells `listener`, from the thread that scans.
    pub fn new(listener: impl Fn(&Progress<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    fn tell(&self, progress: &Progress<'_>) {
        (self.0)(progress);
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Live")
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            path: String::new(),
            allow_truncated: false,
            part: None,
            trust: None,
            max_fpr: None,
            deliveries: Deliveries::default(),
            draw: false,
            deadline: Duration::from_secs(30),
            video_deadline: Duration::from_secs(600),
            when_full: WhenFull::default(),
            cancel: Cancel::default(),
            live: None,
            fetch: None,
        }
    }
}

/// Why a source has no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// It was not decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The detector gave no answer.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// No frame was handed over.
    #[error("there is no frame")]
    NoFrame,
    /// Frames of one clip have different sizes.
    #[error("the frames have different sizes")]
    FrameSizes,
    /// The queue is full.
    #[error("{waiting} requests wait already")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// It took too long.
    #[error("not scored within the deadline")]
    Deadline,
    /// The caller gave up.
    #[error("cancelled")]
    Cancelled,
}

impl ScanError {
    /// Stable machine code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Decode(DecodeError::Media(e)) => media_code(e),
            Self::Decode(DecodeError::Video(e)) => video_code(e),
            Self::Decode(DecodeError::Deadline { .. }) | Self::Deadline => ErrorCode::Deadline,
            Self::Decode(DecodeError::Cancelled) | Self::Cancelled => ErrorCode::Cancelled,
            Self::Decode(DecodeError::Crashed { .. }) => ErrorCode::WorkerCrashed,
            Self::Decode(DecodeError::Start { .. }) => ErrorCode::WorkerUnavailable,
            Self::Detector(DetectorError::Unknown { .. }) => ErrorCode::DetectorUnknown,
            Self::Detector(DetectorError::NeedsWeights { .. }) => ErrorCode::DetectorNeedsWeights,
            Self::Detector(DetectorError::Corrupt { .. }) => ErrorCode::DetectorCorrupt,
            Self::Detector(DetectorError::Sample { .. }) => ErrorCode::DetectorNotMadeFor,
            Self::Detector(_) => ErrorCode::DetectorFailed,
            Self::NoFrame => ErrorCode::Empty,
            Self::FrameSizes => ErrorCode::Corrupt,
            Self::Busy { .. } => ErrorCode::Busy,
        }
    }
}

fn media_code(e: &MediaError) -> ErrorCode {
    match e {
        MediaError::Empty => ErrorCode::Empty,
        MediaError::NotAPicture { .. } => ErrorCode::NotAPicture,
        MediaError::Unsupported { .. } | MediaError::Parts { .. } => ErrorCode::Unsupported,
        MediaError::Truncated { .. } => ErrorCode::Truncated,
        MediaError::Limit { .. } => ErrorCode::LimitExceeded,
        // `MediaError` may grow; what is new is a fault of the file until it has a code of its own.
        _ => ErrorCode::Corrupt,
    }
}

fn video_code(e: &VideoError) -> ErrorCode {
    match e {
        VideoError::Media { fault } => media_code(fault),
        VideoError::File { .. } => ErrorCode::Unreadable,
        VideoError::Deadline { .. } => ErrorCode::Deadline,
        VideoError::Program { .. } | VideoError::NeedsFfmpeg { .. } => ErrorCode::FfmpegMissing,
        _ => ErrorCode::Corrupt,
    }
}

/// Why a scanner could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No detector was named.
    #[error("a scanner needs a detector")]
    NoDetector,
    /// The detector has no binary head, so it gives no score.
    #[error("detector `{id}` has no binary head")]
    NoScore {
        /// The detector.
        id: String,
    },
    /// What finds faces does not load.
    #[error(transparent)]
    Faces(DetectorError),
    /// No thread could be started.
    #[error("cannot start the scoring thread: {0}")]
    Thread(std::io::Error),
}

/// A record and, where asked for, what reports draw.
pub struct Scanned {
    /// The record.
    pub record: Record,
    /// Heat map over the picture.
    pub heatmap: Option<HeatMap>,
    /// Upright pixels, kept only for a report; of a video those of the frame with the highest score.
    pub pixels: Option<RgbImage>,
    /// Small frames of a video, kept only for a report.
    pub key_frames: Vec<KeyFrame>,
}

impl Scanned {
    /// A record with nothing to draw.
    #[must_use]
    pub fn of(record: Record) -> Self {
        Self {
            record,
            heatmap: None,
            pixels: None,
            key_frames: Vec::new(),
        }
    }
}

/// What bears on every result of a scanner; hashed into records, with what a request adds.
#[derive(Debug)]
#[expect(dead_code, reason = "read by way of `Debug`")]
struct Settings<'a> {
    detector: &'a str,
    weights: &'a str,
    beside: Option<&'a str>,
    engine: &'a str,
    profile: &'a str,
    limits: &'a Limits,
}

/// Makes a [`Scanner`].
#[derive(Clone, Default)]
pub struct Builder {
    detector: Option<Arc<dyn Detector>>,
    beside: Option<Arc<dyn Detector>>,
    decoding: Option<Decoding>,
    threads: Option<usize>,
    queue: Option<usize>,
    limits: Limits,
    engine: String,
    profile: String,
}

impl Builder {
    /// The detector that decides.
    #[must_use]
    pub fn detector(mut self, detector: Arc<dyn Detector>) -> Self {
        self.detector = Some(detector);
        self
    }

    /// A detector whose score is shown beside that of the first. It has no say, but for whether a picture looks painted
    /// or drawn where the first one cannot tell.
    #[must_use]
    pub fn beside(mut self, detector: Arc<dyn Detector>) -> Self {
        self.beside = Some(detector);
        self
    }

    /// Where bytes are decoded; by default nowhere.
    #[must_use]
    pub fn decoding(mut self, decoding: Decoding) -> Self {
        self.decoding = Some(decoding);
        self
    }

    /// Threads that networks compute with; by default one a core.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Most requests that wait for a detector; by default 64.
    #[must_use]
    pub fn queue(mut self, capacity: usize) -> Self {
        self.queue = Some(capacity);
        self
    }

    /// Bounds of decoding.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Names of the engine and the profile in records.
    #[must_use]
    pub fn named(mut self, engine: &str, profile: &str) -> Self {
        self.engine = engine.into();
        self.profile = profile.into();
        self
    }

    /// The scanner.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(self) -> Result<Scanner, BuildError> {
        let detector = self.detector.ok_or(BuildError::NoDetector)?;
        let card = detector.card();
        if !card.heads.iter().any(|h| h.judges(Medium::Picture)) {
            return Err(BuildError::NoScore {
                id: card.id.clone(),
            });
        }
        let settings = Settings {
            detector: &card.id,
            weights: &card.weights_sha256,
            beside: self.beside.as_ref().map(|d| d.card().id.as_str()),
            engine: &self.engine,
            profile: &self.profile,
            limits: &self.limits,
        };
        let settings = format!("{settings:?}");
        let tool = Tool {
            name: "realscope".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            engine: self.engine.clone(),
            profile: self.profile.clone(),
            config_sha256: sha256(settings.as_bytes()),
            calibration_id: card.calibration.as_ref().map(|c| c.id.clone()),
        };
        let threads = match self.threads {
            Some(count) => Threads::of(count),
            None => Threads::all(),
        };
        let queue = Queue::new(self.queue.unwrap_or(64), threads).map_err(BuildError::Thread)?;
        let of_videos = card.of_videos();
        let faces = card.of_faces();
        let beside = self.beside.as_ref().map(|d| d.card());
        let sees_faces = |c: &Card| c.input.view.wants_faces();
        let finder = (faces.is_some() || sees_faces(card) || beside.is_some_and(sees_faces))
            .then(faces::Finder::load)
            .transpose()
            .map_err(BuildError::Faces)?;
        Ok(Scanner(Arc::new(Inner {
            of_videos,
            faces,
            finder,
            lanes: Lanes::new(&self.decoding.unwrap_or(Decoding::Off)),
            detector,
            beside: self.beside,
            limits: self.limits,
            settings,
            tool,
            queue,
        })))
    }
}

struct Inner {
    detector: Arc<dyn Detector>,
    /// The detector's card as it speaks of videos.
    of_videos: Card,
    /// The card as it speaks of faces in videos, where the detector has a head for them.
    faces: Option<Card>,
    /// Finds faces, where a detector sees them.
    finder: Option<faces::Finder>,
    beside: Option<Arc<dyn Detector>>,
    lanes: Lanes,
    queue: Queue,
    limits: Limits,
    settings: String,
    tool: Tool,
}

/// Scans from any thread; clones share weights, lanes and queue.
#[derive(Clone)]
pub struct Scanner(Arc<Inner>);

/// A request under way.
struct Request<'a> {
    options: &'a Options,
    begun: Instant,
    deadline: Duration,
}

impl Request<'_> {
    fn until(&self) -> Instant {
        // A deadline beyond what the clock can tell is none.
        let far = Duration::from_secs(365 * 24 * 3600);
        self.begun + self.deadline.min(far)
    }
}

impl Scanner {
    /// Begins a scanner.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// What records say of the program.
    #[must_use]
    pub fn tool(&self) -> &Tool {
        &self.0.tool
    }

    /// What the record of a request says of the program: its settings count too.
    fn tool_of(&self, options: &Options) -> Tool {
        let trust = options.trust.as_ref().map_or(String::new(), |anchors| {
            let lists = format!("{}{}", anchors.certificates, anchors.allowed);
            format!(" trust: {},", sha256(lists.as_bytes()))
        });
        let fetch = options.fetch.as_ref().map_or("", |_| " fetch,");
        let settings = format!(
            "{}{trust}{fetch} allow_truncated: {}, max_fpr: {:?}, deliveries: {:?}",
            self.0.settings, options.allow_truncated, options.max_fpr, options.deliveries
        );
        Tool {
            config_sha256: sha256(settings.as_bytes()),
            ..self.0.tool.clone()
        }
    }

    /// The detector that decides.
    #[must_use]
    pub fn detector(&self) -> &dyn Detector {
        self.0.detector.as_ref()
    }

    /// Bounds of decoding.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Requests that wait for the detector now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.queue.len()
    }

    /// Decodes the bytes of one file in a worker.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(&self, bytes: &[u8], options: &Options) -> Result<Decoded, DecodeError> {
        let decode = DecodeOptions {
            allow_truncated: options.allow_truncated,
            part: options.part.clone(),
            trust: options.trust.as_deref().cloned(),
            ..DecodeOptions::default()
        };
        let (limits, cancel) = (&self.0.limits, &options.cancel);
        self.0.lanes.with(options.deadline, cancel, |lane, left| {
            fetch::decode(&decode, options.fetch.as_ref(), |decode| {
                lane.decode(bytes, limits, decode, left, cancel)
            })
        })
    }

    /// Scans one source.
    ///
    /// # Errors
    /// [`ScanError`]; [`Scanner::failed`] makes a record of it.
    pub fn scan(&self, source: Source<'_>, options: &Options) -> Result<Scanned, ScanError> {
        let request = Request {
            options,
            begun: Instant::now(),
            deadline: options.deadline,
        };
        match source {
            Source::File(path) => self.file(&request, path),
            Source::Bytes(bytes) if is_video(bytes) => {
                let spooled = Spooled::new(bytes)?;
                let known = self.declarations(bytes, false, options);
                self.film(
                    &request,
                    spooled.path(),
                    Some(sha256(bytes)),
                    known.as_ref(),
                )
            }
            Source::Bytes(bytes) => {
                let hash = sha256(bytes);
                let hashing = request.begun.elapsed();
                let decoded = self.decode(bytes, options)?;
                if moves(&decoded) {
                    let spooled = Spooled::new(bytes)?;
                    return self.film(&request, spooled.path(), Some(hash), Some(&decoded.facts));
                }
                let decoding = request.begun.elapsed() - hashing;
                let mut scanned = self.judge(&request, Some(hash), Pixels::Decoded(&decoded))?;
                let timing = &mut scanned.record.timing_ms;
                timing.insert("hash".into(), hashing.as_secs_f64() * 1e3);
                timing.insert("decode".into(), decoding.as_secs_f64() * 1e3);
                Ok(scanned)
            }
            Source::Decoded(decoded, hash) => {
                self.judge(&request, Some(hash.to_owned()), Pixels::Decoded(decoded))
            }
            Source::Frames([]) => Err(ScanError::NoFrame),
            Source::Frames([first, others @ ..])
                if others.iter().any(|f| f.dimensions() != first.dimensions()) =>
            {
                Err(ScanError::FrameSizes)
            }
            Source::Frames(frames) => self.judge(&request, None, Pixels::Frames(frames)),
        }
    }

    /// Scans a file: a video by its path, a picture by its bytes.
    fn file(&self, request: &Request<'_>, path: &Path) -> Result<Scanned, ScanError> {
        let io = |e: std::io::Error| VideoError::File {
            path: path.display().to_string(),
            reason: e.to_string(),
        };
        let mut head = Vec::new();
        let file = std::fs::File::open(path).map_err(io)?;
        file.take(512).read_to_end(&mut head).map_err(io)?;
        if is_video(&head) {
            let hash = file_sha256(path).map_err(io)?;
            let len = std::fs::metadata(path).map_err(io)?.len();
            let small = len <= self.0.limits.max_bytes;
            let bytes = if small {
                Some(std::fs::read(path).map_err(io)?)
            } else {
                let mut file = std::fs::File::open(path).map_err(io)?;
                realscope_media::video::outline(&mut file, len).unwrap_or(None)
            };
            let known = bytes.and_then(|b| self.declarations(&b, !small, request.options));
            return self.film(request, path, Some(hash), known.as_ref());
        }
        let mut bytes = Vec::new();
        let most = self.0.limits.max_bytes + 1;
        let file = std::fs::File::open(path).map_err(io)?;
        file.take(most).read_to_end(&mut bytes).map_err(io)?;
        self.scan(Source::Bytes(&bytes), request.options)
    }

    /// What a file declares of itself, without its pixels; `None` where that cannot be read.
    fn declarations(&self, bytes: &[u8], outline: bool, options: &Options) -> Option<Facts> {
        let decode = DecodeOptions {
            metadata_only: true,
            outline,
            trust: options.trust.as_deref().cloned(),
            ..DecodeOptions::default()
        };
        let (limits, cancel) = (&self.0.limits, &options.cancel);
        let read = self.0.lanes.with(options.deadline, cancel, |lane, left| {
            fetch::decode(&decode, options.fetch.as_ref(), |decode| {
                lane.decode(bytes, limits, decode, left, cancel)
            })
        });
        read.ok().map(|d| d.facts)
    }

    /// As [`Scanner::scan`], with an error as the record that says so.
    pub fn record(&self, source: Source<'_>, options: &Options) -> Scanned {
        self.scan(source, options).unwrap_or_else(|e| {
            let hash = match source {
                Source::Bytes(bytes) => Some(sha256(bytes)),
                Source::File(path) => file_sha256(path).ok(),
                Source::Decoded(_, hash) => Some(hash.to_owned()),
                Source::Frames(_) => None,
            };
            let mut record = self.failed(&options.path, hash, e.code(), e.to_string());
            if matches!(
                e,
                ScanError::Decode(DecodeError::Media(_) | DecodeError::Crashed { .. })
            ) {
                record.provenance = self.declared(source, options);
            }
            Scanned::of(record)
        })
    }

    /// What a picture that does not decode declares; `None` where it declares nothing.
    fn declared(&self, source: Source<'_>, options: &Options) -> Option<Provenance> {
        let read;
        let bytes = match source {
            Source::Bytes(bytes) => bytes,
            Source::File(path) => {
                let small = std::fs::metadata(path).ok()?.len() <= self.0.limits.max_bytes;
                read = small.then(|| std::fs::read(path).ok()).flatten()?;
                &read
            }
            Source::Decoded(..) | Source::Frames(_) => return None,
        };
        let facts = self.declarations(bytes, false, options)?;
        Some(provenance::of(&facts)).filter(|p| !p.found.is_empty())
    }

    /// A record that says only why there is no verdict.
    #[must_use]
    pub fn failed(
        &self,
        path: &str,
        sha256: Option<String>,
        code: ErrorCode,
        message: impl Into<String>,
    ) -> Record {
        Record::failed(&self.0.tool, path, sha256, code, message)
    }

    /// Does `work` on each item, as many side by side as there are lanes, and gives the outcomes to `take` in the order of
    /// the items. The command line and evaluation share it.
    ///
    /// # Errors
    /// The first of `take`; items that were not begun are left alone then.
    pub fn scan_ordered<T: Send, R: Send, E>(
        &self,
        items: impl IntoIterator<Item = T, IntoIter: Send>,
        work: impl Fn(&Self, T) -> R + Sync,
        take: impl FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        // One more than decode at once, so that the detector never waits for a reader.
        let lanes = self.0.lanes.count() + 1;
        ordered::ordered(lanes, items.into_iter(), |item| work(self, item), take)
    }
}

/// Whether bytes begin as a video does.
fn is_video(head: &[u8]) -> bool {
    Format::sniff(head) == Some(Format::Video)
}

/// Whether a picture is the first of an animation that is decoded frame by frame.
fn moves(decoded: &Decoded) -> bool {
    let format = decoded.facts.format;
    decoded.facts.animated && matches!(format, Format::Gif | Format::Png | Format::Webp)
}

/// Hash of a file that need not fit into memory.
pub(crate) fn file_sha256(path: &Path) -> std::io::Result<String> {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hash)?;
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// Bytes in a temporary file, for a worker that reads by path.
struct Spooled(tempfile::NamedTempFile);

impl Spooled {
    fn new(bytes: &[u8]) -> Result<Self, ScanError> {
        use std::io::Write as _;
        let fault = |e: std::io::Error| VideoError::File {
            path: "a temporary file".into(),
            reason: e.to_string(),
        };
        let mut file = tempfile::NamedTempFile::new().map_err(fault)?;
        file.write_all(bytes).map_err(fault)?;
        Ok(Self(file))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// What is judged.
enum Pixels<'a> {
    Decoded(&'a Decoded),
    Frames(&'a [RgbImage]),
}
