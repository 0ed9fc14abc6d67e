//! `realscope report`, `verify-report` and `keygen`: signed reports and their keys.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum as _;
use realscope::custody::trust_sha256;
use realscope::custody::{
    Configuration, Difference, Form, Opened, PrivateKey, Program, PublicKey, Report,
};
use realscope::report::visible;
use realscope::scanner::Scanned;
use serde_json::json;

use crate::Failure;
use crate::args::{
    EngineChoice, How, Profile, ReportArgs, ScanArgs, ScanFormat, TextFormat, VerifyReportArgs,
};
use crate::config::{self, Settings};
use crate::scan::{self, Job};

fn fail(path: &Path, e: impl std::fmt::Display) -> Failure {
    Failure::new(2, format!("{}: {e}", path.display()))
}

/// Writes a file that must be new; a private one is readable by its owner alone.
fn write_new(path: &Path, bytes: &[u8], private: bool) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = private;
    let mut file = options.open(path).map_err(|e| fail(path, e))?;
    file.write_all(bytes).map_err(|e| fail(path, e))
}

/// `realscope keygen`.
pub fn keygen(output: &Path) -> Result<ExitCode, Failure> {
    let key = PrivateKey::generate().map_err(|e| Failure::new(2, e.to_string()))?;
    let mut public = output.as_os_str().to_owned();
    public.push(".pub");
    let public = PathBuf::from(public);
    if public.exists() {
        return Err(fail(&public, "exists already"));
    }
    let pem = key.to_pem().map_err(|e| fail(output, e))?;
    write_new(output, pem.as_bytes(), true)?;
    let pem = key.public().to_pem().map_err(|e| fail(&public, e))?;
    write_new(&public, pem.as_bytes(), false)?;
    outln!("private key: {}", output.display());
    outln!("public key:  {}", public.display());
    outln!("SHA-256 of the public key: {}", key.public().fingerprint());
    Ok(ExitCode::SUCCESS)
}

/// The program that runs.
pub fn program() -> Result<Program, Failure> {
    let path = std::env::current_exe().map_err(|e| Failure::new(2, e.to_string()))?;
    Program::at(&path).map_err(|e| fail(&path, e))
}

/// `realscope report`.
pub fn report(args: &ReportArgs) -> Result<ExitCode, Failure> {
    let settings = config::load()?;
    let pem = std::fs::read_to_string(&args.sign).map_err(|e| fail(&args.sign, e))?;
    let key = PrivateKey::from_pem(&pem).map_err(|e| fail(&args.sign, e))?;
    if args.output.exists() {
        return Err(fail(&args.output, "exists already"));
    }
    let pdf = args.output.extension();
    let form = match pdf.is_some_and(|e| e.eq_ignore_ascii_case("pdf")) {
        false => Form::Html,
        true if cfg!(feature = "pdf") => Form::Pdf,
        true => {
            let what = "this program was built without the feature `pdf`";
            return Err(fail(&args.output, what));
        }
    };
    let scan = ScanArgs {
        paths: args.paths.clone(),
        // Figures are drawn.
        format: ScanFormat::Html,
        how: args.how.clone(),
        jobs: Some(1),
        ..ScanArgs::default()
    };
    let mut job = Job::prepare(&scan, &settings)?;
    let named = args.how.detector.as_deref();
    let configuration = Configuration::of(&job.scanner, &job.options, named, &settings.detector);
    let mut report = Report::new(program()?, configuration);
    let (mut done, mut failed, mut skipped) = (0_usize, 0_usize, 0_usize);
    for input in std::mem::take(&mut job.inputs) {
        job.one(input, &mut |scanned| match scanned {
            Some(scanned) => {
                if scanned.record.error.is_some() {
                    failed += 1;
                } else {
                    done += 1;
                }
                report.add(&scanned);
            }
            None => skipped += 1,
        });
    }
    if done + failed == 0 {
        return Err(Failure::new(2, "nothing to report: no picture, no video"));
    }
    let signed = report.sign(form, &key);
    let signed = signed.map_err(|e| Failure::new(2, e.to_string()))?;
    write_new(&args.output, &signed, false)?;
    if !args.quiet {
        eprintln!(
            "{done} reported, {failed} failed, {skipped} skipped; signed by key {}",
            key.public().fingerprint()
        );
    }
    Ok(ExitCode::from(match (done, failed) {
        (0, _) => 3,
        (_, 0) => 0,
        _ => 4,
    }))
}

