//! `realscope data`.

use std::path::Path;
use std::process::ExitCode;

use realscope_data::manifest::{Item, Manifest};
use realscope_data::split::{self, Framing};
use realscope_data::{check, import, restore};
use realscope_train::pairs::Maker;
use realscope_train::{synth, traces};

use crate::Failure;
use crate::args::{DataCommand, TextFormat};

fn data_failure(e: impl ToString) -> Failure {
    Failure::new(3, e.to_string())
}

/// The training pictures of a data set that show native resolution.
fn training(data: &Path) -> Result<Vec<Item>, Failure> {
    let manifest =
        Manifest::read(&data.join("manifest.tsv")).map_err(|e| Failure::new(2, e.to_string()))?;
    Ok(split::training(&manifest, Framing::Crop))
}

/// `realscope data ...`.
pub fn run(command: DataCommand) -> Result<ExitCode, Failure> {
    match command {
        DataCommand::Import {
            layout,
            path,
            out,
            remap,
        } => {
            if layout == "list" {
                for l in import::LAYOUTS {
                    outln!("{:<16}{}", l.name, l.summary);
                }
                return Ok(ExitCode::SUCCESS);
            }
            let (Some(path), Some(out)) = (path, out) else {
                return Err(Failure::new(2, "name the data set's path and --out"));
            };
            let remap = remap
                .iter()
                .map(|r| {
                    r.split_once('=')
                        .map(|(a, b)| (a.to_owned(), b.to_owned()))
                        .ok_or_else(|| Failure::new(2, format!("--remap {r}: not FROM=TO")))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let manifest =
                import::import(&layout, &path, &import::Options { remap }).map_err(data_failure)?;
            manifest.write(&out).map_err(data_failure)?;
            let [real, fake] = manifest.counts();
            outln!(
                "{real} authentic, {fake} generated or manipulated, {} quarantined",
                manifest.quarantined.len()
            );
            for q in &manifest.quarantined {
                eprintln!("quarantined: {}: {}", q.path, q.reason);
            }
            Ok(ExitCode::SUCCESS)
        }
        DataCommand::Check {
            manifest,
            no_media,
            format,
        } => {
            let set = Manifest::read(&manifest).map_err(data_failure)?;
            let base = manifest.parent().unwrap_or(Path::new("."));
            let bar = indicatif::ProgressBar::new(set.items.len() as u64);
            let findings = if no_media {
                check::rows(&set)
            } else {
                check::check(&set, base, &|| bar.inc(1))
            };
            bar.finish_and_clear();
            match format {
                TextFormat::Json => outln!(
                    "{}",
                    serde_json::to_string_pretty(&findings).map_err(data_failure)?
                ),
                TextFormat::Text => {
                    let [real, fake] = findings.items;
                    outln!("{real} authentic, {fake} generated or manipulated");
                    for c in &findings.confounds {
                        let auc = c.auc.map_or("-".into(), |a| format!("{a:.3}"));
                        outln!("AUC of {:<32}{auc}", c.baseline);
                    }
                    outln!("{} duplicates", findings.twins.len());
                    for w in findings.warnings() {
                        outln!("warning: {w}");
                    }
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        DataCommand::Restore { lists, clones, out } => {
            let restored = restore::restore(&lists, &clones, &out, &mut |line| eprintln!("{line}"))
                .map_err(data_failure)?;
            outln!(
                "{} files there, {} lost; see {}",
                restored.there,
                restored.lost.len(),
                out.join("lost.tsv").display()
            );
            Ok(match restored.lost.is_empty() {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(1),
            })
        }
        DataCommand::Synth {
            data,
            out,
            makers,
            each,
            side,
            weights,
            steps,
            seed,
        } => {
            let makers = makers
                .iter()
                .map(|name| {
                    Maker::from_name(name).ok_or_else(|| {
                        let all = Maker::ALL.map(Maker::name).join(", ");
                        Failure::new(2, format!("--makers {name}: not one of {all}"))
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            let options = synth::SynthOptions {
                makers,
                each,
                side,
                weights,
                steps,
                seed,
            };
            let items = training(&data)?;
            let pairs = synth::synth::<crate::train::Backend>(
                &items,
                &data,
                &out,
                &options,
                &Default::default(),
                &mut |line| eprintln!("{line}"),
            )
            .map_err(|e| Failure::new(2, e.to_string()))?;
            outln!("{} pairs in {}", pairs.len(), out.display());
            Ok(ExitCode::SUCCESS)
        }
        DataCommand::Traces {
            data,
            pairs,
            held_out,
            format,
        } => {
            let fail = |e: realscope_train::TrainError| Failure::new(2, e.to_string());
            let items = training(&data)?;
            let curve = traces::curve(&items, &data, &pairs, &held_out, &mut |line| {
                eprintln!("{line}");
            })
            .map_err(fail)?;
            match format {
                TextFormat::Json => outln!(
                    "{}",
                    serde_json::to_string_pretty(&curve).map_err(data_failure)?
                ),
                TextFormat::Text => {
                    outln!("AUC of      makers seen  makers unseen  generators  matched");
                    let text = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.3}"));
                    for p in curve {
                        outln!(
                            "{:>2} makers   {:>11}  {:>13}  {:>10}  {:>7}",
                            p.makers,
                            text(p.seen),
                            text(p.unseen),
                            text(p.generators),
                            text(p.matched)
                        );
                    }
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        DataCommand::Split {
            manifest,
            out,
            shares,
            seed,
        } => {
            let mut set = Manifest::read(&manifest).map_err(data_failure)?;
            let shares = shares
                .iter()
                .map(|s| {
                    s.split_once('=')
                        .and_then(|(n, v)| Some((n.to_owned(), v.parse::<f64>().ok()?)))
                        .filter(|(_, v)| *v > 0.0)
                        .ok_or_else(|| Failure::new(2, format!("--shares {s}: not NAME=SHARE")))
                })
                .collect::<Result<Vec<_>, _>>()?;
            check::split(&mut set, &shares, seed).map_err(data_failure)?;
            set.write(&out).map_err(data_failure)?;
            for (name, _) in &shares {
                let of = |label: u8| {
                    let side = set.items.iter().filter(|i| &i.split == name);
                    side.filter(|i| i.label == label).count()
                };
                outln!("{name}: {} authentic, {} generated", of(0), of(1));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}
