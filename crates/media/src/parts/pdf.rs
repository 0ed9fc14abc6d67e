//! Pictures of a PDF document (ISO 32000-1, section 8.9.5) through `hayro-syntax`.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::Arc;

use hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro_syntax::{Filter, LoadPdfError, Pdf};

use super::{Names, Part};
use crate::codec::raw::{Colour, Raw, Samples};
use crate::error::MediaError;
use crate::limits::Limits;
use crate::note::Note;

/// Most pages that are looked through.
const PAGES: usize = 5_000;
/// Deepest nesting of drawings within drawings.
const DEEPEST: u8 = 6;

fn corrupt(reason: impl Into<String>) -> MediaError {
    MediaError::Corrupt {
        format: "PDF document".into(),
        reason: reason.into(),
    }
}

fn unsupported(what: impl std::fmt::Display) -> MediaError {
    MediaError::Unsupported {
        format: format!("picture of a PDF document {what}"),
    }
}

fn open(bytes: &[u8]) -> Result<Pdf, MediaError> {
    Pdf::new(Arc::new(bytes.to_vec())).map_err(|e| match e {
        LoadPdfError::Decryption(_) => MediaError::Unsupported {
            format: "PDF document behind a password".into(),
        },
        LoadPdfError::Invalid => corrupt("its objects cannot be followed"),
    })
}

pub(super) fn names(bytes: &[u8]) -> Result<Names, MediaError> {
    let mut names = Names::default();
    each(&open(bytes)?, &mut |name, _| {
        names.push(name);
        false
    });
    Ok(names)
}

pub(super) fn part(bytes: &[u8], name: &str, limits: &Limits) -> Result<Option<Part>, MediaError> {
    let mut found = None;
    each(&open(bytes)?, &mut |at, stream| {
        if at == name {
            found = Some(picture(stream, limits));
        }
        at == name
    });
    found.transpose()
}

/// XMP packets (ISO 32000-1, section 14.3.2) of the document, or of the picture of that name.
pub(super) fn packets(bytes: &[u8], name: Option<&str>) -> Result<Vec<Vec<u8>>, MediaError> {
    /// Most bytes of a packet as the file has it; packed, it may be a thousand times as large.
    const MOST: usize = 256 << 10;
    let of = |dict: &Dict<'_>| -> Vec<Vec<u8>> {
        let stream = dict.get::<Stream<'_>>("Metadata");
        let small = stream.filter(|s| s.raw_data().len() <= MOST);
        let packet = small.and_then(|s| s.decoded_data().ok().map(|d| d.into_owned()));
        packet.into_iter().collect()
    };
    let pdf = open(bytes)?;
    let Some(name) = name else {
        let root = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
        return Ok(root.as_ref().map(of).unwrap_or_default());
    };
    let mut found = Vec::new();
    each(&pdf, &mut |at, stream| {
        if at == name {
            found = of(stream.dict());
        }
        at == name
    });
    Ok(found)
}

/// Gives each picture with its name to `take`, until that says so. A picture that stands on several pages counts once.
fn each(pdf: &Pdf, take: &mut dyn FnMut(String, &Stream<'_>) -> bool) {
    let mut seen = BTreeSet::new();
    for (i, page) in pdf.pages().iter().enumerate().take(PAGES) {
        let mut count = 0;
        let mut number = |stream: &Stream<'_>| {
            count += 1;
            take(format!("page={},image={count}", i + 1), stream)
        };
        if walk(&page.resources().x_objects, &mut seen, 0, &mut number) {
            return;
        }
    }
}

