//! TIFF files of every kind, uncompressed.

use image::RgbImage;

use super::{Made, Near};

/// What a file is to be like.
#[derive(Clone)]
pub struct Tiff {
    pub width: u32,
    pub height: u32,
    /// Samples of pixels side by side, each `depth` bytes wide in the order of the file.
    samples: Vec<Vec<u8>>,
    channels: usize,
    bits: u16,
    format: u16,
    photometric: u16,
    big: bool,
    big_endian: bool,
    tile: Option<u32>,
    planar: bool,
    orientation: u16,
    extra: Option<u16>,
    icc: Option<Vec<u8>>,
}

impl Tiff {
    pub fn of(picture: &RgbImage) -> Self {
        Self {
            width: picture.width(),
            height: picture.height(),
            samples: picture.as_raw().iter().map(|v| vec![*v]).collect(),
            channels: 3,
            bits: 8,
            format: 1,
            photometric: 2,
            big: false,
            big_endian: false,
            tile: None,
            planar: false,
            orientation: 1,
            extra: None,
            icc: None,
        }
    }

    pub fn orientation(mut self, orientation: u8) -> Self {
        self.orientation = u16::from(orientation);
        self
    }

    pub fn icc(mut self, profile: Vec<u8>) -> Self {
        self.icc = Some(profile);
        self
    }

    /// Other samples, least significant byte first.
    pub fn samples(mut self, samples: Vec<Vec<u8>>, channels: usize, photometric: u16) -> Self {
        self.bits = 8 * samples[0].len() as u16;
        self.samples = samples;
        self.channels = channels;
        self.photometric = photometric;
        self
    }

    fn number(&self, v: u64, len: usize) -> Vec<u8> {
        if self.big_endian {
            v.to_be_bytes()[8 - len..].to_vec()
        } else {
            v.to_le_bytes()[..len].to_vec()
        }
    }

    /// The blocks of samples: strips of 40 rows, or tiles, for each plane.
    fn blocks(&self) -> Vec<Vec<u8>> {
        let (w, h, n) = (self.width as usize, self.height as usize, self.channels);
        let (bw, bh) = self.tile.map_or((w, 40), |t| (t as usize, t as usize));
        let planes: Vec<Vec<usize>> = if self.planar {
            (0..n).map(|c| vec![c]).collect()
        } else {
            vec![(0..n).collect()]
        };
        let mut blocks = Vec::new();
        for plane in planes {
            for top in (0..h).step_by(bh) {
                for left in (0..w).step_by(bw) {
                    let mut block = Vec::new();
                    for y in top..top + bh {
                        for x in left..left + bw {
                            if y >= h && self.tile.is_none() {
                                continue;
                            }
                            for c in &plane {
                                // What lies beyond the picture repeats its edge.
                                let at = (y.min(h - 1) * w + x.min(w - 1)) * n + c;
                                let mut sample = self.samples[at].clone();
                                if self.big_endian {
                                    sample.reverse();
                                }
                                block.extend(sample);
                            }
                        }
                    }
                    blocks.push(block);
                }
            }
        }
        blocks
    }

    pub fn bytes(&self) -> Vec<u8> {
        const SHORT: u16 = 3;
        const LONG: u16 = 4;
        const UNDEFINED: u16 = 7;
        const LONG8: u16 = 16;
        let word = if self.big { 8 } else { 4 };
        let mut out = if self.big_endian { b"MM" } else { b"II" }.to_vec();
        if self.big {
            for v in [43, 8, 0] {
                out.extend(self.number(v, 2));
            }
        } else {
            out.extend(self.number(42, 2));
        }
        let place = out.len();
        out.extend(vec![0; word]);
        let (mut offsets, mut counts) = (Vec::new(), Vec::new());
        for block in self.blocks() {
            offsets.push(out.len() as u64);
            counts.push(block.len() as u64);
            out.extend(block);
        }
        let pointer = if self.big { LONG8 } else { LONG };
        let n = self.channels as u64;
        let mut entries: Vec<(u16, u16, Vec<u64>)> = vec![
            (256, LONG, vec![u64::from(self.width)]),
            (257, LONG, vec![u64::from(self.height)]),
            (258, SHORT, vec![u64::from(self.bits); self.channels]),
            (259, SHORT, vec![1]),
            (262, SHORT, vec![u64::from(self.photometric)]),
            (274, SHORT, vec![u64::from(self.orientation)]),
            (277, SHORT, vec![n]),
            (284, SHORT, vec![if self.planar { 2 } else { 1 }]),
            (339, SHORT, vec![u64::from(self.format); self.channels]),
        ];
        match self.tile {
            Some(side) => entries.extend([
                (322, LONG, vec![u64::from(side)]),
                (323, LONG, vec![u64::from(side)]),
                (324, pointer, offsets),
                (325, LONG, counts),
            ]),
            None => entries.extend([
                (273, pointer, offsets),
                (278, LONG, vec![40]),
                (279, LONG, counts),
            ]),
        }
        if let Some(extra) = self.extra {
            entries.push((338, SHORT, vec![u64::from(extra)]));
        }
        if let Some(icc) = &self.icc {
            entries.push((
                34675,
                UNDEFINED,
                icc.iter().map(|b| u64::from(*b)).collect(),
            ));
        }
        entries.sort();
        let mut directory = self.number(entries.len() as u64, if self.big { 8 } else { 2 });
        for (tag, kind, values) in entries {
            let len = match kind {
                SHORT => 2,
                LONG => 4,
                LONG8 => 8,
                _ => 1,
            };
            let data: Vec<u8> = values.iter().flat_map(|v| self.number(*v, len)).collect();
            directory.extend(self.number(u64::from(tag), 2));
            directory.extend(self.number(u64::from(kind), 2));
            directory.extend(self.number(values.len() as u64, word));
            if data.len() <= word {
                directory.extend(&data);
                directory.extend(vec![0; word - data.len()]);
            } else {
                directory.extend(self.number(out.len() as u64, word));
                out.extend(data);
                if out.len() % 2 == 1 {
                    out.push(0);
                }
            }
        }
        directory.extend(vec![0; word]);
        let start = self.number(out.len() as u64, word);
        out[place..place + word].copy_from_slice(&start);
        out.extend(directory);
        out
    }
}

