//! Code points and measured numbers to sRGB, by way of light.

use super::hdr;
use crate::codec::raw::{Colour, Samples};

/// Chromaticities of BT.709 and sRGB: white, red, green, blue.
const BT709: [f64; 8] = [0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06];
const BT2020: [f64; 8] = [0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046];
const ADOBE: [f64; 8] = [0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06];

/// From samples to light.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Curve {
    Srgb,
    Power(f64),
    Linear,
    /// Absolute light (SMPTE ST 2084).
    Pq,
    /// Light of a scene (BT.2100).
    Hlg,
}

impl Curve {
    /// Light of a sample; 1 is white of an ordinary picture.
    fn light(self, v: f64) -> f64 {
        match self {
            Self::Srgb if v <= 0.04045 => v / 12.92,
            Self::Srgb => ((v + 0.055) / 1.055).powf(2.4),
            Self::Power(gamma) => v.powf(gamma),
            Self::Linear => v,
            Self::Pq => hdr::pq(v) / hdr::WHITE,
            Self::Hlg => hdr::hlg_scene(v),
        }
    }
}

/// A way to sRGB.
pub(super) struct Converter {
    pub(super) name: String,
    curve: Curve,
    /// Linear light to linear light of sRGB, rows.
    matrix: [[f64; 3]; 3],
}

impl Converter {
    /// `None` where the colours are those of sRGB; why not, where the numbers mean nothing.
    pub(super) fn of(colour: &Colour) -> Result<Option<Self>, String> {
        let (name, curve, from) = match colour {
            Colour::Srgb | Colour::Icc(_) => return Ok(None),
            Colour::AdobeRgb => (
                "Adobe RGB (1998)".into(),
                Curve::Power(563.0 / 256.0),
                ADOBE,
            ),
            Colour::Cicp {
                primaries,
                transfer,
            } => {
                let curve = match transfer {
                    // Viewers show the camera curves of BT.601, BT.709 and BT.2020 as sRGB.
                    0 | 1 | 2 | 6 | 11 | 12 | 13 | 14 | 15 => Curve::Srgb,
                    4 => Curve::Power(2.2),
                    5 => Curve::Power(2.8),
                    8 => Curve::Linear,
                    16 => Curve::Pq,
                    18 => Curve::Hlg,
                    other => return Err(format!("transfer characteristics {other} are not known")),
                };
                let (name, from) = match primaries {
                    0..=2 => ("BT.709", BT709),
                    4 => (
                        "BT.470 M",
                        [0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08],
                    ),
                    5 => (
                        "BT.470 B/G",
                        [0.3127, 0.3290, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06],
                    ),
                    6 | 7 => (
                        "BT.601",
                        [0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070],
                    ),
                    9 => ("BT.2020", BT2020),
                    11 => (
                        "DCI P3",
                        [0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060],
                    ),
                    12 => (
                        "Display P3",
                        [0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060],
                    ),
                    22 => (
                        "EBU 3213",
                        [0.3127, 0.3290, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077],
                    ),
                    other => return Err(format!("colour primaries {other} are not known")),
                };
                let name = match curve {
                    Curve::Pq => format!("{name} PQ"),
                    Curve::Hlg => format!("{name} HLG"),
                    Curve::Linear => format!("linear {name}"),
                    _ => name.into(),
                };
                // Pictures of standard definition hold colours of nearly the same primaries.
                let near = matches!(primaries, 5..=7);
                (name, curve, if near { BT709 } else { from })
            }
            Colour::Measured {
                gamma,
                chromaticities,
            } => {
                let curve = match gamma {
                    // The usual number stands for sRGB.
                    Some(g) if (g / 2.2 - 1.0).abs() > 0.05 => Curve::Power(*g),
                    _ => Curve::Srgb,
                };
                (
                    "gAMA and cHRM".into(),
                    curve,
                    chromaticities.unwrap_or(BT709),
                )
            }
        };
        let same = from
            .iter()
            .zip(BT709)
            .all(|(a, b): (&f64, f64)| (a - b).abs() < 0.003);
        if same && curve == Curve::Srgb {
            return Ok(None);
        }
        let problem = || "its primaries are on one line".to_owned();
        let matrix = if same {
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        } else {
            let to_xyz = |c| matrix_to_xyz(c).ok_or_else(problem);
            let adapted = product(
                &adaptation(from, BT709).ok_or_else(problem)?,
                &to_xyz(from)?,
            );
            product(&inverse(&to_xyz(BT709)?).ok_or_else(problem)?, &adapted)
        };
        if matrix.iter().flatten().any(|v| !v.is_finite()) {
            return Err(problem());
        }
        Ok(Some(Self {
            name,
            curve,
            matrix,
        }))
    }

