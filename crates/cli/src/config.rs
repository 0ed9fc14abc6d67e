//! Settings: defaults < file < environment < flags, resolved once.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::args::{ConfigCommand, EngineChoice, Profile};

/// The settings file; unknown keys are errors.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Detector of a scan.
    pub detector: String,
    /// Profile.
    pub profile: Profile,
    /// Inference engine.
    pub engine: EngineChoice,
    /// Files scanned at once; 0 = the number of processors.
    pub jobs: usize,
    /// Longest time for one picture, in seconds.
    pub deadline: f64,
    /// Longest time for one video, in seconds.
    pub video_deadline: f64,
    /// Largest picture in pixels.
    pub max_pixels: u64,
    /// Largest file in bytes.
    pub max_bytes: u64,
    /// Folder of installed models.
    pub home: PathBuf,
    /// Whose signatures on content credentials are trusted.
    pub trust: Trust,
    /// The HTTP service. A program without it passes over them.
    pub serve: Serve,
}

#[cfg(feature = "serve")]
type Serve = realscope_server::Settings;
#[cfg(not(feature = "serve"))]
type Serve = toml::Table;

/// Whose signatures on content credentials are trusted.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// Trust lists in PEM.
    pub anchors: Vec<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = realscope_media::Limits::default();
        let data = std::env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
            .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".local/share")))
            .unwrap_or_else(|| PathBuf::from("."));
        Self {
            detector: "default".into(),
            profile: Profile::Fast,
            engine: EngineChoice::Auto,
            jobs: 0,
            deadline: 30.0,
            video_deadline: 600.0,
            max_pixels: limits.max_pixels,
            max_bytes: limits.max_bytes,
            home: data.join("realscope"),
            trust: Trust::default(),
            serve: Serve::default(),
        }
    }
}

/// `$REALSCOPE_CONFIG`, else `realscope/config.toml` in the user's configuration folder.
fn file() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("REALSCOPE_CONFIG") {
        return Some(named.into());
    }
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".config")))?;
    Some(folder.join("realscope/config.toml")).filter(|p| p.is_file())
}

/// Defaults, file and environment; flags come on top.
pub fn load() -> Result<Settings, Failure> {
    let mut settings = match file() {
        Some(path) => {
            let fail = |e: String| Failure::new(2, format!("{}: {e}", path.display()));
            let text = std::fs::read_to_string(&path).map_err(|e| fail(e.to_string()))?;
            toml::from_str(&text).map_err(|e| fail(e.to_string()))?
        }
        None => Settings::default(),
    };
    fn set<T: std::str::FromStr>(name: &str, slot: &mut T) -> Result<(), Failure> {
        if let Ok(value) = std::env::var(name) {
            *slot = value
                .parse()
                .map_err(|_| Failure::new(2, format!("{name}: `{value}` is not valid")))?;
        }
        Ok(())
    }
    set("REALSCOPE_DETECTOR", &mut settings.detector)?;
    set("REALSCOPE_JOBS", &mut settings.jobs)?;
    set("REALSCOPE_DEADLINE", &mut settings.deadline)?;
    set("REALSCOPE_VIDEO_DEADLINE", &mut settings.video_deadline)?;
    set("REALSCOPE_MAX_PIXELS", &mut settings.max_pixels)?;
    set("REALSCOPE_MAX_BYTES", &mut settings.max_bytes)?;
    set("REALSCOPE_HOME", &mut settings.home)?;
    if let Some(lists) = std::env::var_os("REALSCOPE_TRUST") {
        settings.trust.anchors = std::env::split_paths(&lists)
            .filter(|p| !p.as_os_str().is_empty())
            .collect();
    }
    if let Ok(value) = std::env::var("REALSCOPE_ENGINE") {
        settings.engine = match value.as_str() {
            "auto" => EngineChoice::Auto,
            "rten" => EngineChoice::Rten,
            "ort" => EngineChoice::Ort,
            _ => {
                return Err(Failure::new(
                    2,
                    format!("REALSCOPE_ENGINE: `{value}` is not valid"),
                ));
            }
        };
    }
    Ok(settings)
}

/// Settings without their secrets.
#[cfg(feature = "serve")]
fn shown(mut settings: Settings) -> Settings {
    for secret in [
        &mut settings.serve.webhook_secret,
        &mut settings.serve.database,
    ] {
        if !secret.is_empty() {
            *secret = "(set)".into();
        }
    }
    settings
}

#[cfg(not(feature = "serve"))]
fn shown(settings: Settings) -> Settings {
    settings
}

/// `realscope config show`.
pub fn run(action: ConfigCommand) -> Result<ExitCode, Failure> {
    match action {
        ConfigCommand::Show => {
            let text =
                toml::to_string(&shown(load()?)).map_err(|e| Failure::new(2, e.to_string()))?;
            out!("{text}");
            Ok(ExitCode::SUCCESS)
        }
    }
}
