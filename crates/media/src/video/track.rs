//! A track of coded pictures whose samples are known: H.264, AV1 or JPEG in an MP4, JPEG in an AVI.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};

use image::RgbImage;

use super::av1::Av1;
use super::error::{VideoError, corrupt, limit, truncated, unsupported};
use super::facts::Facts;
use super::h264::{H264, Kind};
use super::limits::VideoLimits;
use super::mp4::{self, Sample, Track};
use super::yuv::{Colour, Planes, Sketch};
use super::{Bytes, Event, Frame, Plan, Reader, Wanted};
use crate::error::MediaError;
use crate::format::Format;
use crate::{orientation, picture};

/// Most frames that wait for one that is shown before them. H.264 holds 16 pictures at most.
const MAX_WAITING: usize = 32;

enum Coder {
    H264(Box<H264>),
    Av1(Box<Av1>),
    Jpeg,
}

/// A video whose samples are known.
pub(super) struct Film {
    file: Box<dyn Bytes>,
    length: u64,
    track: Track,
    coder: Coder,
    /// Numbers of the samples that are shown, in order of showing.
    order: Vec<usize>,
    times: Vec<f64>,
    /// Frames that the index calls key frames.
    keys: Vec<u64>,
    /// Whether samples follow that no index tells.
    cut: bool,
    pub facts: Facts,
}

fn unreadable(e: &std::io::Error) -> MediaError {
    truncated(format!("it cannot be read: {e}"))
}

impl Film {
    /// Of an MP4 or MOV.
    pub(super) fn mp4(
        mut file: Box<dyn Bytes>,
        length: u64,
        limits: &VideoLimits,
    ) -> Result<Self, MediaError> {
        let movie = mp4::read(&mut file, length, limits)?;
        let track = movie.video;
        let part = |kind: &[u8; 4]| mp4::boxes(&track.config).find(|(k, _)| k == kind);
        let told = track.colour.map(|(matrix, full_range)| Colour {
            matrix: Some(matrix).filter(|m| *m != 2),
            full_range,
        });
        let (coder, codec) = match &track.codec {
            b"avc1" | b"avc3" => {
                let (_, config) =
                    part(b"avcC").ok_or_else(|| corrupt("H.264 without its description"))?;
                let mut h264 = H264::new(config)?;
                if h264.colour.is_none() {
                    h264.colour = told;
                }
                if !h264.colour.unwrap_or_default().is_known() {
                    return Err(unsupported("H.264 whose planes are not luma and chroma"));
                }
                (Coder::H264(Box::new(h264)), "H.264")
            }
            b"av01" => {
                let (_, config) =
                    part(b"av1C").ok_or_else(|| corrupt("AV1 without its description"))?;
                let av1 = Av1::new(config, told, &limits.picture)?;
                (Coder::Av1(Box::new(av1)), "AV1")
            }
            b"jpeg" | b"mjpa" | b"mjpb" => (Coder::Jpeg, "Motion JPEG"),
            other => return Err(unsupported(named(other))),
        };
        let facts = Facts {
            container: "MP4".into(),
            codec: codec.into(),
            edit_list: track.edit_list,
            audio: movie.audio,
            encoder: movie.tags.get("encoder").cloned(),
            tags: movie.tags,
            rotation: track.rotation,
            ..Facts::default()
        };
        let mut film = Self::new(file, length, track, coder, facts, limits)?;
        film.cut = movie.cut;
        Ok(film)
    }

    /// Of JPEG pictures whose places another container gave.
    pub(super) fn jpegs(
        file: Box<dyn Bytes>,
        length: u64,
        track: Track,
        facts: Facts,
        limits: &VideoLimits,
    ) -> Result<Self, MediaError> {
        Self::new(file, length, track, Coder::Jpeg, facts, limits)
    }

    fn new(
        file: Box<dyn Bytes>,
        length: u64,
        track: Track,
        coder: Coder,
        mut facts: Facts,
        limits: &VideoLimits,
    ) -> Result<Self, MediaError> {
        let samples = &track.samples;
        let mut order: Vec<usize> = (0..samples.len()).filter(|i| samples[*i].shown).collect();
        order.sort_by(|a, b| samples[*a].time.total_cmp(&samples[*b].time));
        let start = order.first().map_or(0.0, |i| samples[*i].time);
        let times: Vec<f64> = order.iter().map(|i| samples[*i].time - start).collect();
        let keys: Vec<u64> = (0..)
            .zip(&order)
            .filter(|(_, i)| samples[**i].sync)
            .map(|(k, _)| k)
            .collect();
        let end = order
            .last()
            .map_or(0.0, |i| samples[*i].time + samples[*i].duration - start);
        (facts.width, facts.height) = match track.rotation {
            90 | 270 => (track.height, track.width),
            _ => (track.width, track.height),
        };
        facts.decoder = match coder {
            Coder::H264(_) => "rusty_h264".into(),
            Coder::Av1(_) => "rav1d".into(),
            Coder::Jpeg => "zune-jpeg".into(),
        };
        facts.timed(&times, end, &keys);
        limits.length(facts.duration_s, facts.frame_count)?;
        let bits: u64 = samples.iter().map(|s| 8 * u64::from(s.size)).sum();
        facts.bit_rate = facts
            .frame_rate
            .map(|_| (bits as f64 / facts.duration_s) as u64);
        let mut film = Self {
            file,
            length,
            track,
            coder,
            order,
            times,
            keys,
            cut: false,
            facts,
        };
        if film.track.samples.is_empty() {
            return Err(truncated("there are no frames"));
        }
        let first = film.sample(0)?;
        if let Coder::H264(h264) = &film.coder
            && let Some(encoder) = h264.encoder(&first)
        {
            film.facts.encoder = Some(encoder);
        }
        Ok(film)
    }

