//! Tracks and samples of MP4 and MOV files (ISO/IEC 14496-12), read within bounds.
//!
//! Boxes are walked one after the other along named paths, never into themselves, so that no nesting and no size makes
//! the reader loop. Every table is checked against the box that holds it before it is expanded.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use super::error::{corrupt, limit, truncated, unsupported};
use super::limits::VideoLimits;
use crate::container::bmff;
use crate::error::MediaError;

mod fragments;

/// Largest index that is read into memory, in bytes.
const MAX_INDEX: u64 = 64 << 20;
/// Most boxes that are looked at beside each other.
const MAX_BOXES: usize = 100_000;
/// Most tracks.
const MAX_TRACKS: usize = 64;
/// Most texts, and most bytes of one.
const MAX_TAGS: usize = 32;
const MAX_TEXT: usize = 4096;

type Kind = [u8; 4];

/// What an MP4 holds.
#[derive(Debug)]
pub(super) struct Movie {
    pub video: Track,
    pub audio: bool,
    pub tags: BTreeMap<String, String>,
    /// Whether the index of a fragment ends early: the samples from there on are not known.
    pub cut: bool,
}

/// The first track of pictures.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Kind of the sample entry, such as `avc1`.
    pub codec: Kind,
    /// Boxes within the sample entry.
    pub config: Vec<u8>,
    pub width: u32,
    pub height: u32,
    /// Degrees clockwise by which frames are turned to be upright.
    pub rotation: u16,
    /// Samples in order of decoding.
    pub samples: Vec<Sample>,
    pub edit_list: bool,
    /// Matrix coefficients and full range of the colour box.
    pub colour: Option<(u8, bool)>,
}

/// A coded picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub offset: u64,
    pub size: u32,
    /// When it is shown, in seconds of the edited movie.
    pub time: f64,
    /// How long, in seconds.
    pub duration: f64,
    /// Whether the index says that it decodes on its own.
    pub sync: bool,
    /// Whether the edit list shows it.
    pub shown: bool,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([two[0], two[1]]))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    let (high, low) = (word(bytes, at)?, word(bytes, at.checked_add(4)?)?);
    Some(u64::from(high) << 32 | u64::from(low))
}

/// Boxes side by side in memory, as kind and content; ends at the first damaged one.
pub(super) fn boxes(bytes: &[u8]) -> impl Iterator<Item = (Kind, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let size = word(rest, 0)? as usize;
        let kind = [*rest.get(4)?, *rest.get(5)?, *rest.get(6)?, *rest.get(7)?];
        let (head, size) = match size {
            // To the end of what holds it.
            0 => (8, rest.len()),
            1 => (16, usize::try_from(long(rest, 8)?).ok()?),
            size => (8, size),
        };
        let content = rest.get(head..size)?;
        rest = &rest[size..];
        Some((kind, content))
    })
    .take(MAX_BOXES)
}

fn find<'a>(bytes: &'a [u8], path: &[&Kind]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, kind| {
        boxes(bytes).find(|(k, _)| k == *kind).map(|(_, c)| c)
    })
}

/// Boxes side by side in a file, of which only heads are read.
pub(super) struct Walk<'a, F> {
    file: &'a mut F,
    /// Length of the file.
    length: u64,
    /// Where the next box begins.
    at: u64,
}

/// The head of a box in a file.
pub(super) struct Head {
    pub kind: Kind,
    /// Where the box begins, and where its content does.
    start: u64,
    pub content: u64,
    /// Where it ends as its size says: it may be beyond the file.
    pub end: u64,
}

impl<'a, F: Read + Seek> Walk<'a, F> {
    /// Over a file of `length` bytes.
    pub(super) fn of(file: &'a mut F, length: u64) -> Self {
        Self {
            file,
            length,
            at: 0,
        }
    }

