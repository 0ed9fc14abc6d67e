//! Crashes, floods, full disks: nothing accepted is lost, and nothing ends twice.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Answer, SAYS, Service, bytes, signal, try_ask};
use crate::postgres;

const ASYNC: (&str, &str) = ("Prefer", "respond-async");

/// A picture like no other: the example with a tail.
pub fn unlike(tail: u32) -> Vec<u8> {
    [bytes("generated.jpg"), tail.to_le_bytes().to_vec()].concat()
}

pub fn accepted(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// Kills the service again and again while it works; every job ends once, with one report.
pub fn survives(folder: &Path, settings: &[(&str, &str)]) {
    let mut ids = Vec::new();
    for round in 0..4_u32 {
        let service = Service::start(folder, settings);
        for i in 0..3 {
            ids.push(accepted(&service.post(
                "/v1/scan",
                &[ASYNC],
                &unlike(round * 10 + i),
            )));
        }
        std::thread::sleep(Duration::from_millis(150 * u64::from(round)));
        service.kill();
    }
    let service = Service::start(folder, settings);
    let mut reports = std::collections::BTreeSet::new();
    for id in &ids {
        let job = service.end_of(id, &[]);
        assert_eq!(
            (job["state"].as_str(), job["verdict"].as_str()),
            (Some("succeeded"), Some(SAYS)),
            "{job}"
        );
        assert!(
            reports.insert(job["report"].to_string()),
            "a report of its own"
        );
    }
    let all = service.get("/v1/jobs?limit=200").json();
    assert_eq!(all["jobs"].as_array().map(Vec::len), Some(ids.len()));
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn jobs_survive_kill_9_in_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    survives(folder.path(), &[]);
}

#[test]
fn jobs_survive_kill_9_in_postgresql() {
    let Some(postgres) = postgres::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    survives(
        folder.path(),
        &[("database", &postgres.url), ("lease_seconds", "1")],
    );
}

#[test]
fn two_servers_share_one_postgresql() {
    let Some(postgres) = postgres::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("database", postgres.url.as_str()), ("lease_seconds", "1")];
    let first = Service::start(folder.path(), &settings);
    let second = Service::start(folder.path(), &settings);
    let ids: Vec<String> = (0..8)
        .map(|i| accepted(&first.post("/v1/scan", &[ASYNC], &unlike(i))))
        .collect();
    // The second sees the first one's jobs, and ends what that one leaves.
    std::thread::sleep(Duration::from_millis(300));
    first.kill();
    for id in &ids {
        assert_eq!(second.end_of(id, &[])["state"], "succeeded");
    }
}

#[test]
fn a_data_folder_has_one_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let output = crate::client::command(folder.path(), &[])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(service.log().contains("is in use by another server"));
}

#[test]
fn a_service_that_is_told_to_end_finishes_what_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[("jobs", "1")]);
    let address = service.address.clone();
    let asking = std::thread::spawn(move || {
        try_ask(
            &address,
            "POST",
            "/v1/scan?name=last&draw=true",
            &[],
            &unlike(1),
        )
    });
    let begun = Instant::now();
    while service.get("/v1/jobs?q=last").json()["jobs"][0]["state"] != "running" {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            service.log()
        );
    }
    let waiting: Vec<String> = (2..6)
        .map(|i| accepted(&service.post("/v1/scan", &[ASYNC], &unlike(i))))
        .collect();
    assert_eq!(service.terminate(), Some(0));
    let answer = asking.join().expect("ends").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(crate::client::log(folder.path()).contains("\"stopped\""));
    // What waited is done at the next start.
    let service = Service::start(folder.path(), &[]);
    for id in &waiting {
        assert_eq!(service.end_of(id, &[])["state"], "succeeded");
    }
}

#[test]
fn too_much_is_refused_and_what_is_accepted_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(
        folder.path(),
        &[("jobs", "1"), ("waiting", "1"), ("queue", "3")],
    );
    let asking: Vec<_> = (0..8)
        .map(|i| {
            let address = service.address.clone();
            std::thread::spawn(move || {
                try_ask(&address, "POST", "/v1/scan", &[], &unlike(i)).expect("an answer")
            })
        })
        .collect();
    let answers: Vec<Answer> = asking
        .into_iter()
        .map(|a| a.join().expect("ends"))
        .collect();
    let count = |status: u16| answers.iter().filter(|a| a.status == status).count();
    assert!(
        count(200) >= 2 && count(429) >= 1 && count(200) + count(429) == 8,
        "{:?}",
        answers.iter().map(|a| a.status).collect::<Vec<_>>()
    );
    for refused in answers.iter().filter(|a| a.status == 429) {
        refused.problem(429, "busy");
        assert!(!refused.header("retry-after").is_empty());
    }
    let many: Vec<Answer> = (100..110)
        .map(|i| service.post("/v1/scan?draw=true", &[ASYNC], &unlike(i)))
        .collect();
    let ids: Vec<String> = many
        .iter()
        .filter(|a| a.status == 202)
        .map(accepted)
        .collect();
    assert!((3..10).contains(&ids.len()), "{}", ids.len());
    for id in ids {
        assert_eq!(service.end_of(&id, &[])["state"], "succeeded");
    }
    let shed = service.get("/metrics").text();
    assert!(
        shed.contains("realscope_shed_total{what=\"queue\"}"),
        "{shed}"
    );
}

