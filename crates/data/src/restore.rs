//! A data set rebuilt from a list of facts: which file of which public repository each picture is.
//!
//! A list is tab-separated and is a manifest too: beside the manifest's columns it has `repository` (`OWNER/NAME`),
//! `file` (its path there), `sha1` (lower-case hex of the content) and may have `commit` and `bytes`. Pictures are not
//! in it. Clones are ordinary git clones or bare ones; the installed `git` reads them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use sha1::{Digest as _, Sha1};

/// Why nothing could be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A file or folder cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// It.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A list has a fault.
    #[error("{path}: {reason}")]
    List {
        /// The list.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// `git` cannot be run.
    #[error("git cannot be run: {0}")]
    Git(std::io::Error),
}

fn file(path: &Path) -> impl Fn(std::io::Error) -> RestoreError + '_ {
    |e| RestoreError::File {
        path: path.to_owned(),
        reason: e.to_string(),
    }
}

/// A row of a list.
struct Row {
    cells: Vec<String>,
    path: String,
    sha1: String,
    repository: String,
    commit: String,
    file: String,
    bytes: Option<u64>,
}

/// What was restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files that are there, with the hash that the list gives.
    pub there: usize,
    /// Paths that are not, and why.
    pub lost: Vec<(String, String)>,
}

