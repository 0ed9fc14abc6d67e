//! A large video without its pictures and sound: what it declares, in a few kilobytes.

use std::io::{Read, Seek, SeekFrom};

use super::mp4::Walk;
use crate::container::ebml;
use crate::error::MediaError;

/// Most bytes of all that is kept.
const MAX_KEPT: u64 = 64 << 20;
/// Most elements that are looked at.
const MAX_ELEMENTS: u64 = 1_000_000;

/// What is left of a file of `length` bytes without its pictures and sound; `None` of a container that is not known,
/// or where more than 64 MiB would be left.
///
/// Places of what is left are not those of the file: nothing may be looked up in it by its place, and no hash of the
/// file can be checked on it.
///
/// # Errors
/// [`MediaError::Truncated`] of what cannot be read.
pub fn outline(file: &mut (impl Read + Seek), length: u64) -> Result<Option<Vec<u8>>, MediaError> {
    let io = |e: std::io::Error| super::error::truncated(format!("it cannot be read: {e}"));
    let mut head = [0; 12];
    file.read_exact(&mut head).map_err(io)?;
    Ok(if head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        matroska(file, length).map_err(io)?
    } else if matches!(&head[4..8], b"ftyp" | b"moov" | b"mdat" | b"wide") {
        mp4(file, length)?
    } else {
        None
    })
}

fn mp4(file: &mut (impl Read + Seek), length: u64) -> Result<Option<Vec<u8>>, MediaError> {
    let mut walk = Walk::of(file, length);
    let mut out = Vec::new();
    for _ in 0..MAX_ELEMENTS {
        // What stands ahead of a fault counts.
        let Ok(Some(head)) = walk.next() else {
            return Ok(Some(out));
        };
        if !matches!(&head.kind, b"ftyp" | b"moov" | b"meta" | b"uuid" | b"udta") {
            continue;
        }
        let room = MAX_KEPT - out.len() as u64;
        if head.end - head.content > room || head.end > length {
            return Ok(None);
        }
        let content = walk.read(&head, room)?;
        let size = content.len() as u32 + 8;
        out.extend(size.to_be_bytes());
        out.extend(head.kind);
        out.extend(content);
    }
    Ok(None)
}

/// What a file says of itself, of all elements of its segment.
fn matroska(file: &mut (impl Read + Seek), length: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    let mut at = 0_u64;
    for _ in 0..MAX_ELEMENTS {
        file.seek(SeekFrom::Start(at))?;
        let mut start = Vec::new();
        file.by_ref().take(12).read_to_end(&mut start)?;
        let Some((id, content, size)) = ebml::head(&start) else {
            return Ok(Some(out));
        };
        let content = at + content as u64;
        let end = size.map(|size| content.saturating_add(size));
        at = match (id, end) {
            (ebml::SEGMENT, _) => {
                // With what is left of it, it has another length: to the end.
                out.extend(ebml::SEGMENT.to_be_bytes());
                out.push(0xff);
                content
            }
            (ebml::HEADER | ebml::INFO | ebml::TAGS, Some(end)) if end <= length => {
                if out.len() as u64 + end - at > MAX_KEPT {
                    return Ok(None);
                }
                file.seek(SeekFrom::Start(at))?;
                file.by_ref().take(end - at).read_to_end(&mut out)?;
                end
            }
            // What a cluster of a stream holds is passed over piece by piece.
            (_, end) => end.unwrap_or(content),
        };
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::container::bmff;
    use crate::container::bmff::tests::made;

    fn of(file: &[u8]) -> Option<Vec<u8>> {
        outline(&mut Cursor::new(file), file.len() as u64).expect("reads")
    }

    #[test]
    fn what_an_mp4_declares_is_left() {
        let data = made(b"data", b"\0\0\0\x01\0\0\0\0a comment");
        let ilst = made(b"ilst", &made(b"\xa9cmt", &data));
        let meta = made(b"meta", &[&[0; 4], &ilst[..]].concat());
        let moov = made(b"moov", &made(b"udta", &meta));
        let file = [
            made(b"ftyp", b"isom\0\0\0\0"),
            made(b"mdat", &[7; 5000]),
            moov,
            made(b"mdat", &[8; 5000]),
        ]
        .concat();
        let left = of(&file).expect("an MP4");
        assert!(left.len() < 200, "{}", left.len());
        assert_eq!(bmff::texts(&left), bmff::texts(&file));
        assert_eq!(bmff::texts(&left).len(), 1);
        for end in 12..file.len() {
            let _ = of(&file[..end]);
        }
        assert_eq!(of(b"RIFF\0\0\0\0AVI LIST"), None);
    }

    #[test]
    fn what_a_matroska_declares_is_left() {
        // Tags of a comment behind a cluster, in a segment of unknown length.
        let text = [&[0x45, 0xa3, 0x81][..], b"C", &[0x44, 0x87, 0x85], b"hello"].concat();
        let simple = [&[0x67, 0xc8, 0x80 + text.len() as u8], &text[..]].concat();
        let tag = [&[0x73, 0x73, 0x80 + simple.len() as u8], &simple[..]].concat();
        let tags = [&[0x12, 0x54, 0xc3, 0x67, 0x80 + tag.len() as u8], &tag[..]].concat();
        let mut file = vec![0x1a, 0x45, 0xdf, 0xa3, 0x80, 0x18, 0x53, 0x80, 0x67, 0xff];
        file.extend([0x1f, 0x43, 0xb6, 0x75, 0x50, 0x00]);
        file.extend([0; 0x1000]);
        file.extend(tags);
        let left = of(&file).expect("a Matroska");
        assert!(left.len() < 100, "{}", left.len());
        assert_eq!(ebml::texts(&left), [("c".to_owned(), "hello".to_owned())]);
        for end in 12..file.len() {
            let _ = of(&file[..end]);
        }
    }
}
