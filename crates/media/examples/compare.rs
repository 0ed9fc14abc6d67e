//! Compares the decoders in the box with ffmpeg, frame by frame: `cargo run --release --example compare -- FILES`.
//!
//! One line a file: frames, how many differ and by how much at most, seconds of both, or why one refused.

use std::path::Path;
use std::time::{Duration, Instant};

use realscope_media::video::{Decoders, Event, Frame, Plan, Video, VideoError, VideoLimits};

/// Time for one file.
const WAIT: Duration = Duration::from_secs(120);

/// Frames that are compared: memory holds them all.
fn plan() -> Plan {
    match std::env::args().nth(1).as_deref() {
        Some("--sixteen") => Plan::uniform(16),
        _ => Plan::uniform(64),
    }
}

fn read(path: &Path, decoders: Decoders) -> Result<(Vec<Frame>, String, f64), VideoError> {
    let begun = Instant::now();
    let mut video = Video::open(path, &VideoLimits::default(), WAIT, decoders)?;
    let mut frames = Vec::new();
    video.read(&plan(), false, false, &mut |event| {
        if let Event::Frame(frame) = event {
            frames.push(frame);
        }
        Ok(())
    })?;
    let facts = video.facts();
    let words = format!("{} {}", facts.frame_count, facts.codec);
    Ok((frames, words, begun.elapsed().as_secs_f64()))
}

fn main() {
    for name in std::env::args().skip(1).filter(|a| !a.starts_with("--")) {
        let path = Path::new(&name);
        let (ours, theirs) = (read(path, Decoders::Box), read(path, Decoders::Ffmpeg));
        match (ours, theirs) {
            (Ok((a, words, ours)), Ok((b, _, theirs))) => {
                let (mut differ, mut most, mut late) = (0, 0, 0.0_f64);
                for (a, b) in a.iter().zip(&b) {
                    late = late.max((a.time - b.time).abs());
                    if a.pixels != b.pixels || a.index != b.index {
                        differ += 1;
                        let pairs = a.pixels.as_raw().iter().zip(b.pixels.as_raw());
                        most = most.max(pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0));
                    }
                }
                println!(
                    "{name}\t{words}\tframes {} {}\tdiffer {differ} by {most}, times by {late:.6}\t{ours:.2} s {theirs:.2} s",
                    a.len(),
                    b.len()
                );
            }
            (Err(e), Ok(_)) => println!("{name}\tbox refused: {e}"),
            (Ok(_), Err(e)) => println!("{name}\tffmpeg refused: {e}"),
            (Err(a), Err(b)) => println!("{name}\tboth refused: {a} | {b}"),
        }
    }
}
