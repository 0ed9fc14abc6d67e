//! A detector's passport: everything that is needed to use its weights and to judge them.

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::{Answer, DetectorError, Logit, Mask, Value};

/// How far a detector has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// May change or go.
    Preview,
    /// Kept.
    Stable,
    /// Will be removed.
    Deprecated,
}

/// What a detector answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Is the picture generated?
    GeneratedPicture,
    /// Is the face manipulated or generated?
    ManipulatedFace,
    /// Is the clip generated?
    GeneratedClip,
    /// Which parts of the picture are generated or manipulated?
    Localisation,
    /// Which generator made it?
    Attribution,
    /// None by itself: it yields what the head of another detector reads.
    Encoder,
}

/// Order of a clip's frames in the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipLayout {
    /// `[batch, frame, channel, height, width]`.
    FrameFirst,
    /// `[batch, channel, frame, height, width]`.
    ChannelFirst,
}

/// What becomes of a video that is shorter than a clip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooFew {
    /// The detector is not made for it.
    #[default]
    Refuse,
    /// Its last frame is shown again.
    RepeatLast,
    /// Its frames are taken closer together, so that the clip spans it; one with fewer frames than a clip is refused.
    Closer,
}

/// How far apart the frames of a clip lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Frames of the source from one to the next.
    Stride(u32),
    /// Frames a second.
    PerSecond(f64),
}

/// How a frame of a clip is brought to the input's square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// As [`View::ShorterSide`].
    #[default]
    ShorterSide,
    /// As [`View::Squash`].
    Squash,
    /// One face, followed through the clip.
    Face(Crop),
}

/// What is shown of a face.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// Side of the crop as a multiple of the box's longer side, or where faces are aligned of the square in which eyes,
    /// nose and mouth have their fixed places.
    pub margin: f64,
    /// Whether eyes, nose and mouth are brought to fixed places.
    pub aligned: bool,
}

impl Crop {
    fn check(self) -> Result<(), String> {
        if (0.5..=4.0).contains(&self.margin) {
            Ok(())
        } else {
            Err(format!("margin {}", self.margin))
        }
    }
}

/// What a detector of clips is shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// Frames of a clip.
    pub frames: usize,
    /// How far apart they lie.
    pub pace: Pace,
    /// Their order in the input.
    pub layout: ClipLayout,
    /// What happens to a shorter video.
    #[serde(default)]
    pub too_few: TooFew,
    /// Share of a frame's longer side that is cut off at each of its ends.
    #[serde(default)]
    pub trim: f64,
    /// How what remains is brought to the input's square.
    #[serde(default)]
    pub fit: Fit,
}

impl Clip {
    fn check(self) -> Result<(), String> {
        let paced = match self.pace {
            Pace::Stride(stride) => (1..=1024).contains(&stride),
            Pace::PerSecond(rate) => (0.01..=1000.0).contains(&rate),
        };
        if !(2..=1024).contains(&self.frames) || !paced {
            return Err(format!(
                "{} frames at the pace {:?}",
                self.frames, self.pace
            ));
        }
        if !(0.0..0.5).contains(&self.trim) {
            return Err(format!("a trim of {}", self.trim));
        }
        match self.fit {
            Fit::Face(_) if self.trim > 0.0 => Err("a trim beside a face".into()),
            Fit::Face(crop) => crop.check(),
            Fit::ShorterSide | Fit::Squash => Ok(()),
        }
    }
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum View {
    /// The whole picture: the shorter side resized to the input, then the centre.
    ShorterSide,
    /// The whole picture resized, aspect ratio not kept.
    Squash,
    /// The whole picture: the shorter side resized to `shorter`, then the centre, as torchvision does it.
    ShorterSideCentre {
        /// Pixels of the shorter side, no fewer than the input's.
        shorter: u32,
    },
    /// The centre at native resolution; a smaller picture lies in the middle of black.
    Centre,
    /// Windows at native resolution.
    Windows {
        /// Most windows of a picture.
        most: usize,
    },
    /// The whole picture like [`View::ShorterSide`], and native windows beside it.
    WholeAndWindows {
        /// Most windows of a picture.
        most: usize,
    },
    /// A face.
    Face(Crop),
    /// Frames of a clip.
    Clip(Clip),
}

impl View {
    /// A face that is not aligned.
    #[must_use]
    pub fn face(margin: f64) -> Self {
        Self::Face(Crop {
            margin,
            aligned: false,
        })
    }

