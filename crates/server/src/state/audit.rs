//! The audit log: who asked what, and what came of it.

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::ToSchema;

use super::{State, StateError, instant};

/// A request in the audit log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// When it was answered.
    pub at: String,
    /// Its id.
    pub request: String,
    /// Id of the key; empty where none was needed.
    pub key: String,
    /// Owner; empty where nobody was known.
    pub owner: String,
    /// Address of the client.
    pub address: String,
    /// Method.
    pub method: String,
    /// Path without its query.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
    /// The job that it made or spoke of.
    pub job: Option<String>,
}

impl State {
    /// Keeps entries, each with its instant in milliseconds.
    pub(crate) async fn log(&self, entries: &[(i64, AuditEntry)]) -> Result<(), StateError> {
        let mut tx = self.pool.begin().await?;
        for (at, entry) in entries {
            sqlx::query(
                "INSERT INTO audit (at, request, api_key, owner, address, method, path, status, job) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(*at)
            .bind(&entry.request)
            .bind(&entry.key)
            .bind(&entry.owner)
            .bind(&entry.address)
            .bind(&entry.method)
            .bind(&entry.path)
            .bind(i64::from(entry.status))
            .bind(&entry.job)
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// The last entries, the newest first.
    pub(crate) async fn audit(&self, limit: i64) -> Result<Vec<AuditEntry>, StateError> {
        let rows = sqlx::query("SELECT * FROM audit ORDER BY at DESC LIMIT $1")
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        let entry = |r: &sqlx::any::AnyRow| {
            Ok::<_, sqlx::Error>(AuditEntry {
                at: instant(r.try_get("at")?),
                request: r.try_get("request")?,
                key: r.try_get("api_key")?,
                owner: r.try_get("owner")?,
                address: r.try_get("address")?,
                method: r.try_get("method")?,
                path: r.try_get("path")?,
                status: u16::try_from(r.try_get::<i64, _>("status")?).unwrap_or_default(),
                job: r.try_get("job")?,
            })
        };
        Ok(rows.iter().map(entry).collect::<Result<_, _>>()?)
    }

    /// Drops what is too old to be kept: entries, keys of idempotent requests, sent webhooks, empty batches.
    pub(crate) async fn expire(&self, results: i64, requests: i64) -> Result<(), StateError> {
        for (statement, before) in [
            ("DELETE FROM audit WHERE at < $1", results),
            ("DELETE FROM requests WHERE created < $1", requests),
            (
                "DELETE FROM deliveries WHERE created < $1 AND outcome IS NOT NULL",
                requests,
            ),
            (
                "DELETE FROM batches WHERE created < $1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE batch = batches.id)",
                results,
            ),
        ] {
            sqlx::query(statement)
                .bind(before)
                .execute(&self.pool)
                .await?;
        }
        Ok(())
    }
}
