//! HEIC and AVIF: pictures made of items, coded or derived.
//!
//! One way for both: the container tells what an item is made of and how it is turned; the codec of each coded item
//! gives planes.

use super::raw::{Colour, Raw, Samples};
use super::yuv::Planes;
use super::{av1, canvas};
use crate::container::heif::{Fault, Heif, Numbers, Sample, boxes, child, first_sample};
use crate::error::MediaError;
use crate::format::Format;
use crate::limits::Limits;
use crate::note::Note;
use crate::orientation;

/// Deepest nesting of derived items.
const DEEPEST: u8 = 4;
const ALPHA: [&[u8]; 2] = [
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    b"urn:mpeg:hevc:2015:auxid:1",
];

/// A decoded item, not yet turned.
struct Picture {
    width: u32,
    height: u32,
    depth: u8,
    samples: Samples,
    /// EXIF orientation that is equal to the item's own turns.
    turn: u8,
}

/// What `nclx` says.
#[derive(Clone, Copy)]
struct Nclx {
    primaries: u16,
    transfer: u16,
    matrix: u16,
    full_range: bool,
}

struct Reader<'a> {
    heif: Heif<'a>,
    name: &'static str,
    limits: &'a Limits,
    /// What the coded picture says of its colours, for files that say nothing.
    coded: Option<(u16, u16)>,
}

pub(crate) fn decode(bytes: &[u8], format: Format, limits: &Limits) -> Result<Raw, MediaError> {
    let name = format.name();
    let heif = Heif::parse(bytes).map_err(|f| fault(name, f))?;
    let Some(heif) = heif else {
        let sample = first_sample(bytes).ok_or_else(|| MediaError::Truncated {
            format: name.into(),
            reason: "it names no picture".into(),
        })?;
        return sequence(&sample, name, limits);
    };
    let mut notes = Vec::new();
    let id = heif.primary;
    if let Some((width, height)) = heif.size(id) {
        limits.check(u64::from(width), u64::from(height), 10)?;
    }
    let colour = colour(&heif, id);
    describe(&heif, id, &mut notes);
    let mut reader = Reader {
        heif,
        name,
        limits,
        coded: None,
    };
    let picture = reader.item(id, None, 0)?;
    let animated = first_sample(bytes).is_some_and(|s| s.count > 1);
    let colour = colour.unwrap_or_else(|| Colour::cicp(reader.coded));
    Ok(Raw {
        samples: picture.samples,
        width: picture.width,
        height: picture.height,
        bit_depth: picture.depth,
        animated,
        colour,
        exif: None,
        orientation: Some(picture.turn),
        jpeg: None,
        notes,
    })
}

/// The first picture of a file that is a sequence alone.
fn sequence(sample: &Sample<'_>, name: &'static str, limits: &Limits) -> Result<Raw, MediaError> {
    let planes = coded(
        sample.codec,
        child(sample.description, b"hvcC"),
        sample.data,
        name,
        limits,
    )?;
    let colours: Vec<&[u8]> = boxes(sample.description)
        .filter(|b| b.kind == *b"colr")
        .map(|b| b.data)
        .collect();
    let nclx = colours.iter().find_map(|c| nclx(c));
    let coded = (planes.primaries, planes.transfer);
    let planes = with_nclx(planes, nclx);
    let colour = colours
        .iter()
        .find_map(|c| icc(c))
        .map(Colour::Icc)
        .unwrap_or_else(|| {
            let said = nclx.map(|n| (n.primaries, n.transfer));
            Colour::cicp(said.or(Some(coded)))
        });
    Ok(Raw {
        width: planes.width as u32,
        height: planes.height as u32,
        bit_depth: planes.depth,
        samples: planes.to_rgb()?,
        animated: sample.count > 1,
        colour,
        exif: None,
        orientation: Some(1),
        jpeg: None,
        notes: Vec::new(),
    })
}

