//! Signed reports through the program: a round trip, and every kind of tampering named as what it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use insta::assert_snapshot;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn realscope(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_realscope"))
        .current_dir(folder)
        .args(args)
        .env("REALSCOPE_CONFIG", "/dev/null")
        .env("REALSCOPE_DEADLINE", "600")
        .env("REALSCOPE_HOME", folder.join("no-models"))
        .output()
        .expect("runs")
}

fn told(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// A folder with a key, a picture and its report.
fn case(pictures: &[&str], options: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let at = folder.path();
    for picture in pictures {
        let name = Path::new(picture).file_name().expect("a name");
        std::fs::copy(root().join(picture), at.join(name)).expect("copied");
    }
    assert_eq!(
        realscope(at, &["keygen", "-o", "key.pem"]).status.code(),
        Some(0)
    );
    let names: Vec<&str> = pictures
        .iter()
        .filter_map(|p| Path::new(p).file_name()?.to_str())
        .collect();
    let out = realscope(
        at,
        &[
            &["report", "-o", "case.html", "--sign", "key.pem", "-q"],
            names.as_slice(),
            options,
        ]
        .concat(),
    );
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    folder
}

/// The check of `case.html`: exit code and what it said.
fn verify(at: &Path, options: &[&str]) -> (i32, String) {
    let out = realscope(at, &[&["verify-report", "case.html"], options].concat());
    (out.status.code().unwrap_or(-1), told(&out))
}

/// The name of the first difference of a changed report.
fn difference(at: &Path, html: &str) -> String {
    std::fs::write(at.join("changed.html"), html).expect("written");
    let options = [
        "verify-report",
        "changed.html",
        "--key",
        "key.pem.pub",
        "--format",
        "json",
    ];
    let out = realscope(at, &options);
    assert_eq!(out.status.code(), Some(1), "{}", told(&out));
    let found: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(found["verified"], false);
    found["difference"]["what"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// What stands between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).expect("a start").1;
    rest.split_once(end).expect("an end").0
}

const EXTRACT: &str = "<template id=\"realscope-extract\">";
const SIGNATURE: &str = "<template id=\"realscope-signature\">";

#[test]
fn a_report_travels_and_every_change_is_named() {
    let folder = case(&["examples/generated.jpg"], &[]);
    let at = folder.path();
    let html = std::fs::read_to_string(at.join("case.html")).expect("a report");
    let key = ["--key", "key.pem.pub"];

    let (code, said) = verify(at, &[key.as_slice(), &["--file", "generated.jpg"]].concat());
    assert_eq!(code, 0, "{said}");
    let print = between(&said, "(", ")").to_owned();
    assert_snapshot!("verified", said.replace(&print, "[sha256]"));

    // Without a named key nothing is called verified.
    let (code, said) = verify(at, &["--file", "generated.jpg"]);
    assert_eq!(code, 4);
    assert!(
        !said.contains("verified:") && said.contains("unknown key"),
        "{said}"
    );

    // One character of the page.
    let shown = format!("<h2>{}</h2>", between(&html, "<h2>", "</h2>"));
    let page = html.replacen(&shown, "<h2>Looks authentic</h2>", 1);
    assert_ne!(page, html);
    assert!(difference(at, &page).starts_with("page, line "));
    // One byte behind the page.
    assert!(difference(at, &format!("{html} ")).starts_with("form of the report, line "));
    // The same extract, spelled otherwise.
    let spelled = html.replacen("{\"configuration\":", "{ \"configuration\":", 1);
    assert_eq!(difference(at, &spelled), "canonical form of the extract");
    let spelled = html.replacen("&gt;", ">", 1);
    if spelled.find(EXTRACT) != html.find(EXTRACT) {
        assert!(difference(at, &spelled).starts_with("page, line "));
    }
    // A fact of the extract.
    let extract = between(&html, EXTRACT, "</template>");
    let verdict = format!(
        "\"verdict\":\"{}\"",
        between(extract, "\"verdict\":\"", "\"")
    );
    let other = extract.replacen(&verdict, "\"verdict\":\"no_evidence\"", 1);
    assert_ne!(other, extract);
    assert_eq!(
        difference(at, &html.replacen(extract, &other, 1)),
        "signature"
    );
    // A byte of a picture on the page.
    let picture = between(&html, "src=\"data:image/jpeg;base64,", "\"");
    let middle = picture.len() / 2;
    let byte = if picture.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    let other = format!("{}{byte}{}", &picture[..middle], &picture[middle + 1..]);
    assert_eq!(
        difference(at, &html.replacen(picture, &other, 1)),
        "figure 1 of generated.jpg"
    );
    // The signature.
    let signature = between(&html, SIGNATURE, "</template>");
    let other: String = signature.chars().rev().collect();
    assert_eq!(
        difference(at, &html.replacen(signature, &other, 1)),
        "signature"
    );
    // The key in the extract.
    let own = between(&html, "\"public_key\":\"", "\"");
    let other: String = format!("{}={}", own[..43].chars().rev().collect::<String>(), "");
    // It stands on the page, too.
    let shown = difference(at, &html.replacen(own, &other, 1));
    assert!(shown.starts_with("page, line "), "{shown}");
    let [own, other] = [own, &other].map(|key| format!("\"public_key\":\"{key}"));
    let changed = difference(at, &html.replacen(&own, &other, 1));
    assert!(
        ["key", "signature"].contains(&changed.as_str()),
        "{changed}"
    );

    // Another signer.
    assert_eq!(
        realscope(at, &["keygen", "-o", "other.pem"]).status.code(),
        Some(0)
    );
    let (code, said) = verify(at, &["--key", "other.pem.pub"]);
    assert_eq!(code, 1);
    assert!(said.contains("NOT VERIFIED: case.html: signer: "), "{said}");

    // Another file, by one byte.
    let mut bytes = std::fs::read(at.join("generated.jpg")).expect("a picture");
    bytes.push(0);
    std::fs::write(at.join("longer.jpg"), &bytes).expect("written");
    let (code, said) = verify(at, &[key.as_slice(), &["--file", "longer.jpg"]].concat());
    assert_eq!(code, 1);
    assert!(said.contains("SHA-256 of the file longer.jpg"), "{said}");

    // What is no report, and what is not there.
    std::fs::write(at.join("case.html"), "<html></html>").expect("written");
    assert_eq!(verify(at, &key).0, 3);
    std::fs::remove_file(at.join("case.html")).expect("removed");
    assert_eq!(verify(at, &key).0, 3);
}

#[test]
fn the_extract_has_every_hash_and_openssl_style_keys_sign() {
    let folder = case(
        &[
            "examples/authentic.jpg",
            "crates/cli/tests/pictures/webui.png",
        ],
        &["--max-fpr", "0.05", "--all-deliveries"],
    );
    let at = folder.path();
    let html = std::fs::read_to_string(at.join("case.html")).expect("a report");
    let extract = between(&html, EXTRACT, "</template>");
    let extract = extract
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let extract: Value = serde_json::from_str(&extract).expect("JSON");
    let program = &extract["program"]["sha256"];
    let items = extract["items"].as_array().expect("items");
    assert_eq!(items.len(), 2);
    for hash in items
        .iter()
        .flat_map(|i| {
            [
                &i["record"]["sha256"],
                &i["pixels_sha256"],
                &i["record"]["detectors"][0]["weights_sha256"],
                &i["record"]["tool"]["config_sha256"],
                &i["figures"][0]["sha256"],
            ]
        })
        .chain([
            program,
            &extract["page_sha256"],
            &extract["key"]["fingerprint"],
        ])
    {
        assert_eq!(hash.as_str().map(str::len), Some(64), "{extract:#}");
    }
    let settings = &extract["configuration"];
    assert_eq!(
        (
            settings["max_fpr"].as_f64(),
            settings["all_deliveries"].as_bool()
        ),
        (Some(0.05), Some(true))
    );
    // Both files are scanned again with the same settings.
    let (code, said) = verify(
        at,
        &[
            "--key",
            "key.pem.pub",
            "--file",
            "authentic.jpg",
            "--file",
            "webui.png",
        ],
    );
    assert_eq!(code, 0, "{said}");

    // The same pixels in another file are told apart from the same file with other settings.
    let (code, said) = verify(at, &["--key", "key.pem.pub", "--file", "key.pem"]);
    assert_eq!(
        (code, said.contains("SHA-256 of the file key.pem")),
        (1, true),
        "{said}"
    );

    // Nothing is overwritten, and a key is a secret.
    let again = [
        "report",
        "authentic.jpg",
        "-o",
        "case.html",
        "--sign",
        "key.pem",
    ];
    assert_eq!(realscope(at, &again).status.code(), Some(2));
    assert_eq!(
        realscope(at, &["keygen", "-o", "key.pem"]).status.code(),
        Some(2)
    );
    let wrong = [
        "report",
        "authentic.jpg",
        "-o",
        "new.html",
        "--sign",
        "key.pem.pub",
    ];
    assert_eq!(realscope(at, &wrong).status.code(), Some(2));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(at.join("key.pem"))
            .expect("a key")
            .permissions()
            .mode();
        assert_eq!(mode & 0o77, 0);
    }
}

#[test]
fn what_cannot_be_decoded_is_reported_as_such() {
    let folder = tempfile::tempdir().expect("folder");
    let at = folder.path();
    std::fs::write(at.join("text.jpg"), "no picture").expect("written");
    assert_eq!(
        realscope(at, &["keygen", "-o", "key.pem"]).status.code(),
        Some(0)
    );
    let out = realscope(
        at,
        &["report", "text.jpg", "-o", "case.html", "--sign", "key.pem"],
    );
    assert_eq!(out.status.code(), Some(3));
    let (code, said) = verify(at, &["--key", "key.pem.pub", "--file", "text.jpg"]);
    assert_eq!(code, 0, "{said}");
}

/// What a program of poppler says of a PDF; nothing where it is not installed.
fn poppler(at: &Path, program: &str, args: &[&str]) -> Option<String> {
    match Command::new(program).current_dir(at).args(args).output() {
        Ok(out) => {
            assert!(
                out.status.success(),
                "{}",
                String::from_utf8_lossy(&out.stderr)
            );
            // Whatever a reader complains of is a fault of the document.
            assert_eq!(String::from_utf8_lossy(&out.stderr), "");
            Some(told(&out))
        }
        Err(_) => {
            eprintln!("SKIPPED: {program} is not installed (apt-get install poppler-utils)");
            None
        }
    }
}

#[test]
#[cfg(feature = "pdf")]
fn a_pdf_travels_and_every_change_is_named() {
    let folder = case(&["examples/generated.jpg"], &[]);
    let at = folder.path();
    let name = "Фото 写真 é\u{202e}.jpg";
    std::fs::copy(at.join("generated.jpg"), at.join(name)).expect("copied");
    let make = |to: &str| {
        let out = realscope(at, &["report", "-o", to, "--sign", "key.pem", "-q", name]);
        assert_eq!(
            out.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        std::fs::read(at.join(to)).expect("a report")
    };
    let pdf = make("case.pdf");
    assert!(pdf.starts_with(b"%PDF-1.7"));
    let check = |file: &str, options: &[&str]| {
        let all = [&["verify-report", file, "--key", "key.pem.pub"], options].concat();
        let out = realscope(at, &all);
        (out.status.code().unwrap_or(-1), told(&out))
    };
    let (code, said) = check("case.pdf", &["--file", name]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("signature, figures and page"), "{said}");

    // No byte can be changed, taken away or added.
    let whole = pdf.len();
    for i in 0..60 {
        let at_byte = (whole - 1) * i / 59;
        let mut other = pdf.clone();
        other[at_byte] ^= 1;
        std::fs::write(at.join("changed.pdf"), &other).expect("written");
        let (code, said) = check("changed.pdf", &[]);
        assert!(matches!(code, 1 | 3), "byte {at_byte}: {code} {said}");
        assert!(
            !said.contains("\nverified:") && !said.starts_with("verified:"),
            "{said}"
        );
    }
    for other in [&pdf[..whole - 1], &[&pdf[..], b"\n"].concat()] {
        std::fs::write(at.join("changed.pdf"), other).expect("written");
        let (code, said) = check("changed.pdf", &[]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("form of the report, byte"), "{said}");
    }
    // The pages of one report with the extract of another, which is signed too.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let later = make("later.pdf");
    let mark: &[u8] = b"\n% realscope: extract and signature\n";
    let split = |bytes: &[u8]| {
        bytes
            .windows(mark.len())
            .position(|w| w == mark)
            .expect("a mark")
    };
    let mixed = [&pdf[..split(&pdf)], &later[split(&later)..]].concat();
    std::fs::write(at.join("changed.pdf"), mixed).expect("written");
    let (code, said) = check("changed.pdf", &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("page, byte"), "{said}");

    // Other readers find text and attachments, and every character of the name in its own way.
    let Some(text) = poppler(at, "pdftotext", &["-layout", "case.pdf", "-"]) else {
        return;
    };
    poppler(at, "pdfdetach", &["-saveall", "case.pdf"]);
    let extract = std::fs::read_to_string(at.join("extract.json")).expect("an attachment");
    let facts: Value = serde_json::from_str(&extract).expect("JSON");
    let record = &facts["items"][0]["record"];
    assert_eq!(record["path"], name);
    let signature = std::fs::read_to_string(at.join("signature.txt")).expect("an attachment");
    assert_eq!(signature.len(), 88, "64 bytes in Base64");
    for words in [
        "Realscope case report",
        "What this does not mean",
        "Public key, Base64",
        "Фото \\u{5199}\\u{771f} é\u{fffd}.jpg",
        record["sha256"].as_str().expect("a hash"),
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_report_tells_whether_credentials_were_fetched() {
    let folder = case(&["examples/generated.jpg"], &[]);
    let out = realscope(
        folder.path(),
        &[
            "verify-report",
            "case.html",
            "--file",
            "generated.jpg",
            "--fetch-manifests",
        ],
    );
    if cfg!(feature = "fetch") {
        assert_eq!(out.status.code(), Some(1), "{}", told(&out));
        assert!(
            told(&out).contains("content credentials at an address"),
            "{}",
            told(&out)
        );
    }
}
