//! Signed reports of the service, checked by `realscope verify-report`.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;

use crate::client::{Answer, Service, bytes};

/// Writes what came and checks it; exit code and what was said.
fn verified(folder: &Path, report: &Answer, name: &str, options: &[&str]) -> (Option<i32>, String) {
    std::fs::write(folder.join(name), &report.body).expect("written");
    let out = Command::new(env!("CARGO_BIN_EXE_realscope"))
        .current_dir(folder)
        .args(["verify-report", name, "--key", "key.pub"])
        .args(options)
        .env("REALSCOPE_CONFIG", "/dev/null")
        .env("REALSCOPE_DEADLINE", "600")
        .output()
        .expect("runs");
    let said = [out.stdout, out.stderr].concat();
    (
        out.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn save_key(service: &Service, folder: &Path) {
    let key = service.get("/v1/report-key");
    assert_eq!(key.status, 200, "{}", key.text());
    assert!(key.text().starts_with("-----BEGIN PUBLIC KEY-----"));
    std::fs::write(folder.join("key.pub"), &key.body).expect("written");
}

#[test]
fn a_signed_report_is_verified_by_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    std::fs::write(at.join("generated.jpg"), bytes("generated.jpg")).expect("written");
    let service = Service::start(at, &[]);
    save_key(&service, at);
    let pdf = service.post(
        "/v1/scan?name=%D0%A4%D0%BE%D1%82%D0%BE%20%E5%86%99%E7%9C%9F.jpg",
        &[("Accept", "application/pdf")],
        &bytes("generated.jpg"),
    );
    assert_eq!(pdf.status, 200, "{}", pdf.text());
    assert_eq!(pdf.header("content-type"), "application/pdf");
    let report = format!("/v1/reports/{}", pdf.header("realscope-report"));
    let again = service.ask("GET", &report, &[("Accept", "application/pdf")], b"");
    assert_eq!(again.body, pdf.body, "a report never changes");
    assert_eq!(service.get(&format!("{report}?format=pdf")).body, pdf.body);
    let html = service.get(&format!("{report}?format=signed"));
    assert_eq!(html.header("content-type"), "text/html; charset=utf-8");

    let file = ["--file", "generated.jpg"];
    for (answer, name) in [(&html, "case.html"), (&pdf, "case.pdf")] {
        let (code, said) = verified(at, answer, name, &file);
        assert_eq!(code, Some(0), "{name}: {said}");
        let sha256 = service.get("/version").json()["report_key"]["sha256"].to_string();
        assert!(said.contains(sha256.trim_matches('"')), "{said}");
    }
    // Another file is not the one of the report.
    std::fs::write(at.join("other.jpg"), bytes("authentic.jpg")).expect("written");
    let (code, said) = verified(at, &html, "case.html", &["--file", "other.jpg"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("SHA-256 of the file other.jpg"), "{said}");

    // Without pictures there is no signed report.
    let plain = service.post("/v1/scan", &[], &bytes("authentic.jpg"));
    let plain = format!(
        "/v1/reports/{}?format=signed",
        plain.header("realscope-report")
    );
    service.get(&plain).problem(404, "not_signed");
    assert_eq!(service.terminate(), Some(0));

    // The key stays that of the installation.
    let key = std::fs::read(at.join("key.pub")).expect("a key");
    let service = Service::start(at, &[]);
    save_key(&service, at);
    assert_eq!(std::fs::read(at.join("key.pub")).expect("a key"), key);
    assert_eq!(
        service.get(&format!("{report}?format=signed")).body,
        html.body
    );
}

#[test]
fn one_picture_of_a_file_is_verified_as_that() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let picture = |name: &str| {
        let base64 = base64::engine::general_purpose::STANDARD.encode(bytes(name));
        format!("<image width=\"9\" height=\"9\" href=\"data:image/jpeg;base64,{base64}\"/>")
    };
    let drawing = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\">{}{}</svg>",
        picture("authentic.jpg"),
        picture("generated.jpg")
    );
    std::fs::write(at.join("two.svg"), &drawing).expect("written");
    let service = Service::start(at, &[]);
    save_key(&service, at);
    let asked = service.post("/v1/scan?draw=true", &[], drawing.as_bytes());
    let problem = asked.problem(422, "parts");
    let part = problem["parts"][1].as_str().expect("a second picture");
    let part = part
        .split_whitespace()
        .next()
        .expect("a name")
        .replace('#', "");
    let query = format!("/v1/scan?name=two.svg&part={}", part.replace('=', "%3D"));
    let scanned = service.post(&query, &[("Accept", "text/html")], drawing.as_bytes());
    assert_eq!(scanned.status, 200, "{}", scanned.text());
    let report = scanned.header("realscope-report");
    let html = service.get(&format!("/v1/reports/{report}?format=signed"));
    let (code, said) = verified(at, &html, "case.html", &["--file", "two.svg"]);
    assert_eq!(code, Some(0), "{said}");
}
