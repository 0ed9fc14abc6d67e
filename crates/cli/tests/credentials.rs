//! Content credentials as a user meets them, on pictures that a test authority signs.

mod authority;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use authority::{Authority, action, assertion};
use c2pa::{BuilderIntent, DigitalSourceType};
use serde_json::{Value, json};

const JPEG: &str = "image/jpeg";

fn picture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    std::fs::read(folder.join(name)).expect("picture")
}

/// A folder for the pictures of one test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_realscope"))
            .current_dir(self.0.path())
            .args(args)
            .env("REALSCOPE_CONFIG", "/dev/null")
            .output()
            .expect("runs")
    }

    /// The record of a picture, checked against the schema.
    fn scan(&self, bytes: &[u8], options: &[&str]) -> Value {
        self.put("picture", bytes);
        let args = [&["scan", "--format", "ndjson"], options, &["picture"]].concat();
        let output = self.run(&args);
        let record: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/record.schema.json");
        let schema = std::fs::read(schema).expect("a schema");
        let schema = serde_json::from_slice(&schema).expect("JSON");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let faults: Vec<String> = validator
            .iter_errors(&record)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{faults:#?}");
        record
    }
}

fn declared(record: &Value) -> &str {
    record["provenance"]["declared"].as_str().expect("a word")
}

fn active(record: &Value) -> &Value {
    &record["metadata"]["c2pa"]["manifest"]
}

fn found(record: &Value, words: &str) -> bool {
    let found = record["provenance"]["found"].as_array().expect("a list");
    found
        .iter()
        .any(|f| f.as_str().expect("words").contains(words))
}

#[test]
fn a_generated_picture_stays_declared_after_two_edits() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let mut signed = authority.generated(JPEG, &picture("photo-like.jpg"));
    for _ in 0..2 {
        signed = authority.edited(JPEG, &signed);
    }
    let record = folder.scan(&signed, &[]);
    assert_eq!(declared(&record), "generated");
    let provenance = &record["provenance"];
    assert_eq!(
        (&provenance["integrity"], &provenance["trust"]),
        (&json!("valid"), &json!("not_checked"))
    );
    // The tree: edited, from edited, from generated.
    let mut manifest = active(&record);
    for _ in 0..2 {
        assert_eq!(manifest["claim_generator"], "Editor");
        assert_eq!(manifest["integrity"], "valid");
        let ingredient = &manifest["ingredients"][0];
        assert_eq!(ingredient["relationship"], "parentOf");
        manifest = &ingredient["manifest"];
    }
    assert_eq!(manifest["claim_generator"], "Painter");
    assert_eq!(manifest["integrity"], "valid");
    assert_eq!(
        manifest["actions"][0]["source_type"],
        "trainedAlgorithmicMedia"
    );

    folder.put("picture.jpg", &signed);
    let text = folder.run(&["scan", "-v", "picture.jpg"]).stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    let tree: Vec<&str> = text
        .lines()
        .skip_while(|l| !l.contains("The history that the content credentials tell"))
        .skip(1)
        .take_while(|l| !l.is_empty())
        .map(|l| &l[..l.find("Manifest by").unwrap_or(l.len())])
        .filter(|l| l.trim() == "-")
        .collect();
    assert_eq!(tree, ["  - ", "      - ", "          - "], "{text}");
    let page = folder
        .run(&["scan", "--format", "html", "picture.jpg"])
        .stdout;
    let page = String::from_utf8_lossy(&page).into_owned();
    assert!(page.contains("Manifest by Painter"));
}

#[test]
fn credentials_are_read_in_every_container() {
    let (authority, folder) = (Authority::new(), Folder::new());
    for (name, media) in [
        ("photo-like.jpg", "image/jpeg"),
        ("plain.png", "image/png"),
        ("lossy.webp", "image/webp"),
        ("plain.gif", "image/gif"),
        ("plain.tiff", "image/tiff"),
        ("plain.avif", "image/avif"),
        ("plain.jxl", "image/jxl"),
    ] {
        let mut bytes = picture(name);
        if media == "image/jxl" {
            // A bare codestream has no place for credentials; in a container it has.
            let boxed = |kind: &[u8], data: &[u8]| {
                [&(data.len() as u32 + 8).to_be_bytes()[..], kind, data].concat()
            };
            bytes = [
                boxed(b"JXL ", b"\r\n\x87\n"),
                boxed(b"ftyp", b"jxl \0\0\0\0jxl "),
                boxed(b"jxlc", &bytes),
            ]
            .concat();
        }
        let signed = authority.edited(media, &authority.generated(media, &bytes));
        let record = folder.scan(&signed, &[]);
        assert_eq!(declared(&record), "generated", "{name}");
        assert_eq!(record["provenance"]["integrity"], "valid", "{name}");
    }
}