    fn check(self) -> Result<(), String> {
        match self {
            Self::Face(crop) => crop.check(),
            Self::Clip(clip) => clip.check(),
            _ => Ok(()),
        }
    }

    /// Whether single faces are shown.
    #[must_use]
    pub fn is_face(self) -> bool {
        matches!(self, Self::Face(_))
    }

    /// Whether faces must be found, in single frames or in clips.
    #[must_use]
    pub fn wants_faces(self) -> bool {
        match self {
            Self::Clip(clip) => matches!(clip.fit, Fit::Face(_)),
            view => view.is_face(),
        }
    }

    /// Frames of one sample.
    #[must_use]
    pub fn frames(self) -> usize {
        match self {
            Self::Clip(clip) => clip.frames,
            _ => 1,
        }
    }

    /// Whether pictures are shown, or parts of them at fixed places.
    #[must_use]
    pub fn is_picture(self) -> bool {
        !matches!(self, Self::Face(_) | Self::Clip(_))
    }

    /// What is shown of clips; `None` of a detector that sees single frames.
    #[must_use]
    pub fn clip(self) -> Option<Clip> {
        match self {
            Self::Clip(clip) => Some(clip),
            _ => None,
        }
    }
}

/// Order of the colour channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first.
    Bgr,
}

/// Preprocessing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Side of the square input in pixels.
    pub size: u32,
    /// Resampling filter where a view is resized.
    pub filter: Filter,
    /// Order of the channels.
    #[serde(default)]
    pub colour: Colour,
    /// Mean per channel (R, G, B), of values in `[0, 1]`.
    pub mean: [f32; 3],
    /// Standard deviation per channel (R, G, B).
    pub std: [f32; 3],
    /// What is shown.
    pub view: View,
}

impl Input {
    /// Checks what a card from outside may get wrong.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        if !(16..=2048).contains(&self.size) {
            return Err(format!("input size {}", self.size));
        }
        self.view.check()?;
        match self.view {
            View::Windows { most } | View::WholeAndWindows { most }
                if !(1..=1024).contains(&most) =>
            {
                return Err(format!("{most} windows"));
            }
            View::ShorterSideCentre { shorter }
                if !(self.size..=4 * self.size).contains(&shorter) =>
            {
                return Err(format!(
                    "a shorter side of {shorter} pixels for an input of {}",
                    self.size
                ));
            }
            _ => {}
        }
        if self.mean.iter().any(|m| !m.is_finite()) {
            return Err("mean must be finite".into());
        }
        if self.std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return Err("std must be positive".into());
        }
        Ok(())
    }
}

/// Resampling filters of cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Triangle with antialiasing.
    Bilinear,
    /// Catmull-Rom with antialiasing.
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos3,
}

impl From<Filter> for realscope_delivery::Filter {
    fn from(filter: Filter) -> Self {
        match filter {
            Filter::Bilinear => Self::Bilinear,
            Filter::Bicubic => Self::Bicubic,
            Filter::Lanczos3 => Self::Lanczos3,
        }
    }
}

/// How an output of the network becomes a logit whose positive side is "generated".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Polarity {
    /// One logit, positive = generated.
    Generated,
    /// One logit, positive = authentic.
    Authentic,
    /// Two logits: authentic, generated.
    AuthenticGenerated,
    /// Two logits: generated, authentic.
    GeneratedAuthentic,
}

