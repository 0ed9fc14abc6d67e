//! H.264 samples of an MP4, by `rusty_h264-decoder`: progressive pictures of 8 bits and 4:2:0, up to High profile.

use rusty_h264_decoder::{DecodeError, Decoder};

use super::error::{corrupt, truncated, unsupported};
use super::yuv::Colour;
use crate::error::MediaError;

/// Longest word of an encoder that is kept, in bytes.
const MAX_WORD: usize = 200;

/// Decodes one track.
pub(super) struct H264 {
    decoder: Decoder,
    /// Parameter sets of the sample description, in the form of a byte stream.
    sets: Vec<u8>,
    /// Bytes that give the length of a unit.
    width: usize,
    /// What the first parameter set says of colours.
    pub colour: Option<Colour>,
}

/// A picture of planes.
pub(super) struct Coded {
    pub width: usize,
    pub height: usize,
    pub planes: Vec<u8>,
}

/// What the units of a sample are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Kind {
    /// Whether decoding can begin here (IDR).
    pub idr: bool,
    /// Whether other pictures may refer to it.
    pub reference: bool,
}

impl H264 {
    /// Of the `avcC` box (ISO/IEC 14496-15, 5.3.3).
    pub(super) fn new(config: &[u8]) -> Result<Self, MediaError> {
        let ends = || truncated("the description of the H.264 stream ends early");
        let width = usize::from(config.get(4).ok_or_else(ends)? & 3) + 1;
        let mut sets = Vec::new();
        let mut colour = None;
        let mut at = 5;
        for mask in [0x1f, 0xff] {
            let count = config.get(at).ok_or_else(ends)? & mask;
            at += 1;
            for _ in 0..count {
                let size = config.get(at..at + 2).ok_or_else(ends)?;
                let size = usize::from(u16::from_be_bytes([size[0], size[1]]));
                let set = config.get(at + 2..at + 2 + size).ok_or_else(ends)?;
                at += 2 + size;
                if colour.is_none() && set.first().is_some_and(|b| b & 0x1f == 7) {
                    colour = signal(&set[1..]);
                }
                sets.extend([0, 0, 0, 1]);
                sets.extend(set);
            }
        }
        Ok(Self {
            decoder: Decoder::new(),
            sets,
            width,
            colour,
        })
    }

    /// Units of a sample: a length and as many bytes, again and again.
    fn units<'a>(&self, sample: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let width = self.width;
        let mut rest = sample;
        std::iter::from_fn(move || {
            let head = rest.get(..width)?;
            let size = head.iter().fold(0, |n, b| n << 8 | usize::from(*b));
            let unit = rest.get(width..width.checked_add(size)?)?;
            rest = &rest[width + size..];
            Some(unit)
        })
    }

    pub(super) fn kind(&self, sample: &[u8]) -> Kind {
        let mut kind = Kind::default();
        for unit in self.units(sample) {
            if let Some(head) = unit.first().filter(|b| matches!(*b & 0x1f, 1..=5)) {
                kind.idr |= head & 0x1f == 5;
                kind.reference |= head & 0x60 != 0;
            }
        }
        kind
    }

    /// What the encoder calls itself in a message to whom it may concern (SEI of unregistered user data).
    pub(super) fn encoder(&self, sample: &[u8]) -> Option<String> {
        const UNREGISTERED: u8 = 5;
        let message = self.units(sample).find_map(|unit| {
            let (head, body) = unit.split_first()?;
            (head & 0x1f == 6 && *body.first()? == UNREGISTERED).then(|| &body[1..])
        })?;
        let size = message.iter().position(|b| *b != 255)?;
        // An identifier of 16 bytes stands ahead of the text.
        let text = message.get(size + 1 + 16..)?;
        let text = &text[..text.len().min(MAX_WORD)];
        let end = text.iter().position(|b| *b < 0x20 || *b > 0x7e);
        let text = std::str::from_utf8(&text[..end.unwrap_or(text.len())]).ok()?;
        (text.len() > 3).then(|| text.to_owned())
    }

    /// Forgets all pictures, to begin at a sample whose kind is IDR.
    pub(super) fn restart(&mut self) {
        self.decoder = Decoder::new();
    }

    /// The picture of the next sample in order of decoding.
    pub(super) fn decode(&mut self, sample: &[u8], first: bool) -> Result<Coded, MediaError> {
        let mut stream = Vec::with_capacity(sample.len() + self.sets.len() + 64);
        if first {
            stream.extend(&self.sets);
        }
        let mut used = 0;
        for unit in self.units(sample) {
            used += self.width + unit.len();
            stream.extend([0, 0, 0, 1]);
            stream.extend(unit);
        }
        if used < sample.len() {
            return Err(truncated("a unit of the H.264 stream ends early"));
        }
        let frame = self.decoder.decode(&stream).map_err(|e| match e {
            DecodeError::Unsupported(what) => unsupported(format!("H.264 with {what}")),
            DecodeError::Truncated => truncated("the H.264 stream ends early"),
            other => corrupt(format!("H.264: {other}")),
        })?;
        let frame = frame.ok_or_else(|| corrupt("a sample of the H.264 stream is no picture"))?;
        let mut planes = frame.y;
        planes.extend(frame.u);
        planes.extend(frame.v);
        Ok(Coded {
            width: frame.width,
            height: frame.height,
            planes,
        })
    }
}