fn fault(name: &str, fault: Fault) -> MediaError {
    match fault {
        Fault::Truncated(reason) => MediaError::Truncated {
            format: name.into(),
            reason: reason.into(),
        },
        Fault::Corrupt(reason) => corrupt(name, reason),
    }
}

fn corrupt(name: &str, reason: impl Into<String>) -> MediaError {
    MediaError::Corrupt {
        format: name.into(),
        reason: reason.into(),
    }
}

/// Planes of a coded picture.
fn coded(
    kind: [u8; 4],
    config: Option<&[u8]>,
    data: &[u8],
    name: &'static str,
    limits: &Limits,
) -> Result<Planes, MediaError> {
    let planes = match &kind {
        b"av01" => av1::picture(data, limits)?,
        #[cfg(feature = "heic")]
        b"hvc1" | b"hev1" => {
            let config = config.ok_or_else(|| corrupt(name, "a picture lacks its parameters"))?;
            super::hevc::picture(config, data, limits)?
        }
        _ => {
            let _ = config;
            return Err(MediaError::Unsupported {
                format: format!("{name} of pictures coded as {}", said(kind)),
            });
        }
    };
    if planes.is_whole() {
        Ok(planes)
    } else {
        Err(corrupt(name, "a plane has another size"))
    }
}

/// A type of four characters in words.
fn said(kind: [u8; 4]) -> String {
    match &kind {
        b"hvc1" | b"hev1" => "HEVC".into(),
        b"avc1" => "H.264".into(),
        b"vvc1" => "VVC".into(),
        b"jpeg" => "JPEG".into(),
        b"j2k1" => "JPEG 2000".into(),
        b"unci" => "uncompressed samples".into(),
        other => other.escape_ascii().to_string(),
    }
}

fn nclx(colr: &[u8]) -> Option<Nclx> {
    let mut n = Numbers(colr);
    if n.take(4)? != b"nclx" {
        return None;
    }
    Some(Nclx {
        primaries: n.number(2)? as u16,
        transfer: n.number(2)? as u16,
        matrix: n.number(2)? as u16,
        full_range: n.number(1)? & 0x80 != 0,
    })
}

fn icc(colr: &[u8]) -> Option<Vec<u8>> {
    let profile = colr
        .strip_prefix(b"prof")
        .or_else(|| colr.strip_prefix(b"rICC"))?;
    Some(profile.to_vec())
}

fn with_nclx(mut planes: Planes, nclx: Option<Nclx>) -> Planes {
    if let Some(nclx) = nclx {
        planes.full_range = nclx.full_range;
        if nclx.matrix != 2 {
            planes.matrix = nclx.matrix;
        }
    }
    planes
}

/// Colours of an item, or of the first one it is made of: a profile before code points.
fn colour(heif: &Heif<'_>, id: u32) -> Option<Colour> {
    let mut id = id;
    for _ in 0..=DEEPEST {
        let said = |id| {
            heif.properties(id)
                .filter(|(kind, _)| *kind == b"colr")
                .map(|(_, data)| data)
        };
        if let Some(profile) = said(id).find_map(icc) {
            return Some(Colour::Icc(profile));
        }
        if let Some(nclx) = said(id).find_map(nclx) {
            return Some(Colour::cicp(Some((nclx.primaries, nclx.transfer))));
        }
        id = *heif.referenced(id, b"dimg").first()?;
    }
    None
}

