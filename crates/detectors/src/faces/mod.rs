//! Finds faces in a picture.
//!
//! The network is BlazeFace in MediaPipe's short-range form (Bazarevsky et al., 2019, arXiv 1907.05047; weights
//! Apache-2.0), which sees squares of 128 pixels. It is made for a face that fills a good part of its square, so a
//! picture is shown in several: the whole, squares of its shorter side, and squares of half of that, each overlapping
//! the next by half.

mod read;

use image::{Rgb, RgbImage};
use realscope_delivery::{self as delivery, Filter};
use realscope_engine::{self as engine, Choice, Engine, Threads};

use crate::prepare::{self, FaceBox};
use crate::{Card, DetectorError, Rect, Sample};

/// Pixels of the network's input, each way.
const SIZE: u32 = 128;
/// Pixels to which the shorter side of a picture is reduced before squares are cut.
const SHORTER: u32 = 2 * SIZE;
/// Least score of a face.
const LEAST: f32 = 0.85;
/// Least side of a face, in pixels of the picture: smaller ones show too little.
pub const SMALLEST: u32 = 48;
/// Most faces of one picture that a detector of faces judges.
pub const JUDGED: usize = 4;
/// Most faces of a picture; the largest are kept.
pub const MOST: usize = 16;
/// Squares of a picture whose sides differ more than this are cut along the longer side.
const OBLONG: f64 = 1.2;
/// Most squares of a picture. What is longer than that is no picture of faces.
const MOST_SQUARES: usize = 64;

/// The embedded network.
const WEIGHTS: &[u8] = include_bytes!("weights.onnx");

/// Finds faces.
pub struct FaceFinder(Box<dyn Engine>);

/// A face, in pixels of what was shown.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Found {
    /// Left, top, right, bottom.
    edges: [f32; 4],
    /// Left eye, right eye, tip of the nose, middle of the mouth, left and right ear.
    points: [[f32; 2]; 6],
    score: f32,
}

impl Found {
    /// The same face in pixels of a picture of which the square at (`left`, `top`) was shown, `scale` times as large.
    fn placed(self, left: f32, top: f32, scale: f32) -> Self {
        let [l, t, r, b] = self.edges;
        let x = |v: f32| v.mul_add(scale, left);
        let y = |v: f32| v.mul_add(scale, top);
        Self {
            edges: [x(l), y(t), x(r), y(b)],
            points: self.points.map(|[u, v]| [x(u), y(v)]),
            score: self.score,
        }
    }

    fn area(&self) -> f32 {
        let [l, t, r, b] = self.edges;
        (r - l).max(0.0) * (b - t).max(0.0)
    }

    /// Share of the smaller of both boxes that lies in the other.
    fn overlap(&self, other: &Self) -> f32 {
        let (a, b) = (self.edges, other.edges);
        let width = a[2].min(b[2]) - a[0].max(b[0]);
        let height = a[3].min(b[3]) - a[1].max(b[1]);
        let least = self.area().min(other.area());
        width.max(0.0) * height.max(0.0) / least.max(f32::MIN_POSITIVE)
    }
}

/// A square of a picture, in its pixels; it may be larger than the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Square {
    left: u32,
    top: u32,
    side: u32,
}

/// Places of squares of `side` pixels along `length`, overlapping by half at least, the last at the end.
fn along(length: u32, side: u32) -> Vec<u32> {
    let Some(rest) = length.checked_sub(side) else {
        return vec![0];
    };
    let steps = (2 * rest).div_ceil(side);
    let place = |i: u32| u64::from(rest) * u64::from(i) / u64::from(steps.max(1));
    // At most `rest`.
    (0..=steps).map(|i| place(i) as u32).collect()
}

/// The squares in which a picture is shown.
fn squares(width: u32, height: u32) -> Vec<Square> {
    let (shorter, longer) = (width.min(height), width.max(height));
    let mut out = vec![Square {
        left: 0,
        top: 0,
        side: longer,
    }];
    let mut add = |side: u32| {
        for top in along(height, side) {
            let row = along(width, side).into_iter();
            out.extend(row.map(|left| Square { left, top, side }));
        }
    };
    if f64::from(longer) > OBLONG * f64::from(shorter) {
        add(shorter);
    }
    if shorter >= SHORTER {
        add(shorter / 2);
    }
    out.truncate(MOST_SQUARES);
    out
}

