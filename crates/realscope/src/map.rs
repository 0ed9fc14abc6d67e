//! The map of a detector over a picture, and its drawing.
//!
//! A map shows the network at most [`MOST_WINDOWS`] windows more, whatever the size of the picture. A detector that sees
//! whole pictures is shown the parts of a coarse grid as it is shown a whole, and its masks (of the parts, and of the
//! whole view that was scored anyway) say what lies where within them. A detector of native windows is shown one in
//! the middle of each part.

use image::{RgbImage, imageops};
use realscope_delivery as delivery;
use realscope_detectors::card::View;
use realscope_detectors::{Answer, Card, DetectorError, Logit, Mask, Place, Rect, Sample, prepare};

/// Most windows of a map of a detector with a mask: two rows, and as many columns as a picture twice as wide as high has.
pub const MOST_WITH_MASK: usize = 8;
/// Most windows of a map of a detector without a mask, which has one cell for each.
pub const MOST_WINDOWS: usize = 16;

/// Share of the differences within the mask of a window that the map takes over; those within the mask of the whole view
/// count in full. Of 0, 1/2 and 1, a half has the best pixel AUC on training pictures with a pasted region, and fewer
/// false alarms than 1.
const WITHIN_WINDOW: f32 = 0.5;
/// Cells to each side over which a mask is smoothed.
const SMOOTH: usize = 2;

/// Calibrated probability (or a squashed logit, without calibration) on a grid of equal cells over a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Cells across.
    pub columns: usize,
    /// Cells down.
    pub rows: usize,
    /// Row-major, 0 to 1.
    pub values: Vec<f32>,
}

/// Columns and rows of parts that are about square, at most `most`, and none smaller than half of `side`, which would be
/// enlarged more than twice.
fn grid(width: u32, height: u32, side: u32, most: usize) -> [usize; 2] {
    let (long, short) = (width.max(height), width.min(height).max(1));
    let aspect = f64::from(long) / f64::from(short);
    let least = f64::from((side / 2).max(1));
    let fits = |pixels: u32| ((f64::from(pixels) / least) as usize).max(1);
    let few = ((most as f64 / aspect).sqrt() as usize).clamp(1, fits(short));
    let many = (few as f64 * aspect).round() as usize;
    let many = many.clamp(1, (most / few).max(1)).min(fits(long));
    if width >= height {
        [many, few]
    } else {
        [few, many]
    }
}

/// One sample for each part, row-major.
fn samples(
    card: &Card,
    picture: &RgbImage,
    [columns, rows]: [usize; 2],
) -> Result<Vec<Sample>, DetectorError> {
    let side = card.input.size;
    let parts =
        (0..rows as u32).flat_map(|row| (0..columns as u32).map(move |column| (column, row)));
    if matches!(card.input.view, View::Windows { .. }) {
        let start = |i: u32, count: usize, size: u32| {
            let middle = (2 * u64::from(i) + 1) * u64::from(size) / (2 * count as u64);
            let middle = u32::try_from(middle).unwrap_or(size);
            middle
                .saturating_sub(side / 2)
                .min(size.saturating_sub(side))
        };
        let cut = |(column, row)| {
            let left = start(column, columns, picture.width());
            prepare::cut(picture, left, start(row, rows, picture.height()), side)
        };
        return Ok(parts.map(cut).collect());
    }
    let (width, height) = (columns as u32 * side, rows as u32 * side);
    let resized = delivery::resize(picture, width, height, card.input.filter.into())?;
    let cut = |(column, row)| prepare::cut(&resized, column * side, row * side, side);
    Ok(parts.map(cut).collect())
}

