//! Videos as a user meets them. They are made of the examples by the ffmpeg that is installed; without it these tests say
//! that they skip.

mod authority;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use authority::Authority;
use serde_json::Value;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn skipped() -> bool {
    let missing = !realscope_media::video::available();
    if missing {
        eprintln!("skipped: no ffmpeg");
    }
    missing
}

fn realscope(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(args)
        .env("REALSCOPE_CONFIG", "/dev/null")
        .output()
        .expect("runs")
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect()
}

/// An operating point at which the example is accused without doubt.
const LOOSE: &[&str] = &["--max-fpr", "0.1"];

fn scan(path: &Path) -> Value {
    let path = path.display().to_string();
    let output = realscope(&[&["scan", "--format", "ndjson", &path], LOOSE].concat());
    let record = lines(&output).pop().expect("a record");
    check_schema(&record);
    record
}

/// Seconds of a slow pan over a picture.
const PAN: &str = "scale=640:480,crop=512:384:x='16+t*8':y='8+t*6',fps=25,format=yuv420p,setsar=1";

/// A video of pans, each over an example for some seconds.
fn film(folder: &Path, name: &str, parts: &[(&str, f64)], codec: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let mut c = Command::new("ffmpeg");
    c.args(["-v", "error", "-y"]);
    for (picture, seconds) in parts {
        c.args(["-loop", "1", "-t", &seconds.to_string(), "-i"]);
        c.arg(examples().join(picture));
    }
    let n = parts.len();
    let pans: String = (0..n).map(|i| format!("[{i}:v]{PAN}[v{i}];")).collect();
    let joined: String = (0..n).map(|i| format!("[v{i}]")).collect();
    c.args([
        "-filter_complex",
        &format!("{pans}{joined}concat=n={n}:v=1[out]"),
    ]);
    c.args(["-map", "[out]"]).args(codec).arg(&path);
    assert!(c.status().expect("starts").success(), "{name}");
    path
}

const X264: &[&str] = &["-c:v", "libx264", "-crf", "18"];

#[test]
fn a_video_gets_a_verdict_with_its_time() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    for (picture, verdict) in [
        ("generated.jpg", "generated"),
        ("authentic.jpg", "no_evidence"),
    ] {
        let path = film(folder.path(), "a.mp4", &[(picture, 6.0)], X264);
        let r = scan(&path);
        assert_eq!(r["verdict"], verdict, "{r:#}");
        assert_eq!(r["media"]["kind"], "video");
        assert_eq!(r["media"]["decoder"], "rusty_h264");
        assert_eq!(r["media"]["codec"], "H.264");
        assert!((r["duration_s"].as_f64().expect("length") - 6.0).abs() < 0.05);
        assert_eq!(r["shots"], Value::Array(vec![]));
        let frames = r["frames"].as_array().expect("frames");
        assert_eq!(frames.len(), 16);
        let segments = r["segments"].as_array().expect("segments");
        assert_eq!(segments.len(), 1, "{segments:?}");
        assert_eq!(segments[0]["verdict"], verdict);
        assert_eq!(segments[0]["start_s"], 0.0);
        // An accusation was tried again on frames that were delivered otherwise.
        assert_eq!(r["interval"].is_null(), verdict == "no_evidence");
        assert_eq!(r["stable"].is_null(), verdict == "no_evidence");
    }
}

#[test]
fn two_seconds_that_were_generated_are_found_in_twelve() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    for (start, codec) in [
        (2.0, X264),
        (5.4, &["-c:v", "libx264", "-crf", "28"]),
        (8.0, X264),
    ] {
        let parts = [
            ("authentic.jpg", start),
            ("generated.jpg", 2.0),
            ("authentic-2.jpg", 10.0 - start),
        ];
        let path = film(folder.path(), "cut.mp4", &parts, codec);
        let r = scan(&path);
        assert_eq!(r["verdict"], "manipulated", "{r:#}");
        let accused: Vec<[f64; 2]> = r["segments"]
            .as_array()
            .expect("segments")
            .iter()
            .filter(|s| s["verdict"] == "generated")
            .map(|s| [&s["start_s"], &s["end_s"]].map(|v| v.as_f64().expect("seconds")))
            .collect();
        let [[from, to]] = accused[..] else {
            panic!("{accused:?}")
        };
        let shared = (to.min(start + 2.0) - from.max(start)).max(0.0);
        let overlap = shared / (to.max(start + 2.0) - from.min(start));
        assert!(overlap >= 0.9, "{from} to {to} in place of {start} on");
    }
    let path = folder.path().join("cut.mp4").display().to_string();
    let text = realscope(&[&["scan", &path], LOOSE].concat());
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.starts_with("manipulated"), "{text}");
    assert!(text.contains("  at 0:08"), "{text}");
}

