//! Videos, made and read by the ffmpeg that is installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use realscope_media::Limits;
use realscope_media::video::{self, Frame, Sampling, VideoError};

const WAIT: Duration = Duration::from_secs(60);

/// Twenty grey frames, each ten levels brighter than the one before.
fn clip(folder: &Path, name: &str, codec: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let source = "color=black:s=64x48:r=10:d=2,format=gray,geq=lum='20+N*10'";
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source])
        .args(codec)
        .arg(&path)
        .status()
        .expect("starts");
    assert!(made.success(), "{name}");
    path
}

fn skipped() -> bool {
    let missing = !video::available();
    if missing {
        eprintln!("skipped: no ffmpeg");
    }
    missing
}

fn sampling(first: u64, last: Option<u64>, count: usize) -> Sampling {
    Sampling { first, last, count }
}

fn grey(frame: &Frame) -> f64 {
    let sum: u64 = frame.pixels.as_raw().iter().map(|v| u64::from(*v)).sum();
    sum as f64 / frame.pixels.as_raw().len() as f64
}

#[test]
fn the_frames_asked_for_come_from_every_container() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    for (name, codec) in [
        ("a.mp4", &["-c:v", "mpeg4", "-q:v", "1"][..]),
        ("b.webm", &["-c:v", "libvpx", "-b:v", "2M"]),
        ("c.avi", &["-c:v", "mjpeg", "-q:v", "1"]),
        ("d.mkv", &["-c:v", "ffv1"]),
        ("e.mov", &["-c:v", "mpeg4", "-bf", "2", "-q:v", "1"]),
        ("f.gif", &[]),
    ] {
        let path = clip(folder.path(), name, codec);
        for (asked, expected) in [
            (sampling(0, None, 4), vec![2_u64, 7, 12, 17]),
            (sampling(10, Some(13), 2), vec![11, 13]),
            (sampling(0, None, 64), (0..20).collect()),
        ] {
            let found = video::frames(&path, &asked, &Limits::default(), WAIT)
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            let indices: Vec<u64> = found.iter().map(|f| f.index).collect();
            assert_eq!(indices, expected, "{name}");
            for frame in &found {
                assert_eq!(frame.pixels.dimensions(), (64, 48), "{name}");
                let wanted = 20.0 + 10.0 * frame.index as f64;
                assert!(
                    (grey(frame) - wanted).abs() < 4.0,
                    "{name} frame {}: {} in place of {wanted}",
                    frame.index,
                    grey(frame)
                );
            }
        }
        // The name does not matter.
        let other = path.with_extension("jpg");
        std::fs::copy(&path, &other).expect("copies");
        let one = sampling(0, None, 1);
        assert!(video::frames(&other, &one, &Limits::default(), WAIT).is_ok());
    }
}

#[test]
fn a_video_that_ends_early_is_an_error() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let whole = clip(folder.path(), "a.mkv", &["-c:v", "ffv1"]);
    let bytes = std::fs::read(&whole).expect("reads");
    let ahead = ["-c:v", "mpeg4", "-movflags", "+faststart"];
    let faststart = clip(folder.path(), "b.mp4", &ahead);
    let other = std::fs::read(&faststart).expect("reads");
    let asked = sampling(0, Some(19), 8);
    for (name, bytes) in [("cut.mkv", &bytes), ("cut.mp4", &other)] {
        let cut = folder.path().join(name);
        for share in [0, 5, 20, 50, 90] {
            std::fs::write(&cut, &bytes[..bytes.len() * share / 100]).expect("writes");
            let found = video::frames(&cut, &asked, &Limits::default(), WAIT);
            let e = found.expect_err(&format!("{name} {share}%"));
            assert!(matches!(e, VideoError::Media(_)), "{name} {share}%: {e}");
        }
    }
    let beyond = sampling(0, Some(20), 2);
    let e = video::frames(&whole, &beyond, &Limits::default(), WAIT).expect_err("refused");
    assert_eq!(e.code(), "truncated");
}

#[test]
fn limits_and_deadline_hold() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = clip(folder.path(), "a.mkv", &["-c:v", "ffv1"]);
    let small = Limits {
        max_pixels: 1000,
        ..Limits::default()
    };
    let asked = sampling(0, None, 2);
    let e = video::frames(&path, &asked, &small, WAIT).expect_err("refused");
    assert_eq!(e.code(), "limit_exceeded");
    let e = video::frames(&path, &asked, &Limits::default(), Duration::ZERO).expect_err("refused");
    assert_eq!(e.code(), "deadline");
}
