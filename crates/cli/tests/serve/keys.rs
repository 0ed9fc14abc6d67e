//! Keys: who may what, and who sees whose.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::client::{Service, bytes};

/// A command of `serve keys`; what it prints.
fn keys(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(["serve", "keys"])
        .args(args)
        .arg("--data-dir")
        .arg(folder.join("data"))
        .env("REALSCOPE_CONFIG", "/dev/null")
        .output()
        .expect("runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

#[test]
fn a_key_opens_what_its_scopes_say_and_its_owner_s_things_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let scan = keys(
        folder.path(),
        &["add", "desk", "--scope", "scan,read", "--owner", "newsroom"],
    );
    let read = keys(
        folder.path(),
        &["add", "reader", "--scope", "read", "--owner", "newsroom"],
    );
    let other = keys(folder.path(), &["add", "other", "--scope", "scan,read"]);
    let admin = keys(folder.path(), &["add", "root", "--scope", "admin"]);
    assert!(scan.starts_with("rs_") && scan.len() > 50);
    let service = Service::start(folder.path(), &[]);
    let file = bytes("generated.jpg");
    let (scan, read, other, admin) = (bearer(&scan), bearer(&read), bearer(&other), bearer(&admin));
    let with = |key: &str, method: &str, path: &str, body: &[u8]| {
        service.ask(
            method,
            path,
            &[("Authorization", key), ("Content-Type", "application/json")],
            body,
        )
    };
    let upload = |key: &str| service.post("/v1/scan", &[("Authorization", key)], &file);

    let refused = service.post("/v1/scan", &[], &file);
    refused.problem(401, "no_key");
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer realm=\"realscope\""
    );
    let browser = service.ask("GET", "/v1/jobs", &[("Accept", "text/html")], b"");
    assert!(
        browser.status == 401 && browser.header("www-authenticate").starts_with("Basic"),
        "a browser asks its user"
    );
    upload("Bearer rs_000000000000_nonsense").problem(401, "unknown_key");
    upload("Bearer nonsense").problem(401, "unknown_key");
    service.get("/metrics").problem(401, "no_key");
    assert_eq!(service.get("/healthz").status, 200);
    assert_eq!(service.get("/assets/app.js").status, 200);
    assert_eq!(service.get("/openapi.json").status, 200);

    upload(&read).problem(403, "scope");
    let answer = upload(&scan);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (job, report) = (
        answer.header("realscope-job").to_owned(),
        answer.header("realscope-report").to_owned(),
    );
    let job_path = format!("/v1/jobs/{job}");
    let report_path = format!("/v1/reports/{report}");
    for key in [&scan, &read] {
        assert_eq!(with(key, "GET", &job_path, b"").status, 200);
        assert_eq!(with(key, "GET", &report_path, b"").status, 200);
    }
    for path in [
        &job_path,
        &report_path,
        &format!("{report_path}/media"),
        &format!("{job_path}/events"),
    ] {
        with(&other, "GET", path, b"").problem(404, "not_found");
    }
    with(&other, "DELETE", &job_path, b"").problem(404, "not_found");
    assert_eq!(
        with(&other, "GET", "/v1/jobs", b"").json()["jobs"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );
    let own = upload(&other);
    assert_eq!(
        own.header("realscope-cached"),
        "",
        "another owner's results are not shared"
    );
    with(&read, "DELETE", &job_path, b"").problem(403, "scope");
    for (method, path) in [
        ("GET", "/v1/keys"),
        ("GET", "/v1/audit"),
        ("GET", "/metrics"),
    ] {
        with(&scan, method, path, b"").problem(403, "scope");
        assert_eq!(with(&admin, method, path, b"").status, 200, "{path}");
    }
    assert_eq!(
        with(&read, "GET", "/v1/me", b"").json()["owner"],
        "newsroom"
    );

    // Over HTTP: made, listed without secrets, rotated, revoked.
    let made = with(
        &admin,
        "POST",
        "/v1/keys",
        br#"{"name":"new","scopes":["read"]}"#,
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let (id, secret) = (made.json()["id"].clone(), made.json()["key"].clone());
    let (id, secret) = (
        id.as_str().expect("id").to_owned(),
        secret.as_str().expect("key").to_owned(),
    );
    assert!(secret.contains(&id));
    let listed = with(&admin, "GET", "/v1/keys", b"").text();
    assert!(listed.contains(&id) && !listed.contains(&secret));
    let rotated = with(&admin, "POST", &format!("/v1/keys/{id}/rotate"), b"").json();
    let rotated = rotated["key"].as_str().expect("key").to_owned();
    with(&bearer(&secret), "GET", "/v1/jobs", b"").problem(401, "unknown_key");
    assert_eq!(with(&bearer(&rotated), "GET", "/v1/jobs", b"").status, 200);
    assert_eq!(
        with(&admin, "DELETE", &format!("/v1/keys/{id}"), b"").status,
        204
    );
    with(&bearer(&rotated), "GET", "/v1/jobs", b"").problem(401, "unknown_key");
    with(&admin, "DELETE", &format!("/v1/keys/{id}"), b"").problem(404, "not_found");
    with(
        &admin,
        "POST",
        "/v1/keys",
        br#"{"name":"","scopes":["read"]}"#,
    )
    .problem(400, "malformed");
    with(
        &admin,
        "POST",
        "/v1/keys",
        br#"{"name":"x","scopes":["root"]}"#,
    )
    .problem(400, "malformed");

    // The audit log says who asked what, and no log has a secret.
    std::thread::sleep(std::time::Duration::from_millis(600));
    let audit = with(&admin, "GET", "/v1/audit", b"").json();
    let entries = audit["entries"].as_array().expect("entries").clone();
    let scanned: Vec<&Value> = entries
        .iter()
        .filter(|e| e["job"] == job.as_str() && e["method"] == "POST")
        .collect();
    assert_eq!(scanned.len(), 1, "{audit}");
    assert_eq!(
        (scanned[0]["owner"].as_str(), scanned[0]["status"].as_u64()),
        (Some("newsroom"), Some(200))
    );
    assert!(entries.iter().any(|e| e["status"] == 401 && e["key"] == ""));
    let log = service.log();
    for key in [&scan, &read, &other, &admin] {
        // `Bearer rs_NAME_SECRET`; the secret may have underscores of its own.
        let secret = key.splitn(3, '_').last().expect("a secret");
        assert!(secret.len() > 30);
        assert!(!log.contains(secret) && !audit.to_string().contains(secret));
    }
    let line: Value = serde_json::from_str(
        log.lines()
            .find(|l| l.contains("answered"))
            .expect("a line"),
    )
    .expect("JSON");
    assert!(
        line["span"]["id"].is_string() && line["fields"]["status"].is_u64(),
        "{line}"
    );

    // A browser gives the key as a password.
    let basic = base64(&format!("anyone:{}", read.trim_start_matches("Bearer ")));
    let answer = service.ask(
        "GET",
        "/v1/me",
        &[("Authorization", &format!("Basic {basic}"))],
        b"",
    );
    assert_eq!(answer.status, 200);
    assert!(keys(folder.path(), &["list"]).contains("reader"));
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits =
            three.iter().fold(0_u32, |b, c| (b << 8) | u32::from(*c)) << (8 * (3 - three.len()));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= three.len() { digit as char } else { '=' });
        }
    }
    out
}

#[test]
fn the_first_key_can_make_others_and_too_many_requests_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let json = ("Content-Type", "application/json");
    service
        .post("/v1/keys", &[json], br#"{"name":"x","scopes":["read"]}"#)
        .problem(409, "first_key");
    service
        .post(
            "/v1/keys",
            &[json],
            br#"{"name":"x","scopes":["admin"],"rate":2147483648}"#,
        )
        .problem(400, "malformed");
    let made = service.post(
        "/v1/keys",
        &[json],
        br#"{"name":"x","scopes":["admin"],"rate":60}"#,
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let key = bearer(made.json()["key"].as_str().expect("a key"));
    service.get("/v1/jobs").problem(401, "no_key");
    // Ten seconds' worth at once.
    let mut statuses = Vec::new();
    for _ in 0..14 {
        statuses.push(service.ask("GET", "/v1/jobs", &[("Authorization", &key)], b""));
    }
    let refused = statuses
        .iter()
        .find(|a| a.status != 200)
        .expect("one is refused");
    refused.problem(429, "rate");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(statuses.iter().filter(|a| a.status == 200).count() >= 10);
}
