//! Items of an ISO base media file (ISO/IEC 14496-12, 23008-12): HEIF, HEIC and AVIF.
//!
//! Reads the `meta` box, and of a sequence the first sample of its track. Decodes nothing; every offset is checked
//! against the file.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Most items, references and properties that are read.
const MANY: usize = 70_000;

/// Why the boxes cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// They point behind the end of the file.
    Truncated(&'static str),
    /// They contradict each other.
    Corrupt(&'static str),
}

type Found<T> = Result<T, Fault>;

/// A box: its type, its content, and whether the content is all there.
pub(crate) struct Box4<'a> {
    pub kind: [u8; 4],
    pub data: &'a [u8],
    pub whole: bool,
}

/// The boxes of `bytes`; ends where no further header stands.
pub(crate) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Box4<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let head = rest.get(..8)?;
        let kind = [head[4], head[5], head[6], head[7]];
        let declared = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        let (start, size) = match declared {
            0 => (8, rest.len() as u64),
            1 => {
                let long = rest.get(8..16)?;
                (16, long.iter().fold(0, |n, b| (n << 8) | u64::from(*b)))
            }
            n => (8, n),
        };
        if size < start as u64 {
            return None;
        }
        let end = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        let whole = end as u64 == size;
        let data = rest.get(start..end)?;
        rest = &rest[end..];
        Some(Box4 { kind, data, whole })
    })
}

/// The first box of a type.
pub(crate) fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes).find(|b| b.kind == *kind).map(|b| b.data)
}

/// Big-endian numbers, taken one after the other.
pub(crate) struct Numbers<'a>(pub &'a [u8]);

impl<'a> Numbers<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    /// A number of up to eight bytes; none has the value 0.
    pub(crate) fn number(&mut self, len: usize) -> Option<u64> {
        let digits = self.take(len)?;
        Some(digits.iter().fold(0, |n, b| (n << 8) | u64::from(*b)))
    }

    fn id(&mut self, wide: bool) -> Option<u32> {
        self.number(if wide { 4 } else { 2 }).map(|v| v as u32)
    }

    /// Version and flags of a full box.
    fn version(&mut self) -> Option<(u8, u32)> {
        let word = self.number(4)?;
        Some(((word >> 24) as u8, word as u32 & 0x00ff_ffff))
    }
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub kind: [u8; 4],
    pub hidden: bool,
}

#[derive(Default)]
struct Location {
    /// 0: in the file, 1: in `idat`.
    method: u8,
    extents: Vec<(u64, u64)>,
}

struct Reference {
    kind: [u8; 4],
    from: u32,
    to: Vec<u32>,
}

/// The `meta` box of a file, read.
pub(crate) struct Heif<'a> {
    bytes: &'a [u8],
    idat: &'a [u8],
    /// The item that the file is for.
    pub primary: u32,
    items: BTreeMap<u32, Item>,
    locations: BTreeMap<u32, Location>,
    references: Vec<Reference>,
    properties: Vec<([u8; 4], &'a [u8])>,
    associations: BTreeMap<u32, Vec<usize>>,
}

impl<'a> Heif<'a> {
    /// Reads the items of a file; `None` without a `meta` box that names a primary item.
    pub(crate) fn parse(bytes: &'a [u8]) -> Found<Option<Self>> {
        let Some(meta) = boxes(bytes).find(|b| b.kind == *b"meta") else {
            return Ok(None);
        };
        if !meta.whole {
            return Err(Fault::Truncated("the list of items is incomplete"));
        }
        let corrupt = Fault::Corrupt("a box of the list of items is broken");
        let inner = meta.data.get(4..).ok_or(corrupt)?;
        let Some(primary) = child(inner, b"pitm") else {
            return Ok(None);
        };
        let mut numbers = Numbers(primary);
        let primary = numbers
            .version()
            .and_then(|(version, _)| numbers.id(version > 0))
            .ok_or(corrupt)?;
        let mut heif = Self {
            bytes,
            idat: child(inner, b"idat").unwrap_or_default(),
            primary,
            items: BTreeMap::new(),
            locations: BTreeMap::new(),
            references: Vec::new(),
            properties: Vec::new(),
            associations: BTreeMap::new(),
        };
        for part in boxes(inner) {
            match &part.kind {
                b"iinf" => heif.read_items(part.data),
                b"iloc" => heif.read_locations(part.data),
                b"iref" => heif.read_references(part.data),
                b"iprp" => heif.read_properties(part.data),
                _ => Some(()),
            }
            .ok_or(corrupt)?;
        }
        Ok(Some(heif))
    }

