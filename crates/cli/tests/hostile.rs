//! Damaged files of every container, decoded by the program's own worker: each ends in a picture, in the frames of a
//! video or in a typed error, within the deadline, and costs no other file.
//!
//! `REALSCOPE_DAMAGED` is the number of damaged copies for each container, 50 without it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use realscope::lane::{DecodeError, Lane, Seen, VideoSource};
use realscope::{Cancel, Launch};
use realscope_fuzz::damage::damaged;
use realscope_fuzz::{TARGETS, Target};
use realscope_media::video::VideoLimits;
use realscope_media::{Limits, MediaError, Options};

/// Longest that one file may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);
/// Shortened copies of each good file.
const PREFIXES: usize = 25;

/// Good files of a target whose names end in `extension`, or all of them.
fn corpus_of(target: &Target, extension: Option<&str>) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut paths: Vec<_> = std::fs::read_dir(folder.join(target.name))
        .expect("a corpus")
        .flatten()
        .map(|e| e.path())
        .filter(|p| {
            p.extension()
                .is_some_and(|e| extension.is_none_or(|x| e == x))
        })
        .collect();
    paths.sort();
    let read = |p: &std::path::PathBuf| std::fs::read(p).expect("a file of the corpus");
    paths.iter().map(read).collect()
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    corpus_of(target, None)
}

/// Decodes a file, or the first picture within it, and says in a word how that ended.
fn outcome(
    lane: &mut Lane,
    target: &Target,
    bytes: &[u8],
    limits: &Limits,
) -> Result<&'static str, String> {
    let metadata_only = target.format.is_none();
    let mut decode = |part: Option<String>, allow_truncated: bool| {
        let options = Options {
            part,
            metadata_only,
            allow_truncated,
            ..Options::default()
        };
        lane.decode(bytes, limits, &options, DEADLINE, &Cancel::default())
    };
    let mut found = decode(None, false);
    let mut part = None;
    if let Err(DecodeError::Media(MediaError::Parts { parts, .. })) = &found {
        part = parts.first().cloned();
        found = decode(part.clone(), false);
    }
    let mut word = "picture";
    // With consent there may be a part of a picture.
    if let Err(DecodeError::Media(MediaError::Truncated { .. })) = &found {
        let partial = decode(part, true);
        if partial.is_ok() {
            (found, word) = (partial, "partial");
        }
    }
    match found {
        // Only declarations were read.
        Ok(_) if metadata_only => Ok("picture"),
        Ok(picture) => {
            let (width, height) = picture.pixels.dimensions();
            let pixels = u64::from(width) * u64::from(height);
            if pixels == 0 || pixels > limits.max_pixels {
                return Err(format!("a picture of {width} x {height}"));
            }
            Ok(word)
        }
        Err(DecodeError::Media(e)) => Ok(e.code()),
        Err(DecodeError::Crashed { .. }) => Ok("worker_crashed"),
        Err(e) => Err(e.to_string()),
    }
}

fn copies() -> u64 {
    std::env::var("REALSCOPE_DAMAGED").map_or(50, |n| n.parse().expect("a number"))
}

fn limits() -> Limits {
    Limits {
        max_bytes: 4 << 20,
        max_pixels: 4 << 20,
        max_alloc: 128 << 20,
    }
}

fn lane() -> Lane {
    Lane::new(Launch {
        program: env!("CARGO_BIN_EXE_realscope").into(),
        args: vec!["decode-worker".into()],
    })
}

/// Beginnings of good files, and damaged copies of them, each with a name by which it repeats.
fn cases(good: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
    let mut cases = Vec::new();
    for (i, file) in good.iter().enumerate() {
        for k in 0..PREFIXES {
            let end = file.len() * k / PREFIXES;
            cases.push((format!("{end} bytes of file {i}"), file[..end].to_vec()));
        }
    }
    for case in 0..copies() {
        cases.push((format!("case {case}"), damaged(good, case)));
    }
    cases
}

/// The most memory that a process which this thread started has held, in MiB; 0 where the system does not tell.
fn peak_of_children() -> u64 {
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    let of = |pid: &str| -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    };
    let each = children.split_ascii_whitespace().filter_map(of);
    each.max().unwrap_or(0) / 1024
}

#[test]
fn damaged_files_end_in_a_picture_or_a_typed_error() {
    let limits = limits();
    // Films are no pictures; a decoding lane plays them with other requests.
    for target in TARGETS.iter().filter(|t| !t.film) {
        let mut lane = lane();
        let good = corpus(target);
        let cases = cases(&good);
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        let mut slowest = Duration::ZERO;
        let mut peak = 0;
        for (name, bytes) in &cases {
            let begun = Instant::now();
            let end = outcome(&mut lane, target, bytes, &limits);
            slowest = slowest.max(begun.elapsed());
            peak = peak.max(peak_of_children());
            match end {
                Ok(word) => *counts.entry(word).or_default() += 1,
                Err(e) => panic!("{} {name}: {e}", target.name),
            }
        }
        let crashes = counts.get("worker_crashed").copied().unwrap_or(0);
        println!(
            "{}: {} files, slowest {} ms, peak {peak} MiB, {counts:?}",
            target.name,
            cases.len(),
            slowest.as_millis()
        );
        // The worker's own bound, which the system holds it to, is on addresses.
        assert!(peak < 1024, "{}: {peak} MiB", target.name);
        assert!(
            target.may_abort || crashes == 0,
            "{}: {crashes} crashes",
            target.name
        );
        // Were it most of them, little would be tested.
        assert!(
            u64::from(crashes) * 4 <= cases.len() as u64,
            "{}",
            target.name
        );
        // The good file behind all that still decodes.
        assert_eq!(
            outcome(&mut lane, target, &good[0], &limits),
            Ok("picture"),
            "{}",
            target.name
        );
    }
}

