//! Crops of faces, aligned or not.
//!
//! What a crop shows beyond the borders of the picture is black, as OpenCV's `warpAffine` leaves it.

use image::RgbImage;
use realscope_delivery::{self as delivery, DeliveryError};

use super::{not_empty, not_made_for, refused, sample, seen};
use crate::card::{Crop, Input, View};
use crate::{DetectorError, Rect, Sample, Span, TrackId};

/// A face that was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaceBox {
    /// Its box, in pixels of the picture.
    pub rect: Rect,
    /// Left eye, right eye, tip of the nose, left and right corner of the mouth, `[x, y]` in pixels of the picture;
    /// left is the viewer's. The centre of the first pixel is at (0.5, 0.5).
    pub landmarks: Option<[[f32; 2]; 5]>,
    /// Whose it is, where faces are followed over time.
    pub track: Option<TrackId>,
}

/// Places of the five landmarks in a square of side 1: the 112 x 112 template of `InsightFace`, which follows ArcFace
/// (Deng et al., CVPR 2019, arXiv 1801.07698). DeepfakeBench (Yan et al., NeurIPS 2023, arXiv 2307.01426) aligns with
/// it.
const TEMPLATE: [[f64; 2]; 5] = [
    [38.2946 / 112.0, 51.6963 / 112.0],
    [73.5318 / 112.0, 51.5014 / 112.0],
    [56.0252 / 112.0, 71.7366 / 112.0],
    [41.5493 / 112.0, 92.3655 / 112.0],
    [70.7299 / 112.0, 92.2041 / 112.0],
];

/// Most that a face is enlarged: smaller ones show nothing, and the memory of a crop stays bounded.
const LARGEST: f64 = 64.0;

/// One sample for each face of a picture, or of the frame of a video that is seen at `time`.
///
/// A plain crop is the square around the middle of the box, with `margin` times the box's longer side. An aligned one
/// brings the landmarks to fixed places by turning, scaling and shifting; its side is `margin` times that of the
/// template's square.
///
/// # Errors
/// [`DetectorError::Sample`] of an input that shows no faces, of a picture without pixels, of a box outside the
/// picture, and, where the card aligns, of a face whose landmarks are missing or lie in one point;
/// [`DetectorError::Delivery`] of the resizer.
pub fn faces(
    picture: &RgbImage,
    boxes: &[FaceBox],
    time: Option<Span>,
    id: &str,
    input: &Input,
) -> Result<Vec<Sample>, DetectorError> {
    let View::Face(crop) = input.view else {
        return Err(refused(id, seen(input.view), "this is a face"));
    };
    not_empty(picture, id)?;
    boxes
        .iter()
        .map(|face| {
            let mut sample = face_of(picture, face, crop, id, input)?;
            sample.place.track = face.track;
            sample.place.time = time;
            Ok(sample)
        })
        .collect()
}

/// One face of a picture that has pixels.
pub(super) fn face_of(
    picture: &RgbImage,
    face: &FaceBox,
    crop: Crop,
    id: &str,
    input: &Input,
) -> Result<Sample, DetectorError> {
    let refuse = |reason: String| not_made_for(id, reason);
    let (width, height) = picture.dimensions();
    let r = face.rect;
    let ends = [
        u64::from(r.left) + u64::from(r.width),
        u64::from(r.top) + u64::from(r.height),
    ];
    if r.width == 0 || r.height == 0 || ends[0] > width.into() || ends[1] > height.into() {
        return Err(refuse(format!(
            "a face of {} x {} pixels at ({}, {}) of a picture of {width} x {height}",
            r.width, r.height, r.left, r.top
        )));
    }
    if !crop.aligned {
        return Ok(plain(picture, r, crop.margin, input)?);
    }
    let points = face
        .landmarks
        .ok_or_else(|| refuse("it sees aligned faces, this one has no landmarks".into()))?;
    let similarity = Similarity::between(&points, crop.margin, input.size)
        .ok_or_else(|| refuse("the landmarks of the face lie in one point".into()))?;
    similarity
        .crop(picture, input)?
        .ok_or_else(|| refuse("the landmarks lie outside the picture".into()))
}

