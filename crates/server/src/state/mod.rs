//! What survives: jobs, reports, keys, remarks, in SQLite or PostgreSQL by the same statements.
//!
//! Open first: [`jobs`], the queue.

pub(crate) mod audit;
pub(crate) mod feedback;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod media;
pub(crate) mod reports;
pub(crate) mod webhooks;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, Executor as _, SqlSafeStr as _};

use crate::settings::Settings;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Its tables could not be brought up to date.
    #[error("database: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The folder cannot be used.
    #[error("{path}: {reason}")]
    Folder {
        /// The folder.
        path: String,
        /// What the system said.
        reason: String,
    },
}

/// The database.
#[derive(Clone, Debug)]
pub struct State {
    pool: AnyPool,
    postgres: bool,
}

/// The migrations in order. A file that was released is never changed.
fn migrations() -> Migrator {
    let first = Migration::new(
        1,
        Cow::Borrowed("first"),
        MigrationType::Simple,
        include_str!("first.sql").into_sql_str(),
        false,
    );
    Migrator::with_migrations(vec![first])
}

impl State {
    /// Opens the database that the settings name and brings its tables up to date.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn open(settings: &Settings) -> Result<Self, StateError> {
        sqlx::any::install_default_drivers();
        let postgres = !settings.database.is_empty();
        let url = if postgres {
            settings.database.clone()
        } else if settings.no_store {
            "sqlite::memory:".into()
        } else {
            sqlite_url(&settings.data_dir)?
        };
        // SQLite has one writer. One connection means that nothing ever waits for a lock, and in memory that all see
        // the same tables.
        let options = AnyPoolOptions::new()
            .max_connections(if postgres { 16 } else { 1 })
            .acquire_timeout(Duration::from_secs(10));
        let options = if postgres {
            options
        } else {
            options.max_lifetime(None::<Duration>).idle_timeout(None::<Duration>).min_connections(1).after_connect(
                |connection, _| {
                    Box::pin(async move {
                        // An accepted job survives a loss of power, too.
                        let setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000";
                        connection.execute(sqlx::raw_sql(setup)).await.map(drop)
                    })
                },
            )
        };
        let pool = options.connect(&url).await?;
        migrations().run(&pool).await?;
        Ok(Self { pool, postgres })
    }

    /// Whether the database answers.
    pub(crate) async fn alive(&self) -> bool {
        let asked = sqlx::query("SELECT 1").execute(&self.pool);
        matches!(
            tokio::time::timeout(Duration::from_secs(2), asked).await,
            Ok(Ok(_))
        )
    }

    /// Lets go of the database.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

fn sqlite_url(folder: &Path) -> Result<String, StateError> {
    let fault = |reason: String| StateError::Folder {
        path: folder.display().to_string(),
        reason,
    };
    std::fs::create_dir_all(folder).map_err(|e| fault(e.to_string()))?;
    let file =
        std::path::absolute(folder.join("state.sqlite")).map_err(|e| fault(e.to_string()))?;
    let address =
        url::Url::from_file_path(&file).map_err(|()| fault("is no path of a file".into()))?;
    Ok(format!("sqlite://{}?mode=rwc", address.path()))
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// An instant as text (RFC 3339).
pub(crate) fn instant(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| String::new(), |t| t.to_string())
}

/// An instant from text.
pub(crate) fn milliseconds(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(|t| t.as_millisecond())
}

/// A new id: 16 digits of time and order, so that ids sort as they were made, and 16 that nobody guesses.
pub(crate) fn new_id() -> String {
    use rand::RngCore as _;
    static LAST: AtomicU64 = AtomicU64::new(0);
    let time = u64::try_from(now()).unwrap_or_default() << 16;
    let next = |last: u64| Some(time.max(last + 1));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    let own = time.max(last.unwrap_or_default() + 1);
    format!("{own:016x}{:016x}", rand::rng().next_u64())
}

/// Whether a text could be an id.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
