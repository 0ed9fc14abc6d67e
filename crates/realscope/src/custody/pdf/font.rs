//! The font of the document: its widths, and a file of just the glyphs that were used.
//!
//! `DejaVuSans.ttf` is DejaVu Sans 2.37 (see `DejaVuSans-LICENSE.txt`) without hints and with these characters alone:
//! Latin, Greek, Cyrillic, Armenian, Georgian, punctuation, currencies. It was made by
//! `pyftsubset DejaVuSans.ttf --unicodes=U+0020-007E,U+00A0-024F,U+02B0-052F,U+0531-058A,U+10A0-10FF,U+1E00-1FFF,U+2010-205E,U+2070-209C,U+20A0-20B8,U+2100-2138,U+2190-2193,U+2212,U+2248,U+2260,U+2264,U+2265,U+25CF,U+FFFD --no-hinting --layout-features= --drop-tables+=GDEF,GPOS,GSUB,kern,gasp,FFTM`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Finish as _, Name, Pdf, Rect, Ref, Str};
use subsetter::GlyphRemapper;
use ttf_parser::Face;

use crate::report;

const FILE: &[u8] = include_bytes!("DejaVuSans.ttf");
/// Name of the subset, with the six letters that mark one.
const NAME: &[u8] = b"RSCOPE+DejaVuSans";

/// Objects of the font in the document.
pub(super) struct FontRefs {
    pub(super) font: Ref,
    pub(super) cid: Ref,
    pub(super) descriptor: Ref,
    pub(super) file: Ref,
    pub(super) unicode: Ref,
}

/// The font, and which of its glyphs were used.
pub(super) struct Font {
    face: Face<'static>,
    used: GlyphRemapper,
    /// Width in thousandths of the size, and character, of each used glyph.
    glyphs: BTreeMap<u16, (f32, char)>,
    lacking: bool,
}

impl Font {
    pub(super) fn new() -> Result<Self, String> {
        Ok(Self {
            face: Face::parse(FILE, 0).map_err(|e| e.to_string())?,
            used: GlyphRemapper::new(),
            glyphs: BTreeMap::new(),
            lacking: false,
        })
    }

    /// Whether a character had to be written as its number.
    pub(super) fn lacking(&self) -> bool {
        self.lacking
    }

    /// Text that this font can show: what it lacks is written as its number.
    pub(super) fn showable(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in report::visible(text).chars() {
            if self.face.glyph_index(c).is_some() {
                out.push(c);
            } else {
                self.lacking = true;
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
        out
    }

    fn thousandths(&self, value: i16) -> f32 {
        f32::from(value) * 1000.0 / f32::from(self.face.units_per_em())
    }

    /// Width of showable text in points.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        let advance = |c| {
            let glyph = self.face.glyph_index(c)?;
            self.face.glyph_hor_advance(glyph)
        };
        let units: f32 = text.chars().filter_map(advance).map(f32::from).sum();
        units * size / f32::from(self.face.units_per_em())
    }

    /// Showable text as the document's strings have it: two bytes a glyph.
    pub(super) fn encoded(&mut self, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 * text.len());
        for c in text.chars() {
            let Some(glyph) = self.face.glyph_index(c) else {
                continue;
            };
            let own = self.used.remap(glyph.0);
            let advance = self.face.glyph_hor_advance(glyph).unwrap_or_default();
            let width = f32::from(advance) * 1000.0 / f32::from(self.face.units_per_em());
            self.glyphs.entry(own).or_insert((width, c));
            out.extend(own.to_be_bytes());
        }
        out
    }

    /// Writes the font and the glyphs that were used.
    pub(super) fn write(&self, pdf: &mut Pdf, refs: &FontRefs) -> Result<(), String> {
        let file = subsetter::subset(FILE, 0, &self.used).map_err(|e| e.to_string())?;
        let system = SystemInfo {
            registry: Str(b"Adobe"),
            ordering: Str(b"Identity"),
            supplement: 0,
        };
        pdf.type0_font(refs.font)
            .base_font(Name(NAME))
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(refs.cid)
            .to_unicode(refs.unicode);
        let mut cid = pdf.cid_font(refs.cid);
        cid.subtype(CidFontType::Type2)
            .base_font(Name(NAME))
            .system_info(system)
            .font_descriptor(refs.descriptor)
            .default_width(0.0)
            .cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = cid.widths();
        for (glyph, (width, _)) in &self.glyphs {
            widths.consecutive(*glyph, [*width]);
        }
        widths.finish();
        cid.finish();
        let face = &self.face;
        let all = face.global_bounding_box();
        let capitals = face.capital_height().unwrap_or(face.ascender());
        pdf.font_descriptor(refs.descriptor)
            .name(Name(NAME))
            .flags(FontFlags::NON_SYMBOLIC)
            .bbox(Rect::new(
                self.thousandths(all.x_min),
                self.thousandths(all.y_min),
                self.thousandths(all.x_max),
                self.thousandths(all.y_max),
            ))
            .italic_angle(0.0)
            .ascent(self.thousandths(face.ascender()))
            .descent(self.thousandths(face.descender()))
            .cap_height(self.thousandths(capitals))
            .stem_v(80.0)
            .font_file2(refs.file);
        let length = i32::try_from(file.len()).unwrap_or(i32::MAX);
        pdf.stream(refs.file, &file).pair(Name(b"Length1"), length);
        let mut unicode = UnicodeCmap::new(Name(b"Realscope"), system);
        for (glyph, (_, c)) in &self.glyphs {
            unicode.pair(*glyph, *c);
        }
        let unicode = unicode.finish();
        pdf.cmap(refs.unicode, unicode.as_slice());
        Ok(())
    }
}
