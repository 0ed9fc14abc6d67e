//! Reading a file: its format by its first bytes, and duplicates without a set of all rows where there are none.

use std::fs::File;
use std::path::Path;

use hashbrown::HashSet;
use rayon::prelude::*;

use super::builder::{Builder, Reading, Unique};
use super::columns::Table;
use super::error::TableError;
use super::{csv, parquet};

impl Table {
    /// Reads a Parquet file (told by its first bytes) or a CSV file.
    ///
    /// # Errors
    /// [`TableError`] naming the file, and the row where one is at fault.
    pub fn read(path: &Path, reading: Reading) -> Result<Self, TableError> {
        let unreadable = |reason: String| TableError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        let mut magic = [0; 4];
        {
            use std::io::Read as _;
            let mut file = File::open(path).map_err(|e| unreadable(e.to_string()))?;
            let read = file
                .read(&mut magic)
                .map_err(|e| unreadable(e.to_string()))?;
            if read == 0 {
                return Err(TableError::Empty {
                    path: path.to_owned(),
                });
            }
        }
        let read = |unique: Unique| {
            let mut builder = Builder::new(path, reading, unique);
            if magic == *b"PAR1" {
                parquet::read(path, &mut builder)?;
            } else {
                csv::read(path, &mut builder)?;
            }
            Ok(builder)
        };
        // Only a file with a fault is read again with an eye on every row: the first fault is then named in its order.
        let quick = read(Unique::AtEnd(Vec::new()));
        if let Ok(Builder {
            unique: Unique::AtEnd(mut all),
            table,
            ..
        }) = quick
        {
            all.par_sort_unstable();
            if all.windows(2).all(|pair| pair[0] != pair[1]) && !table.is_empty() {
                return Ok(table);
            }
        }
        read(Unique::AtOnce(HashSet::default()))?.finish()
    }
}
