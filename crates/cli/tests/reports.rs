//! Every output of the program: stored snapshots, and records against the published schema.
//!
//! A snapshot that changes on purpose is accepted with `INSTA_UPDATE=always cargo test -p realscope-cli --test
//! reports`, and looked at in the difference. What changes with the machine, the version or the weights is put in
//! brackets: `stored_scores` has scores.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use insta::assert_snapshot;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn realscope(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_realscope"))
        .current_dir(folder)
        .args(args)
        .env("REALSCOPE_CONFIG", "/dev/null")
        .env("REALSCOPE_HOME", folder.join("no-models"))
        .output()
        .expect("runs")
}

fn stdout(folder: &Path, args: &[&str]) -> String {
    String::from_utf8(realscope(folder, args).stdout).expect("UTF-8")
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).expect("JSON")
}

/// The pictures of the repository whose outputs are stored, and one with declarations.
const PICTURES: [&str; 3] = [
    "examples/authentic.jpg",
    "examples/generated.jpg",
    "crates/cli/tests/pictures/webui.png",
];

fn scan(options: &[&str]) -> String {
    stdout(&root(), &[&["scan"], options, PICTURES.as_slice()].concat())
}

/// A folder of files without a verdict.
fn faulty() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let jpeg = std::fs::read(root().join("examples/authentic.jpg")).expect("picture");
    for (name, bytes) in [
        ("cut.jpg", &jpeg[..jpeg.len() / 2]),
        ("empty.jpg", b"".as_slice()),
        ("light.exr", b"\x76\x2f\x31\x01\x02\0\0\0"),
        ("text.jpg", b"not a picture at all"),
        ("notes.txt", b"nobody asked for this one"),
        ("\u{202e}gpj.exe.jpg", b"<b>\x1b[31m"),
    ] {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    }
    folder
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Replaces what changes with the machine, the version or the weights.
fn settle(value: &mut Value) {
    match value {
        Value::Number(n) if n.is_f64() => *value = "[number]".into(),
        Value::String(s) if is_hash(s) => *s = "[sha256]".into(),
        Value::String(s) => *s = without_scores(s),
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Object(map) => {
            for (key, value) in map {
                match key.as_str() {
                    "version" | "calibration_id" => *value = format!("[{key}]").into(),
                    "quantization_tables" => *value = "[tables]".into(),
                    "timing_ms" => {
                        let stages = value.as_object_mut().expect("a map");
                        stages.values_mut().for_each(|v| *v = "[ms]".into());
                    }
                    _ => settle(value),
                }
            }
        }
        _ => {}
    }
}

fn settled(line: &str) -> String {
    let mut value = parsed(line);
    settle(&mut value);
    serde_json::to_string_pretty(&value).expect("JSON")
}

/// A text with `[n]` for shares, scores of 100 and decimal fractions.
fn without_scores(text: &str) -> String {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(begin);
        out.push_str(before);
        let end = from.find(|c| !is_number(c)).unwrap_or(from.len());
        let number = from[..end].trim_end_matches('.');
        let behind = &from[number.len()..];
        // A version has two points, and belongs to a word what stands behind a letter.
        let fraction = number.matches('.').count() == 1;
        let word = before.ends_with(|c: char| c.is_alphanumeric());
        let score =
            fraction || behind.starts_with('%') || behind.trim_start().starts_with("of 100");
        out.push_str(if score && !word { "[n]" } else { number });
        rest = behind;
    }
    out + rest
}

#[test]
fn scores_are_left_out_of_snapshots() {
    for (text, expected) in [
        ("9%, then 54% of 12", "[n]%, then [n]% of 12"),
        ("scores 95\n  of 100.", "scores [n]\n  of 100."),
        ("below 0.81, in 640x480", "below [n], in 640x480"),
        ("gpt4.5 and 1.2.3, 7.", "gpt4.5 and 1.2.3, 7."),
    ] {
        assert_eq!(without_scores(text), expected);
    }
}

/// What stands between `start` and `end` becomes `with`, everywhere.
fn between(text: &str, start: &str, end: &str, with: &str) -> String {
    let mut parts = text.split(start);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.find(end).map_or("", |at| &part[at..]);
        out.push_str(start);
        out.push_str(with);
        out.push_str(rest);
    }
    out
}

fn schema(name: &str) -> Value {
    let path = root().join("schema").join(name);
    parsed(&std::fs::read_to_string(path).expect("a schema"))
}

