//! Jobs: 202, events, batches, idempotent requests, cancelling, the history, feedback, webhooks.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{FORM, SAYS, Service, bytes, form, part};

const ASYNC: (&str, &str) = ("Prefer", "respond-async");

#[test]
fn a_job_is_followed_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let answer = service.scan("generated.jpg", &[ASYNC]);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let job = answer.json();
    let id = job["id"].as_str().expect("an id");
    assert_eq!(answer.header("location"), format!("/v1/jobs/{id}"));
    let mut stream = TcpStream::connect(&service.address).expect("connects");
    write!(
        stream,
        "GET /v1/jobs/{id}/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .expect("sends");
    let mut events = String::new();
    stream.read_to_string(&mut events).expect("ends by itself");
    assert!(events.contains("text/event-stream"));
    let last = events.rsplit("event: ").next().expect("an event");
    assert!(last.starts_with("end\n"), "{events}");
    let data = last
        .lines()
        .find_map(|l| l.strip_prefix("data: "))
        .expect("data");
    let end: Value = serde_json::from_str(data).expect("a job");
    assert_eq!(
        (end["state"].as_str(), end["verdict"].as_str()),
        (Some("succeeded"), Some(SAYS))
    );
    let report = service
        .get(end["links"]["report"].as_str().expect("a report"))
        .json();
    assert_eq!(report["verdict"], SAYS);
    // What has ended is told at once.
    let begun = Instant::now();
    let again = service.get(&format!("/v1/jobs/{id}/events"));
    assert!(again.text().contains("event: end") && begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_video_and_a_large_picture_become_jobs() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[("sync_pixels", "100000")]);
    let answer = service.scan("generated.jpg", &[]);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(service.end_of(&id, &[])["state"], "succeeded");
    // An animation, which is known by its frames only.
    let mut gif = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
        for shade in [40_u8, 90, 140, 190] {
            let frame = image::RgbaImage::from_fn(96, 96, |x, y| {
                image::Rgba([shade, (x * 2) as u8, (y * 2) as u8, 255])
            });
            let delay = image::Delay::from_numer_denom_ms(200, 1);
            encoder
                .encode_frame(image::Frame::from_parts(frame, 0, 0, delay))
                .expect("encoded");
        }
    }
    let answer = service.post("/v1/scan?name=a.gif", &[], &gif);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let job = service.end_of(answer.json()["id"].as_str().expect("an id"), &[]);
    assert_eq!(job["state"], "succeeded", "{job}");
    let record = service
        .get(job["links"]["report"].as_str().expect("a report"))
        .json();
    assert_eq!(record["media"]["kind"], "video");
    // A browser gets a page that looks again.
    let page = service.ask(
        "GET",
        &format!("/v1/jobs/{id}"),
        &[("Accept", "text/html")],
        b"",
    );
    assert!(page.text().contains("/v1/reports/"), "{}", page.text());
}

#[test]
fn a_key_makes_a_retry_safe() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let key = ("Idempotency-Key", "a-retry");
    let first = service.scan("generated.jpg", &[key]);
    let second = service.scan("generated.jpg", &[key]);
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(
        first.header("realscope-job"),
        second.header("realscope-job")
    );
    assert_eq!(first.json(), second.json());
    service
        .scan("authentic.jpg", &[key])
        .problem(409, "idempotency");
    let jobs = service.get("/v1/jobs").json();
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "{jobs}");
    // Without a key it is a job of its own, with the same report.
    let third = service.scan("generated.jpg", &[]);
    assert_ne!(first.header("realscope-job"), third.header("realscope-job"));
    assert_eq!(
        first.header("realscope-report"),
        third.header("realscope-report")
    );
}

