//! Finds the blocks of metadata in their containers, by structure.

use super::text::{MAX_BLOCK, decoded};
use crate::container::{bmff, chunks, ebml, gif, ifd, jpeg, png, psd};
use crate::format::Format;
use crate::note::Note;

/// Blocks of metadata as a container carries them.
#[derive(Default)]
pub(super) struct Blocks {
    /// EXIF without any prefix, in order; the first one counts most.
    pub exif: Vec<Vec<u8>>,
    /// XMP packets, the first one counts most.
    pub xmp: Vec<Vec<u8>>,
    /// Photoshop's image resources, or bare IPTC datasets.
    pub iptc: Option<Vec<u8>>,
    /// Comments.
    pub comments: Vec<String>,
    /// Texts by key, and where they stand.
    pub text: Vec<Text>,
    /// What could not be read.
    pub notes: Vec<Note>,
}

/// A text of a container.
pub(super) struct Text {
    pub place: &'static str,
    pub key: String,
    pub value: String,
}

impl Blocks {
    fn note(&mut self, code: &str, sentence: String) {
        if self.notes.len() < 16 {
            self.notes.push(Note::new(code, sentence));
        }
    }

    /// Takes a block whose size is within bounds.
    fn fits(&mut self, what: &str, len: usize) -> bool {
        if len > MAX_BLOCK {
            self.note(
                "metadata_too_large",
                format!("{what} of {len} bytes is larger than {MAX_BLOCK} and was not read."),
            );
        }
        len <= MAX_BLOCK
    }

    fn exif(&mut self, block: &[u8]) {
        let block = block.strip_prefix(EXIF).unwrap_or(block);
        if self.exif.iter().any(|known| known == block) {
            return;
        }
        if self.exif.len() == MAX_EXIF {
            self.left_out("EXIF blocks", MAX_EXIF);
        } else if self.fits("An EXIF block", block.len()) {
            self.exif.push(block.to_vec());
        }
    }

    fn xmp(&mut self, packet: &[u8]) {
        if self.xmp.len() == MAX_XMP {
            self.left_out("XMP packets", MAX_XMP);
        } else if self.fits("An XMP packet", packet.len()) {
            self.xmp.push(packet.to_vec());
        }
    }

    fn iptc(&mut self, block: &[u8]) {
        if self.fits("An IPTC block", block.len()) {
            self.iptc
                .get_or_insert_with(Vec::new)
                .extend_from_slice(block);
        }
    }

    fn text(&mut self, place: &'static str, key: String, value: String) {
        if self.text.len() < MAX_TEXTS {
            self.text.push(Text { place, key, value });
        } else {
            self.left_out("texts", MAX_TEXTS);
        }
    }

    /// Says that there are more than are read.
    fn left_out(&mut self, what: &str, most: usize) {
        let sentence = format!("The file has more than {most} {what}; the others were not read.");
        if self.notes.iter().all(|n| n.sentence != sentence) {
            self.note("metadata_too_many", sentence);
        }
    }

    fn comment(&mut self, comment: &[u8]) {
        if self.comments.len() < MAX_COMMENTS {
            self.comments.push(decoded(comment));
        } else {
            self.left_out("comments", MAX_COMMENTS);
        }
    }
}

const EXIF: &[u8] = b"Exif\0\0";
/// Most blocks of EXIF and XMP, comments and texts of a file that are read.
const MAX_EXIF: usize = 4;
const MAX_XMP: usize = 64;
const MAX_COMMENTS: usize = 64;
const MAX_TEXTS: usize = 1024;