#[test]
fn what_is_no_film_is_uncertain_and_what_is_none_at_all_an_error() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let reason = |path: &Path| {
        let r = scan(path);
        assert_eq!(r["verdict"], "uncertain", "{r:#}");
        let codes = r["evidence"].as_array().expect("a list").iter();
        codes
            .map(|e| e["code"].as_str().expect("a code").to_owned())
            .collect::<Vec<_>>()
    };
    let make = |name: &str, args: &[&str]| {
        let path = folder.path().join(name);
        let mut c = Command::new("ffmpeg");
        c.args(["-v", "error", "-y"]).args(args).arg(&path);
        assert!(c.status().expect("starts").success(), "{name}");
        path
    };
    let picture = examples().join("generated.jpg").display().to_string();
    let other = examples().join("authentic.jpg").display().to_string();
    let still = make(
        "still.mp4",
        &[
            "-loop", "1", "-t", "3", "-i", &picture, "-c:v", "libx264", "-pix_fmt", "yuv420p",
        ],
    );
    assert!(reason(&still).contains(&"still".to_owned()));
    let slides = "[0:v]scale=640:480,setsar=1[a];[1:v]scale=640:480,setsar=1[b];[a][b]concat=n=2:v=1,format=yuv420p";
    let show = make(
        "show.mp4",
        &[
            "-loop",
            "1",
            "-t",
            "3",
            "-i",
            &picture,
            "-loop",
            "1",
            "-t",
            "3",
            "-i",
            &other,
            "-filter_complex",
            slides,
            "-c:v",
            "libx264",
        ],
    );
    assert!(reason(&show).contains(&"slideshow".to_owned()));
    let moment = film(folder.path(), "moment.mp4", &[("generated.jpg", 0.2)], X264);
    assert!(reason(&moment).contains(&"too_short".to_owned()));
    // An animation is a video, and a still GIF a picture.
    let gif = film(folder.path(), "film.gif", &[("authentic.jpg", 2.0)], &[]);
    let r = scan(&gif);
    assert_eq!(
        (&r["media"]["kind"], &r["media"]["format"]),
        (&"video".into(), &"GIF".into())
    );

    let whole = film(folder.path(), "whole.mp4", &[("authentic.jpg", 2.0)], X264);
    let bytes = std::fs::read(&whole).expect("reads");
    let sound = make(
        "sound.mp4",
        &["-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac"],
    );
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        path
    };
    for (path, code) in [
        (write("cut.mp4", &bytes[..bytes.len() / 2]), "truncated"),
        (write("empty.mp4", b""), "empty"),
        (write("text.mp4", b"no video at all"), "not_a_picture"),
        (sound, "not_a_picture"),
    ] {
        let path = path.display().to_string();
        let output = realscope(&[&["scan", "--format", "ndjson", &path], LOOSE].concat());
        let r = lines(&output).pop().expect("a record");
        assert_eq!(r["error"]["code"], code, "{r:#}");
        assert!(r["verdict"].is_null() && r["frames"].is_null());
        assert_eq!(output.status.code(), Some(3));
    }
    // Without ffmpeg the codec that takes it is named.
    let hevc = film(
        folder.path(),
        "hevc.mp4",
        &[("authentic.jpg", 1.0)],
        &["-c:v", "libx265"],
    );
    let output = Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(["scan", "--format", "ndjson"])
        .arg(&hevc)
        .env("REALSCOPE_CONFIG", "/dev/null")
        .env("REALSCOPE_FFMPEG", folder.path())
        .output()
        .expect("runs");
    let r = lines(&output).pop().expect("a record");
    assert_eq!(r["error"]["code"], "ffmpeg_missing", "{r:#}");
    assert!(
        r["error"]["message"]
            .as_str()
            .expect("words")
            .contains("HEVC")
    );
    assert_eq!(scan(&hevc)["media"]["decoder"], "ffmpeg");
}

