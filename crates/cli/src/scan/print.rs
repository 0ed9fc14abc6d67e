//! What a scan writes: outcomes in order, a summary, the exit code.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use realscope::record::{Declared, Record, SCHEMA_VERSION, Verdict};
use realscope::scanner::Progress;
use realscope::{Scanner, report};
use serde_json::json;

use crate::Failure;
use crate::args::{FailOn, ScanArgs, ScanFormat};

/// What became of an input.
pub struct Outcome {
    /// The record; `None` for what was skipped.
    pub record: Option<Box<Record>>,
    /// Its part of the page.
    pub html: String,
}

/// Outcomes by kind.
#[derive(Default)]
pub struct Summary {
    verdicts: BTreeMap<&'static str, usize>,
    errors: BTreeMap<&'static str, usize>,
    skipped: usize,
    declared: usize,
}

/// Writes outcomes in order and counts them.
pub struct Printer<'a> {
    args: &'a ScanArgs,
    scanner: &'a Scanner,
    summary: Summary,
    first: bool,
    colour: bool,
}

impl<'a> Printer<'a> {
    pub fn new(args: &'a ScanArgs, scanner: &'a Scanner) -> Self {
        Self {
            args,
            scanner,
            summary: Summary::default(),
            first: true,
            colour: std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        }
    }

    pub fn begin(&self) -> Result<(), Failure> {
        match self.args.format {
            ScanFormat::Json => out!("{{\"schema_version\":{SCHEMA_VERSION},\"results\":["),
            ScanFormat::Csv => out!("{}", csv_line(report::CSV_COLUMNS)?),
            ScanFormat::Html => out!("{}", report::html_head("Realscope report")),
            _ => {}
        }
        Ok(())
    }

    pub fn print(&mut self, outcome: Outcome) -> Result<(), Failure> {
        let Some(record) = outcome.record else {
            self.summary.skipped += 1;
            return Ok(());
        };
        match (&record.verdict, &record.error) {
            (Some(v), _) => *self.summary.verdicts.entry(v.word()).or_default() += 1,
            (None, e) => {
                let code = e.as_ref().map_or("unknown", |e| e.code.word());
                *self.summary.errors.entry(code).or_default() += 1;
            }
        }
        if record
            .provenance
            .as_ref()
            .is_some_and(|p| p.declared >= Declared::Edited)
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
            ScanFormat::Ndjson if self.args.live => {
                let mut line =
                    serde_json::to_value(&*record).map_err(|e| Failure::new(2, e.to_string()))?;
                line["type"] = "record".into();
                format!("{line}\n")
            }
            ScanFormat::Ndjson => format!("{}\n", encode()?),
            ScanFormat::Json => format!("{}{}", if self.first { "\n" } else { ",\n" }, encode()?),
            ScanFormat::Csv => csv_line(report::csv_row(&record))?,
            ScanFormat::Html => outcome.html,
        };
        self.first = false;
        out!("{text}");
        Ok(())
    }

    pub fn end(self) -> Result<Summary, Failure> {
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

/// A frame of a video, as a line of `--live`.
pub fn frame(progress: &Progress<'_>) {
    if let Ok(mut line) = serde_json::to_value(&progress.frame) {
        line["type"] = "frame".into();
        line["path"] = progress.path.into();
        outln!("{line}");
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
pub fn exit_code(args: &ScanArgs, s: &Summary) -> ExitCode {
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
