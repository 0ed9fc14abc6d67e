//! Makes aligned pairs: authentic training pictures that went through a network which re-makes their pixels.
//!
//! A pair shows the same content in the same encoding, so all that tells its sides apart is the trace of
//! the maker (Dual Data Alignment, arXiv 2505.14359). One maker's trace is one more fingerprint to
//! memorise; hence several families: a published autoencoder, autoencoders of our own that differ in how they
//! enlarge their maps, and published up-samplers.
//!
//! `OUT/MAKER/PATH.png` is the re-made central window of the picture `PATH`; `OUT/pairs.tsv` lists all.
//! What exists is kept, so that an interrupted run goes on.

use std::path::{Path, PathBuf};

use burn::module::AutodiffModule;
use burn::optim::{AdamWConfig, GradientsParams, Optimizer};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use realscope_data::manifest::Item;
use realscope_delivery::{self as delivery, Filter};
use realscope_nn::autoencoder::{Autoencoder, AutoencoderConfig, Upsampling};
use realscope_nn::taesd::{Decoder, Encoder};
use realscope_nn::upscale::{Compact, FACTOR, Span};
use realscope_nn::{Parameters, StateDict};
use sha2::{Digest as _, Sha256};

use crate::blend;
use crate::error::{TrainError, io_error, picture_error};
use crate::pairs::{self, Maker, Pair};
use crate::picture;

/// The network of one of our own makers.
fn own(maker: Maker) -> Option<AutoencoderConfig> {
    match maker {
        Maker::Transposed => Some(AutoencoderConfig::plain(Upsampling::Transposed)),
        Maker::Nearest => Some(AutoencoderConfig::plain(Upsampling::Nearest)),
        Maker::Shuffle => Some(AutoencoderConfig::plain(Upsampling::PixelShuffle)),
        Maker::Quantized => Some(AutoencoderConfig::quantized(Upsampling::Bilinear)),
        Maker::Taef2 | Maker::Span | Maker::Compact | Maker::Blended => None,
    }
}

/// How pairs are made.
#[derive(Clone, Debug)]
pub struct SynthOptions {
    /// Makers to use.
    pub makers: Vec<Maker>,
    /// Makers that each picture goes through, chosen by its path.
    pub each: usize,
    /// Longest side of the window.
    pub side: u32,
    /// Folder of `span.safetensors` and `compact.safetensors`.
    pub weights: PathBuf,
    /// Steps that each of our own makers is trained.
    pub steps: usize,
    /// Seed.
    pub seed: u64,
}

/// The central window with sides that are multiples of eight, on the block grid of the picture.
fn window(picture: &RgbImage, side: u32) -> Option<[u32; 4]> {
    let cut = |v: u32| v.min(side) / 8 * 8;
    let (w, h) = (cut(picture.width()), cut(picture.height()));
    (w >= 64 && h >= 64).then(|| {
        [
            (picture.width() - w) / 2 / 8 * 8,
            (picture.height() - h) / 2 / 8 * 8,
            w,
            h,
        ]
    })
}

fn digest(options: &SynthOptions, path: &str) -> ChaCha8Rng {
    let hash = Sha256::digest(format!("{}/{path}", options.seed));
    let mut key = [0; 32];
    key.copy_from_slice(&hash);
    ChaCha8Rng::from_seed(key)
}

/// The makers of a picture; does not depend on their order in the options.
fn chosen(options: &SynthOptions, path: &str) -> Vec<Maker> {
    let mut order = options.makers.clone();
    order.sort_by_key(|m| Sha256::digest(format!("{}/{path}/{}", options.seed, m.name())).to_vec());
    order.truncate(options.each);
    order
}

/// The re-made picture with the authentic one's tones: what is coarser than 6 pixels comes from the
/// latter, so that no shift of colour gives a pair away (frequency alignment of Dual Data Alignment).
fn align(fake: &RgbImage, real: &RgbImage) -> RgbImage {
    const SIGMA: f32 = 6.0;
    let (coarse_fake, coarse_real) = (
        image::imageops::fast_blur(fake, SIGMA),
        image::imageops::fast_blur(real, SIGMA),
    );
    let mut out = fake.clone();
    for ((o, f), r) in out
        .iter_mut()
        .zip(coarse_fake.iter())
        .zip(coarse_real.iter())
    {
        let v = i32::from(*o) + i32::from(*r) - i32::from(*f);
        *o = v.clamp(0, 255) as u8;
    }
    out
}