#[test]
fn frames_are_told_live_and_reports_have_the_time() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let path = film(folder.path(), "a.mp4", &[("generated.jpg", 4.0)], X264);
    let path = path.display().to_string();
    let picture = examples().join("authentic.jpg").display().to_string();
    let args = [
        "scan", "--format", "ndjson", "--live", "--jobs", "1", &path, &picture,
    ];
    let all = lines(&realscope(&args));
    let types: Vec<&str> = all
        .iter()
        .map(|l| l["type"].as_str().expect("a type"))
        .collect();
    let mut expected = vec!["frame"; 16];
    expected.extend(["record", "record"]);
    assert_eq!(types, expected);
    let last = &all[16];
    for (line, frame) in all.iter().zip(last["frames"].as_array().expect("frames")) {
        assert_eq!(line["path"], last["path"]);
        assert_eq!(line["time_s"], frame["time_s"]);
        assert_eq!(line["probability"], frame["probability"]);
    }
    let refused = realscope(&["scan", "--live", &path]);
    assert_eq!(refused.status.code(), Some(2));

    let text = realscope(&[&["scan", "-v", &path], LOOSE].concat());
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    // The sixth of eight heights: the frames score 69 of 100.
    assert!(text.contains('\u{2586}') && text.contains("===="), "{text}");
    let page = realscope(&[&["scan", "--format", "html", &path], LOOSE].concat());
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    for part in [
        "<polyline",
        "class=\"accused\"",
        "Frame with the highest score",
        "<div class=\"frames\">",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script"));
    // Standard input has no path; the video is the same.
    let mut child = Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(["scan", "--stdin", "--format", "ndjson"])
        .env("REALSCOPE_CONFIG", "/dev/null")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, &std::fs::read(&path).expect("reads")).expect("writes");
    drop(input);
    let output = child.wait_with_output().expect("ends");
    let piped = lines(&output).pop().expect("a record");
    assert_eq!(piped["frames"], last["frames"]);
    assert_eq!(piped["sha256"], last["sha256"]);
}

/// A video of an authentic example, with these tags.
fn tagged(folder: &Path, name: &str, tags: &[&str]) -> PathBuf {
    let mut codec = vec!["-movflags", "use_metadata_tags"];
    codec.extend(tags.iter().flat_map(|tag| ["-metadata", tag]));
    film(folder, name, &[("authentic.jpg", 2.0)], &codec)
}

/// Checks a record against the published schema.
fn check_schema(record: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/record.schema.json");
    let schema = std::fs::read_to_string(path).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(record)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn codes(record: &Value) -> Vec<&str> {
    let list = record["evidence"].as_array().expect("a list").iter();
    list.filter_map(|e| e["code"].as_str()).collect()
}

#[test]
fn a_video_names_its_camera_or_the_screen() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    for (tags, camera) in [
        (
            [
                "com.apple.quicktime.make=Apple",
                "com.apple.quicktime.model=iPhone 15 Pro",
            ],
            "Apple iPhone 15 Pro",
        ),
        (
            [
                "com.android.manufacturer=Google",
                "com.android.model=Pixel 8",
            ],
            "Google Pixel 8",
        ),
    ] {
        let r = scan(&tagged(folder.path(), "camera.mp4", &tags));
        assert_eq!(r["verdict"], "no_evidence", "{r:#}");
        assert_eq!(r["provenance"]["declared"], "captured", "{r:#}");
        assert_eq!(r["provenance"]["claims"][0]["what"], camera);
        assert_eq!(
            r["media"]["tags"]
                .as_object()
                .map(|t| t.contains_key("com.apple.quicktime.make")),
            Some(camera.starts_with("Apple"))
        );
    }
    let author = ["com.apple.quicktime.author=ReplayKitRecording"];
    let r = scan(&tagged(folder.path(), "screen.mp4", &author));
    assert_eq!(r["verdict"], "uncertain", "{r:#}");
    assert!(codes(&r).contains(&"screen_recording"));
    // What looks generated is accused, wherever it was shown.
    let accused = film(
        folder.path(),
        "accused.mp4",
        &[("generated.jpg", 6.0)],
        &[
            X264,
            &["-movflags", "use_metadata_tags", "-metadata", author[0]],
        ]
        .concat(),
    );
    assert_eq!(scan(&accused)["verdict"], "generated");
}