#[test]
fn what_is_generated_in_part_is_declared_in_part() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let camera = authority.captured(JPEG, &picture("photo-like.jpg"));
    assert_eq!(declared(&folder.scan(&camera, &[])), "captured");
    assert_eq!(
        declared(&folder.scan(&authority.edited(JPEG, &camera), &[])),
        "edited"
    );

    let part = authority.generated(JPEG, &picture("progressive.jpg"));
    let joined = authority.sign(JPEG, &camera, BuilderIntent::Edit, "Editor", |b| {
        let ingredient = json!({"title": "a part", "relationship": "componentOf", "label": "part"});
        b.add_ingredient_from_stream(
            ingredient.to_string(),
            JPEG,
            &mut std::io::Cursor::new(&part),
        )
        .expect("an ingredient");
        action(
            b,
            json!({"action": "c2pa.placed", "parameters": {"ingredientIds": ["part"]}}),
        );
    });
    let record = folder.scan(&joined, &[]);
    assert_eq!(declared(&record), "composite_with_generated");
    let relationships: Vec<&str> = active(&record)["ingredients"]
        .as_array()
        .expect("ingredients")
        .iter()
        .map(|i| i["relationship"].as_str().expect("a word"))
        .collect();
    assert!(relationships.contains(&"componentOf") && relationships.contains(&"parentOf"));

    let filled = authority.sign(JPEG, &camera, BuilderIntent::Edit, "Editor", |b| {
        let ai = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
        action(b, json!({"action": "c2pa.edited", "digitalSourceType": ai}));
    });
    assert_eq!(declared(&folder.scan(&filled, &[])), "edited_with_ai");
}

#[test]
fn a_vendors_own_parameters_are_read() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let signed = authority.sign(
        JPEG,
        &picture("photo-like.jpg"),
        BuilderIntent::Edit,
        "Photo Editor",
        |b| {
            action(
                b,
                json!({"action": "c2pa.edited", "parameters": {
                    "com.adobe.type": "remoteProvider.3rdParty",
                    "com.adobe.details": "imagen-3.0-generate-002",
                    "com.adobe.digitalSourceType":
                        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
                }}),
            );
        },
    );
    let record = folder.scan(&signed, &[]);
    assert_eq!(declared(&record), "edited_with_ai");
    let actions = active(&record)["actions"].as_array().expect("actions");
    assert!(
        actions
            .iter()
            .any(|a| a["vendor"]["com.adobe.details"] == "imagen-3.0-generate-002")
    );
}

#[test]
fn redactions_are_told() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let intent = BuilderIntent::Create(DigitalSourceType::DigitalCapture);
    let first = authority.sign(JPEG, &picture("photo-like.jpg"), intent, "Camera", |b| {
        let place = json!({
            "@context": {"exif": "http://ns.adobe.com/exif/1.0/"},
            "exif:GPSLatitude": "39,21.102N",
        });
        b.add_assertion("c2pa.metadata", &place)
            .expect("an assertion");
    });
    let uri = assertion(JPEG, &first, "c2pa.metadata");
    let second = authority.sign(JPEG, &first, BuilderIntent::Update, "Editor", |b| {
        b.definition.redactions = Some(vec![uri.clone()]);
        let redacted = json!({
            "action": "c2pa.redacted",
            "reason": "c2pa.PII.present",
            "parameters": {"redacted": uri},
        });
        action(b, redacted);
    });
    let record = folder.scan(&second, &[]);
    assert_eq!(record["provenance"]["integrity"], "valid");
    assert_eq!(active(&record)["redactions"], json!([uri]));
    let earlier = &active(&record)["ingredients"][0]["manifest"];
    let kept = earlier["assertions"].as_array().expect("assertions");
    assert!(kept.iter().all(|a| a != "c2pa.metadata"), "{kept:?}");
    assert_eq!(declared(&record), "captured");
}

