//! Where media are kept: the same on a disk and in a bucket, and what is said where the store fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bucket::{Bucket, Mode, SECRET, files};
use crate::client::{Answer, SAYS, Service, bytes};
use crate::faults::{accepted, survives, unlike};

const ASYNC: (&str, &str) = ("Prefer", "respond-async");

/// A picture with so long a tail that it goes to a bucket in three parts.
fn large() -> Vec<u8> {
    let tail = (0..20_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
    bytes("generated.jpg").into_iter().chain(tail).collect()
}

/// A second of a video; nothing where no ffmpeg is installed.
fn clip(folder: &Path) -> Option<Vec<u8>> {
    let path = folder.join("clip.mp4");
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=192x192:rate=4:duration=1",
        ])
        .arg(&path)
        .status();
    if !made.is_ok_and(|s| s.success()) {
        eprintln!("SKIPPED for videos: ffmpeg cannot be run");
        return None;
    }
    std::fs::read(path).ok()
}

fn media_of(service: &Service, report: &str) -> Answer {
    service.get(&format!("/v1/reports/{report}/media"))
}

/// Pictures, files and videos come back as they were, through a restart; what is forgotten is gone.
fn keeps(folder: &Path, settings: &[(&str, &str)], kept: impl Fn(&str) -> Vec<PathBuf>) {
    let service = Service::start(folder, settings);
    let drawn = service.post("/v1/scan?draw=true", &[], &bytes("generated.jpg"));
    assert_eq!(drawn.status, 200, "{}", drawn.text());
    let (report, job) = (
        drawn.header("realscope-report").to_owned(),
        drawn.header("realscope-job").to_owned(),
    );
    let large = large();
    let id = accepted(&service.post("/v1/scan", &[ASYNC], &large));
    let end = service.end_of(&id, &[]);
    assert_eq!(end["verdict"], SAYS, "{end}");
    let other = end["report"].as_str().expect("a report").to_owned();
    if let Some(clip) = clip(folder) {
        let id = accepted(&service.post("/v1/scan?name=clip.mp4", &[], &clip));
        let end = service.end_of(&id, &[]);
        assert_eq!(
            (&end["state"], &end["kind"]),
            (&"succeeded".into(), &"video".into()),
            "{end}"
        );
        let report = end["report"].as_str().expect("a report");
        assert_eq!(media_of(&service, report).body, clip);
    }
    // The same bytes are stored once.
    let before = kept("media").len();
    let again = service.post("/v1/scan?name=again", &[], &bytes("generated.jpg"));
    assert_eq!((again.status, kept("media").len()), (200, before));
    assert_eq!(service.terminate(), Some(0));

    let service = Service::start(folder, settings);
    assert_eq!(media_of(&service, &report).body, bytes("generated.jpg"));
    assert!(
        media_of(&service, &other).body == large,
        "what came in parts is whole"
    );
    let picture = service.get(&format!("/v1/reports/{report}/pictures/map.png"));
    assert!(picture.body.starts_with(b"\x89PNG"));
    assert!(!kept(&format!("reports/{report}")).is_empty());
    // Forgotten with its pictures; the file goes with the last job that has it.
    let removed = service.ask("DELETE", &format!("/v1/jobs/{job}"), &[], b"");
    assert_eq!(removed.status, 204, "{}", removed.text());
    assert!(kept(&format!("reports/{report}")).is_empty());
    media_of(&service, &report).problem(404, "not_found");
    assert!(
        kept("probe").is_empty(),
        "a test of the store leaves nothing"
    );
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn a_disk_keeps_what_it_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let media = folder.path().join("data/media");
    keeps(folder.path(), &[], |below| files(&media.join(below)));
}

#[test]
fn a_bucket_keeps_what_it_is_given() {
    let bucket = Bucket::start();
    let folder = tempfile::tempdir().expect("a folder");
    keeps(folder.path(), &bucket.settings(), |below| {
        bucket.objects(below)
    });
    assert!(!folder.path().join("data/media").exists());
    assert!(files(&folder.path().join("data/incoming")).is_empty());
}

#[test]
fn jobs_survive_kill_9_with_a_bucket() {
    let bucket = Bucket::start();
    let folder = tempfile::tempdir().expect("a folder");
    survives(folder.path(), &bucket.settings());
}

/// Whether the service says what is wrong: readiness, an upload, and no secret anywhere.
fn says(service: &Service, words: &str) {
    let ready = service.get("/readyz").problem(503, "store");
    let told = ready["detail"].as_str().unwrap_or_default();
    assert!(told.contains(words), "{told}");
    let refused = service.post("/v1/scan", &[], &unlike(77));
    let told = refused.problem(503, "store");
    assert!(
        told["detail"].as_str().unwrap_or_default().contains(words),
        "{told}"
    );
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(service.get("/healthz").status, 200);
    assert!(!service.log().contains(SECRET));
}

#[test]
fn a_bucket_that_fails_is_said_and_nothing_is_lost() {
    let bucket = Bucket::start();
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &bucket.settings());
    let drawn = service.post("/v1/scan?draw=true", &[], &bytes("generated.jpg"));
    let report = drawn.header("realscope-report").to_owned();
    let soon = || std::thread::sleep(std::time::Duration::from_secs(11));

    // The server goes away in the middle of an upload: nothing of it is there.
    let before = bucket.objects("media");
    bucket.set(Mode::GoesAway);
    service
        .post("/v1/scan", &[], &large())
        .problem(503, "store");
    bucket.set(Mode::Well);
    assert_eq!(bucket.objects("media"), before);
    let whole = service.post("/v1/scan", &[], &large());
    assert_eq!(whole.status, 200, "{}", whole.text());
    assert!(media_of(&service, whole.header("realscope-report")).body == large());

    // What was accepted waits until the store is back.
    let jobs: Vec<String> = (0..3)
        .map(|i| accepted(&service.post("/v1/scan", &[ASYNC], &unlike(i))))
        .collect();
    for (mode, words) in [
        (Mode::Away, "does not answer"),
        (Mode::ReadOnly, "refuses"),
        (Mode::NoBucket, "the bucket does not exist"),
    ] {
        bucket.set(mode);
        soon();
        says(&service, words);
        if mode != Mode::ReadOnly {
            media_of(&service, &report).problem(503, "store");
        }
    }
    bucket.set(Mode::Well);
    service.ready();
    for id in jobs {
        let end = service.end_of(&id, &[]);
        assert_eq!(end["state"], "succeeded", "{end}");
    }
    assert_eq!(media_of(&service, &report).body, bytes("generated.jpg"));
}

#[test]
fn keys_that_a_bucket_refuses_are_told_at_the_start() {
    let bucket = Bucket::start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = bucket.settings();
    settings.retain(|(name, _)| *name != "s3_secret_key");
    settings.push(("s3_secret_key", "another-hunter2"));
    let service = Service::begin(folder.path(), &settings);
    let begun = std::time::Instant::now();
    while service.get("/readyz").json()["code"] == "starting" {
        assert!(begun.elapsed().as_secs() < 60, "{}", service.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    says(&service, "refuses");
    assert!(!service.log().contains("another-hunter2"));
    assert!(bucket.objects("media").is_empty());
}
