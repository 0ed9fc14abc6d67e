//! Whether a picture is of a kind that carries traces at all: flat graphics, pages of text and strips
//! do not, and a detector of photographs should not judge them.

use image::RgbImage;

/// Why a picture is out of scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Almost all neighbours are equal: a logo, a chart, a page of text.
    FlatGraphic,
    /// One side is many times the other: a strip.
    ExtremeShape,
}

/// Share of equal neighbours from which a picture counts as flat.
pub const FLAT: f64 = 0.88;
/// Ratio of sides from which a picture counts as a strip.
pub const STRIP: f64 = 6.0;
/// Levels by which equal neighbours may differ in each channel.
const TOLERANCE: u8 = 1;

impl Problem {
    /// Stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::FlatGraphic => "flat_graphic",
            Self::ExtremeShape => "extreme_shape",
        }
    }

    /// Sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::FlatGraphic => {
                "Nearly all of the picture is flat colour, as in graphics and pages of text; it carries \
                 too little to judge."
            }
            Self::ExtremeShape => {
                "One side is more than six times the other; such strips were not trained on."
            }
        }
    }
}

/// Share of pixels that equal their right and lower neighbour, on a grid of at most some 40,000.
#[must_use]
pub fn flat_share(picture: &RgbImage) -> f64 {
    let (width, height) = picture.dimensions();
    let step = (f64::from(width) * f64::from(height) / 40_000.0)
        .sqrt()
        .ceil()
        .max(1.0) as usize;
    let near = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(x, y)| x.abs_diff(y) <= TOLERANCE);
    let (mut equal, mut all) = (0.0, 0.0);
    for y in (0..height.saturating_sub(1)).step_by(step) {
        for x in (0..width.saturating_sub(1)).step_by(step) {
            let here = picture.get_pixel(x, y).0;
            let same = near(here, picture.get_pixel(x + 1, y).0)
                && near(here, picture.get_pixel(x, y + 1).0);
            equal += f64::from(u8::from(same));
            all += 1.0;
        }
    }
    if all > 0.0 { equal / all } else { 1.0 }
}

/// Why a picture is out of scope, if it is.
#[must_use]
pub fn problem(picture: &RgbImage) -> Option<Problem> {
    let (width, height) = picture.dimensions();
    let (long, short) = (width.max(height), width.min(height).max(1));
    if f64::from(long) / f64::from(short) > STRIP {
        return Some(Problem::ExtremeShape);
    }
    (flat_share(picture) > FLAT).then_some(Problem::FlatGraphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphics_and_strips_are_told_from_texture() {
        let logo = RgbImage::from_fn(300, 300, |x, y| {
            image::Rgb([if x > 100 && y > 100 { 20 } else { 240 }; 3])
        });
        assert_eq!(problem(&logo), Some(Problem::FlatGraphic));
        let texture = RgbImage::from_fn(300, 300, |x, y| {
            image::Rgb([(x * 7 + y * 13) as u8, x as u8, 9])
        });
        assert_eq!(problem(&texture), None);
        let strip = RgbImage::from_fn(700, 100, |x, y| image::Rgb([(x * 7 + y * 13) as u8; 3]));
        assert_eq!(problem(&strip), Some(Problem::ExtremeShape));
        assert_eq!(flat_share(&RgbImage::new(1, 1)), 1.0);
    }
}
