//! `realscope train recipes/video.toml`, from clips to a detector with a head for videos, as a user runs it.
#![cfg(feature = "lab")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn realscope(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(args)
        .env("REALSCOPE_HOME", home)
        .output()
        .expect("runs")
}

fn done(out: &Output) -> String {
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Four clips and four stills of four groups in two folds: test patterns are authentic, fractals generated.
fn clips(folder: &Path) -> bool {
    let mut manifest = String::from("path\tlabel\tgroup\tfold\n");
    for (n, source) in [
        "testsrc2=s=160x120:r=10",
        "mandelbrot=s=160x120:r=10",
        "testsrc2=s=200x160:r=10",
        "mandelbrot=s=200x160:r=10:start_scale=0.5",
    ]
    .iter()
    .enumerate()
    {
        let name = format!("{n}.mp4");
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", source, "-t", "1"])
            .args(["-pix_fmt", "yuv420p"])
            .arg(folder.join(&name))
            .status();
        if made.is_err() {
            eprintln!("skipped: no ffmpeg");
            return false;
        }
        assert!(made.is_ok_and(|s| s.success()));
        let still = format!("{n}.png");
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(folder.join(&name))
            .args(["-frames:v", "1"])
            .arg(folder.join(&still))
            .status();
        assert!(made.is_ok_and(|s| s.success()));
        for name in [name, still] {
            writeln!(manifest, "{name}\t{}\tg{n}\t{}", n % 2, n / 2).expect("a line");
        }
    }
    std::fs::write(folder.join("manifest.tsv"), manifest).expect("writes");
    true
}

#[test]
fn a_head_for_videos_leaves_that_of_pictures_as_it_is() {
    let home = tempfile::tempdir().expect("folder");
    let data = tempfile::tempdir().expect("folder");
    if !clips(data.path()) {
        return;
    }
    let at = |name: &str| data.path().join(name).display().to_string();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shipped = std::fs::read_to_string(root.join("recipes/video.toml")).expect("reads");
    let (recipe, out) = (at("recipe.toml"), at("out"));
    std::fs::write(&recipe, shipped.replace("frames = 4", "frames = 1")).expect("writes");
    let dir = data.path().display().to_string();
    let train = ["train", &recipe, "--data", &dir, "--id", "mine", "-o", &out];
    let said = String::from_utf8(realscope(home.path(), &train).stderr).expect("text");
    assert!(said.contains("features of 8 of 8 clips"), "{said}");
    // What is there is not computed again.
    let again = String::from_utf8(realscope(home.path(), &train).stderr).expect("text");
    assert!(!again.contains("features of"), "{again}");
    assert!(
        again.contains("ridge") && again.contains("; pans over stills"),
        "{again}"
    );
    let scores = std::fs::read_to_string(at("out/validation.csv")).expect("reads");
    assert_eq!(scores.lines().count(), 1 + 8 * 3);

    let (onnx, card) = (at("out/mine.onnx"), at("out/mine.toml"));
    let text = std::fs::read_to_string(&card).expect("reads");
    assert!(text.contains("medium = \"video\""), "{text:.2000}");
    done(&realscope(
        home.path(),
        &["models", "import", "mine", &onnx, "--card", &card],
    ));
    let scan = |detector: &str, path: &str| -> Value {
        let args = ["scan", "--detector", detector, "--format", "json", path];
        let text = done(&realscope(home.path(), &args));
        let json: Value = serde_json::from_str(&text).expect("JSON");
        json["results"][0].clone()
    };
    let raw = |record: &Value| record["detectors"][0]["raw"].as_f64().expect("a score");
    // The head of pictures is the one that ships: its score differs by no more than products that are summed otherwise.
    let picture = root.join("examples/authentic.jpg").display().to_string();
    let (ours, theirs) = (
        raw(&scan("mine", &picture)),
        raw(&scan("clip-blocks", &picture)),
    );
    assert!((ours - theirs).abs() < 1e-3, "{ours}, shipped {theirs}");
    // What it was fitted on it tells apart, by frames that are scored one by one.
    let [authentic, generated] = ["0.mp4", "1.mp4"].map(|name| scan("mine", &at(name)));
    assert!(raw(&generated) > raw(&authentic), "{generated:#}");
    let other = scan("clip-blocks", &at("1.mp4"));
    assert_ne!(raw(&generated), raw(&other));
}
