//! All declarations of a file: each block to the parser of its standard.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::blocks::Blocks;
use super::declared::Metadata;
use super::generators::Trace;
use super::text::{MAX_BLOCK, cut};
use super::trust::Anchors;
use super::xmp::XmpFacts;
use super::{blocks, c2pa, exif, generators, iptc, xmp};
use crate::container::trailer::Part;
use crate::format::Format;
use crate::note::Note;

/// What reading needs to know beside the bytes.
#[derive(Default)]
pub(crate) struct Sources<'a> {
    /// An EXIF block that the decoder already found.
    pub exif: Option<&'a [u8]>,
    /// Text that was hidden in the pixels.
    pub hidden: Option<&'a str>,
    /// What stands behind the picture.
    pub behind: &'a [Part],
    /// Whose signatures are trusted.
    pub anchors: Option<&'a Anchors>,
    /// A manifest store that was fetched.
    pub manifest: Option<&'a [u8]>,
}

/// Reads all declarations, and notes on what could not be read. A part that breaks its parser costs that part alone.
pub(crate) fn read(bytes: &[u8], format: Format, sources: &Sources<'_>) -> (Metadata, Vec<Note>) {
    let mut notes = Vec::new();
    let mut blocks = part("The container", &mut notes, || blocks::find(bytes, format));
    notes.append(&mut blocks.notes);
    if blocks.exif.is_none() {
        blocks.exif = sources.exif.map(<[u8]>::to_vec);
    }
    let exif_block = blocks.exif.take();
    let mut metadata = Metadata::default();
    let mut exif_texts = Vec::new();
    if let Some(block) = &exif_block {
        let parsed = part("EXIF", &mut notes, || exif::parse(block.clone()));
        exif_texts = part("EXIF", &mut notes, || exif::texts(block.clone()));
        // A TIFF without a single field of EXIF is no damaged one.
        if let Some(reason) = parsed.damage
            && (format != Format::Tiff || parsed.facts.is_some())
        {
            notes.push(Note::new(
                "exif_damaged",
                format!(
                    "A part of the EXIF is damaged and was not read: {}.",
                    cut(&reason)
                ),
            ));
        }
        metadata.exif = parsed.facts;
    }
    let xmp = part("XMP", &mut notes, || all_xmp(&blocks));
    if xmp.1 {
        notes.push(Note::new(
            "xmp_damaged",
            "An XMP packet ends early or is not well formed; what stands before the fault was read.",
        ));
    }
    metadata.xmp = xmp.0;
    if let Some(block) = &blocks.iptc {
        let (facts, damaged) = part("IPTC", &mut notes, || iptc::parse(block));
        if damaged {
            notes.push(Note::new(
                "iptc_damaged",
                "A part of the IPTC records is damaged and was not read.",
            ));
        }
        metadata.iptc = facts;
    }
    metadata.c2pa = part("Content credentials", &mut notes, || {
        c2pa::read(bytes, format, sources.anchors, sources.manifest)
    });
    credentials_elsewhere(&mut metadata, &mut notes);
    let traces = traces(&blocks, &exif_texts, metadata.xmp.as_ref(), sources);
    let found = part("Generators' parameters", &mut notes, || {
        generators::find(&traces, &metadata)
    });
    metadata.generators = found.marks;
    metadata.aigc = found.labels;
    let texts = blocks.text.iter().take(32);
    let texts = texts.map(|t| (t.place, (cut(&t.key), cut(&t.value))));
    for (place, pair) in texts {
        if place == "PNG text chunk" {
            metadata.png_text.push(pair);
        } else {
            metadata.container_text.push(pair);
        }
    }
    metadata.xmp = metadata.xmp.map(XmpFacts::shortened);
    notes.dedup();
    (metadata, notes)
}

/// What `read` gives; a parser that gives up on a broken assumption gives nothing, and it is said.
fn part<T: Default>(what: &str, notes: &mut Vec<Note>, read: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        notes.push(Note::new(
            "metadata_damaged",
            format!("{what} could not be read: the parser gave up on a broken assumption."),
        ));
        T::default()
    })
}

/// The facts of all packets, the first one's first, and whether any is damaged.
fn all_xmp(blocks: &Blocks) -> (Option<XmpFacts>, bool) {
    let mut facts: Option<XmpFacts> = None;
    let mut damaged = false;
    for packet in &blocks.xmp {
        let parsed = xmp::parse(packet);
        damaged |= parsed.damaged;
        match (&mut facts, parsed.facts) {
            (Some(facts), Some(more)) => facts.fill(more),
            (None, found) => facts = found,
            (Some(_), None) => {}
        }
    }
    (facts, damaged)
}

/// Credentials that XMP says exist although the file holds none that could be read.
fn credentials_elsewhere(metadata: &mut Metadata, notes: &mut Vec<Note>) {
    let pointer = metadata.xmp.as_ref().and_then(|x| x.provenance.as_deref());
    let Some(pointer) = pointer else { return };
    let remote = pointer.starts_with("https://") || pointer.starts_with("http://");
    match &mut metadata.c2pa {
        Some(c2pa) if remote && c2pa.remote_url.is_none() => c2pa.remote_url = Some(cut(pointer)),
        Some(_) => {}
        None if remote => metadata.c2pa = Some(c2pa::remote(pointer)),
        None => notes.push(Note::new(
            "credentials_stripped",
            "XMP says that content credentials stand in the file; there are none. They were taken away.",
        )),
    }
}

/// All texts in which a generator may have left its parameters.
fn traces<'a>(
    blocks: &'a Blocks,
    exif: &'a [(&'static str, String)],
    xmp: Option<&'a XmpFacts>,
    sources: &'a Sources<'_>,
) -> Vec<Trace<'a>> {
    let mut out = Vec::new();
    for text in &blocks.text {
        out.push(Trace {
            place: format!("{} `{}`", text.place, cut(&text.key)),
            key: &text.key,
            value: &text.value,
        });
    }
    let mut bare = |place: &str, key: &'a str, value: &'a str| {
        if value.len() <= MAX_BLOCK {
            out.push(Trace {
                place: place.to_owned(),
                key,
                value,
            });
        }
    };
    for comment in &blocks.comments {
        bare("comment", "", comment);
    }
    for (place, text) in exif {
        bare(place, "", text);
    }
    if let Some(xmp) = xmp {
        for (place, key, value) in [
            ("XMP UserComment", "", &xmp.user_comment),
            ("XMP description", "", &xmp.description),
            ("XMP parameters", "parameters", &xmp.parameters),
            ("XMP AIGC", "AIGC", &xmp.aigc),
        ] {
            if let Some(value) = value {
                bare(place, key, value);
            }
        }
    }
    if let Some(hidden) = sources.hidden {
        bare("lowest bits of the pixels", "", hidden);
    }
    for (name, text) in sources.behind.iter().flat_map(|p| &p.texts) {
        bare("data behind the picture", name, text);
    }
    out
}
