//! Cache of residual statistics: every picture under random deliveries and in the fixed arms.
//!
//! `features.f32` holds rows of [`rich::LENGTH`] little-endian numbers, `index.csv` one line a row.
//! The head is fitted on the cache, so that many heads can be tried on one pass over the pictures.

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use image::RgbImage;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use realscope_detectors::calibration::Tier;
use realscope_signal::rich;
use sha2::{Digest as _, Sha256};

use crate::augment::Plan;
use crate::batch::{self, picture_error};
use crate::manifest::Item;
use crate::recipe::Augment;
use crate::{TrainError, calibrate, io_error};

/// How one row of the cache was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As stored.
    Native,
    /// The fixed arm of a tier, both classes cut alike.
    Arm(Tier),
    /// A random delivery with its number.
    Random(u32),
}

impl Delivery {
    /// Name in the index.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Native => "native".into(),
            Self::Arm(tier) => tier.name().into(),
            Self::Random(n) => format!("random{n}"),
        }
    }
}

/// Largest window that is described.
pub const SIDE: u32 = 256;

/// The pixels of a picture in a delivery. Random choices depend on the seed, the picture's path and
/// the delivery's number alone.
///
/// # Errors
/// [`TrainError::Picture`] of the encoder.
pub fn deliver(
    picture: &RgbImage,
    item: &Item,
    delivery: Delivery,
    augment: &Augment,
    seed: u64,
) -> Result<RgbImage, TrainError> {
    let fault = |e| picture_error(Path::new(&item.path), &e);
    match delivery {
        Delivery::Native => {
            let side = picture.width().min(picture.height()).min(SIDE);
            Ok(crate::augment::centre(picture, side))
        }
        Delivery::Arm(tier) => calibrate::deliver(picture, tier).map_err(fault),
        Delivery::Random(n) => {
            let digest = Sha256::digest(format!("{seed}/{n}/{}", item.path));
            let mut key = [0; 32];
            key.copy_from_slice(&digest);
            let plan = Plan::draw(augment, &mut ChaCha8Rng::from_seed(key));
            plan.deliver(picture, SIDE).map_err(fault)
        }
    }
}

/// Writes the cache of `items` into `folder`; returns the number of rows. Windows that are too small
/// to be described are left out of it.
///
/// # Errors
/// [`TrainError`] of the first picture that cannot be read; the cache is then not complete.
pub fn cache(
    root: &Path,
    items: &[Item],
    deliveries: &[Delivery],
    augment: &Augment,
    seed: u64,
    folder: &Path,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<usize, TrainError> {
    std::fs::create_dir_all(folder).map_err(io_error(folder))?;
    let (data_path, index_path) = (folder.join("features.f32"), folder.join("index.csv"));
    let mut data = BufWriter::new(std::fs::File::create(&data_path).map_err(io_error(&data_path))?);
    let mut index = csv::Writer::from_path(&index_path)
        .map_err(|e| TrainError::Recipe(format!("{}: {e}", index_path.display())))?;
    let fault = |e: csv::Error| TrainError::Recipe(format!("{}: {e}", index_path.display()));
    index
        .write_record([
            "path",
            "label",
            "group",
            "match_set",
            "fold",
            "delivery",
            "width",
            "height",
        ])
        .map_err(fault)?;
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::sync_channel(64);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut rows = 0;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(i) else { break };
                    let described = batch::open(&root.join(&item.path)).and_then(|picture| {
                        deliveries
                            .iter()
                            .map(|d| {
                                let p = deliver(&picture, item, *d, augment, seed)?;
                                Ok((*d, p.dimensions(), rich::describe(&p)))
                            })
                            .collect::<Result<Vec<_>, TrainError>>()
                    });
                    if send.send((i, described)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        for (done, (i, described)) in receive.iter().enumerate() {
            let item = &items[i];
            for (delivery, (width, height), vector) in described? {
                let Some(vector) = vector else { continue };
                for v in vector {
                    data.write_all(&v.to_le_bytes())
                        .map_err(io_error(&data_path))?;
                }
                index
                    .write_record([
                        item.path.as_str(),
                        &item.label.to_string(),
                        &item.group,
                        &item.match_set,
                        &item.fold,
                        &delivery.name(),
                        &width.to_string(),
                        &height.to_string(),
                    ])
                    .map_err(fault)?;
                rows += 1;
            }
            progress(done + 1);
        }
        Ok::<(), TrainError>(())
    })?;
    data.flush().map_err(io_error(&data_path))?;
    index.flush().map_err(io_error(&index_path))?;
    Ok(rows)
}
