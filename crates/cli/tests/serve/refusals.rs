//! Every refusal has its status, and is a problem in the sense of RFC 9457.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::{FORM, Service, bytes, form, part, read_answer};

/// A PNG that claims a size and ends there.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let mut crc = !0_u32;
    for byte in &chunk {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    file.extend(&chunk);
    file.extend((!crc).to_be_bytes());
    file
}

#[test]
fn files_that_cannot_be_judged() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(
        folder.path(),
        &[("max_bytes", "1000000"), ("max_video_bytes", "1500000")],
    );
    let scan = |file: &[u8]| service.post("/v1/scan", &[FORM], &form("a.jpg", file, &[]));
    let jpeg = bytes("generated.jpg");

    scan(b"these are words").problem(415, "not_a_picture");
    scan(b"%PDF-1.7\n").problem(422, "corrupt");
    scan(&jpeg[..jpeg.len() / 2]).problem(422, "truncated");
    scan(&png(30_000, 30_000)).problem(422, "limit_exceeded");
    scan(&jpeg[..64]).problem(422, "truncated");
    scan(&vec![0xff; 1_100_000]).problem(413, "too_large");
    let video = [
        &b"\0\0\0\x20ftypisom\0\0\0\0isomiso2avc1mp41"[..],
        &vec![0; 1_600_000],
    ]
    .concat();
    scan(&video).problem(413, "too_large");
    service
        .post("/v1/scan", &[FORM], &form("a.jpg", b"", &[]))
        .problem(422, "empty");

    // What has no verdict has a job that says why.
    let problem = scan(b"these are words").json();
    let job = service.end_of(problem["job"].as_str().expect("a job"), &[]);
    assert_eq!(
        (job["state"].as_str(), job["error"]["code"].as_str()),
        (Some("failed"), Some("not_a_picture"))
    );
    let partial = service.post(
        "/v1/scan?allow_truncated=true",
        &[],
        &jpeg[..jpeg.len() / 2],
    );
    assert_eq!(partial.status, 200, "{}", partial.text());
}

#[test]
fn requests_that_make_no_sense() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let jpeg = bytes("generated.jpg");
    service.get("/nowhere").problem(404, "not_found");
    service.get("/v1/jobs/nobody").problem(404, "not_found");
    service
        .get("/v1/jobs/00000000000000000000000000000000")
        .problem(404, "not_found");
    service
        .get("/v1/reports/..%2f..%2fetc%2fpasswd")
        .problem(404, "not_found");
    let wrong = service.ask("PUT", "/v1/scan", &[], b"");
    wrong.problem(405, "method");
    assert_eq!(wrong.header("allow"), "POST");
    service.post("/v1/scan", &[], b"").problem(400, "no_file");
    service
        .post("/v1/scan", &[FORM], b"--XX--\r\n")
        .problem(400, "no_file");
    service
        .post("/v1/scan", &[FORM], b"nonsense")
        .problem(400, "malformed");
    service
        .post(
            "/v1/scan",
            &[FORM],
            &form("a.jpg", &jpeg, &[("max_fpr", "2")]),
        )
        .problem(400, "malformed");
    service
        .post(
            "/v1/scan",
            &[FORM],
            &form("a.jpg", &jpeg, &[("draw", "perhaps")]),
        )
        .problem(400, "malformed");
    service
        .post(
            "/v1/scan",
            &[FORM],
            &[part("a", &jpeg), form("b", &jpeg, &[])].concat(),
        )
        .problem(400, "malformed");
    service
        .post("/v1/scan", &[("Content-Type", "multipart/form-data")], b"")
        .problem(400, "malformed");
    service
        .post("/v1/scan?draw=perhaps", &[], &jpeg)
        .problem(400, "malformed");
    service
        .post("/v1/scan", &[("Accept", "image/png")], &jpeg)
        .problem(406, "not_acceptable");
    service
        .post("/v1/scan", &[("Idempotency-Key", "")], &jpeg)
        .problem(400, "malformed");
    service
        .post("/v1/batches", &[], &jpeg)
        .problem(415, "unsupported");
    service.get("/v1/jobs?limit=0").problem(400, "malformed");
    service
        .get("/v1/jobs?since=yesterday")
        .problem(400, "malformed");
    service.get("/v1/jobs?state=gone").problem(400, "malformed");
    let json = ("Content-Type", "application/json");
    service
        .post("/v1/feedback", &[json], b"{}")
        .problem(400, "malformed");
    service
        .post("/v1/feedback", &[], b"{}")
        .problem(415, "unsupported");
    service
        .post("/v1/feedback", &[json], &vec![b' '; 100_000])
        .problem(413, "too_large");
    let nobody = br#"{"report":"00000000000000000000000000000000","says":"authentic"}"#;
    service
        .post("/v1/feedback", &[json], nobody)
        .problem(404, "not_found");
    // Off unless the settings say otherwise.
    service
        .post("/v1/scan", &[json], br#"{"url":"http://127.0.0.1/"}"#)
        .problem(403, "urls_off");
    service
        .post("/v1/scan?webhook=http%3A%2F%2F127.0.0.1%2F", &[], &jpeg)
        .problem(403, "webhooks_off");
    // Another site's page, and another site's name for this machine.
    service
        .post("/v1/scan", &[("Sec-Fetch-Site", "cross-site")], &jpeg)
        .problem(403, "cross_site");
    service
        .post("/v1/scan", &[("Origin", "http://evil.example")], &jpeg)
        .problem(403, "cross_site");
    service
        .ask("GET", "/v1/jobs", &[("Host", "evil.example")], b"")
        .problem(403, "host");
}

