//! Videos: time against bare ffmpeg as ratios in one run, and memory by length.
//!
//! `cargo bench -p realscope-cli --features lab --bench video` makes a video of 10 s at 1920 x 1080 (H.264) by the ffmpeg
//! that is installed and prints: 16 evenly spread frames by the decoder in the box against ffmpeg on two threads; a scan
//! with a detector that costs nothing, and one with the default, against the same; the default against itself without
//! its head for faces, on that video and on one of a face; peak memory of scans of 10 s, 10 min and 60 min. It needs
//! some 2 GB of temporary space.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{command, install, install_trivial, median, memory, seconds_of};
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

/// Installs the default detector without its head for faces as `without-faces`.
fn install_without_faces(home: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detectors/src/clip_blocks");
    let text = std::fs::read_to_string(source.join("card.toml")).expect("a card");
    let mut table: toml::Table = text.parse().expect("TOML");
    table.insert("id".into(), "without-faces".into());
    table.remove("faces");
    let heads = table["heads"].as_array_mut().expect("heads");
    // The map is added to the embedded detector alone.
    heads.retain(|head| {
        let is = |key: &str, word: &str| head.get(key).and_then(|v| v.as_str()) == Some(word);
        !is("medium", "face") && !is("kind", "mask")
    });
    let card = home.join("without-faces.toml");
    std::fs::write(&card, table.to_string()).expect("written");
    install(home, "without-faces", &source.join("weights.onnx"), &card);
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
    install_without_faces(home.path());
    let portrait = folder.path().join("portrait.mp4");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/generated.jpg");
    let pan = "scale=2000:-2,crop=1920:1080:x='t*8':y='200+t*20',fps=30,format=yuv420p,setsar=1";
    let shown = ["-loop", "1", "-t", "10", "-i", example, "-vf", pan];
    ffmpeg(&[&shown[..], &coded[..]].concat(), &portrait);
    for (name, path) in [("no face", &clip), ("a face", &portrait)] {
        let path = path.to_string_lossy().into_owned();
        let scan = |detector: &str| {
            let make = || {
                let mut scan = command(&["scan", "--quiet", "--detector", detector, &path]);
                scan.env("REALSCOPE_HOME", home.path());
                scan
            };
            seconds_of(make, 1)
        };
        let rounds = (0..ROUNDS).map(|_| scan("default") / scan("without-faces"));
        println!(
            "a scan of 10 s with {name}, against one that looks for none: {:.2}",
            median(rounds.collect())
        );
    }
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
