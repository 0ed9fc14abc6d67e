//! From planes of luma and chroma to RGB, and to what is kept of a frame that is only sketched.
//!
//! All decoders of subsampled video hand over planes, so that one conversion serves them and their frames compare to
//! the bit.

use image::RgbImage;

/// Cells across and down of a [`Sketch`].
pub const CELLS: usize = 12;

/// What is kept of a frame that is only sketched: the means of luma and chroma over a grid of 12 x 12 cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch(Vec<u8>);

impl Sketch {
    /// Bytes of a sketch.
    pub const BYTES: usize = 3 * CELLS * CELLS;

    /// From its bytes; `None` of another number of them.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == Self::BYTES).then_some(Self(bytes))
    }

    /// Its bytes: a plane of luma, two of chroma.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Mean difference of the cells, in grey levels of 255.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f64 {
        let sum: u32 = self
            .0
            .iter()
            .zip(&other.0)
            .map(|(a, b)| u32::from(a.abs_diff(*b)))
            .sum();
        f64::from(sum) / self.0.len().max(1) as f64
    }

    /// Share of the cells that differ by at most one grey level.
    #[must_use]
    pub fn same(&self, other: &Self) -> f64 {
        let cells = CELLS * CELLS;
        let same = (0..cells)
            .filter(|c| (0..3).all(|p| self.0[p * cells + c].abs_diff(other.0[p * cells + c]) <= 1))
            .count();
        same as f64 / cells as f64
    }

    /// Of RGB pixels.
    #[must_use]
    pub fn of(picture: &RgbImage) -> Self {
        let (w, h) = (picture.width() as usize, picture.height() as usize);
        let raw = picture.as_raw();
        let mut out = vec![0; Self::BYTES];
        cells(w, h, |cell, xs, ys| {
            let (mut sums, mut count) = ([0_i64; 3], 0);
            for y in ys.step_by((h / 96).max(1)) {
                for x in xs.clone().step_by((w / 96).max(1)) {
                    let at = 3 * (y * w + x);
                    for (sum, v) in sums.iter_mut().zip(&raw[at..at + 3]) {
                        *sum += i64::from(*v);
                    }
                    count += 1;
                }
            }
            let [r, g, b] = sums.map(|s| s / count.max(1));
            // BT.601 in full range, in units of 1/1024.
            let luma = (306 * r + 601 * g + 117 * b) >> 10;
            out[cell] = luma.clamp(0, 255) as u8;
            out[CELLS * CELLS + cell] = (128 + (((b - luma) * 578) >> 10)).clamp(0, 255) as u8;
            out[2 * CELLS * CELLS + cell] = (128 + (((r - luma) * 730) >> 10)).clamp(0, 255) as u8;
        });
        Self(out)
    }
}

/// Calls `each` with every cell of a plane and its columns and rows, at least one of each.
fn cells(
    w: usize,
    h: usize,
    mut each: impl FnMut(usize, std::ops::Range<usize>, std::ops::Range<usize>),
) {
    if w == 0 || h == 0 {
        return;
    }
    let part = |size: usize, i: usize| {
        let start = (i * size / CELLS).min(size - 1);
        start..((i + 1) * size / CELLS).clamp(start + 1, size)
    };
    for row in 0..CELLS {
        for column in 0..CELLS {
            each(row * CELLS + column, part(w, column), part(h, row));
        }
    }
}

/// Matrix coefficients of ITU-T H.273 and the range of a video's samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Colour {
    /// Matrix coefficients; `None` where the video does not tell.
    pub matrix: Option<u8>,
    /// Whether samples use all of 0 to 255.
    pub full_range: bool,
}

impl Colour {
    /// Weights of red and blue in luma. What is not told is BT.601, as ffmpeg takes it.
    fn weights(self) -> (f64, f64) {
        match self.matrix {
            Some(1) => (0.2126, 0.0722),
            Some(7) => (0.212, 0.087),
            Some(9) => (0.2627, 0.0593),
            Some(4) => (0.30, 0.11),
            _ => (0.299, 0.114),
        }
    }

    /// Whether the planes are luma and chroma at all: RGB, YCgCo and constant luminance are not.
    pub(super) fn is_known(self) -> bool {
        !matches!(self.matrix, Some(0 | 8 | 10..))
    }
}

/// A frame of 4:2:0 planes, rows without padding.
#[derive(Clone, Copy)]
pub(super) struct Planes<'a> {
    pub width: usize,
    pub height: usize,
    pub luma: &'a [u8],
    pub chroma: [&'a [u8]; 2],
}

impl<'a> Planes<'a> {
    /// Bytes of such a frame.
    pub(super) fn bytes(width: usize, height: usize) -> usize {
        width * height + 2 * width.div_ceil(2) * height.div_ceil(2)
    }

    /// Splits a frame's bytes; `None` where they are not as many as its size takes.
    pub(super) fn of(width: usize, height: usize, bytes: &'a [u8]) -> Option<Self> {
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        let (luma, rest) = bytes.split_at_checked(width * height)?;
        let (first, second) = rest.split_at_checked(chroma)?;
        (second.len() == chroma).then_some(Self {
            width,
            height,
            luma,
            chroma: [first, second],
        })
    }

