//! One entry for every format: sniff, check limits, decode, bring to upright sRGB, collect facts.

use image::RgbImage;

use crate::codec::raw::{Colour, Raw};
use crate::codec::{heif, jp2, jpeg, jxl, psd, raster, tiff};
use crate::container::trailer;
use crate::error::MediaError;
use crate::format::{self, Format};
use crate::limits::Limits;
use crate::metadata::{self, Metadata, Sources};
use crate::note::Note;
use crate::parts::{self, Part};
use crate::picture::{Decoded, Facts, Options};
use crate::{colour, orientation, thumbnail};

/// Decodes `bytes` within `limits`.
///
/// Catches neither a stuck decoder nor an aborting allocation: run it in a worker process with a
/// deadline where the bytes are untrusted.
///
/// # Errors
/// [`MediaError`] with a stable code.
pub fn decode(bytes: &[u8], limits: &Limits, options: &Options) -> Result<Decoded, MediaError> {
    if bytes.is_empty() {
        return Err(MediaError::Empty);
    }
    if bytes.len() as u64 > limits.max_bytes {
        return Err(MediaError::Limit {
            what: "bytes of file".into(),
            value: bytes.len() as u64,
            limit: limits.max_bytes,
        });
    }
    if let Some(name) = format::undecoded(bytes).filter(|name| *name != format::RAW) {
        return Err(MediaError::Unsupported {
            format: name.into(),
        });
    }
    let Some(format) = Format::sniff(bytes) else {
        return Err(MediaError::NotAPicture {
            found: format::describe(bytes).into(),
        });
    };
    // A decoder's own assertion is a fault of the file to its reader, not of the program.
    let guarded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if options.metadata_only && options.part.is_none() {
            return Ok(match format {
                Format::Raw => of_raw(bytes, options),
                _ => undecoded(bytes, format, options),
            });
        }
        if format.holds_pictures() {
            return one_of(bytes, format, limits, options);
        }
        if let Some(name) = &options.part {
            let file = trailer::item(bytes, format, name);
            let file = file.ok_or_else(|| MediaError::NotAPicture {
                found: format!("a {} without a part {name}", format.name()),
            })?;
            let options = Options {
                part: None,
                ..options.clone()
            };
            return decode(file, limits, &options);
        }
        let raw = pixels(bytes, format, limits, options)?;
        let mut behind = trailer::parts(bytes, format);
        let hidden = metadata::stealth::read(&raw.samples, raw.width, raw.height);
        let sources = Sources {
            exif: raw.exif.as_deref(),
            hidden: hidden.as_deref(),
            behind: &behind,
            anchors: options.trust.as_ref(),
            manifest: options.manifest.as_deref(),
            packets: None,
            outline: false,
        };
        let (metadata, notes) = metadata::read(bytes, format, &sources);
        let block = raw.exif.clone();
        let mut decoded = finish(raw, format, metadata);
        let turned = decoded.facts.orientation;
        decoded.facts.thumbnail =
            block.and_then(|b| thumbnail::compare(&b, &decoded.pixels, turned));
        for part in behind.iter_mut().filter(|p| p.kind == "preview") {
            let preview = trailer::slice(bytes, part);
            part.likeness = preview.and_then(|p| thumbnail::of_preview(p, &decoded.pixels, turned));
            // What shows the same picture needs no scan of its own.
            if part.likeness.is_some_and(|l| l >= thumbnail::ANOTHER) {
                part.item = None;
            }
        }
        decoded.facts.notes.extend(told(&behind));
        decoded.facts.notes.extend(notes);
        decoded.facts.behind = behind;
        Ok(decoded)
    }));
    guarded.unwrap_or_else(|_| {
        Err(MediaError::Corrupt {
            format: format.name().into(),
            reason: "the decoder gave up on a broken assumption".into(),
        })
    })
}

/// The picture of a file that is asked for by its name.
fn one_of(
    bytes: &[u8],
    format: Format,
    limits: &Limits,
    options: &Options,
) -> Result<Decoded, MediaError> {
    let Some(name) = &options.part else {
        return Err(parts::refusal(bytes, format));
    };
    let mut decoded = match parts::part(bytes, format, name, limits)? {
        Part::Raw(raw) => finish(*raw, format, Metadata::default()),
        Part::File(file) => {
            let options = Options {
                part: None,
                ..options.clone()
            };
            decode(&file, limits, &options)?
        }
    };
    let own = parts::packets(bytes, format, Some(name)).filter(|p| !p.is_empty());
    let own = own.map(|packets| {
        let sources = Sources {
            packets: Some(packets),
            ..Sources::default()
        };
        metadata::read(&[], format, &sources)
    });
    let around = match format {
        Format::Raw => of_raw(bytes, options),
        _ => undecoded(bytes, format, options),
    };
    let around = (around.facts.metadata, around.facts.notes);
    for (metadata, notes) in own.into_iter().chain([around]) {
        let turned = metadata.exif.as_ref().and_then(|e| e.orientation);
        let told = decoded.facts.metadata.exif.as_ref();
        if let Some(turned) = turned.filter(|o| (2..=8).contains(o))
            && told.is_none_or(|e| e.orientation.is_none())
        {
            decoded.pixels = orientation::upright(decoded.pixels, turned);
            (decoded.facts.width, decoded.facts.height) = decoded.pixels.dimensions();
            decoded.facts.orientation = turned;
        }
        decoded.facts.metadata.join(metadata);
        decoded.facts.notes.extend(notes);
    }
    if format == Format::Raw {
        decoded.facts.notes.push(Note::new(
            "preview",
            "The camera's own preview in the raw photograph was read, not the photograph.",
        ));
    }
    Ok(decoded)
}

