//! Signed reports: the key of the installation, and the reports that drawn scans get (`realscope verify-report`).

use std::io::Write as _;
use std::path::{Path, PathBuf};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use realscope::custody::{Configuration, CustodyError, Form, PrivateKey, Program, Report};
use realscope::scanner::Scanned;
use realscope::{Options, Scanner};

use crate::app::Shared;
use crate::pictures::Picture;
use crate::settings::Settings;

/// The key's file in the data folder.
const KEY: &str = "report-key.pem";
/// Names of the reports among the files of a report.
pub(crate) const PAGE: &str = "case.html";
pub(crate) const DOCUMENT: &str = "case.pdf";

/// What scans, and what of it a signed report tells beyond the scanner itself.
pub struct Loaded {
    /// The scanner.
    pub scanner: Scanner,
    /// The program.
    pub program: Program,
    /// Detector that was asked for; `None` for that of the profile.
    pub detector: Option<String>,
    /// Detector of the settings, from which the profile follows.
    pub settings_detector: String,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[error("the key of reports, {path}: {reason}")]
pub struct ReportKeyError {
    path: String,
    reason: String,
}

/// The key that the settings name, or that of the data folder, which is made where there is none.
pub(crate) fn key(settings: &Settings) -> Result<PrivateKey, ReportKeyError> {
    let named = &settings.report_key;
    let path = if named.as_os_str().is_empty() {
        settings.data_dir.join(KEY)
    } else {
        named.clone()
    };
    let fault = |reason: String| ReportKeyError {
        path: path.display().to_string(),
        reason,
    };
    if !named.as_os_str().is_empty() {
        return read(&path).map_err(fault);
    }
    if settings.no_store {
        return PrivateKey::generate().map_err(|e| fault(e.to_string()));
    }
    if !path.exists() {
        make(&settings.data_dir, &path).map_err(fault)?;
    }
    read(&path).map_err(fault)
}

fn read(path: &Path) -> Result<PrivateKey, String> {
    let pem = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    #[cfg(unix)]
    if let Ok(found) = path.metadata()
        && std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "others than its owner may read the key of reports");
    }
    PrivateKey::from_pem(&pem).map_err(|e| e.to_string())
}

/// Makes a key that its owner alone can read. Another server may do the same at this moment: the first one stands.
fn make(folder: &Path, path: &PathBuf) -> Result<(), String> {
    let pem = PrivateKey::generate()
        .and_then(|key| key.to_pem())
        .map_err(|e| e.to_string())?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| e.to_string())?;
    file.write_all(pem.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(|e| e.to_string())?;
    match file.persist_noclobber(path) {
        Err(e) if !path.exists() => Err(e.error.to_string()),
        _ => Ok(()),
    }
}

/// The signed reports of a drawn scan. What cannot be made is left out.
pub(crate) fn of(
    app: &Shared,
    loaded: &Loaded,
    options: &Options,
    scanned: &Scanned,
) -> Vec<Picture> {
    let named = loaded.detector.as_deref();
    let own = &loaded.settings_detector;
    let mut configuration = Configuration::of(&loaded.scanner, options, named, own);
    // Of a file with several pictures the service scans one.
    configuration.part.get_or_insert_default();
    let mut report = Report::new(loaded.program.clone(), configuration);
    report.add(scanned);
    let signed = |name: &'static str, form| -> Result<Picture, CustodyError> {
        let bytes = report.sign(form, &app.key)?;
        Ok(Picture { name, bytes })
    };
    [signed(PAGE, Form::Html), signed(DOCUMENT, Form::Pdf)]
        .into_iter()
        .filter_map(|made| {
            made.inspect_err(|e| tracing::warn!(error = %e, "a signed report cannot be made"))
                .ok()
        })
        .collect()
}

/// The public key that signed reports are checked with.
///
/// PEM, as `realscope verify-report --key` takes it.
#[utoipa::path(get, path = "/v1/report-key", tag = "reports", responses(
    (status = 200, description = "The key", body = String, content_type = "application/x-pem-file"),
))]
pub(crate) async fn public(State(app): State<Shared>) -> Response {
    match app.key.public().to_pem() {
        Ok(pem) => ([(header::CONTENT_TYPE, "application/x-pem-file")], pem).into_response(),
        Err(e) => crate::problem::Refusal::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            e.to_string(),
        )
        .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &Path) -> Settings {
        Settings {
            data_dir: folder.to_owned(),
            ..Settings::default()
        }
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = key(&settings(folder.path())).expect("a key").public();
        let again = key(&settings(folder.path())).expect("a key").public();
        assert_eq!(first, again);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let found = folder.path().join(KEY).metadata().expect("a file");
            assert_eq!(found.permissions().mode() & 0o777, 0o600);
        }
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("read").collect();
        assert_eq!(left.len(), 1, "nothing else is left");
        // Two servers that start at once have one key.
        let both = tempfile::tempdir().expect("a folder");
        let made: Vec<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        key(&settings(both.path()))
                            .expect("a key")
                            .public()
                            .fingerprint()
                    })
                })
                .collect();
            all.into_iter().map(|t| t.join().expect("ends")).collect()
        });
        assert!(made.iter().all(|f| *f == made[0]), "{made:?}");
    }

    #[test]
    fn a_key_that_is_named_has_to_be_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("own.pem");
        let named = Settings {
            report_key: path.clone(),
            ..settings(folder.path())
        };
        assert!(key(&named).is_err(), "it is not made");
        std::fs::write(&path, "no key").expect("written");
        assert!(key(&named).is_err());
        let own = PrivateKey::generate().expect("a key");
        std::fs::write(&path, own.to_pem().expect("PEM")).expect("written");
        assert_eq!(key(&named).expect("a key").public(), own.public());
        assert!(!folder.path().join(KEY).exists());
    }

    #[test]
    fn where_nothing_is_kept_no_key_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let keeps_nothing = Settings {
            no_store: true,
            ..settings(folder.path())
        };
        assert!(key(&keeps_nothing).is_ok());
        assert!(!folder.path().join(KEY).exists());
    }
}