/// Changes a byte of the picture itself, far behind the credentials.
fn tampered(signed: &[u8]) -> Vec<u8> {
    let mut bytes = signed.to_vec();
    let at = bytes.len() - 40;
    bytes[at] = if bytes[at] == 0x11 { 0x12 } else { 0x11 };
    bytes
}

#[test]
fn a_picture_that_was_changed_is_told_and_keeps_its_strong_claims() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let bytes = picture("photo-like.jpg");
    for (signed, expected) in [
        (authority.generated(JPEG, &bytes), "generated"),
        (authority.captured(JPEG, &bytes), "none"),
    ] {
        let record = folder.scan(&tampered(&signed), &[]);
        assert_eq!(record["provenance"]["integrity"], "invalid");
        assert_eq!(active(&record)["integrity"], "invalid");
        let problems = active(&record)["problems"].as_array().expect("problems");
        assert!(
            problems.contains(&json!("assertion.dataHash.mismatch")),
            "{problems:?}"
        );
        assert_eq!(declared(&record), expected);
    }
    // A manifest of the history that was changed costs the whole its integrity, and is named.
    let edited = authority.edited(JPEG, &authority.generated(JPEG, &bytes));
    let term = b"trainedAlgorithmicMedia";
    let at = edited
        .windows(term.len())
        .position(|w| w == term)
        .expect("there");
    let mut changed = edited.clone();
    changed[at] = b'T';
    let record = folder.scan(&changed, &[]);
    assert_eq!(record["provenance"]["integrity"], "invalid");
}