/// The square around the middle of `rect`, resized.
fn plain(
    picture: &RgbImage,
    rect: Rect,
    margin: f64,
    input: &Input,
) -> Result<Sample, DeliveryError> {
    let side = (margin * f64::from(rect.width.max(rect.height)))
        .round()
        .max(1.0) as i64;
    let size = i64::from(input.size);
    // Of each direction: the first pixel of the picture that is shown, how many, the first pixel of the crop that
    // shows them, how many.
    let range = |start: u32, length: u32, all: u32| {
        let first = i64::from(start) + (i64::from(length) - side).div_euclid(2);
        let inside = first.max(0)..(first + side).min(all.into());
        let at = |source: i64| ((source - first) * size + side / 2) / side;
        let from = at(inside.start).min(size - 1);
        let to = at(inside.end).clamp(from + 1, size);
        // All four lie within the picture or the crop.
        [inside.start, inside.end - inside.start, from, to - from].map(|v| v as u32)
    };
    let [left, width, x, w] = range(rect.left, rect.width, picture.width());
    let [top, height, y, h] = range(rect.top, rect.height, picture.height());
    let part = delivery::crop(picture, left, top, width, height);
    let part = delivery::resize(&part, w, h, input.filter.into())?;
    let mut frame = RgbImage::new(input.size, input.size);
    image::imageops::replace(&mut frame, &part, x.into(), y.into());
    let rect = Rect {
        left,
        top,
        width,
        height,
    };
    Ok(sample(frame, rect, false))
}

/// `(x, y) -> (a x - b y + dx, b x + a y + dy)`: from the picture to the crop.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Similarity {
    a: f64,
    b: f64,
    dx: f64,
    dy: f64,
}

impl Similarity {
    /// The similarity without reflection that brings `points` nearest to the template in the middle of a crop of
    /// `size` pixels, by the sum of squared distances; `None` when the points lie in one point, nearly so, or are not
    /// finite.
    ///
    /// Closed form of Umeyama, IEEE TPAMI 13(4), 1991, in two dimensions: with both sets of points centred, the
    /// rotation and scale are the complex number `sum(conj(p) q) / sum(|p|^2)`.
    fn between(points: &[[f32; 2]; 5], margin: f64, size: u32) -> Option<Self> {
        let size = f64::from(size);
        let target = TEMPLATE.map(|q| q.map(|v| size * ((v - 0.5) / margin + 0.5)));
        let source = points.map(|p| p.map(f64::from));
        let centre = |set: &[[f64; 2]; 5]| {
            [0, 1].map(|axis| set.iter().map(|p| p[axis]).sum::<f64>() / set.len() as f64)
        };
        let ([px, py], [qx, qy]) = (centre(&source), centre(&target));
        let (mut re, mut im, mut norm) = (0.0, 0.0, 0.0);
        for (p, q) in source.iter().zip(&target) {
            let (x, y, u, v) = (p[0] - px, p[1] - py, q[0] - qx, q[1] - qy);
            re += x * u + y * v;
            im += x * v - y * u;
            norm += x * x + y * y;
        }
        let (a, b) = (re / norm, im / norm);
        let scale = a.hypot(b);
        (scale > 0.0 && scale <= LARGEST).then_some(Self {
            a,
            b,
            dx: qx - (a * px - b * py),
            dy: qy - (b * px + a * py),
        })
    }

    /// The point of the picture that is brought to a point of the crop.
    fn source(self, x: f64, y: f64) -> [f64; 2] {
        let (x, y) = (x - self.dx, y - self.dy);
        let norm = self.a * self.a + self.b * self.b;
        [
            (self.a * x + self.b * y) / norm,
            (self.a * y - self.b * x) / norm,
        ]
    }

    /// The crop; `None` when it lies outside the picture. The part of the picture is first brought to the crop's scale
    /// with the card's filter and then turned with bilinear interpolation.
    fn crop(self, picture: &RgbImage, input: &Input) -> Result<Option<Sample>, DeliveryError> {
        let size = f64::from(input.size);
        let corners = [[0.0, 0.0], [size, 0.0], [0.0, size], [size, size]];
        let corners = corners.map(|[x, y]| self.source(x, y));
        let range = |axis: usize, all: u32| {
            let of = |pick: fn(f64, f64) -> f64| {
                corners.iter().map(|c| c[axis]).reduce(pick).unwrap_or(0.0)
            };
            // A pixel more on each side for the interpolation.
            let from = (of(f64::min).floor() - 1.0).clamp(0.0, all.into()) as u32;
            let to = (of(f64::max).ceil() + 1.0).clamp(0.0, all.into()) as u32;
            (from, to.saturating_sub(from))
        };
        let (left, width) = range(0, picture.width());
        let (top, height) = range(1, picture.height());
        if width == 0 || height == 0 {
            return Ok(None);
        }
        let rect = Rect {
            left,
            top,
            width,
            height,
        };
        let scale = self.a.hypot(self.b);
        // At most the diagonal of the crop and four pixels enlarged.
        let scaled = |v: u32| ((f64::from(v) * scale).round() as u32).max(1);
        let part = delivery::crop(picture, left, top, width, height);
        let part = delivery::resize(&part, scaled(width), scaled(height), input.filter.into())?;
        let (sx, sy) = (
            f64::from(part.width()) / f64::from(width),
            f64::from(part.height()) / f64::from(height),
        );
        let frame = RgbImage::from_fn(input.size, input.size, |x, y| {
            let [u, v] = self.source(f64::from(x) + 0.5, f64::from(y) + 0.5);
            bilinear(
                &part,
                (u - f64::from(left)) * sx - 0.5,
                (v - f64::from(top)) * sy - 0.5,
            )
        });
        Ok(Some(sample(frame, rect, false)))
    }
}