/// The differences within a mask, smoothed: each cell's mean over its neighbours, less the mean over all cells.
fn detail(mask: &Mask) -> Mask {
    let (width, height) = (mask.width, mask.height);
    let mean = mask.logits.iter().sum::<f32>() / mask.logits.len().max(1) as f32;
    // A border is continued by its own cells.
    let around = |at: usize, size: usize| {
        (0..=2 * SMOOTH).map(move |k| (at + k).saturating_sub(SMOOTH).min(size - 1))
    };
    let cell = |x: usize, y: usize| -> f32 {
        let sum: f32 = around(y, height)
            .flat_map(|y| around(x, width).map(move |x| y * width + x))
            .map(|at| mask.logits[at])
            .sum();
        sum / (2 * SMOOTH + 1).pow(2) as f32 - mean
    };
    let rows = 0..height;
    let logits = rows.flat_map(|y| (0..width).map(move |x| (x, y)));
    Mask {
        width,
        height,
        logits: logits.map(|(x, y)| cell(x, y)).collect(),
    }
}

/// The cell of a mask over `rect` at a point of the picture; `None` outside.
fn cell_at(mask: &Mask, rect: Rect, x: f64, y: f64) -> Option<f32> {
    let across = (x - f64::from(rect.left)) / f64::from(rect.width.max(1));
    let down = (y - f64::from(rect.top)) / f64::from(rect.height.max(1));
    if !(0.0..1.0).contains(&across) || !(0.0..1.0).contains(&down) {
        return None;
    }
    let (column, row) = (across * mask.width as f64, down * mask.height as f64);
    mask.logits
        .get(row as usize * mask.width + column as usize)
        .copied()
}

/// Computes the map. `whole` is what the detector said of the whole view, where it has been shown one; `infer` answers
/// samples in order and is not called where the whole view is all that there is to see.
///
/// # Errors
/// Those of `infer`, and of the resizer.
pub fn compute<E: From<DetectorError>>(
    card: &Card,
    picture: &RgbImage,
    whole: Option<(&Place, &Answer)>,
    infer: impl FnOnce(Vec<Sample>) -> Result<Vec<Answer>, E>,
) -> Result<HeatMap, E> {
    let (width, height) = picture.dimensions();
    let has_mask = card.mask_stride().is_some();
    let most = if has_mask {
        MOST_WITH_MASK
    } else {
        MOST_WINDOWS
    };
    let [columns, rows] = grid(width, height, card.input.size, most);
    let seen = whole.filter(|(place, _)| {
        let rect = place.rect;
        columns * rows == 1 && (rect.width, rect.height) == (width, height)
    });
    let (answers, share) = match seen {
        Some((_, answer)) => (vec![answer.clone()], 0.0),
        None => (
            infer(samples(card, picture, [columns, rows])?)?,
            WITHIN_WINDOW,
        ),
    };
    let whole = whole.and_then(|(place, answer)| Some((place.rect, detail(card.mask(answer)?))));
    let parts: Vec<(Logit, Mask)> = answers
        .iter()
        .filter_map(|answer| {
            let one = || Mask {
                width: 1,
                height: 1,
                logits: vec![0.0],
            };
            Some((
                card.logit(answer)?,
                card.mask(answer).map_or_else(one, detail),
            ))
        })
        .collect();
    let Some((_, first)) = parts.first().filter(|_| parts.len() == columns * rows) else {
        return Err(E::from(DetectorError::Sample {
            id: card.id.clone(),
            reason: "it gave no score for a part of the map".into(),
        }));
    };
    let (across, down) = (first.width, first.height);
    let mut values = Vec::with_capacity(parts.len() * across * down);
    for y in 0..rows * down {
        for x in 0..columns * across {
            let (logit, detail) = &parts[y / down * columns + x / across];
            let own = detail.logits[y % down * across + x % across];
            let middle = |i: usize, count: usize, size: u32| {
                (i as f64 + 0.5) / count as f64 * f64::from(size)
            };
            let of_whole = whole.as_ref().and_then(|(rect, mask)| {
                let x = middle(x, columns * across, width);
                cell_at(mask, *rect, x, middle(y, rows * down, height))
            });
            let cell = logit.0 + f64::from(share * own + of_whole.unwrap_or(0.0));
            values.push(match &card.calibration {
                Some(c) => c.probability(Logit(cell)).0 as f32,
                None => (1.0 / (1.0 + (-cell).exp())) as f32,
            });
        }
    }
    Ok(HeatMap {
        columns: columns * across,
        rows: rows * down,
        values,
    })
}