    /// The next head; none at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Head>, MediaError> {
        let io = |e: std::io::Error| truncated(format!("it cannot be read: {e}"));
        let start = self.at;
        if start + 8 > self.length {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(start)).map_err(io)?;
        let mut head = [0; 16];
        self.file.read_exact(&mut head[..8]).map_err(io)?;
        let (header, size) = match word(&head, 0).unwrap_or(0) {
            0 => (8, self.length - start),
            1 => {
                if start + 16 > self.length {
                    return Err(truncated("the last box ends early"));
                }
                self.file.read_exact(&mut head[8..]).map_err(io)?;
                (16, long(&head, 8).unwrap_or(0))
            }
            size => (8, u64::from(size)),
        };
        if size < header {
            return Err(corrupt("a box is shorter than its own header"));
        }
        self.at = start
            .checked_add(size)
            .ok_or_else(|| corrupt("a box is larger than any file"))?;
        Ok(Some(Head {
            kind: [head[4], head[5], head[6], head[7]],
            start,
            content: start + header,
            end: self.at,
        }))
    }

    /// The content of a box, of at most `most` bytes.
    pub(super) fn read(&mut self, head: &Head, most: u64) -> Result<Vec<u8>, MediaError> {
        let content = head.end - head.content;
        if content > most {
            return Err(limit("bytes of index", content, most));
        }
        if head.end > self.length {
            return Err(truncated("the index of its samples ends early"));
        }
        let mut bytes = vec![0; content as usize];
        self.file
            .seek(SeekFrom::Start(head.content))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|e| truncated(format!("it cannot be read: {e}")))?;
        Ok(bytes)
    }
}

/// The index of a file; `walk` then stands behind it.
fn index(walk: &mut Walk<'_, impl Read + Seek>) -> Result<Vec<u8>, MediaError> {
    for _ in 0..MAX_BOXES {
        let head = walk
            .next()?
            .ok_or_else(|| truncated("there is no index of its samples (`moov`)"))?;
        if head.kind == *b"moov" {
            return walk.read(&head, MAX_INDEX);
        }
    }
    Err(limit("boxes", MAX_BOXES as u64 + 1, MAX_BOXES as u64))
}

/// Reads the index of an MP4.
///
/// # Errors
/// [`MediaError::Truncated`], [`MediaError::Corrupt`], [`MediaError::Limit`]; [`MediaError::Unsupported`] of edit lists
/// that cut pieces together.
pub(super) fn read(
    file: &mut (impl Read + Seek),
    length: u64,
    limits: &VideoLimits,
) -> Result<Movie, MediaError> {
    let mut walk = Walk::of(file, length);
    let moov = index(&mut walk)?;
    let mut tracks = Vec::new();
    let mut count = 0_usize;
    for (kind, content) in boxes(&moov) {
        if kind == *b"trak" {
            count += 1;
            if count > MAX_TRACKS {
                let all = boxes(&moov).filter(|(k, _)| k == b"trak").count();
                return Err(limit("tracks", all as u64, MAX_TRACKS as u64));
            }
            tracks.push(content);
        }
    }
    let handler = |trak: &[u8]| -> Option<Kind> {
        let hdlr = find(trak, &[b"mdia", b"hdlr"])?;
        hdlr.get(8..12)?.try_into().ok()
    };
    let audio = tracks.iter().any(|t| handler(t) == Some(*b"soun"));
    let Some(trak) = tracks.iter().find(|t| handler(t) == Some(*b"vide")) else {
        return Err(MediaError::NotAPicture {
            found: if audio {
                "sound without pictures".into()
            } else {
                "an MP4 without pictures".into()
            },
        });
    };
    let movie_scale = find(&moov, &[b"mvhd"]).and_then(scale).unwrap_or(0);
    let (mut video, clock) = track(trak, limits)?;
    // The samples of fragments are listed beside their data.
    let cut = match find(&moov, &[b"mvex"]) {
        Some(mvex) => fragments::append(&mut video, clock, trak, mvex, &mut walk, limits)?,
        None => false,
    };
    if video.samples.is_empty() {
        return Err(truncated("the index lists no samples"));
    }
    if let Some(elst) = find(trak, &[b"edts", b"elst"]) {
        edit(&mut video, elst, clock.scale, movie_scale)?;
    }
    Ok(Movie {
        video,
        audio,
        tags: tags(&moov),
        cut,
    })
}

