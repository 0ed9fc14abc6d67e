//! `realscope train recipes/probe.toml --encoder ID`, from an encoder's file to a scan, as a user runs it.
#![cfg(feature = "lab")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use realscope_parity::fixture::Fixture;

const ENCODER: &str = "dinov3-vits16";

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

/// Twenty-four pictures of six groups in three match sets: waves are authentic, squares are generated.
fn pictures(folder: &Path) {
    let mut manifest = String::from("path\tlabel\tgroup\tmatch_set\n");
    for n in 0..24_u32 {
        let (label, group) = (n % 2, n / 2 % 3);
        let picture = image::RgbImage::from_fn(240, 230, |x, y| {
            let at = if label == 0 {
                ((x as f32 / (9.0 + n as f32)).sin() * 90.0) as i32 + y as i32 / 3
            } else {
                ((x / (11 + n) + y / (13 + n)) % 2 * 120) as i32 + (x * y % 40) as i32
            };
            let v = (60 + at).clamp(0, 255) as u8;
            image::Rgb([v, v / 2 + (7 * group) as u8, 255 - v])
        });
        let name = format!("{n}.png");
        picture.save(folder.join(&name)).expect("saves");
        let label_word = ["real", "generated"][label as usize];
        writeln!(manifest, "{name}\t{label}\t{label_word}{group}\tset{group}").expect("a line");
    }
    std::fs::write(folder.join("manifest.tsv"), manifest).expect("writes");
}

#[test]
fn a_head_on_an_encoder_that_the_user_brought() {
    let home = tempfile::tempdir().expect("folder");
    let data = tempfile::tempdir().expect("folder");
    let at = |name: &str| data.path().join(name).display().to_string();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let recipe = root.join("recipes/probe.toml").display().to_string();
    let train = |id: &str| {
        let (dir, out) = (data.path().display().to_string(), at("out"));
        let args = [
            "train",
            &recipe,
            "--encoder",
            id,
            "--data",
            &dir,
            "--id",
            "mine",
            "-o",
            &out,
        ];
        realscope(home.path(), &args)
    };
    pictures(data.path());

    // Without the file there is a hint and nothing else.
    let out = train(ENCODER);
    assert_eq!(out.status.code(), Some(5));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("models import dinov3-vits16"), "{said}");

    let fixture = root.join(format!("crates/parity/fixtures/{ENCODER}.json"));
    let dict = Fixture::read(&fixture).expect("a fixture").state_dict();
    let bytes = dict.expect("weights by rule").to_safetensors();
    std::fs::write(at("model.safetensors"), bytes.expect("serialises")).expect("writes");
    let file = at("model.safetensors");
    done(&realscope(
        home.path(),
        &["models", "import", ENCODER, &file],
    ));
    // An encoder says nothing of a picture by itself.
    let first = at("0.png");
    let out = realscope(home.path(), &["scan", "--detector", ENCODER, &first]);
    assert!(
        out.stdout.is_empty() && out.status.code() != Some(0),
        "{out:?}"
    );

    done(&train(ENCODER));
    let (onnx, card) = (at("out/mine.onnx"), at("out/mine.toml"));
    done(&realscope(
        home.path(),
        &["models", "import", "mine", &onnx, "--card", &card],
    ));
    let raw = |name: &str| -> f64 {
        let path = at(name);
        let args = ["scan", "--detector", "mine", "--format", "json", &path];
        let text = done(&realscope(home.path(), &args));
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        json["results"][0]["probability"]
            .as_f64()
            .unwrap_or_else(|| panic!("{text}"))
    };
    // What it was fitted on it tells apart.
    let (authentic, generated) = (raw("4.png"), raw("5.png"));
    assert!(generated > authentic, "{generated}, authentic {authentic}");
}