/// What a binary head judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// Pictures, and frames of videos where no head is for those.
    #[default]
    Picture,
    /// Frames of videos.
    Video,
    /// Faces in frames of videos.
    Face,
}

impl Medium {
    fn is_picture(&self) -> bool {
        *self == Self::Picture
    }
}

/// What a flag speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagKind {
    /// The picture looks painted or drawn; what looks so is not accused.
    Artwork,
}

/// What a flag's threshold did on pictures of held-out folds: shares at or above it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagRates {
    /// Of authentic photographs.
    pub photographs: f64,
    /// Of authentic pictures that are painted, drawn or rendered, or of photographs after a filter that makes them so.
    pub filtered: f64,
    /// Of generated pictures in artists' styles.
    pub styled: f64,
    /// Of all generated pictures.
    pub generated: f64,
}

/// One thing that a network says.
///
/// `output` names the network's output; without it the first one is meant. Where an output has several columns,
/// `column` is the first that is meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Head {
    /// Generated or not.
    Binary {
        /// Output of the network.
        #[serde(default)]
        output: Option<String>,
        /// First column.
        #[serde(default)]
        column: usize,
        /// How it becomes a logit.
        polarity: Polarity,
        /// What it judges.
        #[serde(default, skip_serializing_if = "Medium::is_picture")]
        medium: Medium,
    },
    /// One of several classes.
    Classes {
        /// Output of the network.
        #[serde(default)]
        output: Option<String>,
        /// Names of the classes, in the order of the columns.
        names: Vec<String>,
    },
    /// A map, `[batch, cells]`, `[batch, height, width]` or `[batch, 1, height, width]`.
    Mask {
        /// Output of the network.
        #[serde(default)]
        output: Option<String>,
        /// Pixels of the input from one cell to the next.
        stride: u32,
    },
    /// A vector.
    Embedding {
        /// Output of the network.
        #[serde(default)]
        output: Option<String>,
        /// Its numbers.
        size: usize,
    },
    /// A second opinion that holds a verdict back.
    Flag {
        /// Output of the network.
        #[serde(default)]
        output: Option<String>,
        /// Column.
        #[serde(default)]
        column: usize,
        /// What it speaks of.
        flag: FlagKind,
        /// Logit from which it speaks.
        threshold: f64,
        /// What the threshold did on validation pictures.
        #[serde(default)]
        rates: Option<FlagRates>,
    },
}

impl Head {
    /// Whether it says of a medium that it is generated or not.
    #[must_use]
    pub fn judges(&self, of: Medium) -> bool {
        matches!(self, Self::Binary { medium, .. } if *medium == of)
    }

    /// Name of the network's output; `None` for the first.
    #[must_use]
    pub fn output(&self) -> Option<&str> {
        match self {
            Self::Binary { output, .. }
            | Self::Classes { output, .. }
            | Self::Mask { output, .. }
            | Self::Embedding { output, .. }
            | Self::Flag { output, .. } => output.as_deref(),
        }
    }

    /// Checks what a card from outside may get wrong about a head on this input.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, input: &Input) -> Result<(), String> {
        match self {
            Self::Binary { .. } => Ok(()),
            Self::Classes { names, .. } => {
                let twice = |i: usize| names[..i].contains(&names[i]) || names[i].is_empty();
                if names.len() < 2 || (0..names.len()).any(twice) {
                    return Err(format!("classes {names:?}"));
                }
                Ok(())
            }
            Self::Mask { stride, .. } => {
                if *stride == 0 || *stride > input.size || !input.size.is_multiple_of(*stride) {
                    return Err(format!(
                        "a map with a stride of {stride} over {} pixels",
                        input.size
                    ));
                }
                Ok(())
            }
            Self::Embedding { size, .. } if *size == 0 => Err("an empty embedding".into()),
            Self::Embedding { .. } => Ok(()),
            Self::Flag { threshold, .. } if !threshold.is_finite() => {
                Err(format!("the threshold {threshold}"))
            }
            Self::Flag { .. } => Ok(()),
        }
    }

    /// Whether an answer with both heads would be ambiguous.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Binary { medium: a, .. }, Self::Binary { medium: b, .. }) => a == b,
            (Self::Mask { .. }, Self::Mask { .. }) => true,
            (Self::Flag { flag: a, .. }, Self::Flag { flag: b, .. }) => a == b,
            _ => false,
        }
    }
}