/// Restores the files of `lists` below `out` from the git clones below `clones`, at `OWNER/NAME` or `OWNER+NAME`, and
/// writes `manifest.tsv` of what is there and `lost.tsv` of what is not. A file that several lists name is one. A file that is there already is kept when its
/// content has the hash of the list.
///
/// # Errors
/// [`RestoreError`]; a file that cannot be had is no error but [`Restored::lost`].
pub fn restore(
    lists: &[PathBuf],
    clones: &Path,
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Restored, RestoreError> {
    let mut header: Vec<String> = Vec::new();
    let mut repositories: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut named: HashMap<String, String> = HashMap::new();
    for list in lists {
        for row in read(list, &mut header)? {
            // Lists may share files.
            match named.insert(row.path.clone(), row.sha1.clone()) {
                Some(sha1) if sha1 == row.sha1 => continue,
                Some(_) => {
                    return Err(RestoreError::List {
                        path: list.clone(),
                        reason: format!("another file is listed at {}", row.path),
                    });
                }
                None => {}
            }
            repositories
                .entry(row.repository.clone())
                .or_default()
                .push(row);
        }
    }
    std::fs::create_dir_all(out).map_err(file(out))?;
    let mut found = Vec::new();
    let mut restored = Restored::default();
    for (name, rows) in repositories {
        let todo = rows.len();
        let mut had = 0;
        let mut clone = None;
        for row in rows {
            let target = out.join(&row.path);
            let same = |bytes: &[u8]| hex(&Sha1::digest(bytes)) == row.sha1;
            let kept = std::fs::read(&target).is_ok_and(|bytes| same(&bytes));
            if !kept {
                let clone = match &mut clone {
                    Some(clone) => clone,
                    empty => empty.insert(Clone::open(clones, &name)?),
                };
                match clone.content(&row, &same) {
                    Ok(bytes) => write(&target, &bytes)?,
                    Err(reason) => {
                        restored.lost.push((row.path, reason));
                        continue;
                    }
                }
            }
            had += 1;
            found.push(row);
        }
        log(&format!("{name}: {had} of {todo}"));
    }
    restored.there = found.len();
    restored.lost.sort();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let rows = found.iter().map(|r| r.cells.as_slice());
    table(&out.join("manifest.tsv"), &header, rows)?;
    let lost: Vec<[String; 2]> = restored
        .lost
        .iter()
        .map(|(path, reason)| [path.clone(), reason.clone()])
        .collect();
    let columns = ["path", "reason"].map(str::to_owned);
    table(&out.join("lost.tsv"), &columns, lost.iter().map(|r| &r[..]))?;
    Ok(restored)
}

/// The rows of a list; all lists have one header.
fn read(list: &Path, header: &mut Vec<String>) -> Result<Vec<Row>, RestoreError> {
    let fault = |reason: String| RestoreError::List {
        path: list.to_owned(),
        reason,
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .from_path(list)
        .map_err(|e| fault(e.to_string()))?;
    let own: Vec<String> = {
        let first = reader.headers().map_err(|e| fault(e.to_string()))?;
        first.iter().map(str::to_owned).collect()
    };
    if header.is_empty() {
        header.clone_from(&own);
    } else if *header != own {
        return Err(fault("its columns are not those of the list before".into()));
    }
    let column = |name: &str| own.iter().position(|h| h == name);
    for needed in ["path", "label", "group", "sha1", "repository", "file"] {
        if column(needed).is_none() {
            return Err(fault(format!("no column `{needed}`")));
        }
    }
    let mut rows = Vec::new();
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(|e| fault(e.to_string()))?;
        let cell = |name: &str| {
            column(name)
                .and_then(|c| record.get(c))
                .unwrap_or("")
                .to_owned()
        };
        let row = Row {
            path: cell("path"),
            sha1: cell("sha1"),
            repository: cell("repository"),
            commit: cell("commit"),
            file: cell("file"),
            bytes: cell("bytes").parse().ok(),
            cells: record.iter().map(str::to_owned).collect(),
        };
        let within = |path: &str| {
            !path.is_empty()
                && Path::new(path)
                    .components()
                    .all(|c| matches!(c, Component::Normal(_)))
        };
        let is_name = row.repository.split('/').count() == 2 && within(&row.repository);
        // A commit becomes an argument of `git`.
        let is_commit = row.commit.bytes().all(|b| b.is_ascii_hexdigit());
        if !within(&row.path) || !is_name || !is_commit {
            return Err(fault(format!(
                "row {}: path, repository or commit is not of its form",
                number + 1
            )));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// A git clone, if there is one.
struct Clone {
    folder: Option<PathBuf>,
    /// Ids of files by size, once they were asked for.
    by_size: Option<HashMap<u64, Vec<String>>>,
}

impl Clone {
    fn open(clones: &Path, name: &str) -> Result<Self, RestoreError> {
        Command::new("git")
            .arg("--version")
            .output()
            .map_err(RestoreError::Git)?;
        let places = [clones.join(name), clones.join(name.replacen('/', "+", 1))];
        Ok(Self {
            folder: places.iter().find_map(|p| git_folder(p, 2)),
            by_size: None,
        })
    }

    /// The content of a row's file, or why it cannot be had.
    fn content(&mut self, row: &Row, same: &dyn Fn(&[u8]) -> bool) -> Result<Vec<u8>, String> {
        let folder = self.folder.clone().ok_or("no clone of its repository")?;
        let commit = match row.commit.as_str() {
            "" => "HEAD",
            commit => commit,
        };
        let named = git(
            &folder,
            &["cat-file", "blob", &format!("{commit}:{}", row.file)],
        );
        if let Some(bytes) = named.filter(|b| same(b)) {
            return Ok(bytes);
        }
        // It may have been moved or changed since: any content of its size.
        let by_size = self.by_size.get_or_insert_with(|| sizes(&folder));
        let ids = row.bytes.and_then(|n| by_size.get(&n));
        ids.into_iter()
            .flatten()
            .find_map(|id| git(&folder, &["cat-file", "blob", id]).filter(|b| same(b)))
            .ok_or_else(|| "no file with its hash in the clone".into())
    }
}

/// The git folder of a clone, at most `depth` folders down.
fn git_folder(folder: &Path, depth: usize) -> Option<PathBuf> {
    for place in [folder.to_owned(), folder.join(".git")] {
        if place.join("HEAD").is_file() && place.join("objects").is_dir() {
            return Some(place);
        }
    }
    let next = depth.checked_sub(1)?;
    let mut inner: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|e| Some(e.ok()?.path()).filter(|p| p.is_dir()))
        .collect();
    inner.sort();
    inner.iter().find_map(|p| git_folder(p, next))
}

/// What `git` prints.
fn git(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}

fn sizes(folder: &Path) -> HashMap<u64, Vec<String>> {
    let listed = git(
        folder,
        &["cat-file", "--batch-all-objects", "--batch-check"],
    );
    let mut out: HashMap<u64, Vec<String>> = HashMap::new();
    for line in String::from_utf8_lossy(&listed.unwrap_or_default()).lines() {
        let mut parts = line.split(' ');
        if let (Some(id), Some("blob"), Some(Ok(size))) =
            (parts.next(), parts.next(), parts.next().map(str::parse))
        {
            out.entry(size).or_default().push(id.to_owned());
        }
    }
    out
}

fn write(target: &Path, bytes: &[u8]) -> Result<(), RestoreError> {
    let fault = file(target);
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder).map_err(&fault)?;
    }
    // A run that is stopped here leaves no half file under the name that the next one keeps.
    let mut part = target.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, bytes).map_err(&fault)?;
    std::fs::rename(&part, target).map_err(&fault)
}

