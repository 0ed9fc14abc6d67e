//! Text, rows, pictures and curves, one below the other, on as many pages as they take.

use std::collections::BTreeSet;

use pdf_writer::types::TextRenderingMode;
use pdf_writer::{Content, Name, Str};

use super::font::Font;
use crate::record::Record;
use crate::report::{Figure, film};

/// A4 in points.
pub(super) const PAPER: [f32; 2] = [595.0, 842.0];
/// Free edge of a page.
const MARGIN: f32 = 50.0;
/// Width of what stands on it.
const WIDTH: f32 = PAPER[0] - 2.0 * MARGIN;
/// Lowest line of a page; the foot stands below.
const BOTTOM: f32 = 64.0;
/// Distance of lines in sizes of the font.
const LEADING: f32 = 1.38;
/// Width of the names of rows.
const NAMES: f32 = 128.0;
/// Space between pictures.
const BETWEEN: f32 = 12.0;
/// Height of the curve of a video.
const CURVE: f32 = 80.0;

/// A colour: red, green, blue.
pub(super) type Colour = [f32; 3];
pub(super) const TEXT: Colour = [0.106, 0.122, 0.141];
pub(super) const SOFT: Colour = [0.302, 0.337, 0.38];
const LINE: Colour = [0.835, 0.855, 0.882];
const BOX: Colour = [0.941, 0.949, 0.961];

/// How text looks.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) bold: bool,
    pub(super) colour: Colour,
}

impl Style {
    pub(super) const fn new(size: f32, bold: bool, colour: Colour) -> Self {
        Self { size, bold, colour }
    }
}

pub(super) const PLAIN: Style = Style::new(10.0, false, TEXT);
pub(super) const SMALL: Style = Style::new(8.5, false, SOFT);

/// A page in the making.
pub(super) struct Page {
    pub(super) content: Content,
    /// Numbers of the pictures on it.
    pub(super) pictures: BTreeSet<usize>,
}

/// What was written so far.
pub(super) struct Flow {
    pub(super) font: Font,
    pub(super) pages: Vec<Page>,
    /// Where the next thing begins, from below.
    y: f32,
}

/// Name of a picture in the resources of its page.
pub(super) fn picture_name(number: usize) -> String {
    format!("P{number}")
}

impl Flow {
    pub(super) fn new(font: Font) -> Self {
        let mut flow = Self {
            font,
            pages: Vec::new(),
            y: 0.0,
        };
        flow.turn();
        flow
    }

    /// Begins a page.
    pub(super) fn turn(&mut self) {
        self.pages.push(Page {
            content: Content::new(),
            pictures: BTreeSet::new(),
        });
        self.y = PAPER[1] - MARGIN;
    }

    /// A new page where less than `height` is left of this one.
    fn room(&mut self, height: f32) {
        if self.y - height < BOTTOM && self.y < PAPER[1] - MARGIN {
            self.turn();
        }
    }

    fn content(&mut self) -> &mut Content {
        if self.pages.is_empty() {
            self.turn();
        }
        let last = self.pages.len() - 1;
        &mut self.pages[last].content
    }

    pub(super) fn gap(&mut self, height: f32) {
        self.y -= height;
    }