#[test]
fn a_large_video_is_heard_too() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    // A box of nothing makes a file larger than what is read into memory.
    let enlarge = |path: &Path| {
        const MORE: u32 = 70 << 20;
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(path)
            .expect("opens");
        file.write_all(&[&MORE.to_be_bytes()[..], b"free"].concat())
            .expect("writes");
        let len = file.metadata().expect("length").len();
        file.set_len(len + u64::from(MORE) - 8).expect("grows");
    };
    let workflow = r#"comment={"prompt": {"1": {"class_type": "KSampler", "inputs": {"seed": 7, "steps": 20}}}}"#;
    for name in ["a.mp4", "a.mkv"] {
        let path = film(
            folder.path(),
            name,
            &[("authentic.jpg", 2.0)],
            &["-metadata", workflow],
        );
        let small = scan(&path);
        if name == "a.mp4" {
            enlarge(&path);
        } else {
            // An element of nothing, of eight bytes of length, as a segment may end with.
            let mut bytes = std::fs::read(&path).expect("reads");
            bytes.extend([0xec, 0x01, 0, 0, 0, 0x04, 0x60, 0, 0]);
            bytes.resize(bytes.len() + (70 << 20), 0);
            std::fs::write(&path, bytes).expect("writes");
        }
        let large = scan(&path);
        for r in [&small, &large] {
            assert_eq!(r["provenance"]["declared"], "generated", "{name} {r:#}");
            assert_eq!(r["metadata"]["generators"][0]["tool"], "ComfyUI", "{name}");
            assert!(!codes(r).contains(&"metadata_not_read"), "{name}");
        }
    }
    // Credentials whose hash covers gigabytes are told, and that they were not checked.
    let plain = film(folder.path(), "b.mp4", &[("authentic.jpg", 2.0)], X264);
    let signed = Authority::new().generated("video/mp4", &std::fs::read(&plain).expect("reads"));
    std::fs::write(&plain, signed).expect("writes");
    let r = scan(&plain);
    assert_eq!(r["provenance"]["integrity"], "valid", "{r:#}");
    enlarge(&plain);
    let r = scan(&plain);
    assert_eq!(r["provenance"]["declared"], "generated", "{r:#}");
    assert_eq!(r["provenance"]["integrity"], "not_checked");
    let found = r["provenance"]["found"].as_array().expect("a list");
    let said = |f: &Value| {
        f.as_str()
            .is_some_and(|f| f.contains("whether they hold was not checked"))
    };
    assert!(found.iter().any(said), "{found:?}");
}

/// Installs a detector without weights whose card ends with `more`.
#[cfg(feature = "lab")]
fn install(home: &Path, id: &str, task: &str, onnx: &[u8], more: &str) {
    let card = format!(
        r#"
id = "{id}"
summary = "a detector for a test"
status = "preview"
since = "0.1.0"
task = "{task}"
engines = ["rten"]
licence = "none: no weights"
training_data = "none"
citation = "this test"
known_failures = ["all cases"]

[input]
size = 32
filter = "bilinear"
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
{more}
"#
    );
    let (made, file) = (home.join("made.onnx"), home.join("made.toml"));
    std::fs::write(&made, onnx).expect("written");
    std::fs::write(&file, card).expect("written");
    let [onnx, card] = [made, file].map(|p| p.display().to_string());
    let out = at(home, &["models", "import", id, &onnx, "--card", &card]);
    assert!(out.status.success(), "{out:?}");
}

/// A calibration by which a logit above 0.1 is accused.
#[cfg(feature = "lab")]
const CALIBRATION: &str = r#"
[calibration]
id = "a test"
scale = 30.0
offset = -1.0
decision_threshold = 0.5
generated_threshold = 0.9
matched_auc = 0.9
matched_auc_low = 0.8
matched_auc_high = 1.0
tiers = []
"#;