fn to_tensor<B: Backend>(pictures: &[RgbImage], device: &B::Device) -> Tensor<B, 4> {
    let (w, h) = pictures[0].dimensions();
    let mut values = Vec::with_capacity(pictures.len() * 3 * (w * h) as usize);
    for picture in pictures {
        for c in 0..3 {
            let plane = picture.as_raw().iter().skip(c).step_by(3);
            values.extend(plane.map(|v| f32::from(*v) / 255.0));
        }
    }
    let shape = [pictures.len(), 3, h as usize, w as usize];
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn to_picture<B: Backend>(x: Tensor<B, 4>) -> RgbImage {
    let [_, _, h, w] = x.dims();
    let values: Vec<f32> = x.into_data().iter::<f32>().collect();
    RgbImage::from_fn(w as u32, h as u32, |i, j| {
        let at = j as usize * w + i as usize;
        image::Rgb(std::array::from_fn(|c| {
            (values[c * h * w + at] * 255.0).round().clamp(0.0, 255.0) as u8
        }))
    })
}

/// A loaded maker.
enum Loaded<B: Backend> {
    Taef2(Box<(Encoder<B>, Decoder<B>)>),
    Own(Box<Autoencoder<B>>),
    Span(Box<Span<B>>),
    Compact(Box<Compact<B>>),
    Blended,
}

impl<B: Backend> Loaded<B> {
    fn remake(
        &self,
        picture: &RgbImage,
        rng: &mut ChaCha8Rng,
        device: &B::Device,
    ) -> Result<RgbImage, delivery::DeliveryError> {
        let (w, h) = picture.dimensions();
        let whole = || to_tensor::<B>(std::slice::from_ref(picture), device);
        let enlarged = match self {
            // Tones of its own would give a pair away, except where they are the manipulation.
            Self::Blended => return blend::blended(picture, rng),
            Self::Taef2(pair) => {
                let made = to_picture(pair.1.forward(pair.0.forward(whole())));
                return Ok(align(&made, picture));
            }
            Self::Own(network) => return Ok(align(&to_picture(network.forward(whole())), picture)),
            Self::Span(_) | Self::Compact(_) => {
                // Halving keeps most detail and still leaves the up-sampler's trace; a quarter is what
                // its authors trained it for.
                let by = *[2, 2, 3, 4].choose(rng).unwrap_or(&2);
                let filters = [Filter::Bicubic, Filter::Lanczos3, Filter::Box];
                let filter = *filters.choose(rng).unwrap_or(&Filter::Bicubic);
                let small = delivery::resize(picture, w.div_ceil(by), h.div_ceil(by), filter)?;
                let small = to_tensor::<B>(std::slice::from_ref(&small), device);
                to_picture(match self {
                    Self::Span(network) => network.forward(small),
                    Self::Compact(network) => network.forward(small),
                    _ => small,
                })
            }
        };
        debug_assert!(enlarged.width() >= w / FACTOR as u32);
        let made = delivery::resize(&enlarged, w, h, Filter::Lanczos3)?;
        Ok(align(&made, picture))
    }
}

/// Trains one of our own makers on windows of authentic pictures, unless its weights exist.
fn train_own<B: AutodiffBackend>(
    config: &AutoencoderConfig,
    options: &SynthOptions,
    root: &Path,
    items: &[Item],
    file: &Path,
    device: &B::Device,
    log: &mut dyn FnMut(&str),
) -> Result<Autoencoder<B::InnerBackend>, TrainError> {
    const SIDE: u32 = 96;
    const BATCH: usize = 8;
    B::seed(device, options.seed);
    let mut network = config.init::<B>(device);
    if file.is_file() {
        network.load(&StateDict::read(file)?, device)?;
        return Ok(network.valid());
    }
    let mut optimizer = AdamWConfig::new()
        .with_epsilon(1e-8)
        .with_weight_decay(0.0)
        .init::<B, Autoencoder<B>>();
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    for step in 0..options.steps {
        let mut windows = Vec::with_capacity(BATCH);
        while windows.len() < BATCH {
            let Some(item) = items.choose(&mut rng) else {
                return Err(TrainError::Recipe("no authentic picture".into()));
            };
            let picture = picture::open(&root.join(&item.path))?;
            let (w, h) = picture.dimensions();
            if w < SIDE || h < SIDE {
                continue;
            }
            let (x, y) = (
                rng.random_range(0..=w - SIDE),
                rng.random_range(0..=h - SIDE),
            );
            windows.push(delivery::crop(&picture, x, y, SIDE, SIDE));
        }
        let truth = to_tensor::<B>(&windows, device);
        let made = network.forward(truth.clone());
        let error = made - truth;
        let side = SIDE as usize;
        // Differences of neighbours count as well, or fine texture is averaged away.
        let along = |x: &Tensor<B, 4>, dim: usize| {
            (x.clone().narrow(dim, 1, side - 1) - x.clone().narrow(dim, 0, side - 1))
                .abs()
                .mean()
        };
        let loss = along(&error, 2) + along(&error, 3) + error.abs().mean();
        let value = loss.clone().into_data().iter::<f32>().next();
        if !value.is_some_and(f32::is_finite) {
            return Err(TrainError::Diverged { step });
        }
        let progress = step as f64 / options.steps as f64;
        let rate = 2e-3 * (0.02 + 0.98 * (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0);
        let rate = rate * ((step + 1) as f64 / 50.0).min(1.0);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(rate, network, gradients);
        if (step + 1) % 100 == 0 {
            log(&format!(
                "{} step {}: loss {:.4}",
                file.display(),
                step + 1,
                value.unwrap_or(f32::NAN)
            ));
        }
    }
    let bytes = network
        .state_dict()
        .to_safetensors()
        .map_err(|e| TrainError::Checkpoint {
            path: file.to_owned(),
            reason: e.to_string(),
        })?;
    std::fs::write(file, bytes).map_err(io_error(file))?;
    Ok(network.valid())
}

fn load<B: AutodiffBackend>(
    maker: Maker,
    options: &SynthOptions,
    root: &Path,
    out: &Path,
    items: &[Item],
    device: &B::Device,
    log: &mut dyn FnMut(&str),
) -> Result<Loaded<B::InnerBackend>, TrainError> {
    type Inner<B> = <B as AutodiffBackend>::InnerBackend;
    let published = |name: &str| StateDict::read(&options.weights.join(name));
    if let Some(config) = own(maker) {
        let folder = out.join("makers");
        std::fs::create_dir_all(&folder).map_err(io_error(&folder))?;
        let file = folder.join(format!("{}.safetensors", maker.name()));
        let network = train_own::<B>(&config, options, root, items, &file, device, log)?;
        return Ok(Loaded::Own(Box::new(network)));
    }
    Ok(match maker {
        Maker::Span => {
            let mut network = Span::<Inner<B>>::init(device);
            network.load(&published("span.safetensors")?, device)?;
            Loaded::Span(Box::new(network))
        }
        Maker::Blended => Loaded::Blended,
        Maker::Compact => {
            let mut network = Compact::<Inner<B>>::init(device);
            network.load(&published("compact.safetensors")?, device)?;
            Loaded::Compact(Box::new(network))
        }
        _ => {
            let folder = root.join("weights");
            let mut encoder = Encoder::<Inner<B>>::init(device);
            encoder.load(&StateDict::read(&folder.join("taef2_encoder.pth"))?, device)?;
            let mut decoder = Decoder::<Inner<B>>::init(device);
            decoder.load(&StateDict::read(&folder.join("taef2_decoder.pth"))?, device)?;
            Loaded::Taef2(Box::new((encoder, decoder)))
        }
    })
}

/// Makes the pairs of all authentic pictures in `items` and lists them in `OUT/pairs.tsv`.
///
/// # Errors
/// [`TrainError`]; what was made so far stays.
pub fn synth<B: AutodiffBackend>(
    items: &[Item],
    root: &Path,
    out: &Path,
    options: &SynthOptions,
    device: &B::Device,
    log: &mut dyn FnMut(&str),
) -> Result<Vec<Pair>, TrainError> {
    let reals: Vec<Item> = items.iter().filter(|i| i.label == 0).cloned().collect();
    std::fs::create_dir_all(out).map_err(io_error(out))?;
    let mut pairs = Vec::new();
    for &maker in &options.makers {
        let mut loaded = None;
        let begun = std::time::Instant::now();
        let mut made = 0_usize;
        for item in &reals {
            let mut rng = digest(options, &item.path);
            if !chosen(options, &item.path).contains(&maker) {
                continue;
            }
            let path = root.join(&item.path);
            let picture = picture::open(&path)?;
            let Some([left, top, width, height]) = window(&picture, options.side) else {
                continue;
            };
            let name = format!("{}/{}.png", maker.name(), item.path);
            let target = out.join(&name);
            if !target.is_file() {
                if loaded.is_none() {
                    loaded = Some(load::<B>(maker, options, root, out, &reals, device, log)?);
                }
                let Some(network) = &loaded else { continue };
                let cut = delivery::crop(&picture, left, top, width, height);
                let fault = |e: &dyn std::fmt::Display| picture_error(&path, e);
                let fake = network
                    .remake(&cut, &mut rng, device)
                    .map_err(|e| fault(&e))?;
                if let Some(folder) = target.parent() {
                    std::fs::create_dir_all(folder).map_err(io_error(folder))?;
                }
                let partial = target.with_extension("part");
                fake.save_with_format(&partial, image::ImageFormat::Png)
                    .map_err(|e| fault(&e))?;
                std::fs::rename(&partial, &target).map_err(io_error(&target))?;
                made += 1;
                if made.is_multiple_of(100) {
                    let rate = made as f64 / begun.elapsed().as_secs_f64();
                    log(&format!(
                        "{}: {made} made, {rate:.1} a second",
                        maker.name()
                    ));
                }
            }
            pairs.push(Pair {
                path: item.path.clone(),
                maker,
                picture: name,
                left,
                top,
                width,
                height,
            });
        }
    }
    pairs::write(out, &pairs)?;
    Ok(pairs)
}