fn walk(
    objects: &Dict<'_>,
    seen: &mut BTreeSet<(u32, i32)>,
    depth: u8,
    take: &mut dyn FnMut(&Stream<'_>) -> bool,
) -> bool {
    let mut keys: Vec<Name<'_>> = objects.keys().collect();
    keys.sort();
    for key in keys {
        let Some(stream) = objects.get::<Stream<'_>>(&*key) else {
            continue;
        };
        let id = stream.obj_id();
        if !seen.insert((id.obj_number, id.gen_number)) {
            continue;
        }
        let dict = stream.dict();
        let kind = dict.get::<Name<'_>>("Subtype");
        match kind.as_deref() {
            Some(b"Image") if dict.get::<bool>("ImageMask") != Some(true) && take(&stream) => {
                return true;
            }
            Some(b"Form") if depth < DEEPEST => {
                let inner = dict
                    .get::<Dict<'_>>("Resources")
                    .and_then(|r| r.get::<Dict<'_>>("XObject"));
                if inner.is_some_and(|inner| walk(&inner, seen, depth + 1, take)) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// How samples mean colours.
enum Space {
    Gray,
    Rgb,
    Cmyk,
    /// Colours by number: how many channels each has, and all of them.
    Indexed(Box<Space>, Vec<u8>),
}

impl Space {
    fn channels(&self) -> usize {
        match self {
            Self::Gray | Self::Indexed(..) => 1,
            Self::Rgb => 3,
            Self::Cmyk => 4,
        }
    }
}

fn space(object: &Object<'_>, icc: &mut Option<Vec<u8>>, depth: u8) -> Option<Space> {
    if depth > 2 {
        return None;
    }
    let named = |name: &[u8]| {
        Some(match name {
            b"DeviceGray" | b"G" | b"CalGray" => Space::Gray,
            b"DeviceRGB" | b"RGB" | b"CalRGB" => Space::Rgb,
            b"DeviceCMYK" | b"CMYK" => Space::Cmyk,
            _ => return None,
        })
    };
    match object {
        Object::Name(name) => named(name),
        Object::Array(array) => {
            let parts: Vec<Object<'_>> = array.iter::<Object<'_>>().take(4).collect();
            let Object::Name(kind) = parts.first()? else {
                return None;
            };
            match (&**kind, parts.get(1)) {
                (b"ICCBased", Some(Object::Stream(profile))) => {
                    let space = match profile.dict().get::<i32>("N")? {
                        1 => Space::Gray,
                        3 => Space::Rgb,
                        4 => Space::Cmyk,
                        _ => return None,
                    };
                    *icc = profile.decoded_data().ok().map(|d| d.into_owned());
                    Some(space)
                }
                (b"Indexed" | b"I", Some(base)) => {
                    let base = space(base, icc, depth + 1)?;
                    let table = match parts.get(3)? {
                        Object::String(text) => text.as_ref().to_vec(),
                        Object::Stream(stream) => stream.decoded_data().ok()?.into_owned(),
                        _ => return None,
                    };
                    (base.channels() != 1 || matches!(base, Space::Gray))
                        .then(|| Space::Indexed(Box::new(base), table))
                }
                (name, _) => named(name),
            }
        }
        _ => None,
    }
}

/// The data ahead of a filter. The crate undoes filters of a picture all at once, its JPEG with them.
fn undone(filter: Filter, data: &[u8], limits: &Limits) -> Result<Vec<u8>, MediaError> {
    let mut out = Vec::new();
    let broken = || corrupt("the text around a picture is broken");
    match filter {
        Filter::FlateDecode => {
            flate2::read::ZlibDecoder::new(data)
                .take(limits.max_bytes)
                .read_to_end(&mut out)
                .map_err(|e| corrupt(e.to_string()))?;
        }
        Filter::Ascii85Decode => {
            let mut digits: Vec<u32> = Vec::with_capacity(5);
            let mut flush = |digits: &mut Vec<u32>| {
                let kept = digits.len().saturating_sub(1);
                digits.resize(5, 84);
                let word = digits.iter().fold(0_u64, |n, d| n * 85 + u64::from(*d));
                digits.clear();
                let word = u32::try_from(word).ok()?;
                out.extend_from_slice(&word.to_be_bytes()[..kept]);
                Some(())
            };
            for c in data.iter().filter(|c| !c.is_ascii_whitespace()) {
                match c {
                    b'z' if digits.is_empty() => digits.resize(5, 0),
                    b'!'..=b'u' => digits.push(u32::from(c - b'!')),
                    b'~' => break,
                    _ => return Err(broken()),
                }
                if digits.len() == 5 {
                    flush(&mut digits).ok_or_else(broken)?;
                }
            }
            if !digits.is_empty() {
                flush(&mut digits).ok_or_else(broken)?;
            }
        }
        _ => return Err(unsupported("behind further filters")),
    }
    Ok(out)
}

fn picture(stream: &Stream<'_>, limits: &Limits) -> Result<Part, MediaError> {
    let filters = stream.filters();
    match filters.as_slice() {
        [Filter::DctDecode | Filter::JpxDecode] => {
            return Ok(Part::File(stream.raw_data().into_owned()));
        }
        [ahead @ .., Filter::DctDecode | Filter::JpxDecode] => {
            let mut file = stream.raw_data().into_owned();
            for filter in ahead {
                file = undone(*filter, &file, limits)?;
            }
            return Ok(Part::File(file));
        }
        other => {
            for filter in other {
                match filter {
                    Filter::CcittFaxDecode => return Err(unsupported("with fax compression")),
                    Filter::Jbig2Decode => return Err(unsupported("with JBIG2 compression")),
                    _ => {}
                }
            }
        }
    }
    let dict = stream.dict();
    let side = |name: &str, short: &str| {
        dict.get::<i32>(name)
            .or_else(|| dict.get::<i32>(short))
            .and_then(|v| u32::try_from(v).ok())
            .unwrap_or(0)
    };
    let (width, height) = (side("Width", "W"), side("Height", "H"));
    let mut icc = None;
    let space = dict
        .get::<Object<'_>>("ColorSpace")
        .and_then(|object| space(&object, &mut icc, 0))
        .ok_or_else(|| unsupported("in colours that are not read"))?;
    let depth = side("BitsPerComponent", "BPC") as usize;
    if !matches!(depth, 1 | 2 | 4 | 8 | 16) {
        return Err(corrupt(format!("a picture has {depth}-bit samples")));
    }
    limits.check(u64::from(width), u64::from(height), 14)?;
    let (w, h, n) = (width as usize, height as usize, space.channels());
    let data = stream
        .decoded_data()
        .map_err(|e| corrupt(format!("{e:?}")))?;
    let row = (w * n * depth).div_ceil(8);
    if data.len() < row * h {
        return Err(MediaError::Truncated {
            format: "PDF document".into(),
            reason: "the data of a picture are incomplete".into(),
        });
    }
    // A range that runs downwards turns samples over.
    let range = dict
        .get::<Array<'_>>("Decode")
        .map(|a| a.iter::<f32>().take(2).collect());
    let turned = range.is_some_and(|r: Vec<f32>| matches!(r[..], [low, high] if low > high));
    let indexed = matches!(space, Space::Indexed(..));
    let max = (1_u32 << depth) - 1;
    let mut values = Vec::with_capacity(w * h * n);
    for line in data.chunks_exact(row).take(h) {
        for i in 0..w * n {
            let bit = i * depth;
            let v = match depth {
                16 => u32::from(u16::from_be_bytes([line[2 * i], line[2 * i + 1]])),
                8 => u32::from(line[i]),
                _ => u32::from(line[bit / 8]) >> (8 - depth - bit % 8) & max,
            };
            let v = if turned { max - v } else { v };
            values.push(match (indexed, depth) {
                (true, _) => v as u8,
                (_, 16) => ((v + 128) / 257) as u8,
                _ => (v * 255 / max) as u8,
            });
        }
    }
    let (space, values) = match space {
        Space::Indexed(base, table) => {
            let n = base.channels();
            let colour = |i: u8| {
                let at = usize::from(i) * n;
                (at..at + n).map(|at| table.get(at).copied().unwrap_or(0))
            };
            (*base, values.into_iter().flat_map(colour).collect())
        }
        other => (other, values),
    };
    let mut notes = Vec::new();
    if matches!(space, Space::Cmyk) && icc.is_none() {
        notes.push(Note::new(
            "cmyk",
            "The CMYK colours were converted without a profile.",
        ));
    }
    let samples = match space {
        Space::Gray => Samples::Rgb8(values.into_iter().flat_map(|v| [v; 3]).collect()),
        Space::Cmyk => Samples::Cmyk8(values),
        _ => Samples::Rgb8(values),
    };
    Ok(Part::Raw(Box::new(Raw {
        samples,
        width,
        height,
        bit_depth: depth as u8,
        animated: false,
        colour: icc.map_or(Colour::Srgb, Colour::Icc),
        exif: None,
        orientation: None,
        jpeg: None,
        notes,
    })))
}
