//! Videos: the decoders in the box against ffmpeg, plans, bounds, damage. Test videos are made by the ffmpeg that is
//! installed; without it these tests say that they skip.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use realscope_media::video::{self, Decoders, Event, Frame, Plan, Video, VideoError, VideoLimits};

const WAIT: Duration = Duration::from_secs(60);

/// Makes a video of a source by ffmpeg.
fn make(folder: &Path, name: &str, source: &str, codec: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", source])
        .args(codec)
        .arg(&path)
        .status()
        .expect("starts");
    assert!(made.success(), "{name}");
    path
}

/// Twenty grey frames, each ten levels brighter than the one before.
fn clip(folder: &Path, name: &str, codec: &[&str]) -> PathBuf {
    let source = "color=black:s=64x48:r=10:d=2,format=gray,geq=lum='20+N*10'";
    make(folder, name, source, codec)
}

fn skipped() -> bool {
    let missing = !video::available();
    if missing {
        eprintln!("skipped: no ffmpeg");
    }
    missing
}

fn some(first: u64, last: Option<u64>, count: usize) -> Plan {
    Plan::Uniform { first, last, count }
}

fn open(path: &Path, decoders: Decoders) -> Result<Video, VideoError> {
    Video::open(path, &VideoLimits::default(), WAIT, decoders)
}

fn frames(path: &Path, plan: &Plan, decoders: Decoders) -> Result<Vec<Frame>, VideoError> {
    open(path, decoders)?.frames(plan)
}

fn grey(frame: &Frame) -> f64 {
    let sum: u64 = frame.pixels.as_raw().iter().map(|v| u64::from(*v)).sum();
    sum as f64 / frame.pixels.as_raw().len() as f64
}

fn indices(frames: &[Frame]) -> Vec<u64> {
    frames.iter().map(|f| f.index).collect()
}

#[test]
fn the_frames_asked_for_come_from_every_container() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    for (name, codec, decoder) in [
        ("a.mp4", &["-c:v", "mpeg4", "-q:v", "1"][..], "ffmpeg"),
        ("b.webm", &["-c:v", "libvpx", "-b:v", "2M"], "ffmpeg"),
        ("c.avi", &["-c:v", "mjpeg", "-q:v", "1"], "zune-jpeg"),
        ("d.mkv", &["-c:v", "ffv1"], "ffmpeg"),
        (
            "e.mov",
            &["-c:v", "mpeg4", "-bf", "2", "-q:v", "1"],
            "ffmpeg",
        ),
        ("f.gif", &[], "image"),
        (
            "g.mp4",
            &["-c:v", "libx264", "-qp", "4", "-pix_fmt", "yuv420p"],
            "rusty_h264",
        ),
        ("h.mov", &["-c:v", "mjpeg", "-q:v", "1"], "zune-jpeg"),
        ("i.apng", &["-f", "apng"], "image"),
        (
            "j.webp",
            &["-c:v", "libwebp", "-lossless", "1", "-loop", "0"],
            "image",
        ),
        (
            "k.mp4",
            &["-c:v", "libx265", "-x265-params", "log-level=none"],
            "ffmpeg",
        ),
    ] {
        let path = clip(folder.path(), name, codec);
        let opened = open(&path, Decoders::Any).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(opened.facts().decoder, decoder, "{name}");
        assert_eq!(opened.facts().frame_count, 20, "{name}");
        assert!((opened.facts().duration_s - 2.0).abs() < 0.011, "{name}");
        for (asked, expected) in [
            (some(0, None, 4), vec![2_u64, 7, 12, 17]),
            (some(10, Some(13), 2), vec![11, 13]),
            (some(0, None, 64), (0..20).collect()),
            (Plan::Every { step: 8 }, vec![0, 8, 16]),
            (Plan::Rate { per_second: 2.0 }, vec![0, 5, 10, 15]),
        ] {
            let found =
                frames(&path, &asked, Decoders::Any).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(indices(&found), expected, "{name}");
            for frame in &found {
                assert_eq!(frame.pixels.dimensions(), (64, 48), "{name}");
                let time = frame.index as f64 / 10.0;
                assert!((frame.time - time).abs() < 0.002, "{name}: {}", frame.time);
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
        assert!(frames(&other, &Plan::uniform(1), Decoders::Any).is_ok());
    }
}

#[test]
fn sound_and_subtitles_beside_the_pictures_do_not_matter() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let words = folder.path().join("words.srt");
    std::fs::write(&words, "1\n00:00:00,000 --> 00:00:01,000\nwords\n").expect("writes");
    for (name, codec) in [
        (
            "a.mp4",
            &["-c:v", "libx265", "-c:a", "aac", "-c:s", "mov_text"][..],
        ),
        (
            "b.webm",
            &["-c:v", "libvpx", "-c:a", "libopus", "-c:s", "webvtt"],
        ),
        (
            "c.mkv",
            &["-c:v", "ffv1", "-c:a", "pcm_s16le", "-c:s", "subrip"],
        ),
        (
            "d.mov",
            &["-c:v", "mpeg4", "-c:a", "alac", "-c:s", "mov_text"],
        ),
        ("e.avi", &["-c:v", "mpeg4", "-c:a", "mp2", "-sn"]),
    ] {
        let path = folder.path().join(name);
        let made = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-y",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=s=64x48:r=10:d=1",
            ])
            .args(["-f", "lavfi", "-i", "sine=d=1", "-i"])
            .arg(&words)
            .args(["-map", "0", "-map", "1", "-map", "2"])
            .args(codec)
            .arg(&path)
            .output()
            .expect("starts");
        assert!(made.status.success(), "{name}");
        let opened = open(&path, Decoders::Any).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(opened.facts().decoder, "ffmpeg", "{name}");
        let found = frames(&path, &Plan::uniform(4), Decoders::Any);
        assert_eq!(
            found.map(|f| f.len()).map_err(|e| e.to_string()),
            Ok(4),
            "{name}"
        );
    }
}

