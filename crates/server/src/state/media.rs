//! Which media are stored, and where. A place is used once: media that come back after they were dropped get a new one,
//! so that who drops and who stores never meet.

use sqlx::Row as _;

use super::{State, StateError};

impl State {
    /// Where the bytes with this hash are; marks them as used, so that nobody drops them now.
    pub(crate) async fn use_media(
        &self,
        sha256: &str,
        at: i64,
    ) -> Result<Option<String>, StateError> {
        let row = sqlx::query("UPDATE media SET used = $1 WHERE sha256 = $2 RETURNING location")
            .bind(at)
            .bind(sha256)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|r| r.try_get("location")).transpose()?)
    }

    /// Where the bytes with this hash are.
    pub(crate) async fn media(&self, sha256: &str) -> Result<Option<String>, StateError> {
        let row = sqlx::query("SELECT location FROM media WHERE sha256 = $1")
            .bind(sha256)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|r| r.try_get("location")).transpose()?)
    }

    /// Notes stored bytes; the place that stands, which is another's where that was quicker.
    pub(crate) async fn note_media(
        &self,
        sha256: &str,
        location: &str,
        bytes: i64,
        at: i64,
    ) -> Result<String, StateError> {
        let row = sqlx::query(
            "INSERT INTO media (sha256, location, bytes, used) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (sha256) DO UPDATE SET used = excluded.used RETURNING location",
        )
        .bind(sha256)
        .bind(location)
        .bind(bytes)
        .bind(at)
        .fetch_one(&self.pool)
        .await?;
        Ok(row.try_get("location")?)
    }

    /// Drops media of no job, and those unused since `before` that no job needs and no remark speaks of; their places.
    pub(crate) async fn drop_media(
        &self,
        before: i64,
        unused: i64,
    ) -> Result<Vec<String>, StateError> {
        let rows = sqlx::query(
            "DELETE FROM media WHERE (used < $1 OR (used < $2 AND NOT EXISTS \
             (SELECT 1 FROM jobs WHERE jobs.sha256 = media.sha256))) AND NOT EXISTS (SELECT 1 FROM jobs WHERE \
             jobs.sha256 = media.sha256 AND jobs.state IN ('queued', 'running')) AND NOT EXISTS (SELECT 1 FROM feedback \
             WHERE feedback.sha256 = media.sha256) RETURNING location",
        )
        .bind(before)
        .bind(unused)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .iter()
            .map(|r| r.try_get("location"))
            .collect::<Result<_, _>>()?)
    }

    /// Drops one hash that was not used after `used`, where no job and no remark has it; its place. Without a store,
    /// finished jobs need no media either.
    pub(crate) async fn drop_one(
        &self,
        sha256: &str,
        used: i64,
        no_store: bool,
    ) -> Result<Option<String>, StateError> {
        let kept = "DELETE FROM media WHERE sha256 = $1 AND used <= $2 AND NOT EXISTS (SELECT 1 FROM jobs WHERE \
             jobs.sha256 = media.sha256) AND NOT EXISTS (SELECT 1 FROM feedback WHERE feedback.sha256 = media.sha256) \
             RETURNING location";
        let passing = "DELETE FROM media WHERE sha256 = $1 AND used <= $2 AND NOT EXISTS (SELECT 1 FROM jobs WHERE \
             jobs.sha256 = media.sha256 AND jobs.state IN ('queued', 'running')) RETURNING location";
        let row = sqlx::query(if no_store { passing } else { kept })
            .bind(sha256)
            .bind(used)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|r| r.try_get("location")).transpose()?)
    }

    /// Bytes of all media, and the instant before which the oldest would have to go to keep `most`.
    pub(crate) async fn media_beyond(&self, most: i64) -> Result<Option<i64>, StateError> {
        let rows = sqlx::query("SELECT bytes, used FROM media ORDER BY used DESC")
            .fetch_all(&self.pool)
            .await?;
        let mut sum = 0_i64;
        for row in rows {
            sum = sum.saturating_add(row.try_get("bytes")?);
            if sum > most {
                return Ok(Some(row.try_get::<i64, _>("used")? + 1));
            }
        }
        Ok(None)
    }

    /// All places in use.
    pub(crate) async fn places(&self) -> Result<std::collections::HashSet<String>, StateError> {
        let rows = sqlx::query("SELECT location FROM media")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .iter()
            .map(|r| r.try_get("location"))
            .collect::<Result<_, _>>()?)
    }
}
