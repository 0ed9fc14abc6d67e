//! `realscope scan`.

pub mod inputs;
mod print;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use realscope::fetch::{self, Fetch};
use realscope::lane::{DecodeError, Lane};
use realscope::record::ErrorCode;
use realscope::scanner::{BuildError, Deliveries, Live, Scanned};
use realscope::{Cancel, Decoding, Launch, Options, ScanError, Scanner, Source, report};
use realscope_detectors::card::FlagKind;
use realscope_detectors::community_forensics;
use realscope_detectors::network::sha256;
use realscope_detectors::{Detector, DetectorError, Models};
use realscope_engine::Choice;
use realscope_media::metadata::Anchors;
use realscope_media::{Decoded, Format, Limits, MediaError};

use crate::Failure;
use crate::args::{Profile, ScanArgs, ScanFormat};
use crate::config::{self, Settings};
use crate::models::{engine_kind, model_failure};
use inputs::{Fault, Input};
use print::{Outcome, Printer};

/// The hash and the decoding of an input; `None` within for a file that is passed over, `None` for what there is nothing
/// to read of.
type Opened = Option<Result<Option<(String, Result<Decoded, DecodeError>)>, Fault>>;

/// A single file that was read and decoded while the detector was loaded; taken once.
type Ahead = Mutex<Opened>;

/// How this program serves as a decoding worker.
pub fn launch() -> Result<Launch, Failure> {
    Ok(Launch {
        program: std::env::current_exe().map_err(|e| Failure::new(2, e.to_string()))?,
        args: vec!["decode-worker".into()],
    })
}

/// The detector that decides, and one that is shown beside it.
pub type Pair = (Arc<dyn Detector>, Option<Arc<dyn Detector>>);

/// A detector, with the embedded one beside it where it may accuse and cannot tell what is painted or drawn.
pub fn guarded(models: &Models, name: &str, choice: Choice) -> Result<Pair, DetectorError> {
    let detector = models.get(name, choice)?;
    let card = detector.card();
    let accuses = card.calibration.as_ref();
    let accuses = accuses.is_some_and(|c| c.generated_threshold.is_some());
    let blind = accuses && card.flag_threshold(FlagKind::Artwork).is_none();
    let beside = blind.then(|| models.get("default", choice)).transpose()?;
    Ok((detector, beside))
}

/// The detectors of a profile: the embedded one alone, or with the larger one that the user fetched. That one decides
/// once it is calibrated.
fn of_profile(
    models: &Models,
    profile: Profile,
    own: &str,
    choice: Choice,
) -> Result<Pair, DetectorError> {
    let own = models.get(own, choice)?;
    match profile {
        Profile::Fast => Ok((own, None)),
        Profile::Accurate => {
            let large = models.get(community_forensics::ID, choice)?;
            Ok(match large.card().calibration {
                Some(_) => (large, Some(own)),
                None => (own, Some(large)),
            })
        }
    }
}

/// The detectors of a scan: the one that was named, else those of the profile.
pub fn detectors(
    models: &Models,
    named: Option<&str>,
    profile: Profile,
    own: &str,
    choice: Choice,
) -> Result<Pair, DetectorError> {
    match named {
        Some(name) => guarded(models, name, choice),
        None => of_profile(models, profile, own, choice),
    }
}

/// A scanner with what it is to scan.
pub struct Job {
    /// The scanner.
    pub scanner: Scanner,
    /// How each input is scanned.
    pub options: Options,
    /// What is scanned.
    pub inputs: Vec<Input>,
    ahead: Ahead,
}