    /// The samples in sRGB, and how high dynamic range was brought down.
    pub(super) fn convert(&self, samples: Samples) -> (Samples, Option<String>) {
        match samples {
            Samples::Rgb8(mut v) => {
                let said = self.eight(&mut v, 3);
                (Samples::Rgb8(v), said)
            }
            Samples::Rgba8(mut v) => {
                let said = self.eight(&mut v, 4);
                (Samples::Rgba8(v), said)
            }
            Samples::Rgb16(mut v) => {
                let said = self.run(&mut v, 3, |v| v, |v| v);
                (Samples::Rgb16(v), said)
            }
            Samples::Rgba16(mut v) => {
                let said = self.run(&mut v, 4, |v| v, |v| v);
                (Samples::Rgba16(v), said)
            }
            other => (other, None),
        }
    }

    fn eight(&self, v: &mut [u8], channels: usize) -> Option<String> {
        self.run(v, channels, |v| u16::from(v) * 257, super::narrow)
    }

    fn run<T: Copy>(
        &self,
        v: &mut [T],
        channels: usize,
        wide: impl Fn(T) -> u16,
        back: impl Fn(u16) -> T,
    ) -> Option<String> {
        let light: Vec<f32> = (0..=u16::MAX)
            .map(|s| self.curve.light(f64::from(s) / 65535.0) as f32)
            .collect();
        let samples: Vec<u16> = (0..=u16::MAX)
            .map(|l| (encoded(f64::from(l) / 65535.0) * 65535.0).round() as u16)
            .collect();
        let m = self.matrix.map(|row| row.map(|v| v as f32));
        let linear = |p: &[T]| {
            let mut l = [0, 1, 2].map(|c| light[usize::from(wide(p[c]))]);
            if self.curve == Curve::Hlg {
                l = hdr::hlg_display(l);
            }
            m.map(|row| row[0] * l[0] + row[1] * l[1] + row[2] * l[2])
        };
        let tone = matches!(self.curve, Curve::Pq | Curve::Hlg).then(|| {
            let brightest = v
                .chunks_exact(channels)
                .flat_map(&linear)
                .fold(0.0_f32, f32::max);
            hdr::Tone::to(brightest)
        });
        for p in v.chunks_exact_mut(channels) {
            let mut rgb = linear(p);
            if let Some(tone) = &tone {
                rgb = tone.map(rgb);
            }
            for (to, l) in p.iter_mut().zip(rgb) {
                *to = back(samples[(l.clamp(0.0, 1.0) * 65535.0).round() as usize]);
            }
        }
        tone.map(|t| t.sentence())
    }
}

/// The sRGB sample of linear light.
fn encoded(light: f64) -> f64 {
    if light <= 0.003_130_8 {
        12.92 * light
    } else {
        1.055 * light.powf(1.0 / 2.4) - 0.055
    }
}

/// sRGB of a colour in CIE L*a*b* under D50.
pub(super) fn srgb_of_lab(p: &[u16]) -> [u8; 3] {
    /// XYZ under D50 to linear sRGB (Bradford adaptation).
    const TO_RGB: [[f64; 3]; 3] = [
        [3.133_856_1, -1.616_866_7, -0.490_614_6],
        [-0.978_768_4, 1.916_141_5, 0.033_454_0],
        [0.071_945_3, -0.228_991_4, 1.405_242_7],
    ];
    let l = f64::from(p[0]) / 65535.0 * 100.0;
    let around = |v: u16| f64::from(v) / 257.0 - 128.0;
    let (a, b) = (around(p[1]), around(p[2]));
    let y = (l + 16.0) / 116.0;
    let part = |t: f64| {
        if t > 6.0 / 29.0 {
            t * t * t
        } else {
            3.0 * (6.0_f64 / 29.0).powi(2) * (t - 4.0 / 29.0)
        }
    };
    let xyz = [
        0.964_22 * part(y + a / 500.0),
        part(y),
        0.825_21 * part(y - b / 200.0),
    ];
    TO_RGB.map(|row| {
        let light: f64 = row.iter().zip(xyz).map(|(m, v)| m * v).sum();
        (encoded(light.clamp(0.0, 1.0)) * 255.0).round() as u8
    })
}

type Matrix = [[f64; 3]; 3];

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|r| std::array::from_fn(|c| (0..3).map(|k| a[r][k] * b[k][c]).sum()))
}

