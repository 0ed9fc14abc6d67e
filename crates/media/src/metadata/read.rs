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
    /// XMP packets, where the container's structure was followed to them.
    pub packets: Option<Vec<Vec<u8>>>,
    /// Whether the bytes are what is left of a video without its pictures.
    pub outline: bool,
}

/// Reads all declarations, and notes on what could not be read. A part that breaks its parser costs that part alone.
pub(crate) fn read(bytes: &[u8], format: Format, sources: &Sources<'_>) -> (Metadata, Vec<Note>) {
    let mut notes = Vec::new();
    let mut blocks = part("The container", &mut notes, || blocks::find(bytes, format));
    if let Some(packets) = &sources.packets {
        blocks.xmp.clone_from(packets);
    }
    notes.append(&mut blocks.notes);
    if blocks.exif.is_empty() {
        blocks.exif.extend(sources.exif.map(<[u8]>::to_vec));
    }
    let exif_blocks = std::mem::take(&mut blocks.exif);
    if exif_blocks.len() > 1 {
        notes.push(Note::new(
            "exif_repeated",
            "There is more than one EXIF block; all were read, and what the first one says is shown.",
        ));
    }
    let mut metadata = Metadata::default();
    let mut exif_texts = Vec::new();
    for (number, block) in exif_blocks.iter().enumerate() {
        let parsed = part("EXIF", &mut notes, || exif::parse(block.clone()));
        let mut texts = part("EXIF", &mut notes, || exif::texts(block.clone()));
        // The program of the first block is among the facts.
        texts.retain(|(place, _)| number > 0 || *place != exif::SOFTWARE);
        exif_texts.append(&mut texts);
        // A TIFF without a single field of EXIF is no damaged one.
        // Some writers leave out that no directory follows, and nothing is lost by it.
        let damage = parsed.damage.filter(|d| !d.contains("Unexpected next IFD"));
        if let Some(reason) = damage
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
        match (&mut metadata.exif, parsed.facts) {
            (Some(first), Some(other)) if first.make.is_none() && first.model.is_none() => {
                (first.make, first.model) = (other.make, other.model);
            }
            (Some(_), _) => {}
            (empty, found) => *empty = found,
        }
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
    if sources.outline
        && let Some(c2pa) = &mut metadata.c2pa
    {
        c2pa.not_hashed();
        notes.push(Note::new(
            "credentials_not_checked",
            "The file has content credentials; whether they hold was not checked, as it is too large for that.",
        ));
    }
    credentials_elsewhere(&mut metadata, &mut notes);
    let traces = traces(&blocks, &exif_texts, &metadata, sources);
    let found = part("Generators' parameters", &mut notes, || {
        generators::find(&traces, &metadata)
    });
    metadata.generators = found.marks;
    metadata.aigc = found.labels;
    // Who recorded a video is told however many texts stand ahead.
    let wanted = |key: &str| key.starts_with("com.") || key.starts_with('\u{a9}');
    let shown = |(i, t): &(usize, &blocks::Text)| *i < 32 || (*i < 256 && wanted(&t.key));
    let texts = blocks.text.iter().enumerate().filter(shown).map(|t| t.1);
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

/// The orientation that EXIF declares, 1 to 8; 1 where it declares none.
pub(crate) fn orientation(bytes: &[u8], format: Format) -> u8 {
    let mut notes = Vec::new();
    let blocks = part("The container", &mut notes, || blocks::find(bytes, format));
    let mut parsed = blocks
        .exif
        .into_iter()
        .map(|block| part("EXIF", &mut notes, || exif::parse(block)));
    let declared = parsed.find_map(|p| p.facts.and_then(|f| f.orientation));
    declared.filter(|o| (1..=8).contains(o)).unwrap_or(1)
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
    exif_texts: &'a [(&'static str, String)],
    metadata: &'a Metadata,
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
    for (place, text) in exif_texts {
        let program = *place == exif::SOFTWARE;
        bare(place, if program { "Software" } else { "" }, text);
    }
    let caption = metadata.iptc.as_ref().and_then(|i| i.caption.as_deref());
    if let Some(caption) = caption {
        bare("IPTC caption", "", caption);
    }
    if let Some(xmp) = &metadata.xmp {
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

#[cfg(test)]
mod tests {
    use super::super::exif::tests::block;
    use super::*;

    const MAKE: u16 = 0x010f;
    const MODEL: u16 = 0x0110;
    const SOFTWARE: u16 = 0x0131;
    const USER_COMMENT: u16 = 0x9286;

    /// A JPEG of these segments alone.
    fn jpeg(segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut out = vec![0xff, 0xd8];
        for (marker, data) in segments {
            out.extend([0xff, *marker]);
            out.extend((data.len() as u16 + 2).to_be_bytes());
            out.extend(data);
        }
        out.extend([0xff, 0xd9]);
        out
    }

    fn exif(entries: &[(u16, u16, &[u8])]) -> (u8, Vec<u8>) {
        (0xe1, [b"Exif\0\0", &block(entries)[..]].concat())
    }

    fn of(segments: &[(u8, Vec<u8>)]) -> (Metadata, Vec<Note>) {
        read(&jpeg(segments), Format::Jpeg, &Sources::default())
    }

    #[test]
    fn a_second_block_of_exif_is_read_whatever_the_order() {
        let camera = exif(&[(MAKE, 2, b"Canon\0"), (MODEL, 2, b"EOS R5\0")]);
        let program = exif(&[(SOFTWARE, 2, b"Midjourney\0")]);
        for segments in [[camera.clone(), program.clone()], [program, camera]] {
            let (found, notes) = of(&segments);
            let tools: Vec<&str> = found.generators.iter().map(|g| g.tool.as_str()).collect();
            assert_eq!(tools, ["Midjourney"]);
            let facts = found.exif.expect("facts");
            assert_eq!(facts.make.as_deref(), Some("Canon"));
            assert!(notes.iter().any(|n| n.code == "exif_repeated"), "{notes:?}");
        }
    }

    #[test]
    fn parameters_count_in_the_first_directory_and_in_a_caption() {
        let text = b"a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512";
        let comment = [b"ASCII\0\0\0", &text[..]].concat();
        let misplaced = exif(&[(MAKE, 2, b"Canon\0"), (USER_COMMENT, 7, &comment)]);
        let caption = [&[0x1c, 2, 120, 0, text.len() as u8][..], &text[..]].concat();
        let resource = [
            &b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0"[..],
            &[caption.len() as u8],
            &caption,
        ]
        .concat();
        for segment in [misplaced, (0xed, resource)] {
            let (found, _) = of(&[segment]);
            assert_eq!(found.generators.len(), 1, "{found:?}");
            assert_eq!(found.generators[0].seed, Some(5));
        }
    }

    #[test]
    fn what_is_too_many_is_said() {
        let comments = |n: usize| -> Vec<(u8, Vec<u8>)> {
            (0..n).map(|i| (0xfe, i.to_string().into_bytes())).collect()
        };
        let told = |n| {
            let (_, notes) = of(&comments(n));
            notes
                .iter()
                .filter(|n| n.code == "metadata_too_many")
                .count()
        };
        assert_eq!((told(64), told(66)), (0, 1));
    }
}
