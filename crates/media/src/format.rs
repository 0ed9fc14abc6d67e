//! Formats by content, never by name.

use serde::{Deserialize, Serialize};

use crate::container::heif;
use crate::container::tiff::Directory;

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG and APNG.
    Png,
    /// WebP.
    Webp,
    /// GIF.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF and BigTIFF.
    Tiff,
    /// Windows icon, of which the largest picture is read.
    Ico,
    /// JPEG 2000, bare or in a container.
    Jp2,
    /// Photoshop document, of which the merged picture is read.
    Psd,
    /// AVIF.
    Avif,
    /// JPEG XL, bare or in a container.
    Jxl,
    /// HEIC, and HEIF whose pictures are coded otherwise.
    Heic,
    /// PDF document, whose pictures are read one by one.
    Pdf,
    /// SVG drawing, whose embedded pictures are read one by one.
    Svg,
    /// What a camera's sensor gave, of which the camera's preview can be read.
    Raw,
    /// A video container; its frames are decoded by [`crate::video`] alone.
    Video,
}

impl Format {
    /// The format that `bytes` begin with.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if undecoded(bytes) == Some(RAW) || is_tiff_of_camera(bytes) {
            return Some(Self::Raw);
        }
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::Webp),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'A',
                b'V',
                b'I',
                b' ',
                ..,
            ] => Some(Self::Video),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            // A directory of one to 255 entries, each with a zero byte, and the first behind the directory.
            [0, 0, 1, 0, entries, 0, _, _, _, 0, ..] if *entries > 0 && bytes.len() > 22 => {
                Some(Self::Ico)
            }
            [0xff, 0x0a, ..] => Some(Self::Jxl),
            [
                0,
                0,
                0,
                12,
                b'J',
                b'X',
                b'L',
                b' ',
                0x0d,
                0x0a,
                0x87,
                0x0a,
                ..,
            ] => Some(Self::Jxl),
            [0, 0, 0, 12, b'j', b'P', b' ', b' ', 13, 10, 0x87, 10, ..]
            | [0xff, 0x4f, 0xff, 0x51, ..] => Some(Self::Jp2),
            [b'8', b'B', b'P', b'S', 0, 1 | 2, ..] => Some(Self::Psd),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(Self::Video),
            // A bitmap's declared header size tells it from text that happens to begin with "BM".
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..]
                if matches!(bytes.get(14), Some(12 | 40 | 52 | 56 | 64 | 108 | 124)) =>
            {
                Some(Self::Bmp)
            }
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some(Self::brand(bytes)),
            // QuickTime of before 2001 begins without a type.
            [0, _, _, _, b'm', b'o', b'o', b'v', ..]
            | [0, _, _, _, b'm', b'd', b'a', b't', ..]
            | [0, 0, 0, 8, b'w', b'i', b'd', b'e', ..] => Some(Self::Video),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            _ if is_svg(bytes) => Some(Self::Svg),
            _ => None,
        }
    }

    /// What an ISO base media file is by its brands, the major one first. Brands that name no codec are decided by the
    /// picture that the file is for.
    fn brand(bytes: &[u8]) -> Self {
        let declared = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        let end = declared.clamp(12, 256).min(bytes.len());
        let brands = || {
            bytes
                .get(8..end)
                .unwrap_or_default()
                .chunks_exact(4)
                .enumerate()
                .filter(|(i, _)| *i != 1)
                .map(|(_, brand)| brand)
        };
        let mut found = Self::Video;
        for brand in brands() {
            match brand {
                b"avif" | b"avis" | b"avio" => return Self::Avif,
                b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"hevm" | b"hevs" => {
                    return Self::Heic;
                }
                b"mif1" | b"mif2" | b"msf1" | b"miaf" => found = Self::Heic,
                _ => {}
            }
        }
        if found == Self::Heic && heif::codec(bytes) == Some(*b"av01") {
            return Self::Avif;
        }
        found
    }

    /// Whether a file of this format is no picture but may hold some, which are read one by one.
    #[must_use]
    pub fn holds_pictures(self) -> bool {
        matches!(self, Self::Pdf | Self::Svg | Self::Raw)
    }

    /// Name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Webp => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Ico => "ICO",
            Self::Jp2 => "JPEG 2000",
            Self::Psd => "Photoshop document",
            Self::Avif => "AVIF",
            Self::Jxl => "JPEG XL",
            Self::Heic => "HEIC",
            Self::Pdf => "PDF document",
            Self::Svg => "SVG drawing",
            Self::Raw => RAW,
            Self::Video => "video",
        }
    }
}

/// Whether a camera wrote its sensor's data as a TIFF: DNG, NEF, ARW and their like, or CR2 by its mark.
fn is_tiff_of_camera(bytes: &[u8]) -> bool {
    let is_tiff = matches!(bytes, [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..]);
    is_tiff
        && (bytes.get(8..10) == Some(b"CR")
            || Directory::first(bytes).is_some_and(|d| d.is_of_camera()))
}

