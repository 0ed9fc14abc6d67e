//! A signed report through the library: what a signer cannot do with a key of its own.

use realscope::Record;
use realscope::custody::{Configuration, Form, Opened, PrivateKey, Program, Report};
use realscope::record::{ErrorCode, Tool};
use realscope::scanner::Scanned;

fn report(name: &str) -> (PrivateKey, String) {
    let key = PrivateKey::generate().expect("a key");
    let program = Program {
        name: "realscope".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        sha256: "0".repeat(64),
    };
    let configuration = Configuration {
        detector: None,
        settings_detector: "default".into(),
        profile: "fast".into(),
        engine: "rten".into(),
        max_pixels: 1,
        max_bytes: 1,
        allow_truncated: false,
        max_fpr: None,
        all_deliveries: false,
        fetch_manifests: false,
        part: None,
        trust_sha256: None,
    };
    let tool = Tool {
        name: "realscope".into(),
        version: "0".into(),
        engine: "rten".into(),
        profile: "fast".into(),
        config_sha256: "1".repeat(64),
        calibration_id: None,
    };
    let record = Record::failed(&tool, name, None, ErrorCode::Corrupt, "broken & <odd>");
    let mut report = Report::new(program, configuration);
    report.add(&Scanned::of(record));
    let html = report.sign(Form::Html, &key).expect("signed");
    (key, String::from_utf8(html).expect("a page is text"))
}

#[test]
fn names_of_files_cannot_break_out_of_the_page() {
    let hostile = "</template><template id=\"realscope-extract\">{}</template>&amp;\u{202e}.jpg";
    let (key, html) = report(hostile);
    assert_eq!(html.matches("<template").count(), 2);
    let opened = Opened::read(html.as_bytes()).expect("a report");
    assert_eq!(opened.extract().items[0].record.path, hostile);
    let checked = opened.check(Some(&key.public())).expect("no difference");
    assert!(checked.signer_named && checked.page_made_again);
    assert!(!opened.check(None).expect("no difference").signer_named);
}

#[test]
fn each_byte_counts() {
    let (key, html) = report("a.jpg");
    let public = key.public();
    let mut named = std::collections::BTreeSet::new();
    for at in (0..html.len()).step_by(7) {
        let mut bytes = html.clone().into_bytes();
        bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        let difference = match Opened::read(&bytes) {
            Ok(opened) => opened.check(Some(&public)).expect_err("a difference").what,
            Err(_) => "no report".into(),
        };
        named.insert(difference.split(',').next().unwrap_or_default().to_owned());
    }
    for kind in ["page", "signature", "no report", "form of the report"] {
        assert!(named.contains(kind), "{named:?}");
    }
}
