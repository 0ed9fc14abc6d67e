//! What the service answers is what the program says.

use std::process::Command;

use serde_json::Value;

use crate::client::{FORM, SAYS, Service, bytes, example, form};

/// A record without what differs from run to run.
fn settled(mut record: Value) -> Value {
    record["timing_ms"] = Value::Null;
    record["path"] = Value::Null;
    // The hash of the settings covers limits, which differ from those of one file.
    record["tool"]["config_sha256"] = Value::Null;
    record
}

fn program(args: &[&str], name: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_realscope"))
        .arg("scan")
        .args(args)
        .arg(example(name))
        .env("REALSCOPE_CONFIG", "/dev/null")
        .output()
        .expect("runs");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_example_gets_the_program_s_record_and_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    for name in ["authentic.jpg", "authentic-2.jpg", "generated.jpg"] {
        let record: Value =
            serde_json::from_str(&program(&["--format", "ndjson"], name)).expect("a record");
        let answer = service.scan(name, &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.json()["path"], name);
        assert_eq!(settled(answer.json()), settled(record), "{name}");

        let text = program(&[], name).replace(&example(name).display().to_string(), name);
        let answer = service.scan(name, &[("Accept", "text/plain")]);
        assert_eq!((answer.status, answer.text()), (200, text), "{name}");
        assert_eq!(
            answer.header("realscope-cached"),
            "true",
            "the same bytes are not scanned twice"
        );

        let raw = service.post("/v1/scan?name=..%2Fa%2Fb.jpg", &[], &bytes(name));
        assert_eq!(
            (raw.status, raw.json()["path"].as_str()),
            (200, Some("b.jpg")),
            "a name is no path"
        );
    }
}

#[test]
fn a_browser_without_a_script_reads_a_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let browser = (
        "Accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    );
    let page = service.ask("GET", "/", &[browser], b"");
    assert!(
        page.status == 200 && page.text().contains("enctype=\"multipart/form-data\""),
        "{}",
        page.text()
    );
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    assert_eq!(page.header("x-content-type-options"), "nosniff");

    let file = bytes("generated.jpg");
    let own = [FORM, browser, ("Sec-Fetch-Site", "same-origin")];
    let report = service.post("/v1/scan", &own, &form("g.jpg", &file, &[]));
    assert_eq!(report.status, 200, "{}", report.text());
    assert_eq!(report.header("content-type"), "text/html; charset=utf-8");
    let text = report.text();
    assert!(
        text.contains("data:image/jpeg") && text.contains("What this does not mean"),
        "{text:.2000}"
    );
    let empty = service.post("/v1/scan", &own, b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n--XX--\r\n");
    assert_eq!(
        (empty.status, empty.header("content-type")),
        (400, "text/html; charset=utf-8")
    );

    // A drawn report has its pictures.
    let id = report.header("realscope-report").to_owned();
    for (name, magic) in [
        ("picture.jpg", &b"\xff\xd8\xff"[..]),
        ("map.png", b"\x89PNG"),
        ("spectrum.png", b"\x89PNG"),
        ("ela.png", b"\x89PNG"),
        ("noise.png", b"\x89PNG"),
        ("npr.png", b"\x89PNG"),
        ("ghost.png", b"\x89PNG"),
    ] {
        let picture = service.get(&format!("/v1/reports/{id}/pictures/{name}"));
        assert!(
            picture.status == 200 && picture.body.starts_with(magic),
            "{name}: {}",
            picture.status
        );
    }
    service
        .get(&format!("/v1/reports/{id}/pictures/..%2F..%2Fstate.sqlite"))
        .problem(404, "not_found");
    let media = service.get(&format!("/v1/reports/{id}/media"));
    assert!(
        media.body == file
            && media
                .header("content-disposition")
                .starts_with("attachment")
    );
    let json = service.get(&format!("/v1/reports/{id}"));
    assert!(json.json()["masks"].is_array());
    let text = service.get(&format!("/v1/reports/{id}?format=text&explain=true"));
    assert!(text.text().contains("What this does not mean"));
}

#[test]
fn the_page_and_its_files_are_in_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let page = service.get("/");
    let text = page.text();
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self';") && !policy.contains("unsafe"),
        "{policy}"
    );
    // No script and no style stands in the page itself.
    assert!(!text.contains("<style") && !text.contains(" style="));
    let scripts: Vec<&str> = text.split("<script").skip(1).collect();
    assert!(scripts.len() == 1 && scripts[0].starts_with(" src=\"/assets/app.js?v="));
    for (name, kind) in [
        ("app.js", "text/javascript; charset=utf-8"),
        ("app.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let address = text
            .split('"')
            .find(|part| part.starts_with(&format!("/assets/{name}?v=")))
            .unwrap_or_else(|| panic!("{name} is not in {text}"));
        let file = service.get(address);
        assert_eq!((file.status, file.header("content-type")), (200, kind));
        assert!(!file.body.is_empty());
        assert_eq!(
            file.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        let tag = file.header("etag");
        assert!(
            address.ends_with(tag.trim_matches('"')),
            "{address}: {tag} is the hash of the content"
        );

        // By its bare name a file is asked for again each time, and sent when it has changed.
        let bare = format!("/assets/{name}");
        let again = service.get(&bare);
        assert_eq!(again.header("cache-control"), "no-cache");
        assert_eq!(again.body, file.body);
        let held = service.ask("GET", &bare, &[("If-None-Match", tag)], b"");
        assert_eq!((held.status, held.body.len()), (304, 0));
        assert_eq!(held.header("etag"), tag);
        let other = service.ask("GET", &bare, &[("If-None-Match", "\"other\"")], b"");
        assert_eq!(other.status, 200);
        let head = service.ask("HEAD", address, &[], b"");
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), file.body.len().to_string());
        service.ask("POST", &bare, &[], b"").problem(405, "method");
    }
    for path in ["/assets/none.js", "/assets/..%2Fapp.js", "/assets/"] {
        service.get(path).problem(404, "not_found");
    }
    assert!(
        service
            .get("/assets/third-party.txt")
            .text()
            .contains("MIT License")
    );
}

