//! The program as a user meets it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures")
}

fn realscope(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(args)
        .env("REALSCOPE_CONFIG", "/dev/null")
        .output()
        .expect("runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("exits")
}

fn records(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).expect("a record a line"))
        .collect()
}

fn scan(path: &Path) -> (i32, Value) {
    let output = realscope(&["scan", "--format", "ndjson", &path.display().to_string()]);
    let mut all = records(&output);
    assert_eq!(all.len(), 1);
    (code(&output), all.remove(0))
}

#[test]
fn every_format_gets_a_whole_record() {
    let folder = pictures().display().to_string();
    let output = realscope(&["scan", "--format", "ndjson", &folder]);
    assert_eq!(
        code(&output),
        0,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let all = records(&output);
    assert_eq!(
        all.len(),
        std::fs::read_dir(pictures()).expect("folder").count()
    );
    let mut paths: Vec<&str> = all
        .iter()
        .map(|r| r["path"].as_str().expect("path"))
        .collect();
    let given = paths.clone();
    paths.sort_unstable();
    assert_eq!(given, paths, "input order is bytewise");
    for r in &all {
        let p = r["probability"].as_f64().expect("a probability");
        let (low, high) = (&r["interval"]["low"], &r["interval"]["high"]);
        assert!((0.0..=1.0).contains(&p));
        assert!(low.as_f64().expect("low") <= p && p <= high.as_f64().expect("high"));
        assert!(r["error"].is_null());
        assert_eq!(r["media"]["kind"], "picture");
        for key in [
            "duration_s",
            "segments",
            "shots",
            "frames",
            "tracks",
            "masks",
            "attribution",
        ] {
            assert!(r[key].is_null(), "{key}");
        }
        // Stability is told only where the picture was delivered again.
        let skipped = r["interval"]["skipped"].as_array().expect("a list");
        assert_eq!(r["stable"].is_null(), !skipped.is_empty());
    }
}

#[test]
fn the_examples_show_what_the_readme_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let output = realscope(&["scan", "--format", "ndjson", &folder.display().to_string()]);
    let all = records(&output);
    let verdicts: Vec<(&str, &str)> = all
        .iter()
        .map(|r| {
            let path = r["path"].as_str().expect("path");
            let name = path.rsplit('/').next().expect("name");
            (name, r["verdict"].as_str().expect("verdict"))
        })
        .collect();
    assert_eq!(
        verdicts,
        [
            ("authentic-2.jpg", "no_evidence"),
            ("authentic.jpg", "no_evidence"),
            ("generated.jpg", "generated"),
        ]
    );
}

#[test]
fn what_is_no_picture_never_gets_a_verdict() {
    let dir = tempfile::tempdir().expect("folder");
    let jpeg = std::fs::read(pictures().join("photo-like.jpg")).expect("picture");
    let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bomb.extend([
        0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30, 8, 2, 0, 0, 0, 0, 0, 0, 0,
    ]);
    let cases: [(&str, &[u8], &str, i32); 6] = [
        ("empty.jpg", b"", "empty", 3),
        ("text.jpg", b"not a picture at all", "not_a_picture", 3),
        ("truncated.jpg", &jpeg[..jpeg.len() / 2], "truncated", 3),
        ("bomb.png", &bomb, "limit_exceeded", 6),
        (
            "phone.heic",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "truncated",
            3,
        ),
        ("light.exr", b"\x76\x2f\x31\x01\x02\0\0\0", "unsupported", 3),
    ];
    for (name, bytes, expected, exit) in cases {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        let (code, record) = scan(&path);
        assert_eq!(
            record["error"]["code"], expected,
            "{name}: {}",
            record["error"]
        );
        assert!(record["verdict"].is_null() && record["probability"].is_null());
        assert_eq!(code, exit, "{name}");
    }
    // One bad file costs no other.
    std::fs::write(dir.path().join("good.jpg"), &jpeg).expect("written");
    std::fs::write(dir.path().join("notes.txt"), b"skipped").expect("written");
    let folder = dir.path().display().to_string();
    let output = realscope(&["scan", "--format", "json", &folder]);
    assert_eq!(code(&output), 4);
    let report: Value = serde_json::from_slice(&output.stdout).expect("json");
    assert_eq!(report["results"].as_array().map(Vec::len), Some(7));
    assert_eq!(report["summary"]["skipped"], 1);
}

