//! Damaged copies of good files. The number of a case is its seed, so each repeats by its number.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Bytes that tell formats apart; most cases leave them alone, so that the decoder is reached.
const SIGNATURE: usize = 12;
/// Where headers lie; half of all damage is done there.
const HEADER: usize = 128;
/// Numbers at which parsers err: zero, one, all bits, the signs' turning points, sizes beyond every limit.
const NUMBERS: [u32; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x0010_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
];
const PNG: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The damaged input of a number: one of `corpus` with one edit, half of the time a second, and so on to eight.
///
/// # Panics
/// When `corpus` is empty.
#[must_use]
pub fn damaged(corpus: &[Vec<u8>], case: u64) -> Vec<u8> {
    let rng = &mut ChaCha8Rng::seed_from_u64(case);
    let good = corpus.choose(rng).expect("a corpus has files");
    let mut bytes = good.clone();
    for _ in 0..8 {
        edit(&mut bytes, corpus, rng);
        if rng.random() {
            break;
        }
    }
    if rng.random_bool(0.9) {
        let kept = SIGNATURE.min(bytes.len()).min(good.len());
        bytes[..kept].copy_from_slice(&good[..kept]);
    }
    if bytes.starts_with(&PNG) && rng.random_bool(0.7) {
        make_png_checksums_good(&mut bytes);
    }
    bytes
}

fn edit(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        bytes.push(rng.random());
    }
    let at = place(bytes.len(), rng);
    let length = rng.random_range(1..=16.min(bytes.len() - at));
    match rng.random_range(0..20) {
        0..5 => bytes[at] ^= 1 << rng.random_range(0..8),
        5..8 => bytes[at] = rng.random(),
        8..13 => {
            let number = NUMBERS.choose(rng).copied().unwrap_or_default();
            let width = [1, 2, 4].choose(rng).copied().unwrap_or(1);
            let written = if rng.random() {
                number.to_be_bytes()[4 - width..].to_vec()
            } else {
                number.to_le_bytes()[..width].to_vec()
            };
            for (to, from) in bytes[at..].iter_mut().zip(written) {
                *to = from;
            }
        }
        13 | 14 => drop(bytes.drain(at..at + length)),
        15 | 16 => {
            let copy = bytes[at..at + length].to_vec();
            let to = place(bytes.len(), rng);
            bytes.splice(to..to, copy);
        }
        17 | 18 => {
            let other = corpus.choose(rng).expect("a corpus has files");
            let from = place(other.len().max(1), rng).min(other.len());
            let copy = &other[from..(from + length).min(other.len())];
            bytes.splice(at..at + length, copy.iter().copied());
        }
        _ => bytes.truncate(at),
    }
}

fn place(length: usize, rng: &mut ChaCha8Rng) -> usize {
    let within = if rng.random() {
        length
    } else {
        length.min(HEADER)
    };
    rng.random_range(0..within)
}

/// Writes each chunk's checksum anew. A reader drops chunks whose checksum is wrong; libFuzzer's build of the
/// decoder does not look at them, this one does.
fn make_png_checksums_good(bytes: &mut [u8]) {
    let mut at = PNG.len();
    while let Some(&[a, b, c, d]) = bytes.get(at..at + 4) {
        let body = at + 4;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let end = body.saturating_add(4).saturating_add(length);
        if end.saturating_add(4) > bytes.len() {
            return;
        }
        let sum = crc32fast::hash(&bytes[body..end]);
        bytes[end..end + 4].copy_from_slice(&sum.to_be_bytes());
        at = end + 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_repeats_and_differs_from_others() {
        let corpus = [(0..100).collect(), (100..200).collect()];
        assert_eq!(damaged(&corpus, 7), damaged(&corpus, 7));
        let all: std::collections::BTreeSet<_> = (0..100).map(|c| damaged(&corpus, c)).collect();
        assert!(all.len() > 90, "{}", all.len());
    }

    #[test]
    fn checksums_are_made_good() {
        let mut png = PNG.to_vec();
        png.extend(b"\0\0\0\0IEND\0\0\0\0\0\0\0\x01IDAT");
        make_png_checksums_good(&mut png);
        assert_eq!(png[16..20], [0xae, 0x42, 0x60, 0x82]);
        assert!(png.ends_with(b"IDAT"), "a chunk that is cut short stays");
    }
}