/// What H.264 encoders make: each name has the options of its own.
const H264: [(&str, &[&str]); 9] = [
    ("baseline", &["-profile:v", "baseline"]),
    ("main", &["-profile:v", "main", "-bf", "3"]),
    ("high", &["-profile:v", "high", "-preset", "slower"]),
    ("ultrafast", &["-preset", "ultrafast", "-crf", "35"]),
    (
        "open-gop",
        &[
            "-g",
            "12",
            "-x264-params",
            "open-gop=1:bframes=3:b-pyramid=2",
        ],
    ),
    ("sliced", &["-x264-params", "slices=4:weightp=2:ref=4"]),
    ("bt709", &["-colorspace", "bt709", "-color_range", "tv"]),
    (
        "full",
        &["-vf", "scale=out_range=full", "-color_range", "pc"],
    ),
    ("turned", &[]),
];

/// What AV1 encoders make: one that holds frames back and shows them later, and one without.
const AV1: [(&str, &[&str]); 2] = [
    (
        "av1-aom",
        &[
            "-c:v",
            "libaom-av1",
            "-cpu-used",
            "8",
            "-crf",
            "40",
            "-g",
            "20",
            "-lag-in-frames",
            "19",
        ],
    ),
    (
        "av1-svt",
        &[
            "-c:v",
            "libsvtav1",
            "-preset",
            "12",
            "-crf",
            "45",
            "-g",
            "20",
        ],
    ),
];