fn check(schema: &Value, instance: &Value) {
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let faults: Vec<String> = validator
        .iter_errors(instance)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{}: {faults:#?}", instance["path"]);
}

#[test]
fn records_keep_to_the_schema() {
    let schema = schema("record.schema.json");
    let faulty = faulty();
    let pictures = ["examples", "crates/cli/tests/pictures", "nowhere.jpg"];
    let detector = ["--detector", "npr"];
    let mut kinds = std::collections::BTreeSet::new();
    for output in [
        stdout(
            &root(),
            &[&["scan", "--format", "ndjson"], pictures.as_slice()].concat(),
        ),
        scan(&[
            "--format",
            "ndjson",
            "--max-fpr",
            "0.01",
            "--all-deliveries",
        ]),
        scan(&["--format", "ndjson", "--max-fpr", "0.001"]),
        scan(&["--format", "ndjson", "--max-fpr", "0.05"]),
        scan(&[["--format", "ndjson"], detector].concat()),
        stdout(faulty.path(), &["scan", "--format", "ndjson", "."]),
    ] {
        for record in output.lines().map(parsed) {
            check(&schema, &record);
            let word = record["verdict"]
                .as_str()
                .or(record["error"]["code"].as_str());
            kinds.insert(word.expect("a word").to_owned());
        }
    }
    for kind in [
        "generated",
        "uncertain",
        "no_evidence",
        "not_found",
        "truncated",
        "empty",
    ] {
        assert!(kinds.contains(kind), "no `{kind}` among {kinds:?}");
    }
}

#[test]
fn the_schema_refuses_what_no_record_says() {
    let schema = schema("record.schema.json");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let record = parsed(
        scan(&["--format", "ndjson"])
            .lines()
            .next()
            .expect("a line"),
    );
    for (key, value) in [
        ("verdict", json!("authentic")),
        ("verdict", Value::Null),
        ("probability", json!(1.5)),
        ("error", json!({"code": "tired", "message": ""})),
        ("schema_version", json!(1)),
        ("extra", Value::Null),
    ] {
        let mut changed = record.clone();
        changed[key] = value;
        assert!(!validator.is_valid(&changed), "{key}");
    }
    let mut short = record.clone();
    short.as_object_mut().expect("a map").remove("masks");
    assert!(validator.is_valid(&record) && !validator.is_valid(&short));
}

#[test]
fn the_document_keeps_to_its_schema() {
    let mut envelope = schema("report.schema.json");
    assert_eq!(
        envelope["properties"]["results"]["items"]["$ref"],
        "record.schema.json"
    );
    // Records are checked above; a validator would look for the other file on the network.
    envelope["properties"]["results"]["items"] = json!({"type": "object"});
    let faulty = faulty();
    for folder in [faulty.path(), &root().join("examples")] {
        let document = parsed(&stdout(folder, &["scan", "--format", "json", "."]));
        check(&envelope, &document);
    }
}

#[test]
fn text() {
    assert_snapshot!("text", without_scores(&scan(&["--quiet"])));
}

#[test]
fn explained() {
    let text = scan(&["--quiet", "-v", "--max-fpr", "0.05"]);
    assert_snapshot!("explained", without_scores(&text));
}

#[test]
fn lines_of_an_explanation_are_short() {
    for line in scan(&["--quiet", "-v"]).lines() {
        assert!(line.chars().count() <= 110, "{line}");
        assert!(!line.contains("logit"), "{line}");
    }
}

#[test]
fn record() {
    let text = scan(&["--format", "ndjson"]);
    let records: Vec<String> = text.lines().map(settled).collect();
    assert_snapshot!("record", records.join("\n"));
}

#[test]
fn document() {
    let faulty = faulty();
    let text = stdout(faulty.path(), &["scan", "--format", "json", "empty.jpg"]);
    assert_snapshot!("document", settled(&text));
}

#[test]
fn csv() {
    let text = scan(&["--format", "csv"]);
    let rows = text.lines().map(|row| {
        let cells = row
            .split(',')
            .map(|c| if is_hash(c) { "[sha256]" } else { c });
        cells.collect::<Vec<_>>().join(",")
    });
    let rows = rows.collect::<Vec<_>>().join("\n");
    assert_snapshot!("csv", without_scores(&rows));
}

#[test]
fn html() {
    let faulty = faulty();
    let page = scan(&["--format", "html"]);
    let end = page.find("</main>").expect("an end");
    let failed = stdout(faulty.path(), &["scan", "--format", "html", "."]);
    let begin = failed.find("<article").expect("an article");
    let mut page = format!("{}{}", &page[..end], &failed[begin..]);
    for (start, end, with) in [
        (";base64,", "\"", "[pixels]"),
        ("<style>", "</style>", "[style]"),
        ("<dd>realscope ", ",", "[version]"),
    ] {
        page = between(&page, start, end, with);
    }
    let lines = page.lines().map(|line| match line.split_once("</dt><dd>") {
        Some((name, value)) if value.strip_suffix("</dd>").is_some_and(is_hash) => {
            format!("{name}</dt><dd>[sha256]</dd>")
        }
        _ => line.to_owned(),
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    assert_snapshot!("html", without_scores(&lines));
}

#[test]
fn errors_and_summary() {
    let faulty = faulty();
    let output = realscope(faulty.path(), &["scan", "."]);
    assert_snapshot!("errors", String::from_utf8_lossy(&output.stdout));
    assert_snapshot!("errors-summary", String::from_utf8_lossy(&output.stderr));
    let explained = stdout(faulty.path(), &["scan", "-v", "text.jpg"]);
    assert_snapshot!("errors-explained", explained);
    let record = stdout(faulty.path(), &["scan", "--format", "ndjson", "text.jpg"]);
    assert_snapshot!("errors-record", settled(&record));
}

#[test]
fn summary() {
    let output = realscope(&root(), &["scan", "examples"]);
    assert_snapshot!("summary", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn help() {
    assert_snapshot!("help-scan", stdout(&root(), &["scan", "--help"]));
}

#[test]
fn models() {
    assert_snapshot!("models-list", stdout(&root(), &["models", "list"]));
}

#[test]
fn doctor() {
    let text = stdout(&root(), &["doctor"]);
    let lines = text.lines().map(|line| {
        let name = line.split("  ").next().unwrap_or_default();
        match name {
            "ONNX Runtime" | "ffmpeg" | "decoding" | "models" => {
                format!("{name} [of this machine]")
            }
            _ if line.starts_with("realscope ") => "realscope [version]".into(),
            _ => line.to_owned(),
        }
    });
    assert_snapshot!("doctor", lines.collect::<Vec<_>>().join("\n"));
}