/// A detector of clips: how evenly the pixels of eight frames change.
#[cfg(feature = "lab")]
fn evenness(home: &Path, task: &str, fit: &str, more: &str) -> PathBuf {
    use realscope_nn::d3::evenness;
    use realscope_nn::onnx::Graph;
    use realscope_nn::{Cpu, Exec};
    let mut graph = Graph::new("even", false);
    let clips = graph.input("x", [1, 8, 3, 32, 32]);
    let pixels = Exec::<Cpu>::fold(&mut graph, clips, [1, 8, 3 * 32 * 32]);
    let out = evenness::<Cpu, _>(&mut graph, pixels);
    graph.output("score", &out.score);
    let card = format!(
        r#"
[input.view]
kind = "clip"
frames = 8
pace = {{ per_second = 4.0 }}
layout = "frame_first"
too_few = "refuse"
fit = {fit}

[[heads]]
kind = "binary"
polarity = "authentic"
{more}"#
    );
    install(home, "even", task, &graph.encode(), &card);
    home.to_owned()
}

/// A detector of single faces: how bright they are.
#[cfg(feature = "lab")]
fn brightness(home: &Path, more: &str) {
    use realscope_nn::onnx::Graph;
    use realscope_nn::{Cpu, Exec};
    let mut graph = Graph::new("bright", false);
    let faces = graph.input("x", [1, 3, 32, 32]);
    let pixels = Exec::<Cpu>::fold(&mut graph, faces, [1, 3 * 32 * 32]);
    let mean = Exec::<Cpu>::mean_dim(&mut graph, pixels, 1);
    graph.output("score", &mean);
    let card = format!(
        r#"
[input.view]
kind = "face"
margin = 1.0
aligned = true

[[heads]]
kind = "binary"
polarity = "generated"
{more}"#
    );
    install(home, "bright", "manipulated_face", &graph.encode(), &card);
}

#[cfg(feature = "lab")]
fn at(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(args)
        .env("REALSCOPE_CONFIG", "/dev/null")
        .env("REALSCOPE_HOME", home)
        .output()
        .expect("runs")
}

/// Clips of two seconds, side by side, each with a score; what is no video or too short is refused.
#[cfg(feature = "lab")]
#[test]
fn a_detector_of_clips_sees_clips_of_a_video() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let home = evenness(folder.path(), "generated_clip", "\"shorter_side\"", "");
    let of = |path: &Path| {
        let path = path.display().to_string();
        let args = ["scan", "--detector", "even", "--format", "ndjson", &path];
        lines(&at(&home, &args)).pop().expect("a record")
    };
    let parts = [("authentic.jpg", 3.0), ("generated.jpg", 3.0)];
    let r = of(&film(folder.path(), "long.mp4", &parts, X264));
    assert_eq!(r["verdict"], "uncertain", "{r:#}");
    assert!(codes(&r).contains(&"uncalibrated"), "{r:#}");
    let frames = r["frames"].as_array().expect("frames");
    let times: Vec<f64> = frames.iter().filter_map(|f| f["time_s"].as_f64()).collect();
    assert_eq!(times.len(), 3, "{r:#}");
    for (time, expected) in times.iter().zip([0.0, 2.0, 4.0]) {
        assert!((time - expected).abs() < 0.2, "{times:?}");
    }
    // The cut lies within the second clip, whose frames change least evenly.
    let raw: Vec<f64> = frames.iter().filter_map(|f| f["raw"].as_f64()).collect();
    assert!(raw[1] < raw[0] && raw[1] < raw[2], "{raw:?}");
    let said: Vec<&str> = r["evidence"]
        .as_array()
        .expect("evidence")
        .iter()
        .filter_map(|e| e["measured"].as_str())
        .collect();
    assert!(
        said.iter().any(|s| s.starts_with("3 clips of 8 frames")),
        "{said:?}"
    );
    let detectors: Vec<&str> = r["detectors"]
        .as_array()
        .expect("detectors")
        .iter()
        .filter_map(|d| d["id"].as_str())
        .collect();
    assert_eq!(detectors, ["even"]);
    // Clips are spread over a long video.
    let r = of(&film(
        folder.path(),
        "longer.mp4",
        &[("authentic.jpg", 40.0)],
        X264,
    ));
    let frames = r["frames"].as_array().expect("frames");
    assert_eq!(frames.len(), 8);
    assert!(
        frames[7]["time_s"].as_f64().expect("a time") > 34.0,
        "{frames:?}"
    );

    let short = of(&film(
        folder.path(),
        "short.mp4",
        &[("authentic.jpg", 1.0)],
        X264,
    ));
    assert_eq!(short["error"]["code"], "detector_not_made_for", "{short:#}");
    let message = short["error"]["message"].as_str().expect("a message");
    assert!(message.contains("25 frames in 1.00 s"), "{message}");
    let picture = of(&examples().join("authentic.jpg"));
    assert_eq!(
        picture["error"]["code"], "detector_not_made_for",
        "{picture:#}"
    );
}

