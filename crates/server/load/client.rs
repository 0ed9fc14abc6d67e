//! The program under test, and requests to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A program that serves.
pub struct Service {
    pub child: Child,
    pub address: String,
}

/// An answer: status and body.
pub type Answer = (u16, String);

impl Service {
    /// Starts it and waits until it takes work.
    pub fn start(program: &Path, folder: &Path, settings: &[(&str, &str)]) -> Self {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("log"));
        let mut command = Command::new(program);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.join("data"))
            .env("REALSCOPE_CONFIG", "/dev/null")
            .env("REALSCOPE_SERVE_RATE", "0")
            .stdout(Stdio::piped())
            .stderr(log.expect("a log"));
        for (name, value) in settings {
            command.env(format!("REALSCOPE_SERVE_{name}"), value);
        }
        let mut child = command.spawn().expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .expect("an address")
            .to_owned();
        let begun = Instant::now();
        while !matches!(ask(&address, "GET", "/readyz", &[], b""), Ok((200, _))) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "it does not get ready"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, address }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One request on a connection of its own.
pub fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    // An answer may come before all was sent.
    let _ = stream.write_all(body);
    let mut all = Vec::new();
    let read = stream.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all).into_owned();
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok());
    match (status, read) {
        (Some(status), _) => {
            let body = text.split_once("\r\n\r\n").map(|(_, b)| b.to_owned());
            Ok((status, body.unwrap_or_default()))
        }
        (None, Err(e)) => Err(e),
        (None, Ok(_)) => Err(std::io::Error::other("no answer")),
    }
}

/// The text of a key in JSON, without a parser: ids and words have no escapes.
pub fn text_of<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    let from = json.find(&format!("\"{key}\":\""))? + key.len() + 4;
    json.get(from..)?.split('"').next()
}

/// Memory of a process and of its children in KiB: the service and its decoding workers.
pub fn memory(process: u32) -> u64 {
    let resident = |id: u32| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(0)
    };
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let children: u64 = tasks
        .filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok())
        .flat_map(|c| {
            c.split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<u32>>()
        })
        .map(resident)
        .sum();
    resident(process) + children
}

/// Watches memory until it is dropped or asked.
pub struct Watch {
    most: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub fn over(process: u32) -> Self {
        let (most, over) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (shared, end) = (Arc::clone(&most), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                shared.fetch_max(memory(process), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Self {
            most,
            over,
            thread: Some(thread),
        }
    }

    /// The most that was seen, in MiB.
    pub fn mebibytes(mut self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.most.load(Ordering::Relaxed) / 1024
    }
}

/// A picture like no other: the example with a tail.
pub fn unlike(tail: u64) -> Vec<u8> {
    let example = include_bytes!("../../../examples/generated.jpg");
    [&example[..], &tail.to_le_bytes()].concat()
}
