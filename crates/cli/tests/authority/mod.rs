//! A test authority: pictures with content credentials of their own.
#![allow(dead_code, reason = "each test program uses a part")]

use std::io::Cursor;

use c2pa::{Builder, BuilderIntent, Context, DigitalSourceType, EphemeralSigner, Reader, Signer};
use serde_json::{Value, json};

/// Signs pictures; its certificates are made anew for each test.
pub struct Authority(EphemeralSigner);

impl Authority {
    pub fn new() -> Self {
        Self(EphemeralSigner::new("realscope-test.local").expect("a signer"))
    }

    /// The authority's own certificate in PEM, as a trust list has it.
    pub fn list(&self) -> String {
        let chain = self.0.certs().expect("certificates");
        let der = chain.last().expect("a root");
        let base64 = base64(der);
        let lines: Vec<&str> = (0..base64.len())
            .step_by(64)
            .map(|at| &base64[at..(at + 64).min(base64.len())])
            .collect();
        format!(
            "Test root\n-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    }

    /// Signs what `prepare` makes of a builder.
    pub fn sign(
        &self,
        media: &str,
        picture: &[u8],
        intent: BuilderIntent,
        generator: &str,
        prepare: impl FnOnce(&mut Builder),
    ) -> Vec<u8> {
        let mut builder = Builder::from_context(context());
        builder.set_intent(intent);
        let info = c2pa::ClaimGeneratorInfo::new(generator);
        builder.set_claim_generator_info(info);
        prepare(&mut builder);
        let mut out = Cursor::new(Vec::new());
        builder
            .sign(&self.0, media, &mut Cursor::new(picture), &mut out)
            .expect("signed");
        out.into_inner()
    }

    /// As [`Authority::sign`], with the manifest store beside the picture.
    pub fn sign_apart(
        &self,
        media: &str,
        picture: &[u8],
        intent: BuilderIntent,
        generator: &str,
        prepare: impl FnOnce(&mut Builder),
    ) -> (Vec<u8>, Vec<u8>) {
        let mut builder = Builder::from_context(context());
        builder.set_intent(intent);
        builder.set_claim_generator_info(c2pa::ClaimGeneratorInfo::new(generator));
        prepare(&mut builder);
        let mut out = Cursor::new(Vec::new());
        let store = builder
            .sign(&self.0, media, &mut Cursor::new(picture), &mut out)
            .expect("signed");
        (out.into_inner(), store)
    }

    /// A picture that declares to be made by a trained algorithm.
    pub fn generated(&self, media: &str, picture: &[u8]) -> Vec<u8> {
        let intent = BuilderIntent::Create(DigitalSourceType::TrainedAlgorithmicMedia);
        self.sign(media, picture, intent, "Painter", |_| {})
    }

    /// A picture that declares to come from a camera.
    pub fn captured(&self, media: &str, picture: &[u8]) -> Vec<u8> {
        let intent = BuilderIntent::Create(DigitalSourceType::DigitalCapture);
        self.sign(media, picture, intent, "Camera", |_| {})
    }

    /// The same opened in an editor.
    pub fn edited(&self, media: &str, picture: &[u8]) -> Vec<u8> {
        self.sign(media, picture, BuilderIntent::Edit, "Editor", |b| {
            action(b, json!({"action": "c2pa.color_adjustments"}));
        })
    }
}

pub fn action(builder: &mut Builder, action: Value) {
    builder.add_action(action).expect("an action");
}

/// The address of an assertion of the active manifest.
pub fn assertion(media: &str, picture: &[u8], label: &str) -> String {
    let reader = Reader::from_context(context())
        .with_stream(media, Cursor::new(picture))
        .expect("credentials");
    let manifest = reader.active_manifest().expect("a manifest");
    let found = manifest
        .assertion_references()
        .find(|r| r.url().contains(label));
    found.expect("the assertion").url()
}

fn context() -> Context {
    let settings = json!({
        "verify": {"verify_trust": false, "verify_timestamp_trust": false, "remote_manifest_fetch": false},
    });
    Context::new()
        .with_settings(settings.to_string().as_str())
        .expect("settings")
}

/// Base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let n = three
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0, |n, b| (n << 8) | usize::from(*b));
        for i in 0..4 {
            let digit = char::from(DIGITS[(n >> (18 - 6 * i)) & 63]);
            out.push(if i <= three.len() { digit } else { '=' });
        }
    }
    out
}