    fn read_items(&mut self, data: &[u8]) -> Option<()> {
        let mut head = Numbers(data);
        let (version, _) = head.version()?;
        head.number(if version == 0 { 2 } else { 4 })?;
        for entry in boxes(head.0).filter(|b| b.kind == *b"infe").take(MANY) {
            let mut n = Numbers(entry.data);
            let (version, flags) = n.version()?;
            if version < 2 {
                continue;
            }
            let id = n.id(version > 2)?;
            n.number(2)?;
            let kind = n.take(4)?.try_into().ok()?;
            let hidden = flags & 1 == 1;
            self.items.insert(id, Item { kind, hidden });
        }
        Some(())
    }

    fn read_locations(&mut self, data: &[u8]) -> Option<()> {
        let mut n = Numbers(data);
        let (version, _) = n.version()?;
        let sizes = n.number(2)?;
        let size = |shift: u32| match (sizes >> shift) & 15 {
            s @ (0 | 4 | 8) => Some(s as usize),
            _ => None,
        };
        let (offset, length, base) = (size(12)?, size(8)?, size(4)?);
        let index = if version == 0 { 0 } else { size(0)? };
        let count = n.number(if version < 2 { 2 } else { 4 })?;
        for _ in 0..count.min(MANY as u64) {
            let id = n.id(version >= 2)?;
            let method = if version == 0 {
                0
            } else {
                (n.number(2)? & 15) as u8
            };
            let outside = n.number(2)? != 0;
            let base = n.number(base)?;
            let extents = n.number(2)?;
            let mut location = Location {
                // Data in another file are nowhere.
                method: if outside { 255 } else { method },
                extents: Vec::new(),
            };
            for _ in 0..extents {
                n.number(index)?;
                let at = base.checked_add(n.number(offset)?)?;
                location.extents.push((at, n.number(length)?));
            }
            self.locations.insert(id, location);
        }
        Some(())
    }

    fn read_references(&mut self, data: &[u8]) -> Option<()> {
        let mut head = Numbers(data);
        let (version, _) = head.version()?;
        let wide = version > 0;
        for entry in boxes(head.0).take(MANY) {
            let mut n = Numbers(entry.data);
            let from = n.id(wide)?;
            let count = n.number(2)?;
            let to = (0..count).map(|_| n.id(wide)).collect::<Option<_>>()?;
            self.references.push(Reference {
                kind: entry.kind,
                from,
                to,
            });
        }
        Some(())
    }

    fn read_properties(&mut self, data: &'a [u8]) -> Option<()> {
        let container = child(data, b"ipco")?;
        self.properties = boxes(container)
            .take(MANY)
            .map(|b| (b.kind, b.data))
            .collect();
        for list in boxes(data).filter(|b| b.kind == *b"ipma") {
            let mut n = Numbers(list.data);
            let (version, flags) = n.version()?;
            let wide = flags & 1 == 1;
            for _ in 0..n.number(4)?.min(MANY as u64) {
                let id = n.id(version > 0)?;
                for _ in 0..n.number(1)? {
                    let index = if wide {
                        n.number(2)? & 0x7fff
                    } else {
                        n.number(1)? & 0x7f
                    };
                    if let Some(index) = index.checked_sub(1) {
                        let all = self.associations.entry(id).or_default();
                        all.push(index as usize);
                    }
                }
            }
        }
        Some(())
    }

    /// An item.
    pub(crate) fn item(&self, id: u32) -> Option<&Item> {
        self.items.get(&id)
    }

    /// All items in the order of their numbers.
    pub(crate) fn items(&self) -> impl Iterator<Item = (u32, &Item)> {
        self.items.iter().map(|(id, item)| (*id, item))
    }

    /// Properties of an item in the order in which they apply.
    pub(crate) fn properties(&self, id: u32) -> impl Iterator<Item = (&[u8; 4], &'a [u8])> {
        let indices = self.associations.get(&id).into_iter().flatten();
        indices
            .filter_map(|i| self.properties.get(*i))
            .map(|(kind, data)| (kind, *data))
    }

