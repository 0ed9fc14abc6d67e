//! Webhooks that are still to be sent.

use sqlx::Row as _;

use super::{State, StateError, now};

/// One that is due.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) job: String,
    pub(crate) url: String,
    pub(crate) body: String,
    pub(crate) attempt: i64,
}

impl State {
    /// One that is due; it is due again after `hold` milliseconds, should nobody say what became of it.
    pub(crate) async fn due_webhook(&self, hold: i64) -> Result<Option<Due>, StateError> {
        let skip = if self.postgres {
            "FOR UPDATE SKIP LOCKED"
        } else {
            ""
        };
        let statement = format!(
            "UPDATE deliveries SET attempt = attempt + 1, next_at = $1 WHERE job = (SELECT job FROM deliveries WHERE \
             outcome IS NULL AND next_at <= $2 ORDER BY next_at LIMIT 1 {skip}) RETURNING job, url, body, attempt"
        );
        let at = now();
        let row = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(at + hold)
            .bind(at)
            .fetch_optional(&self.pool)
            .await?;
        let due = row.map(|r| {
            Ok::<_, sqlx::Error>(Due {
                job: r.try_get("job")?,
                url: r.try_get("url")?,
                body: r.try_get("body")?,
                attempt: r.try_get("attempt")?,
            })
        });
        Ok(due.transpose()?)
    }

    /// Says what became of it: an outcome is the last word, without one it is sent again after `delay` milliseconds.
    pub(crate) async fn webhook_sent(
        &self,
        job: &str,
        outcome: Option<&str>,
        delay: i64,
    ) -> Result<(), StateError> {
        sqlx::query("UPDATE deliveries SET outcome = $1, next_at = $2 WHERE job = $3")
            .bind(outcome)
            .bind(now() + delay)
            .bind(job)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
