//! Settings, in one list: the struct, its defaults, the environment's names and the reference derive from it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{bucket, traces};

/// A setting in the reference.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in the settings file.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
}

macro_rules! settings {
    ($($(#[doc = $about:literal])+ $name:ident: $kind:ty = $value:expr;)+) => {
        /// How the service runs. Unknown names are errors.
        #[derive(Clone, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Settings {
            $($(#[doc = $about])+ pub $name: $kind,)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $value,)+ }
            }
        }

        /// Every setting with what it means.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name),
            about: concat!($($about),+),
        },)+];
    };
}

settings! {
    /// Address to listen on. Port 0 is any free one; the address in use is printed.
    listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080));
    /// Folder of the state and the media.
    data_dir: PathBuf = "realscope-data".into();
    /// `postgres://...`; empty is SQLite in the data folder.
    database: String = String::new();
    /// Where media and pictures of reports are kept: `s3://bucket/prefix`; empty is the data folder.
    media: String = String::new();
    /// Address of the S3-compatible server, such as `https://minio.example.org`; empty is that of AWS.
    s3_endpoint: String = String::new();
    /// Region of the bucket.
    s3_region: String = "us-east-1".into();
    /// Access key of the bucket; empty is the role of the machine it runs on (AWS).
    s3_access_key: String = String::new();
    /// Secret key of the bucket; best given as `REALSCOPE_SERVE_S3_SECRET_KEY_FILE`.
    s3_secret_key: String = String::new();
    /// Session token of keys that pass.
    s3_session_token: String = String::new();
    /// Keep nothing: state and media in memory, media until a job ends, results for ten minutes.
    no_store: bool = false;
    /// Files scanned at once; 0 is the number of processors.
    jobs: usize = 0;
    /// Requests that wait for an answer at once, beside those being scanned; more are refused. 0 is as many as `jobs`.
    waiting: usize = 0;
    /// Jobs that wait without anyone waiting for them; more are refused.
    queue: u64 = 1000;
    /// Largest picture in bytes.
    max_bytes: u64 = 64 << 20;
    /// Largest video in bytes.
    max_video_bytes: u64 = 1 << 30;
    /// Most files in one batch.
    max_batch: usize = 100;
    /// Largest picture, in pixels, that is answered at once.
    sync_pixels: u64 = 12_000_000;
    /// Longest time, in seconds, that a request waits for its answer before it gets a job.
    sync_seconds: f64 = 30.0;
    /// Longest time for one picture, in seconds.
    deadline: f64 = 60.0;
    /// Longest time for one video, in seconds.
    video_deadline: f64 = 900.0;
    /// Times that a file may crash its decoder before its job fails.
    attempts: u32 = 3;
    /// Seconds after which a job whose server does not answer goes to another.
    lease_seconds: f64 = 30.0;
    /// Seconds that running jobs get to finish when the service stops; then they wait for the next start.
    stop_seconds: f64 = 20.0;
    /// Days that media are kept after a job.
    keep_media_days: f64 = 7.0;
    /// Bytes of media that are kept; the oldest go first.
    keep_media_bytes: u64 = 10 << 30;
    /// Days that jobs, reports and the audit log are kept.
    keep_results_days: f64 = 90.0;
    /// Connections open at once.
    connections: usize = 512;
    /// Bodies read at once.
    uploads: usize = 32;
    /// Seconds within which the headers of a request must come.
    header_seconds: f64 = 10.0;
    /// Seconds that a body may pause.
    pause_seconds: f64 = 10.0;
    /// Seconds within which a whole body must come.
    body_seconds: f64 = 300.0;
    /// Requests a minute for each key; 0 is no bound. A key may have a bound of its own.
    rate: u32 = 1200;
    /// Fetch files from addresses that requests name.
    fetch: bool = false;
    /// Hosts that files are fetched from and webhooks go to; `*.example.org` is every host below it. Empty is none.
    hosts: Vec<String> = Vec::new();
    /// Let addresses of private networks and this machine be reached, for closed networks. The hosts' list still holds.
    private_hosts: bool = false;
    /// Longest time for fetching one file, in seconds.
    fetch_seconds: f64 = 20.0;
    /// Tell addresses that requests name of the end of their jobs.
    webhooks: bool = false;
    /// Secret that webhooks are signed with; best given as `REALSCOPE_SERVE_WEBHOOK_SECRET`.
    webhook_secret: String = String::new();
    /// Certificates of the service in PEM, its own first; empty is plain HTTP.
    tls_certificate: PathBuf = PathBuf::new();
    /// The private key of that certificate, in PEM.
    tls_key: PathBuf = PathBuf::new();
    /// Private key that signs reports (Ed25519, PKCS#8 in PEM); empty is `report-key.pem` in the data folder, made there.
    report_key: PathBuf = PathBuf::new();
    /// What is logged to stderr: `error`, `warn`, `info`, `debug` or a filter of the crate tracing-subscriber.
    log: String = "info".into();
    /// Collector that is sent OpenTelemetry traces (OTLP over HTTP), such as `http://localhost:4318`; empty is none.
    traces: String = String::new();
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Secrets and the database's password stay out of logs.
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// Why settings were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No such setting.
    #[error("{variable}: there is no such setting")]
    Unknown {
        /// The variable.
        variable: String,
    },
    /// A value does not fit.
    #[error("{name}: {reason}")]
    Value {
        /// The setting.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// Beginning of the names of environment variables.
const PREFIX: &str = "REALSCOPE_SERVE_";

impl Settings {
    /// Takes over the variables `REALSCOPE_SERVE_NAME`. A list is separated by commas. `REALSCOPE_SERVE_NAME_FILE` names a
    /// file that holds the value.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn with_environment(
        self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let fault = |name: &str, reason: String| SettingsError::Value {
            name: name.to_owned(),
            reason,
        };
        let mut table =
            toml::Table::try_from(&self).map_err(|e| fault("settings", e.to_string()))?;
        for (variable, mut text) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            let mut name = name.to_ascii_lowercase();
            if let Some(of) = name.strip_suffix("_file") {
                let read = std::fs::read_to_string(&text);
                text = read
                    .map_err(|e| fault(&variable, format!("{text}: {e}")))?
                    .trim_end()
                    .to_owned();
                name = of.to_owned();
            }
            let unknown = || SettingsError::Unknown {
                variable: variable.clone(),
            };
            let slot = table.get_mut(&name).ok_or_else(unknown)?;
            let wrong = |_| fault(&variable, format!("`{text}` is not valid"));
            *slot = match slot {
                toml::Value::Boolean(_) => toml::Value::Boolean(
                    text.parse()
                        .map_err(|_| fault(&variable, "is true or false".into()))?,
                ),
                toml::Value::Integer(_) => toml::Value::Integer(
                    text.parse()
                        .map_err(|e: std::num::ParseIntError| fault(&variable, e.to_string()))?,
                ),
                toml::Value::Float(_) => toml::Value::Float(
                    text.parse::<f64>()
                        .map_err(|e| fault(&variable, e.to_string()))?,
                ),
                toml::Value::Array(_) => toml::Value::Array(
                    text.split(',')
                        .filter(|p| !p.is_empty())
                        .map(|p| toml::Value::String(p.trim().to_owned()))
                        .collect(),
                ),
                _ => toml::Value::String(text.clone()),
            };
            // Checked one by one, so that a fault names its variable and no other value.
            toml::Value::Table(table.clone())
                .try_into::<Self>()
                .map(drop)
                .map_err(wrong)?;
        }
        table
            .try_into()
            .map_err(|e: toml::de::Error| fault("settings", e.to_string()))
    }

    /// Checks what no type can say.
    ///
    /// # Errors
    /// [`SettingsError::Value`].
    pub fn check(&self) -> Result<(), SettingsError> {
        let positive = [
            ("sync_seconds", self.sync_seconds),
            ("deadline", self.deadline),
            ("video_deadline", self.video_deadline),
            ("lease_seconds", self.lease_seconds),
            ("stop_seconds", self.stop_seconds),
            ("keep_media_days", self.keep_media_days),
            ("keep_results_days", self.keep_results_days),
            ("header_seconds", self.header_seconds),
            ("pause_seconds", self.pause_seconds),
            ("body_seconds", self.body_seconds),
            ("fetch_seconds", self.fetch_seconds),
        ];
        let fault = |name: &str, reason: &str| {
            Err(SettingsError::Value {
                name: name.into(),
                reason: reason.into(),
            })
        };
        for (name, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return fault(name, "must be positive");
            }
        }
        let counts = [
            ("connections", self.connections),
            ("uploads", self.uploads),
            ("max_batch", self.max_batch),
            ("attempts", self.attempts as usize),
        ];
        for (name, value) in counts {
            if value == 0 {
                return fault(name, "must be at least 1");
            }
        }
        if self.webhooks && self.webhook_secret.len() < 16 {
            return fault(
                "webhook_secret",
                "webhooks need a secret of at least 16 characters",
            );
        }
        if self.tls_certificate.as_os_str().is_empty() != self.tls_key.as_os_str().is_empty() {
            return fault(
                "tls_key",
                "a certificate needs its key, and a key its certificate",
            );
        }
        if self.no_store && !self.database.is_empty() {
            return fault("no_store", "keeps nothing, so it takes no database");
        }
        if self.no_store && !self.media.is_empty() {
            return fault("no_store", "keeps nothing, so it takes no bucket");
        }
        traces::collector(self)?;
        if !self.media.is_empty() {
            bucket::place(&self.media)?;
        }
        if self.s3_access_key.is_empty() != self.s3_secret_key.is_empty() {
            return fault(
                "s3_secret_key",
                "an access key needs its secret key, and a secret key its access key",
            );
        }
        Ok(())
    }

    /// Files scanned at once.
    #[must_use]
    pub fn lanes(&self) -> usize {
        match self.jobs {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }

    /// Requests that may wait for an answer, those being scanned included.
    #[must_use]
    pub fn interactive(&self) -> usize {
        self.lanes()
            + if self.waiting == 0 {
                self.lanes()
            } else {
                self.waiting
            }
    }
}

