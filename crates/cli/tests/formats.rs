//! One picture in every container, depth, orientation and colour space has one verdict.

#[path = "../../media/tests/made/mod.rs"]
mod made;

use std::path::Path;
use std::process::Command;

use made::Near;
use serde_json::Value;

/// Largest difference of the probability of a file that holds the very same pixels.
const SAME: f64 = 1e-6;
/// And of one that was coded with loss, or came from another colour space.
const NEAR: f64 = 0.15;

fn scan(paths: &[&Path]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_realscope"))
        .env("REALSCOPE_CONFIG", "/dev/null")
        .args(["scan", "--quiet", "--format", "ndjson"])
        .args(paths)
        .output()
        .expect("runs");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("json"))
        .collect()
}

#[test]
fn one_picture_has_one_verdict_in_every_file() {
    let folder = tempfile::tempdir().expect("folder");
    let made = made::all();
    let near: Vec<Near> = made.iter().map(|m| m.near).collect();
    for made in &made {
        std::fs::write(folder.path().join(&made.name), &made.bytes).expect("written");
    }
    let paths: Vec<_> = made.iter().map(|m| folder.path().join(&m.name)).collect();
    let records = scan(&paths.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    assert_eq!(records.len(), made.len());
    let right = records[0]["probability"].as_f64().expect("a probability");
    let mut farthest = (0.0_f64, 0.0_f64);
    let mut wrong = Vec::new();
    for ((record, near), made) in records.iter().zip(near).zip(&made) {
        let Some(found) = record["probability"].as_f64() else {
            wrong.push(format!("{}: {}", made.name, record["error"]));
            continue;
        };
        let distance = (found - right).abs();
        let (bound, most) = match near {
            Near::Exactly => (SAME, &mut farthest.0),
            Near::Mean(_) => (NEAR, &mut farthest.1),
        };
        *most = most.max(distance);
        if distance > bound || record["verdict"] != records[0]["verdict"] {
            wrong.push(format!(
                "{}: {found:.4} ({}), not {right:.4}",
                made.name, record["verdict"]
            ));
        }
    }
    println!(
        "{} files, probability {right:.4}; farthest of the same pixels {:.1e}, of near ones {:.3}",
        made.len(),
        farthest.0,
        farthest.1
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pictures_within_a_file_are_items_with_paths_of_their_own() {
    let folder = tempfile::tempdir().expect("folder");
    let base = made::base();
    let plain = folder.path().join("plain.png");
    std::fs::write(&plain, made::png(&base, &[])).expect("written");
    let pdf = folder.path().join("report.pdf");
    std::fs::write(&pdf, made::pdf(&base)).expect("written");
    let svg = folder.path().join("drawing.svg");
    std::fs::write(&svg, made::svg(&base)).expect("written");
    let empty = folder.path().join("notes.svg");
    std::fs::write(&empty, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").expect("written");
    let plain = &scan(&[&plain])[0];
    let items = |path: &Path| -> Vec<(String, Value)> {
        scan(&[path])
            .into_iter()
            .map(|mut r| {
                let path = r["path"].as_str().expect("a path");
                let name = path.rsplit('/').next().expect("a name").to_owned();
                (name, r["probability"].take())
            })
            .collect()
    };
    let found = items(&pdf);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["report.pdf#page=1,image=1", "report.pdf#page=2,image=1"]
    );
    assert_eq!(found[0].1, plain["probability"]);
    assert!(found[1].1.is_f64());
    assert_eq!(
        items(&svg),
        [("drawing.svg#image=1".into(), plain["probability"].clone())]
    );
    // Named, a drawing without pictures is an error; in a folder it is passed over.
    assert_eq!(scan(&[&empty])[0]["error"]["code"], "not_a_picture");
    let all = scan(&[folder.path()]);
    assert_eq!(all.len(), 4, "{all:?}");
}

/// A JPEG whose index (CIPA DC-007) calls what follows it a preview of it.
fn with_preview(picture: &[u8], preview: &[u8]) -> Vec<u8> {
    let mut index = b"MPF\0II*\0\x08\0\0\0\x02\0".to_vec();
    index.extend(b"\x01\xb0\x04\0\x01\0\0\0\x02\0\0\0");
    index.extend(b"\x02\xb0\x07\0\x20\0\0\0\x26\0\0\0\0\0\0\0");
    for (kind, bytes) in [(0x2003_0000_u32, 0), (0x01_0002, preview.len() as u32)] {
        index.extend(kind.to_le_bytes());
        index.extend(bytes.to_le_bytes());
        index.extend([0; 8]);
    }
    let len = (index.len() as u16 + 2).to_be_bytes();
    [
        &picture[..2],
        b"\xff\xe2",
        &len,
        &index,
        &picture[2..],
        preview,
    ]
    .concat()
}

#[test]
fn pictures_behind_the_picture_are_scanned_for_themselves() {
    let folder = tempfile::tempdir().expect("folder");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read(here.join(name)).expect("a picture");
    let scanned = |name: &str, bytes: &[u8]| -> Vec<Value> {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        scan(&[&path])
    };
    let (edited, earlier) = (
        read("tests/pictures/plain.png"),
        read("tests/pictures/webui.png"),
    );
    let alone = &scanned("earlier.png", &earlier)[0];
    let both = scanned("edited.png", &[&edited[..], &earlier].concat());
    assert_eq!(both.len(), 2);
    assert!(
        both[1]["path"]
            .as_str()
            .is_some_and(|p| p.ends_with("edited.png#trailer=1"))
    );
    assert_eq!(both[1]["probability"], alone["probability"]);
    assert_eq!(both[1]["provenance"]["declared"], "generated");
    assert_eq!(both[0]["media"]["behind"][0]["item"], "trailer=1");
    // What does not decode is told with the picture and is no item.
    let broken = scanned(
        "broken.png",
        &[&edited[..], &earlier[..earlier.len() / 2]].concat(),
    );
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(
        !broken[0]["media"]["behind"]
            .as_array()
            .expect("a list")
            .is_empty()
    );

    let (one, other) = (
        read("tests/pictures/photo-like.jpg"),
        read("../../examples/authentic.jpg"),
    );
    // A preview that shows the picture is no item.
    let alike = scanned("alike.jpg", &with_preview(&one, &one));
    assert_eq!(alike.len(), 1);
    let behind = &alike[0]["media"]["behind"][0];
    assert_eq!(behind["kind"], "preview");
    assert!(
        behind["likeness"].as_f64().is_some_and(|l| l > 0.99),
        "{behind}"
    );
    assert_eq!(
        alike[0]["provenance"]["contradictions"],
        serde_json::json!([])
    );
    // Nor is one that does not a mere preview.
    let unlike = scanned("unlike.jpg", &with_preview(&one, &other));
    assert_eq!(unlike.len(), 2);
    let said = unlike[0]["provenance"]["contradictions"].to_string();
    assert!(said.contains("that does not look like it"), "{said}");
}