/// A face is followed through each clip; a video without one is refused.
#[cfg(feature = "lab")]
#[test]
fn a_detector_of_clips_of_a_face_sees_the_face() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let fit = "{ face = { margin = 1.3, aligned = true } }";
    let home = evenness(folder.path(), "manipulated_face", fit, "");
    let of = |picture: &str| {
        let film = film(folder.path(), "face.mp4", &[(picture, 5.0)], X264);
        let path = film.display().to_string();
        let args = ["scan", "--detector", "even", "--format", "ndjson", &path];
        lines(&at(&home, &args)).pop().expect("a record")
    };
    let face = of("generated.jpg");
    assert_eq!(face["verdict"], "uncertain", "{face:#}");
    assert_eq!(face["frames"].as_array().expect("clips").len(), 2);
    let none = of("authentic.jpg");
    assert_eq!(none["error"]["code"], "detector_not_made_for", "{none:#}");
    let message = none["error"]["message"].as_str().expect("a message");
    assert!(message.contains("none was found"), "{message}");

    // Of a video whose second part has no face, clips are left out, and the report says how many.
    let parts = [("generated.jpg", 4.0), ("authentic.jpg", 4.0)];
    let film = film(folder.path(), "half.mp4", &parts, X264);
    let path = film.display().to_string();
    let args = ["scan", "--detector", "even", "--format", "ndjson", &path];
    let half = lines(&at(&home, &args)).pop().expect("a record");
    let said = half["evidence"].as_array().expect("evidence");
    let missing = said.iter().find(|e| e["code"] == "without_face");
    let missing = missing.unwrap_or_else(|| panic!("{half:#}"));
    let sentence = missing["measured"].as_str().expect("a sentence");
    assert!(sentence.starts_with("2 of 4 clips"), "{sentence}");
}

/// A calibrated detector of faces says that a video is manipulated, never that all of it was generated, and only where
/// its decision holds when the faces are delivered again.
#[cfg(feature = "lab")]
#[test]
fn a_detector_of_faces_accuses_the_faces_of_a_video() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let home = folder.path();
    brightness(home, CALIBRATION);
    let film = film(home, "face.mp4", &[("generated.jpg", 6.0)], X264);
    let path = film.display().to_string();
    let picture = examples().join("generated.jpg").display().to_string();
    let scan = |path: &str, format: &str| {
        at(
            home,
            &["scan", "--detector", "bright", "--format", format, path],
        )
    };
    let record = |path: &str| lines(&scan(path, "ndjson")).pop().expect("a record");
    let r = record(&path);
    assert_eq!(r["verdict"], "manipulated", "{r:#}");
    assert_eq!(r["segments"][0]["verdict"], "manipulated");
    assert_eq!(r["stable"], true);
    let deliveries = r["interval"]["deliveries"].as_object().expect("deliveries");
    assert_eq!(deliveries.len(), 4, "{deliveries:?}");
    let frames = r["frames"].as_array().expect("frames");
    assert!(frames.iter().all(|f| f["verdict"] == "manipulated"));
    assert!(codes(&r).contains(&"face_frames"));
    let of_picture = record(&picture);
    check_schema(&r);
    check_schema(&of_picture);
    assert_eq!(of_picture["verdict"], "manipulated", "{of_picture:#}");
    for path in [&path, &picture] {
        let out = scan(path, "html");
        let page = String::from_utf8_lossy(&out.stdout);
        assert!(page.contains("A face looks swapped, altered or generated"));
        assert!(page.contains("Probability that a face was swapped"));
    }

    // The same of clips of a face: three lie side by side.
    let fit = "{ face = { margin = 1.3, aligned = true } }";
    let sure = CALIBRATION.replace("30.0", "0.001").replace("-1.0", "4.0");
    evenness(home, "manipulated_face", fit, &sure);
    let out = at(
        home,
        &["scan", "--detector", "even", "--format", "ndjson", &path],
    );
    let r = lines(&out).pop().expect("a record");
    assert_eq!(r["verdict"], "manipulated", "{r:#}");
    assert_eq!(r["frames"].as_array().expect("clips").len(), 3);
}