fn table<'a>(
    path: &Path,
    header: &[String],
    rows: impl Iterator<Item = &'a [String]>,
) -> Result<(), RestoreError> {
    let fault = |e: csv::Error| RestoreError::File {
        path: path.to_owned(),
        reason: e.to_string(),
    };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b'\t')
        .from_path(path)
        .map_err(fault)?;
    writer.write_record(header).map_err(fault)?;
    for row in rows {
        writer.write_record(row).map_err(fault)?;
    }
    writer.flush().map_err(file(path))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    fn run(folder: &Path, arguments: &[&str]) {
        let status = Command::new("git")
            .current_dir(folder)
            .args(["-c", "user.name=a", "-c", "user.email=a@localhost"])
            .args(arguments)
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("git runs").success(), "git {arguments:?}");
    }

    #[test]
    fn files_come_from_clones_and_are_checked() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let root = folder.path();
        let repository = root.join("clones/owner/name");
        std::fs::create_dir_all(&repository).expect("a folder");
        run(&repository, &["init", "-q"]);
        for (name, content) in [("a.jpg", "first"), ("b.jpg", "second")] {
            std::fs::write(repository.join(name), content).expect("writes");
        }
        run(&repository, &["add", "."]);
        run(&repository, &["commit", "-q", "-m", "one"]);
        // The second one is gone from the newest commit.
        std::fs::remove_file(repository.join("b.jpg")).expect("removes");
        run(&repository, &["commit", "-q", "-a", "-m", "two"]);
        let sha1 = |content: &str| hex(&Sha1::digest(content));
        let row = |path: &str, label: &str, content: &str, file: &str| {
            let n = content.len();
            format!(
                "{path}\t{label}\ttrain\tg\towner/name\t\t{file}\t{}\t{n}\n",
                sha1(content)
            )
        };
        let head = "path\tlabel\tsplit\tgroup\trepository\tcommit\tfile\tsha1\tbytes\n";
        let list = root.join("list.tsv");
        let rows = [
            row("real/1.jpg", "real", "first", "a.jpg"),
            row("fake/2.jpg", "generated", "second", "b.jpg"),
            row("real/3.jpg", "real", "other", "a.jpg"),
            row("real/4.jpg", "real", "first", "a.jpg").replace("owner/name", "owner/none"),
        ];
        std::fs::write(&list, format!("{head}{}", rows.concat())).expect("writes");
        let out = root.join("out");
        let again = || {
            restore(
                std::slice::from_ref(&list),
                &root.join("clones"),
                &out,
                &mut |_| (),
            )
        };
        let first = again().expect("restores");
        assert_eq!(first.there, 2);
        let lost: Vec<&str> = first.lost.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(lost, ["real/3.jpg", "real/4.jpg"]);
        let second = std::fs::read(out.join("fake/2.jpg")).expect("is there");
        assert_eq!(second, b"second");
        let manifest = Manifest::read(&out.join("manifest.tsv")).expect("reads");
        assert_eq!(manifest.counts(), [1, 1]);
        // A changed file is brought back, without the others being read again.
        std::fs::write(out.join("real/1.jpg"), "changed").expect("writes");
        assert_eq!(again().expect("restores"), first);
        assert_eq!(
            std::fs::read(out.join("real/1.jpg")).expect("is there"),
            b"first"
        );
        // A second list may name the same file, and no other one in its place.
        let both = |row: String| {
            let second = root.join("second.tsv");
            std::fs::write(&second, format!("{head}{row}")).expect("writes");
            let lists = [list.clone(), second];
            restore(&lists, &root.join("clones"), &out, &mut |_| ())
        };
        assert_eq!(both(rows[0].clone()).expect("restores").there, 2);
        let other = row("real/1.jpg", "real", "second", "b.jpg");
        assert!(matches!(both(other), Err(RestoreError::List { .. })));

        for (from, to) in [
            ("real/1.jpg", "../1.jpg"),
            ("owner/name\t", "../..\t"),
            ("\t\ta.jpg", "\t--help\ta.jpg"),
        ] {
            let text = format!("{head}{}", rows[0]).replacen(from, to, 1);
            std::fs::write(&list, &text).expect("writes");
            let clones = root.join("clones");
            let e = restore(std::slice::from_ref(&list), &clones, &out, &mut |_| ()).expect_err(to);
            assert!(matches!(e, RestoreError::List { .. }), "{e}");
        }
    }
}