    /// The bytes of a sample.
    fn sample(&mut self, number: usize) -> Result<Vec<u8>, MediaError> {
        let sample: Sample = self.track.samples[number];
        let end = sample.offset.checked_add(sample.size.into());
        if end.is_none_or(|end| end > self.length) {
            return Err(truncated(format!("sample {number} lies beyond the end")));
        }
        let mut bytes = vec![0; sample.size as usize];
        self.file
            .seek(SeekFrom::Start(sample.offset))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|e| unreadable(&e))?;
        Ok(bytes)
    }

    fn kind(&mut self, number: usize) -> Result<Kind, MediaError> {
        let bytes = self.sample(number)?;
        Ok(match &self.coder {
            Coder::H264(h264) => h264.kind(&bytes),
            // The index knows at which samples of AV1 decoding can begin.
            Coder::Av1(_) => Kind {
                idr: true,
                reference: true,
            },
            Coder::Jpeg => Kind {
                idr: true,
                reference: false,
            },
        })
    }

    /// The last sample up to `number` at which decoding can begin; 0 where there is none.
    fn entry(&mut self, number: usize) -> Result<usize, MediaError> {
        for candidate in (0..=number).rev() {
            if self.track.samples[candidate].sync && self.kind(candidate)?.idr {
                return Ok(candidate);
            }
        }
        Ok(0)
    }
}

/// Name of a codec that is not decoded here.
fn named(codec: &[u8; 4]) -> String {
    match codec {
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => "HEVC video".into(),
        b"vp08" => "VP8 video".into(),
        b"vp09" => "VP9 video".into(),
        b"mp4v" => "MPEG-4 Visual or another video of its family".into(),
        b"apcn" | b"apch" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => "ProRes video".into(),
        other => format!("video coded as `{}`", other.escape_ascii()),
    }
}

impl Reader for Film {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn read(
        &mut self,
        plan: &Plan,
        limits: &VideoLimits,
        wanted: &mut Wanted<'_>,
    ) -> Result<(), VideoError> {
        let chosen = plan.choose(&self.times, &self.keys)?;
        // Which frame each sample is: its number in order of showing.
        let mut rank = vec![None; self.track.samples.len()];
        for (frame, sample) in self.order.iter().enumerate() {
            rank[*sample] = Some(frame as u64);
        }
        let is_chosen = |r: Option<u64>| r.is_some_and(|r| chosen.binary_search(&r).is_ok());
        // Samples that are decoded: runs from where decoding can begin to the last one that is wanted.
        let last = chosen
            .iter()
            .map(|frame| self.order[*frame as usize])
            .max()
            .unwrap_or(0);
        let mut runs: Vec<(usize, usize)> = Vec::new();
        // The file may end within what is wanted; what lies before is decoded first.
        let mut cut = self
            .cut
            .then(|| truncated("the index of its last fragment ends early"));
        if wanted.sketches() {
            runs.push((self.entry(0)?, self.track.samples.len() - 1));
        } else {
            let mut needed: Vec<usize> = chosen.iter().map(|f| self.order[*f as usize]).collect();
            needed.sort_unstable();
            for sample in needed {
                // What was decoded a moment ago need not be begun again.
                let reached = runs.last().map_or(0, |r| r.1 + 1);
                if sample < reached {
                    continue;
                }
                let entry = match self.entry(sample) {
                    Ok(entry) => entry,
                    Err(e @ MediaError::Truncated { .. }) if !runs.is_empty() => {
                        cut = Some(e);
                        break;
                    }
                    Err(e) => return Err(e.into()),
                };
                match runs.last_mut() {
                    Some(run) if entry <= run.1 => run.1 = sample,
                    _ => runs.push((entry, sample)),
                }
            }
        }
        let (w, h) = (self.track.width, self.track.height);
        let decoded: usize = runs.iter().map(|(a, b)| b - a + 1).sum();
        limits.work(decoded as u64, w, h)?;
        debug_assert!(cut.is_some() || runs.last().is_none_or(|r| r.1 >= last));
        let mut queue = Queue::default();
        for (start, end) in runs {
            match &mut self.coder {
                Coder::H264(h264) => h264.restart(),
                Coder::Av1(av1) => av1.restart()?,
                Coder::Jpeg => {}
            }
            for (number, frame) in rank.iter().copied().enumerate().take(end + 1).skip(start) {
                wanted.go_on()?;
                let bytes = self.sample(number)?;
                let keep = is_chosen(frame);
                let time = frame.map_or(0.0, |f| self.times[f as usize]);
                let output = match &mut self.coder {
                    Coder::H264(h264) => {
                        // What no picture refers to and nobody wants costs nothing.
                        if number > start && !keep && !h264.kind(&bytes).reference {
                            continue;
                        }
                        let coded = h264.decode(&bytes, number == start)?;
                        let (w, h) = (coded.width, coded.height);
                        limits.picture.check(w as u64, h as u64, 6)?;
                        let colour = h264.colour.unwrap_or_default();
                        output(w, h, &coded.planes, colour, wanted.sketches(), keep)?
                    }
                    Coder::Av1(av1) => {
                        let coded = av1.decode(&bytes, number == start)?;
                        let (w, h) = (coded.width, coded.height);
                        output(w, h, &coded.planes, coded.colour, wanted.sketches(), keep)?
                    }
                    Coder::Jpeg if !keep && !wanted.sketches() => continue,
                    Coder::Jpeg => {
                        let pixels = jpeg(&bytes, limits)?;
                        Output {
                            sketch: wanted.sketches().then(|| Sketch::of(&pixels)),
                            pixels: keep.then_some(pixels),
                        }
                    }
                };
                // A picture before the first edit is decoded for the sake of others.
                let Some(frame) = frame else { continue };
                if output.sketch.is_none() && output.pixels.is_none() {
                    continue;
                }
                let turned = Output {
                    pixels: output.pixels.map(|p| upright(p, self.track.rotation)),
                    ..output
                };
                queue.push(frame, time, turned)?;
                // Frames that lie before all samples to come leave.
                let earliest = self.earliest_after(number, end);
                queue.pop(earliest, wanted)?;
            }
            queue.pop(u64::MAX, wanted)?;
        }
        cut.map_or(Ok(()), |e| Err(e.into()))
    }
}

