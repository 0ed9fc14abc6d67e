//! `realscope audit` on ten kinds of files, which are made here.

mod authority;

use std::path::Path;
use std::process::{Command, Output};

use authority::Authority;
use c2pa::{BuilderIntent, DigitalSourceType};
use insta::assert_snapshot;
use serde_json::Value;

const JPEG: &str = "image/jpeg";

fn picture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    std::fs::read(folder.join(name)).expect("picture")
}

/// A JPEG with a segment behind its start.
fn with_segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let bytes = picture("photo-like.jpg");
    let len = (data.len() as u16 + 2).to_be_bytes();
    [&bytes[..2], &[0xff, marker], &len, data, &bytes[2..]].concat()
}

fn with_xmp(properties: &str) -> Vec<u8> {
    let packet = format!(
        r#"http://ns.adobe.com/xap/1.0/_<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:p="http://ns.adobe.com/photoshop/1.0/" xmlns:t="http://www.tc260.org.cn/ns/AIGC/1.0/" {properties}/></rdf:RDF></x:xmpmeta>"#
    );
    with_segment(0xe1, packet.replacen('_', "\0", 1).as_bytes())
}

/// A PNG with a text chunk ahead of its pixels.
fn with_text(key: &str, text: &str) -> Vec<u8> {
    let bytes = picture("plain.png");
    let data = [b"tEXt", key.as_bytes(), b"\0", text.as_bytes()].concat();
    let mut crc = !0_u32;
    for byte in &data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    let len = (data.len() as u32 - 4).to_be_bytes();
    [
        &bytes[..33],
        &len,
        &data,
        &(!crc).to_be_bytes(),
        &bytes[33..],
    ]
    .concat()
}

const AI: &str = r#"e:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia""#;

