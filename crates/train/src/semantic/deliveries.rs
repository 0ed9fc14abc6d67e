//! What the encoder is shown of an item: deliveries of the whole picture and of the stored file.

use std::path::{Path, PathBuf};

use image::RgbImage;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use realscope_data::manifest::Item;
use realscope_delivery::{self as delivery, DeliveryError};
use realscope_detectors::Tier;
use realscope_detectors::card::{Colour, Filter, Input, View};
use realscope_detectors::network::normalise;
use realscope_detectors::prepare;
use sha2::{Digest as _, Sha256};

use super::recipe::SemanticRecipe;
use crate::augment::RandomDelivery;
use crate::error::{TrainError, picture_error};
use crate::{picture, tier};

/// Mean and deviation per channel that CLIP was trained with.
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
/// Side of the encoder's input.
pub(super) const SIDE: u32 = 224;
/// Largest window at native resolution.
const WINDOW: u32 = 512;

/// How an item is delivered ahead of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The whole picture, in the arm of a tier.
    Whole(Tier),
    /// The whole picture, in a random delivery with its number.
    Random(u32),
    /// The whole picture after a filter that makes it look painted or drawn, in a random delivery.
    Drawn,
    /// A window at native resolution, in a random delivery.
    Window,
    /// The stored file at native resolution, in the arm of a tier.
    Stored(Tier),
}

impl Delivery {
    /// Whether it is of the stored file at native resolution.
    pub fn of_stored(self) -> bool {
        matches!(self, Self::Window | Self::Stored(_))
    }
}

/// What is computed of a stored file at native resolution.
pub(super) const OF_STORED: [Delivery; 4] = [
    Delivery::Window,
    Delivery::Stored(Tier::Clean),
    Delivery::Stored(Tier::Web),
    Delivery::Stored(Tier::Hard),
];

/// The whole picture that belongs to an item: a stored crop's sibling where there is one.
pub(super) fn whole(root: &Path, item: &Item) -> PathBuf {
    let sibling = item.path.replace(".crop.jpg", ".whole.jpg");
    let path = root.join(&sibling);
    if sibling != item.path && path.is_file() {
        path
    } else {
        root.join(&item.path)
    }
}

/// What CLIP's tower is shown.
pub(super) fn input() -> Input {
    Input {
        size: SIDE,
        filter: Filter::Bicubic,
        colour: Colour::Rgb,
        mean: MEAN,
        std: STD,
        view: View::ShorterSide,
    }
}

/// A square of 224 to 512 pixels, or of the shorter side where that is less, at a random place.
fn random_window(picture: &RgbImage, rng: &mut ChaCha8Rng) -> RgbImage {
    use rand::Rng as _;
    let (width, height) = picture.dimensions();
    let most = width.min(height).min(WINDOW);
    let side = rng.random_range(SIDE.min(most)..=most);
    let (left, top) = (
        rng.random_range(0..=width - side),
        rng.random_range(0..=height - side),
    );
    delivery::crop(picture, left, top, side, side)
}

/// Normalised pixels of every delivery of an item; what is random depends on `seed`. Windows at native resolution do not mix with the others.
pub(super) fn views(
    recipe: &SemanticRecipe,
    root: &Path,
    item: &Item,
    seed: &str,
    input: &Input,
    deliveries: &[Delivery],
) -> Result<Vec<Vec<f32>>, TrainError> {
    let stored = deliveries.iter().all(|d| d.of_stored());
    let path = if stored {
        root.join(&item.path)
    } else {
        whole(root, item)
    };
    let mut picture = picture::open(&path)?;
    let fault = |e: DeliveryError| picture_error(&path, &e);
    if !stored {
        picture = delivery::limit_edge(&picture, recipe.whole, delivery::Filter::Lanczos3)
            .map_err(fault)?;
    }
    deliveries
        .iter()
        .map(|d| {
            let delivered = match d {
                Delivery::Whole(tier) | Delivery::Stored(tier) => {
                    tier::deliver(&picture, &tier::arm(*tier), 0).map_err(fault)?
                }
                Delivery::Random(_) | Delivery::Drawn | Delivery::Window => {
                    let n = match d {
                        Delivery::Random(n) => n.to_string(),
                        Delivery::Window => "window".into(),
                        _ => "drawn".into(),
                    };
                    let digest = Sha256::digest(format!("{}/{n}/{seed}", recipe.seed));
                    let mut key = [0; 32];
                    key.copy_from_slice(&digest);
                    let mut rng = ChaCha8Rng::from_seed(key);
                    let mut random = RandomDelivery::draw(&recipe.augment, &mut rng);
                    if *d == Delivery::Drawn {
                        random = random.drawn(&mut rng);
                    }
                    if *d == Delivery::Window {
                        let window = random_window(&picture, &mut rng);
                        random.deliver_whole(&window).map_err(fault)?
                    } else {
                        random.deliver_whole(&picture).map_err(fault)?
                    }
                }
            };
            let sample = prepare::shorter_side(&delivered, input).map_err(fault)?;
            let mut pixels = Vec::with_capacity(3 * (input.size * input.size) as usize);
            normalise(&sample.frames, input, &mut pixels);
            Ok(pixels)
        })
        .collect()
}
