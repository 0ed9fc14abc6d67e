//! An import under way: files found, judged fit or quarantined, and added as items.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use realscope_media::Format;
use serde_json::Value;

use crate::manifest::{Item, Manifest, ManifestError, Quarantined};

/// Options of an import.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Prefixes of listed paths to replace: (from, to).
    pub remap: Vec<(String, String)>,
}

/// An import under way.
pub(super) struct Import {
    pub(super) root: PathBuf,
    options: Options,
    pub(super) manifest: Manifest,
    seen: HashSet<String>,
}

impl Import {
    /// Nothing read yet.
    pub(super) fn new(root: &Path, options: &Options) -> Self {
        Self {
            root: root.to_owned(),
            options: options.clone(),
            manifest: Manifest::default(),
            seen: HashSet::new(),
        }
    }

    /// The folder that relative paths start from.
    pub(super) fn base(&self) -> PathBuf {
        if self.root.is_dir() {
            self.root.clone()
        } else {
            self.root.parent().unwrap_or(Path::new(".")).to_owned()
        }
    }

    /// Leaves a file out and says why.
    pub(super) fn quarantine(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.manifest.quarantined.push(Quarantined {
            path: path.into(),
            reason: reason.into(),
        });
    }

    /// Adds an item whose path names an existing file, unless the file is unfit.
    pub(super) fn add(&mut self, item: Item) {
        let path = PathBuf::from(&item.path);
        match unfit(&path) {
            Some(reason) => self.quarantine(item.path, reason),
            None => self.add_unchecked(item),
        }
    }

    /// Whether an item of this path was added.
    pub(super) fn has(&self, path: &str) -> bool {
        self.seen.contains(path)
    }

    /// Adds an item without looking at its file; a path that came before is quarantined.
    pub(super) fn add_unchecked(&mut self, item: Item) {
        if self.seen.insert(item.path.clone()) {
            self.manifest.items.push(item);
        } else {
            self.quarantine(item.path, "listed twice");
        }
    }

    /// A listed path as it lies on this disk: separators made uniform, prefixes replaced, relative
    /// ones taken from the set's folder or the nearest ancestor where they exist.
    pub(super) fn locate(&self, listed: &str) -> PathBuf {
        let mut text = listed.replace('\\', "/");
        for (from, to) in &self.options.remap {
            if let Some(rest) = text.strip_prefix(from.as_str()) {
                text = format!("{to}{rest}");
                break;
            }
        }
        let path = PathBuf::from(text.trim_start_matches("./"));
        if path.is_absolute() {
            return path;
        }
        let base = self.base();
        base.ancestors()
            .take(4)
            .map(|folder| folder.join(&path))
            .find(|p| p.exists())
            .unwrap_or_else(|| base.join(&path))
    }

    /// All files below a folder, in order; links are not followed.
    pub(super) fn files(&self, folder: &Path) -> Result<Vec<PathBuf>, ManifestError> {
        let mut out = Vec::new();
        let mut stack = vec![folder.to_owned()];
        while let Some(folder) = stack.pop() {
            let entries =
                std::fs::read_dir(&folder).map_err(|e| ManifestError::file(&folder, e))?;
            for entry in entries {
                let entry = entry.map_err(|e| ManifestError::file(&folder, e))?;
                let kind = entry
                    .file_type()
                    .map_err(|e| ManifestError::file(&folder, e))?;
                if kind.is_dir() {
                    stack.push(entry.path());
                } else if kind.is_file() {
                    out.push(entry.path());
                }
            }
        }
        out.sort();
        Ok(out)
    }

    /// The root itself where it is a file, else all files of an extension below it.
    pub(super) fn lists(&self, extension: &str) -> Result<Vec<PathBuf>, ManifestError> {
        if self.root.is_file() {
            return Ok(vec![self.root.clone()]);
        }
        let mut files = self.files(&self.root)?;
        files.retain(|f| f.extension().is_some_and(|e| e == extension));
        Ok(files)
    }

    /// Parts of a path below the root, as text.
    pub(super) fn parts(&self, path: &Path) -> Vec<String> {
        let base = self.base();
        path.strip_prefix(&base)
            .unwrap_or(path)
            .components()
            .map(|c| c.as_os_str().to_string_lossy().into_owned())
            .collect()
    }
}

/// A path with `/` between its parts.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// Whether a name is that of a picture or video.
pub(super) fn is_media(path: &Path) -> bool {
    path.file_name()
        .and_then(|n| n.to_str())
        .is_some_and(realscope_media::format::name_claims_media)
}

/// Text of a JSON value that is a string.
pub(super) fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Why a file cannot be a whole picture or video, by its first and last bytes.
fn unfit(path: &Path) -> Option<String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) => return Some(e.to_string()),
    };
    let mut head = [0; 512];
    let n = match file.read(&mut head) {
        Ok(0) => return Some("empty".into()),
        Ok(n) => n,
        Err(e) => return Some(e.to_string()),
    };
    let Some(format) = Format::sniff(&head[..n]) else {
        return Some(format!(
            "no picture or video: {}",
            realscope_media::format::describe(&head[..n])
        ));
    };
    let mut tail = Vec::new();
    let ending = file
        .seek(SeekFrom::End(0))
        .and_then(|length| file.seek(SeekFrom::Start(length.saturating_sub(4096))))
        .and_then(|_| file.read_to_end(&mut tail));
    if let Err(e) = ending {
        return Some(e.to_string());
    }
    let holds = |mark: &[u8]| tail.windows(mark.len()).any(|w| w == mark);
    match format {
        Format::Jpeg if !holds(&[0xff, 0xd9]) => Some("JPEG without an end: cut short".into()),
        Format::Png if !holds(b"IEND") => Some("PNG without an end: cut short".into()),
        _ => None,
    }
}
