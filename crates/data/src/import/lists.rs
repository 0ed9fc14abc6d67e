//! Sets that come with lists: ForgeryNet, GenVideo, GenVidBench, OW-DFA, and our own CSV.

use std::path::Path;

use super::reader::{Import, is_media, text};
use crate::manifest::{Item, Manifest, ManifestError};

fn split_of(list: &Path) -> &'static str {
    let name = text(list).to_ascii_lowercase();
    let file = name.rsplit('/').next().unwrap_or_default();
    if file.contains("train") || name.contains("/training/") {
        "train"
    } else if file.contains("val") || name.contains("/validation/") {
        "val"
    } else if file.contains("test") {
        "test"
    } else {
        ""
    }
}

/// ForgeryNet: `path binary 3-way 16-way` a line, class 0 = real in each; spatial lists have the
/// mask's path second.
pub(super) fn forgerynet(import: &mut Import) -> Result<(), ManifestError> {
    for list in import.lists("txt")? {
        let lines = std::fs::read_to_string(&list).map_err(|e| ManifestError::file(&list, e))?;
        let split = split_of(&list);
        for (n, line) in lines.lines().enumerate() {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let Some((path, rest)) = cells.split_first() else {
                continue;
            };
            let (mask, labels) = match rest.split_first() {
                Some((first, others)) if first.parse::<u32>().is_err() => (*first, others),
                _ => ("", rest),
            };
            let labels: Option<Vec<u32>> = labels.iter().map(|l| l.parse().ok()).collect();
            let Some(labels) =
                labels.filter(|l| l.first().map_or(!mask.is_empty(), |first| *first <= 1))
            else {
                import.quarantine(
                    format!("{}:{}", text(&list), n + 1),
                    format!("line `{line}`"),
                );
                continue;
            };
            let method = labels
                .get(2)
                .copied()
                .unwrap_or(labels.first().copied().unwrap_or(1));
            let label = labels.first().map_or(1, |l| u8::from(*l > 0));
            let located = import.locate(path);
            let located = [
                located.clone(),
                list.parent().unwrap_or(Path::new(".")).join(path),
            ]
            .into_iter()
            .find(|p| p.exists())
            .unwrap_or(located);
            let video = path
                .rsplit_once('/')
                .map(|(folder, _)| folder.to_owned())
                .unwrap_or_default();
            import.add(Item {
                path: text(&located),
                label,
                split: split.into(),
                group: if label == 1 {
                    format!("method-{method}")
                } else {
                    "real".into()
                },
                generator: if label == 1 {
                    format!("method-{method}")
                } else {
                    String::new()
                },
                source: "ForgeryNet".into(),
                video: if text(&list).contains("video") {
                    format!("{}/{video}", label)
                } else {
                    String::new()
                },
                mask: if mask.is_empty() {
                    String::new()
                } else {
                    text(&import.locate(mask))
                },
                ..Item::default()
            });
        }
    }
    Ok(())
}

/// GenVideo: folders `Real` and `Fake/GENERATOR`, or CSV lists with `content_path` and `label`.
pub(super) fn genvideo(import: &mut Import) -> Result<(), ManifestError> {
    for list in import.lists("csv")? {
        let mut reader =
            csv::Reader::from_path(&list).map_err(|e| ManifestError::file(&list, e))?;
        let header = reader
            .headers()
            .map_err(|e| ManifestError::file(&list, e))?
            .clone();
        let find = |name: &str| header.iter().position(|h| h == name);
        let (Some(content), Some(label)) = (find("content_path"), find("label")) else {
            import.quarantine(text(&list), "no columns content_path and label");
            continue;
        };
        for (n, row) in reader.records().enumerate() {
            let row = row.map_err(|e| ManifestError::file(&list, e))?;
            let path = row.get(content).unwrap_or_default();
            let label = match row.get(label).unwrap_or_default().trim() {
                "0" => 0,
                "1" => 1,
                other => {
                    import.quarantine(
                        format!("{}:{}", text(&list), n + 1),
                        format!("label `{other}`"),
                    );
                    continue;
                }
            };
            let located = import.locate(path);
            let generator = generator_of(path);
            add_video(import, &located, label, split_of(&list), &generator);
        }
    }
    if import.root.is_dir() {
        for file in import.files(&import.root.clone())? {
            if !is_media(&file) {
                continue;
            }
            let parts = import.parts(&file);
            let at = parts
                .iter()
                .position(|p| p.eq_ignore_ascii_case("fake") || p.eq_ignore_ascii_case("real"));
            let Some(at) = at else {
                import.quarantine(text(&file), "not below Real or Fake");
                continue;
            };
            if import.has(&text(&file)) {
                continue;
            }
            let label = u8::from(parts[at].eq_ignore_ascii_case("fake"));
            let generator = parts.get(at + 1).cloned().unwrap_or_default();
            let split = if parts.iter().any(|p| p.contains("Val")) {
                "test"
            } else {
                ""
            };
            add_video(import, &file, label, split, &generator);
        }
    }
    Ok(())
}

