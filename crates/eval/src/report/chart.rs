//! A chart drawn as SVG.

use std::fmt::Write as _;

use super::text::escape;

/// Colours of lines, in order.
pub(super) const COLOURS: [&str; 8] = [
    "#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f",
];

/// A chart over the unit square, or with axes of its own.
pub(super) struct Chart {
    pub body: String,
    x: [f64; 2],
    y: [f64; 2],
}

impl Chart {
    pub(super) fn new(x: [f64; 2], y: [f64; 2]) -> Self {
        Self {
            body: String::new(),
            x,
            y,
        }
    }

    pub(super) fn point(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |v: f64, [a, b]: [f64; 2]| ((v - a) / (b - a)).clamp(0.0, 1.0);
        (
            40.0 + 260.0 * share(x, self.x),
            240.0 - 220.0 * share(y, self.y),
        )
    }

    pub(super) fn line(&mut self, points: &[(f64, f64)], colour: usize, name: &str) {
        let path: Vec<String> = points
            .iter()
            .map(|(x, y)| {
                let (x, y) = self.point(*x, *y);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ = write!(
            self.body,
            "<polyline fill=none stroke=\"{}\" stroke-width=1.6 points=\"{}\"><title>{}</title></polyline>",
            COLOURS[colour % COLOURS.len()],
            path.join(" "),
            escape(name)
        );
    }

    pub(super) fn finish(
        self,
        caption: &str,
        axes: [&str; 2],
        ticks: [&[(f64, &str)]; 2],
    ) -> String {
        let mut marks = String::new();
        for (v, t) in ticks[0] {
            let (x, _) = self.point(*v, self.y[0]);
            let _ = write!(marks, "<text x={x:.1} y=254 text-anchor=middle>{t}</text>");
        }
        for (v, t) in ticks[1] {
            let (_, y) = self.point(self.x[0], *v);
            let _ = write!(
                marks,
                "<text x=36 y={:.1} text-anchor=end>{t}</text>",
                y + 3.0
            );
        }
        format!(
            "<figure><svg viewBox=\"0 0 310 280\" width=320 role=img aria-label=\"{0}\" font-size=9 fill=currentColor><rect x=40 y=20 width=260 height=220 fill=none stroke=\"#999\"/>{marks}<text x=170 y=272 text-anchor=middle>{1}</text><text x=12 y=130 text-anchor=middle transform=\"rotate(-90 12 130)\">{2}</text>{3}</svg><figcaption>{0}</figcaption></figure>",
            escape(caption),
            escape(axes[0]),
            escape(axes[1]),
            self.body
        )
    }
}
