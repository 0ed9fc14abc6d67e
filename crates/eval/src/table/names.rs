//! Names interned by column, so that ten million rows fit into memory.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;
use hashbrown::HashTable;

/// A column of names, each stored once. A column that the file lacks has no rows and is read as empty names.
#[derive(Clone, Debug)]
pub struct Names {
    /// Number of each row.
    rows: Vec<u32>,
    text: String,
    /// End of each name in the text.
    ends: Vec<usize>,
    index: HashTable<u32>,
}

fn slice<'a>(text: &'a str, ends: &[usize], number: u32) -> &'a str {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start..ends[number]]
}

/// The empty name, which every column knows.
const NO_NAME: u32 = 0;

impl Default for Names {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            text: String::new(),
            ends: vec![0],
            index: HashTable::new(),
        }
    }
}

impl Names {
    pub(super) fn push(&mut self, name: &str) {
        if name.is_empty() {
            self.rows.push(NO_NAME);
            return;
        }
        // Neighbouring rows often share the name.
        if let Some(last) = self.rows.last().copied()
            && self.name(last) == name
        {
            self.rows.push(last);
            return;
        }
        let Self {
            rows,
            text,
            ends,
            index,
        } = self;
        let found = index.find(hash(name), |n| slice(text, ends, *n) == name);
        let number = match found {
            Some(number) => *number,
            None => {
                let number = ends.len() as u32;
                text.push_str(name);
                ends.push(text.len());
                index.insert_unique(hash(name), number, |n| hash(slice(text, ends, *n)));
                number
            }
        };
        rows.push(number);
    }

    /// Name of a number.
    #[must_use]
    pub fn name(&self, number: u32) -> &str {
        slice(&self.text, &self.ends, number)
    }

    /// Number of a name; `None` when no row has it.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        if name.is_empty() {
            return Some(NO_NAME);
        }
        let found = self.index.find(hash(name), |n| self.name(*n) == name);
        found.copied()
    }

    /// Number of the name in a row.
    #[must_use]
    pub fn at(&self, row: usize) -> u32 {
        self.rows.get(row).copied().unwrap_or(NO_NAME)
    }

    /// How many different names there are, the empty one among them.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.ends.len()
    }

    /// Name in a row.
    #[must_use]
    pub fn of(&self, row: usize) -> &str {
        self.name(self.at(row))
    }
}

/// A hash that is the same on every run.
pub(super) fn hash(value: impl std::hash::Hash) -> u64 {
    FixedState::default().hash_one(value)
}
