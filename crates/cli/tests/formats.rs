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
