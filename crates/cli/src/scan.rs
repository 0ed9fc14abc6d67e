//! `realscope scan`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, mpsc};
use std::time::Duration;

use realscope::record::{Record, Verdict};
use realscope::scan::{Opened, Scanned};
use realscope::worker::{Lane, Launch};
use realscope::{Config, Scanner, report};
use realscope_media::{Format, Limits, format};
use serde_json::json;

use crate::args::{FailOn, ScanArgs, ScanFormat};
use crate::models::{engine_kind, model_failure};
use crate::{Failure, config};

/// One input.
enum Job {
    File {
        path: PathBuf,
        named: bool,
    },
    Bytes(Vec<u8>),
    /// A file that was read and decoded while the detector was loaded; taken once.
    Opened {
        name: String,
        opened: Mutex<Option<Box<Opened>>>,
    },
    /// A named path that does not exist, a pattern that matches nothing, a folder that cannot be read.
    Failed {
        name: String,
        code: &'static str,
        message: String,
    },
    /// No file, in a folder, and not named like a picture.
    Skipped,
}

/// What became of an input.
struct Outcome {
    text: String,
    record: Option<Box<Record>>,
}

#[derive(Default)]
struct Summary {
    verdicts: BTreeMap<&'static str, usize>,
    errors: BTreeMap<String, usize>,
    skipped: usize,
    declared: usize,
}

/// Runs the command.
pub fn run(args: ScanArgs) -> Result<ExitCode, Failure> {
    let settings = config::load()?;
    let profile = args.profile.unwrap_or(settings.profile);
    let deadline = args.deadline.unwrap_or(settings.deadline);
    if !(deadline.is_finite() && deadline > 0.0) {
        return Err(Failure::new(
            2,
            format!("--deadline {deadline}: must be positive"),
        ));
    }
    if let Some(fpr) = args.max_fpr
        && !(fpr > 0.0 && fpr < 1.0)
    {
        return Err(Failure::new(
            2,
            format!("--max-fpr {fpr}: must lie between 0 and 1"),
        ));
    }
    let mut jobs = collect(&args)?;
    if jobs.is_empty() {
        return Err(Failure::new(
            2,
            "no input: name a file, a folder or a pattern",
        ));
    }
    let config = Config {
        detector: args
            .detector
            .clone()
            .unwrap_or_else(|| profile.detector(settings.detector)),
        profile: profile.name().into(),
        engine: engine_kind(args.engine.unwrap_or(settings.engine))?,
        limits: Limits {
            max_bytes: args.max_bytes.unwrap_or(settings.max_bytes),
            max_pixels: args.max_pixels.unwrap_or(settings.max_pixels),
            ..Limits::default()
        },
        allow_truncated: args.allow_truncated,
        deadline: Duration::from_secs_f64(deadline.min(86_400.0)),
        max_fpr: args.max_fpr,
        home: settings.home,
        // One picture, unless it is to be mapped window by window, is not worth the memory.
        many: jobs.len() > 1 || draws(&args),
    };
    let program = std::env::current_exe().map_err(|e| Failure::new(2, e.to_string()))?;
    let launch = Launch {
        program,
        args: vec!["decode-worker".into()],
    };
    // A single picture is decoded while the detector is loaded.
    let loaded = std::thread::scope(|scope| {
        if let [job] = jobs.as_mut_slice() {
            scope.spawn(|| open(job, &config, Lane::new(launch.clone())));
        }
        Scanner::new(config.clone())
    });
    let scanner = loaded.map_err(|e| model_failure(&e))?;
    if let Some(folder) = &args.heatmap {
        std::fs::create_dir_all(folder)
            .map_err(|e| Failure::new(2, format!("{}: {e}", folder.display())))?;
    }
    let threads = match args.jobs.unwrap_or(settings.jobs) {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let summary = scan_all(&args, &scanner, jobs, threads, &launch)?;
    Ok(exit_code(&args, &summary))
}

/// Whether heat maps are wanted.
fn draws(args: &ScanArgs) -> bool {
    args.heatmap.is_some() || args.format == ScanFormat::Html
}

/// The inputs in order; folders are walked bytewise.
fn collect(args: &ScanArgs) -> Result<Vec<Job>, Failure> {
    if args.stdin {
        let mut bytes = Vec::new();
        let limit = args.max_bytes.unwrap_or(Limits::default().max_bytes);
        std::io::stdin()
            .lock()
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| Failure::new(2, format!("stdin: {e}")))?;
        return Ok(vec![Job::Bytes(bytes)]);
    }
    let mut jobs = Vec::new();
    for path in &args.paths {
        if path == "-" {
            let mut list = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut list)
                .map_err(|e| Failure::new(2, format!("stdin: {e}")))?;
            for line in list.split(|b| *b == b'\n') {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                if !line.is_empty() {
                    add(&name_of(line), &mut jobs);
                }
            }
        } else {
            add(path, &mut jobs);
        }
    }
    Ok(jobs)
}