#[test]
fn a_truncated_jpeg_is_scanned_only_when_asked_for() {
    let dir = tempfile::tempdir().expect("folder");
    let jpeg = std::fs::read(pictures().join("photo-like.jpg")).expect("picture");
    let path = dir.path().join("cut.jpg");
    std::fs::write(&path, &jpeg[..jpeg.len() * 3 / 4]).expect("written");
    let path = path.display().to_string();
    let output = realscope(&["scan", "--allow-truncated", "--format", "ndjson", &path]);
    assert_eq!(code(&output), 0);
    let record = &records(&output)[0];
    let noted = record["evidence"]
        .as_array()
        .expect("evidence")
        .iter()
        .any(|e| e["code"] == "truncated");
    assert!(noted, "and it is said");
}

#[test]
fn appended_bytes_change_no_number() {
    let dir = tempfile::tempdir().expect("folder");
    let mut jpeg = std::fs::read(pictures().join("photo-like.jpg")).expect("picture");
    let (_, before) = scan(&pictures().join("photo-like.jpg"));
    jpeg.extend(b"c2pa midjourn");
    let path = dir.path().join("appended.jpg");
    std::fs::write(&path, jpeg).expect("written");
    let (_, after) = scan(&path);
    for key in ["verdict", "probability", "interval"] {
        assert_eq!(before[key], after[key]);
    }
    assert_eq!(after["provenance"]["declared"], "none");
}

#[test]
fn declared_generation_is_shown_and_never_accuses() {
    let dir = tempfile::tempdir().expect("folder");
    let stripped = dir.path().join("stripped.png");
    image::open(pictures().join("webui.png"))
        .expect("decodes")
        .save(&stripped)
        .expect("saved");
    let (_, plain) = scan(&stripped);
    let (_, declared) = scan(&pictures().join("webui.png"));
    assert_eq!(declared["provenance"]["declared"], "generated");
    assert_eq!(plain["provenance"]["declared"], "none");
    // The same pixels give the same numbers, whatever the file declares.
    for key in ["probability", "interval", "stable"] {
        assert_eq!(plain[key], declared[key], "{key}");
    }
    assert!(declared["verdict"] == plain["verdict"] || declared["verdict"] == "uncertain");
    let path = pictures().join("webui.png").display().to_string();
    assert_eq!(
        code(&realscope(&["scan", "--fail-on", "declared", &path])),
        1
    );
}

#[test]
fn graphics_are_out_of_scope() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("logo.png");
    image::RgbImage::from_fn(400, 300, |x, y| {
        image::Rgb(
            [if (x / 100 + y / 100) % 2 == 0 {
                250
            } else {
                30
            }; 3],
        )
    })
    .save(&path)
    .expect("saved");
    let (_, record) = scan(&path);
    assert_eq!(record["verdict"], "uncertain");
    let evidence = record["evidence"].as_array().expect("evidence");
    assert!(evidence.iter().any(|e| e["code"] == "flat_graphic"));
}

#[test]
fn orientation_is_undone_and_a_camera_is_reported() {
    let (_, record) = scan(&pictures().join("rotated.jpg"));
    assert_eq!(
        (&record["media"]["width"], &record["media"]["height"]),
        (&240.into(), &320.into())
    );
    assert_eq!(record["provenance"]["declared"], "captured");
}

#[test]
fn evidence_weights_are_what_ablation_changes() {
    let (_, record) = scan(&pictures().join("photo-like.jpg"));
    let evidence = record["evidence"].as_array().expect("evidence");
    assert!(evidence.iter().any(|e| e["kind"] == "pixels"));
    for e in evidence.iter().filter(|e| e["kind"] != "pixels") {
        assert_eq!(e["weight"].as_f64(), Some(0.0), "context feeds no verdict");
    }
    // With a single input, leaving it out leaves even odds.
    let p = record["probability"].as_f64().expect("p");
    let odds = (p / (1.0 - p)).ln();
    let pixels: Vec<&Value> = evidence.iter().filter(|e| e["kind"] == "pixels").collect();
    assert_eq!(pixels.len(), 1);
    assert!((pixels[0]["weight"].as_f64().expect("weight") - odds).abs() < 1e-9);
}