impl Film {
    /// The first frame, in order of showing, among the samples behind `number` up to `end`, within reach of reordering.
    fn earliest_after(&self, number: usize, end: usize) -> u64 {
        let end = end.min(number + MAX_WAITING);
        let samples = &self.track.samples;
        let earliest = (number + 1..=end)
            .filter(|i| samples[*i].shown)
            .map(|i| samples[i].time)
            .fold(f64::INFINITY, f64::min);
        if earliest.is_infinite() {
            return u64::MAX;
        }
        let start = samples[self.order[0]].time;
        self.times.partition_point(|t| *t < earliest - start) as u64
    }
}

struct Output {
    sketch: Option<Sketch>,
    pixels: Option<RgbImage>,
}

/// What is kept of a frame of planes.
fn output(
    width: usize,
    height: usize,
    planes: &[u8],
    colour: Colour,
    sketch: bool,
    pixels: bool,
) -> Result<Output, MediaError> {
    let planes = Planes::of(width, height, planes)
        .ok_or_else(|| corrupt("the planes of a frame do not fit its size"))?;
    Ok(Output {
        sketch: sketch.then(|| planes.sketch()),
        pixels: pixels.then(|| planes.to_rgb(colour)),
    })
}

/// Frames that wait for those shown before them.
#[derive(Default)]
struct Queue(BTreeMap<u64, (f64, Output)>);

impl Queue {
    fn push(&mut self, frame: u64, time: f64, output: Output) -> Result<(), MediaError> {
        if self.0.len() >= MAX_WAITING {
            let (value, most) = (self.0.len() as u64 + 1, MAX_WAITING as u64);
            return Err(limit("frames out of order", value, most));
        }
        self.0.insert(frame, (time, output));
        Ok(())
    }

    /// Hands over all frames before `earliest`.
    fn pop(&mut self, earliest: u64, wanted: &mut Wanted<'_>) -> Result<(), VideoError> {
        while let Some(entry) = self.0.first_entry() {
            if *entry.key() >= earliest {
                break;
            }
            let (index, (time, output)) = entry.remove_entry();
            if let Some(sketch) = output.sketch {
                wanted.take(Event::Sketch {
                    index,
                    time,
                    sketch,
                })?;
            }
            if let Some(pixels) = output.pixels {
                wanted.take(Event::Frame(Frame {
                    index,
                    time,
                    pixels,
                }))?;
            }
        }
        Ok(())
    }
}

/// Turns a frame by quarter turns clockwise.
pub(super) fn upright(pixels: RgbImage, degrees: u16) -> RgbImage {
    match degrees {
        90 => orientation::upright(pixels, 6),
        180 => orientation::upright(pixels, 3),
        270 => orientation::upright(pixels, 8),
        _ => pixels,
    }
}

fn jpeg(bytes: &[u8], limits: &VideoLimits) -> Result<RgbImage, MediaError> {
    if Format::sniff(bytes) != Some(Format::Jpeg) {
        return Err(corrupt("a sample of Motion JPEG is no JPEG"));
    }
    crate::decode(bytes, &limits.picture, &picture::Options::default()).map(|d| d.pixels)
}
