//! `realscope scan`.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
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
    /// A named path that does not exist or a pattern that matches nothing.
    Missing(String),
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
            let mut list = String::new();
            std::io::stdin()
                .lock()
                .read_to_string(&mut list)
                .map_err(|e| Failure::new(2, format!("stdin: {e}")))?;
            for line in list.lines().filter(|l| !l.is_empty()) {
                add(line, &mut jobs);
            }
        } else {
            add(path, &mut jobs);
        }
    }
    Ok(jobs)
}

fn add(name: &str, jobs: &mut Vec<Job>) {
    let path = Path::new(name);
    if path.is_dir() {
        walk(path, jobs);
    } else if path.exists() {
        jobs.push(Job::File {
            path: path.into(),
            named: true,
        });
    } else if name.contains(['*', '?', '[']) {
        let before = jobs.len();
        for found in glob::glob(name).into_iter().flatten().flatten() {
            if found.is_dir() {
                walk(&found, jobs);
            } else {
                jobs.push(Job::File {
                    path: found,
                    named: true,
                });
            }
        }
        if jobs.len() == before {
            jobs.push(Job::Missing(name.into()));
        }
    } else {
        jobs.push(Job::Missing(name.into()));
    }
}

/// Files below a folder, names in bytewise order; links to folders are not followed.
fn walk(folder: &Path, jobs: &mut Vec<Job>) {
    let mut entries: Vec<_> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|e| e.path()).collect(),
        Err(_) => {
            jobs.push(Job::Missing(folder.display().to_string()));
            return;
        }
    };
    entries.sort_by(|a, b| {
        a.as_os_str()
            .as_encoded_bytes()
            .cmp(b.as_os_str().as_encoded_bytes())
    });
    for path in entries {
        let Ok(kind) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        if kind.is_dir() {
            walk(&path, jobs);
        } else if path.is_file() {
            jobs.push(Job::File { path, named: false });
        }
    }
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
        Job::Missing(name) => {
            return finish(
                args,
                failed(name, "not_found", "no such file or folder"),
                None,
            );
        }
        Job::File { path, named } => {
            let name = path.display().to_string();
            match read(path, *named, scanner.limits()) {
                Ok(Some(bytes)) => {
                    let scanned = scanner.scan(lane, &name, &bytes, draw);
                    (name, scanned)
                }
                Ok(None) => {
                    return Outcome {
                        text: String::new(),
                        record: None,
                    };
                }
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

/// Reads and decodes a job's file; one that cannot be read, or is skipped, stays as it is.
fn open(job: &mut Job, config: &Config, mut lane: Lane) {
    let (name, opened) = match job {
        Job::Bytes(bytes) => (STDIN.to_owned(), config.open(&mut lane, bytes)),
        Job::File { path, named } => match read(path, *named, &config.limits) {
            Ok(Some(bytes)) => (path.display().to_string(), config.open(&mut lane, &bytes)),
            _ => return,
        },
        _ => return,
    };
    let opened = Mutex::new(Some(Box::new(opened)));
    *job = Job::Opened { name, opened };
}

/// The file's bytes; `None` for what is no picture and does not claim to be one.
fn read(
    path: &Path,
    named: bool,
    limits: &Limits,
) -> Result<Option<Vec<u8>>, (&'static str, String)> {
    let io = |e: std::io::Error| ("unreadable", e.to_string());
    let limit = limits.max_bytes;
    let file = std::fs::File::open(path).map_err(io)?;
    if !named {
        let mut head = Vec::new();
        (&file).take(512).read_to_end(&mut head).map_err(io)?;
        let claims = path
            .file_name()
            .is_some_and(|n| format::name_claims_media(&n.to_string_lossy()));
        if Format::sniff(&head).is_none() && !claims {
            return Ok(None);
        }
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .map_err(io)?
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    Ok(Some(bytes))
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

    fn write(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            // The reader has gone; there is nobody left to tell.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(e) => Err(Failure::new(2, format!("stdout: {e}"))),
        }
    }

    fn begin(&mut self) -> Result<(), Failure> {
        match self.args.format {
            ScanFormat::Json => self.write("{\"schema_version\":1,\"results\":["),
            ScanFormat::Csv => self.write(&csv_line(report::CSV_COLUMNS)?),
            ScanFormat::Html => self.write(&report::html_head("Realscope report")),
            _ => Ok(()),
        }
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
        self.write(&text)
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
            ScanFormat::Json => self.write(&format!("\n],\"summary\":{summary}}}\n"))?,
            ScanFormat::Html => self.write(report::html_tail())?,
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
