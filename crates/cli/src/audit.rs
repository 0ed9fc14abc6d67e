//! `realscope audit`: which marks of origin files carry. No detector is loaded.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use realscope::audit::Audit;
use realscope::fetch::{self, Fetch};
use realscope::lane::{DecodeError, Lane};
use realscope::record::ErrorCode;
use realscope::{Cancel, ScanError};
use realscope_detectors::network::{sha256, sha256_of};
use realscope_media::{DecodeOptions, Format, Limits, MediaError};

use crate::Failure;
use crate::args::{AuditArgs, AuditFormat, Required};
use crate::config;
use crate::scan::inputs::{self, Input};
use crate::scan::{fetching, launch, trust};

/// Runs the command.
pub fn run(args: &AuditArgs) -> Result<ExitCode, Failure> {
    let settings = config::load()?;
    let limits = Limits {
        max_bytes: args.max_bytes.unwrap_or(settings.max_bytes),
        ..Limits::default()
    };
    let options = DecodeOptions {
        metadata_only: true,
        trust: trust(&args.trust, &settings)?,
        ..DecodeOptions::default()
    };
    let fetch = fetching(args.fetch_manifests)?;
    let inputs = inputs::collect(&args.paths, false, limits.max_bytes)?;
    if inputs.is_empty() {
        return Err(Failure::new(
            2,
            "no input: name a file, a folder or a pattern",
        ));
    }
    let deadline = Duration::from_secs_f64(settings.deadline.clamp(0.001, 86_400.0));
    let mut lane = Lane::new(launch()?);
    let (mut done, mut failed, mut lacking, mut skipped) = (0_usize, 0_usize, 0_usize, 0_usize);
    for input in inputs {
        let Some(audits) = one(
            &input,
            &mut lane,
            &limits,
            &options,
            fetch.as_ref(),
            deadline,
        ) else {
            skipped += 1;
            continue;
        };
        let within = audits.len() > 1;
        for (i, audit) in audits.iter().enumerate() {
            if audit.error.is_some() {
                failed += 1;
            } else {
                done += 1;
            }
            // Pictures within a document say what it says, too; it is they that need a mark.
            let needed = args.require.iter().copied().filter(|_| !within || i > 0);
            let lacks: Vec<Required> = needed
                .filter(|r| audit.error.is_none() && !audit.carries(r.mark()))
                .collect();
            lacking += usize::from(!lacks.is_empty());
            match args.format {
                AuditFormat::Text => {
                    out!("{}", audit.text());
                    for required in lacks {
                        outln!("  required and not there: {}", required.name());
                    }
                }
                AuditFormat::Ndjson => {
                    let line = serde_json::to_string(&audit);
                    outln!("{}", line.map_err(|e| Failure::new(2, e.to_string()))?);
                }
            }
        }
    }
    if !args.quiet {
        let words = [
            (done, "audited"),
            (lacking, "lack what is required"),
            (failed, "failed"),
            (skipped, "skipped"),
        ];
        let words: Vec<String> = words
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        eprintln!("{}", words.join(", "));
    }
    Ok(ExitCode::from(if done == 0 && failed > 0 {
        3
    } else if lacking > 0 {
        1
    } else if failed > 0 {
        4
    } else {
        0
    }))
}

/// The audit of one input and of the pictures within it, if it is a document; `None` for what is passed over.
fn one(
    input: &Input,
    lane: &mut Lane,
    limits: &Limits,
    options: &DecodeOptions,
    fetch: Option<&Fetch>,
    deadline: Duration,
) -> Option<Vec<Audit>> {
    let name = input.name();
    let (read, outline);
    let mut options = options.clone();
    let failed =
        |(code, message): inputs::Fault| Some(vec![Audit::failed(&name, None, code, message)]);
    let (bytes, hash) = match input {
        Input::Stdin(bytes) => (bytes, sha256(bytes)),
        // Of a large video everything but pictures and sound is read.
        Input::File { path, .. } if is_large_video(path, limits) => match outlined(path) {
            Ok((bytes, hash)) => {
                options.outline = true;
                outline = bytes;
                (&outline, hash)
            }
            Err(fault) => return failed(fault),
        },
        Input::File { path, named } => match inputs::read(path, *named, limits, deadline) {
            Ok(Some(bytes)) => {
                read = bytes;
                (&read, sha256(&read))
            }
            Ok(None) => return None,
            Err(fault) => return failed(fault),
        },
        Input::Failed { fault, .. } => return failed(fault.clone()),
        Input::Skipped => return None,
    };
    let audit = |lane: &mut Lane, name: &str, options: &DecodeOptions| {
        let decoded = fetch::decode(options, fetch, |options| {
            lane.decode(bytes, limits, options, deadline, &Cancel::default())
        });
        match decoded {
            Ok(decoded) => Audit::of(name, hash.clone(), &decoded.facts),
            Err(e) => {
                let e = ScanError::from(e);
                Audit::failed(name, Some(hash.clone()), e.code(), e.to_string())
            }
        }
    };
    let mut audits = vec![audit(lane, &name, &options)];
    let format = Format::sniff(bytes);
    // A raw photograph that declares something has said what its preview could.
    let silent = audits[0].marks.is_empty();
    if !format.is_some_and(Format::holds_pictures) || (format == Some(Format::Raw) && !silent) {
        return Some(audits);
    }
    let whole = DecodeOptions::default();
    let named = lane.decode(bytes, limits, &whole, deadline, &Cancel::default());
    if let Err(DecodeError::Media(MediaError::Parts { parts, more, .. })) = named {
        for part in parts {
            let options = DecodeOptions {
                part: Some(part.clone()),
                ..options.clone()
            };
            audits.push(audit(lane, &format!("{name}#{part}"), &options));
        }
        if more > 0 {
            let message = format!("{more} further pictures were not read");
            let name = format!("{name}#further");
            audits.push(Audit::failed(
                &name,
                None,
                ErrorCode::LimitExceeded,
                message,
            ));
        }
    }
    // Documents and drawings in a folder that hold no picture and declare nothing are passed over, unless they are
    // named like pictures.
    if let Input::File { path, named: false } = input
        && audits.len() == 1
        && silent
        && format != Some(Format::Raw)
        && !inputs::claims_media(path)
    {
        return None;
    }
    Some(audits)
}

fn is_large_video(path: &Path, limits: &Limits) -> bool {
    let large = std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() > limits.max_bytes);
    large && inputs::may_move(path)
}

/// What is left of a video without pictures and sound, and the hash of all of it.
fn outlined(path: &Path) -> Result<(Vec<u8>, String), inputs::Fault> {
    let io = |e: std::io::Error| (ErrorCode::Unreadable, e.to_string());
    let mut file = std::fs::File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let left = realscope_media::video::outline(&mut file, length)
        .map_err(|e| (ErrorCode::Truncated, e.to_string()))?;
    let left = left.ok_or_else(|| {
        let what = "a video that is too large for its declarations to be read";
        (ErrorCode::LimitExceeded, what.to_owned())
    })?;
    Ok((left, sha256_of(path).map_err(io)?))
}
