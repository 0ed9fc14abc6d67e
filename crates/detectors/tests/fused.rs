//! A detector of two experts, imported from files of one's own.

use burn::tensor::Tensor;
use image::RgbImage;
use realscope_detectors::card::Card;
use realscope_detectors::home::Home;
use realscope_detectors::onnx::sha256;
use realscope_nn::engine::EngineKind;
use realscope_nn::exec::Exec;
use realscope_nn::{Cpu, onnx::Graph};

/// A network whose logit is the mean of all normalised values times `factor`.
fn mean_level(side: usize, factor: f32) -> Vec<u8> {
    let mut graph = Graph::new("mean", false);
    let input = graph.input("x", [1, 3, side, side]);
    let pooled = Exec::<Cpu>::global_avg_pool(&mut graph, input);
    let flat = Exec::<Cpu>::reshape(&mut graph, pooled, [1, 3]);
    let weight = Tensor::<Cpu, 2>::from_data([[factor / 3.0]; 3], &Default::default());
    let weight = Exec::<Cpu>::tensor(&mut graph, weight);
    let logit = Exec::<Cpu>::matmul(&mut graph, flat, weight);
    graph.output("logit", &logit);
    graph.encode()
}

fn card(native: &[u8]) -> String {
    let input = |size: u32, view: &str| {
        format!(
            "size = {size}\nview = \"{view}\"\nmax_windows = 2\nfilter = \"bilinear\"\nmean = [0.5, 0.5, 0.5]\n\
             std = [0.5, 0.5, 0.5]\n"
        )
    };
    format!(
        "id = \"two\"\nsummary = \"s\"\nstatus = \"preview\"\ntask = \"generated_image\"\noutput = \"logit\"\n\
         licence = \"MIT\"\ntraining_data = \"none\"\ncitation = \"none\"\nknown_failures = []\n\
         [input]\n{}[companion]\nweights_sha256 = \"{}\"\nmain_weight = 2.0\nweight = 0.5\nmain_neutral = 0.1\n\
         neutral = -0.2\n[companion.input]\n{}",
        input(32, "shorter_side"),
        sha256(native),
        input(16, "windows"),
    )
}

/// Dark left half, light right half.
fn picture() -> RgbImage {
    RgbImage::from_fn(48, 48, |x, _| {
        image::Rgb([if x < 24 { 40 } else { 200 }; 3])
    })
}

#[test]
fn two_experts_are_weighed_as_the_card_says() {
    let folder = tempfile::tempdir().expect("folder");
    let (whole, native) = (mean_level(32, 1.0), mean_level(16, 3.0));
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    };
    let (a, b) = (file("a.onnx", &whole), file("b.onnx", &native));
    let c = file("card.toml", card(&native).as_bytes());
    let home = Home::at(&folder.path().join("home"));
    assert!(
        home.import("two", &a, Some(&c), None).is_err(),
        "the companion is missing"
    );
    assert!(
        home.import("two", &a, Some(&c), Some(&a)).is_err(),
        "another file than the card's"
    );
    assert!(home.installed().is_empty());
    let installed: Card = home
        .import("two", &a, Some(&c), Some(&b))
        .expect("installed");
    assert!(installed.companion.is_some());

    let detector = home.load("two", EngineKind::Rten).expect("loads");
    let windows = detector.windows(&picture()).expect("windows");
    let sides: Vec<u32> = windows.iter().map(|w| w.pixels.width()).collect();
    assert_eq!(sides, [32, 16, 16]);
    assert!(windows[0].whole && !windows[1].whole);
    let views: Vec<RgbImage> = windows.iter().map(|w| w.pixels.clone()).collect();
    let logits = detector.logits(&views).expect("scores");
    let level =
        |p: &RgbImage| p.iter().map(|v| f64::from(*v) / 127.5 - 1.0).sum::<f64>() / p.len() as f64;
    for ((logit, view), factor) in logits.iter().zip(&views).zip([1.0, 3.0, 3.0]) {
        assert!((logit - factor * level(view)).abs() < 1e-3);
    }
    let native_mean = (logits[1] + logits[2]) / 2.0;
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
    close(
        detector.fuse(&logits).0,
        2.0 * logits[0] + 0.5 * native_mean,
    );
    let without = |whole| detector.without(&windows, &logits, whole).expect("rest").0;
    close(without(true), 2.0 * 0.1 + 0.5 * native_mean);
    close(without(false), 2.0 * logits[0] + 0.5 * -0.2);
    assert_eq!(detector.map_side(), 16);
    let map = detector.map_logits(&views[1..]).expect("map");
    close(map[0], 2.0 * 0.1 + 0.5 * logits[1]);

    // A damaged companion is found out.
    std::fs::write(folder.path().join("home/models/two/native.onnx"), b"other").expect("written");
    assert!(home.load("two", EngineKind::Rten).is_err());
}