    /// The lines of a text within a width. Words that are too long are broken.
    fn lines(&mut self, text: &str, size: f32, width: f32) -> Vec<String> {
        let text = self.font.showable(text);
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let line = lines.last().cloned().unwrap_or_default();
            let longer = if line.is_empty() {
                word.to_owned()
            } else {
                format!("{line} {word}")
            };
            if self.font.width(&longer, size) <= width {
                lines.pop();
                lines.push(longer);
                continue;
            }
            if line.is_empty() {
                lines.pop();
            }
            let mut rest = String::new();
            for c in word.chars() {
                let mut next = rest.clone();
                next.push(c);
                if self.font.width(&next, size) > width && !rest.is_empty() {
                    lines.push(std::mem::take(&mut rest));
                    next = c.to_string();
                }
                rest = next;
            }
            lines.push(rest);
        }
        lines
    }

    /// One line of showable text with its foot line at a place.
    fn show(&mut self, line: &str, style: Style, x: f32, y: f32) {
        let bytes = self.font.encoded(line);
        let [r, g, b] = style.colour;
        let content = self.content();
        content.save_state();
        content.set_fill_rgb(r, g, b);
        if style.bold {
            content.set_stroke_rgb(r, g, b);
            content.set_line_width(style.size * 0.035);
        }
        content.begin_text();
        content.set_font(Name(b"F"), style.size);
        if style.bold {
            content.set_text_rendering_mode(TextRenderingMode::FillStroke);
        }
        content
            .next_line(x, y)
            .show(Str(&bytes))
            .end_text()
            .restore_state();
    }

    /// Text over the whole width but for an indent.
    pub(super) fn text(&mut self, text: &str, style: Style, indent: f32) {
        for line in self.lines(text, style.size, WIDTH - indent) {
            self.room(style.size * LEADING);
            self.y -= style.size * LEADING;
            self.show(&line, style, MARGIN + indent, self.y);
        }
    }

    /// A heading, with room for what it heads.
    pub(super) fn heading(&mut self, text: &str, style: Style) {
        self.room(style.size * LEADING + 40.0);
        self.gap(style.size * 0.7);
        self.text(text, style, 0.0);
        self.gap(2.0);
    }

    /// A heading with a bar of its colour before it.
    pub(super) fn verdict(&mut self, text: &str, style: Style) {
        self.room(style.size * LEADING + 80.0);
        self.gap(8.0);
        let top = self.y;
        self.text(text, style, 12.0);
        let bottom = self.y - style.size * 0.3;
        self.fill(style.colour, [MARGIN, bottom, 4.0, top - bottom - 2.0]);
        self.gap(4.0);
    }

    /// A line of a list.
    pub(super) fn point(&mut self, text: &str, indent: f32) {
        self.room(PLAIN.size * LEADING);
        let dot = self.font.showable("\u{2022}");
        self.show(&dot, PLAIN, MARGIN + indent, self.y - PLAIN.size * LEADING);
        self.text(text, PLAIN, indent + 12.0);
    }

    /// A name and its value beside it.
    pub(super) fn row(&mut self, name: &str, value: &str) {
        let names = self.lines(name, SMALL.size, NAMES - 8.0);
        let value_style = Style::new(SMALL.size, false, TEXT);
        let values = self.lines(value, SMALL.size, WIDTH - NAMES);
        for i in 0..names.len().max(values.len()) {
            self.room(SMALL.size * LEADING);
            self.y -= SMALL.size * LEADING;
            if let Some(line) = names.get(i) {
                self.show(line, SMALL, MARGIN, self.y);
            }
            if let Some(line) = values.get(i) {
                self.show(line, value_style, MARGIN + NAMES, self.y);
            }
        }
        self.gap(1.5);
    }

    fn fill(&mut self, [r, g, b]: Colour, [x, y, width, height]: [f32; 4]) {
        self.content()
            .save_state()
            .set_fill_rgb(r, g, b)
            .rect(x, y, width, height)
            .fill_nonzero()
            .restore_state();
    }

    /// A thin line across.
    pub(super) fn rule(&mut self) {
        self.gap(10.0);
        self.fill(LINE, [MARGIN, self.y, WIDTH, 0.8]);
        self.gap(4.0);
    }

    /// A probability and its range as marks on a line from 0 to 100%.
    pub(super) fn scale(&mut self, p: f64, range: Option<[f64; 2]>, colour: Colour) {
        self.room(36.0);
        self.gap(16.0);
        let at = |p: f64| MARGIN + WIDTH * p.clamp(0.0, 1.0) as f32;
        self.fill(BOX, [MARGIN, self.y, WIDTH, 8.0]);
        if let Some([low, high]) = range {
            let pale = colour.map(|c| 0.45 * c + 0.55);
            let width = (at(high) - at(low)).max(2.0);
            self.fill(pale, [at(low), self.y, width, 8.0]);
        }
        self.fill(colour, [at(p) - 1.25, self.y - 3.0, 2.5, 14.0]);
        self.gap(12.0);
        let right = "100% generated";
        let x = MARGIN + WIDTH - self.font.width(right, 7.5);
        let style = Style::new(7.5, false, SOFT);
        self.show("0%", style, MARGIN, self.y);
        self.show(right, style, x, self.y);
        self.gap(2.0);
    }

    /// Pictures beside each other, each with its number in the document and its caption.
    pub(super) fn pictures(&mut self, pictures: &[(usize, &Figure)], columns: usize, height: f32) {
        let columns_f = columns.max(1) as f32;
        let cell = (WIDTH - BETWEEN * (columns_f - 1.0)) / columns_f;
        let style = Style::new(7.5, false, SOFT);
        for row in pictures.chunks(columns.max(1)) {
            let captions: Vec<Vec<String>> = row
                .iter()
                .map(|(_, f)| self.lines(&f.caption, style.size, cell))
                .collect();
            let deepest = captions.iter().map(Vec::len).max().unwrap_or(0) as f32;
            let sizes: Vec<[f32; 2]> = row
                .iter()
                .map(|(_, f)| {
                    let (w, h) = (f.width.max(1) as f32, f.height.max(1) as f32);
                    // No larger than at 96 pixels an inch.
                    let scale = (cell / w).min(height / h).min(0.75);
                    [w * scale, h * scale]
                })
                .collect();
            let tallest = sizes.iter().map(|[_, h]| *h).fold(0.0, f32::max);
            self.room(tallest + deepest * style.size * LEADING + 16.0);
            self.gap(10.0);
            for (i, ((number, _), [w, h])) in row.iter().zip(&sizes).enumerate() {
                let (x, y) = (MARGIN + i as f32 * (cell + BETWEEN), self.y - h);
                let last = self.pages.len().saturating_sub(1);
                self.pages[last].pictures.insert(*number);
                self.content()
                    .save_state()
                    .transform([*w, 0.0, 0.0, *h, x, y])
                    .x_object(Name(picture_name(*number).as_bytes()))
                    .restore_state();
            }
            self.gap(tallest);
            let top = self.y;
            for (i, lines) in captions.iter().enumerate() {
                let mut y = top;
                for line in lines {
                    y -= style.size * LEADING;
                    self.show(line, style, MARGIN + i as f32 * (cell + BETWEEN), y);
                }
            }
            self.gap(deepest * style.size * LEADING + 4.0);
        }
    }

    /// The scores of a video over its time, with shots and accused segments.
    pub(super) fn curve(&mut self, r: &Record, colour: Colour) {
        let (Some(frames), Some(length)) = (&r.frames, r.duration_s) else {
            return;
        };
        self.room(CURVE + 40.0);
        self.gap(10.0 + CURVE);
        let floor = self.y;
        let x = |t: f64| MARGIN + WIDTH * (t / length.max(1e-9)).clamp(0.0, 1.0) as f32;
        let y = |p: f64| floor + CURVE * p.clamp(0.0, 1.0) as f32;
        self.fill(BOX, [MARGIN, floor, WIDTH, CURVE]);
        let pale = colour.map(|c| 0.25 * c + 0.75);
        for [start, end] in film::accused(r) {
            self.fill(pale, [x(start), floor, (x(end) - x(start)).max(1.0), CURVE]);
        }
        for shot in r.shots.iter().flatten() {
            self.fill(SOFT, [x(*shot), floor, 0.5, CURVE]);
        }
        if let Some(t) = r.decision_threshold {
            self.fill(SOFT, [MARGIN, y(t), WIDTH, 0.5]);
        }
        let scored: Vec<(f32, f32)> = frames
            .iter()
            .filter_map(|f| Some((x(f.time_s), y(f.probability?))))
            .collect();
        let [r_, g, b] = colour;
        let content = self.content();
        content
            .save_state()
            .set_stroke_rgb(r_, g, b)
            .set_line_width(1.2);
        for (i, (x, y)) in scored.iter().enumerate() {
            if i == 0 {
                content.move_to(*x, *y);
            } else {
                content.line_to(*x, *y);
            }
        }
        content.stroke().restore_state();
        for (x, y) in scored {
            self.fill(colour, [x - 1.5, y - 1.5, 3.0, 3.0]);
        }
        let style = Style::new(7.5, false, SOFT);
        self.gap(10.0);
        let end = film::clock(length);
        let right = MARGIN + WIDTH - self.font.width(&end, style.size);
        self.show("0:00.0", style, MARGIN, self.y);
        self.show(&end, style, right, self.y);
        self.text(film::CURVE_CAPTION, style, 0.0);
        self.gap(4.0);
    }

    /// The foot of every page.
    pub(super) fn feet(&mut self, words: &str) {
        let style = Style::new(7.5, false, SOFT);
        let words = self.font.showable(words);
        let count = self.pages.len();
        // Written into each page in turn, from the last to the first, so that `show` meets the page it is for.
        let mut done = Vec::with_capacity(count);
        while let Some(page) = self.pages.pop() {
            let number = self.pages.len() + 1;
            self.pages.push(page);
            let numbered = format!("{number} of {count}");
            let x = MARGIN + WIDTH - self.font.width(&numbered, style.size);
            self.show(&words, style, MARGIN, 36.0);
            self.show(&numbered, style, x, 36.0);
            done.extend(self.pages.pop());
        }
        done.reverse();
        self.pages = done;
    }
}
