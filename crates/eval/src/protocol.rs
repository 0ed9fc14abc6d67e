//! Protocols: named, versioned ways of delivering pictures and of cutting a data set.

use image::RgbImage;
use realscope_delivery::{self as delivery, DeliveryError, Filter, Subsampling};
use serde::Serialize;

use realscope_data::manifest::Item;
use realscope_delivery::perturb::{self, Perturbation};

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
    /// are gone from what is made here. `window` is the side of the common central window.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub fn deliver(
        &self,
        picture: &RgbImage,
        item: &Item,
        window: u32,
        seed: u64,
    ) -> Result<Option<Vec<u8>>, DeliveryError> {
        let cut = || central(picture, window);
        let scaled = |by: f64| {
            let p = cut();
            let side = |v: u32| ((f64::from(v) * by).round() as u32).max(8);
            delivery::resize(&p, side(p.width()), side(p.height()), Filter::Lanczos3)
        };
        let jpeg = |p: &RgbImage, quality, subsampling| {
            delivery::encode_jpeg(p, quality, subsampling).map(Some)
        };
        match self {
            Self::Native => Ok(None),
            Self::BothQ95 => jpeg(&cut(), 95, Subsampling::S444),
            Self::Web => {
                let p = delivery::limit_edge(picture, 768, Filter::Lanczos3)?;
                jpeg(&p, 60, Subsampling::S420)
            }
            Self::Hard => {
                let p = delivery::limit_edge(picture, 512, Filter::Lanczos3)?;
                jpeg(&p, 40, Subsampling::S420)
            }
            Self::FakesOnlyQ96 if item.label == 1 => jpeg(&cut(), 96, Subsampling::S420),
            Self::FakesOnlyQ96 => png(&cut()).map(Some),
            Self::WebScaled => jpeg(&scaled(0.5)?, 60, Subsampling::S420),
            Self::HardScaled => jpeg(&scaled(0.33)?, 40, Subsampling::S420),
            Self::Perturbed { perturbation } => {
                let p = perturb::apply(&cut(), &perturbation.op, seed, &item.path)?;
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
    delivery::crop(
        picture,
        (width - w) / 2 / 8 * 8,
        (height - h) / 2 / 8 * 8,
        w,
        h,
    )
}

pub(crate) fn png(picture: &RgbImage) -> Result<Vec<u8>, DeliveryError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|e| DeliveryError::Size {
            width: picture.width(),
            height: picture.height(),
            reason: e.to_string(),
        })?;
    Ok(bytes.into_inner())
}

/// How a set of items is chosen and its results are read.
pub struct Protocol {
    /// Name.
    pub name: &'static str,
    /// Version; part of a run's identity.
    pub version: u32,
    /// What it measures, and the source of its definition.
    pub summary: &'static str,
    /// Arms.
    pub arms: fn() -> Vec<Arm>,
    /// Whether an item takes part.
    pub takes: fn(&Item) -> bool,
}

fn native_only() -> Vec<Arm> {
    vec![Arm::Native]
}

fn delivery_arms() -> Vec<Arm> {
    vec![
        Arm::Native,
        Arm::BothQ95,
        Arm::Web,
        Arm::Hard,
        Arm::WebScaled,
        Arm::HardScaled,
        Arm::FakesOnlyQ96,
    ]
}

fn genvideo_arms() -> Vec<Arm> {
    let degraded = perturb::set("genvideo").unwrap_or_default();
    std::iter::once(Arm::Native)
        .chain(
            degraded
                .into_iter()
                .map(|perturbation| Arm::Perturbed { perturbation }),
        )
        .collect()
}

/// The test side: `test` or `public`, or all where a set names no split.
fn is_test(item: &Item) -> bool {
    matches!(item.split.as_str(), "" | "test" | "public")
}

/// The side that a set calls validation and others test.
fn is_held_out(item: &Item) -> bool {
    matches!(item.split.as_str(), "val" | "test")
}

/// Whether an item is not a video: by its name, or an animation that the manifest calls one.
pub(crate) fn is_picture(item: &Item) -> bool {
    let lower = item.path.to_ascii_lowercase();
    let named = [".mp4", ".avi", ".mov", ".webm", ".mkv", ".m4v"];
    let animated = lower.ends_with(".gif") && !item.video.is_empty();
    !animated && !named.iter().any(|e| lower.ends_with(e))
}

