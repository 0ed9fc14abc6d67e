//! What a scan reads: files, folders, patterns, lists, standard input.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use realscope::record::ErrorCode;
use realscope_media::{Format, Limits, format};

use crate::Failure;

/// One input.
pub enum Input {
    /// A file, and whether the user named it.
    File {
        /// Its path.
        path: PathBuf,
        /// Named by the user, not found in a folder.
        named: bool,
    },
    /// The bytes of standard input.
    Stdin(Vec<u8>),
    /// A named path that does not exist, a pattern that matches nothing, a folder that cannot be read.
    Failed {
        /// Its name.
        name: String,
        /// What went wrong.
        fault: Fault,
    },
    /// No file, in a folder, and not named like a picture.
    Skipped,
}

/// Why an input cannot be read.
pub type Fault = (ErrorCode, String);

/// Name of standard input in records.
pub const STDIN: &str = "-";

impl Input {
    /// Its name in records.
    pub fn name(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Stdin(_) | Self::Skipped => STDIN.into(),
            Self::Failed { name, .. } => name.clone(),
        }
    }
}

/// The inputs in order; folders are walked bytewise.
pub fn collect(paths: &[OsString], stdin: bool, limit: u64) -> Result<Vec<Input>, Failure> {
    if stdin {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| Failure::new(2, format!("stdin: {e}")))?;
        return Ok(vec![Input::Stdin(bytes)]);
    }
    let mut inputs = Vec::new();
    for path in paths {
        if path == "-" {
            let mut list = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut list)
                .map_err(|e| Failure::new(2, format!("stdin: {e}")))?;
            for line in list.split(|b| *b == b'\n') {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                if !line.is_empty() {
                    add(&name_of(line), &mut inputs);
                }
            }
        } else {
            add(path, &mut inputs);
        }
    }
    Ok(inputs)
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

fn failed(path: &Path, e: &std::io::Error) -> Input {
    Input::Failed {
        name: path.display().to_string(),
        fault: io_error(e),
    }
}

fn io_error(e: &std::io::Error) -> Fault {
    if e.kind() == std::io::ErrorKind::NotFound {
        (ErrorCode::NotFound, "no such file or folder".into())
    } else {
        (ErrorCode::Unreadable, e.to_string())
    }
}

fn add(name: &OsStr, inputs: &mut Vec<Input>) {
    let path = Path::new(name);
    let pattern = name.to_str().filter(|n| n.contains(['*', '?', '[']));
    match (std::fs::metadata(path), pattern) {
        (Ok(kind), _) => add_found(path.into(), &kind, inputs),
        (Err(_), Some(pattern)) => {
            let before = inputs.len();
            for found in glob::glob(pattern).into_iter().flatten() {
                match found {
                    Ok(path) => match std::fs::metadata(&path) {
                        Ok(kind) => add_found(path, &kind, inputs),
                        Err(e) => inputs.push(failed(&path, &e)),
                    },
                    Err(e) => inputs.push(failed(e.path(), e.error())),
                }
            }
            if inputs.len() == before {
                let none = std::io::ErrorKind::NotFound.into();
                inputs.push(failed(path, &none));
            }
        }
        (Err(e), None) => inputs.push(failed(path, &e)),
    }
}

fn add_found(path: PathBuf, kind: &std::fs::Metadata, inputs: &mut Vec<Input>) {
    if kind.is_dir() {
        walk(&path, inputs);
    } else {
        inputs.push(Input::File { path, named: true });
    }
}

/// Files below a folder, names in bytewise order; links to folders are not followed, pipes and devices not opened.
fn walk(folder: &Path, inputs: &mut Vec<Input>) {
    let mut entries = Vec::new();
    match std::fs::read_dir(folder) {
        Ok(found) => {
            for entry in found {
                match entry {
                    Ok(entry) => entries.push(entry.path()),
                    Err(e) => inputs.push(failed(folder, &e)),
                }
            }
        }
        Err(e) => inputs.push(failed(folder, &e)),
    }
    entries.sort_by(|a, b| {
        a.as_os_str()
            .as_encoded_bytes()
            .cmp(b.as_os_str().as_encoded_bytes())
    });
    for path in entries {
        let claims = claims_media(&path);
        match (std::fs::symlink_metadata(&path), std::fs::metadata(&path)) {
            (Ok(own), _) if own.is_dir() => walk(&path, inputs),
            (_, Ok(kind)) if kind.is_file() => inputs.push(Input::File { path, named: false }),
            (_, Ok(kind)) if claims && !kind.is_dir() => inputs.push(Input::Failed {
                name: path.display().to_string(),
                fault: (
                    ErrorCode::NotAPicture,
                    "not a picture: a pipe, a socket or a device".into(),
                ),
            }),
            (_, Err(e)) if claims => inputs.push(failed(&path, &e)),
            _ => inputs.push(Input::Skipped),
        }
    }
}

/// Whether a file's name claims that it is a picture or a video.
pub fn claims_media(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|n| format::name_claims_media(&n.to_string_lossy()))
}

/// The file's bytes; `None` for what is no picture and does not claim to be one. A pipe or a device that gives nothing
/// is given up at the deadline.
pub fn read(
    path: &Path,
    named: bool,
    limits: &Limits,
    deadline: Duration,
) -> Result<Option<Vec<u8>>, Fault> {
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
            Err((
                ErrorCode::Deadline,
                format!("nothing to read for {seconds} seconds"),
            ))
        }
    }
}

/// Whether a regular file is of a format that may hold moving pictures.
pub fn may_move(path: &Path) -> bool {
    if !std::fs::metadata(path).is_ok_and(|m| m.is_file()) {
        return false;
    }
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(512).read_to_end(&mut head));
    read.is_ok() && head_may_move(&head)
}

/// Whether a file that begins like this may hold moving pictures.
pub fn head_may_move(head: &[u8]) -> bool {
    let head = head.get(..512).unwrap_or(head);
    Format::sniff(head) == Some(Format::Video) || animated(head)
}

/// Whether a picture announces in its first bytes that it moves; of a GIF only its blocks tell.
fn animated(head: &[u8]) -> bool {
    match Format::sniff(head) {
        Some(Format::Gif) => true,
        Some(Format::Webp) => {
            head.get(12..16) == Some(b"VP8X") && head.get(20).is_some_and(|flags| flags & 2 != 0)
        }
        // The chunk stands ahead of the first picture's data.
        Some(Format::Png) => head.windows(4).any(|w| w == b"acTL"),
        _ => false,
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
