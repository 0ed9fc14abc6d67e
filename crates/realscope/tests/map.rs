//! The default detector's map: where it is hot on authentic pictures with a pasted generated region, and how much of
//! authentic pictures it marks. Pictures are those under `REALSCOPE_DATA`.
//!
//! Choices were made on training pictures, whose number is bounded here. The numbers of the card are those of public
//! pictures, which nothing was chosen by: `cargo test -p realscope --test map -- --ignored --nocapture`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;
use realscope::map::{self, HeatMap};
use realscope_delivery::{self as delivery, Subsampling};
use realscope_detectors::{Detector, DetectorError, Models, prepare};
use realscope_engine::{EngineKind, Threads};
use realscope_media::{Limits, decode};
use realscope_metric::{Scores, auc::auc, pixel};

/// Pictures of a split with a label, one a group in turn, at least `side` pixels on the shorter edge, at most `most`.
fn pictures(root: &Path, split: &str, label: &str, side: u32, most: usize) -> Vec<RgbImage> {
    let manifest = std::fs::read_to_string(root.join("manifest.tsv")).expect("the manifest reads");
    let mut lines = manifest.lines().map(|l| l.split('\t').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let column = |name: &str| header.iter().position(|h| *h == name).expect("a column");
    let [path, class, splits, group, width, height] =
        ["path", "label", "split", "group", "width", "height"].map(column);
    let mut groups: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    let rows: Vec<Vec<&str>> = lines.collect();
    for row in &rows {
        let edge = |c: usize| row[c].parse::<u32>().unwrap_or(0);
        // A small copy of a whole picture shows nothing of its making.
        let copy = row[path].ends_with(".whole.jpg");
        let still = row[splits] == split && row[path].contains("/image/") && !copy;
        if row[class] == label && still && edge(width).min(edge(height)) >= side {
            groups
                .entry(row[group])
                .or_default()
                .push(root.join(row[path]));
        }
    }
    let mut found = Vec::new();
    for turn in 0.. {
        let before = found.len();
        found.extend(groups.values().filter_map(|paths| paths.get(turn)));
        if found.len() == before || found.len() >= most {
            break;
        }
    }
    let open = |path: &PathBuf| {
        let bytes = std::fs::read(path).expect("the picture reads");
        let decoded = decode::decode(&bytes, &Limits::default(), &Default::default());
        decoded.expect("the picture decodes").pixels
    };
    found.into_iter().take(most).map(open).collect()
}

fn centre(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    delivery::crop(picture, (width - side) / 2, (height - side) / 2, side, side)
}

fn jpeg(picture: &RgbImage) -> RgbImage {
    delivery::through_jpeg(picture, 95, Subsampling::S444).expect("encodes")
}

fn map_of(detector: &dyn Detector, picture: &RgbImage) -> HeatMap {
    let (card, threads) = (detector.card(), Threads::all());
    let samples = prepare::picture(picture, &card.id, &card.input).expect("samples");
    let answers = detector.infer(&samples, &threads).expect("answers");
    let whole = Some((&samples[0].place, &answers[0]));
    let mut shown = 0;
    let made = map::compute(card, picture, whole, |samples| {
        shown = samples.len();
        detector.infer(&samples, &threads)
    });
    assert!(shown <= map::MOST_WITH_MASK, "{shown} windows");
    made.map_err(|e: DetectorError| e.to_string())
        .expect("a map")
}

/// What is measured on a split.
struct Measured {
    pictures: usize,
    /// Mean pixel AUC.
    mean: f64,
    /// Pixel AUC over all pictures together.
    pooled: f64,
    /// Share of the cells of whole authentic pictures at or above the decision threshold.
    false_alarms: f64,
}

/// `None` without the data set. Regions are pasted into squares of `side` pixels, a quarter of their area.
fn measure(split: &str, side: u32, pasted: usize, authentic: usize) -> Option<Measured> {
    let root =
        PathBuf::from(std::env::var("REALSCOPE_DATA").unwrap_or_else(|_| {
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").into()
        }));
    if !root.join("manifest.tsv").is_file() {
        println!(
            "SKIPPED: no data set at {}; set REALSCOPE_DATA",
            root.display()
        );
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let detector = Models::at(folder.path())
        .get("default", EngineKind::Rten.for_many())
        .expect("loads");
    let patch = side / 2;
    let hosts = pictures(&root, split, "0", side, pasted);
    let guests = pictures(&root, split, "1", patch, pasted);
    let (mut all, mut each) = (Vec::new(), Vec::new());
    for (i, (host, guest)) in hosts.iter().zip(&guests).enumerate() {
        let mut picture = centre(host, side);
        // The corner or the middle, in turn.
        let (half, quarter) = (side / 2, side / 4);
        let [left, top] = [
            [0, 0],
            [half, half],
            [quarter, quarter],
            [half, 0],
            [0, half],
        ][i % 5];
        image::imageops::replace(&mut picture, &centre(guest, patch), left.into(), top.into());
        let map = map_of(detector.as_ref(), &jpeg(&picture));
        let middle = |v: u32| (f64::from(v) + 0.5) / f64::from(side);
        let scores: Vec<f32> = (0..side * side)
            .map(|p| map.at(middle(p % side), middle(p / side)))
            .collect();
        let inside = |v: u32, start: u32| (start..start + patch).contains(&v);
        let mask: Vec<bool> = (0..side * side)
            .map(|p| inside(p % side, left) && inside(p / side, top))
            .collect();
        each.extend(pixel::auc(&scores, &mask));
        // A pixel in sixteen suffices for the pooled curve.
        let rows = scores.iter().zip(mask).step_by(16);
        all.extend(rows.map(|(score, mask)| (f64::from(*score), mask, 0)));
    }
    let threshold = detector
        .card()
        .calibration
        .as_ref()
        .expect("calibrated")
        .decision_threshold as f32;
    let (mut marked, mut cells) = (0.0, 0.0);
    for picture in pictures(&root, split, "0", 224, authentic) {
        let map = map_of(detector.as_ref(), &jpeg(&picture));
        // Every picture weighs the same.
        let hot = map.values.iter().filter(|v| **v >= threshold).count();
        marked += hot as f64 / map.values.len() as f64;
        cells += 1.0;
    }
    let measured = Measured {
        pictures: each.len(),
        mean: each.iter().sum::<f64>() / each.len() as f64,
        pooled: auc(&Scores::new(all).all()).expect("both classes"),
        false_alarms: marked / cells,
    };
    println!(
        "{split}: {} pictures, pixel AUC {:.3} on average, {:.3} over all pixels; {cells} authentic pictures, {:.3} of \
         their cells marked",
        measured.pictures, measured.mean, measured.pooled, measured.false_alarms
    );
    Some(measured)
}

#[test]
fn a_pasted_generated_region_is_where_the_map_is_hot() {
    let Some(m) = measure("train", 336, 20, 20) else {
        return;
    };
    assert_eq!(m.pictures, 20);
    assert!(m.mean > 0.6 && m.pooled > 0.65 && m.false_alarms < 0.05);
}

#[test]
#[ignore = "a look at public pictures, for the numbers of the card"]
fn the_card_says_what_the_map_is_worth() {
    let Some(m) = measure("public", 448, 20, 200) else {
        return;
    };
    let card = (realscope_detectors::clip_blocks::ENTRY.card)().expect("a card");
    let near = |said: Option<f64>, found: f64| said.is_some_and(|s| (s - found).abs() < 5e-4);
    assert!(near(card.map_pixel_auc, m.mean), "{:.3}", m.mean);
    assert!(
        near(card.map_false_alarm_rate, m.false_alarms),
        "{:.3}",
        m.false_alarms
    );
}