    /// Means over cells, of a grid of pixels.
    pub(super) fn sketch(&self) -> Sketch {
        let mut out = Vec::with_capacity(Sketch::BYTES);
        let chroma = (self.width.div_ceil(2), self.height.div_ceil(2));
        for (plane, (w, h)) in [
            (self.luma, (self.width, self.height)),
            (self.chroma[0], chroma),
            (self.chroma[1], chroma),
        ] {
            cells(w, h, |_, xs, ys| {
                let (mut sum, mut count) = (0_u64, 0);
                for y in ys.step_by((h / 96).max(1)) {
                    for x in xs.clone().step_by((w / 96).max(1)) {
                        sum += u64::from(plane[y * w + x]);
                        count += 1;
                    }
                }
                out.push((sum / count.max(1)) as u8);
            });
        }
        out.resize(Sketch::BYTES, 0);
        Sketch(out)
    }

    /// RGB: chroma is interpolated linearly from where MPEG-4 puts it, on even columns and between rows.
    pub(super) fn to_rgb(self, colour: Colour) -> RgbImage {
        // Fixed point with 14 bits after the point.
        const ONE: f64 = 16384.0;
        let fixed = |v: f64| (v * ONE).round() as i32;
        let (kr, kb) = colour.weights();
        let kg = 1.0 - kr - kb;
        let (low, luma, chroma) = if colour.full_range {
            (0, 1.0, 1.0)
        } else {
            (16, 255.0 / 219.0, 255.0 / 224.0)
        };
        // Chroma values below carry 3 bits of interpolation.
        let chroma = chroma / 8.0;
        let (luma, red, blue) = (
            fixed(luma),
            fixed(2.0 * (1.0 - kr) * chroma),
            fixed(2.0 * (1.0 - kb) * chroma),
        );
        let (green_u, green_v) = (
            fixed(2.0 * (1.0 - kb) * kb / kg * chroma),
            fixed(2.0 * (1.0 - kr) * kr / kg * chroma),
        );
        let (w, h) = (self.width, self.height);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        let mut out = vec![0; w * h * 3];
        let mut rows = [vec![0_i32; cw + 1], vec![0_i32; cw + 1]];
        for y in 0..h {
            // A row of luma lies a quarter of a chroma row from the nearer row of chroma.
            let near = y / 2;
            let far = if y % 2 == 0 {
                near.saturating_sub(1)
            } else {
                (near + 1).min(ch - 1)
            };
            for (row, plane) in rows.iter_mut().zip(self.chroma) {
                let (near, far) = (&plane[near * cw..][..cw], &plane[far * cw..][..cw]);
                for (out, (n, f)) in row.iter_mut().zip(near.iter().zip(far)) {
                    *out = 3 * i32::from(*n) + i32::from(*f) - 512;
                }
                row[cw] = row[cw - 1];
            }
            let line = &self.luma[y * w..][..w];
            for (x, (pixel, l)) in out[3 * y * w..][..3 * w]
                .chunks_exact_mut(3)
                .zip(line)
                .enumerate()
            {
                let at = x / 2;
                let [u, v] = if x % 2 == 0 {
                    [2 * rows[0][at], 2 * rows[1][at]]
                } else {
                    [rows[0][at] + rows[0][at + 1], rows[1][at] + rows[1][at + 1]]
                };
                let l = (i32::from(*l) - low) * luma + (1 << 13);
                let put = |v: i32| (v >> 14).clamp(0, 255) as u8;
                pixel[0] = put(l + red * v);
                pixel[1] = put(l - green_u * u - green_v * v);
                pixel[2] = put(l + blue * u);
            }
        }
        RgbImage::from_raw(w as u32, h as u32, out).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(y: u8, u: u8, v: u8, colour: Colour) -> [u8; 3] {
        let (w, h) = (5, 3);
        let bytes: Vec<u8> = [vec![y; w * h], vec![u; 6], vec![v; 6]].concat();
        let planes = Planes::of(w, h, &bytes).expect("planes");
        let rgb = planes.to_rgb(colour);
        let first = *rgb.get_pixel(0, 0);
        assert!(rgb.pixels().all(|p| *p == first), "a flat frame stays flat");
        first.0
    }

    #[test]
    fn colours_follow_the_matrix_and_the_range() {
        let limited = Colour::default();
        assert_eq!(flat(16, 128, 128, limited), [0; 3]);
        assert_eq!(flat(235, 128, 128, limited), [255; 3]);
        // Red of BT.601 and of BT.709 in limited range.
        let near = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 1);
        assert!(near(flat(81, 90, 240, limited), [254, 0, 0]));
        let hd = Colour {
            matrix: Some(1),
            full_range: false,
        };
        assert!(near(flat(63, 102, 240, hd), [255, 1, 0]));
        let full = Colour {
            matrix: None,
            full_range: true,
        };
        assert_eq!(flat(100, 128, 128, full), [100; 3]);
        assert!(
            !Colour {
                matrix: Some(0),
                ..full
            }
            .is_known()
        );
    }

    #[test]
    fn sketches_tell_frames_apart() {
        let dark = RgbImage::from_pixel(64, 48, image::Rgb([20; 3]));
        let bright = RgbImage::from_pixel(64, 48, image::Rgb([220; 3]));
        let (a, b) = (Sketch::of(&dark), Sketch::of(&bright));
        assert_eq!((a.distance(&a), a.same(&a)), (0.0, 1.0));
        // A third of the planes is luma; chroma stays grey.
        assert!((a.distance(&b) - 200.0 / 3.0).abs() < 1.0);
        assert_eq!(a.same(&b), 0.0);
        assert_eq!(Sketch::from_bytes(a.bytes().to_vec()), Some(a));
        assert_eq!(Sketch::from_bytes(vec![0; 3]), None);
        // A frame that is narrower than the grid has a sketch, too.
        let tiny = Sketch::of(&RgbImage::from_pixel(3, 2, image::Rgb([9; 3])));
        assert_eq!(tiny.bytes()[0], 9);
    }
}
