//! Planes of luma and chroma to RGB (ITU-T H.273, matrix coefficients).

use super::raw::Samples;
use crate::error::MediaError;

/// Planes of a decoded picture, rows without padding.
pub(crate) struct Planes {
    pub width: usize,
    pub height: usize,
    pub depth: u8,
    /// Chroma size relative to luma as shifts (x, y); `None` without chroma.
    pub chroma: Option<(usize, usize)>,
    pub planes: [Vec<u16>; 3],
    pub full_range: bool,
    pub matrix: u16,
    pub primaries: u16,
    pub transfer: u16,
}

impl Planes {
    /// Whether each plane has as many samples as its size says.
    pub(crate) fn is_whole(&self) -> bool {
        let fits = |i: usize, w: usize, h: usize| self.planes[i].len() == w * h;
        let chroma = self.chroma.is_none_or(|(sx, sy)| {
            let (w, h) = ((self.width + sx) >> sx, (self.height + sy) >> sy);
            fits(1, w, h) && fits(2, w, h)
        });
        (8..=15).contains(&self.depth) && fits(0, self.width, self.height) && chroma
    }

    /// A number of the 8-bit scale as a share of the whole range.
    fn share(&self, eight: u16) -> f32 {
        let scale = self.depth - 8;
        f32::from(eight << scale) / f32::from((1_u16 << self.depth) - 1)
    }

    fn luma_range(&self) -> (f32, f32) {
        if self.full_range {
            (0.0, 1.0)
        } else {
            (self.share(16), self.share(219))
        }
    }

    /// The luma plane at full scale of 16 bits, as transparency is stored.
    pub(crate) fn luma16(&self) -> Vec<u16> {
        let max = f32::from((1_u16 << self.depth) - 1);
        let (low, range) = self.luma_range();
        let unit = |v: &u16| (f32::from(*v) / max - low) / range;
        self.planes[0]
            .iter()
            .map(|v| (unit(v).clamp(0.0, 1.0) * 65535.0).round() as u16)
            .collect()
    }

    /// Interleaved RGB: 8 bits for pictures of 8 bits, 16 for deeper ones. Chroma is repeated.
    pub(crate) fn to_rgb(&self) -> Result<Samples, MediaError> {
        let pixels = self.width * self.height;
        if self.depth > 8 {
            let mut out = Vec::with_capacity(pixels * 3);
            self.each(|rgb| out.extend(rgb))?;
            return Ok(Samples::Rgb16(out));
        }
        let mut out = Vec::with_capacity(pixels * 3);
        self.each(|rgb| out.extend(rgb.map(|s| ((u32::from(s) + 128) / 257) as u8)))?;
        Ok(Samples::Rgb8(out))
    }

    fn each(&self, mut take: impl FnMut([u16; 3])) -> Result<(), MediaError> {
        let max = f32::from((1_u16 << self.depth) - 1);
        let (low, range) = self.luma_range();
        let chroma_range = if self.full_range {
            1.0
        } else {
            self.share(224)
        };
        let (kr, kb) = match self.matrix {
            0 => (0.0, 0.0),
            1 => (0.2126, 0.0722),
            9 => (0.2627, 0.0593),
            // FCC, and SMPTE 240M.
            4 => (0.30, 0.11),
            7 => (0.212, 0.087),
            // 2 (unspecified), 5 and 6: BT.601, as browsers assume.
            2 | 5 | 6 => (0.299, 0.114),
            other => {
                return Err(MediaError::Unsupported {
                    format: format!("matrix coefficients {other}"),
                });
            }
        };
        let kg = 1.0 - kr - kb;
        let unit = |v: u16| f32::from(v) / max;
        let half = f32::from(1_u16 << (self.depth - 1)) / max;
        for y in 0..self.height {
            for x in 0..self.width {
                let luma = self.planes[0][y * self.width + x];
                let l = (unit(luma) - low) / range;
                let rgb = match self.chroma {
                    None => [l; 3],
                    Some((sx, sy)) => {
                        let stride = (self.width + sx) >> sx;
                        let at = (y >> sy) * stride + (x >> sx);
                        let (u, v) = (unit(self.planes[1][at]), unit(self.planes[2][at]));
                        if self.matrix == 0 {
                            // Identity: planes are G, B, R.
                            let scale = |c: f32| (c - low) / range;
                            [scale(v), l, scale(u)]
                        } else {
                            let (cb, cr) = ((u - half) / chroma_range, (v - half) / chroma_range);
                            let r = l + 2.0 * (1.0 - kr) * cr;
                            let b = l + 2.0 * (1.0 - kb) * cb;
                            [r, (l - kr * r - kb * b) / kg, b]
                        }
                    }
                };
                take(rgb.map(|c| (c.clamp(0.0, 1.0) * 65535.0).round() as u16));
            }
        }
        Ok(())
    }
}