fn inverse(m: &Matrix) -> Option<Matrix> {
    let minor = |r: usize, c: usize| {
        let (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
        m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
    };
    let determinant: f64 = (0..3).map(|c| m[0][c] * minor(0, c)).sum();
    if determinant.is_nan() || determinant.abs() <= 1e-9 {
        return None;
    }
    Some(std::array::from_fn(|r| {
        std::array::from_fn(|c| minor(c, r) / determinant)
    }))
}

fn apply(m: &Matrix, v: [f64; 3]) -> [f64; 3] {
    m.map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum())
}

fn xyz(x: f64, y: f64) -> [f64; 3] {
    [x / y, 1.0, (1.0 - x - y) / y]
}

/// Linear RGB of these chromaticities to XYZ.
fn matrix_to_xyz(c: [f64; 8]) -> Option<Matrix> {
    let columns = [xyz(c[2], c[3]), xyz(c[4], c[5]), xyz(c[6], c[7])];
    let base: Matrix = std::array::from_fn(|r| std::array::from_fn(|k| columns[k][r]));
    let scale = apply(&inverse(&base)?, xyz(c[0], c[1]));
    Some(base.map(|row| std::array::from_fn(|k| row[k] * scale[k])))
}

/// From the white of one set of chromaticities to that of another (Bradford).
fn adaptation(from: [f64; 8], to: [f64; 8]) -> Option<Matrix> {
    const CONES: Matrix = [
        [0.8951, 0.2664, -0.1614],
        [-0.7502, 1.7135, 0.0367],
        [0.0389, -0.0685, 1.0296],
    ];
    let (a, b) = (
        apply(&CONES, xyz(from[0], from[1])),
        apply(&CONES, xyz(to[0], to[1])),
    );
    let scaled: Matrix =
        std::array::from_fn(|r| std::array::from_fn(|c| CONES[r][c] * b[r] / a[r]));
    Some(product(&inverse(&CONES)?, &scaled))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(colour: &Colour, rgb: [u16; 3]) -> [u8; 3] {
        let converter = Converter::of(colour).expect("known").expect("not sRGB");
        let (samples, _) = converter.convert(Samples::Rgb16(rgb.to_vec()));
        let Samples::Rgb16(v) = samples else {
            panic!("another kind")
        };
        [v[0], v[1], v[2]].map(super::super::narrow)
    }

    #[test]
    fn known_colours_of_other_spaces() {
        let sixteen = |rgb: [u8; 3]| rgb.map(|v| u16::from(v) * 257);
        // sRGB red (255, 0, 0) is (234, 51, 35) in Display P3, and (219, 0, 0) in Adobe RGB.
        let p3 = Colour::Cicp {
            primaries: 12,
            transfer: 13,
        };
        for (colour, from, to) in [
            (&p3, [234, 51, 35], [255, 0, 0]),
            (&p3, [255, 255, 255], [255, 255, 255]),
            (&p3, [128, 128, 128], [128, 128, 128]),
            (&Colour::AdobeRgb, [219, 0, 0], [255, 0, 0]),
            (&Colour::AdobeRgb, [255, 255, 255], [255, 255, 255]),
        ] {
            let found = converted(colour, sixteen(from));
            let near = found
                .iter()
                .zip(to)
                .all(|(a, b): (&u8, u8)| a.abs_diff(b) <= 1);
            assert!(near, "{colour:?} {from:?} became {found:?}, not {to:?}");
        }
    }

    #[test]
    fn the_usual_numbers_are_srgb_and_nonsense_is_told() {
        let usual = Colour::Measured {
            gamma: Some(1.0 / 0.45455),
            chromaticities: Some([0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06]),
        };
        assert!(Converter::of(&usual).expect("known").is_none());
        let flat = Colour::Measured {
            gamma: None,
            chromaticities: Some([0.3, 0.3, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3]),
        };
        assert!(Converter::of(&flat).is_err());
        let unknown = Colour::Cicp {
            primaries: 1,
            transfer: 77,
        };
        assert!(Converter::of(&unknown).is_err());
    }

    #[test]
    fn known_colours_of_lab() {
        let lab = |l: f64, a: f64, b: f64| {
            let code = |v: f64| ((v + 128.0) * 257.0).round() as u16;
            srgb_of_lab(&[(l * 655.35).round() as u16, code(a), code(b)])
        };
        for (found, right) in [
            (lab(100.0, 0.0, 0.0), [255, 255, 255]),
            (lab(53.585, 0.0, 0.0), [128, 128, 128]),
            // Red under D50.
            (lab(54.29, 80.81, 69.89), [255, 0, 0]),
        ] {
            let near = found
                .iter()
                .zip(right)
                .all(|(a, b): (&u8, u8)| a.abs_diff(b) <= 1);
            assert!(near, "{found:?} {right:?}");
        }
    }
}