/// How the head for faces is shown them, and what its logits mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faces {
    /// Side of the crop as a multiple of the longer side of a face's box.
    pub margin: f64,
    /// Calibration of the mean logit of the looks at one face.
    pub calibration: Calibration,
}

/// The passport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Stable id.
    pub id: String,
    /// One line for people.
    pub summary: String,
    /// How far it has come.
    pub status: Status,
    /// Version of the program that first had it.
    pub since: String,
    /// What it answers.
    pub task: Task,
    /// SHA-256 of the deployed weights (the ONNX file), lower-case hex; empty until installed.
    #[serde(default)]
    pub weights_sha256: String,
    /// Hash of the encoder file that a head was trained on.
    #[serde(default)]
    pub encoder_sha256: Option<String>,
    /// Engines that can run it, best first.
    pub engines: Vec<realscope_engine::EngineKind>,
    /// Licence of the weights.
    pub licence: String,
    /// What it was trained on.
    pub training_data: String,
    /// Where the method is described.
    pub citation: String,
    /// Cases in which it is known to fail.
    pub known_failures: Vec<String>,
    /// Share of the cells of authentic pictures that its map puts at or above the decision threshold, on pictures that
    /// training has not seen.
    #[serde(default)]
    pub map_false_alarm_rate: Option<f64>,
    /// Mean pixel AUC of its map on authentic pictures with a pasted generated region, none of them seen in training.
    #[serde(default)]
    pub map_pixel_auc: Option<f64>,
    /// Preprocessing.
    pub input: Input,
    /// What comes out.
    pub heads: Vec<Head>,
    /// Calibration of the binary head; without one, its verdict is at most `uncertain`.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// Calibration of the mean logit of a video's frames; without one that of pictures serves.
    #[serde(default)]
    pub video: Option<Calibration>,
    /// What a unit of one frame's logit counts by the head for videos, in log-odds. The scale of `video` says how much
    /// all frames of a video together tell.
    #[serde(default)]
    pub video_frame_scale: Option<f64>,
    /// The head for faces that are followed through a video; none where the detector has no such head.
    #[serde(default)]
    pub faces: Option<Faces>,
}

impl Card {
    /// The card in `text` (TOML) of detector `id`.
    ///
    /// # Errors
    /// [`DetectorError::Corrupt`] when it is no card, or another detector's.
    pub fn parse(id: &str, text: &str) -> Result<Self, DetectorError> {
        let corrupt = |reason: String| DetectorError::Corrupt {
            id: id.into(),
            reason,
        };
        let card: Self = toml::from_str(text).map_err(|e| corrupt(e.to_string()))?;
        if card.id != id {
            return Err(corrupt(format!("its card is that of `{}`", card.id)));
        }
        card.check().map_err(corrupt)?;
        Ok(card)
    }

