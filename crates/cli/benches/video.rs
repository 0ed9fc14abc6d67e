//! Videos: time against bare ffmpeg as ratios in one run, and memory by length.
//!
//! `cargo bench -p realscope-cli --features lab --bench video` makes a video of 10 s at 1920 x 1080 (H.264) by the ffmpeg
//! that is installed and prints: 16 evenly spread frames by the decoder in the box against ffmpeg on two threads; a scan
//! with a detector that costs nothing, and one with the default, against the same; peak memory of scans of 10 s,
//! 10 min and 60 min. It needs some 2 GB of temporary space.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{command, install_trivial, median, memory, seconds_of};
use realscope_media::video::{Decoders, Plan, Video, VideoLimits};

/// Rounds: in each, everything runs once.
const ROUNDS: usize = 5;
/// Frames of the video, and those of them that are wanted.
const FRAMES: (u64, u64) = (300, 16);

fn ffmpeg(args: &[&str], path: &Path) {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(args)
        .arg(path)
        .status();
    assert!(made.expect("ffmpeg").success(), "{}", path.display());
}

/// The wanted frames as raw RGB into nothing.
fn bare(path: &Path) -> Command {
    let (all, wanted) = FRAMES;
    let numbers = (0..wanted).map(|k| format!("eq(n\\,{})", (2 * k + 1) * all / (2 * wanted)));
    let select = format!("select={}", numbers.collect::<Vec<_>>().join("+"));
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-threads", "2", "-i"])
        .arg(path)
        .args(["-vf", &select, "-fps_mode", "passthrough"])
        .args(["-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        .stdout(Stdio::null());
    command
}

/// The same frames by the decoder in the box.
fn boxed(path: &Path) -> f64 {
    let begun = Instant::now();
    let limits = VideoLimits::default();
    let video = Video::open(path, &limits, Duration::from_secs(300), Decoders::Box);
    let plan = Plan::uniform(FRAMES.1 as usize);
    let frames = video.expect("opens").frames(&plan).expect("plays");
    assert_eq!(frames.len() as u64, FRAMES.1);
    begun.elapsed().as_secs_f64()
}

fn main() {
    let folder = tempfile::tempdir().expect("folder");
    let clip = folder.path().join("clip.mp4");
    let source = "testsrc2=s=1920x1080:r=30:d=10,noise=alls=6:allf=t,format=yuv420p";
    let coded = ["-c:v", "libx264", "-crf", "28", "-preset", "fast"];
    ffmpeg(
        &[&["-f", "lavfi", "-i", source], &coded[..]].concat(),
        &clip,
    );
    let home = tempfile::tempdir().expect("folder");
    install_trivial(home.path());
    let text = clip.to_string_lossy().into_owned();
    let scan = |detector: &str| {
        let mut scan = command(&["scan", "--quiet", "--detector", detector, &text]);
        scan.env("REALSCOPE_HOME", home.path());
        scan
    };
    let mut ratios = [const { Vec::new() }; 3];
    let mut theirs = Vec::new();
    for _ in 0..ROUNDS {
        let reference = seconds_of(|| bare(&clip), 1);
        theirs.push(reference);
        let ours = [
            boxed(&clip),
            seconds_of(|| scan("trivial"), 1),
            seconds_of(|| scan("default"), 1),
        ];
        for (ratios, ours) in ratios.iter_mut().zip(ours) {
            ratios.push(ours / reference);
        }
    }
    let [boxed, trivial, full] = ratios.map(median);
    println!(
        "16 frames of 10 s at 1080p, bare ffmpeg on two threads: {:.2} s; of that: in the box {boxed:.2}, a scan \
         whose detector costs nothing {trivial:.2}, a scan {full:.2}",
        median(theirs)
    );
    for (length, loops) in [("10 s", "0"), ("10 min", "59"), ("60 min", "359")] {
        let long = folder.path().join("long.mp4");
        let args = ["-stream_loop", loops, "-i", &text, "-c", "copy"];
        ffmpeg(&args, &long);
        let begun = Instant::now();
        let (peak, _) = memory(command(&["scan", "--quiet", &long.to_string_lossy()]));
        println!(
            "peak memory, scan of {length}, program and worker: {peak:.0} MiB in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
    }
}