/// What a check found, for people and programs.
#[derive(Default)]
struct Findings {
    key: String,
    named: bool,
    compared: Vec<String>,
    notes: Vec<String>,
    difference: Option<Difference>,
}

/// `realscope verify-report`.
pub fn verify(args: &VerifyReportArgs) -> Result<ExitCode, Failure> {
    let unreadable = |e: String| Failure::new(3, format!("{}: {e}", args.report.display()));
    let bytes = std::fs::read(&args.report).map_err(|e| unreadable(e.to_string()))?;
    let key = match &args.key {
        Some(path) => {
            let pem = std::fs::read_to_string(path).map_err(|e| fail(path, e))?;
            Some(PublicKey::from_pem(&pem).map_err(|e| fail(path, e))?)
        }
        None => None,
    };
    let opened = Opened::read(&bytes).map_err(|e| unreadable(e.to_string()))?;
    let mut found = Findings {
        key: opened.extract().key.fingerprint.clone(),
        named: key.is_some(),
        ..Findings::default()
    };
    match opened.check(key.as_ref()) {
        Err(difference) => found.difference = Some(difference),
        Ok(checked) => {
            found.compared.push("signature, figures and page".into());
            if !checked.page_made_again {
                found.notes.push(
                    "The page was compared by its hash alone: another version of the program made it.".into(),
                );
            }
            if let Some(other) = opened.other_program(&program()?) {
                found.notes.push(format!(
                    "The report was made by another build of the program: version {}, SHA-256 {}.",
                    visible(&other.version),
                    visible(&other.sha256)
                ));
            }
            for file in &args.file {
                match again(args, &opened, file)? {
                    Some(difference) => {
                        found.difference = Some(difference);
                        break;
                    }
                    None => found.compared.push(format!(
                        "{}: file, pixels, weights, configuration and verdict",
                        file.display()
                    )),
                }
            }
            if args.file.is_empty() {
                found
                    .notes
                    .push("No file was compared: `--file FILE` scans one again.".into());
            }
        }
    }
    tell(args, &found)
}