#[test]
fn a_batch_the_history_and_what_is_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[("max_batch", "3")]);
    let names = ["authentic.jpg", "generated.jpg", "authentic-2.jpg"];
    let mut body = Vec::new();
    for name in &names[..2] {
        body.extend(part(name, &bytes(name)));
    }
    body.extend(form(names[2], b"words", &[]));
    let answer = service.post("/v1/batches", &[FORM], &body);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let batch = answer.header("location").to_owned();
    let ids: Vec<String> = answer.json()["jobs"]
        .as_array()
        .expect("jobs")
        .iter()
        .map(|j| j["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(ids.len(), 3);
    let states: Vec<Value> = ids
        .iter()
        .map(|id| service.end_of(id, &[])["state"].clone())
        .collect();
    assert_eq!(states, ["succeeded", "succeeded", "failed"]);
    let counts = service.get(&batch).json()["counts"].clone();
    assert_eq!(
        (counts["succeeded"].as_u64(), counts["failed"].as_u64()),
        (Some(2), Some(1))
    );
    let four = [
        part("a", b"1"),
        part("b", b"2"),
        part("c", b"3"),
        form("d", b"4", &[]),
    ]
    .concat();
    service
        .post("/v1/batches", &[FORM], &four)
        .problem(400, "malformed");

    let found = |query: &str| -> Vec<String> {
        let page = service.get(&format!("/v1/jobs?{query}")).json();
        let names = page["jobs"].as_array().expect("jobs").iter();
        names
            .map(|j| j["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(
        found(""),
        ["authentic-2.jpg", "generated.jpg", "authentic.jpg"]
    );
    assert_eq!(found("state=failed"), ["authentic-2.jpg"]);
    assert_eq!(found("verdict=generated"), ["generated.jpg"]);
    assert_eq!(found("q=AUTH&state=succeeded"), ["authentic.jpg"]);
    assert_eq!(found("kind=video").len(), 0);
    assert_eq!(found("until=2020-01-01T00:00:00Z").len(), 0);
    let page = service.get("/v1/jobs?limit=2").json();
    let next = page["next"].as_str().expect("there is more");
    assert_eq!(found(&format!("limit=2&after={next}")), ["authentic.jpg"]);

    // Feedback, and the regression set that it makes.
    let report = service.get("/v1/jobs?verdict=generated").json()["jobs"][0]["report"].clone();
    let remark = format!("{{\"report\":{report},\"says\":\"authentic\",\"note\":\"I took it\"}}");
    let json = ("Content-Type", "application/json");
    let made = service.post("/v1/feedback", &[json], remark.as_bytes());
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["verdict"], SAYS);
    assert_eq!(
        service.get("/v1/feedback").json()["feedback"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let csv = service.get("/v1/feedback?format=csv").text();
    assert!(
        csv.starts_with("path,label,split,group\n") && csv.contains(",0,test,"),
        "{csv}"
    );

    // Forgetting takes the report and the file along; a file that a remark speaks of stays.
    assert_eq!(
        service
            .ask("DELETE", &format!("/v1/jobs/{}", ids[0]), &[], b"")
            .status,
        204
    );
    service
        .get(&format!("/v1/jobs/{}", ids[0]))
        .problem(404, "not_found");
    assert_eq!(
        service
            .ask("DELETE", &format!("/v1/jobs/{}", ids[1]), &[], b"")
            .status,
        204
    );
    let media = || -> usize {
        let shelves = std::fs::read_dir(folder.path().join("data/media/media")).expect("shelves");
        shelves
            .map(|s| {
                std::fs::read_dir(s.expect("a shelf").path())
                    .expect("files")
                    .count()
            })
            .sum()
    };
    assert_eq!(
        media(),
        2,
        "the file that failed, and the one of the remark"
    );
    let target = folder.path().join("set");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(["serve", "feedback", "export"])
        .arg(&target)
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .env("REALSCOPE_CONFIG", "/dev/null")
        .output()
        .expect("runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let manifest = std::fs::read_to_string(target.join("manifest.csv")).expect("a manifest");
    let row = manifest
        .lines()
        .nth(1)
        .expect("a row")
        .split(',')
        .collect::<Vec<_>>();
    assert_eq!(
        std::fs::read(target.join(row[0])).expect("the file"),
        bytes("generated.jpg")
    );
    let remark = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        service
            .ask("DELETE", &format!("/v1/feedback/{remark}"), &[], b"")
            .status,
        204
    );
    assert_eq!(media(), 1);
}

#[test]
fn what_is_given_up_is_not_scanned() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[("jobs", "1")]);
    let ids: Vec<String> = (0..4)
        .map(|i| {
            let mut file = bytes("generated.jpg");
            file.push(i);
            let answer = service.post("/v1/scan?draw=true", &[ASYNC], &file);
            answer.json()["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    let given_up = service.ask("DELETE", &format!("/v1/jobs/{}", ids[3]), &[], b"");
    assert_eq!(
        (given_up.status, given_up.json()["state"].as_str()),
        (200, Some("cancelled"))
    );
    assert_eq!(service.end_of(&ids[2], &[])["state"], "succeeded");
    let job = service.end_of(&ids[3], &[]);
    assert_eq!(
        (job["state"].as_str(), job["report"].as_str()),
        (Some("cancelled"), None)
    );

    // Who goes away before the answer takes the job along.
    let mut file = bytes("generated.jpg");
    file.push(99);
    let mut stream = TcpStream::connect(&service.address).expect("connects");
    let head = format!(
        "POST /v1/scan?name=left HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        file.len()
    );
    stream.write_all(head.as_bytes()).expect("sends");
    stream.write_all(&file).expect("sends");
    let begun = Instant::now();
    let left = loop {
        let jobs = service.get("/v1/jobs?q=left").json();
        if let Some(id) = jobs["jobs"][0]["id"].as_str() {
            break id.to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
    };
    drop(stream);
    let end = service.end_of(&left, &[]);
    assert!(
        matches!(end["state"].as_str(), Some("cancelled" | "succeeded")),
        "{end}"
    );
}

/// A receiver that takes what comes from the second request on; what came.
fn receiver() -> (String, std::sync::mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address").to_string();
    let (sender, requests) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (i, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
            let mut head = String::new();
            while reader.read_line(&mut head).expect("a line") > 2 {}
            let length = head.lines().find_map(|l| {
                l.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(ToOwned::to_owned)
            });
            let mut body = vec![0; length.map_or(0, |l| l.trim().parse().expect("a number"))];
            reader.read_exact(&mut body).expect("a body");
            let status = if i == 0 { "503 Busy" } else { "204 Taken" };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            if sender
                .send((head, String::from_utf8(body).expect("text")))
                .is_err()
            {
                return;
            }
        }
    });
    (address, requests)
}

#[test]
fn a_webhook_is_signed_and_sent_until_it_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, requests) = receiver();
    let service = Service::start(
        folder.path(),
        &[
            ("webhooks", "true"),
            ("webhook_secret", "a secret of some length"),
            ("hosts", "127.0.0.1"),
            ("private_hosts", "true"),
        ],
    );
    let path = format!(
        "/v1/scan?webhook=http%3A%2F%2F{}%2Fhook",
        address.replace(':', "%3A")
    );
    let answer = service.post(&path, &[ASYNC], &bytes("generated.jpg"));
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let wait = Duration::from_secs(30);
    let (first, body) = requests.recv_timeout(wait).expect("a first attempt");
    let (second, again) = requests.recv_timeout(wait).expect("a second attempt");
    assert_eq!(body, again);
    let told: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (told["id"].as_str(), told["state"].as_str()),
        (Some(id.as_str()), Some("succeeded"))
    );
    let of = |head: &str, name: &str| -> String {
        let found = head.lines().find_map(|l| {
            l.split_once(": ")
                .filter(|(n, _)| n.eq_ignore_ascii_case(name))
        });
        found.map(|(_, v)| v.trim().to_owned()).expect("a header")
    };
    for head in [first, second] {
        assert!(head.starts_with("POST /hook "), "{head}");
        assert_eq!(of(&head, "webhook-id"), id);
        let signed = format!("{id}.{}.{body}", of(&head, "webhook-timestamp"));
        assert_eq!(of(&head, "webhook-signature"), openssl(&signed));
    }
    assert!(
        requests.recv_timeout(Duration::from_secs(3)).is_err(),
        "once it was taken it is not sent again"
    );
}

/// The signature by another program's arithmetic.
fn openssl(text: &str) -> String {
    let script = "import hmac,hashlib,base64,sys;print('v1,'+base64.b64encode(hmac.new(b'a secret of some length',sys.stdin.buffer.read(),hashlib.sha256).digest()).decode())";
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 runs");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(text.as_bytes())
        .expect("written");
    let output = child.wait_with_output().expect("ends");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

#[test]
fn a_file_is_fetched_where_that_is_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address").to_string();
    let own = address.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut line = String::new();
            BufReader::new(stream.try_clone().expect("cloned"))
                .read_line(&mut line)
                .expect("a line");
            let file = bytes("generated.jpg");
            let head = match line.split(' ').nth(1).unwrap_or_default() {
                "/moved" => "302 Found\r\nLocation: /a/photo.jpg".to_owned(),
                "/out" => "302 Found\r\nLocation: http://other.example/a.jpg".to_owned(),
                "/round" => format!("302 Found\r\nLocation: http://{own}/round"),
                "/large" => "200 OK\r\nContent-Length: 99999999999".to_owned(),
                "/gone" => "404 Not Found\r\nContent-Length: 0".to_owned(),
                _ => {
                    let _ = write!(
                        stream,
                        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                        file.len()
                    );
                    let _ = stream.write_all(&file);
                    continue;
                }
            };
            let _ = write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
        }
    });
    let service = Service::start(
        folder.path(),
        &[
            ("fetch", "true"),
            ("hosts", "127.0.0.1"),
            ("private_hosts", "true"),
        ],
    );
    let fetch = |path: &str| {
        let body = format!("{{\"url\":\"http://{address}{path}\"}}");
        service.post(
            "/v1/scan",
            &[("Content-Type", "application/json")],
            body.as_bytes(),
        )
    };
    for path in ["/a/photo.jpg?x=1", "/moved"] {
        let answer = fetch(path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            (
                answer.json()["path"].as_str(),
                answer.json()["verdict"].as_str()
            ),
            (Some("photo.jpg"), Some(SAYS))
        );
    }
    fetch("/out").problem(403, "address");
    fetch("/round").problem(502, "fetch");
    fetch("/large").problem(413, "too_large");
    fetch("/gone").problem(502, "fetch");
}
