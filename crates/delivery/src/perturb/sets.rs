//! The named sets of perturbations and where each comes from. Severity counts from 1 (mildest).

use serde::Serialize;

use super::op::Op;
use crate::resize::Filter;

/// A named perturbation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Perturbation {
    /// Name in predictions, such as `jpeg-q60`.
    pub name: String,
    /// Curve that it belongs to.
    pub family: String,
    /// Position on the curve, from 1.
    pub severity: u32,
    /// What it does.
    pub op: Op,
}

/// Names of the sets.
pub const SETS: [&str; 17] = [
    "jpeg",
    "webp",
    "avif",
    "resize",
    "crop",
    "blur",
    "noise",
    "benign",
    "drawn",
    "overlay",
    "social",
    "screenshot",
    "genimage",
    "aigcdetect",
    "genvideo",
    "deeperforensics",
    "all",
];

/// The perturbations of a set; `None` for an unknown name.
#[must_use]
pub fn set(name: &str) -> Option<Vec<Perturbation>> {
    Some(match name {
        "jpeg" => jpegs(),
        "webp" => webps(),
        "avif" => avifs(),
        "resize" => resizes(),
        "crop" => crops(),
        "blur" => blurs(),
        "noise" => noises(),
        "benign" => benign(),
        "drawn" => drawn(),
        "overlay" => overlay(),
        "social" => social(),
        "screenshot" => ladder("screenshot", [("1", Op::Screenshot)]),
        "genimage" => genimage(),
        "aigcdetect" => aigcdetect(),
        "genvideo" => genvideo(),
        "deeperforensics" => deeperforensics(),
        "all" => SETS[..SETS.len() - 1]
            .iter()
            .filter_map(|s| set(s))
            .flatten()
            .collect(),
        _ => return None,
    })
}

/// One curve: steps of (suffix of the name, operation), mildest first.
fn ladder<S: AsRef<str>>(
    family: &str,
    steps: impl IntoIterator<Item = (S, Op)>,
) -> Vec<Perturbation> {
    (1..)
        .zip(steps)
        .map(|(severity, (suffix, op))| Perturbation {
            name: format!("{family}-{}", suffix.as_ref()),
            family: family.to_owned(),
            severity,
            op,
        })
        .collect()
}

fn jpeg(quality: u8) -> Op {
    Op::Jpeg { quality }
}

fn blur(sigma: f32) -> Op {
    Op::Blur { sigma }
}

fn scale(factor: f64, filter: Filter) -> Op {
    Op::Scale { factor, filter }
}

fn colour(brightness: f32, contrast: f32, saturation: f32) -> Op {
    Op::Colour {
        brightness,
        contrast,
        saturation,
    }
}

fn jpegs() -> Vec<Perturbation> {
    let qualities = [95, 85, 75, 60, 50, 40, 30];
    ladder("jpeg", qualities.map(|q| (format!("q{q}"), jpeg(q))))
}

fn webps() -> Vec<Perturbation> {
    let qualities = [90, 75, 60, 45, 30];
    let step = |quality| (format!("q{quality}"), Op::Webp { quality });
    ladder("webp", qualities.map(step))
}

fn avifs() -> Vec<Perturbation> {
    let qualities = [80, 60, 45, 30];
    let step = |quality| (format!("q{quality}"), Op::Avif { quality });
    ladder("avif", qualities.map(step))
}

fn resizes() -> Vec<Perturbation> {
    let mut all = Vec::new();
    for filter in [
        Filter::Box,
        Filter::Bilinear,
        Filter::Bicubic,
        Filter::Lanczos3,
    ] {
        let step = |s| (format!("x{s}"), scale(s, filter));
        let family = format!("down-{}", filter.name());
        all.extend(ladder(&family, [0.75, 0.5, 0.33].map(step)));
    }
    let step = |s| (format!("x{s}"), scale(s, Filter::Bicubic));
    all.extend(ladder("up-bicubic", [1.25, 1.5, 2.0].map(step)));
    all
}

fn crops() -> Vec<Perturbation> {
    let kept = [0.9, 0.75, 0.5].map(|keep| (keep.to_string(), Op::Crop { keep }));
    let bars = [0.08, 0.15, 0.25].map(|share| (share.to_string(), Op::Letterbox { share }));
    [ladder("crop", kept), ladder("letterbox", bars)].concat()
}

fn blurs() -> Vec<Perturbation> {
    let sigmas = [0.5, 1.0, 1.5, 2.0, 3.0];
    ladder("blur", sigmas.map(|s| (format!("s{s}"), blur(s))))
}

fn noises() -> Vec<Perturbation> {
    let sigmas = [1.0, 2.0, 4.0, 8.0, 12.0];
    let step = |sigma| (format!("s{sigma}"), Op::Noise { sigma });
    ladder("noise", sigmas.map(step))
}

/// What people do to photographs without meaning to deceive.
fn benign() -> Vec<Perturbation> {
    let tones = [
        ("warm", colour(1.03, 1.05, 1.1)),
        ("punch", colour(1.05, 1.15, 1.25)),
        ("bright", colour(1.2, 1.1, 1.3)),
        ("night-lift", Op::Gamma { gamma: 0.6 }),
    ];
    let sharpened = [0.4, 0.8, 1.5].map(|amount| {
        let op = Op::Sharpen { sigma: 1.0, amount };
        (format!("a{amount}"), op)
    });
    let denoised = [6, 12, 20].map(|range| (format!("r{range}"), Op::Denoise { range }));
    let medians = [1, 2].map(|reach| (format!("r{reach}"), Op::Median { reach }));
    let painted = [2, 4, 6].map(|reach| (format!("r{reach}"), Op::Painterly { reach }));
    [
        ladder("tone", tones),
        ladder("sharpen", sharpened),
        ladder("denoise", denoised),
        ladder("median", medians),
        ladder("painterly", painted),
    ]
    .concat()
}