/// The blocks of a file in `format`.
pub(super) fn find(bytes: &[u8], format: Format) -> Blocks {
    let mut blocks = Blocks::default();
    match format {
        Format::Jpeg => jpeg_blocks(bytes, &mut blocks),
        Format::Png => png_blocks(bytes, &mut blocks),
        Format::Webp => {
            for (kind, data) in chunks::riff(bytes) {
                match &kind {
                    b"EXIF" => blocks.exif(data),
                    b"XMP " | b"XMP\0" => blocks.xmp(data),
                    _ => {}
                }
            }
        }
        Format::Gif => {
            let found = gif::extensions(bytes);
            if let Some(packet) = found.xmp {
                blocks.xmp(&packet);
            }
            let comments = found.comments.iter().map(|c| decoded(c));
            blocks.comments.extend(comments);
        }
        Format::Jxl => jxl_blocks(bytes, &mut blocks),
        Format::Tiff => tiff_blocks(bytes, &mut blocks),
        Format::Avif | Format::Heic => item_blocks(bytes, &mut blocks),
        Format::Jp2 => jp2_blocks(bytes, &mut blocks),
        Format::Psd => psd_blocks(bytes, &mut blocks),
        Format::Ico => {
            for picture in icon_pictures(bytes) {
                png_blocks(picture, &mut blocks);
            }
        }
        // What stands in its `metadata` is a packet.
        Format::Svg if bytes.len() <= MAX_BLOCK => blocks.xmp(bytes),
        Format::Svg => bare_packets(bytes, &mut blocks),
        Format::Pdf => bare_packets(bytes, &mut blocks),
        Format::Video if bytes.starts_with(b"RIFF") => avi_blocks(bytes, &mut blocks),
        Format::Video => {
            let texts = if bytes.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
                ebml::texts(bytes)
            } else {
                bmff::texts(bytes)
            };
            for (key, value) in texts {
                blocks.text("video metadata", key, value);
            }
            if let Some(packet) = bmff::video_xmp(bytes) {
                blocks.xmp(packet);
            }
            // Some cameras and tools keep EXIF and XMP as items of a video too.
            item_blocks(bytes, &mut blocks);
        }
        _ => {}
    }
    blocks
}

fn jpeg_blocks(bytes: &[u8], blocks: &mut Blocks) {
    const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
    const EXTENDED: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
    const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
    let mut parts = Vec::new();
    let mut resources = Vec::new();
    for segment in jpeg::structure(bytes).segments {
        match segment.marker {
            0xe1 => {
                if let Some(block) = exif_segment(segment.data) {
                    blocks.exif(block);
                } else if let Some(rest) = segment.data.strip_prefix(XMP) {
                    blocks.xmp(rest);
                } else if let Some(rest) = segment.data.strip_prefix(EXTENDED) {
                    parts.extend(part(rest));
                }
            }
            0xed => {
                if let Some(rest) = segment.data.strip_prefix(PHOTOSHOP) {
                    resources.extend_from_slice(rest);
                }
            }
            0xfe => blocks.comment(segment.data),
            _ => {}
        }
    }
    if !resources.is_empty() {
        blocks.iptc(&resources);
    }
    extended(&parts, blocks);
}

/// The TIFF block of an EXIF segment. Writers spell its name in capitals, and put more or fewer zeros behind it.
fn exif_segment(data: &[u8]) -> Option<&[u8]> {
    let (name, rest) = data.split_first_chunk::<4>()?;
    if !name.eq_ignore_ascii_case(b"exif") {
        return None;
    }
    let zeros = rest.iter().take(4).take_while(|b| **b == 0).count();
    Some(&rest[zeros..])
}

/// A part of an extended XMP packet (XMP specification, part 3, section 1.1.3.1).
struct Part<'a> {
    guid: &'a [u8],
    len: usize,
    offset: usize,
    data: &'a [u8],
}

fn part(segment: &[u8]) -> Option<Part<'_>> {
    let number = |at: usize| {
        let b = segment.get(at..at + 4)?;
        Some(u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
    };
    Some(Part {
        guid: segment.get(..32)?,
        len: number(32)?,
        offset: number(36)?,
        data: segment.get(40..)?,
    })
}

