//! Tags of the first directory of a TIFF or BigTIFF (TIFF 6.0, section 2), values of any length.

/// Entries of a directory; what is damaged is left out.
pub(crate) struct Tags<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Tags<'a> {
    /// The bytes of a tag's value.
    pub(crate) fn get(&self, tag: u16) -> Option<&'a [u8]> {
        self.0.iter().find(|(t, _)| *t == tag).map(|(_, v)| *v)
    }
}

/// The first directory.
pub(crate) fn first(bytes: &[u8]) -> Option<Tags<'_>> {
    let little = bytes.starts_with(b"II");
    let number = |at: usize, len: usize| -> Option<u64> {
        let digits = bytes.get(at..at.checked_add(len)?)?;
        let join = |n: u64, d: &u8| (n << 8) | u64::from(*d);
        Some(if little {
            digits.iter().rev().fold(0, join)
        } else {
            digits.iter().fold(0, join)
        })
    };
    // Sizes of the start, the count, an entry's own count and its value.
    let (start, count_len, wide) = match number(2, 2)? {
        42 => (number(4, 4)?, 2, 4),
        43 => (number(8, 8)?, 8, 8),
        _ => return None,
    };
    let start = usize::try_from(start).ok()?;
    let count = number(start, count_len)?.min(4096) as usize;
    let entry = 4 + 2 * wide;
    let tags = (0..count).filter_map(|i| {
        let at = start.checked_add(count_len + entry * i)?;
        let tag = u16::try_from(number(at, 2)?).ok()?;
        let unit = match number(at + 2, 2)? {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16..=18 => 8,
            _ => return None,
        };
        let len = usize::try_from(number(at + 4, wide)?)
            .ok()?
            .checked_mul(unit)?;
        let value = if len <= wide {
            at + 4 + wide
        } else {
            usize::try_from(number(at + 4 + wide, wide)?).ok()?
        };
        Some((tag, bytes.get(value..value.checked_add(len)?)?))
    });
    Some(Tags(tags.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_and_both_byte_orders_are_read() {
        let small = b"MM\0\x2a\0\0\0\x08\0\x02\x02\xbc\0\x01\0\0\0\x05\0\0\0\x22\x01\x12\0\x03\0\0\0\x01\0\x06\0\0<xmp>";
        let tags = first(small).unwrap();
        assert_eq!(tags.get(700), Some(&b"<xmp>"[..]));
        assert_eq!(tags.get(0x112), Some(&b"\0\x06"[..]));
        let mut big = b"II\x2b\0\x08\0\0\0\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0".to_vec();
        big.extend(b"\xbc\x02\x07\0\x03\0\0\0\0\0\0\0abc\0\0\0\0\0");
        assert_eq!(first(&big).unwrap().get(700), Some(&b"abc"[..]));
        for file in [&small[..], &big] {
            for end in 0..file.len() {
                let _ = first(&file[..end]);
            }
        }
        // A value that lies outside costs that tag alone.
        let broken = b"MM\0\x2a\0\0\0\x08\0\x02\x02\xbc\0\x01\0\0\xff\0\0\0\0\x22\x01\x12\0\x03\0\0\0\x01\0\x06\0\0<xmp>";
        let tags = first(broken).unwrap();
        assert!(tags.get(700).is_none() && tags.get(0x112).is_some());
    }
}
