//! Every format decodes whole and survives being cut anywhere.

use std::path::Path;

use realscope_media::{Limits, MediaError, Options, decode};

fn pictures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests/pictures");
    let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .expect("folder")
        .flatten()
        .map(|e| {
            let name = e.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(e.path()).expect("picture"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_format_decodes() {
    for (name, bytes) in pictures() {
        let decoded = decode(&bytes, &Limits::default(), &Options::default());
        let decoded = decoded.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(decoded.facts.width >= 64, "{name}");
        assert_eq!(
            decoded.facts.alpha_composited,
            name == "alpha.png",
            "{name}"
        );
    }
}

#[test]
fn every_prefix_is_an_error_or_a_picture_of_the_same_size() {
    for (name, bytes) in pictures() {
        let whole = decode(&bytes, &Limits::default(), &Options::default()).expect("decodes");
        let step = (bytes.len() / 150).max(1);
        for end in (0..bytes.len()).step_by(step) {
            if let Ok(cut) = decode(&bytes[..end], &Limits::default(), &Options::default()) {
                assert_eq!(
                    cut.pixels.dimensions(),
                    whole.pixels.dimensions(),
                    "{name} at {end}"
                );
            }
        }
    }
}

#[test]
fn a_jpeg_that_lacks_data_is_refused() {
    for name in ["photo-like.jpg", "gray.jpg", "progressive.jpg"] {
        let (_, bytes) = pictures()
            .into_iter()
            .find(|(n, _)| n == name)
            .expect("there");
        for share in [0.3, 0.5, 0.8, 0.95] {
            let end = (bytes.len() as f64 * share) as usize;
            let error = decode(&bytes[..end], &Limits::default(), &Options::default());
            assert!(error.is_err(), "{name} cut at {share}");
        }
        let no_end = decode(
            &bytes[..bytes.len() - 2],
            &Limits::default(),
            &Options::default(),
        );
        let notes = no_end
            .expect("a missing end marker alone is a note")
            .facts
            .notes;
        assert!(notes.iter().any(|n| n.code == "no_end_marker"));
    }
}

#[test]
fn a_huge_header_costs_nothing() {
    let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bomb.extend([
        0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30, 8, 2, 0, 0, 0, 0, 0, 0, 0,
    ]);
    bomb.extend([0; 32]);
    let side = i32::MAX.to_le_bytes();
    let bitmap = [
        &b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"[..],
        &side,
        &side,
        b"\x01\0\x18\0",
        &[0; 40],
    ]
    .concat();
    for bomb in [bomb, bitmap] {
        let error = decode(&bomb, &Limits::default(), &Options::default()).expect_err("refused");
        assert!(matches!(error, MediaError::Limit { .. }), "{error}");
    }
}

#[test]
fn jpeg_facts_are_read() {
    let (_, bytes) = pictures()
        .into_iter()
        .find(|(n, _)| n == "progressive.jpg")
        .expect("there");
    let facts = decode(&bytes, &Limits::default(), &Options::default())
        .expect("decodes")
        .facts;
    let jpeg = facts.jpeg.expect("a JPEG");
    assert_eq!(
        (jpeg.quality, jpeg.standard_tables, jpeg.progressive),
        (70, true, true)
    );
    assert_eq!(jpeg.subsampling, "4:2:0");
}