/// The number behind the two dates of a header: units a second of a movie or a track, the identity of a track.
fn scale(header: &[u8]) -> Option<u32> {
    match header.first()? {
        1 => word(header, 20),
        _ => word(header, 12),
    }
}

/// The time of a track.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// Units a second.
    scale: u32,
    /// When the samples of the index end, in units.
    end: u64,
}

/// The first track of pictures with the samples of the index, before its edit list.
fn track(trak: &[u8], limits: &VideoLimits) -> Result<(Track, Clock), MediaError> {
    let missing = |what: &str| corrupt(format!("the track of pictures has no {what}"));
    let time_scale = find(trak, &[b"mdia", b"mdhd"])
        .and_then(scale)
        .filter(|s| *s > 0)
        .ok_or_else(|| missing("time scale"))?;
    let stbl = find(trak, &[b"mdia", b"minf", b"stbl"]).ok_or_else(|| missing("sample table"))?;
    let entry = find(stbl, &[b"stsd"]).and_then(|stsd| boxes(stsd.get(8..)?).next());
    let (codec, entry) = entry.ok_or_else(|| missing("sample description"))?;
    let (width, height) = half(entry, 24)
        .zip(half(entry, 26))
        .ok_or_else(|| missing("size"))?;
    let config = entry.get(78..).unwrap_or_default();
    limits
        .picture
        .check(u64::from(width), u64::from(height), 6)?;
    let (samples, end) = samples(stbl, time_scale, limits)?;
    let track = Track {
        codec,
        config: config.to_vec(),
        width: width.into(),
        height: height.into(),
        rotation: find(trak, &[b"tkhd"]).map_or(0, rotation),
        samples,
        edit_list: false,
        colour: find(config, &[b"colr"]).and_then(|c| {
            (c.get(..4)? == b"nclx" || c.get(..4)? == b"nclc").then_some(())?;
            Some((
                u8::try_from(half(c, 8)?).ok()?,
                c.get(10).is_some_and(|b| b & 0x80 != 0),
            ))
        }),
    };
    let clock = Clock {
        scale: time_scale,
        end,
    };
    Ok((track, clock))
}

/// Quarter turns of a track's matrix; any other transformation is left out.
fn rotation(tkhd: &[u8]) -> u16 {
    let at = if tkhd.first() == Some(&1) { 52 } else { 40 };
    let value = |i: usize| word(tkhd, at + 4 * i).map_or(0, |v| v as i32 >> 16);
    match (value(0), value(1), value(3), value(4)) {
        (0, 1, -1, 0) => 90,
        (-1, 0, 0, -1) => 180,
        (0, -1, 1, 0) => 270,
        _ => 0,
    }
}

/// A table of `count` entries of `width` bytes behind a head of `skip` bytes, of which the last four give the count.
fn table(content: &[u8], skip: usize, width: usize) -> Result<&[u8], MediaError> {
    let count = word(content, skip - 4).ok_or_else(|| truncated("a table has no length"))?;
    let bytes = (count as usize)
        .checked_mul(width)
        .and_then(|bytes| content.get(skip..skip.checked_add(bytes)?));
    bytes.ok_or_else(|| truncated("a table is longer than the box that holds it"))
}

