//! The default detector's map on authentic pictures with a pasted generated region. Pictures are those of the
//! public split under `REALSCOPE_DATA`; nothing is chosen by what comes out.

use std::path::{Path, PathBuf};

use image::RgbImage;
use realscope::heatmap;
use realscope_delivery::{self as delivery, Subsampling};
use realscope_detectors::{catalog, home::Home};
use realscope_engine::EngineKind;
use realscope_media::{Limits, decode};
use realscope_metric::{Scores, auc::auc, pixel};

/// Side of the pictures and of the pasted square.
const SIDE: u32 = 448;
const PATCH: u32 = 224;
/// Pictures that are made.
const PICTURES: usize = 20;

/// Public pictures of a label, one a group in turn, at least `side` pixels on the shorter edge.
fn pictures(root: &Path, label: &str, side: u32) -> Vec<RgbImage> {
    let manifest = std::fs::read_to_string(root.join("manifest.tsv")).expect("the manifest reads");
    let mut lines = manifest.lines().map(|l| l.split('\t').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let column = |name: &str| header.iter().position(|h| *h == name).expect("a column");
    let [path, class, split, group, width, height] =
        ["path", "label", "split", "group", "width", "height"].map(column);
    let mut groups: std::collections::BTreeMap<&str, Vec<PathBuf>> = Default::default();
    let rows: Vec<Vec<&str>> = lines.collect();
    for row in &rows {
        let edge = |c: usize| row[c].parse::<u32>().unwrap_or(0);
        let still = row[split] == "public" && row[path].starts_with("public/image/");
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
        if found.len() == before || found.len() >= PICTURES {
            break;
        }
    }
    let open = |path: &PathBuf| {
        let bytes = std::fs::read(path).expect("the picture reads");
        let decoded = decode::decode(&bytes, &Limits::default(), &Default::default());
        decoded.expect("the picture decodes").pixels
    };
    found.into_iter().take(PICTURES).map(open).collect()
}

fn centre(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    delivery::crop(picture, (width - side) / 2, (height - side) / 2, side, side)
}

#[test]
fn a_pasted_generated_region_is_where_the_map_is_hot() {
    let root =
        PathBuf::from(std::env::var("REALSCOPE_DATA").unwrap_or_else(|_| {
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").into()
        }));
    if !root.join("manifest.tsv").is_file() {
        println!(
            "SKIPPED: no data set at {}; set REALSCOPE_DATA",
            root.display()
        );
        return;
    }
    let authentic = pictures(&root, "0", SIDE);
    let generated = pictures(&root, "1", PATCH);
    let home = tempfile::tempdir().expect("a folder");
    let detector =
        catalog::load("default", &Home::at(home.path()), EngineKind::Rten).expect("loads");
    let (mut pooled, mut each) = (Vec::new(), Vec::new());
    for (i, (authentic, generated)) in authentic.iter().zip(&generated).enumerate() {
        let mut picture = centre(authentic, SIDE);
        // The corner or the middle, in turn.
        let [left, top] = [[0, 0], [224, 224], [112, 112], [224, 0], [0, 224]][i % 5];
        image::imageops::replace(
            &mut picture,
            &centre(generated, PATCH),
            left.into(),
            top.into(),
        );
        let picture = delivery::through_jpeg(&picture, 95, Subsampling::S444).expect("encodes");
        let map = heatmap::compute(detector.as_ref(), &picture)
            .expect("computes")
            .pixels();
        let inside = |v: u32, start: u32| (start..start + PATCH).contains(&v);
        let mask: Vec<bool> = (0..SIDE * SIDE)
            .map(|p| inside(p % SIDE, left) && inside(p / SIDE, top))
            .collect();
        each.extend(pixel::auc(&map, &mask));
        // A pixel in sixteen suffices for the pooled curve.
        let rows = map.iter().zip(mask).step_by(16);
        pooled.extend(rows.map(|(score, mask)| (f64::from(*score), mask, 0)));
    }
    let pooled = auc(&Scores::new(pooled).all()).expect("both classes");
    let mean = each.iter().sum::<f64>() / each.len() as f64;
    println!(
        "{} pictures: pixel AUC {mean:.3} on average, {pooled:.3} over all pixels",
        each.len()
    );
    assert!(each.len() == PICTURES && mean > 0.7, "pixel AUC {mean:.3}");
}