    /// The first property of a type.
    pub(crate) fn property(&self, id: u32, kind: &[u8; 4]) -> Option<&'a [u8]> {
        self.properties(id)
            .find(|(k, _)| *k == kind)
            .map(|(_, d)| d)
    }

    /// Declared width and height of an item.
    pub(crate) fn size(&self, id: u32) -> Option<(u32, u32)> {
        let mut n = Numbers(self.property(id, b"ispe")?);
        n.version()?;
        Some((n.id(true)?, n.id(true)?))
    }

    /// Items that `from` refers to, in order.
    pub(crate) fn referenced(&self, from: u32, kind: &[u8; 4]) -> Vec<u32> {
        self.references
            .iter()
            .filter(|r| r.from == from && r.kind == *kind)
            .flat_map(|r| r.to.iter().copied())
            .collect()
    }

    /// Items that refer to `to`.
    pub(crate) fn referring(&self, to: u32, kind: &[u8; 4]) -> impl Iterator<Item = u32> {
        self.references
            .iter()
            .filter(move |r| r.kind == *kind && r.to.contains(&to))
            .map(|r| r.from)
    }

    /// Type of an auxiliary picture, such as its transparency.
    pub(crate) fn auxiliary(&self, id: u32) -> Option<&'a [u8]> {
        let text = self.property(id, b"auxC")?.get(4..)?;
        text.split(|b| *b == 0).next()
    }

    /// The bytes of an item, at most as many as the file has.
    pub(crate) fn data(&self, id: u32) -> Found<Cow<'a, [u8]>> {
        let location = self
            .locations
            .get(&id)
            .ok_or(Fault::Corrupt("an item has no place"))?;
        let from = match location.method {
            0 => self.bytes,
            1 => self.idat,
            _ => return Err(Fault::Corrupt("an item lies in another file")),
        };
        let part = |(at, len): (u64, u64)| {
            let at = usize::try_from(at).ok()?;
            let rest = from.get(at..)?;
            // A length of zero means all the rest.
            match usize::try_from(len).ok()? {
                0 => Some(rest),
                len => rest.get(..len),
            }
        };
        let truncated = Fault::Truncated("the data of an item are incomplete");
        if let [extent] = location.extents[..] {
            return part(extent).map(Cow::Borrowed).ok_or(truncated);
        }
        let mut whole = Vec::new();
        for extent in &location.extents {
            whole.extend_from_slice(part(*extent).ok_or(truncated)?);
            if whole.len() > self.bytes.len() {
                return Err(Fault::Corrupt("an item is larger than the file"));
            }
        }
        Ok(Cow::Owned(whole))
    }
}

/// The first picture of a sequence.
pub(crate) struct Sample<'a> {
    /// Type of the codec.
    pub codec: [u8; 4],
    /// Boxes that describe the codec, such as `hvcC` and `colr`.
    pub description: &'a [u8],
    pub data: &'a [u8],
    /// How many samples the track has.
    pub count: u32,
}

/// The first sample of the first picture track of a file.
pub(crate) fn first_sample(bytes: &[u8]) -> Option<Sample<'_>> {
    /// Bytes of a visual sample entry ahead of its boxes.
    const VISUAL: usize = 78;
    let movie = child(bytes, b"moov")?;
    for track in boxes(movie).filter(|b| b.kind == *b"trak") {
        let Some(media) = child(track.data, b"mdia") else {
            continue;
        };
        let handler = child(media, b"hdlr").and_then(|h| h.get(8..12));
        if !matches!(handler, Some(b"pict" | b"vide")) {
            continue;
        }
        let table = child(child(media, b"minf")?, b"stbl")?;
        let entry = boxes(child(table, b"stsd")?.get(8..)?).next()?;
        let first = |kind: &[u8; 4], wide: usize| {
            let mut n = Numbers(child(table, kind)?);
            n.version()?;
            n.number(4)?;
            n.number(wide)
        };
        let at = first(b"stco", 4).or_else(|| first(b"co64", 8))?;
        let mut sizes = Numbers(child(table, b"stsz")?);
        sizes.version()?;
        let (same, count) = (sizes.number(4)?, sizes.number(4)?);
        let size = if same == 0 { sizes.number(4)? } else { same };
        let at = usize::try_from(at).ok()?;
        let end = at.checked_add(usize::try_from(size).ok()?)?;
        return Some(Sample {
            codec: entry.kind,
            description: entry.data.get(VISUAL..)?,
            data: bytes.get(at..end)?,
            count: count as u32,
        });
    }
    None
}

/// Type of the codec of the picture that a file is for, whatever its brands say.
pub(crate) fn codec(bytes: &[u8]) -> Option<[u8; 4]> {
    let Ok(Some(heif)) = Heif::parse(bytes) else {
        return first_sample(bytes).map(|s| s.codec);
    };
    let mut id = heif.primary;
    // A derived picture has the codec of what it is made of.
    for _ in 0..4 {
        match heif.item(id)?.kind {
            [b'g', b'r', b'i', b'd']
            | [b'i', b'o', b'v', b'l']
            | [b'i', b'd', b'e', b'n']
            | [b't', b'm', b'a', b'p'] => id = *heif.referenced(id, b"dimg").first()?,
            kind => return Some(kind),
        }
    }
    None
}