#[test]
fn a_decoder_that_is_killed_costs_one_attempt() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[("jobs", "1")]);
    assert_eq!(service.scan("authentic.jpg", &[]).status, 200);
    let kill_workers = |parent: u32| {
        let found = Command::new("pgrep")
            .args(["-P", &parent.to_string()])
            .output()
            .expect("pgrep runs");
        let workers: Vec<u32> = String::from_utf8_lossy(&found.stdout)
            .lines()
            .filter_map(|l| l.parse().ok())
            .collect();
        for worker in &workers {
            signal(*worker, "KILL");
        }
        workers.len()
    };
    assert_eq!(kill_workers(service.id()), 1, "the decoding worker");
    let answer = service.scan("generated.jpg", &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let job = service.end_of(answer.header("realscope-job"), &[]);
    assert_eq!(
        (job["state"].as_str(), job["attempt"].as_u64()),
        (Some("succeeded"), Some(2)),
        "{job}"
    );
    assert!(
        service
            .get("/metrics")
            .text()
            .contains("realscope_jobs_total{what=\"again\"} 1")
    );
}

#[test]
fn nothing_is_kept_where_nothing_shall_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[("no_store", "true")]);
    let answer = service.scan("generated.jpg", &[("Accept", "text/html")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let report = answer.header("realscope-report").to_owned();
    service
        .get(&format!("/v1/reports/{report}/media"))
        .problem(404, "not_found");
    assert_eq!(
        service.get(&format!("/v1/reports/{report}")).json()["verdict"],
        SAYS
    );
    let id = accepted(&service.post("/v1/scan", &[ASYNC], &unlike(1)));
    assert_eq!(service.end_of(&id, &[])["state"], "succeeded");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_store_that_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    // A file system of its own that is soon full; root is stopped by nothing less.
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1500k", "tmpfs"])
        .arg(&data)
        .status();
    if !mounted.is_ok_and(|s| s.success()) {
        eprintln!("SKIPPED: a small file system cannot be mounted here");
        return;
    }
    let service = Service::start(folder.path(), &[]);
    let mut refused = None;
    for i in 0..40 {
        let answer = service.post("/v1/scan", &[ASYNC], &unlike(i));
        if answer.status != 202 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the disk is full at last");
    refused.problem(503, "store");
    assert_eq!(service.get("/healthz").status, 200);
    service.kill();
    let _ = Command::new("mount")
        .args(["-o", "remount,size=64m"])
        .arg(&data)
        .status();
    let service = Service::start(folder.path(), &[]);
    let jobs: Value = service.get("/v1/jobs?limit=200").json();
    for job in jobs["jobs"].as_array().expect("jobs") {
        let end = service.end_of(job["id"].as_str().expect("an id"), &[]);
        assert_eq!(end["state"], "succeeded", "{end}");
    }
    drop(service);
    let _ = Command::new("umount").arg(&data).status();
}

#[test]
fn a_store_that_turns_read_only_is_said_and_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let media = folder.path().join("data/media");
    std::fs::create_dir_all(&media).expect("made");
    // A file system of its own: root may write into any folder.
    let mount = |options: &str| {
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&media);
        command.status().is_ok_and(|s| s.success())
    };
    if !mount("size=64m") {
        eprintln!("SKIPPED: a file system cannot be mounted here");
        return;
    }
    let service = Service::start(folder.path(), &[]);
    let kept = service.post("/v1/scan", &[], &unlike(1));
    assert_eq!(kept.status, 200, "{}", kept.text());
    let report = kept.header("realscope-report").to_owned();
    assert!(mount("remount,ro"), "nothing writes at this moment");
    let begun = Instant::now();
    while service.get("/readyz").status == 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it is not noticed"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    service.get("/readyz").problem(503, "store");
    let refused = service.post("/v1/scan", &[ASYNC], &unlike(2));
    refused.problem(503, "store");
    assert!(!refused.header("retry-after").is_empty());
    // What is there can be read.
    let media_of = |report: &str| service.get(&format!("/v1/reports/{report}/media"));
    assert_eq!(media_of(&report).body, unlike(1));
    assert!(mount("remount,rw"));
    service.ready();
    let again = service.post("/v1/scan", &[], &unlike(2));
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(media_of(again.header("realscope-report")).body, unlike(2));
    assert_eq!(service.terminate(), Some(0));
    let _ = Command::new("umount").arg(&media).status();
}

#[test]
fn a_data_folder_that_is_read_only_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "ro", "tmpfs"])
        .arg(&data)
        .status();
    if !mounted.is_ok_and(|s| s.success()) {
        eprintln!("SKIPPED: a file system cannot be mounted here");
        return;
    }
    let output = crate::client::command(folder.path(), &[])
        .output()
        .expect("runs");
    let _ = Command::new("umount").arg(&data).status();
    assert_eq!(output.status.code(), Some(2));
    let log = crate::client::log(folder.path());
    assert!(log.contains("Read-only file system"), "{log}");
}