/// Photographs that a filter made look painted or drawn.
fn drawn() -> Vec<Perturbation> {
    let oils = [2, 4, 6].map(|reach| (format!("r{reach}"), Op::Oil { reach }));
    let comics = [(1, 0.5), (3, 0.7), (5, 0.9)]
        .map(|(reach, ink)| (format!("r{reach}"), Op::Comic { reach, ink }));
    let pencils = [("colour", 0.7), ("grey", 0.0)]
        .map(|(name, colour)| (name, Op::Pencil { sigma: 4.0, colour }));
    [
        ladder("oil", oils),
        ladder("comic", comics),
        ladder("pencil", pencils),
    ]
    .concat()
}

fn overlay() -> Vec<Perturbation> {
    ladder("overlay", [("logo", Op::Logo), ("text", Op::Text)])
}

/// A picture that is passed on once, twice and three times, smaller each time.
fn social() -> Vec<Perturbation> {
    let share = |side, quality| [Op::ShortSide { side }, Op::Jpeg { quality }];
    let chain = |steps: &[(u32, u8)]| Op::Chain {
        steps: steps.iter().flat_map(|(s, q)| share(*s, *q)).collect(),
    };
    ladder(
        "social",
        [
            ("once", chain(&[(1080, 82)])),
            ("twice", chain(&[(1080, 82), (720, 72)])),
            ("thrice", chain(&[(1080, 82), (720, 72), (480, 60)])),
        ],
    )
}

/// GenImage (Zhu et al., 2023, arXiv 2306.08571): classification of degraded pictures.
#[must_use]
pub fn genimage() -> Vec<Perturbation> {
    let low = [112, 64].map(|side| (side.to_string(), Op::ShortSide { side }));
    let jpegs = [65, 30].map(|q| (format!("q{q}"), jpeg(q)));
    let blurs = [3.0, 5.0].map(|s| (format!("s{s}"), blur(s)));
    [
        ladder("genimage-lr", low),
        ladder("genimage-jpeg", jpegs),
        ladder("genimage-blur", blurs),
    ]
    .concat()
}

/// AIGCDetectBenchmark (Zhong et al., 2023, arXiv 2311.12397): robustness.
#[must_use]
pub fn aigcdetect() -> Vec<Perturbation> {
    [
        ladder("aigcdetect-jpeg", [("q95", jpeg(95))]),
        ladder("aigcdetect-blur", [("s1", blur(1.0))]),
        ladder(
            "aigcdetect-resize",
            [("x0.5", scale(0.5, Filter::Bilinear))],
        ),
    ]
    .concat()
}

/// GenVideo (Chen et al., 2024, arXiv 2405.19707): degraded videos, here frame by frame.
#[must_use]
pub fn genvideo() -> Vec<Perturbation> {
    [
        ladder("genvideo-jpeg", [("q35", jpeg(35))]),
        ladder("genvideo-flip", [("h", Op::FlipH)]),
        // A kernel of 7 pixels means a deviation of 0.3 ((7 - 1) / 2 - 1) + 0.8.
        ladder("genvideo-blur", [("k7", blur(1.4))]),
        ladder("genvideo-colour", [("0.5", colour(1.5, 1.0, 1.0))]),
        ladder("genvideo-imgwater", [("1", Op::Logo)]),
        ladder("genvideo-textwater", [("1", Op::Text)]),
    ]
    .concat()
}

/// DeeperForensics-1.0 (Jiang et al., 2020, arXiv 2001.03024): five levels of each distortion, without
/// video compression.
#[must_use]
pub fn deeperforensics() -> Vec<Perturbation> {
    let saturations = [0.4, 0.3, 0.2, 0.1, 0.0].map(|s| (s.to_string(), colour(1.0, 1.0, s)));
    let contrasts = [0.85, 0.725, 0.6, 0.475, 0.35].map(|c| (c.to_string(), colour(1.0, c, 1.0)));
    let blocks = [16, 32, 48, 64, 80].map(|count| (count.to_string(), Op::Blocks { count }));
    // Variances of levels in `[0, 1]`.
    let noises = [0.001_f32, 0.002, 0.005, 0.01, 0.05].map(|v| {
        let sigma = 255.0 * v.sqrt();
        (format!("v{v}"), Op::Noise { sigma })
    });
    let blurs = [7.0, 9.0, 13.0, 17.0, 21.0].map(|k| (format!("k{k}"), blur(k / 6.0)));
    let pixelated =
        [2.0, 3.0, 4.0, 5.0, 6.0].map(|divisor| (format!("x{divisor}"), Op::DownUp { divisor }));
    [
        ladder("dfor-saturation", saturations),
        ladder("dfor-contrast", contrasts),
        ladder("dfor-blocks", blocks),
        ladder("dfor-noise", noises),
        ladder("dfor-blur", blurs),
        ladder("dfor-pixelate", pixelated),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sets_are_found_by_name_alone() {
        assert!(SETS.iter().all(|name| set(name).is_some()));
        assert!(set("nonsense").is_none());
    }

    #[test]
    fn every_perturbation_has_its_own_name() {
        let all = set("all").expect("known");
        let names: BTreeSet<&str> = all.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
    }
}
