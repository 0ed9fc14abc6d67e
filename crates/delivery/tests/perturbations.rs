//! Every perturbation and every arm gives the same pixels as on the day its results were published.

#![cfg(feature = "arms")]

use std::fmt::Write as _;

use image::RgbImage;
use realscope_delivery::arm::Arm;
use realscope_delivery::perturb::{self, Op};
use sha2::{Digest as _, Sha256};

/// A picture with slopes, edges and fine grain, the same on every machine.
fn picture() -> RgbImage {
    let mut state = 1_u32;
    RgbImage::from_fn(160, 144, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (state >> 28) as u8;
        let step = if (x / 20 + y / 16) % 2 == 0 { 40 } else { 0 };
        image::Rgb([
            (x as u8) + step + grain,
            (y as u8) + step,
            ((x + y) as u8 / 2) + 2 * grain,
        ])
    })
}

fn hash(width: u32, height: u32, bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest[..8]
        .iter()
        .fold(format!("{width}x{height} "), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[test]
fn outputs_stay_the_same() {
    let picture = picture();
    let mut made = String::new();
    for p in perturb::set("all").expect("known") {
        let pixels = perturb::apply(&picture, &p.op, 7, "a.png").expect("runs");
        // A short side of 480 or more leaves a small picture's size alone; all else changes it.
        assert!(
            pixels != picture || p.name.starts_with("social"),
            "{}",
            p.name
        );
        let hash = hash(pixels.width(), pixels.height(), pixels.as_raw());
        let op = serde_json::to_string(&p.op).expect("serialises");
        let _ = writeln!(made, "{} {} {} {op} {hash}", p.family, p.severity, p.name);
    }
    for arm in [
        Arm::BothQ95,
        Arm::Web,
        Arm::Hard,
        Arm::WebScaled,
        Arm::HardScaled,
        Arm::FakesOnlyQ96,
    ] {
        for generated in [false, true] {
            let bytes = arm
                .deliver(&picture, generated, "a", 96, 7)
                .expect("delivers")
                .expect("encodes");
            let _ = writeln!(
                made,
                "arm {} {generated} {}",
                arm.name(),
                hash(0, 0, &bytes)
            );
        }
    }
    // BLESS=1 writes the file anew, for a change of outputs that is meant and stated.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/perturbations.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &made).expect("writes");
    }
    let stored = std::fs::read_to_string(path).expect("reads");
    for (made, stored) in made.lines().zip(stored.lines()) {
        assert_eq!(made, stored);
    }
    assert_eq!(made.lines().count(), stored.lines().count());
}

#[test]
fn what_is_random_differs_between_pictures_and_repeats_for_one() {
    let picture = picture();
    let noise = Op::Noise { sigma: 4.0 };
    let noisy = |path| perturb::apply(&picture, &noise, 7, path).expect("runs");
    assert_eq!(noisy("a.png"), noisy("a.png"));
    assert_ne!(noisy("a.png"), noisy("b.png"));
}
