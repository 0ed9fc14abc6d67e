//! HEIC files that another encoder writes decode to what another decoder makes of them.
//!
//! Needs `heif-enc` and `heif-convert` of libheif; without them the test says that it skips.

use std::path::Path;
use std::process::{Command, Stdio};

use realscope_media::{Format, Limits, Options, decode};

fn run(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

#[test]
fn heic_of_libheif_is_what_libheif_shows() {
    if !run("heif-enc", &["--help"]) && !run("heif-enc", &["--list-encoders"]) {
        println!("SKIPPED: heif-enc is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/made/base.png");
    let eight = base.display().to_string();
    let wide = image::open(&base).expect("a PNG").into_rgb16();
    wide.save(at("wide.png")).expect("written");
    let odd = image::open(&base).expect("a PNG").crop_imm(3, 5, 251, 183);
    odd.save(at("odd.png")).expect("written");
    let gray = image::open(&base).expect("a PNG").into_luma8();
    gray.save(at("gray.png")).expect("written");
    let mut compared = 0;
    for (name, source, options) in [
        ("plain", eight.clone(), &["-q", "80"][..]),
        ("thumbnail", eight.clone(), &["-q", "80", "-t", "64"]),
        ("444", eight.clone(), &["-q", "80", "-p", "chroma=444"]),
        (
            "lossless",
            eight,
            &["-L", "-p", "chroma=444", "--matrix_coefficients=0"],
        ),
        ("ten", at("wide.png"), &["-q", "80", "-b", "10"]),
        ("odd", at("odd.png"), &["-q", "80"]),
        ("gray", at("gray.png"), &["-q", "80"]),
    ] {
        let (heic, shown) = (at(&format!("{name}.heic")), at(&format!("{name}.png")));
        let args = [options, &["-o", &heic, &source]].concat();
        if !run("heif-enc", &args) || !run("heif-convert", &[&heic, &shown]) {
            println!("{name}: this libheif cannot");
            continue;
        }
        let bytes = std::fs::read(&heic).expect("a file");
        let found = decode(&bytes, &Limits::default(), &Options::default()).expect(name);
        assert_eq!(found.facts.format, Format::Heic);
        let right = image::open(&shown).expect("a PNG").into_rgb8();
        assert_eq!(found.pixels.dimensions(), right.dimensions(), "{name}");
        let each = found.pixels.as_raw().iter().zip(right.as_raw());
        let each = each.map(|(a, b)| a.abs_diff(*b));
        let most = each.clone().max().unwrap_or(0);
        let mean = each.map(f64::from).sum::<f64>() / right.as_raw().len() as f64;
        println!("{name}: mean {mean:.3}, most {most}");
        // Rounding, and with 10 bits another way to 8.
        assert!(mean < 0.6 && most <= 3, "{name}: mean {mean}, most {most}");
        compared += 1;
    }
    if compared == 0 {
        println!("SKIPPED: this libheif has no encoder of HEVC");
    }
}
