//! Features on disk: one record a file, found by the file's content.
//!
//! A store is a file of records `[key, values]`. Records are only added, so an interrupted run goes on behind the last
//! whole one, and a run with more files computes those alone.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use half::f16;
use realscope_data::split::ClipFrame;
use sha2::{Digest as _, Sha256};

use crate::error::{TrainError, io_error};

/// What tells a file's content apart: SHA-256.
pub(crate) type Key = [u8; 32];

/// The key of a picture, or of a frame of a clip.
pub(crate) fn key(path: &Path) -> Result<Key, TrainError> {
    let text = path.to_string_lossy();
    let (file, frame) = match ClipFrame::parse(&text) {
        Some((clip, frame)) => (Path::new(clip), Some(frame)),
        None => (path, None),
    };
    let mut hash = Sha256::new();
    let mut reader = File::open(file).map_err(io_error(file))?;
    std::io::copy(&mut reader, &mut hash).map_err(io_error(file))?;
    if let Some(frame) = frame {
        hash.update(format!("#{}/{}", frame.number, frame.of));
    }
    Ok(hash.finalize().into())
}

/// A key as text.
pub(crate) fn hex(key: &Key) -> String {
    key.iter().map(|b| format!("{b:02x}")).collect()
}

/// Records of one length.
pub(crate) struct Store {
    path: PathBuf,
    file: File,
    values: usize,
    /// Number of the record of each key.
    at: HashMap<Key, u64>,
}

impl Store {
    /// Opens or begins a store of records of `values` half floats.
    pub fn open(path: &Path, values: usize) -> Result<Self, TrainError> {
        let fault = |e: std::io::Error| io_error(path)(e);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)
            .map_err(fault)?;
        let record = 32 + 2 * values as u64;
        let whole = file.metadata().map_err(fault)?.len() / record;
        file.set_len(whole * record).map_err(fault)?;
        let mut at = HashMap::new();
        file.seek(SeekFrom::Start(0)).map_err(fault)?;
        let mut reader = BufReader::new(&file);
        for number in 0..whole {
            let mut key = Key::default();
            reader.read_exact(&mut key).map_err(fault)?;
            reader.seek_relative(2 * values as i64).map_err(fault)?;
            at.insert(key, number);
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            values,
            at,
        })
    }

    /// Whether a key has a record.
    pub fn has(&self, key: &Key) -> bool {
        self.at.contains_key(key)
    }

    /// Adds a record.
    pub fn add(&mut self, key: Key, values: &[f16]) -> Result<(), TrainError> {
        assert_eq!(values.len(), self.values, "a record of another length");
        let bytes: Vec<u8> = key
            .into_iter()
            .chain(values.iter().flat_map(|v| v.to_le_bytes()))
            .collect();
        self.file.write_all(&bytes).map_err(io_error(&self.path))?;
        self.at.insert(key, self.at.len() as u64);
        Ok(())
    }

    /// The values of keys, one after the other.
    pub fn read(&mut self, keys: &[Key]) -> Result<Vec<f16>, TrainError> {
        let mut out = Vec::with_capacity(keys.len() * self.values);
        let mut bytes = vec![0; 2 * self.values];
        for key in keys {
            let number = self.at.get(key).ok_or_else(|| {
                TrainError::Recipe(format!(
                    "{}: no record of {}",
                    self.path.display(),
                    hex(key)
                ))
            })?;
            let start = number * (32 + bytes.len() as u64) + 32;
            self.file
                .seek(SeekFrom::Start(start))
                .and_then(|_| self.file.read_exact(&mut bytes))
                .map_err(io_error(&self.path))?;
            let values = bytes.chunks_exact(2);
            out.extend(values.map(|b| f16::from_le_bytes([b[0], b[1]])));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_outlive_an_interrupted_run() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("store");
        let row = |v: f32| [f16::from_f32(v), f16::from_f32(-v)];
        let mut store = Store::open(&path, 2).expect("opens");
        store.add([1; 32], &row(1.0)).expect("adds");
        store.add([2; 32], &row(2.0)).expect("adds");
        drop(store);
        // Half a record, as a killed run leaves it.
        let length = std::fs::metadata(&path).expect("is there").len();
        let file = OpenOptions::new().append(true).open(&path).expect("opens");
        (&file).write_all(&[3; 20]).expect("writes");
        let mut store = Store::open(&path, 2).expect("opens");
        assert_eq!(std::fs::metadata(&path).expect("is there").len(), length);
        assert!(store.has(&[2; 32]) && !store.has(&[3; 32]));
        store.add([3; 32], &row(3.0)).expect("adds");
        let all = store.read(&[[3; 32], [1; 32]]).expect("reads");
        assert_eq!(all, [row(3.0), row(1.0)].concat());
        assert!(store.read(&[[4; 32]]).is_err());
    }

    #[test]
    fn a_key_is_of_content_and_frame() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let [a, b] = ["a.mp4", "b.mp4"].map(|name| folder.path().join(name));
        for path in [&a, &b] {
            std::fs::write(path, "content").expect("writes");
        }
        assert_eq!(key(&a).expect("reads"), key(&b).expect("reads"));
        let frame = |n: u8| folder.path().join(format!("a.mp4#{n}/2"));
        let [first, second] = [0, 1].map(|n| key(&frame(n)).expect("reads"));
        assert!(first != second && first != key(&a).expect("reads"));
        assert!(key(&folder.path().join("c.mp4")).is_err());
    }
}
