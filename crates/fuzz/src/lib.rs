//! What fuzzing checks: any bytes end in a picture, or the frames of a video, within the limits or in a typed error.
//!
//! Owns: one [`Target`] a format and the damage ([`damage`]) that an ordinary test does to the corpus.
//! Refuses: finding its own way into a decoder. Coverage guides libFuzzer, whose targets in `fuzz/` call the same
//! functions (`./ci --full`).
//!
//! Open first: this file, then `tests/hostile.rs`.

pub mod damage;

use std::time::Duration;

use realscope_media::video::{Event, Plan, Video, VideoError, VideoLimits};
use realscope_media::{Decoded, Format, Limits, MediaError, Options, decode};

/// A decoder under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of the target, its file in `fuzz/fuzz_targets` and its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// The format that its inputs begin like; `None` for files of any format, of which only the declarations are read:
    /// boxes, segments, chunks and tags, EXIF, XMP, IPTC, generators' parameters, content credentials, and what stands
    /// behind a picture.
    pub format: Option<Format>,
    /// Whether some damaged inputs abort the process: a panic behind a C interface cannot unwind. That costs a
    /// decoding worker and no more, so only hangs and memory are looked for there.
    pub may_abort: bool,
    /// Damaged inputs of a test run: a few seconds' worth.
    pub cases: u64,
    /// Whether all frames are decoded, as of a video.
    pub film: bool,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("jpeg", Format::Jpeg),
    target("png", Format::Png),
    target("webp", Format::Webp),
    target("gif", Format::Gif),
    target("bmp", Format::Bmp),
    target("tiff", Format::Tiff),
    Target {
        cases: 4000,
        ..target("jxl", Format::Jxl)
    },
    Target {
        may_abort: true,
        cases: 2000,
        ..target("avif", Format::Avif)
    },
    film("mp4", Format::Video),
    Target {
        may_abort: true,
        cases: 1000,
        ..film("av1-film", Format::Video)
    },
    film("avi", Format::Video),
    film("gif-film", Format::Gif),
    film("png-film", Format::Png),
    film("webp-film", Format::Webp),
    Target {
        cases: 2000,
        ..target("heic", Format::Heic)
    },
    Target {
        cases: 2000,
        ..target("jp2", Format::Jp2)
    },
    target("psd", Format::Psd),
    target("ico", Format::Ico),
    Target {
        cases: 5000,
        ..target("pdf", Format::Pdf)
    },
    Target {
        cases: 10_000,
        ..target("svg", Format::Svg)
    },
    Target {
        cases: 2000,
        ..target("raw", Format::Raw)
    },
    Target {
        format: None,
        cases: 6000,
        ..target("declarations", Format::Jpeg)
    },
];

const fn film(name: &'static str, format: Format) -> Target {
    Target {
        film: true,
        cases: 5_000,
        ..target(name, format)
    }
}

const fn target(name: &'static str, format: Format) -> Target {
    Target {
        name,
        format: Some(format),
        may_abort: false,
        cases: 30_000,
        film: false,
    }
}

impl Target {
    /// The target of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|t| t.name == name)
    }

    /// Decodes `data` when it begins like the target's format, strictly and leniently.
    ///
    /// # Errors
    /// What strict decoding says; bytes that begin otherwise are `Ok`.
    ///
    /// # Panics
    /// When a picture breaks the limits: that is what fuzzing looks for.
    pub fn decodes_or_errs(&self, data: &[u8]) -> Result<(), MediaError> {
        let Some(format) = self.format else {
            return reads_declarations(data);
        };
        if Format::sniff(data) != Some(format) {
            return Ok(());
        }
        if self.film {
            return self.plays_or_errs(data);
        }
        let decode_within = |allow_truncated| -> Result<(), MediaError> {
            let options = Options {
                allow_truncated,
                ..Options::default()
            };
            let decoded = first_picture(data, &options)?;
            let (width, height) = decoded.pixels.dimensions();
            assert!(width > 0 && height > 0);
            assert!(u64::from(width) * u64::from(height) <= limits().max_pixels);
            Ok(())
        };
        let strict = decode_within(false);
        let lenient = decode_within(true);
        assert!(
            strict.is_err() || lenient.is_ok(),
            "what decodes strictly decodes leniently"
        );
        strict
    }

    /// Decodes all frames in the box, and sketches each.
    fn plays_or_errs(&self, data: &[u8]) -> Result<(), MediaError> {
        let fault = |e: VideoError| match e {
            VideoError::Media { fault } => fault,
            // A decoder that takes as long loops.
            other => panic!("{other}"),
        };
        let limits = VideoLimits {
            max_frames: 1000,
            max_seconds: 1e4,
            max_work: 1 << 26,
            picture: limits(),
            ..VideoLimits::default()
        };
        let mut video =
            Video::of_bytes(data.to_vec(), &limits, Duration::from_secs(25)).map_err(fault)?;
        let mut last = -1.0;
        let read = video.read(&Plan::All, true, false, &mut |event| {
            if let Event::Frame(frame) = event {
                let (width, height) = frame.pixels.dimensions();
                assert!(u64::from(width) * u64::from(height) <= limits.picture.max_pixels);
                assert!(frame.time >= last, "{} after {last}", frame.time);
                last = frame.time;
            }
            Ok(())
        });
        read.map(|_| ()).map_err(fault)
    }
}

/// The picture of a file, or the first that is named within it.
fn first_picture(data: &[u8], options: &Options) -> Result<Decoded, MediaError> {
    match decode(data, &limits(), options) {
        Err(MediaError::Parts { parts, .. }) => {
            let options = Options {
                part: parts.into_iter().next(),
                ..options.clone()
            };
            decode(data, &limits(), &options)
        }
        other => other,
    }
}

/// Reads what `data` declare. Whatever is damaged, something of a known format is always read.
fn reads_declarations(data: &[u8]) -> Result<(), MediaError> {
    let options = Options {
        metadata_only: true,
        ..Options::default()
    };
    let read = decode(data, &limits(), &options);
    if let Err(MediaError::Corrupt { reason, .. }) = &read {
        panic!("a parser gave up: {reason}");
    }
    let facts = read?.facts;
    // The reader of content credentials is another project's.
    let given_up = facts
        .notes
        .iter()
        .filter(|n| n.code == "metadata_damaged" && n.sentence.contains("gave up"))
        .find(|n| !n.sentence.starts_with("Content credentials"));
    assert!(given_up.is_none(), "{given_up:?}");
    Ok(())
}

/// Limits small enough for a fuzzer's own.
fn limits() -> Limits {
    Limits {
        max_bytes: 1 << 20,
        max_pixels: 1 << 20,
        max_alloc: 64 << 20,
    }
}
