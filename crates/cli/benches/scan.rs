//! Scan: time and memory as ratios in one run.
//!
//! `cargo bench -p realscope-cli` prints, each as a median: the complete record of a 12-megapixel JPEG
//! against decoding alone; the first verdict on a small picture against `--version`; a report with maps against
//! records alone; peak memory; 200 small files, on one core and on all, with one job and with
//! more; memory of the pipeline over many files (`REALSCOPE_BENCH_FILES`, 2,000).

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{PROGRAM, command, install_trivial, median, memory, seconds_of};
use image::RgbImage;
use realscope_delivery::{Subsampling, encode_jpeg};
use serde_json::Value;

/// Smooth shapes with grain: compresses about as a photograph does.
fn picture(width: u32, height: u32) -> RgbImage {
    let mut state = 1_u32;
    RgbImage::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (state >> 28) as f32 - 8.0;
        let (u, v) = (x as f32 / 61.0, y as f32 / 47.0);
        image::Rgb(std::array::from_fn(|c| {
            let wave = (u + c as f32).sin() * (v * 0.7).cos() + (u * 0.13 * v).sin();
            (128.0 + 50.0 * wave + grain).clamp(0.0, 255.0) as u8
        }))
    })
}

fn write(folder: &Path, name: &str, width: u32, height: u32) -> PathBuf {
    let path = folder.join(name);
    let bytes = encode_jpeg(&picture(width, height), 88, Subsampling::S420).expect("encodes");
    std::fs::write(&path, bytes).expect("written");
    path
}

fn seconds(args: &[&str], times: usize) -> f64 {
    seconds_of(|| command(args), times)
}

fn main() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path();
    let large = write(root, "large.jpg", 4000, 3000);
    let small = write(root, "small.jpg", 256, 256);
    let text = |p: &Path| p.to_string_lossy().into_owned();

    let copies: Vec<String> = (0..7)
        .map(|i| {
            let path = root.join(format!("large-{i}.jpg"));
            std::fs::hard_link(&large, &path).expect("linked");
            text(&path)
        })
        .collect();
    let output = Command::new(PROGRAM)
        .args(["scan", "--quiet", "--format", "ndjson", "--jobs", "1"])
        .args(&copies)
        .output()
        .expect("runs");
    let records: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).expect("record"))
        .collect();
    let stage = |name: &str| {
        median(
            records
                .iter()
                .map(|r| r["timing_ms"][name].as_f64().expect("timed"))
                .collect(),
        )
    };
    let bytes = std::fs::read(&large).expect("file");
    let alone = median(
        (0..7)
            .map(|_| {
                let begun = Instant::now();
                realscope_media::decode(&bytes, &Default::default(), &Default::default())
                    .expect("decodes");
                begun.elapsed().as_secs_f64() * 1e3
            })
            .collect(),
    );
    println!(
        "12 megapixels, complete record: {:.0} ms, {:.2} of decoding alone ({alone:.0} ms; in the worker {:.0} ms, \
         score {:.0} ms, explain {:.0} ms)",
        stage("total"),
        stage("total") / alone,
        stage("decode"),
        stage("score"),
        stage("explain"),
    );

    let small_path = text(&small);
    let version = seconds(&["--version"], 15);
    let first = seconds(&["scan", "--quiet", &small_path], 15);
    println!(
        "start to first verdict: {:.0} ms, {:.1} times `--version` ({:.1} ms)",
        first * 1e3,
        first / version,
        version * 1e3
    );
    for (what, files) in [
        (
            "one picture of 12 megapixels",
            std::slice::from_ref(&copies[0]),
        ),
        ("four pictures of 12 megapixels", &copies[..4]),
    ] {
        let scan = |format| {
            let start = ["scan", "--quiet", "--format", format];
            let args: Vec<&str> = start
                .into_iter()
                .chain(files.iter().map(String::as_str))
                .collect();
            seconds(&args, 5)
        };
        let (records, report) = (scan("ndjson"), scan("html"));
        println!(
            "{what}, start to end: records {records:.2} s, report with maps {report:.2} s, {:.2} times as long",
            report / records
        );
    }
    for (what, format) in [("record", "ndjson"), ("report", "html")] {
        let (peak, _) = memory(command(&[
            "scan", "--quiet", "--format", format, &copies[0],
        ]));
        println!(
            "peak memory, {what} of a picture of 12 megapixels, program and worker: {peak:.0} MiB"
        );
    }

    let many = root.join("many");
    std::fs::create_dir(&many).expect("folder");
    for i in 0..200 {
        std::fs::hard_link(&small, many.join(format!("{i}.jpg"))).expect("linked");
    }
    let many = text(&many);
    let args = ["scan", "--quiet", &many];
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let all = seconds(&args, 1);
    let single = || {
        let mut on_one = Command::new("taskset");
        on_one
            .args(["-c", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let inner = command(&args);
        on_one.arg(inner.get_program()).args(inner.get_args());
        for (key, value) in inner.get_envs() {
            on_one.env(key, value.unwrap_or_default());
        }
        on_one
    };
    if single()
        .arg("--help")
        .output()
        .is_ok_and(|o| o.status.success())
    {
        let one = seconds_of(single, 1);
        println!(
            "200 small files: one core {one:.2} s, {cores} cores {all:.2} s, efficiency {:.2}",
            one / (cores as f64 * all)
        );
    } else {
        println!("200 small files: {cores} cores {all:.2} s; one core not measured (no `taskset`)");
    }
    let one_job = seconds(&["scan", "--quiet", "--jobs", "1", &many], 1);
    println!(
        "200 small files: one job {:.1} a second, {cores} jobs {:.1}, {:.2} times as many",
        200.0 / one_job,
        200.0 / all,
        one_job / all
    );

    let files: usize = std::env::var("REALSCOPE_BENCH_FILES")
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(2000);
    let home = tempfile::tempdir().expect("folder");
    install_trivial(home.path());
    let crowd = root.join("crowd");
    std::fs::create_dir(&crowd).expect("folder");
    for i in 0..files {
        std::fs::hard_link(&small, crowd.join(format!("{i}.jpg"))).expect("linked");
    }
    let crowd = text(&crowd);
    let mut scan = command(&["scan", "--quiet", "--detector", "trivial", &crowd]);
    scan.env("REALSCOPE_HOME", home.path());
    let (peak, early) = memory(scan);
    println!(
        "{files} files through the pipeline alone: peak {peak:.0} MiB, {:.2} of the first tenth's",
        peak / early
    );
}