/// Containers of videos: target and ending of the good files.
const FILMS: [(&str, &str); 6] = [
    ("mp4", "mp4"),
    ("mp4", "mov"),
    ("avi", "avi"),
    ("gif-film", "gif"),
    ("png-film", "apng"),
    ("webp-film", "webp"),
];

/// Plays a video as a scan does, and says in a word how that ended.
fn played(lane: &mut Lane, path: &Path, limits: &VideoLimits) -> Result<&'static str, String> {
    let mut frames = 0;
    let mut last = f64::NEG_INFINITY;
    let mut odd = None;
    let most = limits.picture.max_pixels;
    let options = Options::default();
    let source = VideoSource { path, clips: None };
    let end = lane.video(
        source,
        limits,
        &options,
        DEADLINE,
        &Cancel::default(),
        |seen| {
            if let Seen::Frame(frame) = seen {
                frames += 1;
                let (width, height) = frame.pixels.dimensions();
                if u64::from(width) * u64::from(height) > most || width == 0 || height == 0 {
                    odd = Some(format!("a frame of {width} x {height}"));
                }
                if frame.time < last {
                    odd = Some(format!("{} after {last}", frame.time));
                }
                last = frame.time;
            }
            Ok::<_, DecodeError>(())
        },
    );
    if let Some(odd) = odd {
        return Err(odd);
    }
    match end {
        Ok(_) if frames == 0 => Err("neither frames nor an error".into()),
        Ok(None) => Ok("frames"),
        Ok(Some(_)) => Ok("some_frames"),
        Err(DecodeError::Media(e)) => Ok(e.code()),
        Err(DecodeError::Video(e)) if e.code() != "deadline" => Ok(e.code()),
        Err(DecodeError::Crashed { .. }) => Ok("worker_crashed"),
        Err(e) => Err(e.to_string()),
    }
}

/// Fields of the status of each process that this one started: identity, state, highest memory in MiB.
#[cfg(target_os = "linux")]
fn children() -> Vec<(u32, String, u64)> {
    let me = std::process::id().to_string();
    let field = |status: &str, name: &str| -> Option<String> {
        let line = status.lines().find_map(|l| l.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.to_owned())
    };
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    let of = |e: std::fs::DirEntry| {
        let pid = e.file_name().to_str()?.parse().ok()?;
        let status = std::fs::read_to_string(e.path().join("status")).ok()?;
        (field(&status, "PPid:")? == me).then_some(())?;
        let memory = field(&status, "VmHWM:").and_then(|m| m.parse::<u64>().ok());
        Some((pid, field(&status, "State:")?, memory.unwrap_or(0) >> 10))
    };
    entries.filter_map(of).collect()
}

/// Processes that were started with a word among their arguments.
#[cfg(target_os = "linux")]
fn started_with(word: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    let lines = entries.filter_map(|e| std::fs::read(e.path().join("cmdline")).ok());
    let lines = lines.map(|l| String::from_utf8_lossy(&l).replace('\0', " "));
    lines.filter(|l| l.contains(word)).collect()
}

#[test]
fn damaged_videos_end_in_frames_or_a_typed_error() {
    let limits = VideoLimits {
        max_bytes: 4 << 20,
        max_frames: 10_000,
        max_work: 1 << 28,
        picture: limits(),
        ..VideoLimits::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("damaged");
    let mut lane = lane();
    for (name, extension) in FILMS {
        let target = Target::named(name).expect("a target");
        let good = corpus_of(target, Some(extension));
        let cases = cases(&good);
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        let mut slowest = Duration::ZERO;
        for (case, bytes) in &cases {
            std::fs::write(&path, bytes).expect("writes");
            let begun = Instant::now();
            let end = played(&mut lane, &path, &limits);
            slowest = slowest.max(begun.elapsed());
            match end {
                Ok(word) => *counts.entry(word).or_default() += 1,
                Err(e) => panic!("{extension} {case}: {e}"),
            }
        }
        // The good file behind all that still plays.
        std::fs::write(&path, &good[0]).expect("writes");
        assert_eq!(
            played(&mut lane, &path, &limits),
            Ok("frames"),
            "{extension}"
        );
        #[cfg(target_os = "linux")]
        let memory = children().iter().map(|c| c.2).max().unwrap_or(0);
        #[cfg(not(target_os = "linux"))]
        let memory = 0;
        println!(
            "{extension}: {} files, slowest {} ms, worker {memory} MiB, {counts:?}",
            cases.len(),
            slowest.as_millis()
        );
        assert_eq!(counts.get("worker_crashed"), None, "{extension}");
        // What decoding may claim, and the program itself.
        assert!(memory < 256, "{extension}: {memory} MiB");
        // Were nothing played, only the readers of containers would be tested.
        assert!(counts.contains_key("frames"), "{extension}: {counts:?}");
    }
    drop(lane);
    #[cfg(target_os = "linux")]
    {
        let dead: Vec<_> = children().into_iter().filter(|c| c.1 == "Z").collect();
        assert!(dead.is_empty(), "zombies: {dead:?}");
        let left = started_with(&path.display().to_string());
        assert!(left.is_empty(), "still running: {left:?}");
    }
}
