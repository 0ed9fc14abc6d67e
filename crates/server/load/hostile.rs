//! Damaged files of every format: each is answered, none crashes, hangs or leaks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use realscope_fuzz::TARGETS;
use realscope_fuzz::damage::damaged;

use crate::client::{Service, ask, memory};

/// Longest that one file may take.
const LONGEST: Duration = Duration::from_secs(60);

/// The fuzzers' corpora.
fn corpora() -> Vec<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    TARGETS
        .iter()
        .map(|target| {
            let entries = std::fs::read_dir(folder.join(target.name)).expect("a corpus");
            let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
            paths.sort();
            paths
                .iter()
                .map(|p| std::fs::read(p).expect("a file"))
                .collect()
        })
        .filter(|c: &Vec<Vec<u8>>| !c.is_empty())
        .collect()
}

/// Sends `count` files; prints how each was answered.
pub fn run(program: &Path, count: usize) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(
        program,
        folder.path(),
        &[("DEADLINE", "20"), ("VIDEO_DEADLINE", "30")],
    );
    let corpora = corpora();
    let next = AtomicUsize::new(0);
    let answers: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let longest = Mutex::new(Duration::ZERO);
    let middle = Mutex::new(0_u64);
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                loop {
                    let case = next.fetch_add(1, Ordering::Relaxed);
                    if case >= count {
                        return;
                    }
                    if case == count / 2 {
                        *middle.lock().expect("no panic") = memory(service.child.id());
                    }
                    let corpus = &corpora[case % corpora.len()];
                    let file = damaged(corpus, (case / corpora.len()) as u64);
                    let begun = Instant::now();
                    let kind = loop {
                        match ask(&service.address, "POST", "/v1/scan", &[], &file) {
                            // Jobs of videos fill the queue: that is said, and asked again.
                            Ok((429, _)) => std::thread::sleep(Duration::from_millis(50)),
                            Ok((status, _)) => break status.to_string(),
                            Err(e) => break format!("no answer: {e}"),
                        }
                    };
                    let mut longest = longest.lock().expect("no panic");
                    *longest = (*longest).max(begun.elapsed());
                    *answers.lock().expect("no panic").entry(kind).or_default() += 1;
                }
            });
        }
    });
    // What was accepted ends.
    let begun = Instant::now();
    let open = |state: &str| -> bool {
        let path = format!("/v1/jobs?limit=1&state={state}");
        !ask(&service.address, "GET", &path, &[], b"")
            .is_ok_and(|(_, body)| body.contains("\"jobs\":[]"))
    };
    while open("queued") || open("running") {
        if begun.elapsed() > Duration::from_secs(600) {
            println!("jobs do not end");
            return false;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let alive = matches!(
        ask(&service.address, "GET", "/readyz", &[], b""),
        Ok((200, _))
    );
    let answers = answers.into_inner().expect("no panic");
    let longest = longest.into_inner().expect("no panic");
    println!(
        "{count} damaged files of {} formats: {answers:?}",
        corpora.len()
    );
    println!(
        "longest answer {:.1} s; memory {} MiB half way, {} MiB at the end; the service {}\n",
        longest.as_secs_f64(),
        middle.into_inner().expect("no panic") / 1024,
        memory(service.child.id()) / 1024,
        if alive { "takes work" } else { "IS GONE" }
    );
    let faults = answers
        .keys()
        .any(|k| k.starts_with('5') || k.starts_with("no answer"));
    alive && !faults && longest < LONGEST
}