/// Bits of a parameter set (ITU-T H.264, 7.2 and 9.1), without its emulation prevention.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn new(set: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(set.len());
        let mut zeros = 0;
        for b in set {
            if zeros >= 2 && *b == 3 {
                zeros = 0;
                continue;
            }
            zeros = if *b == 0 { zeros + 1 } else { 0 };
            bytes.push(*b);
        }
        Self { bytes, at: 0 }
    }

    fn bits(&mut self, n: usize) -> Option<u32> {
        (0..n).try_fold(0, |value, _| {
            let byte = self.bytes.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Some(value << 1 | u32::from(bit))
        })
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.bits(1)? == 1)
    }

    fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }

    fn signed(&mut self) -> Option<i32> {
        let v = self.unsigned()?;
        let half = v.div_ceil(2) as i32;
        Some(if v % 2 == 1 { half } else { -half })
    }
}

/// What a sequence parameter set says of colours (7.3.2.1.1 and E.1.1); `None` where it says nothing.
fn signal(set: &[u8]) -> Option<Colour> {
    let mut r = Bits::new(set);
    let profile = r.bits(8)?;
    r.bits(16)?;
    r.unsigned()?;
    if matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    ) {
        let chroma = r.unsigned()?;
        if chroma == 3 {
            r.flag()?;
        }
        r.unsigned()?;
        r.unsigned()?;
        r.flag()?;
        if r.flag()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if r.flag()? {
                    let (mut last, mut next) = (8, 8);
                    for _ in 0..if list < 6 { 16 } else { 64 } {
                        if next != 0 {
                            next = r.signed()?.wrapping_add(last).rem_euclid(256);
                        }
                        last = if next == 0 { last } else { next };
                    }
                }
            }
        }
    }
    r.unsigned()?;
    match r.unsigned()? {
        0 => {
            r.unsigned()?;
        }
        1 => {
            r.flag()?;
            r.signed()?;
            r.signed()?;
            for _ in 0..r.unsigned()?.min(255) {
                r.signed()?;
            }
        }
        _ => {}
    }
    r.unsigned()?;
    r.flag()?;
    r.unsigned()?;
    r.unsigned()?;
    if !r.flag()? {
        r.flag()?;
    }
    r.flag()?;
    if r.flag()? {
        for _ in 0..4 {
            r.unsigned()?;
        }
    }
    if !r.flag()? {
        return None;
    }
    if r.flag()? && r.bits(8)? == 255 {
        r.bits(32)?;
    }
    if r.flag()? {
        r.flag()?;
    }
    if !r.flag()? {
        return None;
    }
    r.bits(3)?;
    let full_range = r.flag()?;
    let matrix = if r.flag()? {
        r.bits(16)?;
        Some(r.bits(8)? as u8)
    } else {
        None
    };
    Some(Colour {
        // 2 is "unspecified".
        matrix: matrix.filter(|m| *m != 2),
        full_range,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_parameter_set_are_read() {
        // 1, 010, 011, 00100, 00101: 0, 1, 2, 3, 4.
        let mut r = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let read: Vec<u32> = (0..5).filter_map(|_| r.unsigned()).collect();
        assert_eq!(read, [0, 1, 2, 3, 4]);
        let mut r = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let read: Vec<i32> = (0..5).filter_map(|_| r.signed()).collect();
        assert_eq!(read, [0, 1, -1, 2, -2]);
        assert_eq!(Bits::new(&[0; 8]).unsigned(), None);
        let mut r = Bits::new(&[0, 0, 3, 1]);
        assert_eq!(r.bits(24), Some(1));
    }

    #[test]
    fn a_description_that_ends_early_is_an_error() {
        let whole = [1, 66, 0, 30, 0xff, 0xe1, 0, 2, 0x67, 66, 1, 0, 1, 0x68];
        assert!(H264::new(&whole).is_ok());
        for end in 0..whole.len() {
            assert!(H264::new(&whole[..end]).is_err(), "{end}");
        }
        let h264 = H264::new(&whole).expect("reads");
        let sample = [0, 0, 0, 2, 0x65, 9, 0, 0, 0, 1, 0x01];
        let idr = Kind {
            idr: true,
            reference: true,
        };
        assert_eq!(h264.kind(&sample), idr);
        assert_eq!(h264.kind(&sample[6..]), Kind::default());
    }
}
