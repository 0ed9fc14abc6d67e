//! The queue: jobs that are claimed for a while, and finished by whoever holds the claim.
//!
//! A claim raises the job's fence. Every later change names the fence, so that a server that lost its claim changes
//! nothing. The end of a job, its report and its webhook are one transaction.

use serde::{Deserialize, Serialize};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, Arguments as _, AssertSqlSafe, Row as _};
use utoipa::ToSchema;

use super::{State, StateError, instant, now};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits.
    Queued,
    /// It is scanned.
    Running,
    /// It has a report.
    Succeeded,
    /// There is no verdict; `error` says why.
    Failed,
    /// It was given up.
    Cancelled,
}

impl JobState {
    /// Its word, the same as in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// From its word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        [
            Self::Queued,
            Self::Running,
            Self::Succeeded,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|s| s.word() == word)
    }

    /// Whether nothing comes after it.
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// What a request asks of a scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wish {
    pub(crate) draw: bool,
    pub(crate) max_fpr: Option<f64>,
    pub(crate) allow_truncated: bool,
    pub(crate) part: Option<String>,
}

/// A job as it stands in the table.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) batch: Option<String>,
    pub(crate) name: String,
    pub(crate) sha256: String,
    pub(crate) bytes: i64,
    pub(crate) location: String,
    pub(crate) video: bool,
    pub(crate) wish: Wish,
    pub(crate) interactive: bool,
    pub(crate) state: JobState,
    pub(crate) attempt: i64,
    pub(crate) losses: i64,
    pub(crate) fence: i64,
    pub(crate) created: i64,
    pub(crate) started: Option<i64>,
    pub(crate) finished: Option<i64>,
    pub(crate) cached: bool,
    pub(crate) report: Option<String>,
    pub(crate) verdict: Option<String>,
    pub(crate) probability: Option<f64>,
    pub(crate) declared: Option<String>,
    pub(crate) error: Option<(String, String)>,
    pub(crate) webhook: Option<String>,
}

/// Servers that may be lost under one job before it counts as the cause.
const MOST_LOSSES: i64 = 10;
/// How long a job waits after its second lost server, in milliseconds; after further ones with the third power of their
/// number, so that a storm of restarts is not taken for its fault, and all of them last a quarter of an hour.
const AFTER_LOSS: i64 = 500;

/// How a job ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// With a report.
    Report(Box<Finding>),
    /// Without: code and sentence.
    Failed(String, String),
}

/// A report to be recorded.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) report: String,
    pub(crate) config: String,
    pub(crate) record: String,
    pub(crate) pictures: Vec<String>,
    pub(crate) verdict: Option<String>,
    pub(crate) probability: Option<f64>,
    pub(crate) declared: Option<String>,
}

/// An argument of a statement that is put together.
enum Value {
    Text(String),
    Number(i64),
}

/// Which jobs a page of the history has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) state: Option<JobState>,
    pub(crate) verdict: Option<String>,
    pub(crate) video: Option<bool>,
    pub(crate) text: Option<String>,
    pub(crate) batch: Option<String>,
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
    pub(crate) after: Option<String>,
    pub(crate) limit: i64,
}

fn job(row: &AnyRow) -> Result<Job, sqlx::Error> {
    let options: String = row.try_get("options")?;
    let state: String = row.try_get("state")?;
    let code: Option<String> = row.try_get("error_code")?;
    let error: Option<String> = row.try_get("error")?;
    let truth = |name: &str| row.try_get::<i64, _>(name).map(|v| v != 0);
    let damaged = |what: String| sqlx::Error::Decode(what.into());
    Ok(Job {
        id: row.try_get("id")?,
        owner: row.try_get("owner")?,
        batch: row.try_get("batch")?,
        name: row.try_get("name")?,
        sha256: row.try_get("sha256")?,
        bytes: row.try_get("bytes")?,
        location: row.try_get("location")?,
        video: truth("video")?,
        wish: serde_json::from_str(&options).map_err(|e| damaged(e.to_string()))?,
        interactive: truth("interactive")?,
        state: JobState::of(&state).ok_or_else(|| damaged(format!("state `{state}`")))?,
        attempt: row.try_get("attempt")?,
        losses: row.try_get("losses")?,
        fence: row.try_get("fence")?,
        created: row.try_get("created")?,
        started: row.try_get("started")?,
        finished: row.try_get("finished")?,
        cached: truth("cached")?,
        report: row.try_get("report")?,
        verdict: row.try_get("verdict")?,
        probability: row.try_get("probability")?,
        declared: row.try_get("declared")?,
        error: code.map(|code| (code, error.unwrap_or_default())),
        webhook: row.try_get("webhook")?,
    })
}

