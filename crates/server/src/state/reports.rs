//! Reports: results, shared by an owner's jobs that asked the same of the same bytes.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{State, StateError};

/// A stored result.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) id: String,
    pub(crate) sha256: String,
    pub(crate) record: String,
    pub(crate) pictures: Vec<String>,
}

fn report(row: &AnyRow) -> Result<Report, sqlx::Error> {
    let pictures: String = row.try_get("pictures")?;
    Ok(Report {
        id: row.try_get("id")?,
        sha256: row.try_get("sha256")?,
        record: row.try_get("record")?,
        pictures: serde_json::from_str(&pictures).map_err(|e| sqlx::Error::Decode(e.into()))?,
    })
}

impl State {
    /// A report; `None` for another owner's.
    pub(crate) async fn report(&self, id: &str, owner: &str) -> Result<Option<Report>, StateError> {
        let row = sqlx::query("SELECT * FROM reports WHERE id = $1 AND owner = $2")
            .bind(id)
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|r| report(&r)).transpose()?)
    }

    /// What was said before of these bytes under these settings.
    pub(crate) async fn known(
        &self,
        owner: &str,
        sha256: &str,
        config: &str,
    ) -> Result<Option<Report>, StateError> {
        let row =
            sqlx::query("SELECT * FROM reports WHERE owner = $1 AND sha256 = $2 AND config = $3")
                .bind(owner)
                .bind(sha256)
                .bind(config)
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|r| report(&r)).transpose()?)
    }
}