/// A path as a list of paths spells it: any bytes where the system takes any.
#[cfg(unix)]
fn name_of(line: &[u8]) -> OsString {
    <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(line).to_os_string()
}

#[cfg(not(unix))]
fn name_of(line: &[u8]) -> OsString {
    String::from_utf8_lossy(line).into_owned().into()
}

fn failed(path: &Path, e: &std::io::Error) -> Job {
    let (code, message) = io_error(e);
    Job::Failed {
        name: path.display().to_string(),
        code,
        message,
    }
}

fn io_error(e: &std::io::Error) -> (&'static str, String) {
    if e.kind() == std::io::ErrorKind::NotFound {
        ("not_found", "no such file or folder".into())
    } else {
        ("unreadable", e.to_string())
    }
}

fn add(name: &OsStr, jobs: &mut Vec<Job>) {
    let path = Path::new(name);
    let pattern = name.to_str().filter(|n| n.contains(['*', '?', '[']));
    match (std::fs::metadata(path), pattern) {
        (Ok(kind), _) => add_found(path.into(), &kind, jobs),
        (Err(_), Some(pattern)) => {
            let before = jobs.len();
            for found in glob::glob(pattern).into_iter().flatten() {
                match found {
                    Ok(path) => match std::fs::metadata(&path) {
                        Ok(kind) => add_found(path, &kind, jobs),
                        Err(e) => jobs.push(failed(&path, &e)),
                    },
                    Err(e) => jobs.push(failed(e.path(), e.error())),
                }
            }
            if jobs.len() == before {
                let none = std::io::ErrorKind::NotFound.into();
                jobs.push(failed(path, &none));
            }
        }
        (Err(e), None) => jobs.push(failed(path, &e)),
    }
}

fn add_found(path: PathBuf, kind: &std::fs::Metadata, jobs: &mut Vec<Job>) {
    if kind.is_dir() {
        walk(&path, jobs);
    } else {
        jobs.push(Job::File { path, named: true });
    }
}

/// Files below a folder, names in bytewise order; links to folders are not followed, pipes and devices not opened.
fn walk(folder: &Path, jobs: &mut Vec<Job>) {
    let mut entries = Vec::new();
    match std::fs::read_dir(folder) {
        Ok(found) => {
            for entry in found {
                match entry {
                    Ok(entry) => entries.push(entry.path()),
                    Err(e) => jobs.push(failed(folder, &e)),
                }
            }
        }
        Err(e) => jobs.push(failed(folder, &e)),
    }
    entries.sort_by(|a, b| {
        a.as_os_str()
            .as_encoded_bytes()
            .cmp(b.as_os_str().as_encoded_bytes())
    });
    for path in entries {
        let claims = claims_media(&path);
        match (std::fs::symlink_metadata(&path), std::fs::metadata(&path)) {
            (Ok(own), _) if own.is_dir() => walk(&path, jobs),
            (_, Ok(kind)) if kind.is_file() => jobs.push(Job::File { path, named: false }),
            (_, Ok(kind)) if claims && !kind.is_dir() => jobs.push(Job::Failed {
                name: path.display().to_string(),
                code: "not_a_picture",
                message: "not a picture: a pipe, a socket or a device".into(),
            }),
            (_, Err(e)) if claims => jobs.push(failed(&path, &e)),
            _ => jobs.push(Job::Skipped),
        }
    }
}

