//! The first directory of a TIFF (TIFF 6.0, section 2) or BigTIFF.

/// How samples mean colours (PhotometricInterpretation).
pub(crate) const PHOTOMETRIC: u32 = 0x106;

struct Entry {
    tag: u32,
    /// The value where it is a single number of two or four bytes.
    value: u32,
    /// Where the value stands.
    at: usize,
}

/// The first directory of a TIFF.
pub(crate) struct Directory {
    entries: Vec<Entry>,
    little: bool,
}

impl Directory {
    pub(crate) fn first(bytes: &[u8]) -> Option<Self> {
        const LONG: u64 = 4;
        let little = bytes.starts_with(b"II");
        let number = |at: usize, len: usize| {
            let digits = bytes.get(at..at.checked_add(len)?)?;
            let join = |n: u64, digit: &u8| (n << 8) | u64::from(*digit);
            Some(if little {
                digits.iter().rev().fold(0, join)
            } else {
                digits.iter().fold(0, join)
            })
        };
        // Sizes of an offset, of the count of entries and of an entry, and where the value stands in it.
        let (offset, count, entry, value) = if number(2, 2)? == 43 {
            (8, 8, 20, 12)
        } else {
            (4, 2, 12, 8)
        };
        let start = usize::try_from(number(if offset == 8 { 8 } else { 4 }, offset)?).ok()?;
        let many = usize::try_from(number(start, count)?).ok()?;
        let entries = (0..many.min(65_536))
            .map(|i| {
                let at = start.checked_add(count + entry * i)?;
                let len = if number(at + 2, 2)? == LONG { 4 } else { 2 };
                let place = at + value;
                Some(Entry {
                    tag: number(at, 2)? as u32,
                    value: number(place, len)? as u32,
                    at: place,
                })
            })
            .collect::<Option<_>>()?;
        Some(Self { entries, little })
    }

    /// Whether the first picture is a camera's preview ahead of its raw photograph: DNGVersion, or a maker beside a
    /// reduced version (NewSubfileType, bit 0).
    pub(crate) fn is_of_camera(&self) -> bool {
        const DNG_VERSION: u32 = 0xc612;
        const MAKE: u32 = 0x10f;
        self.value(DNG_VERSION).is_some() || (self.value(MAKE).is_some() && self.is_preview())
    }

    /// Whether the first picture is a reduced version of another one: a verdict on a preview would be one on another
    /// picture.
    pub(crate) fn is_preview(&self) -> bool {
        const NEW_SUBFILE_TYPE: u32 = 0xfe;
        self.value(NEW_SUBFILE_TYPE).is_some_and(|v| v & 1 == 1)
    }

    /// A value that is one number.
    pub(crate) fn value(&self, tag: u32) -> Option<u32> {
        self.entries.iter().find(|e| e.tag == tag).map(|e| e.value)
    }

    /// The file with another number of two bytes in the place of a value.
    pub(crate) fn with(&self, bytes: &[u8], tag: u32, value: u16) -> Option<Vec<u8>> {
        let at = self.entries.iter().find(|e| e.tag == tag)?.at;
        let digits = if self.little {
            value.to_le_bytes()
        } else {
            value.to_be_bytes()
        };
        let mut copy = bytes.to_vec();
        copy.get_mut(at..at + 2)?.copy_from_slice(&digits);
        Some(copy)
    }
}