/// Whether text begins as an SVG drawing does, behind a declaration, comments and a document type.
fn is_svg(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(4096)];
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let blank = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let text = &text[blank..];
    text.starts_with(b"<")
        && (text.starts_with(b"<svg")
            || (text.starts_with(b"<?xml") || text.starts_with(b"<!"))
                && text.windows(4).any(|w| w == b"<svg"))
}

/// Name of a picture format that is recognised and not decoded.
#[must_use]
pub fn undecoded(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x76, 0x2f, 0x31, 0x01, ..] => Some("OpenEXR"),
        [b'D', b'D', b'S', b' ', 124, 0, 0, 0, ..] => Some("DirectDraw surface"),
        [b'q', b'o', b'i', b'f', ..] => Some("QOI"),
        [
            b'#',
            b'?',
            b'R',
            b'A',
            b'D',
            b'I',
            b'A',
            b'N',
            b'C',
            b'E',
            ..,
        ] => Some("Radiance HDR"),
        [
            b'P',
            b'1'..=b'7',
            b'\n' | b' ' | b'\r' | b'\t',
            b'0'..=b'9' | b'#',
            ..,
        ] => Some("PNM"),
        [
            b'F',
            b'U',
            b'J',
            b'I',
            b'F',
            b'I',
            b'L',
            b'M',
            b'C',
            b'C',
            b'D',
            b'-',
            b'R',
            b'A',
            b'W',
            ..,
        ]
        | [b'I', b'I', 0x55, 0, ..]
        | [b'I', b'I', b'R', b'O' | b'S', ..]
        | [b'F', b'O', b'V', b'b', ..]
        | [
            _,
            _,
            _,
            _,
            b'f',
            b't',
            b'y',
            b'p',
            b'c',
            b'r',
            b'x',
            b' ',
            ..,
        ] => Some(RAW),
        _ => None,
    }
}

/// Name of what a camera's sensor gave, before it is a picture.
pub(crate) const RAW: &str = "raw photograph";

/// A word for content that is no picture.
#[must_use]
pub fn describe(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'P', b'K', 3, 4, ..] => "a ZIP archive",
        [0x7f, b'E', b'L', b'F', ..] => "a program",
        [0x1f, 0x8b, ..] => "gzip data",
        [b'F', b'L', b'V', 1, ..] => "a Flash video, which is not read",
        [0, 0, 1, 0xba | 0xb3, ..] => "an MPEG program stream, which is not read",
        [0x47, ..] if bytes.get(188) == Some(&0x47) && bytes.get(376) == Some(&0x47) => {
            "an MPEG transport stream, which is not read"
        }
        [0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11, ..] => {
            "a Windows Media file, which is not read"
        }
        [b'O', b'g', b'g', b'S', ..] => "an Ogg file, which is not read",
        [0x06, 0x0e, 0x2b, 0x34, ..] => "an MXF file, which is not read",
        _ if std::str::from_utf8(&bytes[..bytes.len().min(512)])
            .map_or_else(|e| e.valid_up_to() + 4 > bytes.len().min(512), |_| true) =>
        {
            "text"
        }
        _ => "unknown data",
    }
}

/// Whether a file name claims to be a picture or a video.
#[must_use]
pub fn name_claims_media(name: &str) -> bool {
    const EXTENSIONS: [&str; 49] = [
        "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff",
        "avif", "jxl", "heic", "heif", "jp2", "j2k", "jpx", "psd", "tga", "qoi", "exr", "hdr",
        "dds", "ppm", "pgm", "pbm", "pnm", "dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2",
        "pef", "srw", "x3f", "mp4", "mov", "m4v", "webm", "mkv", "avi", "mpg", "mpeg", "ico",
    ];
    name.rsplit_once('.')
        .is_some_and(|(_, ext)| EXTENSIONS.contains(&ext.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_text_is_no_picture() {
        assert_eq!(Format::sniff(b"BM is how this text begins, honestly"), None);
        assert_eq!(describe("h\u{e9}llo".as_bytes()), "text");
    }

    #[test]
    fn pictures_without_a_decoder_have_a_name() {
        for (bytes, expected) in [
            (&b"\0\0\0\x18ftypcrx \0\0\0\x01"[..], Some(RAW)),
            (b"DDS: a heading", None),
            (b"P3 is how a text begins", None),
            (b"P6\n640 480\n255\n", Some("PNM")),
            (b"\xff\xd8\xff\xe0", None),
        ] {
            assert_eq!(undecoded(bytes), expected);
        }
        assert!(name_claims_media("IMG_1.CR2") && !name_claims_media("notes.txt"));
    }

    #[test]
    fn brands_tell_avif_from_heic_and_video() {
        assert_eq!(
            Format::sniff(b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf"),
            Some(Format::Avif)
        );
        assert_eq!(
            Format::sniff(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
            Some(Format::Heic)
        );
        for brand in [b"heix", b"hevc", b"mif1", b"msf1"] {
            let file = [&b"\0\0\0\x10ftyp"[..], brand, &[0; 4]].concat();
            assert_eq!(Format::sniff(&file), Some(Format::Heic), "{brand:?}");
        }
        assert_eq!(
            Format::sniff(b"\0\0\0\x18ftypisom\0\0\0\0mp41isom"),
            Some(Format::Video)
        );
    }
}
