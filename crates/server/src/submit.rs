//! From a file and what is asked of it to a job, and from a job to its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use realscope::record::Record;
use realscope::report;
use realscope_media::Format;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use utoipa::IntoParams;

use crate::accept::Form;
use crate::app::Shared;
use crate::auth::Caller;
use crate::cases;
use crate::guard::JOB;
use crate::hub::News;
use crate::outbound;
use crate::problem::Refusal;
use crate::settings::seconds;
use crate::state::jobs::{Job, JobState, Submitted, Wish};
use crate::state::reports::Report;
use crate::state::{hex, new_id, now};
use crate::upload::{File, clean};

/// How often a waiting request looks at the table: its job may run in another server.
const LOOK: Duration = Duration::from_millis(500);
/// Longest key of an idempotent request, in bytes.
const KEY: usize = 255;

/// Code of a file that holds several pictures, none of which was named. Its sentence ends with their names.
pub(crate) const PARTS: &str = "parts";

/// What a request asks of its file. Fields of a form mean the same.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Name in the record; a form's file name is the default.
    name: Option<String>,
    /// Also make the map and the pictures of the report.
    draw: Option<bool>,
    /// False-positive rate that the verdict may have, between 0 and 1.
    #[param(exclusive_minimum = 0, exclusive_maximum = 1)]
    max_fpr: Option<f64>,
    /// Scan what there is of a truncated JPEG.
    allow_truncated: Option<bool>,
    /// Which picture of a file that holds several.
    part: Option<String>,
    /// Address that is told of the end.
    webhook: Option<String>,
}

impl Asked {
    /// With the fields of a form.
    pub(crate) fn with(mut self, fields: &[(String, String)]) -> Result<Self, Refusal> {
        fn parsed<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Refusal> {
            text.parse()
                .map_err(|_| Refusal::malformed(format!("the field `{name}` is not valid")))
        }
        for (name, text) in fields.iter().filter(|(_, t)| !t.is_empty()) {
            match name.as_str() {
                "name" => self.name = Some(text.clone()),
                // A form's tick box.
                "draw" => self.draw = Some(text == "on" || parsed(name, text)?),
                "allow_truncated" => {
                    self.allow_truncated = Some(text == "on" || parsed(name, text)?)
                }
                "max_fpr" => self.max_fpr = Some(parsed(name, text)?),
                "part" => self.part = Some(text.clone()),
                "webhook" => self.webhook = Some(text.clone()),
                _ => {}
            }
        }
        if let Some(fpr) = self.max_fpr
            && !(fpr > 0.0 && fpr < 1.0)
        {
            return Err(Refusal::malformed("`max_fpr` lies between 0 and 1"));
        }
        Ok(self)
    }

    /// What bears on the result.
    pub(crate) fn wish(&self, form: Form) -> Wish {
        Wish {
            draw: self.draw.unwrap_or(false) || form.is_drawn(),
            max_fpr: self.max_fpr,
            allow_truncated: self.allow_truncated.unwrap_or(false),
            part: self.part.clone(),
        }
    }

    /// The name that was given.
    pub(crate) fn name(&self) -> Option<String> {
        self.name.clone()
    }

    /// Where the end is told, checked.
    pub(crate) async fn webhook(&self, app: &Shared) -> Result<Option<String>, Refusal> {
        let Some(address) = &self.webhook else {
            return Ok(None);
        };
        if !app.settings.webhooks {
            let detail = "webhooks are off here (setting `webhooks`)";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "webhooks_off", detail));
        }
        outbound::checked(app, address)
            .await
            .map(|url| Some(url.to_string()))
    }
}

/// Whether the client would rather have a job (RFC 7240).
pub(crate) fn asynchronous(headers: &HeaderMap) -> bool {
    let all = headers
        .get_all("prefer")
        .iter()
        .filter_map(|v| v.to_str().ok());
    all.flat_map(|v| v.split(',')).any(|p| {
        p.split(';')
            .next()
            .is_some_and(|t| t.trim().eq_ignore_ascii_case("respond-async"))
    })
}

/// The key of an idempotent request.
pub(crate) fn idempotency(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > KEY {
        let detail = format!("`Idempotency-Key` has 1 to {KEY} printable characters");
        return Err(Refusal::malformed(detail));
    }
    Ok(Some(text.to_owned()))
}

