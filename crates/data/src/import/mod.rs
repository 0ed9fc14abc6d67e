//! Data sets as they lie on users' disks, read unchanged into a [`Manifest`].
//!
//! Every importer converts polarity to ours (1 = generated or manipulated), makes video ids unique
//! over the set, and quarantines what cannot be a picture or video (empty, of another content, cut
//! short) instead of stopping. Facts on the layouts are those of the data sets' papers, read-mes
//! and issue threads.

mod deepfakebench;
mod dfdc;
mod dgm4;
mod faceforensics;
mod folders;
mod lists;

use std::path::{Path, PathBuf};

use realscope_media::Format;

use crate::manifest::{Item, Manifest, ManifestError, Quarantined};

/// A layout that can be imported.
pub struct Layout {
    /// Name on the command line.
    pub name: &'static str,
    /// What it looks like.
    pub summary: &'static str,
    read: fn(&mut Import) -> Result<(), ManifestError>,
}

/// All layouts.
pub const LAYOUTS: &[Layout] = &[
    Layout {
        name: "folders",
        summary: "class folders anywhere below: real|fake, 0_real|1_fake, nature|ai, authentic|generated",
        read: folders::plain,
    },
    Layout {
        name: "forensynths",
        summary: "ForenSynths / CNNDetection: [train|val|test/]GENERATOR/[CLASS/]{0_real,1_fake}",
        read: folders::forensynths,
    },
    Layout {
        name: "aigcdetect",
        summary: "AIGCDetectBenchmark: as forensynths",
        read: folders::forensynths,
    },
    Layout {
        name: "genimage",
        summary: "GenImage: GENERATOR/[ARCHIVE/]{train,val}/{ai,nature}; split archives are reported",
        read: folders::genimage,
    },
    Layout {
        name: "deepfakebench",
        summary: "DeepfakeBench JSON: {SET: {LABEL: {SPLIT: [{COMPRESSION:] {VIDEO: {label, frames}}}}}",
        read: deepfakebench::read,
    },
    Layout {
        name: "faceforensics",
        summary: "FaceForensics++: {original,manipulated}_sequences/METHOD/{raw,c23,c40}/{videos,frames}",
        read: faceforensics::ffpp,
    },
    Layout {
        name: "celebdf",
        summary: "Celeb-DF v1 and v2: Celeb-real, YouTube-real, Celeb-synthesis, List_of_testing_videos.txt",
        read: faceforensics::celebdf,
    },
    Layout {
        name: "dfdc",
        summary: "DFDC: dfdc_train_part_N with metadata.json, test/videos with labels.csv",
        read: dfdc::dfdc,
    },
    Layout {
        name: "dfdcp",
        summary: "DFDC preview: dataset.json beside method_A, method_B and original_videos",
        read: dfdc::preview,
    },
    Layout {
        name: "df40",
        summary: "DF40: METHOD/{ff,cdf}/... and METHOD/{fake,real}",
        read: faceforensics::df40,
    },
    Layout {
        name: "forgerynet",
        summary: "ForgeryNet: image or video lists with binary, 3-way and 16-way labels",
        read: lists::forgerynet,
    },
    Layout {
        name: "genvideo",
        summary: "GenVideo: GenVideo-Val/{Real,Fake/GENERATOR} or CSV lists",
        read: lists::genvideo,
    },
    Layout {
        name: "genvidbench",
        summary: "GenVidBench: lines `path label` in {train,test}.txt",
        read: lists::genvidbench,
    },
    Layout {
        name: "owdfa",
        summary: "OW-DFA: CSV img_path,label,face_type,method,image_source,tag",
        read: lists::owdfa,
    },
    Layout {
        name: "dgm4",
        summary: "DGM4: JSON list of {image, fake_cls, fake_image_box, ...}",
        read: dgm4::read,
    },
    Layout {
        name: "csv",
        summary: "CSV or tab-separated text with path, label, group and the manifest's other columns",
        read: lists::generic,
    },
];

/// Options of an import.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Prefixes of listed paths to replace: (from, to).
    pub remap: Vec<(String, String)>,
}

/// Reads `root` (a folder, or the file that lists the set) in the named layout.
///
/// # Errors
/// [`ManifestError`] when the layout is unknown, the root cannot be read or nothing in it fits.
pub fn import(layout: &str, root: &Path, options: &Options) -> Result<Manifest, ManifestError> {
    let found = LAYOUTS.iter().find(|l| l.name == layout).ok_or_else(|| {
        let names: Vec<&str> = LAYOUTS.iter().map(|l| l.name).collect();
        ManifestError::file(
            root,
            format!("unknown layout `{layout}`; known: {}", names.join(", ")),
        )
    })?;
    if !root.exists() {
        return Err(ManifestError::file(root, "no such file or folder"));
    }
    let mut import = Import {
        root: root.to_owned(),
        options: options.clone(),
        manifest: Manifest::default(),
        seen: std::collections::HashSet::new(),
    };
    (found.read)(&mut import)?;
    let mut manifest = import.manifest;
    if manifest.items.is_empty() {
        return Err(ManifestError::file(
            root,
            format!(
                "no item in layout `{layout}` ({}); {} files quarantined",
                found.summary,
                manifest.quarantined.len()
            ),
        ));
    }
    manifest.items.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(manifest)
}

/// An import under way.
pub(crate) struct Import {
    root: PathBuf,
    options: Options,
    manifest: Manifest,
    seen: std::collections::HashSet<String>,
}

impl Import {
    /// The folder that relative paths start from.
    fn base(&self) -> PathBuf {
        if self.root.is_dir() {
            self.root.clone()
        } else {
            self.root.parent().unwrap_or(Path::new(".")).to_owned()
        }
    }

    fn quarantine(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.manifest.quarantined.push(Quarantined {
            path: path.into(),
            reason: reason.into(),
        });
    }

    /// Adds an item whose path names an existing file, unless the file is unfit.
    fn add(&mut self, item: Item) {
        let path = PathBuf::from(&item.path);
        match unfit(&path) {
            Some(reason) => self.quarantine(item.path, reason),
            None => self.add_unchecked(item),
        }
    }

    fn add_unchecked(&mut self, item: Item) {
        if self.seen.insert(item.path.clone()) {
            self.manifest.items.push(item);
        } else {
            self.quarantine(item.path, "listed twice");
        }
    }

    /// A listed path as it lies on this disk: separators made uniform, prefixes replaced, relative
    /// ones taken from the set's folder or the nearest ancestor where they exist.
    fn locate(&self, listed: &str) -> PathBuf {
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
    fn files(&self, folder: &Path) -> Result<Vec<PathBuf>, ManifestError> {
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
    fn lists(&self, extension: &str) -> Result<Vec<PathBuf>, ManifestError> {
        if self.root.is_file() {
            return Ok(vec![self.root.clone()]);
        }
        let mut files = self.files(&self.root)?;
        files.retain(|f| f.extension().is_some_and(|e| e == extension));
        Ok(files)
    }

    /// Parts of a path below the root, as text.
    fn parts(&self, path: &Path) -> Vec<String> {
        let base = self.base();
        path.strip_prefix(&base)
            .unwrap_or(path)
            .components()
            .map(|c| c.as_os_str().to_string_lossy().into_owned())
            .collect()
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// Whether a name is that of a picture or video.
pub(crate) fn is_media(path: &Path) -> bool {
    path.file_name()
        .and_then(|n| n.to_str())
        .is_some_and(realscope_media::format::name_claims_media)
}

/// Why a file cannot be a whole picture or video, by its first and last bytes.
pub(crate) fn unfit(path: &Path) -> Option<String> {
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