/// Seconds as a duration; beyond a century they mean for ever.
pub(crate) fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value.clamp(0.0, 3.2e9))
}

/// The reference of all settings, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(
        "# Settings of the service\n\n\
         `realscope serve` reads the table `[serve]` of the settings file, then the environment, then its flags.\n\
         A variable has the setting's name in capitals behind `REALSCOPE_SERVE_`; a list is separated by commas.\n\
         With `_FILE` behind it, it names a file that holds the value, as secrets of containers are given.\n\
         This page is generated: `realscope serve settings` prints it.\n\n\
         | setting | default | meaning |\n|---|---|---|\n",
    );
    let table = toml::Table::try_from(Settings::default()).unwrap_or_default();
    for setting in SETTINGS {
        let value = table
            .get(setting.name)
            .map(ToString::to_string)
            .unwrap_or_default();
        let about = setting.about.trim().replace('|', "\\|");
        let _ = writeln!(out, "| `{}` | `{value}` | {about} |", setting.name);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let own = variables
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Settings::default().with_environment(own)
    }

    #[test]
    fn the_environment_sets_every_kind_of_value() -> Result<(), SettingsError> {
        let settings = with(&[
            ("REALSCOPE_SERVE_LISTEN", "0.0.0.0:9"),
            ("REALSCOPE_SERVE_NO_STORE", "true"),
            ("REALSCOPE_SERVE_QUEUE", "7"),
            ("REALSCOPE_SERVE_DEADLINE", "2"),
            ("REALSCOPE_SERVE_HOSTS", "a.org,*.b.org"),
            ("REALSCOPE_HOME", "/elsewhere"),
            (
                "REALSCOPE_SERVE_WEBHOOK_SECRET_FILE",
                concat!(env!("CARGO_MANIFEST_DIR"), "/src/state/first.sql"),
            ),
        ])?;
        assert!(settings.webhook_secret.starts_with("-- One text"));
        assert_eq!(settings.listen, SocketAddr::from(([0, 0, 0, 0], 9)));
        assert!(settings.no_store && settings.queue == 7);
        assert!((settings.deadline - 2.0).abs() < f64::EPSILON);
        assert_eq!(settings.hosts, ["a.org", "*.b.org"]);
        Ok(())
    }

    #[test]
    fn a_wrong_value_names_its_variable_and_no_secret() {
        for (name, value) in [
            ("REALSCOPE_SERVE_QUEUE", "many"),
            ("REALSCOPE_SERVE_LISTEN", "here"),
            ("REALSCOPE_SERVE_ATTEMPTS", "-1"),
            ("REALSCOPE_SERVE_QUEU", "1"),
        ] {
            let secret = ("REALSCOPE_SERVE_WEBHOOK_SECRET", "hunter2hunter2hunter2");
            let fault = with(&[secret, (name, value)])
                .expect_err("refused")
                .to_string();
            assert!(
                fault.contains(name) && !fault.contains("hunter2"),
                "{fault}"
            );
        }
        assert!(!format!("{:?}", Settings::default()).contains("secret"));
    }

    #[test]
    fn settings_of_a_bucket_go_together() {
        let keys = [
            ("REALSCOPE_SERVE_S3_ACCESS_KEY", "name"),
            ("REALSCOPE_SERVE_S3_SECRET_KEY", "hunter2"),
        ];
        let media = ("REALSCOPE_SERVE_MEDIA", "s3://media/a");
        let checked = |variables: &[(&str, &str)]| with(variables)?.check();
        assert!(checked(&[media, keys[0], keys[1]]).is_ok());
        assert!(checked(&[media]).is_ok());
        for wrong in [
            vec![media, keys[0]],
            vec![media, keys[1]],
            vec![media, ("REALSCOPE_SERVE_NO_STORE", "true")],
            vec![("REALSCOPE_SERVE_MEDIA", "/var/media")],
        ] {
            let fault = checked(&wrong).expect_err("refused").to_string();
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn every_setting_stands_in_the_reference() {
        let text = reference();
        for setting in SETTINGS {
            assert!(
                text.contains(&format!("| `{}` |", setting.name)),
                "{}",
                setting.name
            );
        }
    }
}
