//! AV1 samples of an MP4, by `rav1d`: 8 bits and 4:2:0.

use super::error::{corrupt, truncated, unsupported};
use super::yuv::Colour;
use crate::codec::av1::Stream;
use crate::error::MediaError;
use crate::limits::Limits;

/// Decodes one track.
pub(super) struct Av1 {
    stream: Stream,
    limits: Limits,
    /// Units of the sample description, which stand ahead of the first sample.
    config: Vec<u8>,
    /// What the container says of colours.
    told: Option<Colour>,
}

/// A picture of 4:2:0 planes, one after the other.
pub(super) struct Coded {
    pub width: usize,
    pub height: usize,
    pub planes: Vec<u8>,
    pub colour: Colour,
}

impl Av1 {
    /// Of the `av1C` box (AV1 in ISO base media, 2.3).
    pub(super) fn new(
        config: &[u8],
        told: Option<Colour>,
        limits: &Limits,
    ) -> Result<Self, MediaError> {
        let (head, units) = config
            .split_at_checked(4)
            .ok_or_else(|| truncated("the description of the AV1 stream ends early"))?;
        // Flags: tier, more than 8 bits, 12 bits, monochrome, chroma halved across and down.
        let flags = head[2];
        if flags & 0b0111_0000 != 0 || flags & 0b0000_1100 != 0b0000_1100 {
            return Err(unsupported("AV1 video of more than 8 bits or not 4:2:0"));
        }
        Ok(Self {
            stream: Stream::new(limits)?,
            limits: limits.clone(),
            config: units.to_vec(),
            told,
        })
    }

    /// Forgets all pictures, to begin at a key frame.
    pub(super) fn restart(&mut self) -> Result<(), MediaError> {
        self.stream = Stream::new(&self.limits)?;
        Ok(())
    }

    /// The picture of the next sample in order of decoding.
    pub(super) fn decode(&mut self, sample: &[u8], first: bool) -> Result<Coded, MediaError> {
        let frame = if first && !self.config.is_empty() {
            self.stream.decode(&[&self.config, sample].concat())?
        } else {
            self.stream.decode(sample)?
        };
        let frame = frame.ok_or_else(|| corrupt("a sample of the AV1 stream is no picture"))?;
        if frame.depth != 8 || frame.chroma != Some((1, 1)) {
            return Err(unsupported("AV1 video of more than 8 bits or not 4:2:0"));
        }
        let said = u8::try_from(frame.matrix).ok().filter(|m| *m != 2);
        let colour = Colour {
            matrix: said.or(self.told.and_then(|t| t.matrix)),
            full_range: frame.full_range,
        };
        if !colour.is_known() {
            return Err(unsupported("AV1 whose planes are not luma and chroma"));
        }
        // Samples of 8 bits.
        let planes = frame.planes.iter().flatten().map(|v| *v as u8).collect();
        Ok(Coded {
            width: frame.width,
            height: frame.height,
            planes,
            colour,
        })
    }
}
