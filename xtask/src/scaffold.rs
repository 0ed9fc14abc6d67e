//! A detector that compiles, from a name and a kind.

use std::path::{Path, PathBuf};

/// What a detector sees and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Sees pictures, answers whether they are generated.
    Image,
    /// Sees faces, answers whether they are manipulated.
    Face,
    /// Sees clips, answers whether they are generated.
    Video,
    /// Sees pictures, answers where they are manipulated.
    Mask,
    /// Sees pictures, answers who made them.
    Attribution,
}

impl Kind {
    /// Value of the card's `task`.
    fn task(self) -> &'static str {
        match self {
            Self::Image => "generated_picture",
            Self::Face => "manipulated_face",
            Self::Video => "generated_clip",
            Self::Mask => "localisation",
            Self::Attribution => "attribution",
        }
    }

    /// Lines of the card's `[input.view]`.
    fn view(self) -> &'static str {
        match self {
            Self::Image | Self::Attribution => "kind = \"shorter_side\"",
            Self::Face => "kind = \"face\"\nmargin = 1.3\naligned = true",
            Self::Video => {
                "kind = \"clip\"\nframes = 8\npace = { per_second = 2.0 }\nlayout = \"frame_first\"\ntoo_few = \"refuse\""
            }
            Self::Mask => "kind = \"squash\"",
        }
    }

    /// Lines of the card's first `[[heads]]`.
    fn head(self) -> &'static str {
        match self {
            Self::Image | Self::Face | Self::Video => "kind = \"binary\"\npolarity = \"generated\"",
            Self::Mask => "kind = \"mask\"\nstride = 16",
            Self::Attribution => {
                "kind = \"classes\"\nnames = [\"authentic\", \"TODO first generator\", \"TODO second generator\"]"
            }
        }
    }
}