fn generator_of(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    parts
        .iter()
        .position(|p| p.eq_ignore_ascii_case("fake"))
        .and_then(|at| parts.get(at + 1))
        .copied()
        .unwrap_or_default()
        .to_owned()
}

fn add_video(import: &mut Import, file: &Path, label: u8, split: &str, generator: &str) {
    let stem = file
        .file_stem()
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default();
    let group = if label == 1 && !generator.is_empty() {
        generator.to_owned()
    } else if label == 1 {
        "fake".into()
    } else {
        "real".into()
    };
    import.add(Item {
        path: text(file),
        label,
        split: split.into(),
        video: format!("{group}/{stem}"),
        generator: if label == 1 {
            group.clone()
        } else {
            String::new()
        },
        group,
        source: "GenVideo".into(),
        ..Item::default()
    });
}

/// GenVidBench: `relative/path.mp4 label` a line; 0 = real, any other class = generated.
pub(super) fn genvidbench(import: &mut Import) -> Result<(), ManifestError> {
    for list in import.lists("txt")? {
        let lines = std::fs::read_to_string(&list).map_err(|e| ManifestError::file(&list, e))?;
        for (n, line) in lines.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let parsed = line
                .trim()
                .rsplit_once(char::is_whitespace)
                .and_then(|(p, l)| Some((p.trim(), l.parse::<u32>().ok()?)));
            let Some((path, label)) = parsed else {
                import.quarantine(
                    format!("{}:{}", text(&list), n + 1),
                    format!("line `{line}`"),
                );
                continue;
            };
            let located = import.locate(path);
            // The folder above a video names its generator or source.
            let folder = path.rsplit('/').nth(1).unwrap_or("videos").to_owned();
            let stem = path.rsplit_once('.').map_or(path, |(s, _)| s).to_owned();
            let label = u8::from(label > 0);
            import.add(Item {
                path: text(&located),
                label,
                split: split_of(&list).into(),
                group: folder.clone(),
                generator: if label == 1 { folder } else { String::new() },
                source: "GenVidBench".into(),
                video: stem,
                ..Item::default()
            });
        }
    }
    Ok(())
}

/// OW-DFA: the class `Real...` of `face_type` is authentic; rows with tag 0 are dropped by the set.
pub(super) fn owdfa(import: &mut Import) -> Result<(), ManifestError> {
    for list in import.lists("csv")? {
        let mut reader =
            csv::Reader::from_path(&list).map_err(|e| ManifestError::file(&list, e))?;
        let header = reader
            .headers()
            .map_err(|e| ManifestError::file(&list, e))?
            .clone();
        let find = |name: &str| header.iter().position(|h| h == name);
        let (Some(path), Some(face), Some(method)) =
            (find("img_path"), find("face_type"), find("method"))
        else {
            import.quarantine(text(&list), "no columns img_path, face_type and method");
            continue;
        };
        let (source, tag) = (find("image_source"), find("tag"));
        for row in reader.records() {
            let row = row.map_err(|e| ManifestError::file(&list, e))?;
            let cell = |at: usize| row.get(at).unwrap_or_default();
            let located = import.locate(cell(path));
            if tag.is_some_and(|t| cell(t) == "0") {
                import.quarantine(text(&located), "tag 0: dropped by the set");
                continue;
            }
            let label = u8::from(!cell(face).to_ascii_lowercase().starts_with("real"));
            let source = source.map(cell).unwrap_or_default().to_owned();
            import.add(Item {
                path: text(&located),
                label,
                split: split_of(&list).into(),
                group: if label == 1 {
                    cell(method).to_owned()
                } else {
                    format!("real/{source}")
                },
                generator: if label == 1 {
                    cell(method).to_owned()
                } else {
                    String::new()
                },
                source,
                ..Item::default()
            });
        }
    }
    Ok(())
}

/// Our own columns; paths are made absolute so that the new manifest can lie elsewhere.
pub(super) fn generic(import: &mut Import) -> Result<(), ManifestError> {
    for item in Manifest::read(&import.root)?.items {
        let located = import.locate(&item.path);
        let mask = if item.mask.is_empty() {
            String::new()
        } else {
            text(&import.locate(&item.mask))
        };
        import.add(Item {
            path: text(&located),
            mask,
            ..item
        });
    }
    Ok(())
}