/// Scans a file again as the report was made; the first difference.
fn again(
    args: &VerifyReportArgs,
    opened: &Opened<'_>,
    file: &Path,
) -> Result<Option<Difference>, Failure> {
    let asked = opened.configuration();
    let settings = Settings {
        detector: asked.settings_detector.clone(),
        ..config::load()?
    };
    let given = scan::trust(&args.trust, &settings)?;
    let given = given.as_ref().map(trust_sha256);
    if given != asked.trust_sha256 {
        let word = |hash: &Option<String>| hash.clone().unwrap_or_else(|| "none".into());
        return Ok(Some(Difference {
            what: "SHA-256 of the trust list".into(),
            reported: word(&asked.trust_sha256),
            found: format!("{} (give it with --trust)", word(&given)),
        }));
    }
    if asked.fetch_manifests != args.fetch_manifests {
        let word = |fetched| if fetched { "fetched" } else { "not fetched" };
        return Ok(Some(Difference {
            what: "content credentials at an address".into(),
            reported: word(asked.fetch_manifests).into(),
            found: format!("{} (--fetch-manifests)", word(args.fetch_manifests)),
        }));
    }
    let unknown = |what: &str, name: &str| {
        let name = visible(name);
        Failure::new(
            2,
            format!("the report names the {what} `{name}`, which this program does not know"),
        )
    };
    let scan = ScanArgs {
        paths: vec![file.into()],
        format: ScanFormat::Html,
        how: How {
            detector: asked.detector.clone(),
            profile: Some(
                Profile::from_str(&asked.profile, false)
                    .map_err(|_| unknown("profile", &asked.profile))?,
            ),
            engine: Some(
                EngineChoice::from_str(&asked.engine, false)
                    .map_err(|_| unknown("engine", &asked.engine))?,
            ),
            deadline: None,
            max_pixels: Some(asked.max_pixels),
            max_bytes: Some(asked.max_bytes),
            allow_truncated: asked.allow_truncated,
            trust: args.trust.clone(),
            fetch_manifests: args.fetch_manifests,
            max_fpr: asked.max_fpr,
            all_deliveries: asked.all_deliveries,
        },
        jobs: Some(1),
        ..ScanArgs::default()
    };
    let mut job = Job::prepare(&scan, &settings)?;
    let mut items = None;
    let (mut count, mut difference) = (0, None);
    for input in std::mem::take(&mut job.inputs) {
        let name = input.name();
        job.one(input, &mut |scanned| {
            let wanted = |s: &Scanned| match asked.part.as_deref() {
                None => true,
                // A service scans one picture of a file: its own, or the one that was named.
                Some("") => s.record.path == name,
                Some(part) => s.record.path == format!("{name}#{part}"),
            };
            let scanned = scanned.filter(|s| difference.is_none() && wanted(s));
            let Some(scanned) = scanned else { return };
            let own = items.get_or_insert_with(|| {
                let hash = scanned.record.sha256.as_deref().unwrap_or("unreadable");
                opened.items_of(&file.display().to_string(), hash)
            });
            difference = match own {
                Err(e) => Some(e.clone()),
                Ok(items) => match items.get(count) {
                    Some(item) => item.compare(&scanned).err(),
                    None => Some(more(items.len(), count + 1)),
                },
            };
            count += 1;
        });
    }
    let listed = items.and_then(Result::ok).map_or(0, |items| items.len());
    if difference.is_none() && count < listed {
        difference = Some(more(listed, count));
    }
    Ok(difference)
}

fn more(reported: usize, found: usize) -> Difference {
    Difference {
        what: "pictures in the file".into(),
        reported: reported.to_string(),
        found: found.to_string(),
    }
}

/// Says what was found, and gives the exit code.
fn tell(args: &VerifyReportArgs, found: &Findings) -> Result<ExitCode, Failure> {
    let verified = found.difference.is_none() && found.named;
    let code = match (&found.difference, found.named) {
        (Some(_), _) => 1,
        (None, true) => 0,
        (None, false) => 4,
    };
    if args.format == TextFormat::Json {
        let difference = found
            .difference
            .as_ref()
            .map(|d| json!({"what": d.what, "reported": d.reported, "found": d.found}));
        outln!(
            "{}",
            json!({
                "verified": verified,
                "signer": if found.named { "named" } else { "unknown" },
                "key_sha256": found.key,
                "compared": found.compared,
                "notes": found.notes,
                "difference": difference,
            })
        );
        return Ok(ExitCode::from(code));
    }
    for line in &found.compared {
        outln!("as reported: {}", visible(line));
    }
    for line in &found.notes {
        outln!("note: {line}");
    }
    let name = visible(&args.report.display().to_string());
    match &found.difference {
        Some(difference) => outln!("NOT VERIFIED: {name}: {difference}"),
        None if found.named => outln!(
            "verified: {name}, signed by the key that was named ({})",
            found.key
        ),
        None => outln!(
            "no difference, but nobody vouches for it: {name} is signed by an unknown key ({}); name the signer's with \
             --key",
            visible(&found.key)
        ),
    }
    Ok(ExitCode::from(code))
}