/// What a file holds beside its picture.
fn describe(heif: &Heif<'_>, primary: u32, notes: &mut Vec<Note>) {
    let auxiliaries = || heif.referring(primary, b"auxl");
    let of = |words: &[&str]| {
        auxiliaries().any(|id| {
            let kind = String::from_utf8_lossy(heif.auxiliary(id).unwrap_or_default());
            words.iter().any(|word| kind.contains(word))
        })
    };
    let mapped = heif
        .items()
        .any(|(id, item)| item.kind == *b"tmap" && heif.referenced(id, b"dimg").contains(&primary));
    if of(&["hdrgainmap"]) || mapped {
        notes.push(Note::new(
            "gain_map",
            "A gain map for brighter displays is stored beside the picture; the picture was read without it.",
        ));
    }
    if of(&["aux:depth", "auxid:2", "aux:disparity", "auxiliary:depth"]) {
        notes.push(Note::new(
            "depth_map",
            "A map of depths is stored beside the picture.",
        ));
    }
    let pictures = heif
        .items()
        .filter(|(id, item)| {
            let part = |kind| heif.referring(*id, kind).next().is_some();
            let whole = matches!(
                &item.kind,
                b"hvc1" | b"hev1" | b"av01" | b"grid" | b"iovl" | b"iden"
            );
            let aside = [b"thmb", b"auxl"]
                .iter()
                .any(|kind| !heif.referenced(*id, kind).is_empty());
            whole && !item.hidden && !aside && !part(b"dimg") && *id != primary
        })
        .count();
    if pictures > 0 {
        notes.push(Note::new(
            "further_pictures",
            format!("The file holds {pictures} further pictures, which were not read."),
        ));
    }
}