/// The samples of a table, with times in units of the track turned into seconds, and the unit at which they end.
fn samples(
    stbl: &[u8],
    scale: u32,
    limits: &VideoLimits,
) -> Result<(Vec<Sample>, u64), MediaError> {
    let part = |kind: &Kind| find(stbl, &[kind]);
    let need = |kind: &Kind| {
        let name = String::from_utf8_lossy(kind).into_owned();
        part(kind).ok_or_else(|| corrupt(format!("the sample table has no `{name}`")))
    };
    let stsz = need(b"stsz")?;
    let (same, count) = word(stsz, 4)
        .zip(word(stsz, 8))
        .ok_or_else(|| truncated("the table of sizes ends early"))?;
    if u64::from(count) > limits.max_frames {
        return Err(limit("frames", count.into(), limits.max_frames));
    }
    if count == 0 {
        return Ok((Vec::new(), 0));
    }
    let sizes: Vec<u32> = if same == 0 {
        let entries = table(stsz, 12, 4)?;
        entries.chunks_exact(4).filter_map(|e| word(e, 0)).collect()
    } else {
        vec![same; count as usize]
    };
    let offsets = offsets(stbl, &sizes)?;
    // Runs of (number, value) that are spread over the samples.
    let runs = |content: &[u8]| -> Result<Vec<u32>, MediaError> {
        let mut out = Vec::with_capacity(sizes.len());
        for entry in table(content, 8, 8)?.chunks_exact(8) {
            let (n, value) = (word(entry, 0).unwrap_or(0), word(entry, 4).unwrap_or(0));
            let room = sizes.len() - out.len();
            out.extend(std::iter::repeat_n(value, (n as usize).min(room)));
        }
        Ok(out)
    };
    let deltas = runs(need(b"stts")?)?;
    if deltas.len() < sizes.len() {
        return Err(corrupt("samples have no time"));
    }
    // Offsets of version 0 are unsigned by the standard; writers put negative ones there, as readers expect.
    let shifts = part(b"ctts").map(runs).transpose()?.unwrap_or_default();
    let sync = part(b"stss").map(|c| table(c, 8, 4)).transpose()?;
    let all_sync = sync.is_none();
    let mut samples = Vec::with_capacity(sizes.len());
    let mut decode_time = 0_u64;
    let unit = f64::from(scale);
    for (i, (size, offset)) in sizes.iter().zip(offsets).enumerate() {
        let shift = shifts.get(i).map_or(0, |v| i64::from(*v as i32));
        samples.push(Sample {
            offset,
            size: *size,
            time: (decode_time as f64 + shift as f64) / unit,
            duration: f64::from(deltas[i]) / unit,
            sync: all_sync,
            shown: true,
        });
        decode_time += u64::from(deltas[i]);
    }
    for number in sync.unwrap_or_default().chunks_exact(4) {
        let at = word(number, 0).and_then(|n| n.checked_sub(1));
        if let Some(sample) = at.and_then(|i| samples.get_mut(i as usize)) {
            sample.sync = true;
        }
    }
    let seconds = decode_time as f64 / unit;
    if seconds > limits.max_seconds {
        let most = limits.max_seconds as u64;
        return Err(limit("seconds of video", seconds as u64, most));
    }
    Ok((samples, decode_time))
}

/// Where each sample lies: chunks of samples, and where each chunk begins.
fn offsets(stbl: &[u8], sizes: &[u32]) -> Result<Vec<u64>, MediaError> {
    let chunks: Vec<u64> = if let Some(stco) = find(stbl, &[b"stco"]) {
        let entries = table(stco, 8, 4)?.chunks_exact(4);
        entries.filter_map(|e| word(e, 0)).map(u64::from).collect()
    } else if let Some(co64) = find(stbl, &[b"co64"]) {
        let entries = table(co64, 8, 8)?.chunks_exact(8);
        entries.filter_map(|e| long(e, 0)).collect()
    } else {
        return Err(corrupt("the sample table has no chunks"));
    };
    let stsc = find(stbl, &[b"stsc"]).ok_or_else(|| corrupt("the sample table has no `stsc`"))?;
    let runs: Vec<(usize, usize)> = table(stsc, 8, 12)?
        .chunks_exact(12)
        .filter_map(|e| Some((word(e, 0)?.checked_sub(1)? as usize, word(e, 4)? as usize)))
        .collect();
    let mut out = Vec::with_capacity(sizes.len());
    for (r, (first, each)) in runs.iter().enumerate() {
        if *each == 0 {
            continue;
        }
        let end = runs.get(r + 1).map_or(chunks.len(), |next| next.0);
        for chunk in chunks
            .get(*first..end.min(chunks.len()))
            .unwrap_or_default()
        {
            let mut at = *chunk;
            for size in sizes.iter().skip(out.len()).take(*each) {
                out.push(at);
                at = at.saturating_add(u64::from(*size));
            }
            if out.len() >= sizes.len() {
                return Ok(out);
            }
        }
    }
    Err(corrupt(format!(
        "its chunks hold {} of {} samples",
        out.len(),
        sizes.len()
    )))
}