/// The same video with a matrix that turns it by a quarter, clockwise.
fn turned(path: &Path) -> PathBuf {
    let out = path.with_file_name("quarter.mp4");
    let mut bytes = std::fs::read(path).expect("reads");
    let header = bytes
        .windows(4)
        .position(|w| w == b"tkhd")
        .expect("a track");
    let matrix = [0, 0x0001_0000, 0, 0xffff_0000_u32, 0, 0];
    for (i, value) in matrix.into_iter().enumerate() {
        let at = header + 4 + 40 + 4 * i;
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    std::fs::write(&out, bytes).expect("writes");
    let facts = open(&out, Decoders::Box).expect("opens").facts().clone();
    assert_eq!((facts.width, facts.height, facts.rotation), (106, 178, 90));
    out
}

#[test]
fn frames_of_the_box_are_those_of_ffmpeg_to_the_bit() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    // Movement, hard edges and a cut, in a size that is no multiple of a block.
    let source = "testsrc2=s=178x106:r=25:d=3";
    let x264 = ["-c:v", "libx264"].as_slice();
    let coded = H264.map(|(name, own)| (name, [x264, own].concat()));
    let coded = coded.into_iter();
    for (name, own) in coded.chain(AV1.map(|(name, own)| (name, own.to_vec()))) {
        let mut options = vec!["-pix_fmt", "yuv420p"];
        options.extend(own);
        let mut path = make(folder.path(), &format!("{name}.mp4"), source, &options);
        if name == "turned" {
            path = turned(&path);
        }
        let ours =
            frames(&path, &Plan::All, Decoders::Box).unwrap_or_else(|e| panic!("{name}: {e}"));
        let theirs =
            frames(&path, &Plan::All, Decoders::Ffmpeg).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((ours.len(), theirs.len()), (75, 75), "{name}");
        for (a, b) in ours.iter().zip(&theirs) {
            assert_eq!(a.index, b.index, "{name}");
            assert!(
                (a.time - b.time).abs() < 2e-6,
                "{name} {}: {} {}",
                a.index,
                a.time,
                b.time
            );
            assert!(a.pixels == b.pixels, "{name}: frame {} differs", a.index);
        }
        // What is not wanted is not decoded, and what is comes out the same.
        for plan in [
            some(0, None, 5),
            some(60, Some(66), 3),
            Plan::Keys { count: 3 },
        ] {
            for frame in frames(&path, &plan, Decoders::Box).expect(name) {
                assert!(frame == ours[frame.index as usize], "{name}: {plan:?}");
            }
            let other = frames(&path, &plan, Decoders::Ffmpeg).expect(name);
            assert!(
                other.iter().all(|f| *f == theirs[f.index as usize]),
                "{name}: {plan:?}"
            );
        }
        let facts = |decoders| {
            let facts = open(&path, decoders).expect(name).facts().clone();
            (
                facts.width,
                facts.height,
                facts.frame_count,
                facts.key_frames,
                facts.longest_gop,
            )
        };
        assert_eq!(facts(Decoders::Box), facts(Decoders::Ffmpeg), "{name}");
    }
}

#[test]
fn times_are_exact_where_the_rate_varies_and_an_edit_list_cuts() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    // Every third frame is dropped, and the times of the others are kept.
    let uneven = make(
        folder.path(),
        "uneven.mp4",
        "testsrc2=s=64x48:r=30:d=2,select='mod(n\\,3)'",
        &["-c:v", "libx264", "-pix_fmt", "yuv420p", "-fps_mode", "vfr"],
    );
    // A cut within a group of pictures leaves an edit list.
    let cut = folder.path().join("cut.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-ss", "0.73", "-i"])
        .arg(&uneven)
        .args(["-c", "copy", "-t", "1"])
        .arg(&cut)
        .status();
    assert!(made.expect("starts").success());
    for path in [&uneven, &cut] {
        let ours = frames(path, &Plan::All, Decoders::Box).expect("in the box");
        let theirs = frames(path, &Plan::All, Decoders::Ffmpeg).expect("ffmpeg");
        assert_eq!(ours.len(), theirs.len(), "{}", path.display());
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a.time - b.time).abs() < 2e-6, "{} {}", a.time, b.time);
            assert!(a.pixels == b.pixels, "frame {}", a.index);
        }
    }
    let facts = open(&uneven, Decoders::Box).expect("opens").facts().clone();
    assert!(facts.variable_frame_rate);
    let facts = open(&cut, Decoders::Box).expect("opens").facts().clone();
    assert!(facts.edit_list);
    assert!(facts.encoder.is_some_and(|e| e.contains("x264")));
}