#[test]
fn trust_is_checked_only_with_a_list() {
    let (authority, stranger, folder) = (Authority::new(), Authority::new(), Folder::new());
    let signed = authority.edited(JPEG, &authority.generated(JPEG, &picture("photo-like.jpg")));
    folder.put("own.pem", authority.list().as_bytes());
    folder.put("other.pem", stranger.list().as_bytes());
    for (options, expected) in [
        (&[][..], "not_checked"),
        (&["--trust", "own.pem"][..], "trusted"),
        (&["--trust", "other.pem"][..], "untrusted"),
        (
            &["--trust", "other.pem", "--trust", "own.pem"][..],
            "trusted",
        ),
    ] {
        let record = folder.scan(&signed, options);
        let provenance = &record["provenance"];
        assert_eq!(provenance["trust"], expected, "{options:?}");
        assert_eq!(provenance["integrity"], "valid", "{options:?}");
        let earlier = &active(&record)["ingredients"][0]["manifest"];
        assert_eq!(earlier["trust"], expected, "{options:?}");
        assert!(found(
            &record,
            &format!("trust {}", expected.replace('_', " "))
        ));
    }
    folder.put("empty.pem", b"no certificate");
    let output = folder.run(&["scan", "--trust", "empty.pem", "picture"]);
    assert_eq!(output.status.code(), Some(2));
    let output = folder.run(&["scan", "--trust", "nowhere.pem", "picture"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn credentials_that_are_kept_elsewhere_are_told() {
    const URL: &str = "https://example.org/manifests/1";
    let (authority, folder) = (Authority::new(), Folder::new());
    for embedded in [false, true] {
        let intent = BuilderIntent::Create(DigitalSourceType::TrainedAlgorithmicMedia);
        let signed = authority.sign(JPEG, &picture("photo-like.jpg"), intent, "Painter", |b| {
            b.set_remote_url(URL).set_no_embed(!embedded);
        });
        let record = folder.scan(&signed, &[]);
        assert!(
            found(&record, &format!("kept at {URL}, which was not fetched")),
            "{embedded}"
        );
        let provenance = &record["provenance"];
        let expected = if embedded { "valid" } else { "not_checked" };
        assert_eq!(provenance["integrity"], expected);
        assert_eq!(
            declared(&record),
            if embedded { "generated" } else { "none" }
        );
    }
}

#[test]
fn credentials_that_were_fetched_count_like_those_in_the_file() {
    use realscope::fetch::{self, Fetch};
    use realscope::lane::Lane;
    use realscope::{Cancel, Launch};
    const URL: &str = "https://example.org/manifests/1";
    let (authority, bytes) = (Authority::new(), picture("photo-like.jpg"));
    let intent = || BuilderIntent::Create(DigitalSourceType::TrainedAlgorithmicMedia);
    let (signed, store) = authority.sign_apart(JPEG, &bytes, intent(), "Painter", |b| {
        b.set_remote_url(URL).set_no_embed(true);
    });
    let (_, other) =
        authority.sign_apart(JPEG, &picture("rotated.jpg"), intent(), "Painter", |b| {
            b.set_remote_url(URL).set_no_embed(true);
        });
    let mut lane = Lane::new(Launch {
        program: env!("CARGO_BIN_EXE_realscope").into(),
        args: vec!["decode-worker".into()],
    });
    // The worker is told what came from the address; who may be asked is the caller's affair.
    let mut read = |answer: Result<Vec<u8>, String>| {
        let fetch = Fetch::new(move |url| {
            assert_eq!(url, URL);
            answer.clone()
        });
        let limits = realscope_media::Limits::default();
        let options = realscope_media::Options::default();
        fetch::decode(&options, Some(&fetch), |options| {
            let time = std::time::Duration::from_secs(30);
            lane.decode(&signed, &limits, options, time, &Cancel::default())
        })
        .expect("decoded")
        .facts
    };
    let told =
        |facts: &realscope_media::Facts, code: &str| facts.notes.iter().any(|n| n.code == code);
    let facts = read(Ok(store));
    let found = realscope::provenance::of(&facts);
    assert_eq!(found.declared, realscope::record::Declared::Generated);
    assert_eq!(found.integrity, Some(realscope::record::Integrity::Valid));
    assert!(told(&facts, "credentials_fetched"));
    assert!(found.found.contains(&format!(
        "content credentials are kept at {URL}, which was fetched"
    )));

    // Credentials of another picture do not hold.
    let found = realscope::provenance::of(&read(Ok(other)));
    assert_eq!(found.integrity, Some(realscope::record::Integrity::Invalid));
    let found = realscope::provenance::of(&read(Ok(b"<html>no manifest</html>".to_vec())));
    assert_eq!(found.integrity, Some(realscope::record::Integrity::Invalid));

    let facts = read(Err("the server answered 404".into()));
    assert!(told(&facts, "credentials_not_fetched"));
    let found = realscope::provenance::of(&facts);
    assert_eq!(
        found.integrity,
        Some(realscope::record::Integrity::NotChecked)
    );
}

#[test]
fn credentials_that_were_taken_away_are_told() {
    let xmp = r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="self#jumbf=/c2pa/urn:c2pa:1"/></rdf:RDF></x:xmpmeta>"#;
    let data = [b"http://ns.adobe.com/xap/1.0/\0", xmp.as_bytes()].concat();
    let bytes = picture("photo-like.jpg");
    let len = (data.len() as u16 + 2).to_be_bytes();
    let stripped = [&bytes[..2], b"\xff\xe1", &len, &data, &bytes[2..]].concat();
    let record = Folder::new().scan(&stripped, &[]);
    assert!(
        found(&record, "They were taken away"),
        "{}",
        record["provenance"]
    );
}

#[test]
fn a_certificate_that_ran_out_is_told() {
    // Signed by a test authority in 2026 with a certificate that was valid for minutes, without a time stamp.
    let folder = Folder::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/credentials");
    let signed = std::fs::read(here.join("expired.jpg")).expect("picture");
    let root = std::fs::read(here.join("expired-root.pem")).expect("certificate");
    folder.put("root.pem", &root);
    for options in [&[][..], &["--trust", "root.pem"][..]] {
        let record = folder.scan(&signed, options);
        assert_eq!(record["provenance"]["integrity"], "invalid");
        assert_ne!(record["provenance"]["trust"], "trusted");
        let problems = active(&record)["problems"].as_array().expect("problems");
        assert!(
            problems.contains(&json!("signingCredential.expired")),
            "{problems:?}"
        );
        // What it claims is still told.
        assert_eq!(declared(&record), "generated");
    }
}
