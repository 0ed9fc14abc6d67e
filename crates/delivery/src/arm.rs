//! The arms of an evaluation: named ways of delivering every picture of a set, both classes alike.
//!
//! This is the one definition of `web` and `hard`; training, calibration and evaluation take it from here.

use image::RgbImage;
use serde::Serialize;

use crate::error::{DeliveryError, size_error};
use crate::jpeg::{Subsampling, encode_jpeg};
use crate::perturb::{self, Perturbation};
use crate::resize::{Filter, crop, limit_edge, resize};

/// One way of delivering every picture of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Arm {
    /// The file as it lies there.
    Native,
    /// The common window at JPEG q95, 4:4:4, both classes.
    BothQ95,
    /// The whole picture, longest edge at most 768, JPEG q60, 4:2:0.
    Web,
    /// The whole picture, longest edge at most 512, JPEG q40, 4:2:0.
    Hard,
    /// The common window; generated pictures alone at JPEG q96, as some papers do. Shows a
    /// dependence on the format; never a result.
    FakesOnlyQ96,
    /// The common window at half size, JPEG q60, 4:2:0.
    WebScaled,
    /// The common window at a third of the size, JPEG q40, 4:2:0.
    HardScaled,
    /// A perturbation of the common window, both classes at JPEG q95 4:4:4 afterwards.
    Perturbed {
        /// Which.
        #[serde(flatten)]
        perturbation: Perturbation,
    },
}

impl Arm {
    /// Name in predictions.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Native => "native".into(),
            Self::BothQ95 => "q95".into(),
            Self::Web => "web".into(),
            Self::Hard => "hard".into(),
            Self::FakesOnlyQ96 => "fakes-only-q96".into(),
            Self::WebScaled => "web-scaled".into(),
            Self::HardScaled => "hard-scaled".into(),
            Self::Perturbed { perturbation } => perturbation.name.clone(),
        }
    }

    /// Bytes of the delivered file; `None` for [`Arm::Native`], whose file stays as it is (a frame of a video as PNG). Metadata
    /// are gone from what is made here. `window` is the side of the common central window; random perturbations draw from
    /// `seed` and the picture's `name`.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub fn deliver(
        &self,
        picture: &RgbImage,
        generated: bool,
        name: &str,
        window: u32,
        seed: u64,
    ) -> Result<Option<Vec<u8>>, DeliveryError> {
        let cut = || central(picture, window);
        let scaled = |by: f64| {
            let p = cut();
            let side = |v: u32| ((f64::from(v) * by).round() as u32).max(8);
            resize(&p, side(p.width()), side(p.height()), Filter::Lanczos3)
        };
        let jpeg =
            |p: &RgbImage, quality, subsampling| encode_jpeg(p, quality, subsampling).map(Some);
        match self {
            Self::Native => Ok(None),
            Self::BothQ95 => jpeg(&cut(), 95, Subsampling::S444),
            Self::Web => {
                let p = limit_edge(picture, 768, Filter::Lanczos3)?;
                jpeg(&p, 60, Subsampling::S420)
            }
            Self::Hard => {
                let p = limit_edge(picture, 512, Filter::Lanczos3)?;
                jpeg(&p, 40, Subsampling::S420)
            }
            Self::FakesOnlyQ96 if generated => jpeg(&cut(), 96, Subsampling::S420),
            Self::FakesOnlyQ96 => png(&cut()).map(Some),
            Self::WebScaled => jpeg(&scaled(0.5)?, 60, Subsampling::S420),
            Self::HardScaled => jpeg(&scaled(0.33)?, 40, Subsampling::S420),
            Self::Perturbed { perturbation } => {
                let p = perturb::apply(&cut(), &perturbation.op, seed, name)?;
                jpeg(&p, 95, Subsampling::S444)
            }
        }
    }
}

/// The central window of at most `side` pixels on each side; 0 for the whole picture. Its corner
/// lies on the 8x8 grid, so that earlier blocks stay where they were.
#[must_use]
pub fn central(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    if side == 0 || (width <= side && height <= side) {
        return picture.clone();
    }
    let (w, h) = (width.min(side), height.min(side));
    crop(
        picture,
        (width - w) / 2 / 8 * 8,
        (height - h) / 2 / 8 * 8,
        w,
        h,
    )
}

/// Bytes of a PNG.
///
/// # Errors
/// [`DeliveryError::Size`].
pub fn png(picture: &RgbImage) -> Result<Vec<u8>, DeliveryError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|e| size_error(picture.width(), picture.height(), e))?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_cut_and_encoded_alike_where_the_arm_says_so() {
        let picture = RgbImage::from_fn(400, 300, |x, y| image::Rgb([x as u8, y as u8, 9]));
        for arm in [
            Arm::Native,
            Arm::BothQ95,
            Arm::Web,
            Arm::Hard,
            Arm::WebScaled,
            Arm::HardScaled,
            Arm::FakesOnlyQ96,
        ] {
            let made =
                [false, true].map(|l| arm.deliver(&picture, l, "a", 256, 1).expect("delivers"));
            match arm {
                Arm::FakesOnlyQ96 => assert_ne!(made[0], made[1]),
                Arm::Native => assert_eq!(made, [None, None]),
                _ => assert_eq!(made[0], made[1], "{}", arm.name()),
            }
        }
        assert_eq!(central(&picture, 256).dimensions(), (256, 256));
    }
}