#[test]
fn fragments_are_read_like_an_index() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let whole = folder.path().join("whole.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i"])
        .args(["testsrc2=s=178x106:r=25:d=3", "-f", "lavfi", "-i"])
        .args(["sine=d=3", "-g", "10", "-c:v", "libx264", "-pix_fmt"])
        .args(["yuv420p", "-c:a", "aac"])
        .arg(&whole)
        .status();
    assert!(made.expect("starts").success());
    let expected = frames(&whole, &Plan::All, Decoders::Box).expect("reads");
    for (name, flags) in [
        // What browsers play, with the data's place counted from the fragment.
        ("dash", "frag_keyframe+empty_moov+default_base_moof"),
        // The first fragment lies in the index itself.
        ("hybrid", "frag_keyframe"),
        ("absolute", "frag_keyframe+empty_moov"),
        ("implied", "frag_keyframe+empty_moov+omit_tfhd_offset"),
        ("frames", "frag_every_frame+empty_moov+default_base_moof"),
        ("cmaf", "cmaf+frag_keyframe+empty_moov"),
        ("apart", "frag_keyframe+empty_moov+separate_moof"),
        ("delayed", "frag_keyframe+delay_moov"),
    ] {
        let path = folder.path().join(format!("{name}.mp4"));
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-i"])
            .arg(&whole)
            .args(["-c", "copy", "-movflags", flags])
            .arg(&path)
            .status();
        assert!(made.expect("starts").success(), "{name}");
        let ours =
            frames(&path, &Plan::All, Decoders::Box).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(ours.len(), 75, "{name}");
        for (a, b) in ours.iter().zip(&expected) {
            assert!(
                (a.time - b.time).abs() < 2e-6,
                "{name}: {} {}",
                a.time,
                b.time
            );
            assert!(a.pixels == b.pixels, "{name}: frame {}", a.index);
        }
        let facts = open(&path, Decoders::Box).expect(name).facts().clone();
        assert_eq!((facts.frame_count, facts.key_frames), (75, 8), "{name}");
        assert!(facts.audio, "{name}");
        // Decoding begins at the key frame ahead.
        for frame in frames(&path, &some(33, Some(66), 3), Decoders::Box).expect(name) {
            assert!(frame == ours[frame.index as usize], "{name}");
        }
        // Cut in the middle, within an index or within data, it is what there is of it, and that is said.
        let bytes = std::fs::read(&path).expect("reads");
        for kind in [b"moof", b"mdat"] {
            let all: Vec<usize> = (0..bytes.len() - 4)
                .filter(|at| bytes[*at..].starts_with(kind))
                .collect();
            let cut = folder.path().join("cut.mp4");
            std::fs::write(&cut, &bytes[..all[all.len() / 2] + 16]).expect("writes");
            let mut seen = 0;
            let outcome = open(&cut, Decoders::Box)
                .expect(name)
                .read(&Plan::All, false, true, &mut |event| {
                    let Event::Frame(frame) = event else {
                        return Ok(());
                    };
                    assert!(frame.pixels == expected[seen].pixels, "{name}: {seen}");
                    seen += 1;
                    Ok(())
                })
                .expect(name);
            let said = outcome.cut.is_some_and(|e| e.code() == "truncated");
            assert!(said && (10..75).contains(&seen), "{name}: {seen}");
            let e = frames(&cut, &Plan::All, Decoders::Box).expect_err(name);
            assert_eq!(e.code(), "truncated", "{name}");
        }
    }
}

#[test]
fn frames_between_are_sketched() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = clip(
        folder.path(),
        "a.mp4",
        &["-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p"],
    );
    for decoders in [Decoders::Box, Decoders::Ffmpeg] {
        let mut sketches = Vec::new();
        let mut given = Vec::new();
        let outcome = open(&path, decoders)
            .expect("opens")
            .read(&Plan::uniform(4), true, false, &mut |event| {
                match event {
                    Event::Sketch { time, sketch, .. } => sketches.push((time, sketch)),
                    Event::Frame(frame) => given.push((frame.index, sketches.len())),
                }
                Ok(())
            })
            .expect("reads");
        assert_eq!(outcome.cut, None);
        // A frame follows its own sketch at once.
        assert_eq!(given, [(2, 3), (7, 8), (12, 13), (17, 18)]);
        assert_eq!(sketches.len(), 20);
        assert!(sketches.windows(2).all(|w| w[1].0 > w[0].0));
        let step = sketches[4].1.distance(&sketches[5].1);
        assert!((step - 10.0 / 3.0).abs() < 1.0, "{step}");
    }
}

