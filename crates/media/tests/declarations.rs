//! The same declarations are read in every container, and a broken part never hides the rest.

use std::path::Path;

use realscope_media::metadata::Metadata;
use realscope_media::{Decoded, Limits, Options, decode};

fn picture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests/pictures");
    std::fs::read(folder.join(name)).expect("picture")
}

fn read(name: &str, bytes: &[u8]) -> Decoded {
    decode(bytes, &Limits::default(), &Options::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

const XMP: &str = r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" e:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta>"#;

const PARAMETERS: &str =
    "a red fox\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: 7, Model: v1-5";

/// Directories of a little-endian TIFF block: the first with a make, an orientation and the EXIF directory, which has
/// the parameters as a comment of type BYTE. `more` are further entries of the first directory.
fn exif(more: &[(u16, u16, Vec<u8>)]) -> Vec<u8> {
    let utf16 = PARAMETERS.encode_utf16().flat_map(u16::to_le_bytes);
    let comment: Vec<u8> = b"UNICODE\0".iter().copied().chain(utf16).collect();
    let mut entries = more.to_vec();
    entries.push((0x10f, 2, b"Maker\0".to_vec()));
    entries.push((0x112, 3, vec![1, 0]));
    entries.sort_by_key(|e| e.0);
    let start = 8;
    let first_len = 2 + 12 * (entries.len() + 1) + 4;
    let second = start + first_len;
    let second_len = 2 + 12 + 4;
    entries.push((0x8769, 4, (second as u32).to_le_bytes().to_vec()));
    entries.sort_by_key(|e| e.0);
    let mut far = Vec::new();
    let base = second + second_len;
    let mut directory = |entries: &[(u16, u16, Vec<u8>)]| {
        let mut out = (entries.len() as u16).to_le_bytes().to_vec();
        for (tag, kind, value) in entries {
            let unit = [1, 1, 1, 2, 4, 8][usize::from(*kind).min(5)];
            out.extend(tag.to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend(((value.len() / unit) as u32).to_le_bytes());
            if value.len() <= 4 {
                out.extend(value.iter().copied().chain([0; 4]).take(4));
            } else {
                out.extend(((base + far.len()) as u32).to_le_bytes());
                far.extend_from_slice(value);
            }
        }
        out.extend([0; 4]);
        out
    };
    let first = directory(&entries);
    let second = directory(&[(0x9286, 1, comment)]);
    [b"II*\0\x08\0\0\0", &first[..], &second, &far].concat()
}

fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let len = (data.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &len[..], data].concat()
}

fn jpeg(segments: &[Vec<u8>]) -> Vec<u8> {
    let bytes = picture("photo-like.jpg");
    [&bytes[..2], &segments.concat(), &bytes[2..]].concat()
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    let (len, sum) = ((data.len() as u32).to_be_bytes(), crc.sum().to_be_bytes());
    [&len[..], kind, data, &sum].concat()
}

fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
    let bytes = picture("plain.png");
    [&bytes[..33], &chunks.concat(), &bytes[33..]].concat()
}

fn boxed(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&((data.len() + 8) as u32).to_be_bytes(), kind, data].concat()
}

fn riff_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let pad = vec![0; data.len() % 2];
    [kind, &(data.len() as u32).to_le_bytes()[..], data, &pad].concat()
}