#[test]
fn addresses_that_lead_inside_are_not_fetched() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let inside = listener.local_addr().expect("an address");
    let service = Service::start(
        folder.path(),
        &[
            ("fetch", "true"),
            ("hosts", "127.0.0.1,localhost,allowed.invalid,[::1]"),
            ("webhooks", "true"),
            ("webhook_secret", "a secret of some length"),
        ],
    );
    let json = ("Content-Type", "application/json");
    let fetch = |url: &str| {
        service.post(
            "/v1/scan",
            &[json],
            format!("{{\"url\":\"{url}\"}}").as_bytes(),
        )
    };
    fetch(&format!("http://{inside}/")).problem(403, "address");
    fetch("http://other.example/a.jpg").problem(403, "address");
    fetch("http://[::1]/").problem(403, "address");
    fetch("http://2130706433/").problem(403, "address");
    fetch("file:///etc/passwd").problem(400, "malformed");
    fetch("http://user@allowed.invalid/").problem(400, "malformed");
    // Names are looked up, and what they lead to is checked.
    fetch(&format!("http://localhost:{}/", inside.port())).problem(502, "fetch");
    fetch("http://allowed.invalid/").problem(502, "fetch");
    let hook = format!(
        "/v1/scan?webhook=http%3A%2F%2F127.0.0.1%3A{}%2F",
        inside.port()
    );
    service
        .post(&hook, &[], &bytes("generated.jpg"))
        .problem(403, "address");
    listener.set_nonblocking(true).expect("set");
    assert!(listener.accept().is_err(), "nobody connected");
}

#[test]
fn without_a_key_it_listens_to_this_machine_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(["serve", "--listen", "0.0.0.0:0", "--data-dir"])
        .arg(folder.path().join("data"))
        .env("REALSCOPE_CONFIG", "/dev/null")
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("there is no key") && said.contains("keys add"),
        "{said}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn whoever_sends_slowly_is_let_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(
        folder.path(),
        &[
            ("header_seconds", "1"),
            ("pause_seconds", "1"),
            ("body_seconds", "3"),
            ("uploads", "2"),
        ],
    );
    // Headers that never end.
    let begun = Instant::now();
    let mut loris = TcpStream::connect(&service.address).expect("connects");
    loris
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: ")
        .expect("sends");
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut loris, &mut rest);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );

    // A body that pauses, and one that comes drop by drop.
    let head = format!(
        "POST /v1/scan HTTP/1.1\r\nHost: {}\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n",
        service.address
    );
    let begun = Instant::now();
    let mut pauses = TcpStream::connect(&service.address).expect("connects");
    pauses.write_all(head.as_bytes()).expect("sends");
    read_answer(&mut pauses)
        .expect("an answer")
        .problem(408, "slow");
    assert!(begun.elapsed() < Duration::from_secs(3));
    let begun = Instant::now();
    let mut drips = TcpStream::connect(&service.address).expect("connects");
    drips.write_all(head.as_bytes()).expect("sends");
    let mut sending = drips.try_clone().expect("cloned");
    let drops = std::thread::spawn(move || {
        while sending.write_all(b".").is_ok() && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    read_answer(&mut drips)
        .expect("an answer")
        .problem(408, "slow");
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    drop(drips);
    drops.join().expect("ends");

    // While two bodies are being read, a third is refused.
    let held: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(&service.address).expect("connects");
            stream.write_all(head.as_bytes()).expect("sends");
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let refused = service.scan("generated.jpg", &[]);
    refused.problem(429, "busy");
    assert!(!refused.header("retry-after").is_empty());
    drop(held);
    let begun = Instant::now();
    while service.scan("generated.jpg", &[]).status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(50));
    }
    // What did not come in whole is gone.
    let left = std::fs::read_dir(folder.path().join("data/incoming"))
        .expect("a folder")
        .count();
    assert_eq!(left, 0);
}
