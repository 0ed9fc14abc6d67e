//! Aligned pairs: an authentic picture and the same picture re-made, as `realscope data synth` lists them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use image::RgbImage;
use realscope_data::manifest::Item;
use realscope_delivery as delivery;
use serde::{Deserialize, Serialize};

use crate::error::{TrainError, io_error, picture_error};
use crate::picture;

/// A network that re-makes pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Maker {
    /// Tiny autoencoder for FLUX.2 latents, an eighth of the size.
    Taef2,
    /// Own autoencoder, transposed convolutions.
    Transposed,
    /// Own autoencoder, nearest neighbour and convolutions.
    Nearest,
    /// Own autoencoder, pixel shuffle.
    Shuffle,
    /// Own autoencoder with a latent of few levels, bilinear and convolutions.
    Quantized,
    /// Reduced, then enlarged by SPAN.
    Span,
    /// Reduced, then enlarged by Real-ESRGAN's compact network.
    Compact,
    /// Blended with an altered copy of itself (manipulated, not generated).
    Blended,
}

impl Maker {
    /// All makers.
    pub const ALL: [Self; 8] = [
        Self::Taef2,
        Self::Transposed,
        Self::Nearest,
        Self::Shuffle,
        Self::Quantized,
        Self::Span,
        Self::Compact,
        Self::Blended,
    ];

    /// Name in files and options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Taef2 => "taef2",
            Self::Transposed => "transposed",
            Self::Nearest => "nearest",
            Self::Shuffle => "shuffle",
            Self::Quantized => "quantized",
            Self::Span => "span",
            Self::Compact => "compact",
            Self::Blended => "blended",
        }
    }

    /// The maker of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }
}

/// One row of `pairs.tsv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The authentic picture, relative to the data set.
    pub path: String,
    /// What re-made it.
    pub maker: Maker,
    /// The re-made window, relative to the folder of pairs.
    pub picture: String,
    /// Left edge of the window in the authentic picture.
    pub left: u32,
    /// Top edge.
    pub top: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// Reads `FOLDER/pairs.tsv`.
///
/// # Errors
/// [`TrainError::Pairs`] naming the row.
pub fn read(folder: &Path) -> Result<Vec<Pair>, TrainError> {
    let path = folder.join("pairs.tsv");
    let fault = |reason: String| TrainError::Pairs {
        path: path.clone(),
        reason,
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .from_path(&path)
        .map_err(|e| fault(e.to_string()))?;
    reader
        .deserialize()
        .enumerate()
        .map(|(i, row)| row.map_err(|e| fault(format!("row {}: {e}", i + 2))))
        .collect()
}

/// Writes `FOLDER/pairs.tsv`.
///
/// # Errors
/// [`TrainError::Io`].
pub fn write(folder: &Path, pairs: &[Pair]) -> Result<(), TrainError> {
    let mut text = String::from("path\tmaker\tpicture\tleft\ttop\twidth\theight\n");
    for p in pairs {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}",
            p.path,
            p.maker.name(),
            p.picture,
            p.left,
            p.top,
            p.width,
            p.height
        );
    }
    let path = folder.join("pairs.tsv");
    std::fs::write(&path, text).map_err(io_error(&path))
}

/// An authentic picture of a data set and its re-made window.
#[derive(Clone, Debug)]
pub struct AlignedPair {
    /// The authentic picture.
    pub item: Item,
    /// Its row in the list.
    pub pair: Pair,
    folder: PathBuf,
}

impl AlignedPair {
    /// The pairs of authentic pictures among `items`.
    ///
    /// # Errors
    /// Those of [`read`].
    pub fn of(items: &[Item], folder: &Path) -> Result<Vec<Self>, TrainError> {
        let by_path: BTreeMap<&str, &Item> = items
            .iter()
            .filter(|i| i.label == 0)
            .map(|i| (i.path.as_str(), i))
            .collect();
        Ok(read(folder)?
            .into_iter()
            .filter_map(|pair| {
                Some(Self {
                    item: (*by_path.get(pair.path.as_str())?).clone(),
                    pair,
                    folder: folder.to_owned(),
                })
            })
            .collect())
    }

    /// The same window of both: authentic, re-made.
    ///
    /// # Errors
    /// Those of [`picture::open`]; [`TrainError::Picture`] when the window is not of the pair's size.
    pub fn open(&self, root: &Path) -> Result<[RgbImage; 2], TrainError> {
        let p = &self.pair;
        let real = picture::open(&root.join(&self.item.path))?;
        let real = delivery::crop(&real, p.left, p.top, p.width, p.height);
        let path = self.path();
        let fake = picture::open(&path)?;
        if fake.dimensions() != real.dimensions() {
            return Err(picture_error(&path, &"not the window that its list says"));
        }
        Ok([real, fake])
    }

    /// The re-made file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.pair.picture)
    }

    /// The quality at which the authentic picture was first stored: without the same encoding its
    /// re-made window is told by its history.
    #[must_use]
    pub fn quality(&self) -> u8 {
        self.item.jpeg_quality().unwrap_or(95)
    }
}