/// Files of every container with the same EXIF and XMP.
fn everywhere() -> Vec<(&'static str, Vec<u8>)> {
    let block = exif(&[]);
    let app1 = [b"Exif\0\0", &block[..]].concat();
    let packet = [b"http://ns.adobe.com/xap/1.0/\0", XMP.as_bytes()].concat();
    let itxt = [b"XML:com.adobe.xmp\0\0\0\0\0", XMP.as_bytes()].concat();
    let mut webp = picture("lossless.webp");
    webp.extend(riff_chunk(b"EXIF", &block));
    webp.extend(riff_chunk(b"XMP ", XMP.as_bytes()));
    let size = (webp.len() as u32 - 8).to_le_bytes();
    webp[4..8].copy_from_slice(&size);
    let jxl = [
        boxed(b"JXL ", b"\r\n\x87\n"),
        boxed(b"ftyp", b"jxl \0\0\0\0jxl "),
        boxed(b"Exif", &[b"\0\0\0\0", &block[..]].concat()),
        boxed(b"xml ", XMP.as_bytes()),
        boxed(b"jxlc", &picture("plain.jxl")),
    ]
    .concat();
    let pixels = [90_u8; 64 * 64 * 3];
    let tiff = |strip: u32| {
        let word = |v: u32| v.to_le_bytes().to_vec();
        let short = |v: u16| v.to_le_bytes().to_vec();
        let mut out = exif(&[
            (0x100, 4, word(64)),
            (0x101, 4, word(64)),
            (0x102, 3, [8, 0, 8, 0, 8, 0].to_vec()),
            (0x103, 3, short(1)),
            (0x106, 3, short(2)),
            (0x111, 4, word(strip)),
            (0x115, 3, short(3)),
            (0x116, 4, word(64)),
            (0x117, 4, word(pixels.len() as u32)),
            (700, 1, XMP.as_bytes().to_vec()),
        ]);
        out.extend(vec![0; out.len() % 2]);
        out
    };
    let strip = tiff(0).len() as u32;
    // A Photoshop document of 8 x 8 pixels with resources ahead of its merged picture.
    let resource = |id: u16, data: &[u8]| {
        let pad = vec![0; data.len() % 2];
        let len = (data.len() as u32).to_be_bytes();
        [&b"8BIM"[..], &id.to_be_bytes(), &[0, 0], &len, data, &pad].concat()
    };
    let resources = [resource(1058, &block), resource(1060, XMP.as_bytes())].concat();
    let psd = [
        &b"8BPS\0\x01\0\0\0\0\0\0\0\x03\0\0\0\x08\0\0\0\x08\0\x08\0\x03\0\0\0\0"[..],
        &(resources.len() as u32).to_be_bytes(),
        &resources,
        &[0; 6],
        &[120; 8 * 8 * 3],
    ]
    .concat();
    let jp2 = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/made/base.jp2"));
    let jp2 = jp2.expect("picture");
    let code = jp2.windows(4).position(|w| w == b"jp2c").expect("a box") - 4;
    let xmp_uuid = b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac";
    let jp2 = [
        &jp2[..code],
        &boxed(b"uuid", &[b"JpgTiffExif->JP2", &block[..]].concat()),
        &boxed(b"uuid", &[&xmp_uuid[..], XMP.as_bytes()].concat()),
        &jp2[code..],
    ]
    .concat();
    let inner = png(&[chunk(b"eXIf", &block), chunk(b"iTXt", &itxt)]);
    let mut icon = b"\0\0\x01\0\x01\0\0\0\0\0\x01\0\x20\0".to_vec();
    icon.extend((inner.len() as u32).to_le_bytes());
    icon.extend(22_u32.to_le_bytes());
    icon.extend(&inner);
    vec![
        ("psd", psd),
        ("jp2", jp2),
        ("ico", icon),
        (
            "jpeg",
            jpeg(&[segment(0xe1, &app1), segment(0xe1, &packet)]),
        ),
        ("png", png(&[chunk(b"eXIf", &block), chunk(b"iTXt", &itxt)])),
        ("webp", webp),
        ("jxl", jxl),
        ("tiff", [tiff(strip), pixels.to_vec()].concat()),
    ]
}

#[test]
fn the_same_declarations_are_read_in_every_container() {
    for (name, bytes) in everywhere() {
        for metadata_only in [false, true] {
            let options = Options {
                metadata_only,
                ..Options::default()
            };
            let facts = decode(&bytes, &Limits::default(), &options)
                .unwrap_or_else(|e| panic!("{name}: {e}"))
                .facts;
            let m: &Metadata = &facts.metadata;
            let xmp = m.xmp.as_ref().unwrap_or_else(|| panic!("{name}: XMP"));
            assert_eq!(
                xmp.digital_source_type.as_deref(),
                Some("trainedAlgorithmicMedia"),
                "{name}"
            );
            let exif = m.exif.as_ref().unwrap_or_else(|| panic!("{name}: EXIF"));
            assert_eq!(exif.make.as_deref(), Some("Maker"), "{name}");
            let mark = m
                .generators
                .first()
                .unwrap_or_else(|| panic!("{name}: a mark"));
            assert_eq!(mark.tool, "Stable Diffusion WebUI", "{name}");
            assert_eq!((mark.seed, mark.steps), (Some(7), Some(20)), "{name}");
            assert_eq!(mark.model.as_deref(), Some("v1-5"), "{name}");
            // Of a Photoshop document the merged picture is always told.
            let notes: Vec<_> = facts
                .notes
                .iter()
                .filter(|n| n.code != "merged_picture")
                .collect();
            assert!(notes.is_empty(), "{name}: {notes:?}");
        }
    }
}

#[test]
fn a_broken_part_leaves_a_note_and_the_others_whole() {
    let block = exif(&[]);
    let good_exif = segment(0xe1, &[b"Exif\0\0", &block[..]].concat());
    let broken_exif = segment(0xe1, &[b"Exif\0\0II*\0", &[0xff; 20][..]].concat());
    let good_xmp = segment(
        0xe1,
        &[b"http://ns.adobe.com/xap/1.0/\0", XMP.as_bytes()].concat(),
    );
    let cut = &XMP.as_bytes()[..XMP.len() - 24];
    let broken_xmp = segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", cut].concat());
    let credit = b"\x1c\x02\x6e\0\x13Made with Google AI";
    let bad = b"\x1c\x02\x50\x7f\xffabc";
    let resource = |data: &[u8]| {
        let len = (data.len() as u32).to_be_bytes();
        segment(
            0xed,
            &[b"Photoshop 3.0\x008BIM\x04\x04\0\0", &len[..], data].concat(),
        )
    };
    let good_iptc = resource(credit);
    let broken_iptc = resource(&[bad, &credit[..]].concat());
    for (code, segments) in [
        ("exif_damaged", [&broken_exif, &good_xmp, &good_iptc]),
        ("xmp_damaged", [&good_exif, &broken_xmp, &good_iptc]),
        ("iptc_damaged", [&good_exif, &good_xmp, &broken_iptc]),
    ] {
        let facts = read(code, &jpeg(&segments.map(Clone::clone))).facts;
        let m = &facts.metadata;
        assert!(
            facts.notes.iter().any(|n| n.code == code),
            "{code}: {:?}",
            facts.notes
        );
        assert_eq!(m.exif.is_some(), code != "exif_damaged", "{code}");
        // What stands before a fault, and behind one, counts.
        let term = m
            .xmp
            .as_ref()
            .and_then(|x| x.digital_source_type.as_deref());
        assert_eq!(term, Some("trainedAlgorithmicMedia"), "{code}");
        let said = m.iptc.as_ref().and_then(|i| i.credit.as_deref());
        assert_eq!(said, Some("Made with Google AI"), "{code}");
    }
}