#[test]
fn the_interface_describes_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let document = service.get("/openapi.json").json();
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|v| v.starts_with("3.1"))
    );
    let paths = document["paths"].as_object().expect("paths");
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            let path = path.replace("{id}", "x").replace("{name}", "x");
            let answer = service.ask(&method.to_uppercase(), &path, &[], b"");
            assert_ne!(
                answer.status, 405,
                "{method} {path} is described and not there"
            );
            assert!(answer.status < 500, "{method} {path}: {}", answer.text());
        }
    }
    // Every reference leads somewhere.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(
                    map.get("$ref")
                        .and_then(Value::as_str)
                        .map(ToOwned::to_owned),
                );
                map.values().for_each(|v| references(v, found));
            }
            Value::Array(all) => all.iter().for_each(|v| references(v, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference within");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let record = service.scan("generated.jpg", &[]).json();
    let schema = serde_json::json!({"$ref": "#/components/schemas/Record", "components": document["components"]});
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&record));

    let docs = service.get("/docs");
    assert!(docs.text().contains("/v1/scan") && !docs.text().contains("<script"));
    assert_eq!(service.get("/healthz").text(), "ok\n");
    assert_eq!(service.get("/version").json()["tool"]["name"], "realscope");
    let models = service.get("/v1/models").json();
    assert!(
        models["models"]
            .as_array()
            .is_some_and(|m| m.iter().any(|m| m["id"] == models["in_use"]))
    );
    assert_eq!(service.get("/v2/health/live").json()["live"], true);
    assert_eq!(service.get("/v2/health/ready").json()["ready"], true);
    assert_eq!(
        service.get("/v2/models/default/ready").json()["ready"],
        true
    );
    assert_eq!(
        service.get("/v2/models/default").json()["outputs"][0]["name"],
        "verdict"
    );
    service.get("/v2/models/other").problem(404, "not_found");

    let measures = service.get("/metrics").text();
    for name in [
        "realscope_requests_total{method=\"POST\",route=\"/v1/scan\",status=\"200\"}",
        "realscope_verdicts_total",
        "realscope_stage_seconds_bucket",
        "realscope_depth",
        "realscope_score_bucket",
    ] {
        assert!(measures.contains(name), "{name} is missing in {measures}");
    }
    let foreign = measures
        .lines()
        .filter(|l| !l.starts_with('#') && !l.starts_with("realscope_"));
    assert_eq!(foreign.count(), 0);
}

#[test]
fn it_speaks_tls_where_a_certificate_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-out",
        ])
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output();
    if !made.is_ok_and(|o| o.status.success())
        || Command::new("curl").arg("--version").output().is_err()
    {
        eprintln!("SKIPPED: this takes openssl and curl");
        return;
    }
    let text = |p: &std::path::Path| p.display().to_string();
    let settings = [
        ("tls_certificate", text(&certificate)),
        ("tls_key", text(&key)),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let service = Service::begin(folder.path(), &settings);
    assert!(
        service.address.starts_with("https://127.0.0.1:"),
        "{}",
        service.address
    );
    let file = format!("file=@{}", example("generated.jpg").display());
    let curl = |args: &[&str]| {
        let output = Command::new("curl")
            .args([
                "-sS",
                "--retry",
                "100",
                "--retry-delay",
                "0",
                "--retry-all-errors",
                "--cacert",
            ])
            .arg(&certificate)
            .args(args)
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    };
    let ready = curl(&["-f", &format!("{}/readyz", service.address)]);
    assert!(ready.starts_with("ready\n"), "{ready}");
    let verdict = curl(&[
        "-H",
        "Accept: text/plain",
        "-F",
        &file,
        &format!("{}/v1/scan", service.address),
    ]);
    assert!(verdict.starts_with(SAYS), "{verdict}");
}

#[test]
fn a_health_check_asks_the_service_on_this_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[]);
    let check = |listen: &str| {
        let status = Command::new(env!("CARGO_BIN_EXE_realscope"))
            .args(["serve", "health"])
            .env("REALSCOPE_CONFIG", "/dev/null")
            .env("REALSCOPE_SERVE_LISTEN", listen)
            .status();
        status.expect("runs").code()
    };
    let port = service
        .address
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    assert_eq!(check(&service.address), Some(0));
    assert_eq!(check(&format!("0.0.0.0:{port}")), Some(0));
    drop(service);
    assert_eq!(check(&format!("127.0.0.1:{port}")), Some(1));
}

#[test]
fn the_reference_of_settings_is_up_to_date() {
    let output = Command::new(env!("CARGO_BIN_EXE_realscope"))
        .args(["serve", "settings"])
        .env("REALSCOPE_CONFIG", "/dev/null")
        .output()
        .expect("runs");
    let written = example("../docs/service-settings.md");
    let written = std::fs::read_to_string(written).expect("the page");
    assert_eq!(
        written,
        String::from_utf8(output.stdout).expect("text"),
        "realscope serve settings > docs/service-settings.md"
    );
}
