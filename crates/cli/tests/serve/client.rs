//! A service that runs for one test, and a client that shows whole answers.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A program that serves.
pub struct Service {
    child: Child,
    pub address: String,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// An error, which is a problem (RFC 9457) with this status and code.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text()
        );
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["code"], code, "{problem}");
        for key in ["type", "title", "detail", "request_id"] {
            assert!(!problem[key].as_str().expect(key).is_empty(), "{problem}");
        }
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        problem
    }
}

pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

pub fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(example(name)).expect("an example")
}

/// What is said of the example `generated.jpg`; that the program says the same is a test of its own.
pub const SAYS: &str = "generated";

/// A form with one file and other fields.
pub fn form(name: &str, file: &[u8], fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in fields {
        write!(
            body,
            "--XX\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
        )
        .expect("written");
    }
    body.extend(part(name, file));
    body.extend(b"--XX--\r\n");
    body
}

/// A file of a form.
pub fn part(name: &str, file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    write!(
        body,
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: image/jpeg\r\n\r\n"
    )
    .expect("written");
    body.extend(file);
    body.extend(b"\r\n");
    body
}

pub const FORM: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=XX");

impl Service {
    /// Starts the program with settings of the environment and waits until it takes work.
    pub fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let service = Self::begin(folder, settings);
        service.ready();
        service
    }

    pub fn begin(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut child = command(folder, settings)
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("`{line}`; {}", log(folder)));
        Self {
            child,
            // That of TLS is asked by another client.
            address: address
                .strip_prefix("http://")
                .unwrap_or(address)
                .to_owned(),
            output,
            folder: folder.to_owned(),
        }
    }

    /// Waits until the weights are in memory.
    pub fn ready(&self) {
        let begun = Instant::now();
        while self.get("/readyz").status != 200 {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "not ready: {}",
                log(&self.folder)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        log(&self.folder)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.ask("POST", path, headers, body)
    }

    /// A request on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        try_ask(&self.address, method, path, headers, body)
            .unwrap_or_else(|e| panic!("{method} {path}: {e}; {}", self.log()))
    }

    /// Scans a file by its form.
    pub fn scan(&self, name: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![FORM];
        all.extend(headers);
        self.post("/v1/scan", &all, &form(name, &bytes(name), &[]))
    }

    /// The job, as soon as it has ended.
    pub fn end_of(&self, id: &str, headers: &[(&str, &str)]) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.ask("GET", &format!("/v1/jobs/{id}"), headers, b"");
            assert_eq!(answer.status, 200, "{}", answer.text());
            let job = answer.json();
            if !matches!(job["state"].as_str(), Some("queued" | "running")) {
                return job;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(90),
                "{job}; {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Ends it at once, as a fault of the machine would.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits for that; its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        signal(self.child.id(), "TERM");
        let code = self.child.wait().expect("ended").code();
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("read");
        assert_eq!(rest, "", "nothing more on stdout");
        code
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

pub fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// The program with its settings; what it logs is kept.
pub fn command(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .expect("a log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_realscope"));
    command
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--jobs",
            "2",
            "--data-dir",
        ])
        .arg(folder.join("data"))
        .env("REALSCOPE_CONFIG", "/dev/null")
        // Tests ask more often than people.
        .env("REALSCOPE_SERVE_RATE", "0")
        .stderr(log);
    for (name, value) in settings {
        command.env(format!("REALSCOPE_SERVE_{}", name.to_uppercase()), value);
    }
    command
}

/// One request; the connection is closed behind it.
pub fn try_ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    // An answer may come before all was sent.
    let _ = stream.write_all(body);
    read_answer(&mut stream)
}

/// Reads an answer up to the end of the connection.
pub fn read_answer(stream: &mut TcpStream) -> std::io::Result<Answer> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => {}
        // A body that is not read to its end resets the connection behind the answer.
        Err(_) if !all.is_empty() => {}
        Err(e) => return Err(e),
    }
    let end = all.windows(4).position(|w| w == b"\r\n\r\n");
    let end =
        end.ok_or_else(|| std::io::Error::other(format!("no head in {} bytes", all.len())))?;
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|l| l.split(' ').nth(1))
        .and_then(|s| s.parse().ok());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|l| l.split_once(": "))
        .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
        .collect();
    let mut body = all[end + 4..].to_vec();
    if headers
        .get("transfer-encoding")
        .is_some_and(|v| v == "chunked")
    {
        body = unchunked(&body);
    }
    Ok(Answer {
        status: status.ok_or_else(|| std::io::Error::other("no status"))?,
        headers,
        body,
    })
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
        let size =
            usize::from_str_radix(String::from_utf8_lossy(&rest[..end]).trim(), 16).unwrap_or(0);
        let from = end + 2;
        if size == 0 || rest.len() < from + size {
            out.extend(&rest[from.min(rest.len())..(from + size).min(rest.len())]);
            break;
        }
        out.extend(&rest[from..from + size]);
        rest = &rest[(from + size + 2).min(rest.len())..];
    }
    out
}
