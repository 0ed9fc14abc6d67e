//! JPEG XL through `jxl-oxide`, with its allocations tracked.

use jxl_oxide::{
    AllocTracker, EnumColourEncoding, HdrType, JxlImage, PixelFormat, RenderingIntent,
};

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
    // High dynamic range is brought down as that of other formats is, and a profile that the samples are stored in is
    // applied as theirs are.
    let intent = RenderingIntent::Relative;
    let stored = !picture.image_header().metadata.xyb_encoded;
    let (asked, colour) = match (picture.hdr_type(), picture.original_icc()) {
        (Some(kind), _) => {
            let (encoding, transfer) = if kind == HdrType::Hlg {
                (EnumColourEncoding::bt2100_hlg(intent), 18)
            } else {
                (EnumColourEncoding::bt2100_pq(intent), 16)
            };
            let colour = Colour::Cicp {
                primaries: 9,
                transfer,
            };
            (Some(encoding), colour)
        }
        (None, Some(icc)) if stored => (None, Colour::Icc(icc.to_vec())),
        _ => (Some(EnumColourEncoding::srgb(intent)), Colour::Srgb),
    };
    if let Some(encoding) = asked {
        picture.request_color_encoding(encoding);
    }
    let render = picture.render_frame(0).map_err(error)?;
    let mut stream = render.stream();
    let (width, height) = (stream.width(), stream.height());
    let channels = stream.channels() as usize;
    let mut values = vec![0.0_f32; width as usize * height as usize * channels];
    stream.write_to_buffer(&mut values);
    let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    let word = |v: f32| (v.clamp(0.0, 1.0) * 65535.0).round() as u16;
    let converted = colour != Colour::Srgb;
    let samples = match picture.pixel_format() {
        PixelFormat::Gray if converted => {
            Samples::Rgb16(values.iter().flat_map(|v| [word(*v); 3]).collect())
        }
        PixelFormat::Graya if converted => Samples::Rgba16(
            values
                .chunks_exact(2)
                .flat_map(|p| [word(p[0]), word(p[0]), word(p[0]), word(p[1])])
                .collect(),
        ),
        PixelFormat::Rgb if converted => Samples::Rgb16(values.iter().map(|v| word(*v)).collect()),
        PixelFormat::Rgba if converted => {
            Samples::Rgba16(values.iter().map(|v| word(*v)).collect())
        }
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
        colour,
        exif: None,
        // The renderer has applied the orientation of the header.
        orientation: Some(1),
        jpeg: None,
        notes: Vec::new(),
    })
}