impl State {
    /// Accepts a job, with the key of an idempotent request; the id that the key stood for where it was used before.
    /// The media are marked as used, and must be there: `false` within says that they are not.
    pub(crate) async fn submit(
        &self,
        job: &Job,
        key: Option<(&str, &str)>,
    ) -> Result<Submitted, StateError> {
        let mut tx = self.pool.begin().await?;
        if let Some((key, fingerprint)) = key {
            let taken = sqlx::query(
                "INSERT INTO requests (owner, request_key, fingerprint, answer, created) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (owner, request_key) DO NOTHING",
            )
            .bind(&job.owner)
            .bind(key)
            .bind(fingerprint)
            .bind(&job.id)
            .bind(job.created)
            .execute(&mut *tx)
            .await?;
            if taken.rows_affected() == 0 {
                drop(tx);
                let before = self.request(&job.owner, key).await?;
                return Ok(before.map_or(Submitted::NoMedia, |(print, answer)| {
                    if print == fingerprint {
                        Submitted::Before(answer)
                    } else {
                        Submitted::Conflict
                    }
                }));
            }
        }
        let kept = sqlx::query("UPDATE media SET used = $1 WHERE sha256 = $2 AND location = $3")
            .bind(job.created)
            .bind(&job.sha256)
            .bind(&job.location)
            .execute(&mut *tx)
            .await?;
        if kept.rows_affected() == 0 {
            return Ok(Submitted::NoMedia);
        }
        insert(&mut tx, job).await?;
        if let (Some(url), true) = (&job.webhook, job.state.is_final()) {
            let body =
                serde_json::to_string(&job.view()).map_err(|e| sqlx::Error::Encode(e.into()))?;
            announce(&mut tx, job, url, body, job.created).await?;
        }
        tx.commit().await?;
        Ok(Submitted::New)
    }

    /// Accepts the jobs of a batch, all or none; `false` where the media of one are not there any more.
    pub(crate) async fn submit_batch(
        &self,
        id: &str,
        owner: &str,
        jobs: &[Job],
    ) -> Result<bool, StateError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("INSERT INTO batches (id, owner, created) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(owner)
            .bind(now())
            .execute(&mut *tx)
            .await?;
        for job in jobs {
            let kept =
                sqlx::query("UPDATE media SET used = $1 WHERE sha256 = $2 AND location = $3")
                    .bind(job.created)
                    .bind(&job.sha256)
                    .bind(&job.location)
                    .execute(&mut *tx)
                    .await?;
            if kept.rows_affected() == 0 {
                return Ok(false);
            }
            insert(&mut tx, job).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// When a batch was made; `None` for another owner's.
    pub(crate) async fn batch(&self, id: &str, owner: &str) -> Result<Option<i64>, StateError> {
        let row = sqlx::query("SELECT created FROM batches WHERE id = $1 AND owner = $2")
            .bind(id)
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|r| r.try_get("created")).transpose()?)
    }

