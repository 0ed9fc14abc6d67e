//! Boxes of an ISO base media file (ISO/IEC 14496-12): items of HEIF and AVIF, texts of MP4 and QuickTime.

/// Largest item that is put together, in bytes.
const MAX_ITEM: usize = 4 << 20;
/// Most items, extents or texts of one file.
const MAX_COUNT: usize = 4096;

/// A box.
#[derive(Clone, Copy)]
pub(crate) struct Box<'a> {
    pub kind: [u8; 4],
    pub data: &'a [u8],
    /// Offset just behind it.
    pub end: usize,
}

/// Boxes one after the other; ends at the first damaged one.
pub(crate) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Box<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let head = bytes.get(at..at + 8)?;
        let kind = [head[4], head[5], head[6], head[7]];
        // A box without a type is padding or no box at all.
        if kind == [0; 4] {
            return None;
        }
        let (start, end) = match be(bytes, at, 4)? {
            0 => (at + 8, bytes.len()),
            1 => (
                at + 16,
                at.checked_add(usize::try_from(be(bytes, at + 8, 8)?).ok()?)?,
            ),
            len => (at + 8, at.checked_add(usize::try_from(len).ok()?)?),
        };
        let data = bytes.get(start..end)?;
        at = end;
        Some(Box { kind, data, end })
    })
}

/// An unsigned number of `len` bytes, at most eight; 0 of none.
fn be(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(len)?)?;
    Some(digits.iter().fold(0, |n, d| (n << 8) | u64::from(*d)))
}

fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes).find(|b| b.kind == *kind).map(|b| b.data)
}

/// An item of a HEIF file.
pub(crate) struct Item {
    /// Type, such as `Exif` or `mime`.
    pub kind: [u8; 4],
    /// Media type of a `mime` item.
    pub media: String,
    /// Its bytes; as many as there are.
    pub data: Vec<u8>,
}

/// Items of metadata (`Exif`, `mime`) of the file's `meta` box.
pub(crate) fn items(bytes: &[u8]) -> Vec<Item> {
    // A `meta` box of ISO files begins with version and flags.
    let Some(meta) = child(bytes, b"meta").and_then(|m| m.get(4..)) else {
        return Vec::new();
    };
    let infos = child(meta, b"iinf").map(item_infos).unwrap_or_default();
    let idat = child(meta, b"idat").unwrap_or_default();
    let mut places = Vec::new();
    if let Some(iloc) = child(meta, b"iloc") {
        // What stands before a fault counts.
        let _ = locations(iloc, &mut places);
    }
    infos
        .into_iter()
        .filter(|(_, kind, _)| matches!(kind, b"Exif" | b"mime"))
        .take(64)
        .filter_map(|(id, kind, media)| {
            let place = places.iter().find(|p| p.id == id)?;
            let from = if place.in_idat { idat } else { bytes };
            let mut data = Vec::new();
            for (offset, len) in &place.extents {
                let offset = usize::try_from(*offset).ok()?;
                let rest = from.get(offset..)?;
                let len = match *len {
                    0 => rest.len(),
                    len => usize::try_from(len).ok()?.min(rest.len()),
                };
                if data.len() + len > MAX_ITEM {
                    return None;
                }
                data.extend_from_slice(&rest[..len]);
            }
            Some(Item { kind, media, data })
        })
        .collect()
}

fn item_infos(iinf: &[u8]) -> Vec<(u64, [u8; 4], String)> {
    let count_len = if iinf.first() == Some(&0) { 2 } else { 4 };
    let entries = iinf.get(4 + count_len..).unwrap_or_default();
    boxes(entries)
        .filter(|b| b.kind == *b"infe")
        .take(MAX_COUNT)
        .filter_map(|b| {
            let id_len = match b.data.first()? {
                2 => 2,
                3 => 4,
                _ => return None,
            };
            let id = be(b.data, 4, id_len)?;
            let rest = b.data.get(4 + id_len + 2..)?;
            let kind = rest.get(..4)?.try_into().ok()?;
            // A name, then the media type, each ended by a zero.
            let mut texts = rest[4..].split(|c| *c == 0);
            let media = texts.nth(1).unwrap_or_default();
            Some((id, kind, String::from_utf8_lossy(media).into_owned()))
        })
        .collect()
}

struct Location {
    id: u64,
    in_idat: bool,
    extents: Vec<(u64, u64)>,
}