#[test]
fn a_text_may_be_hidden_in_the_lowest_bits() {
    let text = r#"{"Software":"NovelAI","Source":"m","Description":"a fox","Comment":"{\"seed\":7,\"steps\":28}"}"#;
    let bits: Vec<u8> = b"stealth_pnginfo"
        .iter()
        .chain(&((text.len() * 8) as u32).to_be_bytes())
        .chain(text.as_bytes())
        .flat_map(|b| (0..8).rev().map(move |i| (b >> i) & 1))
        .collect();
    let picture = image::RgbaImage::from_fn(80, 64, |x, y| {
        let bit = bits.get((x * 64 + y) as usize).copied().unwrap_or(0);
        image::Rgba([(x * 3) as u8, (y * 4) as u8, 90, 254 | bit])
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut png, image::ImageFormat::Png)
        .expect("encodes");
    let mark = &read("stealth", &png.into_inner()).facts.metadata.generators[0];
    assert_eq!(mark.tool, "NovelAI");
    assert_eq!((mark.seed, mark.steps), (Some(7), Some(28)));
    assert_eq!(mark.place, "lowest bits of the pixels");
}

#[test]
fn what_stands_behind_a_picture_is_told() {
    let mut bytes = picture("photo-like.jpg");
    let len = bytes.len() as u64;
    bytes.extend(boxed(b"ftyp", b"mp42\0\0\0\0"));
    let facts = read("motion", &bytes).facts;
    let part = &facts.behind[0];
    assert_eq!(
        (part.kind.as_str(), part.offset, part.bytes),
        ("video", len, 16)
    );
    assert_eq!(
        facts.notes[0].sentence,
        "Behind the picture stand 16 bytes: a video."
    );
    // A whole picture behind a PNG.
    let mut png = picture("plain.png");
    png.extend(picture("photo-like.jpg"));
    let facts = read("two", &png).facts;
    assert_eq!(facts.behind[0].kind, "picture");
}

#[test]
fn documents_and_drawings_declare_without_pixels() {
    let declared = |bytes: &[u8]| {
        let options = Options {
            metadata_only: true,
            ..Options::default()
        };
        let facts = decode(bytes, &Limits::default(), &options)
            .expect("declarations")
            .facts;
        facts.metadata.xmp.and_then(|x| x.digital_source_type)
    };
    let drawing = |inner: &str| {
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg"><metadata>{inner}</metadata><path d="M0 0"/></svg>"#
        )
    };
    let document =
        |inner: &str| format!("%PDF-1.7\n1 0 obj\nstream\n{inner}\nendstream\nendobj\n%%EOF\n");
    let generated = Some("trainedAlgorithmicMedia".to_owned());
    assert_eq!(declared(drawing(XMP).as_bytes()), generated);
    assert_eq!(declared(document(XMP).as_bytes()), generated);
    assert_eq!(declared(drawing("").as_bytes()), None);
    assert_eq!(declared(document("").as_bytes()), None);
}

#[test]
fn exif_is_read_however_its_segment_is_headed() {
    for head in [&b"EXIF\0\0"[..], b"Exif\0\0\0\0", b"Exif\0"] {
        let file = jpeg(&[segment(0xe1, &[head, &exif(&[])].concat())]);
        let found = read("a segment", &file).facts.metadata;
        assert_eq!(found.generators.len(), 1, "{head:?}");
    }
}

#[test]
fn comments_of_a_codestream_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let jp2 = std::fs::read(folder.join("tests/made/base.jp2")).expect("picture");
    let code = jp2.windows(4).position(|w| w == b"jp2c").expect("a box") + 4;
    // The comment stands behind the size segment, which follows the start.
    let size = usize::from(u16::from_be_bytes([jp2[code + 4], jp2[code + 5]]));
    let at = code + 4 + size;
    let comment = segment(0x64, &[b"\0\x01", PARAMETERS.as_bytes()].concat());
    let stream = [&jp2[code..at], &comment, &jp2[at..]].concat();
    let found = read("a codestream", &stream).facts.metadata;
    assert_eq!(found.generators.len(), 1);
    assert_eq!(found.generators[0].seed, Some(7));
}