/// A face that is accused beside frames that are not makes a video manipulated; what its looks give when they are
/// delivered again is told.
#[cfg(feature = "lab")]
#[test]
fn a_followed_face_that_stays_accused_decides() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let home = folder.path();
    // The default with a lower bar for faces, without its map, which the embedded detector alone has.
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detectors/src/clip_blocks");
    let text = std::fs::read_to_string(source.join("card.toml")).expect("a card");
    let mut card: toml::Table = text.parse().expect("TOML");
    card.insert("id".into(), "strict".into());
    let heads = card["heads"].as_array_mut().expect("heads");
    heads.retain(|head| head.get("kind").and_then(toml::Value::as_str) != Some("mask"));
    let faces = &mut card["faces"]["calibration"];
    faces["decision_threshold"] = 0.5.into();
    faces["generated_threshold"] = 0.6.into();
    let file = home.join("strict.toml");
    std::fs::write(&file, card.to_string()).expect("written");
    let [weights, card] = [source.join("weights.onnx"), file].map(|p| p.display().to_string());
    let out = at(
        home,
        &["models", "import", "strict", &weights, "--card", &card],
    );
    assert!(out.status.success(), "{out:?}");

    let path = home.join("inset.mp4");
    let mut c = Command::new("ffmpeg");
    c.args(["-v", "error", "-y"]);
    for picture in ["authentic.jpg", "generated.jpg"] {
        c.args(["-loop", "1", "-t", "6", "-i"])
            .arg(examples().join(picture));
    }
    let moving = "[0:v]scale=1280:960,setsar=1[b];[1:v]scale=360:-2[f];\
                  [b][f]overlay=x='300+t*8':y='200+t*6',crop=1200:900:x='t*8':y='t*6',fps=25,format=yuv420p";
    let made = c
        .args(["-filter_complex", moving])
        .args(X264)
        .arg(&path)
        .status();
    assert!(made.expect("starts").success());
    let path = path.display().to_string();
    let of = |detector: &str| {
        let args = ["scan", "--detector", detector, "--format", "ndjson", &path];
        lines(&at(home, &args)).pop().expect("a record")
    };
    let r = of("strict");
    check_schema(&r);
    assert_eq!(r["verdict"], "manipulated", "{r:#}");
    assert_eq!(r["tracks"][0]["verdict"], "generated");
    let deliveries = r["interval"]["deliveries"].as_object().expect("deliveries");
    assert_eq!(deliveries.len(), 4, "{deliveries:?}");
    let native = deliveries["native"].as_f64().expect("a probability");
    let probability = r["probability"].as_f64().expect("a probability");
    assert!((native - probability).abs() < 0.05, "{r:#}");
    let r = of("default");
    assert_eq!(r["verdict"], "no_evidence", "{r:#}");
    assert_eq!(r["interval"], Value::Null);
}

