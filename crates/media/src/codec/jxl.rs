//! JPEG XL through `jxl-oxide`, with its allocations tracked.

use jxl_oxide::{AllocTracker, EnumColourEncoding, JxlImage, PixelFormat, RenderingIntent};

use super::raw::{Colour, Raw, Samples};
use crate::error::MediaError;
use crate::limits::Limits;

fn error(e: impl std::fmt::Display) -> MediaError {
    let reason = e.to_string();
    let format = "JPEG XL".to_owned();
    let lower = reason.to_ascii_lowercase();
    if lower.contains("unexpected eof")
        || lower.contains("unexpected end")
        || lower.contains("not enough")
    {
        MediaError::Truncated { format, reason }
    } else {
        MediaError::Corrupt { format, reason }
    }
}

pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raw, MediaError> {
    let tracker = AllocTracker::with_limit(usize::try_from(limits.max_alloc).unwrap_or(usize::MAX));
    let mut uninit = JxlImage::builder()
        .pool(jxl_oxide::JxlThreadPool::none())
        .alloc_tracker(tracker)
        .build_uninit();
    uninit.feed_bytes(bytes).map_err(error)?;
    let mut picture = match uninit.try_init().map_err(error)? {
        jxl_oxide::InitializeResult::Initialized(picture) => picture,
        jxl_oxide::InitializeResult::NeedMoreData(_) => {
            return Err(MediaError::Truncated {
                format: "JPEG XL".into(),
                reason: "the header is incomplete".into(),
            });
        }
    };
    // The decoder works on 32-bit samples of every channel.
    limits.check(u64::from(picture.width()), u64::from(picture.height()), 16)?;
    if !picture.is_loading_done() {
        return Err(MediaError::Truncated {
            format: "JPEG XL".into(),
            reason: "the codestream is incomplete".into(),
        });
    }
    picture.request_color_encoding(EnumColourEncoding::srgb(RenderingIntent::Relative));
    let render = picture.render_frame(0).map_err(error)?;
    let mut stream = render.stream();
    let (width, height) = (stream.width(), stream.height());
    let channels = stream.channels() as usize;
    let mut values = vec![0.0_f32; width as usize * height as usize * channels];
    stream.write_to_buffer(&mut values);
    let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    let samples = match picture.pixel_format() {
        PixelFormat::Gray => Samples::Rgb8(values.iter().flat_map(|v| [byte(*v); 3]).collect()),
        PixelFormat::Graya => Samples::Rgba8(
            values
                .chunks_exact(2)
                .flat_map(|p| [byte(p[0]), byte(p[0]), byte(p[0]), byte(p[1])])
                .collect(),
        ),
        PixelFormat::Rgb => Samples::Rgb8(values.iter().map(|v| byte(*v)).collect()),
        PixelFormat::Rgba => Samples::Rgba8(values.iter().map(|v| byte(*v)).collect()),
        other => {
            return Err(MediaError::Unsupported {
                format: format!("JPEG XL with {other:?} samples"),
            });
        }
    };
    let bit_depth = picture.image_header().metadata.bit_depth.bits_per_sample();
    Ok(Raw {
        samples,
        width,
        height,
        bit_depth: u8::try_from(bit_depth).unwrap_or(32),
        animated: picture.num_loaded_keyframes() > 1,
        colour: Colour::Srgb,
        exif: None,
        // The renderer has applied the orientation of the header.
        orientation: Some(1),
        jpeg: None,
        notes: Vec::new(),
    })
}