/// Pictures of the test side.
fn is_test_picture(item: &Item) -> bool {
    is_test(item) && is_picture(item)
}

/// Videos of the test side.
fn is_test_video(item: &Item) -> bool {
    is_test(item) && !is_picture(item)
}

fn video_arms() -> Vec<Arm> {
    vec![Arm::Native, Arm::Web, Arm::Hard]
}

/// All protocols.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol {
        name: "delivery",
        version: 1,
        summary: "Realscope: native, q95, web, hard, web-scaled, hard-scaled and fakes-only-q96; matched sets first",
        arms: delivery_arms,
        takes: is_test_picture,
    },
    Protocol {
        name: "native",
        version: 1,
        summary: "pictures as they are",
        arms: native_only,
        takes: is_test_picture,
    },
    Protocol {
        name: "video",
        version: 1,
        summary: "videos alone, by their frames: as they are, web and hard",
        arms: video_arms,
        takes: is_test_video,
    },
    Protocol {
        name: "aigcdetect",
        version: 1,
        summary: "AIGCDetectBenchmark: accuracy and AP of each generator against its own reals, then the mean",
        arms: native_only,
        takes: is_test_picture,
    },
    Protocol {
        name: "genimage",
        version: 1,
        summary: "GenImage 8x8: validation side of each generator; train one detector a generator, compare the runs",
        arms: native_only,
        takes: |i| is_held_out(i) && is_picture(i),
    },
    Protocol {
        name: "deepfakebench",
        version: 1,
        summary: "DeepfakeBench: frame and video AUC, within and across data sets (`eval metrics --compat deepfakebench`)",
        arms: native_only,
        takes: is_test,
    },
    Protocol {
        name: "df40",
        version: 1,
        summary: "DF40: frame AUC by method and domain; P1 same domain, P2 same forgery, P3 both differ, P4 one against all",
        arms: native_only,
        takes: is_test,
    },
    Protocol {
        name: "genvideo",
        version: 1,
        summary: "GenVideo, videos or extracted frames: generators never seen, as they are and with frames under its degradations",
        arms: genvideo_arms,
        takes: is_test,
    },
    Protocol {
        name: "genvidbench",
        version: 1,
        summary: "GenVidBench, videos or extracted frames: trained on pair 1, tested on pair 2 (`eval metrics --compat genvidbench`)",
        arms: native_only,
        takes: is_test,
    },
    Protocol {
        name: "forgerynet",
        version: 1,
        summary: "ForgeryNet, classification of pictures and videos (`eval metrics --compat forgerynet`)",
        arms: native_only,
        takes: is_held_out,
    },
    Protocol {
        name: "ow-dfa",
        version: 1,
        summary: "OW-DFA: detection on its pictures; attribution from a file (`eval metrics --compat ow-dfa`)",
        arms: native_only,
        takes: is_test_picture,
    },
    Protocol {
        name: "dgm4",
        version: 1,
        summary: "DGM4: detection on its pictures; grounding from a file (`eval metrics --compat dgm4`)",
        arms: native_only,
        takes: is_test_picture,
    },
    Protocol {
        name: "fairness",
        version: 1,
        summary: "rates by a metadata column, Casual Conversations style (`eval metrics RUN --by COLUMN --attributes FILE`)",
        arms: native_only,
        takes: is_test,
    },
];

/// A protocol by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Protocol> {
    PROTOCOLS.iter().find(|p| p.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_cut_and_encoded_alike_where_the_arm_says_so() {
        let picture = RgbImage::from_fn(400, 300, |x, y| image::Rgb([x as u8, y as u8, 9]));
        let item = |label| Item {
            path: "a".into(),
            label,
            ..Item::default()
        };
        for arm in delivery_arms() {
            let made = [0, 1].map(|l| arm.deliver(&picture, &item(l), 256, 1).expect("delivers"));
            match arm {
                Arm::FakesOnlyQ96 => assert_ne!(made[0], made[1]),
                Arm::Native => assert_eq!(made, [None, None]),
                _ => assert_eq!(made[0], made[1], "{}", arm.name()),
            }
        }
        assert_eq!(central(&picture, 256).dimensions(), (256, 256));
    }
}