fn claims_media(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|n| format::name_claims_media(&n.to_string_lossy()))
}

/// Scans in parallel and prints in input order. At most a few outcomes wait for their turn.
fn scan_all(
    args: &ScanArgs,
    scanner: &Scanner,
    jobs: Vec<Job>,
    threads: usize,
    launch: &Launch,
) -> Result<Summary, Failure> {
    let out = Mutex::new(Printer::new(args, scanner));
    out.lock().map_err(|_| broken())?.begin()?;
    let bar = indicatif::ProgressBar::new(jobs.len() as u64);
    if args.quiet || !std::io::stderr().is_terminal() || jobs.len() < 3 {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let next = AtomicUsize::new(0);
    let turn = (Mutex::new(0_usize), Condvar::new());
    let failure = Mutex::new(None);
    let window = 4 * threads;
    let workers = threads.min(jobs.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                realscope::worker::share_cores(workers, jobs.len());
                let mut lane = Lane::new(launch.clone());
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { break };
                    // Do not run far ahead of the printer: memory stays flat.
                    let Ok(mut done) = turn.0.lock() else { break };
                    while index >= *done + window {
                        match turn.1.wait(done) {
                            Ok(guard) => done = guard,
                            Err(_) => return,
                        }
                    }
                    drop(done);
                    let outcome = one(args, scanner, &mut lane, job);
                    bar.inc(1);
                    let Ok(mut done) = turn.0.lock() else { break };
                    while index != *done {
                        match turn.1.wait(done) {
                            Ok(guard) => done = guard,
                            Err(_) => return,
                        }
                    }
                    if let Ok(mut out) = out.lock()
                        && let Err(e) = out.print(outcome)
                        && let Ok(mut slot) = failure.lock()
                    {
                        slot.get_or_insert(e);
                    }
                    *done += 1;
                    turn.1.notify_all();
                }
            });
        }
    });
    bar.finish_and_clear();
    if let Ok(Some(e)) = failure.into_inner() {
        return Err(e);
    }
    out.into_inner().map_err(|_| broken())?.end()
}

fn broken() -> Failure {
    Failure::new(2, "a scanning thread panicked")
}

fn one(args: &ScanArgs, scanner: &Scanner, lane: &mut Lane, job: &Job) -> Outcome {
    let failed = |path: &str, code: &str, message: &str| {
        Some(Box::new(Record::failed(
            scanner.tool(),
            path,
            None,
            code,
            message,
        )))
    };
    let draw = draws(args);
    let (name, mut scanned) = match job {
        Job::Bytes(bytes) => (STDIN.to_owned(), scanner.scan(lane, STDIN, bytes, draw)),
        Job::Opened { name, opened } => {
            let opened = opened.lock().ok().and_then(|mut o| o.take());
            let Some(opened) = opened else {
                return finish(
                    args,
                    failed(name, "detector_failed", "the decoded picture is gone"),
                    None,
                );
            };
            (name.clone(), scanner.judge(name, *opened, draw))
        }
        Job::Failed {
            name,
            code,
            message,
        } => return finish(args, failed(name, code, message), None),
        Job::Skipped => return skipped(),
        Job::File { path, named } => {
            let name = path.display().to_string();
            match read(path, *named, scanner.limits(), scanner.deadline()) {
                Ok(Some(bytes)) => {
                    let scanned = scanner.scan(lane, &name, &bytes, draw);
                    (name, scanned)
                }
                Ok(None) => return skipped(),
                Err((code, message)) => return finish(args, failed(&name, code, &message), None),
            }
        }
    };
    if let (Some(folder), Some(map), Some(pixels)) =
        (&args.heatmap, &scanned.heatmap, &scanned.pixels)
    {
        let hash = scanned.record.sha256.clone().unwrap_or_default();
        let stem: String = Path::new(&name)
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default();
        let file = folder.join(format!("{stem}-{}.png", &hash[..8.min(hash.len())]));
        if let Err(e) = map.overlay(pixels, 1600).save(&file) {
            eprintln!("warning: {}: {e}", file.display());
        }
    }
    let record = Some(Box::new(std::mem::replace(
        &mut scanned.record,
        Record::failed(scanner.tool(), "", None, "", ""),
    )));
    finish(args, record, Some(&scanned))
}

