//! Paired fakes on a miniature data set.

use std::path::Path;

use burn::backend::Autodiff;
use image::RgbImage;
use realscope_data::manifest::{Item, Manifest};
use realscope_data::split::{self, Framing};
use realscope_nn::Cpu;
use realscope_train::pairs::{self, AlignedPair, Maker, Pair};
use realscope_train::synth::{self, SynthOptions};

fn data_set(folder: &Path) {
    let mut rows =
        String::from("path\tlabel\tsplit\tfold\tgroup\tmatch_set\toriginal_jpeg_quality\n");
    for (i, (w, h)) in [(130, 104), (104, 120), (40, 200), (112, 112)]
        .into_iter()
        .enumerate()
    {
        let picture = RgbImage::from_fn(w, h, |x, y| {
            image::Rgb([(x * 2) as u8, (y * 2) as u8, ((x * y) % 200) as u8])
        });
        let name = format!("{i}.png");
        picture.save(folder.join(&name)).expect("saved");
        let label = u8::from(i == 3);
        rows += &format!("{name}\t{label}\ttrain\t0\tg{i}\t\t90\n");
    }
    std::fs::write(folder.join("manifest.tsv"), rows).expect("written");
}

fn items(root: &Path) -> Vec<Item> {
    let manifest = Manifest::read(&root.join("manifest.tsv")).expect("manifest");
    split::training(&manifest, Framing::Crop)
}

fn make(root: &Path, out: &Path, makers: Vec<Maker>, each: usize) -> Vec<Pair> {
    let items = items(root);
    let options = SynthOptions {
        makers,
        each,
        side: 224,
        weights: root.to_owned(),
        steps: 2,
        seed: 1,
    };
    synth::synth::<Autodiff<Cpu>>(
        &items,
        root,
        out,
        &options,
        &Default::default(),
        &mut |_| {},
    )
    .expect("made")
}

#[test]
fn authentic_pictures_get_pairs_of_the_same_window() {
    let (data, out) = (
        tempfile::tempdir().expect("folder"),
        tempfile::tempdir().expect("folder"),
    );
    data_set(data.path());
    let makers = vec![
        Maker::Transposed,
        Maker::Nearest,
        Maker::Shuffle,
        Maker::Quantized,
    ];
    let pairs = make(data.path(), out.path(), makers.clone(), 4);
    // Two authentic pictures are large enough; the generated one has no pair.
    assert_eq!(pairs.len(), 8);
    assert_eq!(pairs::read(out.path()).expect("list"), pairs);
    let items = items(data.path());
    for pair in AlignedPair::of(&items, out.path()).expect("pairs") {
        let [real, fake] = pair.open(data.path()).expect("opens");
        assert_eq!(real.dimensions(), fake.dimensions());
        assert_eq!((real.width() % 8, real.height() % 8), (0, 0));
        assert_ne!(real, fake, "{}", pair.pair.picture);
        // Tones are those of the authentic picture.
        let mean = |p: &RgbImage| p.iter().map(|v| f64::from(*v)).sum::<f64>() / p.len() as f64;
        assert!((mean(&real) - mean(&fake)).abs() < 3.0);
    }

    // What exists is kept: a changed file stays as it is.
    let kept = out.path().join(&pairs[0].picture);
    std::fs::write(&kept, b"kept").expect("written");
    assert_eq!(make(data.path(), out.path(), makers, 4), pairs);
    assert_eq!(std::fs::read(&kept).expect("file"), b"kept");
}

#[test]
fn blended_pairs_keep_their_tones() {
    let (data, out) = (
        tempfile::tempdir().expect("folder"),
        tempfile::tempdir().expect("folder"),
    );
    data_set(data.path());
    let pairs = make(data.path(), out.path(), vec![Maker::Blended], 1);
    assert_eq!(pairs.len(), 2);
    let items = items(data.path());
    for pair in AlignedPair::of(&items, out.path()).expect("pairs") {
        let [real, fake] = pair.open(data.path()).expect("opens");
        let changed = real.pixels().zip(fake.pixels()).filter(|(a, b)| a != b);
        let share = changed.count() as f64 / f64::from(real.width() * real.height());
        assert!((0.05..=1.0).contains(&share), "{share}");
    }
}

#[test]
fn the_makers_of_a_picture_do_not_depend_on_their_order() {
    let data = tempfile::tempdir().expect("folder");
    data_set(data.path());
    let run = |makers: Vec<Maker>| {
        let out = tempfile::tempdir().expect("folder");
        let mut list: Vec<(String, Maker)> = make(data.path(), out.path(), makers, 1)
            .into_iter()
            .map(|p| (p.path, p.maker))
            .collect();
        list.sort();
        list
    };
    let one = run(vec![Maker::Nearest, Maker::Shuffle]);
    assert_eq!(one.len(), 2);
    assert_eq!(one, run(vec![Maker::Shuffle, Maker::Nearest]));
}