/// Puts extended packets together, whatever the order of their parts. One that lacks a part, or whose MD5 is not the
/// name that its parts carry, is left out and told.
fn extended(parts: &[Part<'_>], blocks: &mut Blocks) {
    let mut guids: Vec<&[u8]> = parts.iter().map(|p| p.guid).collect();
    guids.sort_unstable();
    guids.dedup();
    for guid in guids.into_iter().take(4) {
        let mut own: Vec<&Part<'_>> = parts.iter().filter(|p| p.guid == guid).collect();
        own.sort_by_key(|p| p.offset);
        let len = own.first().map_or(0, |p| p.len);
        if !blocks.fits("An extended XMP packet", len) {
            continue;
        }
        let mut packet = Vec::new();
        for part in &own {
            // A part that stands twice adds nothing.
            if part.offset == packet.len() && packet.len() + part.data.len() <= len {
                packet.extend_from_slice(part.data);
            }
        }
        let hash = format!("{:X}", md5::compute(&packet));
        if packet.len() == len && hash.as_bytes().eq_ignore_ascii_case(guid) {
            blocks.xmp(&packet);
        } else {
            let reason = if packet.len() < len {
                "parts of it are missing"
            } else {
                "its hash is not the one that it names"
            };
            blocks.note(
                "xmp_extension_damaged",
                format!("The second half of the XMP (extended XMP) was not read: {reason}."),
            );
        }
    }
}

fn png_blocks(bytes: &[u8], blocks: &mut Blocks) {
    let mut unread = 0;
    for (kind, data) in png::chunks(bytes) {
        match &kind {
            b"eXIf" => blocks.exif(data),
            b"tEXt" | b"zTXt" | b"iTXt" => match png_text(&kind, data) {
                Some((key, value)) => png_pair(key, value, blocks),
                None => unread += 1,
            },
            _ => {}
        }
    }
    if unread > 0 {
        blocks.note(
            "png_text_damaged",
            format!("{unread} text chunks of the PNG are damaged or too large and were not read."),
        );
    }
}

fn png_pair(key: String, value: String, blocks: &mut Blocks) {
    if key == "XML:com.adobe.xmp" {
        blocks.xmp(value.as_bytes());
        return;
    }
    let Some(kind) = key
        .to_ascii_lowercase()
        .strip_prefix("raw profile type ")
        .map(str::to_owned)
    else {
        blocks.text("PNG text chunk", key, value);
        return;
    };
    let Some(profile) = raw_profile(&value) else {
        blocks.note(
            "png_text_damaged",
            format!(
                "The PNG text chunk `{}` is damaged and was not read.",
                super::text::cut(&key)
            ),
        );
        return;
    };
    let xmp = profile.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0");
    match (kind.trim(), xmp) {
        (_, Some(packet)) => blocks.xmp(packet),
        ("exif" | "app1", None) => blocks.exif(&profile),
        ("xmp", None) => blocks.xmp(&profile),
        ("iptc" | "8bim", None) => {
            let resources = profile.strip_prefix(b"Photoshop 3.0\0");
            blocks.iptc(resources.unwrap_or(&profile));
        }
        _ => {}
    }
}

/// ImageMagick's way to keep a block in a PNG: a name, a length and hexadecimal digits, on lines.
fn raw_profile(value: &str) -> Option<Vec<u8>> {
    let mut words = value.split_ascii_whitespace().skip(1);
    let len: usize = words.next()?.parse().ok()?;
    let mut digits = words
        .flat_map(str::bytes)
        .map(|b| char::from(b).to_digit(16));
    let mut out = Vec::new();
    while let Some(high) = digits.next() {
        out.push((high? * 16 + digits.next()??) as u8);
    }
    (out.len() == len).then_some(out)
}

/// A text chunk (PNG, third edition, section 11.3.3).
fn png_text(kind: &[u8; 4], data: &[u8]) -> Option<(String, String)> {
    let zero = data.iter().position(|b| *b == 0)?;
    let latin = |b: &[u8]| b.iter().map(|c| char::from(*c)).collect::<String>();
    let key = latin(&data[..zero]);
    let rest = &data[zero + 1..];
    let value = match kind {
        // Generators write UTF-8 here although the standard says Latin-1.
        b"tEXt" => decoded(rest),
        b"zTXt" => decoded(&inflate(rest.get(1..)?)?),
        _ => {
            let compressed = *rest.first()? == 1;
            let mut parts = rest.get(2..)?.splitn(3, |b| *b == 0);
            let (_, _, text) = (parts.next()?, parts.next()?, parts.next()?);
            let text = if compressed {
                inflate(text)?
            } else {
                text.to_vec()
            };
            String::from_utf8_lossy(&text).into_owned()
        }
    };
    (value.len() <= MAX_BLOCK).then_some((key, value))
}

/// At most [`MAX_BLOCK`] bytes that `stream` gives.
fn all_of(stream: impl std::io::Read) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut out = Vec::new();
    stream
        .take(MAX_BLOCK as u64 + 1)
        .read_to_end(&mut out)
        .ok()?;
    (out.len() <= MAX_BLOCK).then_some(out)
}

fn inflate(data: &[u8]) -> Option<Vec<u8>> {
    all_of(flate2::read::ZlibDecoder::new(data))
}