/// Name of standard input in records.
const STDIN: &str = "-";

/// Reads and decodes a job's file. It is read once: a pipe would not give its bytes a second time.
fn open(job: &mut Job, config: &Config, mut lane: Lane) {
    let (name, opened) = match job {
        Job::Bytes(bytes) => (STDIN.to_owned(), config.open(&mut lane, bytes)),
        Job::File { path, named } => {
            let name = path.display().to_string();
            match read(path, *named, &config.limits, config.deadline) {
                Ok(Some(bytes)) => (name, config.open(&mut lane, &bytes)),
                Ok(None) => {
                    *job = Job::Skipped;
                    return;
                }
                Err((code, message)) => {
                    *job = Job::Failed {
                        name,
                        code,
                        message,
                    };
                    return;
                }
            }
        }
        _ => return,
    };
    let opened = Mutex::new(Some(Box::new(opened)));
    *job = Job::Opened { name, opened };
}

/// The file's bytes; `None` for what is no picture and does not claim to be one. A pipe or a device that gives nothing
/// is given up at the deadline.
fn read(
    path: &Path,
    named: bool,
    limits: &Limits,
    deadline: Duration,
) -> Result<Option<Vec<u8>>, (&'static str, String)> {
    let limit = limits.max_bytes;
    let io = |e: std::io::Error| io_error(&e);
    if std::fs::metadata(path).map_err(io)?.is_file() {
        return read_file(path, named, limit).map_err(io);
    }
    let (done, wait) = mpsc::channel();
    let path = path.to_path_buf();
    // Opening a pipe that nobody writes to never ends, and neither does this thread.
    std::thread::spawn(move || {
        let _ = done.send(read_file(&path, named, limit));
    });
    match wait.recv_timeout(deadline) {
        Ok(bytes) => bytes.map_err(io),
        Err(_) => {
            let seconds = deadline.as_secs_f64();
            Err(("deadline", format!("nothing to read for {seconds} seconds")))
        }
    }
}

fn read_file(path: &Path, named: bool, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut file = std::fs::File::open(path)?.take(limit + 1);
    let mut bytes = Vec::new();
    if !named {
        (&mut file).take(512).read_to_end(&mut bytes)?;
        let picture = Format::sniff(&bytes).is_some() || format::undecoded(&bytes).is_some();
        if !picture && !claims_media(path) {
            return Ok(None);
        }
    }
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn skipped() -> Outcome {
    Outcome {
        text: String::new(),
        record: None,
    }
}

fn finish(args: &ScanArgs, record: Option<Box<Record>>, scanned: Option<&Scanned>) -> Outcome {
    let text = match (&record, args.format) {
        (Some(r), ScanFormat::Html) => report::html_record(
            r,
            scanned.and_then(|s| s.pixels.as_ref()),
            scanned.and_then(|s| s.heatmap.as_ref()),
        ),
        _ => String::new(),
    };
    Outcome { text, record }
}

/// Writes outcomes in order and counts them.
struct Printer<'a> {
    args: &'a ScanArgs,
    scanner: &'a Scanner,
    summary: Summary,
    first: bool,
    colour: bool,
}

impl<'a> Printer<'a> {
    fn new(args: &'a ScanArgs, scanner: &'a Scanner) -> Self {
        Self {
            args,
            scanner,
            summary: Summary::default(),
            first: true,
            colour: std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        }
    }

