//! `realscope audit`: which marks of origin files carry. No detector is loaded.

use std::process::ExitCode;
use std::time::Duration;

use realscope::audit::Audit;
use realscope::fetch::{self, Fetch};
use realscope::lane::{DecodeError, Lane};
use realscope::record::ErrorCode;
use realscope::{Cancel, ScanError};
use realscope_detectors::network::sha256;
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
        let lacks = |audit: &Audit| -> Vec<Required> {
            let all = args.require.iter().copied();
            all.filter(|r| audit.error.is_none() && !audit.carries(r.mark()))
                .collect()
        };
        // A mark of a document holds for the pictures within it; without one, each of them needs its own.
        let of_file = lacks(&audits[0]);
        for (i, audit) in audits.iter().enumerate() {
            if audit.error.is_some() {
                failed += 1;
            } else {
                done += 1;
            }
            let mut lacks = lacks(audit);
            if within {
                lacks.retain(|r| i > 0 && of_file.contains(r));
            }
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
    let read;
    let bytes = match input {
        Input::Stdin(bytes) => bytes,
        Input::File { path, named } => match inputs::read(path, *named, limits, deadline) {
            Ok(Some(bytes)) => {
                read = bytes;
                &read
            }
            Ok(None) => return None,
            Err((code, message)) => return Some(vec![Audit::failed(&name, None, code, message)]),
        },
        Input::Failed { fault, .. } => {
            let (code, message) = fault.clone();
            return Some(vec![Audit::failed(&name, None, code, message)]);
        }
        Input::Skipped => return None,
    };
    // Documents and drawings in a folder are passed over, unless they are named like pictures.
    if let Input::File { path, named: false } = input
        && matches!(Format::sniff(bytes), Some(Format::Pdf | Format::Svg))
        && !inputs::claims_media(path)
    {
        return None;
    }
    let hash = sha256(bytes);
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
    let mut audits = vec![audit(lane, &name, options)];
    if !matches!(Format::sniff(bytes), Some(Format::Pdf | Format::Svg)) {
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
    Some(audits)
}