/// `Exif`, `xml ` and compressed (`brob`) boxes of a JPEG XL container.
fn jxl_blocks(bytes: &[u8], blocks: &mut Blocks) {
    for b in bmff::boxes(bytes) {
        let (kind, data) = match &b.kind {
            b"brob" => {
                let Some((kind, packed)) = b.data.split_first_chunk::<4>() else {
                    continue;
                };
                if !matches!(kind, b"Exif" | b"xml ") {
                    continue;
                }
                let Some(data) = all_of(brotli_decompressor::Decompressor::new(packed, 4096))
                else {
                    blocks.note(
                        "metadata_damaged",
                        "A compressed box of metadata is damaged or too large and was not read."
                            .into(),
                    );
                    continue;
                };
                (*kind, std::borrow::Cow::Owned(data))
            }
            kind => (*kind, std::borrow::Cow::Borrowed(b.data)),
        };
        match &kind {
            b"Exif" => blocks.exif(behind_offset(&data)),
            b"xml " => blocks.xmp(&data),
            _ => {}
        }
    }
}

/// An EXIF block behind the four bytes that say where it begins.
fn behind_offset(data: &[u8]) -> &[u8] {
    let Some((offset, rest)) = data.split_first_chunk::<4>() else {
        return &[];
    };
    let offset = u32::from_be_bytes(*offset) as usize;
    let tiff = |b: &[u8]| b.starts_with(b"II") || b.starts_with(b"MM");
    match rest.get(offset..) {
        Some(block) if tiff(block) => block,
        // Writers that leave the offset out, or count otherwise.
        _ if tiff(data) => data,
        _ => rest.strip_prefix(EXIF).unwrap_or(rest),
    }
}

/// XMP and the list of information of an AVI.
fn avi_blocks(bytes: &[u8], blocks: &mut Blocks) {
    for (kind, data) in chunks::riff(bytes) {
        match (&kind, data) {
            (b"_PMX", packet) => blocks.xmp(packet),
            (b"LIST", [b'I', b'N', b'F', b'O', ..]) => {
                for (key, text) in chunks::listed(data) {
                    let key = match &key {
                        b"ICMT" => "comment".to_owned(),
                        b"ISFT" => "software".to_owned(),
                        b"INAM" => "title".to_owned(),
                        other => other.escape_ascii().to_string(),
                    };
                    let text = decoded(text);
                    blocks.text("video metadata", key, text.trim_end_matches('\0').into());
                }
            }
            _ => {}
        }
    }
}

fn item_blocks(bytes: &[u8], blocks: &mut Blocks) {
    for item in bmff::items(bytes) {
        match (&item.kind, item.media.as_str()) {
            (b"Exif", _) => blocks.exif(behind_offset(&item.data)),
            (b"mime", "application/rdf+xml" | "text/xml") => blocks.xmp(&item.data),
            _ => {}
        }
    }
}

/// XMP packets wherever they stand in the open, as in a damaged PDF and in a large drawing.
fn bare_packets(bytes: &[u8], blocks: &mut Blocks) {
    const OPEN: &[u8] = b"<x:xmpmeta";
    const CLOSE: &[u8] = b"</x:xmpmeta>";
    let find = |from: usize, what: &[u8]| {
        let at = bytes[from..].windows(what.len()).position(|w| w == what)?;
        Some(from + at)
    };
    let mut from = 0;
    while let Some(start) = find(from, OPEN) {
        let end = find(start, CLOSE).map_or(bytes.len(), |at| at + CLOSE.len());
        blocks.xmp(&bytes[start..end]);
        from = end;
    }
}

/// Boxes of a JPEG 2000 file whose `uuid` says what they hold, and those with XML.
fn jp2_blocks(bytes: &[u8], blocks: &mut Blocks) {
    const JP2_EXIF: &[u8] = b"JpgTiffExif->JP2";
    const JP2_XMP: &[u8] = b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac";
    const JP2_IPTC: &[u8] = b"\x33\xc7\xa4\xd2\xb8\x1d\x47\x23\xa0\xba\xf1\xa3\xe0\x97\xad\x38";
    for b in bmff::boxes(bytes) {
        match (&b.kind, b.data.split_at_checked(16)) {
            (b"uuid", Some((JP2_EXIF, block))) => blocks.exif(block),
            (b"uuid", Some((JP2_XMP, packet))) => blocks.xmp(packet),
            (b"uuid", Some((JP2_IPTC, block))) => blocks.iptc(block),
            (b"xml ", _) => blocks.xmp(b.data),
            (b"jp2c", _) => codestream_comments(b.data, blocks),
            _ => {}
        }
    }
    codestream_comments(bytes, blocks);
}

