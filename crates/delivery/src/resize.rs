//! Cropping and resizing with the filters of picture tools.

use fast_image_resize as fir;
use fir::images::{TypedImage, TypedImageRef};
use image::RgbImage;

use crate::error::{DeliveryError, size_error};

/// Resampling filters by the names that picture tools use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "arms",
    derive(serde::Serialize),
    serde(rename_all = "lowercase")
)]
pub enum Filter {
    /// Nearest neighbour.
    Nearest,
    /// Area average.
    Box,
    /// Triangle with antialiasing.
    Bilinear,
    /// Catmull-Rom with antialiasing.
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos3,
}

impl Filter {
    /// Name as it stands in results, such as `lanczos3`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Box => "box",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::Lanczos3 => "lanczos3",
        }
    }

    fn resize_algorithm(self) -> fir::ResizeAlg {
        match self {
            Self::Nearest => fir::ResizeAlg::Nearest,
            Self::Box => fir::ResizeAlg::Convolution(fir::FilterType::Box),
            Self::Bilinear => fir::ResizeAlg::Convolution(fir::FilterType::Bilinear),
            Self::Bicubic => fir::ResizeAlg::Convolution(fir::FilterType::CatmullRom),
            Self::Lanczos3 => fir::ResizeAlg::Convolution(fir::FilterType::Lanczos3),
        }
    }
}

/// The picture at `width x height`, aspect ratio not kept.
///
/// # Errors
/// [`DeliveryError::Size`] when a side is zero.
pub fn resize(
    picture: &RgbImage,
    width: u32,
    height: u32,
    filter: Filter,
) -> Result<RgbImage, DeliveryError> {
    if picture.dimensions() == (width, height) {
        return Ok(picture.clone());
    }
    if width == 0 || height == 0 || picture.width() == 0 || picture.height() == 0 {
        return Err(size_error(width, height, "a side is zero"));
    }
    // Views of one kind of pixel: the untyped ones compile every filter for every kind, most of this crate.
    let source = TypedImageRef::<fir::pixels::U8x3>::from_buffer(
        picture.width(),
        picture.height(),
        picture.as_raw(),
    )
    .map_err(|e| size_error(width, height, e))?;
    let mut resized = RgbImage::new(width, height);
    let mut target = TypedImage::<fir::pixels::U8x3>::from_buffer(width, height, &mut resized)
        .map_err(|e| size_error(width, height, e))?;
    let options = fir::ResizeOptions::new().resize_alg(filter.resize_algorithm());
    fir::Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .map_err(|e| size_error(width, height, e))?;
    Ok(resized)
}

/// The picture with its longest edge at most `edge`, aspect ratio kept, never enlarged.
///
/// # Errors
/// [`DeliveryError::Size`] when the picture is empty.
pub fn limit_edge(
    picture: &RgbImage,
    edge: u32,
    filter: Filter,
) -> Result<RgbImage, DeliveryError> {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= edge {
        return Ok(picture.clone());
    }
    let scaled = |side: u32| {
        let exact = u64::from(side) * u64::from(edge) + u64::from(longest) / 2;
        u32::try_from(exact / u64::from(longest))
            .unwrap_or(edge)
            .max(1)
    };
    resize(picture, scaled(width), scaled(height), filter)
}

/// The window of `width x height` at (`left`, `top`), clipped to the picture.
#[must_use]
pub fn crop(picture: &RgbImage, left: u32, top: u32, width: u32, height: u32) -> RgbImage {
    image::imageops::crop_imm(picture, left, top, width, height).to_image()
}
