//! `realscope models`, and the measures by column of a program with the feature `lab`, as a user runs them.

use std::process::{Command, Output};

fn realscope(args: &[&str], home: &std::path::Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(args)
        .env("REALSCOPE_HOME", home)
        .env("HF_HOME", home.join("hub"))
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .expect("runs")
}

#[cfg(feature = "lab")]
fn pull(revision: &str, home: &std::path::Path) -> Output {
    let hash = "ab".repeat(32);
    realscope(
        &[
            "models",
            "pull",
            "npr",
            "--repo",
            "owner/name",
            "--revision",
            revision,
            "--file",
            "NPR.pth",
            "--sha256",
            &hash,
        ],
        home,
    )
}

#[cfg(feature = "lab")]
#[test]
fn offline_only_the_cache_is_looked_at() {
    let home = tempfile::tempdir().expect("folder");
    let out = pull(&"0".repeat(40), home.path());
    assert_eq!(out.status.code(), Some(5));
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(text.contains("not in the cache"), "{text}");
}

#[test]
fn the_accurate_profile_says_what_it_needs() {
    let home = tempfile::tempdir().expect("folder");
    let picture = home.path().join("x.png");
    image::RgbImage::new(64, 64).save(&picture).expect("saves");
    let path = picture.to_str().expect("text");
    let out = realscope(&["scan", "--profile", "accurate", path], home.path());
    assert_eq!(out.status.code(), Some(5));
    assert!(out.stdout.is_empty());
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(text.contains("models pull community-forensics"), "{text}");
    // A detector that is named wins over the profile's.
    let args = [
        "scan",
        "--profile",
        "accurate",
        "--detector",
        "default",
        path,
    ];
    assert_eq!(realscope(&args, home.path()).status.code(), Some(0));
}

#[cfg(feature = "lab")]
#[test]
fn a_branch_is_no_pin() {
    let home = tempfile::tempdir().expect("folder");
    let out = pull("main", home.path());
    assert_eq!(out.status.code(), Some(2));
}

#[cfg(feature = "lab")]
#[test]
fn rates_by_column_come_with_the_summary() {
    let home = tempfile::tempdir().expect("folder");
    let mut csv = String::from("path,label,group,score,skin\n");
    for i in 0..160 {
        let (label, skin) = (i % 2, if i < 80 { "light" } else { "dark" });
        let score = if label == 1 || (skin == "dark" && i % 8 == 0) {
            0.9
        } else {
            0.2
        };
        csv += &format!("p{i},{label},g{},{score},{skin}\n", i % 20);
    }
    let file = home.path().join("scores.csv");
    std::fs::write(&file, csv).expect("written");
    let file = file.to_string_lossy();
    let out = realscope(
        &[
            "eval",
            "metrics",
            &file,
            "--by",
            "skin",
            "--format",
            "json",
            "--resamples",
            "50",
        ],
        home.path(),
    );
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let value: serde_json::Value = serde_json::from_slice(&out.stdout).expect("json");
    assert_eq!(value["n"], 160);
    assert_eq!(value["by"][0]["rows"][0]["value"], "dark");
    assert_eq!(value["by"][0]["gaps"]["false_positive_rate"], 0.25);

    let out = realscope(&["eval", "metrics", &file, "--by", "age"], home.path());
    assert_eq!(out.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&out.stderr).contains("`age`"));
}

#[cfg(feature = "lab")]
#[test]
fn class_scores_are_measured_as_the_benchmark_does() {
    let home = tempfile::tempdir().expect("folder");
    let file = home.path().join("classes.csv");
    std::fs::write(
        &file,
        "path,label,score_0,score_1\na,0,.9,.1\nb,1,.2,.8\nc,1,.7,.3\n",
    )
    .expect("written");
    let file = file.to_string_lossy();
    for (compat, key, expected) in [
        ("genvidbench", "top1", 2.0 / 3.0),
        ("forgerynet", "m_acc", 75.0),
    ] {
        let out = realscope(
            &[
                "eval", "metrics", &file, "--compat", compat, "--format", "json",
            ],
            home.path(),
        );
        let value: serde_json::Value = serde_json::from_slice(&out.stdout).expect("json");
        assert!(
            (value[key].as_f64().expect("number") - expected).abs() < 1e-9,
            "{value}"
        );
    }
}

/// A detector that accuses everything and knows nothing of artworks.
#[test]
fn what_looks_painted_is_not_accused_by_any_detector() {
    let home = tempfile::tempdir().expect("folder");
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let npr = here.join("../detectors/src/npr");
    let card = std::fs::read_to_string(npr.join("card.toml")).expect("card");
    let mut card: toml::Table = card.parse().expect("TOML");
    card["id"] = "accuser".into();
    let calibration = card["calibration"].as_table_mut().expect("calibrated");
    for (key, value) in [
        ("scale", 0.0),
        ("offset", 3.0),
        ("decision_threshold", 0.5),
        ("generated_threshold", 0.6),
    ] {
        calibration.insert(key.into(), value.into());
    }
    let file = home.path().join("card.toml");
    std::fs::write(&file, card.to_string()).expect("written");
    let weights = npr.join("weights.onnx");
    let (weights, file) = (weights.to_string_lossy(), file.to_string_lossy());
    let args = ["models", "import", "accuser", &weights, "--card", &file];
    let out = realscope(&args, home.path());
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{text}");
    let scan = |path: &std::path::Path| -> serde_json::Value {
        let path = path.to_string_lossy();
        let mut args = vec!["scan", "--detector", "accuser"];
        args.extend(["--format", "ndjson", &path]);
        let out = realscope(&args, home.path());
        serde_json::from_slice(&out.stdout).expect("a record")
    };
    let painted = scan(&here.join("tests/pictures/photo-like.jpg"));
    assert_eq!(painted["verdict"], "uncertain", "{painted}");
    let all = |list: &str, key: &str| -> Vec<String> {
        let items = painted[list].as_array().expect("a list").iter();
        items
            .filter_map(|e| Some(e[key].as_str()?.to_owned()))
            .collect()
    };
    let codes = all("evidence", "code");
    assert!(codes.contains(&"artwork".into()) && codes.contains(&"looks_painted".into()));
    assert_eq!(all("detectors", "id"), ["accuser", "clip-blocks"]);

    // A photograph gets the verdict of the detector.
    let data = std::env::var_os("REALSCOPE_DATA").map_or_else(
        || here.join("../../../shared/data"),
        std::path::PathBuf::from,
    );
    let Ok(photographs) = std::fs::read_dir(data.join("public/image/real/photo-anthony")) else {
        eprintln!(
            "SKIPPED: no data set at {}; set REALSCOPE_DATA",
            data.display()
        );
        return;
    };
    let accused = photographs
        .take(3)
        .map(|p| scan(&p.expect("listed").path()))
        .filter(|record| record["verdict"] == "generated")
        .count();
    assert!(accused > 0);
}
