//! `kill -9` of the service and of its workers while it works: no accepted job is lost or ends twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{Service, ask, text_of, unlike};

/// Jobs handed in between two kills.
const JOBS: usize = 3;

/// Kills a decoding worker, where there is one.
fn kill_worker(service: &Service) -> bool {
    let found = Command::new("pgrep")
        .args(["-P", &service.child.id().to_string()])
        .output();
    let found = found
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default();
    let Some(worker) = found.lines().next() else {
        return false;
    };
    Command::new("kill")
        .args(["-KILL", worker])
        .status()
        .is_ok_and(|s| s.success())
}

/// Kills the service `count` times; prints what became of the jobs.
pub fn run(program: &Path, count: usize) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let mut accepted: BTreeSet<String> = BTreeSet::new();
    let mut tail = 0_u64;
    let (mut unanswered, mut workers) = (0, 0);
    for round in 0..count {
        let mut service = Service::start(program, folder.path(), &[("QUEUE", "100000")]);
        let address = service.address.clone();
        // Some are handed in while the kill falls: those are accepted or not, and never half.
        let sending = std::thread::spawn(move || {
            (0..JOBS)
                .map(|i| {
                    let key = format!("{}", tail + i as u64);
                    let headers = [
                        ("Prefer", "respond-async"),
                        ("Idempotency-Key", key.as_str()),
                    ];
                    ask(
                        &address,
                        "POST",
                        "/v1/scan",
                        &headers,
                        &unlike(tail + i as u64),
                    )
                })
                .collect::<Vec<_>>()
        });
        // Ever later: in the start, in the middle, at the end of jobs.
        std::thread::sleep(Duration::from_millis(13 * (round as u64 % 40)));
        if round % 3 == 2 {
            workers += usize::from(kill_worker(&service));
            std::thread::sleep(Duration::from_millis(50));
        }
        service.kill();
        for answer in sending.join().expect("no panic") {
            match answer {
                Ok((202, body)) => accepted.extend(text_of(&body, "id").map(ToOwned::to_owned)),
                Ok((status, body)) => {
                    println!("a job was answered {status}: {body}");
                    return false;
                }
                Err(_) => unanswered += 1,
            }
        }
        tail += JOBS as u64;
    }
    let service = Service::start(program, folder.path(), &[("QUEUE", "100000")]);
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let mut reports = BTreeSet::new();
    let begun = Instant::now();
    for id in &accepted {
        loop {
            let answer = ask(&service.address, "GET", &format!("/v1/jobs/{id}"), &[], b"");
            let Ok((status, body)) = answer else { continue };
            let state = text_of(&body, "state").unwrap_or("lost").to_owned();
            let goes_on = status == 200 && matches!(state.as_str(), "queued" | "running");
            if goes_on && begun.elapsed() < Duration::from_secs(1200) {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            if state != "succeeded" {
                println!("{body}");
                // What the servers of all rounds said of it.
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                for line in log.lines().filter(|l| l.contains(id.as_str())) {
                    println!("    {line}");
                }
            }
            reports.extend(text_of(&body, "report").map(ToOwned::to_owned));
            *ends.entry(state).or_default() += 1;
            break;
        }
    }
    let done = ends.get("succeeded").copied().unwrap_or(0);
    println!("{count} times kill -9 of the service, {workers} times of a worker:");
    println!(
        "{} jobs accepted, {unanswered} requests without an answer; ends {ends:?}; {} reports\n",
        accepted.len(),
        reports.len()
    );
    done == accepted.len() && reports.len() == accepted.len() && !accepted.is_empty()
}
