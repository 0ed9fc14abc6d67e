//! Parameters that NovelAI and others hide in the lowest bits of the pixels.
//!
//! Bits run down the columns: the lowest bit of alpha, or those of red, green and blue. A signature of 15 letters says
//! which, then come the number of bits (32 of them) and the text, packed with gzip or plain.

use super::text::MAX_BLOCK;
use crate::codec::raw::Samples;

/// The hidden text.
pub(crate) fn read(samples: &Samples, width: u32, height: u32) -> Option<String> {
    let (data, channels) = match samples {
        Samples::Rgb8(data) => (data, 3),
        Samples::Rgba8(data) => (data, 4),
        _ => return None,
    };
    let (width, height) = (width as usize, height as usize);
    if data.len() != width * height * channels {
        return None;
    }
    let columns =
        || (0..width).flat_map(move |x| (0..height).map(move |y| (y * width + x) * channels));
    if channels == 4
        && let Some(text) = hidden(columns().map(|at| data[at + 3] & 1), b"stealth_png")
    {
        return Some(text);
    }
    let bits = columns().flat_map(|at| [data[at] & 1, data[at + 1] & 1, data[at + 2] & 1]);
    hidden(bits, b"stealth_rgb")
}

fn hidden(mut bits: impl Iterator<Item = u8>, signature: &[u8]) -> Option<String> {
    let mut byte = || {
        let mut out = 0;
        for _ in 0..8 {
            out = (out << 1) | bits.next()?;
        }
        Some(out)
    };
    for expected in signature {
        if byte()? != *expected {
            return None;
        }
    }
    let kind = [byte()?, byte()?, byte()?, byte()?];
    let packed = match &kind {
        b"comp" => true,
        b"info" => false,
        _ => return None,
    };
    let len = u32::from_be_bytes([byte()?, byte()?, byte()?, byte()?]) as usize / 8;
    if len > MAX_BLOCK {
        return None;
    }
    let data: Vec<u8> = (0..len).map_while(|_| byte()).collect();
    if data.len() < len {
        return None;
    }
    let text = if packed {
        use std::io::Read;
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(&data[..])
            .take(MAX_BLOCK as u64)
            .read_to_end(&mut out)
            .ok()?;
        out
    } else {
        data
    };
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(text: &[u8], signature: &[u8], alpha: bool, width: usize, height: usize) -> Samples {
        let bits = signature
            .iter()
            .chain(&((text.len() * 8) as u32).to_be_bytes())
            .chain(text)
            .flat_map(|b| (0..8).rev().map(move |i| (b >> i) & 1))
            .collect::<Vec<_>>();
        let channels = if alpha { 4 } else { 3 };
        let mut data = vec![254_u8; width * height * channels];
        let per = if alpha { 1 } else { 3 };
        for (i, bit) in bits.into_iter().enumerate() {
            let pixel = i / per;
            let (x, y) = (pixel / height, pixel % height);
            let channel = if alpha { 3 } else { i % 3 };
            data[(y * width + x) * channels + channel] |= bit;
        }
        if alpha {
            Samples::Rgba8(data)
        } else {
            Samples::Rgb8(data)
        }
    }

    #[test]
    fn text_is_read_from_alpha_and_from_colours() {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(b"a secret").unwrap();
        let packed = packer.finish().unwrap();
        for (text, signature, alpha) in [
            (&b"a secret"[..], &b"stealth_pnginfo"[..], true),
            (&packed, b"stealth_pngcomp", true),
            (b"a secret", b"stealth_rgbinfo", false),
            (&packed, b"stealth_rgbcomp", false),
        ] {
            let samples = hide(text, signature, alpha, 20, 30);
            assert_eq!(read(&samples, 20, 30).as_deref(), Some("a secret"));
            // What claims more bits than there are is nothing.
            let short = hide(&text[..1], signature, alpha, 4, 40);
            assert!(read(&short, 4, 40).as_deref() != Some("a secret"));
        }
        assert_eq!(read(&Samples::Rgba8(vec![255; 400]), 10, 10), None);
    }
}