/// A job for a file that is stored; it has ended where the result was there before.
pub(crate) async fn prepare(
    app: &Shared,
    caller: &Caller,
    file: File,
    name: Option<String>,
    wish: Wish,
    webhook: Option<String>,
) -> Result<Job, Refusal> {
    let video = Format::sniff(&file.arrived.head) == Some(Format::Video);
    let name = name
        .map(|n| clean(&n))
        .or(file.name)
        .unwrap_or_else(|| "upload".into());
    let sha256 = file.arrived.sha256.clone();
    let bytes = i64::try_from(file.arrived.bytes).unwrap_or(i64::MAX);
    let config = app.config(app.scanner()?, &wish);
    let known = app.state.known(&caller.owner, &sha256, &config).await?;
    let location = app.store.keep(&app.state, file.arrived).await?;
    let mut job = Job {
        id: new_id(),
        owner: caller.owner.clone(),
        batch: None,
        name,
        sha256,
        bytes,
        location,
        video,
        wish,
        interactive: false,
        state: JobState::Queued,
        attempt: 0,
        losses: 0,
        fence: 0,
        created: now(),
        started: None,
        finished: None,
        cached: false,
        report: None,
        verdict: None,
        probability: None,
        declared: None,
        error: None,
        webhook,
    };
    if let Some(report) = known {
        let record = record(&report)?;
        job.state = JobState::Succeeded;
        job.cached = true;
        job.started = Some(job.created);
        job.finished = Some(job.created);
        job.verdict = record.verdict.map(|v| v.word().to_owned());
        job.probability = record.probability;
        job.declared = record
            .provenance
            .as_ref()
            .map(|p| p.declared.word().to_owned());
        job.report = Some(report.id);
    }
    Ok(job)
}

/// What makes two requests the same.
pub(crate) fn fingerprint(job: &Job) -> String {
    let all = format!(
        "{} {:?} {:?} {:?}",
        job.sha256, job.name, job.wish, job.webhook
    );
    hex(&Sha256::digest(all.as_bytes()))
}

/// Hands a job in; the one that an idempotent request had before.
pub(crate) async fn submit(app: &Shared, job: Job, key: Option<&str>) -> Result<Job, Refusal> {
    let print = fingerprint(&job);
    match app
        .state
        .submit(&job, key.map(|k| (k, print.as_str())))
        .await?
    {
        Submitted::New => {
            app.metrics
                .job(if job.cached { "cached" } else { "accepted" });
            app.hub.accepted.notify_one();
            if job.cached && job.webhook.is_some() {
                app.hub.webhooks.notify_one();
            }
            Ok(job)
        }
        Submitted::Before(id) => app
            .state
            .job(&id, &job.owner)
            .await?
            .ok_or_else(|| Refusal::not_found("job")),
        Submitted::Conflict => {
            let detail = "the `Idempotency-Key` was used with another request";
            Err(Refusal::new(StatusCode::CONFLICT, "idempotency", detail))
        }
        Submitted::NoMedia => {
            Err(Refusal::unavailable("store", "the file was dropped meanwhile").after(1))
        }
    }
}

/// Refuses a job that nobody waits for where too many wait.
pub(crate) async fn background(app: &Shared, more: usize) -> Result<(), Refusal> {
    let waiting = u64::try_from(app.state.background().await?).unwrap_or(u64::MAX);
    if waiting.saturating_add(more as u64) > app.settings.queue {
        app.metrics.shed("queue");
        return Err(Refusal::busy(format!("{waiting} jobs wait already"), 5));
    }
    Ok(())
}

/// Gives a job up when who waited for it has gone.
pub(crate) struct Waiting {
    app: Shared,
    job: Option<(String, String)>,
}

impl Waiting {
    /// For a job; one with a key is kept, since its client may ask again.
    pub(crate) fn for_job(app: &Shared, job: &Job, keyed: bool) -> Self {
        Self {
            app: Arc::clone(app),
            job: (!keyed).then(|| (job.id.clone(), job.owner.clone())),
        }
    }

    /// The job goes on by itself, or has ended.
    pub(crate) fn over(&mut self) {
        self.job = None;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some((id, owner)) = self.job.take() else {
            return;
        };
        let app = Arc::clone(&self.app);
        tokio::spawn(async move {
            app.hub.cancel(&id);
            match app.state.cancel(&id, &owner).await {
                Ok(Some(job)) => {
                    app.metrics.job("abandoned");
                    app.hub.ended(&job);
                }
                Ok(None) => {}
                Err(e) => {
                    tracing::error!(error = %e, "a job that nobody waits for cannot be cancelled")
                }
            }
        });
    }
}

