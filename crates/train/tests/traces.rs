//! The curve over makers, on pairs whose traces are known.

use std::fmt::Write as _;
use std::path::Path;

use image::RgbImage;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use realscope_data::manifest::Manifest;
use realscope_data::split::{self, Framing};
use realscope_delivery::{self as delivery, Filter};
use realscope_train::{TrainError, traces};

const SIDE: u32 = 96;
const PICTURES: usize = 48;

fn grain(seed: u64) -> RgbImage {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut picture = RgbImage::new(SIDE, SIDE);
    for v in picture.iter_mut() {
        *v = rng.random_range(60..200);
    }
    image::imageops::fast_blur(&picture, 1.0)
}

/// Authentic grain in two folds; `taef2` enlarges from half by nearest neighbours, `span` by a triangle.
fn data_set(data: &Path, pairs: &Path) {
    let mut rows =
        String::from("path\tlabel\tsplit\tfold\tgroup\tmatch_set\toriginal_jpeg_quality\n");
    let mut list = String::from("path\tmaker\tpicture\tleft\ttop\twidth\theight\n");
    for i in 0..PICTURES {
        let fold = i % 2;
        let real = grain(i as u64);
        real.save(data.join(format!("{i}.png"))).expect("saved");
        writeln!(rows, "{i}.png\t0\ttrain\t{fold}\tr{fold}\t\t95").expect("text");
        let half = delivery::resize(&real, SIDE / 2, SIDE / 2, Filter::Box).expect("resized");
        for (maker, filter) in [("taef2", Filter::Nearest), ("span", Filter::Bilinear)] {
            let fake = delivery::resize(&half, SIDE, SIDE, filter).expect("resized");
            fake.save(pairs.join(format!("{maker}-{i}.png")))
                .expect("saved");
            writeln!(
                list,
                "{i}.png\t{maker}\t{maker}-{i}.png\t0\t0\t{SIDE}\t{SIDE}"
            )
            .expect("text");
        }
        if fold == 1 {
            let fake = delivery::resize(&half, SIDE, SIDE, Filter::Bilinear).expect("resized");
            fake.save(data.join(format!("f{i}.png"))).expect("saved");
            writeln!(rows, "f{i}.png\t1\ttrain\t1\tg\tm\t95").expect("text");
        }
    }
    std::fs::write(data.join("manifest.tsv"), rows).expect("written");
    std::fs::write(pairs.join("pairs.tsv"), list).expect("written");
}

#[test]
fn the_curve_has_a_point_for_each_number_of_makers() {
    let data = tempfile::tempdir().expect("folder");
    let pairs = tempfile::tempdir().expect("folder");
    data_set(data.path(), pairs.path());
    let manifest = Manifest::read(&data.path().join("manifest.tsv")).expect("manifest");
    let items = split::training(&manifest, Framing::Crop);
    let curve = |folds: &[&str]| {
        let folds: Vec<String> = folds.iter().map(|f| (*f).to_owned()).collect();
        traces::curve(&items, data.path(), pairs.path(), &folds, &mut |_| {})
    };
    let points = curve(&["1"]).expect("curve");
    assert_eq!(points.len(), 2);
    assert!(points.iter().all(|p| p.pairs == PICTURES / 2));
    // Traces that were seen are told from grain that was not; with all makers seen none is unseen.
    assert!(points[0].seen.expect("scored") > 0.95, "{points:?}");
    assert!(points[0].unseen.is_some());
    assert!(points[1].seen.expect("scored") > 0.95, "{points:?}");
    assert_eq!(points[1].unseen, None);
    // The generator is the triangle; who saw it tells it.
    assert!(points[1].generators.expect("scored") > 0.9, "{points:?}");
    // Without matched authentic pictures there is a single class.
    assert_eq!(points[1].matched, None);
    assert!(matches!(curve(&["7"]), Err(TrainError::Recipe(_))));
}
