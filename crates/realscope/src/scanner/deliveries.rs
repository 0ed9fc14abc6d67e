//! Re-deliveries of samples: the same pixels as other ways of delivering them would show them.

use image::RgbImage;
use realscope_delivery::{self as delivery, DeliveryError, Filter, Subsampling};
use realscope_detectors::{Sample, prepare};

/// Which re-deliveries are scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deliveries {
    /// All, always: whatever measures stability needs them.
    All,
    /// None where none could change the verdict, by how far re-deliveries of validation pictures moved a score; else
    /// all. The record says which were run.
    #[default]
    AsNeeded,
}

/// Name of the picture as it is.
pub(super) const NATIVE: &str = "native";
/// Names of what [`redeliver`] makes.
pub(super) const NAMES: [&str; 3] = ["jpeg_q75", "half_size", "crop"];

/// Every sample as JPEG q75, then every sample at half size, then a shifted crop of each. They are made of the samples
/// (and for windows of their surroundings in `picture`), not of the whole picture.
pub(super) fn redeliver(
    picture: &RgbImage,
    samples: &[Sample],
) -> Result<Vec<Sample>, DeliveryError> {
    type Deliver = fn(&RgbImage, &Sample, &RgbImage) -> Result<RgbImage, DeliveryError>;
    let kinds: [Deliver; NAMES.len()] = [jpeg, half_size, crop];
    kinds
        .into_iter()
        .flat_map(|deliver| {
            samples.iter().map(move |sample| {
                let frames = sample.frames.iter();
                Ok(Sample {
                    frames: frames
                        .map(|frame| deliver(picture, sample, frame))
                        .collect::<Result<_, _>>()?,
                    place: sample.place,
                })
            })
        })
        .collect()
}

/// The same of a clip: its frames are delivered again as they are shown.
pub(super) fn redeliver_clip(clip: &Sample) -> Result<Vec<Sample>, DeliveryError> {
    let mut shown = clip.clone();
    shown.place.whole = true;
    let nothing_around = RgbImage::default();
    let mut made = redeliver(&nothing_around, &[shown])?;
    for again in &mut made {
        again.place = clip.place;
    }
    Ok(made)
}

fn jpeg(_: &RgbImage, _: &Sample, frame: &RgbImage) -> Result<RgbImage, DeliveryError> {
    delivery::through_jpeg(frame, 75, Subsampling::S420)
}

fn half_size(
    picture: &RgbImage,
    sample: &Sample,
    frame: &RgbImage,
) -> Result<RgbImage, DeliveryError> {
    let side = frame.width();
    if sample.place.whole {
        let half = delivery::resize(frame, side / 2, side / 2, Filter::Lanczos3)?;
        return delivery::resize(&half, side, side, Filter::Bilinear);
    }
    let rect = sample.place.rect;
    let (left, top) = (
        rect.left.saturating_sub(side / 2),
        rect.top.saturating_sub(side / 2),
    );
    let width = (2 * side).min(picture.width() - left);
    let height = (2 * side).min(picture.height() - top);
    let around = delivery::crop(picture, left, top, width, height);
    let half = delivery::resize(
        &around,
        width.div_ceil(2),
        height.div_ceil(2),
        Filter::Lanczos3,
    )?;
    only_frame(prepare::cut(&half, 0, 0, side), frame)
}

fn crop(picture: &RgbImage, sample: &Sample, frame: &RgbImage) -> Result<RgbImage, DeliveryError> {
    let side = frame.width();
    if sample.place.whole {
        let keep = side - side / 8;
        let inner = delivery::crop(frame, side / 16, side / 16, keep, keep);
        return delivery::resize(&inner, side, side, Filter::Bilinear);
    }
    // Off the former block grid, still inside the picture where there is room.
    let shift = |at: u32, size: u32, by: u32| (at + by).min(size.saturating_sub(side));
    let left = shift(sample.place.rect.left, picture.width(), 13);
    let top = shift(sample.place.rect.top, picture.height(), 11);
    only_frame(prepare::cut(picture, left, top, side), frame)
}

fn only_frame(mut sample: Sample, like: &RgbImage) -> Result<RgbImage, DeliveryError> {
    sample.frames.pop().ok_or_else(|| DeliveryError::Size {
        width: like.width(),
        height: like.height(),
        reason: "no window".into(),
    })
}