    /// Checks input, heads, and that they fit each other.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        self.input.check()?;
        if self.heads.is_empty() {
            return Err("its card names no head".into());
        }
        if self.engines.is_empty() {
            return Err("its card names no engine".into());
        }
        for (i, head) in self.heads.iter().enumerate() {
            head.check(&self.input)?;
            if self.heads[..i].iter().any(|other| head.is_like(other)) {
                return Err("its card names a head twice".into());
            }
        }
        let calibrated = self.calibration.is_some() || self.video.is_some();
        let judges = |of| self.heads.iter().any(|h| h.judges(of));
        if calibrated && !judges(Medium::Picture) {
            return Err("its card calibrates a head that it does not name".into());
        }
        if judges(Medium::Video) && self.video.is_none() {
            return Err("its card names a head for videos without calibration".into());
        }
        if judges(Medium::Face) != self.faces.is_some() {
            return Err(
                "its card names a head for faces without calibration, or the reverse".into(),
            );
        }
        match &self.faces {
            Some(faces) => View::face(faces.margin).check(),
            None => Ok(()),
        }
    }

    /// Puts the head of a medium into the place of that of pictures, where there is one.
    fn judge(&mut self, of: Medium) {
        if self.heads.iter().any(|h| h.judges(of)) {
            for head in &mut self.heads {
                if let Head::Binary { medium, .. } = head {
                    *medium = match *medium {
                        Medium::Picture => of,
                        own if own == of => Medium::Picture,
                        other => other,
                    };
                }
            }
        }
    }

    /// The card as it speaks of videos: their head and their calibration stand in the place of those of pictures.
    #[must_use]
    pub fn of_videos(&self) -> Self {
        let mut card = self.clone();
        if let Some(video) = card.video.take() {
            card.calibration = Some(video);
        }
        card.judge(Medium::Video);
        card
    }

    /// The card as it speaks of faces in videos: what they are shown as, their head and their calibration stand in the
    /// place of those of pictures. `None` of a detector without such a head.
    #[must_use]
    pub fn of_faces(&self) -> Option<Self> {
        let mut card = self.clone();
        let faces = card.faces.take()?;
        card.input.view = View::face(faces.margin);
        card.calibration = Some(faces.calibration);
        card.video = None;
        card.judge(Medium::Face);
        Some(card)
    }

    /// What a unit of one frame's logit counts in a video, in log-odds.
    #[must_use]
    pub fn frame_scale(&self) -> f64 {
        let of_pictures = self.calibration.as_ref().map_or(1.0, |c| c.scale);
        self.video_frame_scale.unwrap_or(of_pictures)
    }

    fn value<'a>(&self, answer: &'a Answer, is: impl Fn(&Head) -> bool) -> Option<&'a Value> {
        let at = self.heads.iter().position(is)?;
        answer.0.get(at)
    }

    /// The logit of the binary head for pictures in an answer.
    #[must_use]
    pub fn logit(&self, answer: &Answer) -> Option<Logit> {
        match self.value(answer, |h| h.judges(Medium::Picture))? {
            Value::Logit(logit) => Some(*logit),
            _ => None,
        }
    }

    /// The map in an answer.
    #[must_use]
    pub fn mask<'a>(&self, answer: &'a Answer) -> Option<&'a Mask> {
        match self.value(answer, |h| matches!(h, Head::Mask { .. }))? {
            Value::Mask(mask) => Some(mask),
            _ => None,
        }
    }

    /// Pixels of the input from one cell of the map to the next; `None` of a detector without such a head.
    #[must_use]
    pub fn mask_stride(&self) -> Option<u32> {
        self.heads.iter().find_map(|h| match h {
            Head::Mask { stride, .. } => Some(*stride),
            _ => None,
        })
    }

    /// The threshold of a flag that the detector has.
    #[must_use]
    pub fn flag_threshold(&self, kind: FlagKind) -> Option<f64> {
        self.heads.iter().find_map(|h| match h {
            Head::Flag {
                flag, threshold, ..
            } if *flag == kind => Some(*threshold),
            _ => None,
        })
    }

    /// A flag's logit in an answer.
    #[must_use]
    pub fn flag(&self, answer: &Answer, kind: FlagKind) -> Option<Logit> {
        let is = |h: &Head| matches!(h, Head::Flag { flag, .. } if *flag == kind);
        match self.value(answer, is)? {
            Value::Logit(logit) => Some(*logit),
            _ => None,
        }
    }
}
