//! What a codec hands over, before orientation, profile and transparency are dealt with.

use crate::jpeg::JpegFacts;
use crate::note::Note;

/// A picture as its codec gives it.
pub(crate) struct Raw {
    pub samples: Samples,
    pub width: u32,
    pub height: u32,
    pub bit_depth: u8,
    pub animated: bool,
    pub colour: Colour,
    pub exif: Option<Vec<u8>>,
    /// Orientation that the container itself applied or declares, where that is not EXIF.
    pub orientation: Option<u8>,
    pub jpeg: Option<JpegFacts>,
    pub notes: Vec<Note>,
}

/// Interleaved samples.
pub(crate) enum Samples {
    Rgb8(Vec<u8>),
    Rgba8(Vec<u8>),
    Rgb16(Vec<u16>),
    Rgba16(Vec<u16>),
    /// Ink from 0 (none) to 255 (full).
    Cmyk8(Vec<u8>),
    /// CIE L*a*b* (D50) as ICC encodes it in 16 bits: L* 0 to 100 over the whole range, a* and b* around 0x8080.
    Lab16(Vec<u16>),
}

/// In which colours the samples are meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Colour {
    /// sRGB, also where nothing is said.
    #[default]
    Srgb,
    /// By an ICC profile.
    Icc(Vec<u8>),
    /// By code points (ITU-T H.273).
    Cicp { primaries: u8, transfer: u8 },
    /// By measured numbers, as a PNG has them.
    Measured {
        /// Exponent from samples to light.
        gamma: Option<f64>,
        /// White, red, green and blue, each x and y.
        chromaticities: Option<[f64; 8]>,
    },
    /// Adobe RGB (1998).
    AdobeRgb,
}

impl Colour {
    /// By code points, as far as they say something.
    pub(crate) fn cicp(points: Option<(u16, u16)>) -> Self {
        let small = |v: u16| u8::try_from(v).unwrap_or(2);
        match points.map(|(p, t)| (small(p), small(t))) {
            None | Some((0 | 2, 0 | 2)) => Self::Srgb,
            Some((primaries, transfer)) => Self::Cicp {
                primaries,
                transfer,
            },
        }
    }
}