    fn begin(&self) -> Result<(), Failure> {
        match self.args.format {
            ScanFormat::Json => out!("{{\"schema_version\":1,\"results\":["),
            ScanFormat::Csv => out!("{}", csv_line(report::CSV_COLUMNS)?),
            ScanFormat::Html => out!("{}", report::html_head("Realscope report")),
            _ => {}
        }
        Ok(())
    }

    fn print(&mut self, outcome: Outcome) -> Result<(), Failure> {
        let Some(record) = outcome.record else {
            self.summary.skipped += 1;
            return Ok(());
        };
        match (&record.verdict, &record.error) {
            (Some(v), _) => *self.summary.verdicts.entry(v.word()).or_default() += 1,
            (None, e) => {
                let code = e.as_ref().map_or("unknown", |e| e.code.as_str());
                *self.summary.errors.entry(code.into()).or_default() += 1;
            }
        }
        if record
            .provenance
            .as_ref()
            .is_some_and(|p| matches!(p.declared.as_str(), "generated" | "edited"))
        {
            self.summary.declared += 1;
        }
        let encode = || serde_json::to_string(&*record).map_err(|e| Failure::new(2, e.to_string()));
        let text = match self.args.format {
            ScanFormat::Text => {
                format!(
                    "{}\n",
                    report::text(&record, self.colour, self.args.verbose)
                )
            }
            ScanFormat::Ndjson => format!("{}\n", encode()?),
            ScanFormat::Json => format!("{}{}", if self.first { "\n" } else { ",\n" }, encode()?),
            ScanFormat::Csv => csv_line(report::csv_row(&record))?,
            ScanFormat::Html => outcome.text,
        };
        self.first = false;
        out!("{text}");
        Ok(())
    }

    fn end(self) -> Result<Summary, Failure> {
        let summary = json!({
            "verdicts": self.summary.verdicts,
            "errors": self.summary.errors,
            "skipped": self.summary.skipped,
            "declared": self.summary.declared,
            "tool": self.scanner.tool(),
        });
        match self.args.format {
            ScanFormat::Json => outln!("\n],\"summary\":{summary}}}"),
            ScanFormat::Html => out!("{}", report::html_tail()),
            _ => {}
        }
        if !self.args.quiet {
            let verdicts: Vec<String> = self
                .summary
                .verdicts
                .iter()
                .map(|(word, n)| format!("{n} {word}"))
                .chain(
                    self.summary
                        .errors
                        .iter()
                        .map(|(c, n)| format!("{n} failed ({c})")),
                )
                .chain(
                    (self.summary.skipped > 0).then(|| format!("{} skipped", self.summary.skipped)),
                )
                .collect();
            eprintln!("{}", verdicts.join(", "));
        }
        Ok(self.summary)
    }
}

fn csv_line<const N: usize>(cells: [impl AsRef<[u8]>; N]) -> Result<String, Failure> {
    let fail = |e: String| Failure::new(2, e);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(cells)
        .map_err(|e| fail(e.to_string()))?;
    let bytes = writer.into_inner().map_err(|e| fail(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| fail(e.to_string()))
}

/// Precedence: all failed (6 or 3), 1, 4, 0.
fn exit_code(args: &ScanArgs, s: &Summary) -> ExitCode {
    let done: usize = s.verdicts.values().sum();
    let failed: usize = s.errors.values().sum();
    let limited = s.errors.get("limit_exceeded").copied().unwrap_or(0);
    if done == 0 && failed > 0 {
        return ExitCode::from(if limited == failed { 6 } else { 3 });
    }
    let has = |v: Verdict| s.verdicts.get(v.word()).copied().unwrap_or(0) > 0;
    let met = args.fail_on.iter().any(|f| match f {
        FailOn::Generated => has(Verdict::Generated),
        FailOn::Manipulated => has(Verdict::Manipulated),
        FailOn::Uncertain => has(Verdict::Uncertain),
        FailOn::Declared => s.declared > 0,
    });
    if met {
        ExitCode::from(1)
    } else if failed > 0 {
        ExitCode::from(4)
    } else {
        ExitCode::SUCCESS
    }
}
