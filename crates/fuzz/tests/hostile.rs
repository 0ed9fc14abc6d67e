//! Damaged files of every format, each decoded in a process that this test watches.
//!
//! A decoder that panics, aborts, loops for half a minute or takes two gigabytes fails the test; the input is
//! kept and its path is said. The same cases run every time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use realscope_fuzz::damage::damaged;
use realscope_fuzz::{TARGETS, Target};
use realscope_media::Format;

/// First argument of the process that decodes.
const WORKER: &str = "decode-damaged";
/// Longest that one input may take: a hundred times what the slowest does on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);
/// Most memory of the process that decodes.
const MEMORY: u64 = 2 << 30;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, first, name, from] = &args[..]
        && first == WORKER
    {
        decode_from(name, from.parse().expect("number of a case"));
        return;
    }
    let mut trials = vec![Trial::test("corpus", corpus_is_complete)];
    for target in TARGETS {
        trials.push(Trial::test(format!("damaged::{}", target.name), || {
            damaged_inputs_end_in_a_picture_or_an_error(target)
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Every target has a fuzzer and good files, and the files decode.
fn corpus_is_complete() -> Result<(), Failed> {
    for target in TARGETS {
        let fuzzer = folder().join(format!("fuzz_targets/{}.rs", target.name));
        assert!(fuzzer.exists(), "{}", fuzzer.display());
        for bytes in corpus(target) {
            let format = Format::sniff(&bytes);
            assert!(format.is_some() && (target.format.is_none() || format == target.format));
            target.decodes_or_errs(&bytes)?;
        }
    }
    for group in ["corpus", "fuzz_targets"] {
        let entries = std::fs::read_dir(folder().join(group))?.count();
        assert_eq!(entries, TARGETS.len(), "{group} beside the targets");
    }
    Ok(())
}

fn damaged_inputs_end_in_a_picture_or_an_error(target: &Target) -> Result<(), Failed> {
    let mut aborts = 0;
    let mut from = 0;
    while from < target.cases {
        let mut said = tempfile::tempfile()?;
        let (last, end) = watch(target, from, &said)?;
        said.rewind()?;
        let mut words = String::new();
        said.take(1 << 20).read_to_string(&mut words)?;
        let fault = match end {
            End::Left(status) if status.success() => break,
            End::Left(status) if target.may_abort && is_abort(status, &words) => {
                aborts += 1;
                from = last + 1;
                continue;
            }
            End::Left(status) => format!("{status}: {words}"),
            End::Stuck => format!("no end after {} s", DEADLINE.as_secs()),
        };
        let kept = keep(target, last)?;
        return Err(format!("case {last} ({}): {fault}", kept.display()).into());
    }
    if target.may_abort {
        println!("{}: {aborts} of {} cases abort", target.name, target.cases);
        // Were it most of them, little would be tested.
        assert!(aborts * 2 < target.cases, "{aborts} aborts");
    }
    Ok(())
}

enum End {
    Left(ExitStatus),
    Stuck,
}

/// Runs the cases from `from` on; the last that began, and how it ended.
fn watch(target: &Target, from: u64, said: &File) -> Result<(u64, End), Failed> {
    let mut child = Killed(
        Command::new(std::env::current_exe()?)
            .args([WORKER, target.name, &from.to_string()])
            // Panics that the decoder catches are many, and their stacks are slow to print.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said.try_clone()?)
            .spawn()?,
    );
    let begun = BufReader::new(child.0.stdout.take().ok_or("no pipe")?);
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in begun.lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    let mut last = from;
    loop {
        match receive.recv_timeout(DEADLINE) {
            Ok(line) => last = line.parse()?,
            Err(RecvTimeoutError::Timeout) => return Ok((last, End::Stuck)),
            Err(RecvTimeoutError::Disconnected) => return Ok((last, End::Left(child.0.wait()?))),
        }
    }
}

/// A child that does not outlive its watcher.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a process was ended by a signal, other than for want of memory.
#[cfg(unix)]
fn is_abort(status: ExitStatus, words: &str) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal().is_some() && !words.contains("memory allocation of")
}

#[cfg(not(unix))]
fn is_abort(status: ExitStatus, words: &str) -> bool {
    status.code() != Some(101) && !words.contains("memory allocation of")
}

fn keep(target: &Target, case: u64) -> Result<PathBuf, Failed> {
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("damaged-{}-{case}", target.name));
    std::fs::write(&path, damaged(&corpus(target), case))?;
    Ok(path)
}

fn decode_from(name: &str, from: u64) {
    limit_memory();
    let target = Target::named(name).expect("a target");
    let corpus = corpus(target);
    let mut out = std::io::stdout().lock();
    for case in from..target.cases {
        let bytes = damaged(&corpus, case);
        writeln!(out, "{case}").expect("the watcher reads");
        let _ = target.decodes_or_errs(&bytes);
    }
}

#[cfg(unix)]
fn limit_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let at_most = |bytes| Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    let _ = setrlimit(Resource::As, at_most(MEMORY));
    let _ = setrlimit(Resource::Core, at_most(0));
}

#[cfg(not(unix))]
fn limit_memory() {}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The committed files of a target in the order of their names; what a fuzzer found has no extension.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder().join("corpus").join(target.name))
        .expect("a corpus")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}", target.name);
    let read = |path: &PathBuf| std::fs::read(path).expect("a file of the corpus");
    paths.iter().map(read).collect()
}
