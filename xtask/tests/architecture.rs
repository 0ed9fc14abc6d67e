//! The crate table of `ARCHITECTURE.md` is the dependency graph.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Crates by name without the project's prefix, each with those that it uses.
type Graph = BTreeMap<String, Vec<String>>;

fn short(name: &str) -> String {
    name.strip_prefix("realscope-").unwrap_or(name).to_owned()
}

fn true_graph(root: &Path) -> Graph {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("json");
    let packages = metadata["packages"].as_array().expect("packages");
    let uses = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies");
        let own = all
            .iter()
            .filter(|d| d["path"].is_string() && d["kind"].is_null());
        let mut names: Vec<String> = own
            .map(|d| short(d["name"].as_str().expect("a name")))
            .collect();
        names.sort();
        names
    };
    packages
        .iter()
        .map(|p| (short(p["name"].as_str().expect("a name")), uses(p)))
        .collect()
}

fn written_graph(root: &Path) -> Graph {
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the page");
    let quoted = |cell: &str| -> Vec<String> {
        let parts = cell.split('`').skip(1).step_by(2);
        let mut names: Vec<String> = parts.map(str::to_owned).collect();
        names.sort();
        names
    };
    text.lines()
        .filter(|l| l.starts_with("| `"))
        .map(|l| {
            let cells: Vec<&str> = l.split('|').collect();
            (quoted(cells[1]).remove(0), quoted(cells[2]))
        })
        .collect()
}

#[test]
fn the_crate_table_is_the_dependency_graph() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    assert_eq!(written_graph(&root), true_graph(&root));
}

#[test]
fn dependencies_point_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let graph = true_graph(&root);
    let mut placed: Vec<&String> = Vec::new();
    while placed.len() < graph.len() {
        let before = placed.len();
        for (name, uses) in &graph {
            if !placed.contains(&name) && uses.iter().all(|u| placed.contains(&u)) {
                placed.push(name);
            }
        }
        assert!(placed.len() > before, "a circle among {graph:?}");
    }
}
