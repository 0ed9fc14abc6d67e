//! Throughput and latency: unloaded, at capacity, at twice the capacity.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Service, Watch, ask, unlike};

/// Requests of one phase.
#[derive(Default)]
struct Seen {
    /// Times of accepted requests in milliseconds.
    times: Vec<f64>,
    shed: usize,
    faults: Vec<u16>,
    elapsed: f64,
    memory: u64,
}

impl Seen {
    fn quantile(&self, share: f64) -> f64 {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        let at = (share * times.len() as f64).ceil() as usize;
        times.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    fn row(&self, name: &str) {
        println!(
            "| {name} | {} | {} | {} | {:.2} | {:.0} | {:.0} | {} |",
            self.times.len(),
            self.shed,
            self.faults.len(),
            self.times.len() as f64 / self.elapsed,
            self.quantile(0.5),
            self.quantile(0.99),
            self.memory
        );
    }
}

/// One scan; noted by its end.
fn scan(address: &str, tail: u64, seen: &Mutex<Seen>) {
    let begun = Instant::now();
    let answer = ask(address, "POST", "/v1/scan", &[], &unlike(tail));
    let time = begun.elapsed().as_secs_f64() * 1e3;
    let mut seen = seen.lock().expect("no panic");
    match answer {
        Ok((200, _)) => seen.times.push(time),
        Ok((429, _)) => seen.shed += 1,
        Ok((status, _)) => seen.faults.push(status),
        Err(_) => seen.faults.push(0),
    }
}

/// `clients` ask one request after another.
fn closed(service: &Service, clients: usize, time: Duration, tails: &AtomicU64) -> Seen {
    let (seen, watch, begun) = (
        Mutex::new(Seen::default()),
        Watch::over(service.child.id()),
        Instant::now(),
    );
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                while begun.elapsed() < time {
                    scan(
                        &service.address,
                        tails.fetch_add(1, Ordering::Relaxed),
                        &seen,
                    );
                }
            });
        }
    });
    let mut seen = seen.into_inner().expect("no panic");
    seen.elapsed = begun.elapsed().as_secs_f64();
    seen.memory = watch.mebibytes();
    seen
}

/// Requests come at a rate, whether those before were answered or not.
fn open(service: &Service, rate: f64, time: Duration, tails: &AtomicU64) -> Seen {
    let (seen, watch, begun) = (
        Mutex::new(Seen::default()),
        Watch::over(service.child.id()),
        Instant::now(),
    );
    std::thread::scope(|scope| {
        let mut due = 0.0;
        while begun.elapsed() < time {
            scope.spawn(|| {
                scan(
                    &service.address,
                    tails.fetch_add(1, Ordering::Relaxed),
                    &seen,
                )
            });
            due += 1.0 / rate;
            std::thread::sleep(Duration::from_secs_f64(due).saturating_sub(begun.elapsed()));
        }
    });
    let mut seen = seen.into_inner().expect("no panic");
    seen.elapsed = begun.elapsed().as_secs_f64();
    seen.memory = watch.mebibytes();
    seen
}

/// Prints a table; whether the service did what it promises.
pub fn run(program: &Path, seconds: usize) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(program, folder.path(), &[]);
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    let time = Duration::from_secs(seconds as u64);
    let tails = AtomicU64::new(1);
    // Workers and caches get warm.
    closed(&service, lanes, Duration::from_secs(3), &tails);
    println!(
        "| load | answered | shed (429) | faults | answers a second | p50 ms | p99 ms | memory MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let alone = closed(&service, 1, time, &tails);
    alone.row("one client");
    let full = closed(&service, lanes, time, &tails);
    full.row(&format!("1x: {lanes} clients"));
    let capacity = full.times.len() as f64 / full.elapsed;
    let twice = open(&service, 2.0 * capacity, time, &tails);
    twice.row(&format!("2x: {:.1} requests a second", 2.0 * capacity));
    let long = open(&service, 2.0 * capacity, time, &tails);
    long.row("2x, as long again");
    let faults = [&alone, &full, &twice, &long]
        .iter()
        .map(|s| s.faults.len())
        .sum::<usize>();
    println!(
        "\np99 at 2x is {:.2} times that at 1x; memory {:+} MiB from 2x to 2x again\n",
        twice.quantile(0.99) / full.quantile(0.99),
        i64::try_from(long.memory).unwrap_or(0) - i64::try_from(twice.memory).unwrap_or(0)
    );
    faults == 0 && twice.shed > 0
}
