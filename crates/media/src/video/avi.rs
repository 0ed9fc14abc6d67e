//! Motion JPEG in an AVI (Microsoft RIFF): the index is made by walking the chunks.

use std::io::{Read as _, Seek as _, SeekFrom};

use super::Bytes;
use super::error::{corrupt, limit, truncated, unsupported};
use super::facts::Facts;
use super::limits::VideoLimits;
use super::mp4::{Sample, Track};
use super::track::Film;
use crate::error::MediaError;

/// Largest list of headers, in bytes.
const MAX_HEADERS: u32 = 1 << 20;
/// Most chunks that are walked.
const MAX_CHUNKS: usize = 4_000_000;

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

/// Chunks in memory, as kind and content.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let size = word(rest, 4)? as usize;
        let (kind, content) = (rest.get(..4)?, rest.get(8..8_usize.checked_add(size)?)?);
        rest = rest.get(8 + size + size % 2..).unwrap_or_default();
        Some((kind, content))
    })
}

/// The stream of pictures: its number, size, and seconds a frame.
struct Stream {
    number: usize,
    size: (u32, u32),
    seconds: f64,
}

/// The header lists of a file: the stream of pictures, and whether there is sound.
fn streams(headers: &[u8]) -> Result<(Stream, bool), MediaError> {
    let lists = chunks(headers).filter(|(k, c)| *k == b"LIST" && c.starts_with(b"strl"));
    let (mut video, mut audio) = (None, false);
    for (number, (_, list)) in lists.enumerate().take(64) {
        let part = |kind: &[u8]| {
            let mut own = chunks(list.get(4..).unwrap_or_default());
            own.find(|(k, _)| *k == kind).map(|(_, c)| c)
        };
        let Some(head) = part(b"strh") else { continue };
        audio |= head.starts_with(b"auds");
        if !head.starts_with(b"vids") || video.is_some() {
            continue;
        }
        let format = part(b"strf").ok_or_else(|| corrupt("a stream has no format"))?;
        let codec = format.get(16..20).unwrap_or_default();
        if !codec.eq_ignore_ascii_case(b"MJPG") {
            return Err(unsupported(format!(
                "AVI video coded as `{}`",
                codec.escape_ascii()
            )));
        }
        let (scale, rate) = (word(head, 20).unwrap_or(0), word(head, 24).unwrap_or(0));
        if scale == 0 || rate == 0 {
            return Err(corrupt("a stream has no rate"));
        }
        let side = |at: usize| word(format, at).map(|v| (v as i32).unsigned_abs());
        let size = side(4).zip(side(8));
        video = Some(Stream {
            number,
            size: size.ok_or_else(|| truncated("a stream has no size"))?,
            seconds: f64::from(scale) / f64::from(rate),
        });
    }
    let video = video.ok_or_else(|| MediaError::NotAPicture {
        found: "an AVI without pictures".into(),
    })?;
    Ok((video, audio))
}

/// Opens an AVI of JPEG pictures.
///
/// # Errors
/// [`MediaError::Unsupported`] of any other codec, and those of a damaged file.
pub(super) fn open(
    mut file: Box<dyn Bytes>,
    length: u64,
    limits: &VideoLimits,
) -> Result<Film, MediaError> {
    let io = |e: std::io::Error| truncated(format!("it cannot be read: {e}"));
    let mut stream: Option<(Stream, bool)> = None;
    let mut samples = Vec::new();
    let mut at = 12_u64;
    for _ in 0..MAX_CHUNKS {
        if at + 8 > length {
            break;
        }
        file.seek(SeekFrom::Start(at)).map_err(io)?;
        let mut head = [0; 12];
        let most = head.len().min((length - at) as usize);
        file.read_exact(&mut head[..most]).map_err(io)?;
        let size = word(&head, 4).unwrap_or(0);
        let next = at + 8 + u64::from(size) + u64::from(size % 2);
        match (&head[..4], &head[8..12]) {
            (b"LIST", b"hdrl") => {
                if size > MAX_HEADERS {
                    return Err(limit("bytes of headers", size.into(), MAX_HEADERS.into()));
                }
                let mut headers = vec![0; (size as usize).saturating_sub(4)];
                file.read_exact(&mut headers).map_err(io)?;
                stream = Some(streams(&headers)?);
                at = next;
            }
            // What lies in these lists is walked as if it lay beside them.
            (b"LIST", list @ (b"movi" | b"rec ")) => {
                if list == b"movi" && next > length {
                    return Err(truncated("its pictures end early"));
                }
                at += 12;
            }
            (kind, _) => {
                let own = stream.as_ref().is_some_and(|(s, _)| {
                    let digits = format!("{:02}", s.number);
                    kind.starts_with(digits.as_bytes()) && matches!(&kind[2..], b"dc" | b"db")
                });
                if own && size > 0 {
                    let seconds = stream.as_ref().map_or(0.0, |(s, _)| s.seconds);
                    samples.push(Sample {
                        offset: at + 8,
                        size,
                        time: samples.len() as f64 * seconds,
                        duration: seconds,
                        sync: true,
                        shown: true,
                    });
                    if samples.len() as u64 > limits.max_frames {
                        return Err(limit("frames", samples.len() as u64, limits.max_frames));
                    }
                }
                at = next;
            }
        }
    }
    let (stream, audio) = stream.ok_or_else(|| truncated("there are no headers"))?;
    let (width, height) = stream.size;
    limits
        .picture
        .check(u64::from(width), u64::from(height), 6)?;
    let facts = Facts {
        container: "AVI".into(),
        codec: "Motion JPEG".into(),
        audio,
        ..Facts::default()
    };
    let track = Track {
        codec: *b"MJPG",
        width,
        height,
        samples,
        ..Track::default()
    };
    Film::jpegs(file, length, track, facts, limits)
}