/// Applies an edit list of one piece, with an empty one ahead of it at most.
fn edit(track: &mut Track, elst: &[u8], scale: u32, movie_scale: u32) -> Result<(), MediaError> {
    let wide = elst.first() == Some(&1);
    let entries: Vec<(u64, i64)> = table(elst, 8, if wide { 20 } else { 12 })?
        .chunks_exact(if wide { 20 } else { 12 })
        .filter_map(|e| {
            Some(if wide {
                (long(e, 0)?, long(e, 8)? as i64)
            } else {
                (word(e, 0)?.into(), i64::from(word(e, 4)? as i32))
            })
        })
        .collect();
    let empty = entries.iter().take_while(|(_, start)| *start == -1).count();
    let piece = match &entries[empty..] {
        [] => return Ok(()),
        [piece] => *piece,
        _ => return Err(unsupported("an MP4 whose edit list cuts pieces together")),
    };
    let (length, start) = piece;
    if start < 0 {
        return Err(corrupt("an edit begins before the track does"));
    }
    let movie = f64::from(movie_scale.max(1));
    let delay: f64 = entries[..empty]
        .iter()
        .map(|(d, _)| *d as f64 / movie)
        .sum();
    let start = start as f64 / f64::from(scale);
    let length = length as f64 / movie;
    // Times are whole units of the track; half of one absorbs the rounding of the movie's own units.
    let half_unit = 0.5 / f64::from(scale);
    for sample in &mut track.samples {
        let late = length > 0.0 && sample.time >= start + length - half_unit;
        sample.shown = sample.time >= start - half_unit && !late;
        sample.time += delay - start;
    }
    track.edit_list = empty > 0 || start > 0.0 || track.samples.iter().any(|s| !s.shown);
    if !track.samples.iter().any(|s| s.shown) {
        return Err(corrupt("its edit list shows no frame"));
    }
    Ok(())
}

/// Texts of iTunes, QuickTime and phones.
fn tags(moov: &[u8]) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (key, text) in bmff::texts_of(moov) {
        let end = text.floor_char_boundary(MAX_TEXT);
        let text = text[..end].trim_matches(['\0', ' ']);
        if !text.is_empty() && out.len() < MAX_TAGS {
            out.insert(name(&key).to_owned(), text.to_owned());
        }
    }
    out
}