#[test]
fn a_video_that_ends_early_is_an_error_or_a_part() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let ahead = ["-c:v", "mpeg4", "-movflags", "+faststart"];
    let boxed = [
        "-c:v",
        "libx264",
        "-bf",
        "0",
        "-g",
        "5",
        "-pix_fmt",
        "yuv420p",
        "-movflags",
        "+faststart",
    ];
    for (name, codec) in [
        ("cut.mkv", &["-c:v", "ffv1"][..]),
        ("cut.mp4", &ahead),
        ("boxed.mp4", &boxed),
        ("cut.avi", &["-c:v", "mjpeg"]),
        ("cut.gif", &[]),
    ] {
        let whole = clip(folder.path(), name, codec);
        let bytes = std::fs::read(&whole).expect("reads");
        let cut = folder.path().join(format!("part-{name}"));
        for share in [0, 5, 20, 50, 90] {
            std::fs::write(&cut, &bytes[..bytes.len() * share / 100]).expect("writes");
            let found = frames(&cut, &some(0, Some(19), 8), Decoders::Any);
            let e = found.expect_err(&format!("{name} {share}%"));
            assert!(
                matches!(e, VideoError::Media { .. }),
                "{name} {share}%: {e}"
            );
        }
        let e = frames(&whole, &some(0, Some(20), 2), Decoders::Any).expect_err("refused");
        assert_eq!(e.code(), "truncated", "{name}");
    }
    // What there is of a video, where that was asked for.
    let bytes = std::fs::read(folder.path().join("boxed.mp4")).expect("reads");
    let part = folder.path().join("part.mp4");
    std::fs::write(&part, &bytes[..bytes.len() - 200]).expect("writes");
    let mut seen = 0;
    let outcome = open(&part, Decoders::Box)
        .expect("opens")
        .read(&Plan::All, false, true, &mut |_| {
            seen += 1;
            Ok(())
        })
        .expect("a part");
    assert!(outcome.cut.is_some_and(|e| e.code() == "truncated"));
    assert!((1..20).contains(&seen), "{seen}");
}

#[test]
fn each_bound_has_its_own_error() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let boxed = clip(
        folder.path(),
        "a.mp4",
        &["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    );
    let other = clip(folder.path(), "a.mkv", &["-c:v", "ffv1"]);
    let moving = clip(folder.path(), "a.gif", &[]);
    let refused = |path: &Path, limits: &VideoLimits, wait: Duration| {
        Video::open(path, limits, wait, Decoders::Any)
            .and_then(|mut v| v.frames(&Plan::uniform(2)))
            .expect_err("refused")
    };
    let usual = VideoLimits::default;
    for path in [&boxed, &other, &moving] {
        let small = VideoLimits {
            picture: realscope_media::Limits {
                max_pixels: 1000,
                ..Default::default()
            },
            ..usual()
        };
        for (limits, what) in [
            (small, "pixels"),
            (
                VideoLimits {
                    max_bytes: 100,
                    ..usual()
                },
                "bytes of file",
            ),
            (
                VideoLimits {
                    max_seconds: 1.0,
                    ..usual()
                },
                "seconds of video",
            ),
            (
                VideoLimits {
                    max_frames: 9,
                    ..usual()
                },
                "frames",
            ),
            (
                VideoLimits {
                    max_work: 4000,
                    ..usual()
                },
                "pixels of all frames",
            ),
        ] {
            let e = refused(path, &limits, WAIT);
            assert_eq!(e.code(), "limit_exceeded", "{}: {e}", path.display());
            assert!(e.to_string().contains(&format!(" {what}, at most")), "{e}");
        }
        let e = refused(path, &usual(), Duration::ZERO);
        assert_eq!(e.code(), "deadline", "{}", path.display());
    }
}

#[test]
fn what_is_no_video_says_what_it_is() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        path
    };
    let code = |path: &Path| {
        let e = frames(path, &Plan::uniform(2), Decoders::Any).expect_err("refused");
        e.code()
    };
    let list = write("list.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n");
    assert_eq!(code(&list), "not_a_picture");
    assert_eq!(code(&write("empty.mp4", b"")), "empty");
    assert_eq!(code(&folder.path().join("none.mp4")), "unreadable");
    let box_alone = b"\0\0\0\x18ftypisom\0\0\0\0mp41isom";
    assert_eq!(code(&write("no-index.mp4", box_alone)), "truncated");
    let still = image::RgbImage::new(9, 7);
    let path = folder.path().join("still.gif");
    still.save(&path).expect("writes");
    assert_eq!(code(&path), "not_a_picture");
    let path = folder.path().join("still.png");
    still.save(&path).expect("writes");
    assert_eq!(code(&path), "not_a_picture");
    if skipped() {
        return;
    }
    let sound = make(
        folder.path(),
        "sound.mp4",
        "sine=d=1",
        &["-c:a", "aac", "-vn"],
    );
    assert_eq!(code(&sound), "not_a_picture");
    // Without ffmpeg a codec that takes it is named.
    let hevc = clip(
        folder.path(),
        "hevc.mp4",
        &["-c:v", "libx265", "-x265-params", "log-level=none"],
    );
    let e = open(&hevc, Decoders::Box).err().expect("refused");
    assert_eq!(
        (e.code(), e.to_string().as_str()),
        ("unsupported", "unsupported: HEVC video")
    );
}