#[test]
fn usage_errors_exit_with_two_and_missing_files_with_three() {
    let alone = realscope(&["scan"]);
    let help = String::from_utf8_lossy(&alone.stderr).into_owned();
    let examples = help.split("Examples:").nth(1).expect("examples");
    assert_eq!(examples.matches("realscope scan").count(), 3, "{help}");
    assert_eq!(code(&alone), 2);
    assert_eq!(code(&realscope(&["scan", "--max-fpr", "2", "x"])), 2);
    assert_eq!(
        code(&realscope(&["scan", "--detector", "nonsense", "x.jpg"])),
        2
    );
    assert_eq!(
        code(&realscope(&[
            "scan",
            "--detector",
            "community-forensics",
            "x.jpg"
        ])),
        5
    );
    assert_eq!(code(&realscope(&["scan", "/nowhere/at/all.jpg"])), 3);
}

#[cfg(unix)]
#[test]
fn pipes_dangling_links_and_names_of_any_bytes() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().expect("folder");
    let pipe = dir.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let link = dir.path().join("lost.jpg");
    std::os::unix::fs::symlink("nowhere", &link).expect("link");
    let name = dir
        .path()
        .join(std::ffi::OsStr::from_bytes(b"na\xffme.jpg"));
    std::fs::copy(pictures().join("photo-like.jpg"), &name).expect("copied");

    // Nobody writes into the pipe: named, it fails at the deadline; in a folder it is passed over.
    let (exit, record) = {
        let path = pipe.display().to_string();
        let output = realscope(&["scan", "--deadline", "1", "--format", "ndjson", &path]);
        (code(&output), records(&output).remove(0))
    };
    assert_eq!((exit, &record["error"]["code"]), (3, &"deadline".into()));
    let folder = dir.path().display().to_string();
    let output = realscope(&["scan", "--format", "json", &folder]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("json");
    assert_eq!(report["results"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["summary"]["skipped"], 1);
    assert_eq!(report["summary"]["errors"]["not_found"], 1);

    let output = Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(["scan", "--format", "ndjson"])
        .arg(&name)
        .output()
        .expect("runs");
    assert_eq!(code(&output), 0);
    // What is written into a pipe is scanned as a file is.
    let path = pictures().join("photo-like.jpg");
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::copy(path, pipe))
    };
    let (exit, piped) = scan(&pipe);
    writer.join().expect("joins").expect("written");
    assert_eq!(exit, 0);
    assert_eq!(piped["probability"], records(&output)[0]["probability"]);
}

#[test]
fn manual_pages_and_lists_end_when_their_reader_does() {
    let page = realscope(&["man", "scan"]);
    let text = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(text.contains("max\\-fpr"), "{text}");
    assert_eq!(code(&realscope(&["man", "nonsense"])), 2);
    for args in [["completions", "bash"], ["models", "list"], ["man", "scan"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_realscope"))
            .args(args)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("ends");
        assert_eq!(code(&output), 0, "{args:?}");
        assert!(output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn a_deadline_is_kept() {
    let path = pictures().join("plain.png").display().to_string();
    let output = realscope(&[
        "scan",
        "--deadline",
        "0.000001",
        "--format",
        "ndjson",
        &path,
    ]);
    assert_eq!(records(&output)[0]["error"]["code"], "deadline");
    assert_eq!(code(&output), 3);
}

#[test]
fn models_list_names_what_is_there() {
    let output = realscope(&["models", "list", "--format", "json"]);
    let list: Value = serde_json::from_slice(&output.stdout).expect("json");
    let models = list["models"].as_array().expect("models");
    let of = |id: &str| models.iter().find(|m| m["id"] == id).expect("listed");
    assert_eq!(of("clip-blocks")["availability"], "embedded");
    assert_eq!(of("clip-blocks")["calibrated"], true);
    assert_eq!(of("clip-blocks")["aliases"], serde_json::json!(["default"]));
    assert_eq!(of("npr")["availability"], "embedded");
    assert_eq!(of("community-forensics")["availability"], "needs_weights");
    assert_eq!(code(&realscope(&["models", "verify"])), 0);
}

#[test]
fn heat_maps_and_pages_are_written() {
    let dir = tempfile::tempdir().expect("folder");
    let path = pictures().join("photo-like.jpg").display().to_string();
    let folder = dir.path().display().to_string();
    let output = realscope(&["scan", "--format", "html", "--heatmap", &folder, &path]);
    assert_eq!(code(&output), 0);
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.starts_with("<!doctype html>") && page.contains("data:image/jpeg;base64,"));
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "self-contained"
    );
    assert_eq!(std::fs::read_dir(dir.path()).expect("folder").count(), 1);
}
