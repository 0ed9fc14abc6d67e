//! Jobs: one, many, their events, and giving up.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse as _, Response};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};

use crate::accept::{self, Form};
use crate::app::Shared;
use crate::auth::Caller;
use crate::extract::{Path, Query};
use crate::hub::News;
use crate::page;
use crate::problem::{Problem, Refusal};
use crate::state::jobs::{Filter, Job, JobState, JobView};
use crate::state::keys::Scope;
use crate::state::{is_id, milliseconds};

/// How often a listener's job is looked up: it may run in another server.
const LOOK: Duration = Duration::from_secs(1);
/// Silence after which a comment keeps the connection open.
const ALIVE: Duration = Duration::from_secs(15);
/// Most jobs of a page.
const MOST: i64 = 200;

/// Which jobs are wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// In this state.
    state: Option<JobState>,
    /// With this verdict.
    verdict: Option<String>,
    /// `picture` or `video`.
    #[param(pattern = "^(picture|video)$")]
    kind: Option<String>,
    /// With this in their name, or a SHA-256 that begins with it.
    q: Option<String>,
    /// Of this batch.
    batch: Option<String>,
    /// Accepted at this instant or later (RFC 3339).
    #[param(format = DateTime)]
    since: Option<String>,
    /// Accepted before this instant.
    #[param(format = DateTime)]
    until: Option<String>,
    /// Older than this job: the `next` of the page before.
    after: Option<String>,
    /// At most so many, 50 by default and 200 at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// A page of jobs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Page {
    /// The newest first.
    jobs: Vec<JobView>,
    /// What `after` takes for the next page; null on the last.
    next: Option<String>,
}

/// The history: jobs, the newest first.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", params(Wanted),
    responses(
        (status = 200, description = "A page of jobs", body = Page),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<axum::Json<Page>, Refusal> {
    caller.may(Scope::Read)?;
    let at = |name: &str, text: &Option<String>| {
        let parsed = text.as_ref().map(|t| milliseconds(t).ok_or(t));
        parsed
            .transpose()
            .map_err(|t| Refusal::malformed(format!("`{name}`: `{t}` is no instant of RFC 3339")))
    };
    let limit = wanted.limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::malformed(format!("`limit` is 1 to {MOST}")));
    }
    let video = match wanted.kind.as_deref() {
        None => None,
        Some("picture") => Some(false),
        Some("video") => Some(true),
        Some(_) => return Err(Refusal::malformed("`kind` is `picture` or `video`")),
    };
    let filter = Filter {
        state: wanted.state,
        since: at("since", &wanted.since)?,
        until: at("until", &wanted.until)?,
        verdict: wanted.verdict,
        video,
        text: wanted.q.filter(|q| !q.is_empty()),
        batch: wanted.batch,
        after: wanted.after,
        limit,
    };
    let mut found = app.state.history(&caller.owner, &filter).await?;
    let more = found.len() as i64 > limit;
    if more {
        found.pop();
    }
    let next = found.last().filter(|_| more).map(|j| j.id.clone());
    Ok(axum::Json(Page {
        jobs: found.iter().map(Job::view).collect(),
        next,
    }))
}

async fn find(app: &Shared, caller: &Caller, id: &str) -> Result<Job, Refusal> {
    let unknown = || Refusal::not_found("job");
    if !is_id(id) {
        return Err(unknown());
    }
    app.state.job(id, &caller.owner).await?.ok_or_else(unknown)
}

/// A job.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "The job", body = JobView),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    State(app): State<Shared>,
    caller: Caller,
    headers: axum::http::HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    caller.may(Scope::Read)?;
    let job = find(&app, &caller, &id).await?;
    Ok(match accept::form(&headers)? {
        Form::Html => Html(page::job(&job)).into_response(),
        _ => axum::Json(job.view()).into_response(),
    })
}

/// Give a job up, or forget one that has ended.
///
/// A job that waits or runs is cancelled. One that has ended is forgotten, with its report and its media where no other
/// job has them.
#[utoipa::path(
    delete, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "The job, cancelled", body = JobView),
        (status = 204, description = "It was forgotten"),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn remove(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    caller.may(Scope::Scan)?;
    find(&app, &caller, &id).await?;
    if let Some(job) = app.state.cancel(&id, &caller.owner).await? {
        app.hub.cancel(&id);
        app.hub.ended(&job);
        app.metrics.job(JobState::Cancelled.word());
        return Ok(axum::Json(job.view()).into_response());
    }
    forget(&app, &id, &caller.owner).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Forgets a job that has ended, and what only it had.
pub(crate) async fn forget(app: &Shared, id: &str, owner: &str) -> Result<(), Refusal> {
    let Some((job, report_gone)) = app.state.forget(id, owner).await? else {
        return Ok(());
    };
    if let Some(report) = job.report.filter(|_| report_gone) {
        app.store.delete_report(&report).await?;
    }
    if let Some(place) = app
        .state
        .drop_one(&job.sha256, crate::state::now(), false)
        .await?
    {
        app.store.delete(&place).await?;
    }
    Ok(())
}

/// An event of a stream, by its fields.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what axum writes")]
pub(crate) struct StreamEvent {
    /// `state`, `frame` or `end`.
    event: String,
    /// A job or a scored frame, as JSON.
    data: String,
}

/// What happens to a job, until it ends.
///
/// Events are `state` (the job), `frame` (a scored frame of a video) and `end` (the job), after which the stream ends.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/events", tag = "jobs",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "Server-sent events", body = StreamEvent, content_type = "text/event-stream"),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    caller.may(Scope::Read)?;
    find(&app, &caller, &id).await?;
    // Heard from here on, and looked up after that, so that nothing falls between.
    let news = app.hub.listen(&id);
    let job = find(&app, &caller, &id).await?;
    let listener = Listener {
        app,
        news,
        said: None,
        job,
        over: false,
    };
    let stream = futures_util::stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(ALIVE)))
}

/// Who listens to a job.
struct Listener {
    app: Shared,
    news: broadcast::Receiver<News>,
    said: Option<JobState>,
    job: Job,
    over: bool,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        loop {
            let state = self.job.state;
            if self.said != Some(state) {
                self.said = Some(state);
                self.over = state.is_final();
                let name = if self.over { "end" } else { "state" };
                return Event::default().event(name).json_data(self.job.view()).ok();
            }
            tokio::select! {
                heard = self.news.recv() => match heard {
                    Ok(News::State(job)) => self.job = *job,
                    Ok(News::Frame(frame)) => return Event::default().event("frame").json_data(*frame).ok(),
                    Ok(News::Large) | Err(RecvError::Lagged(_)) => {}
                    Ok(News::Stopping { .. }) => return None,
                    Err(RecvError::Closed) => {
                        tokio::time::sleep(LOOK / 4).await;
                        self.look().await?;
                    }
                },
                () = tokio::time::sleep(LOOK) => self.look().await?,
            }
        }
    }

    async fn look(&mut self) -> Option<()> {
        self.job = self
            .app
            .state
            .job(&self.job.id, &self.job.owner)
            .await
            .ok()??;
        Some(())
    }
}