fn locations(iloc: &[u8], out: &mut Vec<Location>) -> Option<()> {
    let version = *iloc.first()?;
    let sizes = be(iloc, 4, 2)?;
    let nibble = |shift: u32| ((sizes >> shift) & 15) as usize;
    let (offset_len, length_len, base_len) = (nibble(12), nibble(8), nibble(4));
    let index_len = if version == 0 { 0 } else { nibble(0) };
    if [offset_len, length_len, base_len, index_len]
        .iter()
        .any(|n| *n > 8)
    {
        return None;
    }
    let id_len = if version < 2 { 2 } else { 4 };
    let count = be(iloc, 6, id_len)?;
    let mut at = 6 + id_len;
    let mut take = |len: usize| {
        let value = be(iloc, at, len)?;
        at += len;
        Some(value)
    };
    for _ in 0..count.min(MAX_COUNT as u64) {
        let id = take(id_len)?;
        let method = if version == 0 { 0 } else { take(2)? & 15 };
        take(2)?;
        let base = take(base_len)?;
        let extents = take(2)?;
        let mut place = Location {
            id,
            in_idat: method == 1,
            extents: Vec::new(),
        };
        for _ in 0..extents {
            take(index_len)?;
            let offset = base.checked_add(take(offset_len)?)?;
            let len = take(length_len)?;
            if place.extents.len() < MAX_COUNT {
                place.extents.push((offset, len));
            }
        }
        // Items built of other items have no bytes of their own.
        if method < 2 {
            out.push(place);
        }
    }
    Some(())
}

/// Texts of a video's metadata as (key, text): QuickTime keys, iTunes items, user data.
pub(crate) fn texts(bytes: &[u8]) -> Vec<(String, String)> {
    child(bytes, b"moov").map(texts_of).unwrap_or_default()
}

/// As [`texts`], of the content of `moov`.
pub(crate) fn texts_of(moov: &[u8]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let udta = child(moov, b"udta");
    for holder in [Some(moov), udta].into_iter().flatten() {
        for meta in boxes(holder).filter(|b| b.kind == *b"meta").take(8) {
            // QuickTime's `meta` has neither version nor flags.
            let full = meta.data.get(4..8) != Some(b"hdlr") && meta.data.get(4..8) != Some(b"keys");
            let inner = if full {
                meta.data.get(4..)
            } else {
                Some(meta.data)
            };
            list(inner.unwrap_or_default(), &mut out);
        }
    }
    for b in udta.into_iter().flat_map(boxes).take(MAX_COUNT) {
        if b.kind[0] == 0xa9 {
            // Length and language, then the text.
            let len = be(b.data, 0, 2).unwrap_or(0) as usize;
            if let Some(text) = b.data.get(4..4 + len) {
                push(&mut out, name(b.kind), text);
            }
        } else if b.kind == *b"AIGC" {
            push(&mut out, "AIGC".into(), b.data);
        } else if matches!(&b.kind, b"dscp" | b"titl" | b"auth")
            // 3GPP: version, flags and a language ahead of the text (TS 26.244, section 8).
            && let Some(text) = b.data.get(6..)
        {
            let text = text.split(|c| *c == 0).next().unwrap_or_default();
            push(&mut out, name(b.kind), text);
        }
    }
    out
}

fn name(kind: [u8; 4]) -> String {
    kind.iter().map(|c| char::from(*c)).collect()
}

fn push(out: &mut Vec<(String, String)>, key: String, text: &[u8]) {
    if out.len() < 256 && text.len() <= MAX_ITEM {
        out.push((key, String::from_utf8_lossy(text).into_owned()));
    }
}

fn list(meta: &[u8], out: &mut Vec<(String, String)>) {
    let mut keys = Vec::new();
    if let Some(box_of_keys) = child(meta, b"keys").and_then(|k| k.get(8..)) {
        // Each key is a box whose type is its namespace.
        keys.extend(boxes(box_of_keys).take(MAX_COUNT).map(|b| b.data));
    }
    let Some(ilst) = child(meta, b"ilst") else {
        return;
    };
    for item in boxes(ilst).take(MAX_COUNT) {
        let index = u32::from_be_bytes(item.kind) as usize;
        let key = match keys.get(index.wrapping_sub(1)) {
            Some(key) => String::from_utf8_lossy(key).into_owned(),
            None if item.kind == *b"----" => child(item.data, b"name")
                .and_then(|n| n.get(4..))
                .map(|n| String::from_utf8_lossy(n).into_owned())
                .unwrap_or_default(),
            None => name(item.kind),
        };
        // Type and locale, then the value; type 1 is UTF-8 and 0 is used for it too.
        if let Some(data) = child(item.data, b"data")
            && matches!(be(data, 0, 4), Some(0 | 1))
            && let Some(text) = data.get(8..)
        {
            push(out, key, text);
        }
    }
}

