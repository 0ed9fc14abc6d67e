//! `realscope eval` and `realscope data` as a user meets them.
#![cfg(feature = "lab")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn command(args: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_realscope"));
    c.args(args).env("REALSCOPE_CONFIG", "/dev/null");
    c
}

fn realscope(args: &[&str]) -> Output {
    command(args).output().expect("runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("exits")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Small textured pictures with a manifest; one file is damaged.
fn data_set(folder: &Path, n: usize) -> PathBuf {
    let mut rows = String::from("path,label,group,match_set\n");
    for i in 0..n {
        let label = i % 2;
        let name = format!("{label}-{i}.png");
        let picture = image::RgbImage::from_fn(72, 72, |x, y| {
            let v = (x * (3 + i as u32) + y * 7 + (x * y) % (5 + i as u32)) % 256;
            image::Rgb([v as u8, (v / 2) as u8, (255 - v) as u8])
        });
        picture.save(folder.join(&name)).expect("saved");
        rows += &format!("{name},{label},group-{},set\n", i % 12);
    }
    std::fs::write(folder.join("broken.png"), b"\x89PNG\r\n\x1a\nbroken").expect("written");
    rows += "broken.png,1,group-1,\n";
    let manifest = folder.join("manifest.csv");
    std::fs::write(&manifest, rows).expect("written");
    manifest
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |t| t.lines().count())
}

#[test]
fn a_killed_run_goes_on_and_gives_what_an_unbroken_one_gives() {
    let folder = tempfile::tempdir().expect("folder");
    let manifest = data_set(folder.path(), 2);
    let manifest = manifest.to_str().expect("utf-8");
    let run = |out: &Path| {
        let mut c = command(&[
            "eval",
            "run",
            "--manifest",
            manifest,
            "--protocol",
            "delivery",
            "--jobs",
            "1",
            "--quiet",
            "-o",
        ]);
        c.arg(out).stdout(Stdio::null()).stderr(Stdio::null());
        c
    };
    let broken = folder.path().join("killed");
    let mut child = run(&broken).spawn().expect("starts");
    let log = broken.join("units.jsonl");
    let begun = Instant::now();
    while lines(&log) < 5 {
        assert!(
            begun.elapsed() < Duration::from_secs(300),
            "the run gets going"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    let done = lines(&log);
    // A kill may cut the last line short.
    let mut bytes = std::fs::read(&log).expect("log");
    bytes.extend(b"{\"unit\":\"half a li");
    std::fs::write(&log, bytes).expect("written");
    assert!(run(&broken).status().expect("runs").success());
    let whole = folder.path().join("whole");
    assert!(run(&whole).status().expect("runs").success());
    let units = 3 * 7;
    assert!(done < units);
    assert_eq!(lines(&log), units, "each unit is written once");
    let metrics = |f: &Path| std::fs::read_to_string(f.join("metrics.json")).expect("metrics");
    let (a, b): (Value, Value) = (
        serde_json::from_str(&metrics(&broken)).expect("json"),
        serde_json::from_str(&metrics(&whole)).expect("json"),
    );
    let of = |v: &Value, arm: &str| -> Value {
        let parts = v["parts"].as_array().expect("parts").clone();
        parts.into_iter().find(|p| p["arm"] == arm).expect("arm")
    };
    for arm in [
        "native",
        "q95",
        "web",
        "hard",
        "web-scaled",
        "hard-scaled",
        "fakes-only-q96",
    ] {
        assert_eq!(of(&a, arm)["n"], 2);
        // No picture of 72 pixels has a metric under thirty items, but counts it has.
        assert_eq!(of(&a, arm)["by_group"], of(&b, arm)["by_group"], "{arm}");
        assert!(of(&a, arm)["auc"]["reason"].is_string());
    }
    assert_eq!(
        a["failed"], 7,
        "the broken picture in every arm, listed and not replaced"
    );
    let page = std::fs::read_to_string(whole.join("report.html")).expect("page");
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg"));
    assert!(!page.contains("http://") && !page.contains("https://"));
    // The same folder for another run is refused.
    let other = realscope(&[
        "eval",
        "run",
        "--manifest",
        manifest,
        "--protocol",
        "native",
        "-o",
        whole.to_str().expect("utf-8"),
    ]);
    assert_eq!(code(&other), 3, "{}", text(&other.stderr));
    assert!(text(&other.stderr).contains("another run"));
    // Metrics come back without the media.
    let again = realscope(&[
        "eval",
        "metrics",
        whole.to_str().expect("utf-8"),
        "--format",
        "json",
    ]);
    assert_eq!(code(&again), 0);
    let again: Value = serde_json::from_slice(&again.stdout).expect("json");
    assert_eq!(
        of(&again, "native")["by_group"],
        of(&b, "native")["by_group"]
    );
    let board = realscope(&[
        "eval",
        "leaderboard",
        folder.path().to_str().expect("utf-8"),
    ]);
    assert!(text(&board.stdout).contains("killed") && text(&board.stdout).contains("whole"));
}

#[test]
fn videos_are_scored_by_their_frames() {
    if !realscope_media::video::available() {
        eprintln!("skipped: no ffmpeg");
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    for (name, source) in [
        ("a.mp4", "testsrc2=s=128x96:r=5:d=2"),
        ("b.gif", "mandelbrot=s=96x96:r=5,trim=duration=1"),
    ] {
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", source])
            .arg(folder.path().join(name))
            .status();
        assert!(made.expect("starts").success());
    }
    let at = |name: &str| folder.path().join(name);
    let whole = std::fs::read(at("a.mp4")).expect("reads");
    std::fs::write(at("cut.mp4"), &whole[..whole.len() / 3]).expect("writes");
    std::fs::copy(at("a.mp4"), at("short.mp4")).expect("copies");
    let manifest = at("manifest.csv");
    let rows = [
        "path,label,group,video,first_frame,last_frame",
        "a.mp4,1,g,a,,",
        "b.gif,0,h,b,1,3",
        "cut.mp4,1,g,c,,",
        "short.mp4,1,g,d,8,99",
        "picture.png,0,h,,,",
    ];
    std::fs::write(&manifest, rows.join("\n")).expect("writes");
    let videos = at("videos.csv");
    std::fs::write(&videos, rows[..2].join("\n")).expect("writes");
    let out = at("run");
    let run = |frames: &str, ffmpeg: &str| {
        let mut c = command(&["eval", "run", "--protocol", "video", "--frames", frames]);
        c.args(["--quiet", "--manifest"]).arg(&manifest);
        c.env("REALSCOPE_FFMPEG", ffmpeg)
            .arg("-o")
            .arg(&out)
            .output()
            .expect("runs")
    };
    let without = run("2", "/nowhere");
    assert_eq!(code(&without), 3);
    assert!(text(&without.stderr).contains("ffmpeg"));
    let output = run("2", "");
    let said = text(&output.stderr);
    assert_eq!(code(&output), 0, "{said}");
    assert!(
        said.contains("12 units") && said.contains("6 failures"),
        "{said}"
    );
    assert!(
        said.contains("1 items of the manifest take no part"),
        "{said}"
    );
    let units = std::fs::read_to_string(out.join("units.jsonl")).expect("reads");
    let rows: Vec<Value> = units
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("json")["rows"][0].clone())
        .collect();
    let words = ["generated", "uncertain", "no_evidence"];
    for row in &rows {
        let text = |key: &str| row[key].as_str().expect("text").to_owned();
        match text("path").as_str() {
            "a.mp4" | "b.gif" => {
                let score = row["score"].as_f64().expect("a score");
                assert!((0.0..=1.0).contains(&score));
                assert!(words.contains(&text("verdict").as_str()), "{row}");
                assert_eq!(text("sha256").len(), 64);
            }
            "cut.mp4" => assert!(["corrupt", "truncated"].contains(&text("error").as_str())),
            _ => assert_eq!(text("error"), "truncated"),
        }
    }
    // A protocol of pictures has nothing to do with a manifest of videos, and says what has.
    let output = command(&["eval", "run", "--protocol", "native", "--quiet"])
        .arg("--manifest")
        .arg(&videos)
        .arg("-o")
        .arg(at("none"))
        .output()
        .expect("runs");
    assert_ne!(code(&output), 0);
    let said = text(&output.stderr);
    assert!(said.contains("its videos do in protocol `video`"), "{said}");
    // Another number of frames is another run.
    let other = run("3", "");
    assert!(
        text(&other.stderr).contains("frames differs"),
        "{}",
        text(&other.stderr)
    );
    // The check looks at videos too.
    std::fs::write(at("picture.png"), b"none").expect("writes");
    let check = command(&["data", "check"])
        .arg(&manifest)
        .output()
        .expect("runs");
    let said = text(&check.stdout) + &text(&check.stderr);
    assert!(said.contains("2 items cannot be decoded"), "{said}");
}

fn predictions(n: usize, shift: f64) -> String {
    let mut rows = String::from("path,label,group,score\n");
    for i in 0..n {
        let label = i % 2;
        let noise = ((i * 7919) % 997) as f64 / 997.0;
        let score = (0.3 + shift * label as f64 + 0.4 * noise).min(1.0);
        rows += &format!("p{i}.jpg,{label},g{},{score:.5}\n", i % 24);
    }
    rows
}

#[test]
fn metrics_of_any_csv() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("p.csv");
    std::fs::write(&file, predictions(400, 0.2)).expect("written");
    let name = file.to_str().expect("utf-8");
    let output = realscope(&["eval", "metrics", name, "--format", "json"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let v: Value = serde_json::from_slice(&output.stdout).expect("json");
    assert_eq!(
        (&v["n"], &v["n_pos"], &v["threshold"]),
        (&400.into(), &200.into(), &0.5.into())
    );
    for key in [
        "accuracy",
        "balanced_accuracy",
        "auc",
        "ap",
        "eer",
        "recall_at_fpr_0_05",
        "f1",
        "ece",
        "ece_adaptive",
        "brier",
        "nll",
    ] {
        let m = &v[key];
        let (low, high) = (m["ci95"][0].as_f64(), m["ci95"][1].as_f64());
        let value = m["value"].as_f64().unwrap_or_else(|| panic!("{key}: {m}"));
        assert!(low <= high && (0.0..=1.0).contains(&value), "{key}: {m}");
    }
    for key in ["tpr_at_fpr_0_01", "tpr_at_fpr_0_001"] {
        assert!(v[key]["value"].is_null());
        assert!(
            v[key]["reason"]
                .as_str()
                .expect("reason")
                .contains("200 negatives")
        );
    }
    // Logits are no probabilities.
    std::fs::write(&file, predictions(400, 4.0).replace(",1.00000", ",3.5")).expect("written");
    let output = realscope(&["eval", "metrics", name, "--format", "json"]);
    let v: Value = serde_json::from_slice(&output.stdout).expect("json");
    assert!(v["brier"]["value"].is_null() && v["auc"]["value"].is_f64());
}

#[test]
fn faulty_rows_are_named_or_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("p.csv");
    let name = file.to_str().expect("utf-8").to_owned();
    let good = predictions(60, 0.2);
    for (row, expected) in [
        ("x.jpg,1,g,NaN", "row 61 (x.jpg): the score"),
        ("x.jpg,2,g,0.5", "row 61 (x.jpg): unknown label"),
        ("p1.jpg,1,g,0.5", "row 61 (p1.jpg): duplicate path"),
        (",1,g,0.5", "the path is empty"),
        ("x.jpg,fake,g,0.5", "mix numbers and words"),
        ("x.jpg,1,g", "record"),
    ] {
        std::fs::write(&file, format!("{good}{row}\n")).expect("written");
        let output = realscope(&["eval", "metrics", &name]);
        assert_eq!(code(&output), 3, "{row}");
        assert!(output.stdout.is_empty(), "no partial report");
        assert!(
            text(&output.stderr).contains(expected),
            "{row}: {}",
            text(&output.stderr)
        );
    }
    std::fs::write(&file, format!("{good}x.jpg,1,g,NaN\np1.jpg,1,g,0.5\n")).expect("written");
    let output = realscope(&["eval", "metrics", &name, "--quarantine", "--format", "json"]);
    assert_eq!(code(&output), 0);
    let v: Value = serde_json::from_slice(&output.stdout).expect("json");
    assert_eq!(
        (&v["n"], &v["quarantined"]["duplicate path"]),
        (&60.into(), &1.into())
    );
    for (bytes, expected) in [
        ("", "no usable row"),
        ("path,label,score\n", "no column `group`"),
    ] {
        std::fs::write(&file, bytes).expect("written");
        let output = realscope(&["eval", "metrics", &name]);
        assert_eq!(code(&output), 3);
        assert!(
            text(&output.stderr).contains(expected),
            "{}",
            text(&output.stderr)
        );
    }
    assert_eq!(code(&realscope(&["eval", "metrics", "/nowhere.csv"])), 3);
}

#[test]
fn a_better_detector_is_told_from_a_worse_one() {
    let folder = tempfile::tempdir().expect("folder");
    let (a, b) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
    std::fs::write(&a, predictions(400, 0.3)).expect("written");
    std::fs::write(&b, predictions(400, 0.02)).expect("written");
    let (a, b) = (a.to_str().expect("utf-8"), b.to_str().expect("utf-8"));
    let output = realscope(&["eval", "compare", a, b, "--format", "json"]);
    let v: Value = serde_json::from_slice(&output.stdout).expect("json");
    let d = &v["differences"][0];
    assert!(d["auc_difference"].as_f64().expect("difference") > 0.2);
    assert!(d["delong_p"].as_f64().expect("p") < 0.01);
    assert!(d["permutation_p"].as_f64().expect("p") < 0.05);
    let same = realscope(&["eval", "compare", a, a, "--format", "json"]);
    let v: Value = serde_json::from_slice(&same.stdout).expect("json");
    assert_eq!(v["differences"][0]["permutation_p"].as_f64(), Some(1.0));
}

#[test]
fn a_data_set_is_imported_checked_and_split_by_group() {
    let folder = tempfile::tempdir().expect("folder");
    for (class, side) in [("real", 64_u32), ("fake", 96)] {
        for group in 0..6 {
            let dir = folder.path().join(format!("set/g{group}/{class}"));
            std::fs::create_dir_all(&dir).expect("folders");
            for i in 0..4_u32 {
                image::RgbImage::from_fn(side, side, |x, y| {
                    let v = x * (i + 2) + y * (group + 3) + (x * y) % (7 + i + group);
                    image::Rgb([v as u8, (v * 3) as u8, (x * i) as u8])
                })
                .save(dir.join(format!("{i}.png")))
                .expect("saved");
            }
        }
    }
    std::fs::copy(
        folder.path().join("set/g0/real/0.png"),
        folder.path().join("set/g1/fake/twin.png"),
    )
    .expect("copied");
    let set = folder.path().join("set").display().to_string();
    let manifest = folder.path().join("m.parquet").display().to_string();
    let output = realscope(&["data", "import", "folders", &set, "-o", &manifest]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("24 authentic, 25 generated"));
    let split = folder.path().join("s.csv").display().to_string();
    let shares = [
        "data",
        "split",
        &manifest,
        "-o",
        &split,
        "--shares",
        "train=0.5,test=0.5",
    ];
    assert_eq!(code(&realscope(&shares)), 0);
    let rows = std::fs::read_to_string(&split).expect("manifest");
    let mut splits = std::collections::BTreeMap::new();
    for row in rows.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let of = splits
            .entry(cells[3].to_owned())
            .or_insert_with(|| cells[2].to_owned());
        assert_eq!(of, cells[2], "group {} lies in one split", cells[3]);
    }
    let output = realscope(&["data", "check", &split, "--format", "json"]);
    let v: Value = serde_json::from_slice(&output.stdout).expect("json");
    let twins = v["twins"].as_array().expect("twins");
    assert!(
        twins
            .iter()
            .any(|t| t["kind"] == "bytes" && t["labels_differ"] == true)
    );
    let size = &v["confounds"][0];
    assert_eq!(size["baseline"], "size");
    assert!(size["auc"].as_f64().expect("auc") > 0.9 && size["warning"] == true);
    let words = realscope(&["data", "check", &split]);
    assert!(text(&words.stdout).contains("warning: size alone tells the classes apart"));
}