pub fn all(base: &RgbImage) -> Vec<Made> {
    let plain = Tiff::of(base);
    let raw = base.as_raw();
    let all = |f: &dyn Fn(u8) -> Vec<u8>| raw.iter().map(|v| f(*v)).collect::<Vec<_>>();
    let sixteen =
        plain
            .clone()
            .samples(all(&|v| (u16::from(v) * 257).to_le_bytes().to_vec()), 3, 2);
    let floats = Tiff {
        format: 3,
        ..plain.clone().samples(
            all(&|v| (f32::from(v) / 255.0).to_le_bytes().to_vec()),
            3,
            2,
        )
    };
    let with_alpha = |alpha: u8, extra: u16, colour: &dyn Fn(u8) -> u8| {
        let samples = raw
            .chunks(3)
            .flat_map(|p| [colour(p[0]), colour(p[1]), colour(p[2]), alpha])
            .map(|v| vec![v])
            .collect();
        Tiff {
            extra: Some(extra),
            ..plain.clone().samples(samples, 4, 2)
        }
    };
    let inks = raw
        .chunks(3)
        .flat_map(|p| [255 - p[0], 255 - p[1], 255 - p[2], 0])
        .map(|v| vec![v])
        .collect();
    let cmyk = plain.clone().samples(inks, 4, 5);
    let lab = |photometric, flip: u8| {
        let samples = raw
            .chunks(3)
            .flat_map(|p| {
                let [l, a, b] = super::colour::lab([p[0], p[1], p[2]]);
                let around = |v: f64| (v + 128.0).round().clamp(0.0, 255.0) as u8 ^ flip;
                [(l * 2.55).round() as u8, around(a), around(b)]
            })
            .map(|v| vec![v])
            .collect();
        plain.clone().samples(samples, 3, photometric)
    };
    [
        ("plain", Near::Exactly, plain.clone()),
        ("16", Near::Exactly, sixteen.clone()),
        ("float", Near::Exactly, floats),
        (
            "16-backwards",
            Near::Exactly,
            Tiff {
                big_endian: true,
                ..sixteen
            },
        ),
        (
            "big",
            Near::Exactly,
            Tiff {
                big: true,
                ..plain.clone()
            },
        ),
        (
            "big-backwards-turned",
            Near::Exactly,
            Tiff {
                big: true,
                big_endian: true,
                orientation: 6,
                ..Tiff::of(&super::stored_for(base, 6))
            },
        ),
        (
            "tiled",
            Near::Exactly,
            Tiff {
                tile: Some(80),
                ..plain.clone()
            },
        ),
        (
            "planes",
            Near::Exactly,
            Tiff {
                planar: true,
                ..plain.clone()
            },
        ),
        ("opaque", Near::Exactly, with_alpha(255, 2, &|v| v)),
        ("cmyk", Near::Exactly, cmyk.clone()),
        (
            "cmyk-planes",
            Near::Exactly,
            Tiff {
                planar: true,
                ..cmyk
            },
        ),
        ("icc-lab", Near::Mean(2.0), lab(9, 0)),
        ("cie-lab", Near::Mean(2.0), lab(8, 0x80)),
    ]
    .into_iter()
    .map(|(name, near, tiff)| Made {
        name: format!("{name}.tif"),
        bytes: tiff.bytes(),
        near,
    })
    .collect()
}