/// What the network is shown of a square: black where it reaches beyond the picture. Values from -1 to 1.
fn show(picture: &RgbImage, square: Square) -> Result<Vec<f32>, DetectorError> {
    let Square { left, top, side } = square;
    let width = side.min(picture.width() - left);
    let height = side.min(picture.height() - top);
    let scaled = |v: u32| {
        let v = f64::from(v) * f64::from(SIZE) / f64::from(side);
        (v.round() as u32).clamp(1, SIZE)
    };
    let part = delivery::crop(picture, left, top, width, height);
    let part = delivery::resize(&part, scaled(width), scaled(height), Filter::Bilinear)?;
    let mut shown = RgbImage::from_pixel(SIZE, SIZE, Rgb([0; 3]));
    image::imageops::replace(&mut shown, &part, 0, 0);
    let plane = |channel: usize| {
        let values = shown.as_raw().iter().skip(channel).step_by(3);
        values.map(|v| f32::from(*v) / 127.5 - 1.0)
    };
    Ok((0..3).flat_map(plane).collect())
}

impl FaceFinder {
    /// The finder with the embedded weights.
    ///
    /// # Errors
    /// [`DetectorError::Engine`] when the engine cannot load them.
    pub fn embedded(choice: Choice) -> Result<Self, DetectorError> {
        Ok(Self(engine::load(choice, WEIGHTS)?))
    }

    /// The faces of a picture of at least [`SMALLEST`] pixels, largest first, at most [`MOST`]. The corners of the
    /// mouth are put beside its middle, as far as the distance of the eyes suggests.
    ///
    /// # Errors
    /// [`DetectorError::Engine`], [`DetectorError::Delivery`].
    pub fn find(
        &self,
        picture: &RgbImage,
        threads: &Threads,
    ) -> Result<Vec<FaceBox>, DetectorError> {
        let (width, height) = picture.dimensions();
        if width.min(height) < SMALLEST {
            return Ok(Vec::new());
        }
        let scale = (f64::from(width.min(height)) / f64::from(SHORTER)).max(1.0);
        let reduced = |v: u32| ((f64::from(v) / scale).round() as u32).max(1);
        let small;
        let small = if scale > 1.0 {
            small = delivery::resize(picture, reduced(width), reduced(height), Filter::Bilinear)?;
            &small
        } else {
            picture
        };
        let shown = squares(small.width(), small.height());
        let found =
            threads.side_by_side(&shown, |square, threads| self.look(small, *square, threads))?;
        let mut faces: Vec<FaceBox> = read::distinct(found.into_iter().flatten().collect())
            .into_iter()
            .filter_map(|face| boxed(face.placed(0.0, 0.0, scale as f32), width, height))
            .collect();
        faces
            .sort_by_key(|f| std::cmp::Reverse(u64::from(f.rect.width) * u64::from(f.rect.height)));
        faces.truncate(MOST);
        Ok(faces)
    }

    /// The largest faces of a picture, at most `most`, each with its sample for a detector that sees faces.
    ///
    /// # Errors
    /// Those of [`FaceFinder::find`] and [`prepare::faces`]; [`DetectorError::Sample`] where there is no face.
    pub fn show(
        &self,
        picture: &RgbImage,
        card: &Card,
        most: usize,
        threads: &Threads,
    ) -> Result<Vec<(FaceBox, Sample)>, DetectorError> {
        let mut found = self.find(picture, threads)?;
        found.truncate(most);
        if found.is_empty() {
            return Err(DetectorError::Sample {
                id: card.id.clone(),
                reason: format!("it sees faces, and none of at least {SMALLEST} pixels was found"),
            });
        }
        // A face that cannot be shown does not cost the others.
        let (mut shown, mut refusal) = (Vec::new(), None);
        for face in found {
            match prepare::faces(picture, &[face], None, &card.id, &card.input) {
                Ok(samples) => shown.extend(samples.into_iter().map(|s| (face, s))),
                Err(e @ DetectorError::Sample { .. }) => refusal = Some(e),
                Err(e) => return Err(e),
            }
        }
        match refusal {
            Some(e) if shown.is_empty() => Err(e),
            _ => Ok(shown),
        }
    }

