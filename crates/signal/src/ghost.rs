//! JPEG ghosts (Farid, "Exposing Digital Forgeries from JPEG Ghosts", IEEE TIFS 2009) as one map.
//!
//! Coefficients that were quantised before change little when they are quantised again with the same table. A part that
//! was compressed at another quality than the rest so dips at a quality at which the rest does not. A hint for the eye,
//! never proof: flat parts have no coefficients to speak of, and a grid that was moved shows nothing.

use crate::{Plane, dct};

/// Blocks to each side over which errors are averaged.
const AROUND: usize = 1;
/// Mean squared error, in grey levels, over which the qualities of a block must differ for it to say anything.
const FLAT: f32 = 0.5;

/// How much deeper each 8x8 block dips at one of the tables than the picture does, 0 to 1.
///
/// `tables` are quantisation tables of luma in natural order, `8 u + v`, from one quality to the next. Errors are those
/// of the coefficients, which are those of the pixels but for rounding (Parseval); each block's are brought to 0 to 1
/// over all tables (equation 3). A dip is how far a table's error lies under both of its neighbours'; the median over
/// the blocks is what the whole picture does. The map has one value for each whole block.
#[must_use]
pub fn dips(luma: &Plane, tables: &[[u16; 64]]) -> Plane {
    let (columns, rows) = (luma.width / 8, luma.height / 8);
    let mut out = Plane::new(columns, rows);
    let centred = Plane {
        values: luma.values.iter().map(|v| v - 128.0).collect(),
        ..*luma
    };
    let blocks = dct::blocks(&centred);
    let mut errors: Vec<Plane> = tables
        .iter()
        .map(|table| {
            let values = blocks.iter().map(|b| error(b, table)).collect();
            smoothed(&Plane {
                width: columns,
                height: rows,
                values,
            })
        })
        .collect();
    for block in 0..columns * rows {
        let (low, high) = errors
            .iter()
            .map(|e| e.values[block])
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        for e in &mut errors {
            let v = &mut e.values[block];
            *v = if high - low < FLAT {
                0.0
            } else {
                (*v - low) / (high - low)
            };
        }
    }
    for three in errors.windows(3) {
        let [before, here, after] = three else {
            continue;
        };
        let dip = |i: usize| before.values[i].min(after.values[i]) - here.values[i];
        let all: Vec<f32> = (0..columns * rows).map(|i| dip(i).max(0.0)).collect();
        let usual = median(&all);
        for (value, dip) in out.values.iter_mut().zip(all) {
            *value = value.max(dip - usual);
        }
    }
    out
}

/// Mean squared error of a block quantised by a table.
fn error(block: &[f32; 64], table: &[u16; 64]) -> f32 {
    let sum: f32 = block
        .iter()
        .zip(table)
        .map(|(c, q)| {
            let q = f32::from(*q).max(1.0);
            (c - q * (c / q).round()).powi(2)
        })
        .sum();
    sum / 64.0
}

/// Means over the neighbours of each cell.
fn smoothed(plane: &Plane) -> Plane {
    let mut out = Plane::new(plane.width, plane.height);
    for y in 0..plane.height {
        for x in 0..plane.width {
            let (mut sum, mut count) = (0.0, 0.0);
            for j in y.saturating_sub(AROUND)..(y + AROUND + 1).min(plane.height) {
                for i in x.saturating_sub(AROUND)..(x + AROUND + 1).min(plane.width) {
                    sum += plane.at(i, j);
                    count += 1.0;
                }
            }
            out.values[y * plane.width + x] = sum / count;
        }
    }
    out
}

fn median(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use image::{RgbImage, imageops};
    use realscope_delivery::{self as delivery, Subsampling};

    use super::*;

    /// Luma table of quality 50 (ITU-T T.81, table K.1).
    const K1: [u32; 64] = [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69,
        56, 14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81,
        104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ];

    fn tables() -> Vec<[u16; 64]> {
        let table = |q: u32| {
            let scale = if q < 50 { 5000 / q } else { 200 - 2 * q };
            K1.map(|v| ((v * scale + 50) / 100).clamp(1, 255) as u16)
        };
        (40..=95).step_by(5).map(table).collect()
    }

    /// Waves of several lengths with grain, so that every block has coefficients.
    fn textured() -> RgbImage {
        let mut state = 7_u32;
        RgbImage::from_fn(256, 192, |x, y| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (state >> 24) as f32 / 8.0;
            let (x, y) = (x as f32, y as f32);
            let wave = 40.0 * (x / 9.0).sin() + 30.0 * (y / 5.0 + x / 31.0).cos();
            image::Rgb([(112.0 + wave + grain).clamp(0.0, 255.0) as u8; 3])
        })
    }

    #[test]
    fn a_part_that_was_compressed_before_stands_out() {
        let picture = textured();
        let rough = delivery::through_jpeg(&picture, 60, Subsampling::S444).expect("encoded");
        let part = imageops::crop_imm(&rough, 64, 48, 96, 64).to_image();
        let mut pasted = picture.clone();
        imageops::replace(&mut pasted, &part, 64, 48);
        let pasted = delivery::through_jpeg(&pasted, 90, Subsampling::S444).expect("encoded");
        let map = dips(&Plane::luma(&pasted), &tables());
        assert_eq!((map.width, map.height), (32, 24));
        let inside = |x: usize, y: usize| (9..19).contains(&x) && (7..13).contains(&y);
        let outside = |x: usize, y: usize| !(7..21).contains(&x) || !(5..15).contains(&y);
        let mean = |of: &dyn Fn(usize, usize) -> bool| {
            let values: Vec<f32> = (0..24)
                .flat_map(|y| (0..32).map(move |x| (x, y)))
                .filter(|(x, y)| of(*x, *y))
                .map(|(x, y)| map.at(x, y))
                .collect();
            values.iter().sum::<f32>() / values.len() as f32
        };
        let (within, without) = (mean(&inside), mean(&outside));
        assert!(
            within > 0.05 && within > 5.0 * without,
            "{within} {without}"
        );

        // The same picture without the paste has no such part.
        let whole = delivery::through_jpeg(&picture, 90, Subsampling::S444).expect("encoded");
        let map = dips(&Plane::luma(&whole), &tables());
        assert!(map.mean() < 0.02, "{}", map.mean());
    }

    #[test]
    fn flat_and_tiny_pictures_say_nothing() {
        let flat = Plane::from_values(16, 8, vec![90.0; 128]).expect("fits");
        assert_eq!(dips(&flat, &tables()).values, [0.0, 0.0]);
        assert!(dips(&Plane::new(7, 7), &tables()).values.is_empty());
        assert_eq!(dips(&flat, &[]).values, [0.0, 0.0]);
    }
}