    /// Fingerprint and job of an idempotent request.
    pub(crate) async fn request(
        &self,
        owner: &str,
        key: &str,
    ) -> Result<Option<(String, String)>, StateError> {
        let row = sqlx::query(
            "SELECT fingerprint, answer FROM requests WHERE owner = $1 AND request_key = $2",
        )
        .bind(owner)
        .bind(key)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row
            .map(|r| Ok::<_, sqlx::Error>((r.try_get("fingerprint")?, r.try_get("answer")?)))
            .transpose()?)
    }

    /// Jobs that wait or run without anyone waiting for them.
    pub(crate) async fn background(&self) -> Result<i64, StateError> {
        self.count("SELECT COUNT(*) AS n FROM jobs WHERE state IN ('queued', 'running') AND interactive = 0").await
    }

    /// Jobs that wait and jobs that run.
    pub(crate) async fn depth(&self) -> Result<(i64, i64), StateError> {
        let queued = self
            .count("SELECT COUNT(*) AS n FROM jobs WHERE state = 'queued'")
            .await?;
        let running = self
            .count("SELECT COUNT(*) AS n FROM jobs WHERE state = 'running'")
            .await?;
        Ok((queued, running))
    }

    async fn count(&self, statement: &'static str) -> Result<i64, StateError> {
        Ok(sqlx::query(statement)
            .fetch_one(&self.pool)
            .await?
            .try_get("n")?)
    }

    /// The next job, for as long as the lease says. Those under which no server was lost come first, then those that
    /// someone waits for, unless `fair`.
    pub(crate) async fn claim(&self, lease: i64, fair: bool) -> Result<Option<Job>, StateError> {
        let order = if fair {
            "id"
        } else {
            "losses, interactive DESC, id"
        };
        // Of rows that another server is about to take, PostgreSQL picks none; SQLite has one writer.
        let skip = if self.postgres {
            "FOR UPDATE SKIP LOCKED"
        } else {
            ""
        };
        let statement = format!(
            "UPDATE jobs SET state = 'running', fence = fence + 1, attempt = attempt + 1, lease_until = $1, \
             started = COALESCE(started, $2) WHERE id = (SELECT id FROM jobs WHERE state = 'queued' AND \
             not_before <= $2 ORDER BY {order} LIMIT 1 {skip}) RETURNING *"
        );
        let at = now();
        let row = sqlx::query(AssertSqlSafe(statement))
            .bind(at + lease)
            .bind(at)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|r| job(&r)).transpose()?)
    }

    /// Holds a claim for longer; `false` where it was lost.
    pub(crate) async fn extend(
        &self,
        id: &str,
        fence: i64,
        lease: i64,
    ) -> Result<bool, StateError> {
        let held = sqlx::query(
            "UPDATE jobs SET lease_until = $1 WHERE id = $2 AND fence = $3 AND state = 'running'",
        )
        .bind(now() + lease)
        .bind(id)
        .bind(fence)
        .execute(&self.pool)
        .await?;
        Ok(held.rows_affected() == 1)
    }

    /// Gives a claim back, so that the job is tried again after `delay`; `attempted` counts the attempt.
    pub(crate) async fn release(
        &self,
        id: &str,
        fence: i64,
        delay: i64,
        attempted: bool,
    ) -> Result<bool, StateError> {
        let released = sqlx::query(
            "UPDATE jobs SET state = 'queued', lease_until = NULL, not_before = $1, attempt = attempt - $2 \
             WHERE id = $3 AND fence = $4 AND state = 'running'",
        )
        .bind(now() + delay)
        .bind(i64::from(!attempted))
        .bind(id)
        .bind(fence)
        .execute(&self.pool)
        .await?;
        Ok(released.rows_affected() == 1)
    }

    /// Takes jobs from servers that no longer answer; all running ones where `alone` says that there is no other server.
    pub(crate) async fn recover(&self, alone: bool) -> Result<u64, StateError> {
        let at = if alone { i64::MAX } else { now() };
        let lost = sqlx::query(
            "UPDATE jobs SET state = 'failed', finished = $1, error_code = 'internal', \
             error = 'the service was lost again and again while it scanned this file' \
             WHERE state = 'running' AND lease_until < $2 AND losses >= $3",
        )
        .bind(now())
        .bind(at)
        .bind(MOST_LOSSES)
        .execute(&self.pool)
        .await?;
        let taken = sqlx::query(
            "UPDATE jobs SET state = 'queued', lease_until = NULL, losses = losses + 1, attempt = attempt - 1, \
             interactive = 0, not_before = $1 + $2 * losses * losses * losses \
             WHERE state = 'running' AND lease_until < $3",
        )
        .bind(now())
        .bind(AFTER_LOSS)
        .bind(at)
        .execute(&self.pool)
        .await?;
        Ok(lost.rows_affected() + taken.rows_affected())
    }

    /// Records the end of a job, by whoever holds the claim. `None` where it was lost: then nothing is recorded.
    /// A report of the same bytes and settings that was there before is the job's report.
    pub(crate) async fn finish(&self, held: &Job, end: &End) -> Result<Option<Job>, StateError> {
        let at = now();
        let mut tx = self.pool.begin().await?;
        let row = match end {
            End::Failed(code, message) => {
                sqlx::query(
                    "UPDATE jobs SET state = 'failed', finished = $1, lease_until = NULL, error_code = $2, error = $3 \
                     WHERE id = $4 AND fence = $5 AND state = 'running' RETURNING *",
                )
                .bind(at)
                .bind(code)
                .bind(message)
                .bind(&held.id)
                .bind(held.fence)
                .fetch_optional(&mut *tx)
                .await?
            }
            End::Report(found) => {
                let report = record_report(&mut tx, held, found, at).await?;
                sqlx::query(
                    "UPDATE jobs SET state = 'succeeded', finished = $1, lease_until = NULL, report = $2, verdict = $3, \
                     probability = $4, declared = $5 WHERE id = $6 AND fence = $7 AND state = 'running' RETURNING *",
                )
                .bind(at)
                .bind(report)
                .bind(&found.verdict)
                .bind(found.probability)
                .bind(&found.declared)
                .bind(&held.id)
                .bind(held.fence)
                .fetch_optional(&mut *tx)
                .await?
            }
        };
        // Dropped uncommitted, the report is gone, too.
        let Some(row) = row else { return Ok(None) };
        let done = job(&row)?;
        if let Some(url) = &done.webhook {
            let body =
                serde_json::to_string(&done.view()).map_err(|e| sqlx::Error::Encode(e.into()))?;
            announce(&mut tx, &done, url, body, at).await?;
        }
        tx.commit().await?;
        Ok(Some(done))
    }

    /// Nobody waits for a job any more; it is done in its turn.
    pub(crate) async fn nobody_waits(&self, id: &str) -> Result<(), StateError> {
        sqlx::query(
            "UPDATE jobs SET interactive = 0 WHERE id = $1 AND state IN ('queued', 'running')",
        )
        .bind(id)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives a job up; `None` where it ended before.
    pub(crate) async fn cancel(&self, id: &str, owner: &str) -> Result<Option<Job>, StateError> {
        let row = sqlx::query(
            "UPDATE jobs SET state = 'cancelled', finished = $1, lease_until = NULL, error_code = 'cancelled', \
             error = 'cancelled' WHERE id = $2 AND owner = $3 AND state IN ('queued', 'running') RETURNING *",
        )
        .bind(now())
        .bind(id)
        .bind(owner)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|r| job(&r)).transpose()?)
    }

    /// One job; `None` for another owner's.
    pub(crate) async fn job(&self, id: &str, owner: &str) -> Result<Option<Job>, StateError> {
        let row = sqlx::query("SELECT * FROM jobs WHERE id = $1 AND owner = $2")
            .bind(id)
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|r| job(&r)).transpose()?)
    }

    /// Jobs of an owner, the newest first; one more than asked for says that there are more.
    pub(crate) async fn history(
        &self,
        owner: &str,
        filter: &Filter,
    ) -> Result<Vec<Job>, StateError> {
        let mut text = String::from("SELECT * FROM jobs WHERE owner = $1");
        let mut arguments = AnyArguments::default();
        let fault = |e: sqlx::error::BoxDynError| StateError::Database(sqlx::Error::Encode(e));
        arguments.add(owner.to_owned()).map_err(fault)?;
        // `?` stands for the number of the argument, which both databases count from 1.
        let mut and = |condition: &str, value: Value| -> Result<(), StateError> {
            match value {
                Value::Text(value) => arguments.add(value),
                Value::Number(value) => arguments.add(value),
            }
            .map_err(fault)?;
            text.push_str(&condition.replace('?', &format!("${}", arguments.len())));
            Ok(())
        };
        if let Some(state) = filter.state {
            and(" AND state = ?", Value::Text(state.word().into()))?;
        }
        if let Some(verdict) = &filter.verdict {
            and(" AND verdict = ?", Value::Text(verdict.clone()))?;
        }
        if let Some(video) = filter.video {
            and(" AND video = ?", Value::Number(i64::from(video)))?;
        }
        if let Some(batch) = &filter.batch {
            and(" AND batch = ?", Value::Text(batch.clone()))?;
        }
        if let Some(since) = filter.since {
            and(" AND created >= ?", Value::Number(since))?;
        }
        if let Some(until) = filter.until {
            and(" AND created < ?", Value::Number(until))?;
        }
        if let Some(after) = &filter.after {
            and(" AND id < ?", Value::Text(after.clone()))?;
        }
        if let Some(wanted) = &filter.text {
            let escaped: String = wanted
                .to_lowercase()
                .chars()
                .flat_map(|c| {
                    let wild = matches!(c, '%' | '_' | '\\');
                    wild.then_some('\\').into_iter().chain([c])
                })
                .collect();
            let name = Value::Text(format!("%{escaped}%"));
            and(" AND (LOWER(name) LIKE ? ESCAPE '\\'", name)?;
            and(
                " OR sha256 LIKE ? ESCAPE '\\')",
                Value::Text(format!("{escaped}%")),
            )?;
        }
        and(" ORDER BY id DESC LIMIT ?", Value::Number(filter.limit + 1))?;
        let rows = sqlx::query_with(AssertSqlSafe(text), arguments)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(job).collect::<Result<_, _>>()?)
    }

    /// Forgets a finished job, and its report where no other job has it. Gives the report's id where that went.
    pub(crate) async fn forget(
        &self,
        id: &str,
        owner: &str,
    ) -> Result<Option<(Job, bool)>, StateError> {
        let mut tx = self.pool.begin().await?;
        let row = sqlx::query(
            "DELETE FROM jobs WHERE id = $1 AND owner = $2 AND state NOT IN ('queued', 'running') RETURNING *",
        )
        .bind(id)
        .bind(owner)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let gone = job(&row)?;
        for statement in [
            "DELETE FROM deliveries WHERE job = $1",
            "DELETE FROM requests WHERE answer = $1",
        ] {
            sqlx::query(statement).bind(id).execute(&mut *tx).await?;
        }
        let dropped = sqlx::query(
            "DELETE FROM reports WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE report = $1) \
             AND NOT EXISTS (SELECT 1 FROM feedback WHERE report = $1)",
        )
        .bind(&gone.report)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Some((gone, dropped.rows_affected() > 0)))
    }

    /// Ids and owners of finished jobs that ended before an instant.
    pub(crate) async fn finished_before(
        &self,
        at: i64,
    ) -> Result<Vec<(String, String)>, StateError> {
        let rows = sqlx::query("SELECT id, owner FROM jobs WHERE finished < $1 AND state NOT IN ('queued', 'running') LIMIT 500")
            .bind(at)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .iter()
            .map(|r| Ok((r.try_get("id")?, r.try_get("owner")?)))
            .collect::<Result<_, sqlx::Error>>()?)
    }
}

