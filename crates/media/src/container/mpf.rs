//! The index of several pictures in one JPEG (Multi-Picture Format, CIPA DC-007).

use super::{ifd, jpeg};

/// A picture of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it begins, as the index has it; editors that move it rarely mend the index.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// Whether it is a smaller copy of the first picture.
    pub preview: bool,
}

/// The pictures behind the first, of the index of a JPEG's segments.
pub(crate) fn entries(bytes: &[u8], segments: &[jpeg::Segment<'_>]) -> Vec<Entry> {
    const ENTRIES: u16 = 0xb002;
    let Some(block) = segments
        .iter()
        .filter(|s| s.marker == 0xe2)
        .find_map(|s| s.data.strip_prefix(b"MPF\0"))
    else {
        return Vec::new();
    };
    let little = block.starts_with(b"II");
    let number = |b: &[u8]| {
        let digits = [b[0], b[1], b[2], b[3]];
        if little {
            u32::from_le_bytes(digits)
        } else {
            u32::from_be_bytes(digits)
        }
    };
    let tags = ifd::first(block);
    let Some(list) = tags.as_ref().and_then(|t| t.get(ENTRIES)) else {
        return Vec::new();
    };
    // Both slices are of one file; offsets count from the byte order of the index.
    let base = (block.as_ptr() as u64).saturating_sub(bytes.as_ptr() as u64);
    // The first entry is the first picture.
    let entries = list.chunks_exact(16).take(64).skip(1).map(|entry| Entry {
        offset: base + u64::from(number(&entry[8..])),
        bytes: u64::from(number(&entry[4..])),
        // Large thumbnails of class 1 and 2 (VGA, full HD).
        preview: matches!(number(entry) & 0x00ff_ffff, 0x01_0001 | 0x01_0002),
    });
    entries.collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A segment with an index of two pictures, the second a preview of class 2.
    pub(crate) fn segment(offset: u32, bytes: u32) -> Vec<u8> {
        let mut block = b"MPF\0II*\0\x08\0\0\0\x02\0".to_vec();
        block.extend(b"\x01\xb0\x04\0\x01\0\0\0\x02\0\0\0");
        block.extend(b"\x02\xb0\x07\0\x20\0\0\0\x26\0\0\0\0\0\0\0");
        for (kind, bytes, offset) in [(0x2003_0000_u32, 9_u32, 0_u32), (0x01_0002, bytes, offset)] {
            block.extend(kind.to_le_bytes());
            block.extend(bytes.to_le_bytes());
            block.extend(offset.to_le_bytes());
            block.extend([0; 4]);
        }
        let len = (block.len() as u16 + 2).to_be_bytes();
        [b"\xff\xe2", &len[..], &block].concat()
    }

    #[test]
    fn an_index_is_read_wherever_it_is_cut() {
        let jpeg = [b"\xff\xd8", &segment(1000, 77)[..], b"\xff\xd9"].concat();
        let read = |bytes: &[u8]| entries(bytes, &jpeg::structure(bytes).segments);
        // The block begins behind start, marker, length and name.
        let expected = Entry {
            offset: 1000 + 10,
            bytes: 77,
            preview: true,
        };
        assert_eq!(read(&jpeg), [expected]);
        for end in 0..jpeg.len() {
            let _ = read(&jpeg[..end]);
        }
    }
}