/// An evaluation scores the clips that a scan scores, and joins them by their mean.
#[cfg(feature = "lab")]
#[test]
fn an_evaluation_shows_a_detector_of_clips_what_a_scan_shows_it() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let home = evenness(folder.path(), "generated_clip", "\"shorter_side\"", "");
    let parts = [("authentic.jpg", 3.0), ("generated.jpg", 3.0)];
    let film = film(folder.path(), "a.mp4", &parts, X264);
    let path = film.display().to_string();
    let args = ["scan", "--detector", "even", "--format", "ndjson", &path];
    let record = lines(&at(&home, &args)).pop().expect("a record");
    let frames = record["frames"].as_array().expect("frames");
    let raw: Vec<f64> = frames.iter().filter_map(|f| f["raw"].as_f64()).collect();
    let expected = raw.iter().sum::<f64>() / raw.len() as f64;

    let manifest = folder.path().join("manifest.csv");
    std::fs::write(&manifest, "path,label,group\na.mp4,1,g\n").expect("written");
    let out = folder.path().join("out");
    let [manifest, out] = [&manifest, &out].map(|p| p.display().to_string());
    let run = [
        "eval",
        "run",
        "--quiet",
        "--manifest",
        &manifest,
        "-o",
        &out,
    ];
    let of_arm = |arm: &str| {
        let more = ["--detector", "even", "--protocol", "video", "--arms", arm];
        at(&home, &[&run[..], &more].concat())
    };
    let refused = of_arm("native,upside-down");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("no arm `upside-down`"), "{said}");
    let run = of_arm("native");
    assert!(run.status.success(), "{run:?}");
    let log = std::fs::read_to_string(Path::new(&out).join("units.jsonl")).expect("a log");
    let unit: Value = serde_json::from_str(log.trim()).expect("one unit");
    let row = &unit["rows"][0];
    assert_eq!(row["error"], "", "{row:#}");
    let found = row["raw"].as_f64().expect("a score");
    assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
    assert_eq!(row["sha256"], record["sha256"]);
}

/// A calibrated detector of clips may accuse, so the embedded one is asked whether frames look painted.
#[cfg(feature = "lab")]
#[test]
fn a_calibrated_detector_of_clips_has_the_embedded_one_beside_it() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let home = evenness(folder.path(), "generated_clip", "\"shorter_side\"", "");
    let card = home.join("models/even/card.toml");
    let text = std::fs::read_to_string(&card).expect("a card");
    let calibrate = |scale: f64, offset: f64| {
        let calibration = format!(
            r#"
[calibration]
id = "by hand"
scale = {scale:?}
offset = {offset:?}
decision_threshold = 0.5
generated_threshold = 0.9
matched_auc = 0.9
matched_auc_low = 0.8
matched_auc_high = 1.0
tiers = []
"#
        );
        std::fs::write(&card, format!("{text}{calibration}")).expect("written");
    };
    // Whatever it scores is an accusation.
    calibrate(0.0, 5.0);
    let scan = |name: &str, picture: &str| {
        let path = film(folder.path(), name, &[(picture, 5.0)], X264);
        let path = path.display().to_string();
        let args = ["scan", "--detector", "even", "--format", "ndjson", &path];
        lines(&at(&home, &args)).pop().expect("a record")
    };
    let r = scan("a.mp4", "authentic.jpg");
    let detectors = r["detectors"].as_array().expect("detectors");
    let ids: Vec<&str> = detectors.iter().filter_map(|d| d["id"].as_str()).collect();
    assert_eq!(ids, ["even", "clip-blocks"], "{r:#}");
    assert!(detectors[1]["raw"].is_f64(), "{r:#}");
    assert!(!codes(&r).contains(&"uncalibrated"), "{r:#}");
    assert_eq!(r["tool"]["calibration_id"], "by hand");
    // An accusation is delivered again, and one that does not hold is taken back.
    let deliveries = r["interval"]["deliveries"].as_object().expect("deliveries");
    assert_eq!((deliveries.len(), &r["stable"]), (4, &Value::Bool(true)));
    let frames = r["frames"].as_array().expect("frames");
    let raw: Vec<f64> = frames.iter().filter_map(|f| f["raw"].as_f64()).collect();
    let least = raw.iter().copied().fold(f64::INFINITY, f64::min);
    calibrate(1e6, 3.0 - 1e6 * least);
    let r = scan("a.mp4", "authentic.jpg");
    assert_eq!(
        (&r["stable"], &r["verdict"]),
        (&Value::Bool(false), &"uncertain".into())
    );
}