/// What a key of four letters means.
fn name(key: &str) -> &str {
    match key {
        "\u{a9}too" => "encoder",
        "\u{a9}cmt" => "comment",
        "\u{a9}nam" => "title",
        "\u{a9}swr" => "software",
        "\u{a9}day" => "date",
        "desc" => "description",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn boxed(kind: &Kind, content: &[u8]) -> Vec<u8> {
        let mut out = (content.len() as u32 + 8).to_be_bytes().to_vec();
        out.extend(kind);
        out.extend(content);
        out
    }

    fn words(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_be_bytes()).collect()
    }

    /// Four samples of ten units of a hundredth second, two a chunk, the third and fourth shown in reverse.
    fn movie(elst: Option<&[u32]>) -> Vec<u8> {
        let mut entry = vec![0; 78];
        entry[24..28].copy_from_slice(&[0, 64, 0, 48]);
        let stsd = [words(&[0, 1]), boxed(b"avc1", &entry)].concat();
        let stbl = [
            boxed(b"stsd", &stsd),
            boxed(b"stts", &words(&[0, 1, 4, 10])),
            boxed(b"ctts", &words(&[0, 3, 2, 10, 1, 20, 1, 0])),
            boxed(b"stss", &words(&[0, 1, 1])),
            boxed(b"stsz", &words(&[0, 0, 4, 100, 50, 60, 70])),
            boxed(b"stsc", &words(&[0, 1, 1, 2, 1])),
            boxed(b"stco", &words(&[0, 2, 1000, 5000])),
        ]
        .concat();
        let mdia = [
            boxed(b"mdhd", &words(&[0, 0, 0, 100, 40])),
            boxed(b"hdlr", &[&[0; 8][..], b"vide"].concat()),
            boxed(b"minf", &boxed(b"stbl", &stbl)),
        ]
        .concat();
        let mut trak = boxed(b"mdia", &mdia);
        if let Some(elst) = elst {
            trak.extend(boxed(b"edts", &boxed(b"elst", &words(elst))));
        }
        let moov = [
            boxed(b"mvhd", &words(&[0, 0, 0, 1000, 400])),
            boxed(b"trak", &trak),
        ]
        .concat();
        [boxed(b"ftyp", b"isom\0\0\0\0"), boxed(b"moov", &moov)].concat()
    }

    fn open(file: &[u8]) -> Result<Movie, MediaError> {
        let limits = VideoLimits::default();
        read(&mut Cursor::new(file), file.len() as u64, &limits)
    }

    #[test]
    fn samples_have_their_place_and_time() {
        let video = open(&movie(None)).expect("reads").video;
        let found: Vec<(u64, u32, f64, bool)> = video
            .samples
            .iter()
            .map(|s| (s.offset, s.size, s.time, s.sync))
            .collect();
        assert_eq!(
            found,
            [
                (1000, 100, 0.1, true),
                (1100, 50, 0.2, false),
                (5000, 60, 0.4, false),
                (5060, 70, 0.3, false)
            ]
        );
        assert_eq!((video.width, video.height, video.codec), (64, 48, *b"avc1"));
    }

    #[test]
    fn an_edit_list_delays_and_hides() {
        // Half a second of nothing, then 0.2 s from 0.1 s on.
        let file = movie(Some(&[0, 2, 500, u32::MAX, 1, 200, 10, 1]));
        let video = open(&file).expect("reads").video;
        let found: Vec<(f64, bool)> = video.samples.iter().map(|s| (s.time, s.shown)).collect();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(found[0].0, 0.5) && near(found[1].0, 0.6) && video.edit_list);
        assert_eq!(
            found.iter().map(|f| f.1).collect::<Vec<_>>(),
            [true, true, false, false]
        );
        let cut = movie(Some(&[0, 2, 100, 0, 1, 100, 20, 1]));
        assert_eq!(open(&cut).expect_err("refused").code(), "unsupported");
    }

    #[test]
    fn what_is_cut_or_endless_is_an_error() {
        let whole = movie(None);
        for end in 0..whole.len() {
            assert!(open(&whole[..end]).is_err(), "{end}");
        }
        let many: Vec<u8> = (0..1000).flat_map(|_| boxed(b"trak", &[])).collect();
        let file = boxed(b"moov", &many);
        assert_eq!(open(&file).expect_err("refused").code(), "limit_exceeded");
        // A table that claims four thousand million entries.
        let at = whole.windows(4).position(|w| w == b"stsz").expect("table");
        let mut huge = whole.clone();
        huge[at + 12..at + 16].fill(0xff);
        assert_eq!(open(&huge).expect_err("refused").code(), "limit_exceeded");
        let at = whole.windows(4).position(|w| w == b"stts").expect("table");
        let mut huge = whole.clone();
        huge[at + 8..at + 12].fill(0xff);
        assert_eq!(open(&huge).expect_err("refused").code(), "truncated");
        // A box without length that holds itself to the end, and one shorter than its header.
        let e = open(b"\0\0\0\x04free\0\0\0\0").expect_err("refused");
        assert_eq!(e.code(), "corrupt");
        assert_eq!(
            open(b"\0\0\0\0free").expect_err("refused").code(),
            "truncated"
        );
        let text = boxed(b"moov", &boxed(b"mvhd", &words(&[0, 0, 0, 1000, 400])));
        assert_eq!(open(&text).expect_err("refused").code(), "not_a_picture");
    }
}