fn is_tiff(bytes: &[u8]) -> bool {
    matches!(bytes, [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..])
}

/// What a raw photograph declares: as a TIFF does, or as a video does where it is built like one.
fn of_raw(bytes: &[u8], options: &Options) -> Decoded {
    let like = match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Format::Video,
        _ if is_tiff(bytes) => Format::Tiff,
        _ => Format::Raw,
    };
    let mut declared = undecoded(bytes, like, options);
    declared.facts.format = Format::Raw;
    declared
}

/// What a file declares, without a picture.
fn undecoded(bytes: &[u8], format: Format, options: &Options) -> Decoded {
    let behind = trailer::parts(bytes, format);
    let sources = Sources {
        behind: &behind,
        anchors: options.trust.as_ref(),
        manifest: options.manifest.as_deref(),
        packets: parts::packets(bytes, format, None),
        outline: options.outline,
        ..Sources::default()
    };
    let (metadata, mut notes) = metadata::read(bytes, format, &sources);
    notes.extend(told(&behind));
    if format == Format::Pdf
        && bytes
            .windows(14)
            .any(|w| w == b"C2PA_Manifest/" || w == b"C2PA_Manifest ")
    {
        notes.push(Note::new(
            "credentials_not_read",
            "The document has content credentials, which are not read of PDF.",
        ));
    }
    Decoded {
        pixels: RgbImage::default(),
        facts: Facts {
            format,
            width: 0,
            height: 0,
            bit_depth: 0,
            alpha_composited: false,
            animated: false,
            orientation: 1,
            icc_profile: None,
            jpeg: None,
            thumbnail: None,
            behind,
            metadata,
            notes,
        },
    }
}

/// A note on each part behind the picture.
fn told(behind: &[trailer::Part]) -> impl Iterator<Item = Note> + '_ {
    behind.iter().map(|part| {
        Note::new(
            "trailing_bytes",
            format!(
                "Behind the picture stand {} bytes: {}.",
                part.bytes, part.what
            ),
        )
    })
}

fn pixels(
    bytes: &[u8],
    format: Format,
    limits: &Limits,
    options: &Options,
) -> Result<Raw, MediaError> {
    Ok(match format {
        Format::Jpeg => jpeg::decode(bytes, limits, options)?,
        Format::Png | Format::Webp | Format::Gif | Format::Bmp | Format::Ico => {
            raster::decode(bytes, format, limits)?
        }
        Format::Tiff => tiff::decode(bytes, limits)?,
        Format::Avif | Format::Heic => heif::decode(bytes, format, limits)?,
        Format::Jp2 => jp2::decode(bytes, limits)?,
        Format::Psd => psd::decode(bytes, limits)?,
        Format::Jxl => jxl::decode(bytes, limits)?,
        Format::Video | Format::Pdf | Format::Svg | Format::Raw => {
            return Err(MediaError::Unsupported {
                format: format.name().into(),
            });
        }
    })
}

fn finish(raw: Raw, format: Format, metadata: Metadata) -> Decoded {
    let mut notes = raw.notes;
    let adobe = raw.colour == Colour::Srgb && raw.exif.as_deref().is_some_and(colour::is_adobe_rgb);
    let colour = if adobe { Colour::AdobeRgb } else { raw.colour };
    let converted = colour::to_srgb(raw.samples, &colour);
    if let Some(reason) = converted.profile_problem {
        notes.push(Note::new(
            "icc_ignored",
            format!("The colour profile could not be applied: {reason}."),
        ));
    }
    if let Some(how) = converted.tone_mapped {
        notes.push(Note::new("tone_mapped", how));
    }
    if converted.alpha_composited {
        notes.push(Note::new(
            "alpha_composited",
            "Transparency was composited on white.",
        ));
    }
    if raw.animated {
        notes.push(Note::new(
            "first_frame",
            "The file is animated; only its first frame was read.",
        ));
    }
    let turned = raw
        .orientation
        .or(metadata.exif.as_ref().and_then(|e| e.orientation))
        .filter(|o| (1..=8).contains(o))
        .unwrap_or(1);
    let upright = RgbImage::from_raw(raw.width, raw.height, converted.rgb)
        .map(|p| orientation::upright(p, turned))
        .unwrap_or_default();
    Decoded {
        facts: Facts {
            format,
            width: upright.width(),
            height: upright.height(),
            bit_depth: raw.bit_depth,
            alpha_composited: converted.alpha_composited,
            animated: raw.animated,
            orientation: turned,
            icc_profile: converted.profile,
            jpeg: raw.jpeg,
            thumbnail: None,
            behind: Vec::new(),
            metadata,
            notes,
        },
        pixels: upright,
    }
}