impl Job {
    /// What the arguments ask for, with everything loaded.
    pub fn prepare(args: &ScanArgs, settings: &Settings) -> Result<Self, Failure> {
        let options = options(args, settings)?;
        let limit = args.how.max_bytes.unwrap_or(Limits::default().max_bytes);
        let mut inputs = inputs::collect(&args.paths, args.stdin, limit)?;
        if inputs.is_empty() {
            return Err(Failure::new(
                2,
                "no input: name a file, a folder or a pattern",
            ));
        }
        let profile = args.how.profile.unwrap_or(settings.profile);
        let choice = Choice {
            kind: engine_kind(args.how.engine.unwrap_or(settings.engine))?,
            // One picture is not worth the memory: of its views, one to four, four gain a tenth and one loses as much. A
            // map has up to eight more.
            prepack: inputs.len() > 1 || options.draw,
        };
        let limits = Limits {
            max_bytes: args.how.max_bytes.unwrap_or(settings.max_bytes),
            max_pixels: args.how.max_pixels.unwrap_or(settings.max_pixels),
            ..Limits::default()
        };
        let jobs = match args.jobs.unwrap_or(settings.jobs) {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let worker = launch()?;
        let models = Models::at(&settings.home);
        // A single file is read and decoded while the detector is loaded.
        let ahead: Ahead = Mutex::new(None);
        let loaded = std::thread::scope(|scope| {
            if let [input] = inputs.as_mut_slice() {
                scope.spawn(|| {
                    let lane = Lane::new(worker.clone());
                    let opened = open(input, lane, &limits, &options);
                    *ahead.lock().unwrap_or_else(PoisonError::into_inner) = opened;
                });
            }
            let named = args.how.detector.as_deref();
            detectors(&models, named, profile, &settings.detector, choice)
        });
        let (detector, beside) = loaded.map_err(|e| model_failure(&e))?;
        let mut builder = Scanner::builder()
            .detector(detector)
            .decoding(Decoding::Processes {
                lanes: jobs.min(inputs.len()),
                worker,
            })
            .limits(limits)
            .named(choice.kind.name(), profile.name());
        if let Some(beside) = beside {
            builder = builder.beside(beside);
        }
        Ok(Self {
            scanner: builder.build().map_err(|e| build_failure(&e))?,
            options,
            inputs,
            ahead,
        })
    }

    /// Scans one input, and gives each of its pictures to `take`; `None` for what is passed over.
    pub fn one(&self, input: Input, take: &mut dyn FnMut(Option<Scanned>)) {
        one(&self.scanner, &self.options, &self.ahead, input, take);
    }
}

/// Runs the command.
pub fn run(args: ScanArgs) -> Result<ExitCode, Failure> {
    let mut job = Job::prepare(&args, &config::load()?)?;
    if let Some(folder) = &args.heatmap {
        std::fs::create_dir_all(folder)
            .map_err(|e| Failure::new(2, format!("{}: {e}", folder.display())))?;
    }
    let inputs = std::mem::take(&mut job.inputs);
    let mut printer = Printer::new(&args, &job.scanner);
    printer.begin()?;
    let bar = indicatif::ProgressBar::new(inputs.len() as u64);
    if args.quiet || !std::io::stderr().is_terminal() || inputs.len() < 3 {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let work = |_: &Scanner, input: Input| {
        let mut outcomes = Vec::new();
        job.one(input, &mut |scanned| outcomes.push(finish(&args, scanned)));
        outcomes
    };
    job.scanner.scan_ordered(inputs, work, |outcomes| {
        bar.inc(1);
        outcomes
            .into_iter()
            .try_for_each(|outcome| printer.print(outcome))
    })?;
    bar.finish_and_clear();
    Ok(print::exit_code(&args, &printer.end()?))
}

/// A scanner that could not be made.
pub fn build_failure(e: &BuildError) -> Failure {
    let code = if matches!(e, BuildError::Thread(_)) {
        2
    } else {
        5
    };
    Failure::new(code, e.to_string())
}

fn options(args: &ScanArgs, settings: &Settings) -> Result<Options, Failure> {
    let time = |set: f64| {
        let seconds = args.how.deadline.unwrap_or(set);
        if seconds.is_finite() && seconds > 0.0 {
            return Ok(Duration::from_secs_f64(seconds.min(86_400.0)));
        }
        let wrong = format!("--deadline {seconds}: must be positive");
        Err(Failure::new(2, wrong))
    };
    if args.live && args.format != ScanFormat::Ndjson {
        return Err(Failure::new(2, "--live: takes --format ndjson"));
    }
    if let Some(fpr) = args.how.max_fpr
        && !(fpr > 0.0 && fpr < 1.0)
    {
        return Err(Failure::new(
            2,
            format!("--max-fpr {fpr}: must lie between 0 and 1"),
        ));
    }
    Ok(Options {
        allow_truncated: args.how.allow_truncated,
        trust: trust(&args.how.trust, settings)?.map(Arc::new),
        max_fpr: args.how.max_fpr,
        deliveries: if args.how.all_deliveries {
            Deliveries::All
        } else {
            Deliveries::AsNeeded
        },
        draw: args.heatmap.is_some() || args.format == ScanFormat::Html,
        fetch: fetching(args.how.fetch_manifests)?,
        live: args.live.then(|| Live::new(print::frame)),
        deadline: time(settings.deadline)?,
        video_deadline: time(settings.video_deadline)?,
        ..Options::default()
    })
}

/// How manifests are fetched, where that is asked for.
#[cfg(feature = "fetch")]
pub fn fetching(asked: bool) -> Result<Option<Fetch>, Failure> {
    Ok(asked.then(|| fetch::Fetcher::default().into_fetch()))
}

/// How manifests are fetched, where that is asked for.
#[cfg(not(feature = "fetch"))]
pub fn fetching(asked: bool) -> Result<Option<Fetch>, Failure> {
    if asked {
        let what = "--fetch-manifests: this program was built without the feature `fetch`";
        return Err(Failure::new(2, what));
    }
    Ok(None)
}

/// The trust lists of the flags, else of the settings, as one; `None` without any.
pub fn trust(flags: &[PathBuf], settings: &Settings) -> Result<Option<Anchors>, Failure> {
    let lists = if flags.is_empty() {
        &settings.trust.anchors
    } else {
        flags
    };
    let mut all: Option<Anchors> = None;
    for path in lists {
        let fail = |e: String| Failure::new(2, format!("{}: {e}", path.display()));
        let list = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
        let anchors = Anchors::parse(&list).map_err(|e| fail(e.to_string()))?;
        all = Some(match all {
            Some(others) => others.joined(&anchors),
            None => anchors,
        });
    }
    Ok(all)
}

/// Reads and decodes an input; `None` for what there is nothing to read of, and for a video, which is scored as it is
/// decoded. It is read once: a pipe would not give its bytes a second time.
fn open(input: &Input, mut lane: Lane, limits: &Limits, options: &Options) -> Opened {
    let read;
    let moves = match input {
        Input::File { path, .. } => inputs::may_move(path),
        Input::Stdin(bytes) => inputs::head_may_move(bytes),
        Input::Failed { .. } | Input::Skipped => false,
    };
    if moves {
        return None;
    }
    let bytes = match input {
        Input::Stdin(bytes) => bytes,
        Input::File { path, named } => {
            match inputs::read(path, *named, limits, options.deadline) {
                Ok(Some(bytes)) => read = bytes,
                Ok(None) => return Some(Ok(None)),
                Err(fault) => return Some(Err(fault)),
            }
            &read
        }
        Input::Failed { .. } | Input::Skipped => return None,
    };
    let decode = realscope_media::Options {
        allow_truncated: options.allow_truncated,
        trust: options.trust.as_deref().cloned(),
        ..realscope_media::Options::default()
    };
    let decoded = fetch::decode(&decode, options.fetch.as_ref(), |decode| {
        lane.decode(bytes, limits, decode, options.deadline, &Cancel::default())
    });
    let again = match input {
        Input::File { path, .. } => path.is_file(),
        _ => true,
    };
    // Pictures within the file, and those behind its picture, are read one by one, each from its bytes.
    let further = match &decoded {
        Ok(decoded) => decoded.facts.behind.iter().any(|p| p.item.is_some()),
        // Of a picture that does not decode the declarations are read.
        Err(e) => matches!(e, DecodeError::Media(_)),
    };
    if again && further {
        return None;
    }
    Some(Ok(Some((sha256(bytes), decoded))))
}

/// What becomes of one input: a scan for each picture, given to `take`; `None` for what is passed over.
fn one(
    scanner: &Scanner,
    options: &Options,
    ahead: &Ahead,
    input: Input,
    take: &mut dyn FnMut(Option<Scanned>),
) {
    let name = input.name();
    let options = Options {
        path: name.clone(),
        ..options.clone()
    };
    let failed = |(code, message): Fault, hash: Option<String>| {
        Some(Scanned::of(scanner.failed(&name, hash, code, message)))
    };
    let ahead = ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
    match ahead {
        Some(Ok(None)) => return take(None),
        Some(Err(fault)) => return take(failed(fault, None)),
        Some(Ok(Some((hash, Ok(decoded))))) => {
            return take(Some(
                scanner.record(Source::Decoded(&decoded, &hash), &options),
            ));
        }
        Some(Ok(Some((hash, Err(e))))) => {
            let e = ScanError::from(e);
            return take(failed((e.code(), e.to_string()), Some(hash)));
        }
        None => {}
    }
    match input {
        Input::Stdin(bytes) => pictures(scanner, &bytes, true, &options, take),
        Input::Failed { fault, .. } => take(failed(fault, None)),
        Input::Skipped => take(None),
        // A video is not read into memory.
        Input::File { path, .. } if inputs::may_move(&path) => {
            take(Some(scanner.record(Source::File(&path), &options)));
        }
        Input::File { path, named } => {
            match inputs::read(&path, named, scanner.limits(), options.deadline) {
                Ok(Some(bytes)) => pictures(scanner, &bytes, named, &options, take),
                Ok(None) => take(None),
                Err(fault) => take(failed(fault, None)),
            }
        }
    }
}

/// The picture of a file, or each of those within it, whose names follow the file's: `report.pdf#page=3,image=1`.
fn pictures(
    scanner: &Scanner,
    bytes: &[u8],
    named: bool,
    options: &Options,
    take: &mut dyn FnMut(Option<Scanned>),
) {
    if !Format::sniff(bytes).is_some_and(Format::holds_pictures) {
        return whole(scanner, bytes, options, take);
    }
    let (parts, more) = match scanner.decode(bytes, options) {
        Err(DecodeError::Media(MediaError::Parts { parts, more, .. })) => (parts, more),
        // Most documents in a folder hold none.
        Err(DecodeError::Media(MediaError::NotAPicture { .. })) if !named => return take(None),
        _ => return whole(scanner, bytes, options, take),
    };
    for part in parts {
        take(Some(item(scanner, bytes, options, part)));
    }
    if more > 0 {
        let message = format!("{more} further pictures were not read");
        let path = format!("{}#further", options.path);
        let record = scanner.failed(&path, None, ErrorCode::LimitExceeded, message);
        take(Some(Scanned::of(record)));
    }
}

/// The picture of a file, and those behind it that may show something else: `edited.png#trailer=1`.
fn whole(
    scanner: &Scanner,
    bytes: &[u8],
    options: &Options,
    take: &mut dyn FnMut(Option<Scanned>),
) {
    let scanned = scanner.record(Source::Bytes(bytes), options);
    let further = scanned.record.further_pictures();
    take(Some(scanned));
    for part in further {
        let scanned = item(scanner, bytes, options, part);
        // What does not decode is told with the picture before it.
        if scanned.record.error.is_none() {
            take(Some(scanned));
        }
    }
}

/// One picture of a file, by its name.
fn item(scanner: &Scanner, bytes: &[u8], options: &Options, part: String) -> Scanned {
    let options = Options {
        path: format!("{}#{part}", options.path),
        part: Some(part),
        ..options.clone()
    };
    scanner.record(Source::Bytes(bytes), &options)
}

/// Draws what was asked for.
fn finish(args: &ScanArgs, scanned: Option<Scanned>) -> Outcome {
    let Some(scanned) = scanned else {
        return Outcome {
            record: None,
            html: String::new(),
        };
    };
    if let (Some(folder), Some(map), Some(pixels)) =
        (&args.heatmap, &scanned.heatmap, &scanned.pixels)
    {
        let hash = scanned.record.sha256.clone().unwrap_or_default();
        let stem: String = Path::new(&scanned.record.path)
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default();
        let file = folder.join(format!("{stem}-{}.png", &hash[..8.min(hash.len())]));
        if let Err(e) = map.overlay(pixels, 1600).save(&file) {
            eprintln!("warning: {}: {e}", file.display());
        }
    }
    let html = if args.format == ScanFormat::Html {
        report::html_film(
            &scanned.record,
            scanned.pixels.as_ref(),
            scanned.heatmap.as_ref(),
            &scanned.key_frames,
        )
    } else {
        String::new()
    };
    Outcome {
        record: Some(Box::new(scanned.record)),
        html,
    }
}