/// Words of Rust, which are no names of modules.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Writes `crates/detectors/src/NAME/{mod.rs, card.toml}` and a line each of `lib.rs` and `catalog.rs`; returns the
/// four files.
pub fn detector(root: &Path, name: &str, kind: Kind) -> Result<Vec<PathBuf>, String> {
    let module = name.replace('-', "_");
    let letters = name
        .bytes()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
    let ends = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-');
    if !letters || !ends || name.contains("--") || name.len() > 64 {
        return Err(format!(
            "`{name}`: a detector's id has at most 64 lower-case letters, digits and single `-` between them"
        ));
    }
    if KEYWORDS.contains(&name) {
        return Err(format!("`{name}` is a word of Rust"));
    }
    let source = root.join("crates/detectors/src");
    let folder = source.join(&module);
    let (lib, catalog) = (source.join("lib.rs"), source.join("catalog.rs"));
    let (lib_text, catalog_text) = (read(&lib)?, read(&catalog)?);
    let declared = lib_text
        .lines()
        .any(|l| l.trim_start_matches("pub ") == format!("mod {module};"));
    if folder.exists() || declared {
        return Err(format!("{} exists", folder.display()));
    }
    if catalog_text.contains(&format!("(\"{name}\", ")) {
        return Err(format!("`{name}` is an alias of another detector"));
    }
    let lib_text = with_module(&lib_text, &module)
        .ok_or_else(|| format!("{}: no list of modules", lib.display()))?;
    let catalog_text = with_entry(&catalog_text, &module)
        .ok_or_else(|| format!("{}: no `CATALOG`", catalog.display()))?;
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let files = [
        (folder.join("mod.rs"), code(name)),
        (folder.join("card.toml"), card(name, kind)),
        (lib, lib_text),
        (catalog, catalog_text),
    ];
    for (path, text) in &files {
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(files.map(|(path, _)| path).to_vec())
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// `text` with a public module among the others, in alphabetical order; `None` where there are none.
fn with_module(text: &str, module: &str) -> Option<String> {
    let line = format!("pub mod {module};");
    let lines: Vec<&str> = text.lines().collect();
    let is_module = |l: &&str| l.starts_with("pub mod ") && l.ends_with(';');
    let last = lines.iter().rposition(is_module)?;
    let mut at = lines
        .iter()
        .position(|l| is_module(l) && **l > *line)
        .unwrap_or(last + 1);
    // Attributes stay with their module.
    while at > 0 && lines[at - 1].starts_with("#[") {
        at -= 1;
    }
    let mut fresh = lines[..at].to_vec();
    fresh.push(&line);
    fresh.extend(&lines[at..]);
    Some(fresh.join("\n") + "\n")
}

/// `text` with an entry at the end of the catalog; `None` where there is none.
fn with_entry(text: &str, module: &str) -> Option<String> {
    let start = text.find("pub static CATALOG")?;
    let end = start + text[start..].find("\n];")? + 1;
    Some(format!(
        "{}    &crate::{module}::ENTRY,\n{}",
        &text[..end],
        &text[end..]
    ))
}

fn code(name: &str) -> String {
    format!(
        r#"//! `{name}`: TODO one sentence on the idea (authors, venue, arXiv number).
//!
//! TODO preprocessing as published; where it differs from the paper, say so here.

use std::path::Path;

use crate::DetectorError;
use crate::card::Card;
use crate::entry::{{self, Entry, Weights}};

/// Stable id.
pub const ID: &str = "{name}";

/// The catalog's entry.
pub static ENTRY: Entry = Entry {{
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Import {{
        hint: "realscope models import {name} MODEL.onnx",
        convert: Some(convert),
    }}],
    load: entry::network,
}};

/// The user brings the ONNX network. TODO published weights of another form: `convert.rs`, see `cnndetection`.
fn convert(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {{
    entry::onnx((ENTRY.card)()?, file)
}}
"#
    )
}

fn card(name: &str, kind: Kind) -> String {
    format!(
        r#"id = "{name}"
summary = "TODO one line for people"
status = "preview"
since = "{version}"
task = "{task}"
engines = ["rten", "ort"]
licence = "TODO licence of the weights"
training_data = "TODO what it was trained on"
citation = "TODO authors, venue, arXiv number"
known_failures = ["TODO cases in which it is known to fail"]

[input]
size = 224
filter = "bilinear"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]

[input.view]
{view}

[[heads]]
{head}
"#,
        version = env!("CARGO_PKG_VERSION"),
        task = kind.task(),
        view = kind.view(),
        head = kind.head(),
    )
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use realscope_detectors::Card;

    use super::*;

    /// A root with the files of the crate that are changed.
    fn copy() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("folder");
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/detectors/src");
        let source = root.path().join("crates/detectors/src");
        std::fs::create_dir_all(&source).expect("folder");
        for file in ["lib.rs", "catalog.rs"] {
            std::fs::copy(here.join(file), source.join(file)).expect("copied");
        }
        std::fs::create_dir(source.join("npr")).expect("folder");
        root
    }

    #[test]
    fn every_kind_is_a_folder_and_two_lines() {
        let root = copy();
        let source = root.path().join("crates/detectors/src");
        let text = |file: &str| read(&source.join(file)).expect("text");
        let before = (text("lib.rs"), text("catalog.rs"));
        for kind in Kind::value_variants() {
            let value = kind.to_possible_value().expect("a value");
            let name = format!("new-{}", value.get_name());
            let files = detector(root.path(), &name, *kind).expect("scaffolds");
            assert_eq!(files.len(), 4);
            let folder = name.replace('-', "_");
            let card = Card::parse(&name, &text(&format!("{folder}/card.toml"))).expect("a card");
            assert_eq!(card.since, env!("CARGO_PKG_VERSION"));
            let code = text(&format!("{folder}/mod.rs"));
            assert!(code.contains(&format!("pub const ID: &str = \"{name}\";")));
            assert!(text("lib.rs").contains(&format!("\npub mod {folder};\n")));
            assert!(text("catalog.rs").contains(&format!("\n    &crate::{folder}::ENTRY,\n")));
            // A second time it exists.
            assert!(detector(root.path(), &name, *kind).is_err());
        }
        let added = |before: &str, after: &str| {
            let kept: Vec<&str> = after.lines().filter(|l| !l.contains("new_")).collect();
            assert_eq!(kept.join("\n") + "\n", before);
            after.lines().count() - before.lines().count()
        };
        assert_eq!(added(&before.0, &text("lib.rs")), 5);
        assert_eq!(added(&before.1, &text("catalog.rs")), 5);
        let modules: Vec<String> = text("lib.rs")
            .lines()
            .filter(|l| l.starts_with("pub mod "))
            .map(str::to_owned)
            .collect();
        assert!(modules.is_sorted(), "{modules:?}");
    }

    #[test]
    fn what_is_no_name_or_is_taken_is_refused() {
        let root = copy();
        for name in [
            "", "9x", "-x", "x-", "x--y", "Upper", "a_b", "../x", "type", "npr", "card", "catalog",
            "default",
        ] {
            let e = detector(root.path(), name, Kind::Image).expect_err(name);
            assert!(!e.is_empty());
        }
        assert!(detector(&root.path().join("none"), "x", Kind::Image).is_err());
    }

    #[test]
    fn attributes_stay_with_their_module() {
        let text = "pub mod a;\n#[cfg(x)]\npub mod c;\npub mod e;\n\nuse a;\n";
        let expected = "pub mod a;\npub mod b;\n#[cfg(x)]\npub mod c;\npub mod e;\n\nuse a;\n";
        assert_eq!(with_module(text, "b").as_deref(), Some(expected));
        let expected = "pub mod a;\n#[cfg(x)]\npub mod c;\npub mod e;\npub mod f;\n\nuse a;\n";
        assert_eq!(with_module(text, "f").as_deref(), Some(expected));
        assert_eq!(with_module("use a;\n", "f"), None);
    }
}