/// An XMP packet of a video: a `uuid` box of its own, or user data.
pub(crate) fn video_xmp(bytes: &[u8]) -> Option<&[u8]> {
    const XMP: [u8; 16] = [
        0xbe, 0x7a, 0xcf, 0xcb, 0x97, 0xa9, 0x42, 0xe8, 0x9c, 0x71, 0x99, 0x94, 0x91, 0xe3, 0xaf,
        0xac,
    ];
    boxes(bytes)
        .find_map(|b| {
            let packet = b.data.strip_prefix(&XMP)?;
            (b.kind == *b"uuid").then_some(packet)
        })
        .or_else(|| child(child(child(bytes, b"moov")?, b"udta")?, b"XMP_"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn made(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        [&((data.len() + 8) as u32).to_be_bytes(), kind, data].concat()
    }

    /// A HEIF file with one item of metadata, in `idat` or at the end of the file.
    pub(crate) fn with_item(kind: &[u8; 4], media: &str, data: &[u8], in_idat: bool) -> Vec<u8> {
        let ftyp = made(b"ftyp", b"avif\0\0\0\0avifmif1");
        let infe = [
            b"\x02\0\0\0\0\x07\0\0",
            &kind[..],
            b"name\0",
            media.as_bytes(),
            b"\0",
        ]
        .concat();
        let iinf = [b"\0\0\0\0\0\x01", &made(b"infe", &infe)[..]].concat();
        let meta = |offset: u32| {
            let method = u8::from(in_idat);
            let iloc = [
                &[1, 0, 0, 0, 0x44, 0, 0, 1, 0, 7, 0, method, 0, 0, 0, 1][..],
                &offset.to_be_bytes(),
                &(data.len() as u32).to_be_bytes(),
            ]
            .concat();
            let idat = if in_idat {
                made(b"idat", data)
            } else {
                Vec::new()
            };
            let inner = [made(b"iinf", &iinf), made(b"iloc", &iloc), idat].concat();
            made(b"meta", &[b"\0\0\0\0", &inner[..]].concat())
        };
        let start = ftyp.len() + meta(0).len();
        let mut file = [ftyp, meta(if in_idat { 0 } else { start as u32 })].concat();
        if !in_idat {
            file.extend_from_slice(data);
        }
        file
    }

    #[test]
    fn an_item_is_found_wherever_its_bytes_stand() {
        for in_idat in [false, true] {
            let file = with_item(b"mime", "application/rdf+xml", b"<x/>", in_idat);
            let items = items(&file);
            assert_eq!(items.len(), 1, "{in_idat}");
            assert_eq!(
                (items[0].media.as_str(), items[0].data.as_slice()),
                ("application/rdf+xml", &b"<x/>"[..])
            );
            for end in 0..file.len() {
                let _ = super::items(&file[..end]);
            }
        }
    }

    #[test]
    fn keys_and_user_data_of_a_video_are_read() {
        let data = |text: &str| made(b"data", &[b"\0\0\0\x01\0\0\0\0", text.as_bytes()].concat());
        let keys = [b"\0\0\0\0\0\0\0\x01", &made(b"mdta", b"AIGC")[..]].concat();
        let by_index = made(&1_u32.to_be_bytes(), &data("{}"));
        let comment = made(b"\xa9cmt", &data("a comment"));
        let ilst = made(b"ilst", &[by_index, comment].concat());
        let meta = made(
            b"meta",
            &[
                b"\0\0\0\0".to_vec(),
                made(b"hdlr", b"mdta"),
                made(b"keys", &keys),
                ilst,
            ]
            .concat(),
        );
        let plain = made(b"\xa9swr", b"\0\x03\x15\xc7abc");
        let moov = made(b"moov", &made(b"udta", &[meta, plain].concat()));
        let file = [made(b"ftyp", b"isom"), moov].concat();
        let texts = texts(&file);
        let found: Vec<(&str, &str)> = texts
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("AIGC", "{}"),
                ("\u{a9}cmt", "a comment"),
                ("\u{a9}swr", "abc")
            ]
        );
        for end in 0..file.len() {
            let _ = super::texts(&file[..end]);
            let _ = video_xmp(&file[..end]);
        }
    }
}