impl Reader<'_> {
    fn corrupt(&self, reason: impl Into<String>) -> MediaError {
        corrupt(self.name, reason)
    }

    fn data(&self, id: u32) -> Result<std::borrow::Cow<'_, [u8]>, MediaError> {
        self.heif.data(id).map_err(|f| fault(self.name, f))
    }

    /// `nclx` of an item, or else of what it is part of.
    fn nclx(&self, id: u32, outer: Option<Nclx>) -> Option<Nclx> {
        self.heif
            .properties(id)
            .filter(|(kind, _)| *kind == b"colr")
            .find_map(|(_, data)| nclx(data))
            .or(outer)
    }

    fn planes(&mut self, id: u32, outer: Option<Nclx>) -> Result<Planes, MediaError> {
        let kind = self.heif.item(id).map(|i| i.kind).unwrap_or_default();
        let config = self.heif.property(id, b"hvcC");
        let planes = coded(kind, config, &self.data(id)?, self.name, self.limits)?;
        self.coded
            .get_or_insert((planes.primaries, planes.transfer));
        Ok(with_nclx(planes, self.nclx(id, outer)))
    }

    /// Decodes an item with its transparency, cropped and not turned.
    fn item(&mut self, id: u32, outer: Option<Nclx>, depth: u8) -> Result<Picture, MediaError> {
        if depth > DEEPEST {
            return Err(self.corrupt("derived pictures are nested too deeply"));
        }
        let kind = self
            .heif
            .item(id)
            .map(|i| i.kind)
            .ok_or_else(|| self.corrupt("the picture is missing"))?;
        let nclx = self.nclx(id, outer);
        let mut picture = match &kind {
            b"grid" => self.grid(id, nclx, depth)?,
            b"iovl" => self.overlay(id, nclx, depth)?,
            // A gain map is not applied: what it is made for is the first of its inputs.
            b"iden" | b"tmap" => {
                let from = self.heif.referenced(id, b"dimg");
                let from = *from
                    .first()
                    .ok_or_else(|| self.corrupt("a derived picture has no source"))?;
                self.turned(from, nclx, depth)?
            }
            _ => {
                let planes = self.planes(id, outer)?;
                let (width, height) = (planes.width as u32, planes.height as u32);
                let samples = planes.to_rgb()?;
                // The codec may have padded the picture.
                let (w, h) = self.heif.size(id).unwrap_or((width, height));
                let size = (w.min(width), h.min(height));
                Picture {
                    samples: canvas::crop(samples, (width, height), (0, 0), size),
                    width: size.0,
                    height: size.1,
                    depth: planes.depth,
                    turn: 1,
                }
            }
        };
        self.alpha(id, &mut picture, depth)?;
        self.transform(id, &mut picture);
        self.limits.check(
            u64::from(picture.width),
            u64::from(picture.height),
            if picture.depth > 8 { 12 } else { 9 },
        )?;
        Ok(picture)
    }

    /// An item as it is shown.
    fn turned(&mut self, id: u32, outer: Option<Nclx>, depth: u8) -> Result<Picture, MediaError> {
        let mut picture = self.item(id, outer, depth + 1)?;
        let size = (picture.width, picture.height);
        let turned = canvas::turn(picture.samples, size, picture.turn);
        (picture.samples, (picture.width, picture.height)) = turned;
        picture.turn = 1;
        Ok(picture)
    }

    fn alpha(&mut self, id: u32, picture: &mut Picture, depth: u8) -> Result<(), MediaError> {
        let found = self.heif.referring(id, b"auxl").find(|aux| {
            self.heif
                .auxiliary(*aux)
                .is_some_and(|a| ALPHA.contains(&a))
        });
        let Some(aux) = found else { return Ok(()) };
        let derived = self.heif.item(aux).is_some_and(|i| i.kind == *b"grid");
        let (values, size) = if derived {
            let alpha = self.grid(aux, None, depth + 1)?;
            let size = (alpha.width, alpha.height);
            (canvas::first_channel(&alpha.samples), size)
        } else {
            let planes = self.planes(aux, None)?;
            let size = (planes.width as u32, planes.height as u32);
            (planes.luma16(), size)
        };
        let wanted = (picture.width, picture.height);
        let samples = std::mem::replace(&mut picture.samples, Samples::Rgb8(Vec::new()));
        picture.samples = canvas::with_alpha(samples, wanted, &values, size);
        if self.heif.referenced(id, b"prem").contains(&aux) {
            let samples = std::mem::replace(&mut picture.samples, Samples::Rgb8(Vec::new()));
            picture.samples = canvas::unmultiplied(samples);
        }
        Ok(())
    }

    /// Crops, and sums up turns and mirrors.
    fn transform(&self, id: u32, picture: &mut Picture) {
        for (kind, data) in self.heif.properties(id) {
            match kind {
                b"clap" => {
                    let Some((at, size)) = aperture(data, (picture.width, picture.height)) else {
                        continue;
                    };
                    let samples =
                        std::mem::replace(&mut picture.samples, Samples::Rgb8(Vec::new()));
                    let whole = (picture.width, picture.height);
                    picture.samples = canvas::crop(samples, whole, at, size);
                    (picture.width, picture.height) = size;
                }
                // Quarter turns against the clock.
                b"irot" => {
                    let turn = [1, 8, 3, 6][usize::from(data.first().copied().unwrap_or(0) & 3)];
                    picture.turn = orientation::then(picture.turn, turn);
                }
                // 0: the upper side becomes the lower one; 1: left becomes right.
                b"imir" => {
                    let left_right = data.first().copied().unwrap_or(0) & 1 == 1;
                    let flip = if left_right { 2 } else { 4 };
                    picture.turn = orientation::then(picture.turn, flip);
                }
                _ => {}
            }
        }
    }

    fn grid(&mut self, id: u32, nclx: Option<Nclx>, depth: u8) -> Result<Picture, MediaError> {
        let data = self.data(id)?.into_owned();
        let broken = || corrupt(self.name, "the grid is broken");
        let mut n = Numbers(&data);
        n.number(1).ok_or_else(broken)?;
        let wide = if n.number(1).ok_or_else(broken)? & 1 == 1 {
            4
        } else {
            2
        };
        let mut next = |len| n.number(len).ok_or_else(broken);
        let (rows, columns) = (next(1)? + 1, next(1)? + 1);
        let (width, height) = (next(wide)? as u32, next(wide)? as u32);
        self.limits.check(u64::from(width), u64::from(height), 9)?;
        let tiles = self.heif.referenced(id, b"dimg");
        if tiles.len() as u64 != rows * columns {
            return Err(self.corrupt("the grid lacks tiles"));
        }
        let mut whole: Option<(canvas::Canvas, u8, (u32, u32))> = None;
        for (i, tile) in tiles.into_iter().enumerate() {
            let tile = self.turned(tile, nclx, depth)?;
            let size = (tile.width, tile.height);
            let covers =
                |side: u32, count: u64, all: u32| u64::from(side) * count >= u64::from(all);
            let (canvas, _, first) = match &mut whole {
                Some(whole) => whole,
                None if covers(size.0, columns, width) && covers(size.1, rows, height) => {
                    let canvas = canvas::Canvas::like(&tile.samples, (width, height));
                    whole.insert((canvas, tile.depth, size))
                }
                None => return Err(self.corrupt("the tiles do not cover the grid")),
            };
            if *first != size {
                return Err(self.corrupt("the tiles have different sizes"));
            }
            let (column, row) = (i as u64 % columns, i as u64 / columns);
            let at = (column * u64::from(size.0), row * u64::from(size.1));
            canvas.put(&tile.samples, size, (at.0 as i64, at.1 as i64));
        }
        let (canvas, depth, _) = whole.ok_or_else(|| self.corrupt("the grid is empty"))?;
        Ok(Picture {
            width,
            height,
            depth,
            samples: canvas.samples(),
            turn: 1,
        })
    }

    fn overlay(&mut self, id: u32, nclx: Option<Nclx>, depth: u8) -> Result<Picture, MediaError> {
        let data = self.data(id)?.into_owned();
        let broken = || corrupt(self.name, "the overlay is broken");
        let mut n = Numbers(&data);
        n.number(1).ok_or_else(broken)?;
        let wide = if n.number(1).ok_or_else(broken)? & 1 == 1 {
            4
        } else {
            2
        };
        let mut next = |len| n.number(len).ok_or_else(broken);
        let fill = [next(2)?, next(2)?, next(2)?, next(2)?].map(|v| v as u16);
        let (width, height) = (next(wide)? as u32, next(wide)? as u32);
        self.limits.check(u64::from(width), u64::from(height), 14)?;
        let parts = self.heif.referenced(id, b"dimg");
        let mut canvas = canvas::Canvas::filled(fill, (width, height));
        let mut bits = 8;
        for part in parts {
            let mut signed = || {
                let v = next(wide)?;
                Ok::<_, MediaError>(if wide == 4 {
                    i64::from(v as u32 as i32)
                } else {
                    i64::from(v as u16 as i16)
                })
            };
            let at = (signed()?, signed()?);
            let part = self.turned(part, nclx, depth)?;
            bits = bits.max(part.depth);
            canvas.draw(&part.samples, (part.width, part.height), at);
        }
        Ok(Picture {
            width,
            height,
            depth: bits,
            samples: canvas.samples(),
            turn: 1,
        })
    }
}

/// The clean aperture as the place of its upper left corner and its size (ISO/IEC 14496-12, section 12.1.4).
fn aperture(data: &[u8], whole: (u32, u32)) -> Option<((u32, u32), (u32, u32))> {
    let mut n = Numbers(data);
    let mut share = |signed: bool| {
        let (top, bottom) = (n.number(4)? as u32, n.number(4)? as u32);
        let top = if signed {
            f64::from(top as i32)
        } else {
            f64::from(top)
        };
        (bottom != 0).then(|| top / f64::from(bottom as i32))
    };
    let (w, h) = (share(false)?, share(false)?);
    let (dx, dy) = (share(true)?, share(true)?);
    let place = |size: f64, offset: f64, whole: u32| {
        let start = (offset + (f64::from(whole) - size) / 2.0).round();
        let end = start + size.round();
        (start >= 0.0 && size >= 1.0 && end <= f64::from(whole))
            .then(|| (start as u32, size.round() as u32))
    };
    let (x, width) = place(w, dx, whole.0)?;
    let (y, height) = place(h, dy, whole.1)?;
    Some(((x, y), (width, height)))
}