/// Waits for a job's end; `None` where that takes too long.
pub(crate) async fn wait(
    app: &Shared,
    job: Job,
    mut news: broadcast::Receiver<News>,
    mut waiting: Waiting,
) -> Result<Result<Job, Job>, Refusal> {
    let until = Instant::now() + seconds(app.settings.sync_seconds);
    let mut last = job;
    while !last.state.is_final() {
        tokio::select! {
            heard = news.recv() => match heard {
                Ok(News::State(job)) => last = *job,
                Ok(News::Frame(_)) | Err(RecvError::Lagged(_)) => {}
                Ok(News::Large) => break,
                Ok(News::Stopping { now }) if now || last.state == JobState::Queued => break,
                Ok(News::Stopping { .. }) => {}
                Err(RecvError::Closed) => tokio::time::sleep(LOOK).await,
            },
            () = tokio::time::sleep(LOOK) => {
                match app.state.job(&last.id, &last.owner).await? {
                    Some(job) => last = job,
                    None => return Err(Refusal::not_found("job")),
                }
            }
            () = tokio::time::sleep_until(until) => break,
        }
    }
    waiting.over();
    if last.state.is_final() {
        return Ok(Ok(last));
    }
    app.state.nobody_waits(&last.id).await?;
    Ok(Err(last))
}

/// The record of a stored report.
pub(crate) fn record(stored: &Report) -> Result<Record, Refusal> {
    serde_json::from_str(&stored.record).map_err(|e| {
        tracing::error!(report = stored.id, error = %e, "a stored record cannot be read");
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the stored record cannot be read",
        )
    })
}

/// The answer to a job that goes on: 202.
pub(crate) fn accepted(job: &Job, form: Form) -> Response {
    let location = format!("/v1/jobs/{}", job.id);
    let mut response = if form == Form::Html {
        (StatusCode::ACCEPTED, Html(crate::page::job(job))).into_response()
    } else {
        (StatusCode::ACCEPTED, axum::Json(job.view())).into_response()
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, value);
    }
    named(headers, job);
    response
}

fn named(headers: &mut HeaderMap, job: &Job) {
    let text = |t: &str| HeaderValue::from_str(t).unwrap_or(HeaderValue::from_static(""));
    headers.insert(JOB, text(&job.id));
    if let Some(report) = &job.report {
        headers.insert("realscope-report", text(report));
    }
    if job.cached {
        headers.insert("realscope-cached", HeaderValue::from_static("true"));
    }
}

/// The answer to a job that ended.
pub(crate) async fn ended(app: &Shared, job: &Job, form: Form) -> Result<Response, Refusal> {
    let Some(id) = &job.report else {
        return Err(no_report(job));
    };
    let stored = app
        .state
        .report(id, &job.owner)
        .await?
        .ok_or_else(|| Refusal::not_found("report"))?;
    let mut response = show(app, &stored, form, false, Some(&job.name)).await?;
    named(response.headers_mut(), job);
    Ok(response)
}

/// Why a job has no report.
fn no_report(job: &Job) -> Refusal {
    let (code, message) = job
        .error
        .clone()
        .unwrap_or_else(|| ("internal".into(), "it ended without a result".into()));
    let mut problem = Refusal::of_scan(&code, message).of_job(&job.id);
    if code == PARTS
        && let Some((_, parts)) = problem.detail.split_once(": ")
    {
        problem.parts = Some(parts.split("; ").map(ToOwned::to_owned).collect());
    }
    problem
}

/// A report in a form; `name` stands in the record where the file was named otherwise this time.
pub(crate) async fn show(
    app: &Shared,
    stored: &Report,
    form: Form,
    explain: bool,
    name: Option<&str>,
) -> Result<Response, Refusal> {
    let mut record = record(stored)?;
    if let Some(name) = name {
        name.clone_into(&mut record.path);
    }
    Ok(match form {
        Form::Json => axum::Json(record).into_response(),
        Form::Text => format!("{}\n", report::text(&record, false, explain)).into_response(),
        Form::Signed => signed(app, stored, cases::PAGE, "text/html; charset=utf-8").await?,
        Form::Pdf => signed(app, stored, cases::DOCUMENT, "application/pdf").await?,
        Form::Html if stored.pictures.iter().any(|p| p == "report.html") => {
            let page = app
                .store
                .read(&format!("reports/{}/report.html", stored.id))
                .await?;
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
        }
        Form::Html => Html(format!(
            "{}{}{}",
            report::html_head("Realscope report"),
            report::html_film(&record, None, None, &[]),
            report::html_tail()
        ))
        .into_response(),
    })
}

/// A signed report as it was made with the scan, byte for byte.
async fn signed(
    app: &Shared,
    stored: &Report,
    name: &str,
    kind: &str,
) -> Result<Response, Refusal> {
    if !stored.pictures.iter().any(|p| p == name) {
        let detail = "this report is not signed: a scan with `draw=true` gives one that is";
        return Err(Refusal::new(StatusCode::NOT_FOUND, "not_signed", detail));
    }
    let place = format!("reports/{}/{name}", stored.id);
    let bytes = app.store.read(&place).await?;
    let named = format!("attachment; filename=\"realscope-{}-{name}\"", stored.id);
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, named),
    ];
    Ok((headers, bytes).into_response())
}
