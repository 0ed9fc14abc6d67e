//! Re-deliveries of samples: the same pixels as other ways of delivering them would show them.

use image::RgbImage;
use realscope_delivery::{self as delivery, DeliveryError, Filter, Subsampling};
use realscope_detectors::prepare::{self, FaceBox};
use realscope_detectors::{Card, DetectorError, Rect, Sample};

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
pub(super) fn redeliver_clip(clip: &Sample) -> Result<[Sample; NAMES.len()], DeliveryError> {
    let of = |deliver: fn(&RgbImage) -> Result<RgbImage, DeliveryError>| {
        Ok(Sample {
            frames: clip.frames.iter().map(deliver).collect::<Result<_, _>>()?,
            place: clip.place,
        })
    };
    Ok([of(compressed)?, of(halved)?, of(inner)?])
}

/// The same of faces: the picture is compressed and halved, and the faces are shown of it where they were; of each as it
/// is shown its inner part.
pub(super) fn redeliver_faces(
    picture: &RgbImage,
    shown: &[(FaceBox, Sample)],
    card: &Card,
) -> Result<Vec<Sample>, DetectorError> {
    let again = |picture: &RgbImage, of: &dyn Fn(FaceBox) -> FaceBox| {
        let faces: Vec<FaceBox> = shown.iter().map(|(face, _)| of(*face)).collect();
        prepare::faces(picture, &faces, None, &card.id, &card.input)
    };
    let mut made = again(&compressed(picture)?, &|face| face)?;
    let (width, height) = picture.dimensions();
    let half = [width.div_ceil(2), height.div_ceil(2)];
    let halved = delivery::resize(picture, half[0], half[1], Filter::Lanczos3)?;
    let scale = [
        half[0] as f32 / width as f32,
        half[1] as f32 / height as f32,
    ];
    made.extend(again(&halved, &|face| FaceBox {
        rect: Rect {
            left: face.rect.left / 2,
            top: face.rect.top / 2,
            width: (face.rect.width / 2).max(1),
            height: (face.rect.height / 2).max(1),
        },
        landmarks: face
            .landmarks
            .map(|points| points.map(|[x, y]| [x * scale[0], y * scale[1]])),
        track: face.track,
    })?);
    for (_, sample) in shown {
        let frames: Result<_, _> = sample.frames.iter().map(inner).collect();
        made.push(Sample {
            frames: frames?,
            place: sample.place,
        });
    }
    Ok(made)
}

fn compressed(frame: &RgbImage) -> Result<RgbImage, DeliveryError> {
    delivery::through_jpeg(frame, 75, Subsampling::S420)
}

/// At half size and back again.
fn halved(frame: &RgbImage) -> Result<RgbImage, DeliveryError> {
    let side = frame.width();
    let half = delivery::resize(frame, side / 2, side / 2, Filter::Lanczos3)?;
    delivery::resize(&half, side, side, Filter::Bilinear)
}

/// Without a sixteenth at each border, at the same size.
fn inner(frame: &RgbImage) -> Result<RgbImage, DeliveryError> {
    let side = frame.width();
    let keep = side - side / 8;
    let inner = delivery::crop(frame, side / 16, side / 16, keep, keep);
    delivery::resize(&inner, side, side, Filter::Bilinear)
}

fn jpeg(_: &RgbImage, _: &Sample, frame: &RgbImage) -> Result<RgbImage, DeliveryError> {
    compressed(frame)
}

fn half_size(
    picture: &RgbImage,
    sample: &Sample,
    frame: &RgbImage,
) -> Result<RgbImage, DeliveryError> {
    if sample.place.whole {
        return halved(frame);
    }
    let side = frame.width();
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
    if sample.place.whole {
        return inner(frame);
    }
    let side = frame.width();
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
