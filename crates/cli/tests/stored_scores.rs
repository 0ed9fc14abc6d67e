//! Scores and verdicts of a stored set: the test pictures and 40 of the public split of the data set. They change only
//! with the detector's weights or calibration, never with a change of the program.
//!
//! Pictures of the data set are found through `REALSCOPE_DATA`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Largest difference of a probability, whatever the CPU's vectors.
const TOLERANCE: f64 = 1e-6;

fn stored(part: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("stored/scores.json")).expect("json");
    all[part].as_array().expect("a list").clone()
}

fn scan(root: &Path, rows: &[Value], options: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_realscope"))
        .env("REALSCOPE_CONFIG", "/dev/null")
        .args(["scan", "--quiet", "--format", "ndjson"])
        .args(options)
        .args(
            rows.iter()
                .map(|r| root.join(r["path"].as_str().expect("path"))),
        )
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let records = text.lines().map(|l| serde_json::from_str(l).expect("json"));
    records.collect()
}

fn check(root: &Path, part: &str) {
    let rows = stored(part);
    let all = scan(root, &rows, &["--all-deliveries"]);
    let needed = scan(root, &rows, &[]);
    assert_eq!((all.len(), needed.len()), (rows.len(), rows.len()));
    let (mut skipped, mut largest) = (0, 0.0_f64);
    for ((row, all), needed) in rows.iter().zip(&all).zip(&needed) {
        let path = &row["path"];
        assert_eq!(row["sha256"], all["sha256"], "{path} is another picture");
        for (name, expected) in row["probabilities"].as_object().expect("a map") {
            let found = all["interval"]["deliveries"][name].as_f64();
            let difference = (found.expect(name) - expected.as_f64().expect(name)).abs();
            assert!(difference <= TOLERANCE, "{path} {name}: {difference}");
            largest = largest.max(difference);
        }
        assert_eq!(row["verdict"], all["verdict"], "{path}");
        // Deliveries that were left out could not have changed the verdict.
        assert_eq!(all["verdict"], needed["verdict"], "{path}");
        assert_eq!(all["probability"], needed["probability"], "{path}");
        let left_out = needed["interval"]["skipped"].as_array().expect("a list");
        assert_eq!(left_out.is_empty(), !needed["stable"].is_null(), "{path}");
        skipped += usize::from(!left_out.is_empty());
    }
    println!(
        "{part}: {} pictures, {skipped} with deliveries left out; largest difference {largest:.1e}",
        rows.len()
    );
}

#[test]
fn test_pictures_score_as_stored() {
    check(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures"),
        "pictures",
    );
}

#[test]
fn public_pictures_score_as_stored() {
    let root = std::env::var_os("REALSCOPE_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    if !root.join("manifest.tsv").is_file() {
        println!(
            "SKIPPED: no data set at {}; set REALSCOPE_DATA",
            root.display()
        );
        return;
    }
    check(&root, "public");
}
