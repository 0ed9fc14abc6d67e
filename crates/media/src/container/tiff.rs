//! The first directory of a TIFF (TIFF 6.0, section 2).

use crate::format::RAW;

/// The first directory of a TIFF (TIFF 6.0, section 2): tags, their values where those are single numbers of two or four
/// bytes, and where the next directory begins (0: nowhere).
pub(crate) struct Directory {
    tags: Vec<(u32, u32)>,
    pub(crate) next: u32,
}

impl Directory {
    pub(crate) fn first(bytes: &[u8]) -> Option<Self> {
        const LONG: u32 = 4;
        let little = bytes.starts_with(b"II");
        let number = |at: usize, len: usize| {
            let digits = bytes.get(at..at.checked_add(len)?)?;
            let join = |n: u32, digit: &u8| (n << 8) | u32::from(*digit);
            Some(if little {
                digits.iter().rev().fold(0, join)
            } else {
                digits.iter().fold(0, join)
            })
        };
        let start = number(4, 4)? as usize;
        let count = number(start, 2)? as usize;
        let tags = (0..count)
            .map(|i| {
                let at = start + 2 + 12 * i;
                let len = if number(at + 2, 2)? == LONG { 4 } else { 2 };
                Some((number(at, 2)?, number(at + 8, len)?))
            })
            .collect::<Option<_>>()?;
        let next = number(start + 2 + 12 * count, 4).unwrap_or(0);
        Some(Self { tags, next })
    }

    /// What the first picture is if not the one that the file is for: a verdict on a preview would be one on another
    /// picture. Cameras write DNGVersion, or a reduced version (NewSubfileType, bit 0) ahead of the raw photograph.
    pub(crate) fn refused(&self) -> Option<&'static str> {
        const DNG_VERSION: u32 = 0xc612;
        const NEW_SUBFILE_TYPE: u32 = 0xfe;
        self.tags.iter().find_map(|(tag, v)| match *tag {
            DNG_VERSION => Some(RAW),
            NEW_SUBFILE_TYPE if v & 1 == 1 => Some("TIFF that begins with a preview"),
            _ => None,
        })
    }
}