    /// Faces in a square, in pixels of the picture.
    fn look(
        &self,
        picture: &RgbImage,
        square: Square,
        threads: &Threads,
    ) -> Result<Vec<Found>, DetectorError> {
        let side = SIZE as usize;
        let outputs = self
            .0
            .run_all(&show(picture, square)?, &[1, 3, side, side], threads)?;
        let named = |name: &str| {
            let found = outputs.iter().find(|o| o.name == name);
            found.map_or(&[] as &[f32], |o| o.values.as_slice())
        };
        let all = read::faces(named("regression"), named("classification"), LEAST);
        let scale = square.side as f32 / SIZE as f32;
        let (w, h) = (picture.width() as f32, picture.height() as f32);
        let (left, top) = (square.left as f32, square.top as f32);
        let end = [
            (left + square.side as f32).min(w),
            (top + square.side as f32).min(h),
        ];
        let placed = all.into_iter().map(|face| face.placed(left, top, scale));
        // What a square cuts off, another one shows whole.
        let cut = |face: &Found| {
            let [l, t, r, b] = face.edges;
            let slack = 0.02 * square.side as f32;
            (left > 0.0 && l < left - slack)
                || (top > 0.0 && t < top - slack)
                || (end[0] < w && r > end[0] + slack)
                || (end[1] < h && b > end[1] + slack)
        };
        Ok(placed.filter(|face| !cut(face)).collect())
    }
}

/// The part of a face's box that lies in the picture; `None` when it is too small.
fn boxed(face: Found, width: u32, height: u32) -> Option<FaceBox> {
    let [l, t, r, b] = face.edges;
    let within = |v: f32, all: u32| v.round().clamp(0.0, all as f32) as u32;
    let (left, top) = (within(l, width), within(t, height));
    let rect = Rect {
        left,
        top,
        width: within(r, width).saturating_sub(left),
        height: within(b, height).saturating_sub(top),
    };
    let [left_eye, right_eye, nose, mouth, ..] = face.points;
    // The mouth of the template of aligned faces is .83 times as wide as its eyes are apart.
    let half = [0, 1].map(|axis| 0.5 * 0.83 * (right_eye[axis] - left_eye[axis]));
    let corner = |side: f32| [0, 1].map(|axis| half[axis].mul_add(side, mouth[axis]));
    (rect.width >= SMALLEST && rect.height >= SMALLEST).then_some(FaceBox {
        rect,
        landmarks: Some([left_eye, right_eye, nose, corner(-1.0), corner(1.0)]),
        track: None,
    })
}

#[cfg(test)]
mod tests {
    use realscope_engine::EngineKind;

    use super::*;

    fn finder() -> FaceFinder {
        FaceFinder::embedded(EngineKind::Rten.into()).expect("loads")
    }

    #[test]
    fn squares_cover_a_picture_and_overlap() {
        assert_eq!(along(100, 128), [0]);
        assert_eq!(along(128, 128), [0]);
        assert_eq!(along(256, 128), [0, 64, 128]);
        assert_eq!(along(130, 128), [0, 2]);
        assert_eq!(squares(200, 200).len(), 1);
        assert_eq!(squares(256, 256).len(), 1 + 9);
        // A wide picture: the whole, three of its height, seven by three of half of that.
        let wide = squares(455, 256);
        assert_eq!(wide.len(), 1 + 3 + 3 * 7);
        assert!(wide.iter().skip(1).all(|s| s.left + s.side <= 455));
        assert_eq!(squares(256, 1_000_000).len(), MOST_SQUARES);
    }

    #[test]
    fn there_are_no_faces_in_nothing_and_in_specks() {
        let finder = finder();
        let threads = Threads::all();
        for (width, height) in [(1, 1), (47, 900), (64, 64), (48, 5000), (300, 257)] {
            let grey = RgbImage::from_pixel(width, height, Rgb([128; 3]));
            assert_eq!(finder.find(&grey, &threads).expect("looks"), []);
        }
    }
}