/// Ten kinds of files by name.
fn files(authority: &Authority) -> Vec<(&'static str, Vec<u8>)> {
    let plain = picture("photo-like.jpg");
    let generated = authority.generated(JPEG, &plain);
    let intent = BuilderIntent::Create(DigitalSourceType::TrainedAlgorithmicMedia);
    let remote = authority.sign(JPEG, &plain, intent, "Painter", |b| {
        b.set_remote_url("https://example.org/1").set_no_embed(true);
    });
    let mut broken = generated.clone();
    let at = broken.len() - 40;
    broken[at] ^= 1;
    let label =
        r#"t:AIGC="{&quot;Label&quot;:&quot;1&quot;,&quot;ContentProducer&quot;:&quot;001&quot;}""#;
    let fields = r#"e:AISystemUsed="Painter 3" e:AIPromptInformation="a fox""#;
    let exif = picture("rotated.jpg");
    vec![
        ("01-nothing.jpg", plain),
        ("02-credentials.jpg", generated),
        ("03-broken-credentials.jpg", broken),
        ("04-credentials-elsewhere.jpg", remote),
        ("05-iptc.jpg", with_xmp(AI)),
        ("06-ai-fields.jpg", with_xmp(&format!("{AI} {fields}"))),
        ("07-label.jpg", with_xmp(label)),
        (
            "08-credit.jpg",
            with_xmp(r#"p:Credit="Edited with Google AI""#),
        ),
        ("09-parameters.png", picture("webui.png")),
        ("10-camera.jpg", exif),
        (
            "11-label.png",
            with_text(
                "AIGC",
                r#"{"Label":"1","ContentProducer":"001","ProduceID":"7"}"#,
            ),
        ),
        (
            "12-swarm.png",
            with_text(
                "parameters",
                r#"{"sui_image_params":{"prompt":"a fox","seed":7,"steps":20,"model":"m"}}"#,
            ),
        ),
    ]
}

fn realscope(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_realscope"))
        .current_dir(folder)
        .args(args)
        .env("REALSCOPE_CONFIG", "/dev/null")
        .output()
        .expect("runs")
}

#[test]
fn marks_are_told_by_kind_and_may_be_required() {
    let authority = Authority::new();
    let dir = tempfile::tempdir().expect("folder");
    let files = files(&authority);
    for (name, bytes) in &files {
        std::fs::write(dir.path().join(name), bytes).expect("written");
    }
    let output = realscope(dir.path(), &["audit", "--format", "ndjson", "."]);
    assert_eq!(output.status.code(), Some(0));
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/audit.schema.json");
    let schema = serde_json::from_slice(&std::fs::read(schema).expect("schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let audits: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).expect("an audit a line"))
        .collect();
    assert_eq!(audits.len(), files.len());
    let table: Vec<String> = audits
        .iter()
        .map(|a| {
            let faults: Vec<String> = validator.iter_errors(a).map(|e| e.to_string()).collect();
            assert!(faults.is_empty(), "{faults:?}");
            let marks: Vec<String> = a["marks"]
                .as_array()
                .expect("marks")
                .iter()
                .map(|m| format!("{}={}", m["mark"].as_str().expect("word"), m["says"]))
                .collect();
            let agree = &a["agree"];
            format!(
                "{} {} [{}] agree={agree}",
                a["path"],
                a["declared"],
                marks.join(" ")
            )
        })
        .collect();
    assert_snapshot!("audit-table", table.join("\n"));

    // What is required of each.
    for (mark, carriers) in [
        ("any", vec![2, 5, 6, 7, 8, 9, 11, 12]),
        ("c2pa", vec![2]),
        ("iptc", vec![5, 6]),
        ("ai-fields", vec![6]),
        ("aigc", vec![7, 11]),
        ("credit", vec![8]),
        ("generator", vec![9, 12]),
    ] {
        for (i, (name, _)) in files.iter().enumerate() {
            let output = realscope(dir.path(), &["audit", "--require", mark, name]);
            let expected = i32::from(!carriers.contains(&(i + 1)));
            assert_eq!(output.status.code(), Some(expected), "{mark} of {name}");
        }
    }
    let text = realscope(
        dir.path(),
        &["audit", "05-iptc.jpg", "08-credit.jpg", "01-nothing.jpg"],
    );
    assert_snapshot!("audit-text", String::from_utf8_lossy(&text.stdout));
}

#[test]
fn marks_that_disagree_are_told() {
    let dir = tempfile::tempdir().expect("folder");
    // EXIF of a camera, and XMP of a generator.
    let bytes = picture("rotated.jpg");
    let xmp = with_xmp(AI);
    let len = usize::from(u16::from_be_bytes([xmp[4], xmp[5]])) + 2;
    let both = [&bytes[..2], &xmp[2..2 + len], &bytes[2..]].concat();
    std::fs::write(dir.path().join("both.jpg"), both).expect("written");
    let output = realscope(dir.path(), &["audit", "--format", "ndjson", "both.jpg"]);
    let audit: Value = serde_json::from_slice(&output.stdout).expect("an audit");
    assert_eq!(audit["agree"], false);
    assert_eq!(
        audit["disagreements"][0],
        "IPTC digital source type says generated, EXIF says captured"
    );
    // The scan tells it as context, and it decides nothing.
    let output = realscope(dir.path(), &["scan", "--format", "ndjson", "both.jpg"]);
    let record: Value = serde_json::from_slice(&output.stdout).expect("a record");
    let evidence = record["evidence"].as_array().expect("evidence");
    let told = evidence
        .iter()
        .find(|e| e["code"] == "contradiction")
        .expect("told");
    assert_eq!(
        (told["kind"].as_str(), told["weight"].as_f64()),
        (Some("context"), Some(0.0))
    );
}

#[test]
fn faults_have_exit_codes() {
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(dir.path().join("text.jpg"), b"no picture").expect("written");
    std::fs::write(dir.path().join("good.jpg"), picture("photo-like.jpg")).expect("written");
    let run = |args: &[&str]| realscope(dir.path(), args).status.code();
    assert_eq!(run(&["audit", "text.jpg"]), Some(3));
    assert_eq!(run(&["audit", "text.jpg", "good.jpg"]), Some(4));
    assert_eq!(
        run(&["audit", "--require", "any", "text.jpg", "good.jpg"]),
        Some(1)
    );
    assert_eq!(
        run(&["audit", "--require", "nonsense", "good.jpg"]),
        Some(2)
    );
    assert_eq!(run(&["audit"]), Some(2));
}

#[test]
fn what_a_broken_picture_declares_is_told_with_its_error() {
    let dir = tempfile::tempdir().expect("folder");
    let whole = with_xmp(AI);
    std::fs::write(dir.path().join("cut.jpg"), &whole[..whole.len() / 2]).expect("written");
    let output = realscope(dir.path(), &["scan", "--format", "ndjson", "cut.jpg"]);
    assert_eq!(output.status.code(), Some(3));
    let record: Value = serde_json::from_slice(&output.stdout).expect("a record");
    assert_eq!(record["verdict"], Value::Null);
    assert_eq!(record["error"]["code"], "truncated");
    assert_eq!(record["provenance"]["declared"], "generated");
    let output = realscope(dir.path(), &["scan", "cut.jpg"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("declared: generated"), "{text}");
}

#[test]
fn pictures_within_a_drawing_have_audits_of_their_own() {
    use base64::Engine as _;
    let image = |bytes: &[u8]| {
        let data = base64::engine::general_purpose::STANDARD.encode(bytes);
        format!(r#"<image href="data:image/jpeg;base64,{data}"/>"#)
    };
    let (marked, plain) = (image(&with_xmp(AI)), image(&picture("photo-like.jpg")));
    let drawing = |head: &str| {
        format!(r#"<svg xmlns="http://www.w3.org/2000/svg">{head}{marked}{plain}</svg>"#)
    };
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(dir.path().join("a.svg"), drawing("")).expect("written");
    let run = |file: &str| {
        let args = ["audit", "--format", "ndjson", "--require", "any", file];
        let output = realscope(dir.path(), &args);
        let audits: Vec<(String, String)> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).expect("an audit a line"))
            .map(|a| {
                let word = |key: &str| a[key].as_str().unwrap_or("-").to_owned();
                (word("path"), word("declared"))
            })
            .collect();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), audits, said)
    };
    let (code, audits, said) = run("a.svg");
    let expected = [
        ("a.svg", "none"),
        ("a.svg#image=1", "generated"),
        ("a.svg#image=2", "none"),
    ];
    let expected = expected.map(|(path, says)| (path.to_owned(), says.to_owned()));
    assert_eq!(audits, expected);
    // One picture lacks the mark, not the drawing beside it.
    assert_eq!(
        (code, said.trim()),
        (Some(1), "3 audited, 1 lack what is required")
    );
    // A mark of the drawing holds for both.
    let packet = format!(
        r#"<metadata><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" {AI}/></rdf:RDF></x:xmpmeta></metadata>"#
    );
    std::fs::write(dir.path().join("b.svg"), drawing(&packet)).expect("written");
    let (code, audits, _) = run("b.svg");
    assert_eq!((code, audits.len()), (Some(0), 3));
    assert!(audits.iter().all(|a| a.1 == "generated"), "{audits:?}");
    // So do the records of a scan.
    let output = realscope(dir.path(), &["scan", "--format", "ndjson", "b.svg"]);
    let told: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).expect("a record"))
        .collect();
    assert_eq!(told.len(), 2);
    for record in told {
        assert_eq!(record["provenance"]["declared"], "generated", "{record:#}");
    }
    // In a folder they are not passed over; a drawing of nothing is.
    std::fs::write(
        dir.path().join("icon.svg"),
        r#"<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>"#,
    )
    .expect("written");
    let (code, audits, said) = run(".");
    assert_eq!((code, audits.len()), (Some(1), 6), "{said}");
    assert!(said.contains("1 skipped"), "{said}");
}

#[test]
fn credentials_of_a_drawing_are_read() {
    let authority = Authority::new();
    let plain =
        br#"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><path d="M0 0"/></svg>"#;
    let signed = authority.generated("image/svg+xml", plain);
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(dir.path().join("a.svg"), signed).expect("written");
    let output = realscope(dir.path(), &["audit", "--format", "ndjson", "a.svg"]);
    let audit: Value = serde_json::from_slice(&output.stdout).expect("an audit");
    assert_eq!(audit["declared"], "generated", "{audit:#}");
    assert_eq!(audit["integrity"], "valid");
}