/// Comments in the main header of a JPEG 2000 codestream (ISO/IEC 15444-1, annex A).
fn codestream_comments(stream: &[u8], blocks: &mut Blocks) {
    const START: &[u8] = &[0xff, 0x4f];
    const FIRST_TILE: u8 = 0x90;
    const COMMENT: u8 = 0x64;
    let mut rest = stream.strip_prefix(START).unwrap_or_default();
    while let [0xff, marker, high, low, ..] = rest
        && *marker != FIRST_TILE
    {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(segment) = rest.get(4..2 + len) else {
            return;
        };
        // Behind the length stands what kind of comment it is.
        if *marker == COMMENT
            && let Some(text) = segment.get(2..)
        {
            blocks.comment(text);
        }
        rest = &rest[2 + len..];
    }
}

/// Resources of a Photoshop document.
fn psd_blocks(bytes: &[u8], blocks: &mut Blocks) {
    const EXIF_DATA: u64 = 1058;
    const XMP_DATA: u64 = 1060;
    let Some(section) = psd::resources(bytes) else {
        return;
    };
    for (id, data) in psd::each(section) {
        match id {
            EXIF_DATA => blocks.exif(data),
            XMP_DATA => blocks.xmp(data),
            _ => {}
        }
    }
    // IPTC among them is found by its own parser, which goes on behind damage.
    blocks.iptc(section);
}

/// The pictures of an icon that are PNGs.
fn icon_pictures(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let count = bytes
        .get(4..6)
        .map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
    (0..usize::from(count).min(64)).filter_map(|i| {
        let entry = bytes.get(6 + 16 * i..22 + 16 * i)?;
        let number = |at: usize| {
            u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]) as usize
        };
        let picture = bytes.get(number(12)..number(12).checked_add(number(8))?)?;
        picture.starts_with(b"\x89PNG\r\n\x1a\n").then_some(picture)
    })
}

