//! Damaged files of every container, decoded by the program's own worker: each ends in a picture or in a typed error,
//! within the deadline, and costs no other file.
//!
//! `REALSCOPE_DAMAGED` is the number of damaged copies for each container, 50 without it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use realscope::lane::{DecodeError, Lane};
use realscope::{Cancel, Launch};
use realscope_fuzz::damage::damaged;
use realscope_fuzz::{TARGETS, Target};
use realscope_media::{Limits, MediaError, Options};

/// Longest that one file may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);
/// Shortened copies of each good file.
const PREFIXES: usize = 25;

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut paths: Vec<_> = std::fs::read_dir(folder.join(target.name))
        .expect("a corpus")
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some())
        .collect();
    paths.sort();
    let read = |p: &std::path::PathBuf| std::fs::read(p).expect("a file of the corpus");
    paths.iter().map(read).collect()
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
    let copies = std::env::var("REALSCOPE_DAMAGED").map_or(50, |n| n.parse().expect("a number"));
    let limits = Limits {
        max_bytes: 4 << 20,
        max_pixels: 4 << 20,
        max_alloc: 128 << 20,
    };
    // Films are no pictures; a decoding lane plays them with other requests.
    for target in TARGETS.iter().filter(|t| !t.film) {
        let mut lane = Lane::new(Launch {
            program: env!("CARGO_BIN_EXE_realscope").into(),
            args: vec!["decode-worker".into()],
        });
        let good = corpus(target);
        let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
        for (i, file) in good.iter().enumerate() {
            for k in 0..PREFIXES {
                let end = file.len() * k / PREFIXES;
                cases.push((format!("{end} bytes of file {i}"), file[..end].to_vec()));
            }
        }
        for case in 0..copies {
            cases.push((format!("case {case}"), damaged(&good, case)));
        }
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