/// The colour at a point between the centres of pixels, the first of which is at (0, 0); black beyond the border.
fn bilinear(picture: &RgbImage, x: f64, y: f64) -> image::Rgb<u8> {
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (x - left, y - top);
    let mut sum = [0.0; 3];
    for (dx, dy, weight) in [
        (0.0, 0.0, (1.0 - fx) * (1.0 - fy)),
        (1.0, 0.0, fx * (1.0 - fy)),
        (0.0, 1.0, (1.0 - fx) * fy),
        (1.0, 1.0, fx * fy),
    ] {
        let (x, y) = (left + dx, top + dy);
        if x < 0.0 || y < 0.0 || x >= picture.width().into() || y >= picture.height().into() {
            continue;
        }
        let pixel = picture.get_pixel(x as u32, y as u32);
        for (s, v) in sum.iter_mut().zip(pixel.0) {
            *s += weight * f64::from(v);
        }
    }
    image::Rgb(sum.map(|s| s.round() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{Colour, Filter};

    fn input(size: u32, margin: f64, aligned: bool) -> Input {
        Input {
            size,
            filter: Filter::Bilinear,
            colour: Colour::Rgb,
            mean: [0.5; 3],
            std: [0.5; 3],
            view: View::Face(Crop { margin, aligned }),
        }
    }

    fn face(left: u32, top: u32, width: u32, height: u32) -> FaceBox {
        FaceBox {
            rect: Rect {
                left,
                top,
                width,
                height,
            },
            ..FaceBox::default()
        }
    }

    /// Each pixel is its own coordinates.
    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 255]))
    }

    fn one(picture: &RgbImage, face: FaceBox, input: &Input) -> Sample {
        let mut made = faces(picture, &[face], None, "t", input).expect("makes a crop");
        assert_eq!(made.len(), 1);
        made.remove(0)
    }

    #[test]
    fn a_plain_crop_is_the_square_around_the_box() {
        let p = picture(200, 160);
        // 1.5 times 40 pixels around (70, 65).
        let made = one(&p, face(60, 45, 20, 40), &input(60, 1.5, false));
        assert_eq!(made.place.rect, face(40, 35, 60, 60).rect);
        assert_eq!(made.frames[0], delivery::crop(&p, 40, 35, 60, 60));
        assert!(!made.place.whole);
    }

    #[test]
    fn what_lies_beyond_the_border_is_black() {
        let p = picture(100, 100);
        let made = one(&p, face(0, 0, 40, 40), &input(80, 2.0, false));
        assert_eq!(made.place.rect, face(0, 0, 60, 60).rect);
        let frame = &made.frames[0];
        assert_eq!(frame.get_pixel(19, 50).0, [0; 3]);
        assert_eq!(frame.get_pixel(50, 19).0, [0; 3]);
        assert_eq!(frame.get_pixel(20, 20).0, [0, 0, 255]);
        assert_eq!(frame.get_pixel(79, 79).0, [59, 59, 255]);
        // Faces of one pixel in the corners, enlarged and reduced.
        for (x, y, size) in [(0, 0, 16), (99, 99, 16), (0, 99, 300), (99, 0, 300)] {
            let made = one(&p, face(x, y, 1, 1), &input(size, 4.0, false));
            assert_eq!(made.frames[0].dimensions(), (size, size));
        }
    }

    /// The template's landmarks turned by `angle`, scaled and put into a picture.
    fn landmarks(angle: f64, scale: f64, middle: [f64; 2]) -> [[f32; 2]; 5] {
        let (sin, cos) = angle.sin_cos();
        TEMPLATE.map(|[x, y]| {
            let (x, y) = ((x - 0.5) * scale, (y - 0.5) * scale);
            [
                (middle[0] + cos * x - sin * y) as f32,
                (middle[1] + sin * x + cos * y) as f32,
            ]
        })
    }

    #[test]
    fn landmarks_come_to_their_places() {
        for (angle, scale, margin) in [(0.0, 64.0, 1.0), (0.5, 100.0, 1.3), (-2.5, 20.0, 2.0)] {
            let points = landmarks(angle, scale, [120.0, 90.0]);
            let found = Similarity::between(&points, margin, 64).expect("a similarity");
            for (p, q) in points.iter().zip(TEMPLATE) {
                let expected = q.map(|v| 64.0 * ((v - 0.5) / margin + 0.5));
                let [x, y] = found.source(expected[0], expected[1]);
                assert!((x - f64::from(p[0])).abs() < 1e-3, "{x} {p:?}");
                assert!((y - f64::from(p[1])).abs() < 1e-3, "{y} {p:?}");
            }
        }
        // Landmarks that fit the template only nearly: no other similarity is nearer.
        let mut points = landmarks(0.3, 50.0, [60.0, 60.0]);
        points[2][0] += 4.0;
        points[4][1] -= 3.0;
        let best = Similarity::between(&points, 1.0, 64).expect("a similarity");
        let error = |s: Similarity| -> f64 {
            let target = TEMPLATE.map(|q| q.map(|v| 64.0 * v));
            let pairs = points.iter().map(|p| p.map(f64::from)).zip(target);
            pairs
                .map(|([x, y], [u, v])| {
                    (s.a * x - s.b * y + s.dx - u).powi(2) + (s.b * x + s.a * y + s.dy - v).powi(2)
                })
                .sum()
        };
        for (da, db, dx, dy) in [
            (1e-3, 0.0, 0.0, 0.0),
            (-1e-3, 0.0, 0.0, 0.0),
            (0.0, 1e-3, 0.0, 0.0),
            (0.0, -1e-3, 0.0, 0.0),
            (0.0, 0.0, 0.1, 0.0),
            (0.0, 0.0, 0.0, -0.1),
        ] {
            let other = Similarity {
                a: best.a + da,
                b: best.b + db,
                dx: best.dx + dx,
                dy: best.dy + dy,
            };
            assert!(error(other) > error(best));
        }
    }

    #[test]
    fn an_aligned_crop_shows_the_face_upright() {
        // A white left eye in a dark face, turned by a quarter and enlarged twice.
        let turn = std::f64::consts::FRAC_PI_2;
        let points = landmarks(turn, 112.0, [150.0, 150.0]);
        let [ex, ey] = points[0].map(f64::from);
        let p = RgbImage::from_fn(300, 300, |x, y| {
            let near = (f64::from(x) + 0.5 - ex).hypot(f64::from(y) + 0.5 - ey) < 6.0;
            image::Rgb([if near { 250 } else { 20 }; 3])
        });
        let face = FaceBox {
            landmarks: Some(points),
            track: Some(TrackId(7)),
            ..face(100, 100, 100, 100)
        };
        let time = Span {
            start: 1.0,
            end: 1.5,
        };
        let made = faces(&p, &[face], Some(time), "t", &input(224, 1.0, true)).expect("aligns");
        assert_eq!(made[0].place.track, Some(TrackId(7)));
        assert_eq!(made[0].place.time, Some(time));
        let frame = &made[0].frames[0];
        let [x, y] = TEMPLATE[0].map(|v| (224.0 * v) as u32);
        assert!(frame.get_pixel(x, y)[0] > 240);
        let [x, y] = TEMPLATE[1].map(|v| (224.0 * v) as u32);
        assert!(frame.get_pixel(x, y)[0] < 30);
    }

    #[test]
    fn an_aligned_crop_of_the_same_scale_is_the_picture() {
        let p = picture(150, 140);
        let face = FaceBox {
            landmarks: Some(landmarks(0.0, 112.0, [70.0, 66.0])),
            ..face(30, 30, 60, 60)
        };
        let made = one(&p, face, &input(112, 1.0, true));
        let expected = delivery::crop(&p, 14, 10, 112, 112);
        let close = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= 1;
        assert!(made.frames[0].iter().zip(expected.iter()).all(close));
    }

    #[test]
    fn a_face_that_cannot_be_shown_is_refused() {
        let p = picture(100, 100);
        let aligned = input(64, 1.3, true);
        let with = |landmarks| FaceBox {
            landmarks,
            ..face(20, 20, 40, 40)
        };
        for (face, input) in [
            (face(90, 20, 20, 20), input(64, 1.3, false)),
            (face(20, 20, 0, 20), input(64, 1.3, false)),
            (face(u32::MAX, 0, u32::MAX, 1), input(64, 1.3, false)),
            (with(None), aligned.clone()),
            (with(Some([[30.0, 30.0]; 5])), aligned.clone()),
            (with(Some([[f32::NAN, 30.0]; 5])), aligned.clone()),
            (
                with(Some(landmarks(0.0, 40.0, [-500.0, 50.0]))),
                aligned.clone(),
            ),
            (
                with(Some(landmarks(0.0, 1e-30, [50.0, 50.0]))),
                aligned.clone(),
            ),
        ] {
            let e = faces(&p, &[face], None, "t", &input).expect_err("refused");
            assert!(matches!(e, DetectorError::Sample { .. }), "{e}");
        }
        let whole = Input {
            view: View::Squash,
            ..aligned
        };
        assert!(faces(&p, &[face(1, 1, 9, 9)], None, "t", &whole).is_err());
    }
}