/// What became of a job that was handed in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    /// It was accepted.
    New,
    /// The key of the request stands for this job.
    Before(String),
    /// The key of the request stands for another request.
    Conflict,
    /// Its media were dropped meanwhile; they have to be stored again.
    NoMedia,
}

async fn insert(connection: &mut AnyConnection, job: &Job) -> Result<(), sqlx::Error> {
    let options = serde_json::to_string(&job.wish).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query(
        "INSERT INTO jobs (id, owner, batch, name, sha256, bytes, location, video, options, interactive, state, attempt, \
         losses, fence, not_before, created, started, finished, cached, report, verdict, probability, declared, webhook) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, 0, 0, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
    )
    .bind(&job.id)
    .bind(&job.owner)
    .bind(&job.batch)
    .bind(&job.name)
    .bind(&job.sha256)
    .bind(job.bytes)
    .bind(&job.location)
    .bind(i64::from(job.video))
    .bind(options)
    .bind(i64::from(job.interactive))
    .bind(job.state.word())
    .bind(job.created)
    .bind(job.started)
    .bind(job.finished)
    .bind(i64::from(job.cached))
    .bind(&job.report)
    .bind(&job.verdict)
    .bind(job.probability)
    .bind(&job.declared)
    .bind(&job.webhook)
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Notes a webhook to be sent.
async fn announce(
    connection: &mut AnyConnection,
    job: &Job,
    url: &str,
    body: String,
    at: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO deliveries (job, url, body, attempt, next_at, created) VALUES ($1, $2, $3, 0, $4, $4)")
        .bind(&job.id)
        .bind(url)
        .bind(body)
        .bind(at)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// Records a report; the id of the one that stands.
async fn record_report(
    connection: &mut AnyConnection,
    held: &Job,
    found: &Finding,
    at: i64,
) -> Result<String, sqlx::Error> {
    let pictures =
        serde_json::to_string(&found.pictures).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query(
        "INSERT INTO reports (id, owner, sha256, config, record, pictures, created) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (owner, sha256, config) DO NOTHING",
    )
    .bind(&found.report)
    .bind(&held.owner)
    .bind(&held.sha256)
    .bind(&found.config)
    .bind(&found.record)
    .bind(pictures)
    .bind(at)
    .execute(&mut *connection)
    .await?;
    let row =
        sqlx::query("SELECT id FROM reports WHERE owner = $1 AND sha256 = $2 AND config = $3")
            .bind(&held.owner)
            .bind(&held.sha256)
            .bind(&found.config)
            .fetch_one(&mut *connection)
            .await?;
    row.try_get("id")
}

/// A job as the interface shows it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: JobState,
    /// Name of the file.
    pub name: String,
    /// `picture` or `video`.
    pub kind: String,
    /// SHA-256 of the file's bytes.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: i64,
    /// Batch that it belongs to.
    pub batch: Option<String>,
    /// When it was accepted (RFC 3339).
    pub created: String,
    /// When it was first begun.
    pub started: Option<String>,
    /// When it ended.
    pub finished: Option<String>,
    /// Attempts so far.
    pub attempt: i64,
    /// Verdict of its report.
    pub verdict: Option<String>,
    /// Probability of its report.
    pub probability: Option<f64>,
    /// What the file declares.
    pub declared: Option<String>,
    /// Id of its report.
    pub report: Option<String>,
    /// Whether the report was there before.
    pub cached: bool,
    /// Why there is no report.
    pub error: Option<JobError>,
    /// Addresses that belong to it.
    pub links: JobLinks,
}

/// Why a job has no report.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobError {
    /// Stable machine code, as in records.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// Addresses that belong to a job.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobLinks {
    /// The job.
    #[serde(rename = "self")]
    #[schema(rename = "self")]
    pub own: String,
    /// Its events.
    pub events: String,
    /// Its report.
    pub report: Option<String>,
}

impl Job {
    /// As the interface shows it.
    pub(crate) fn view(&self) -> JobView {
        JobView {
            id: self.id.clone(),
            state: self.state,
            name: self.name.clone(),
            kind: if self.video { "video" } else { "picture" }.into(),
            sha256: self.sha256.clone(),
            bytes: self.bytes,
            batch: self.batch.clone(),
            created: instant(self.created),
            started: self.started.map(instant),
            finished: self.finished.map(instant),
            attempt: self.attempt,
            verdict: self.verdict.clone(),
            probability: self.probability,
            declared: self.declared.clone(),
            report: self.report.clone(),
            cached: self.cached,
            error: self
                .error
                .clone()
                .map(|(code, message)| JobError { code, message }),
            links: JobLinks {
                own: format!("/v1/jobs/{}", self.id),
                events: format!("/v1/jobs/{}/events", self.id),
                report: self.report.as_ref().map(|r| format!("/v1/reports/{r}")),
            },
        }
    }
}