impl HeatMap {
    /// Value at a point of the picture, both coordinates from 0 to 1: linear between the middles of the cells.
    #[must_use]
    pub fn at(&self, across: f64, down: f64) -> f32 {
        let near = |at: f64, count: usize| -> [(usize, f32); 2] {
            let last = count.saturating_sub(1);
            let at = (at * count as f64 - 0.5).clamp(0.0, last as f64);
            let (low, share) = (at as usize, at.fract() as f32);
            [(low, 1.0 - share), ((low + 1).min(last), share)]
        };
        let columns = near(across, self.columns);
        near(down, self.rows)
            .iter()
            .flat_map(|(row, by_row)| {
                columns.map(|(column, by_column)| {
                    let value = self.values.get(row * self.columns + column);
                    by_row * by_column * value.copied().unwrap_or(0.0)
                })
            })
            .sum()
    }

    /// The map over a grey copy of the picture, at most `edge` pixels on the longer side: blue is
    /// low, red is high.
    #[must_use]
    pub fn overlay(&self, picture: &RgbImage, edge: u32) -> RgbImage {
        let (width, height) = picture.dimensions();
        let scale = f64::from(edge) / f64::from(width.max(height).max(1));
        let scale = scale.min(1.0);
        let size = |v: u32| ((f64::from(v) * scale).round() as u32).max(1);
        let base = imageops::thumbnail(picture, size(width), size(height));
        let middle = |i: u32, count: u32| (f64::from(i) + 0.5) / f64::from(count);
        RgbImage::from_fn(base.width(), base.height(), |x, y| {
            let p = self.at(middle(x, base.width()), middle(y, base.height()));
            let rgb = base.get_pixel(x, y).0.map(f32::from);
            let grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
            let heat = [
                255.0 * p,
                80.0 * (1.0 - (2.0 * p - 1.0).abs()),
                255.0 * (1.0 - p),
            ];
            image::Rgb(heat.map(|h| (0.6 * grey + 0.4 * h).clamp(0.0, 255.0) as u8))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_about_square_few_and_not_tiny() {
        for (size, most, expected) in [
            ((448, 448), 8, [2, 2]),
            ((4000, 3000), 8, [3, 2]),
            ((3000, 4000), 8, [2, 3]),
            ((1920, 1080), 8, [4, 2]),
            ((4000, 3000), 16, [4, 3]),
            ((9000, 1000), 8, [8, 1]),
            ((200, 200), 8, [1, 1]),
            ((500, 150), 8, [3, 1]),
            ((1, 1), 8, [1, 1]),
            ((5000, 1), 16, [16, 1]),
        ] {
            assert_eq!(grid(size.0, size.1, 224, most), expected, "{size:?}");
        }
    }

    #[test]
    fn between_the_middles_of_cells_a_value_is_linear() {
        let map = HeatMap {
            columns: 2,
            rows: 1,
            values: vec![0.0, 1.0],
        };
        for (across, expected) in [(0.0, 0.0), (0.25, 0.0), (0.5, 0.5), (0.75, 1.0), (1.0, 1.0)] {
            assert!((map.at(across, 0.3) - expected).abs() < 1e-6, "{across}");
        }
    }

    #[test]
    fn detail_has_no_mean_over_an_even_mask_and_stays_where_it_is() {
        let mask = |logits: Vec<f32>| Mask {
            width: 14,
            height: 14,
            logits,
        };
        assert!(
            detail(&mask(vec![3.0; 196]))
                .logits
                .iter()
                .all(|v| v.abs() < 1e-5)
        );
        let spot = (0..196).map(|i| if i == 7 * 14 + 9 { 25.0 } else { 0.0 });
        let spot = detail(&mask(spot.collect()));
        let rect = Rect {
            left: 100,
            top: 0,
            width: 140,
            height: 140,
        };
        let at = |x, y| cell_at(&spot, rect, x, y).map(|v| v > 0.5);
        assert_eq!(at(195.0, 75.0), Some(true));
        assert_eq!(at(125.0, 75.0), Some(false));
        assert_eq!((at(99.0, 75.0), at(195.0, 140.0)), (None, None));
    }
}