fn tiff_blocks(bytes: &[u8], blocks: &mut Blocks) {
    const XMP: u16 = 700;
    const IPTC: u16 = 33723;
    const PHOTOSHOP: u16 = 34377;
    // The whole file is the block: its directories may stand anywhere.
    blocks.exif.push(bytes.to_vec());
    let Some(tags) = ifd::first(bytes) else {
        return;
    };
    if let Some(packet) = tags.get(XMP) {
        blocks.xmp(packet);
    }
    if let Some(block) = tags.get(PHOTOSHOP).or_else(|| tags.get(IPTC)) {
        blocks.iptc(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
        let len = (data.len() as u16 + 2).to_be_bytes();
        [&[0xff, marker], &len[..], data].concat()
    }

    /// A JPEG of segments, without a picture.
    fn jpeg_of(segments: &[Vec<u8>]) -> Vec<u8> {
        [&[0xff, 0xd8], &segments.concat()[..], &[0xff, 0xd9]].concat()
    }

    #[test]
    fn extended_xmp_is_read_in_any_order_and_only_with_its_hash() {
        let packet = "<a/>".repeat(50);
        let guid = format!("{:X}", md5::compute(&packet));
        let piece = |guid: &str, from: usize, to: usize| {
            let head = b"http://ns.adobe.com/xmp/extension/\0";
            let len = (packet.len() as u32).to_be_bytes();
            let at = (from as u32).to_be_bytes();
            let data = &packet.as_bytes()[from..to];
            segment(
                0xe1,
                &[&head[..], guid.as_bytes(), &len, &at, data].concat(),
            )
        };
        let read = |parts: &[Vec<u8>]| find(&jpeg_of(parts), Format::Jpeg);
        let whole = read(&[
            piece(&guid, 120, 200),
            piece(&guid, 0, 120),
            piece(&guid, 0, 120),
        ]);
        assert_eq!(whole.xmp, [packet.as_bytes()]);
        assert!(whole.notes.is_empty());
        let other = guid.replace(|c: char| c.is_ascii_digit(), "F");
        for parts in [
            vec![piece(&guid, 120, 200)],
            vec![piece(&other, 0, 120), piece(&other, 120, 200)],
        ] {
            let broken = read(&parts);
            assert!(broken.xmp.is_empty());
            assert_eq!(broken.notes[0].code, "xmp_extension_damaged");
        }
    }

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let len = (data.len() as u32).to_be_bytes();
        [&len[..], kind, data, &[0; 4]].concat()
    }

    #[test]
    fn texts_and_xmp_of_an_avi_are_read() {
        let chunk = |kind: &[u8; 4], data: &[u8]| {
            let len = (data.len() as u32).to_le_bytes();
            [&kind[..], &len, data, &[0][..data.len() % 2]].concat()
        };
        let info = [
            &b"INFO"[..],
            &chunk(b"ICMT", b"hello\0"),
            &chunk(b"ISFT", b"Sora\0"),
        ]
        .concat();
        let inner = [chunk(b"LIST", &info), chunk(b"_PMX", b"<x:xmpmeta/>")].concat();
        let file = [&b"RIFF\0\0\0\0AVI "[..], &inner].concat();
        let found = find(&file, Format::Video);
        let texts: Vec<(&str, &str)> = found
            .text
            .iter()
            .map(|t| (t.key.as_str(), t.value.as_str()))
            .collect();
        assert_eq!(texts, [("comment", "hello"), ("software", "Sora")]);
        assert_eq!(found.xmp, [b"<x:xmpmeta/>"]);
    }

    #[test]
    fn raw_profiles_and_compressed_texts_of_a_png_are_read() {
        use std::io::Write;
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let profile = |kind: &str, bytes: &[u8]| {
            let text = format!("\n{kind}\n{:>8}\n{}\n", bytes.len(), hex(bytes));
            let mut packer =
                flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            packer.write_all(text.as_bytes()).unwrap();
            let head = format!("Raw profile type {kind}\0\0");
            chunk(
                b"zTXt",
                &[head.as_bytes(), &packer.finish().unwrap()].concat(),
            )
        };
        let png = [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            profile("exif", b"Exif\0\0II*\0"),
            profile("xmp", b"<x/>"),
            profile("APP1", b"http://ns.adobe.com/xap/1.0/\0<y/>"),
            profile("iptc", b"8BIM\x04\x04"),
            chunk(b"tEXt", b"AIGC\0{}"),
            chunk(b"zTXt", b"broken\0\0nonsense"),
        ]
        .concat();
        let found = find(&png, Format::Png);
        assert_eq!(found.exif, [b"II*\0"]);
        assert_eq!(found.xmp, [&b"<x/>"[..], b"<y/>"]);
        assert_eq!(found.iptc.as_deref(), Some(&b"8BIM\x04\x04"[..]));
        assert_eq!((found.text[0].key.as_str(), found.text.len()), ("AIGC", 1));
        assert_eq!(found.notes[0].code, "png_text_damaged");
        for end in 0..png.len() {
            let _ = find(&png[..end], Format::Png);
        }
    }

    #[test]
    fn compressed_boxes_of_jpeg_xl_are_read() {
        use crate::container::bmff::tests::made;
        // `<x/>` as a stored Brotli stream: window, one uncompressed block of four bytes, an empty last block.
        let stored = b"\x30\0\x10<x/>\x03";
        let mut file = made(b"JXL ", b"\r\n\x87\n");
        file.extend(made(b"brob", &[b"xml ", &stored[..]].concat()));
        file.extend(made(b"Exif", b"\0\0\0\0MM\0*"));
        file.extend(made(b"brob", b"xml nonsense"));
        let found = find(&file, Format::Jxl);
        assert_eq!(found.xmp, [&b"<x/>"[..]]);
        assert_eq!(found.exif, [b"MM\0*"]);
        assert_eq!(found.notes[0].code, "metadata_damaged");
    }

    #[test]
    fn items_and_tags_are_read() {
        use crate::container::bmff::tests::with_item;
        let file = with_item(b"Exif", "", b"\0\0\0\x06Exif\0\0II*\0", true);
        let found = find(&file, Format::Avif);
        assert_eq!(found.exif, [b"II*\0"]);
        let gif = [
            &b"GIF89a\x01\0\x01\0\0\0\0\x21\xfe\x03abc\0\x21\xff\x0bXMP DataXMP<x/>\x01"[..],
            &(0..=255_u8).rev().collect::<Vec<_>>(),
            b"\0\x3b",
        ]
        .concat();
        let found = find(&gif, Format::Gif);
        assert_eq!((found.comments[0].as_str(), found.xmp.len()), ("abc", 1));
        assert_eq!(found.xmp[0], b"<x/>");
    }
}