#[test]
fn what_a_header_claims_is_bounded() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let options = ["-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p"];
    let good = std::fs::read(clip(folder.path(), "a.mp4", &options)).expect("reads");
    let path = folder.path().join("odd.mp4");
    let all = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("writes");
        let found = frames(&path, &Plan::All, Decoders::Box)?;
        Ok::<Vec<f64>, VideoError>(found.iter().map(|f| f.time).collect())
    };
    let behind = |kind: &[u8; 4]| {
        let at = good.windows(4).position(|w| w == kind);
        at.unwrap_or_else(|| panic!("no {}", kind.escape_ascii())) + 4
    };
    // Width and height of the sample entry.
    let mut absurd = good.clone();
    let at = behind(b"stsd") + 16 + 24;
    absurd[at..at + 4].fill(0xff);
    assert_eq!(all(&absurd).expect_err("refused").code(), "limit_exceeded");
    // Frames that are shown ages before they are decoded: in order or refused, and never endless.
    let mut early = good.clone();
    let at = behind(b"ctts") + 12;
    early[at..at + 4].copy_from_slice(&i32::MIN.to_be_bytes());
    match all(&early) {
        Ok(times) => assert!(times.windows(2).all(|w| w[0] <= w[1])),
        Err(e) => assert!(matches!(e, VideoError::Media { .. }), "{e}"),
    }
    // Boxes within boxes within boxes, each as large as what holds it, and a size that leads back to the start.
    let depth = 20_000_u32;
    let nested: Vec<u8> = (0..depth)
        .flat_map(|i| {
            let size = (8 * (depth - i)).to_be_bytes();
            let kind = if i % 2 == 0 { b"moov" } else { b"trak" };
            [size, *kind].concat()
        })
        .collect();
    let file = [&good[..32], &nested].concat();
    assert!(matches!(all(&file), Err(VideoError::Media { .. })));
    let back = [&good[..32], &[0, 0, 0, 1], b"free", &u64::MAX.to_be_bytes()].concat();
    assert_eq!(all(&back).expect_err("refused").code(), "corrupt");
}

#[test]
fn times_before_the_first_frame_are_those_of_ffmpeg() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let source = "testsrc2=s=64x48:r=30:d=2,select='mod(n\\,3)'";
    let options = [
        "-c:v",
        "libx264",
        "-bf",
        "3",
        "-pix_fmt",
        "yuv420p",
        "-fps_mode",
        "vfr",
    ];
    for own in [
        &["-movflags", "negative_cts_offsets"][..],
        &["-output_ts_offset", "-0.5"],
    ] {
        let path = make(folder.path(), "n.mp4", source, &[&options, own].concat());
        let ours = frames(&path, &Plan::All, Decoders::Box).expect("plays");
        let theirs = frames(&path, &Plan::All, Decoders::Ffmpeg).expect("plays");
        assert_eq!(indices(&ours), indices(&theirs), "{own:?}");
        assert_eq!(ours.first().map(|f| f.time), Some(0.0), "{own:?}");
        for (a, b) in ours.iter().zip(&theirs) {
            assert!(
                (a.time - b.time).abs() < 2e-3,
                "{own:?}: {} {}",
                a.time,
                b.time
            );
            assert!(a.pixels == b.pixels, "{own:?}: frame {}", a.index);
        }
    }
}
