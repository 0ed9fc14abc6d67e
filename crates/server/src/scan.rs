//! `POST /v1/scan` and batches.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use crate::accept;
use crate::app::Shared;
use crate::auth::Caller;
use crate::extract::{Path, Query};
use crate::outbound;
use crate::problem::{Problem, Refusal};
use crate::state::jobs::{Filter, JobView};
use crate::state::keys::Scope;
use crate::state::{instant, is_id, new_id};
use crate::submit::{self, Asked, Waiting};
use crate::upload::{self, Content};

/// A file to be fetched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Address {
    /// Where it is.
    url: String,
}

/// Files to be fetched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Addresses {
    /// Where they are.
    urls: Vec<String>,
}

/// A file of a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, not built")]
pub(crate) struct Upload {
    /// The file; fields that mean what parameters mean come ahead of it.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Jobs that came together.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Batch {
    /// Its id.
    id: String,
    /// When it was accepted.
    created: String,
    /// Its jobs in order.
    jobs: Vec<JobView>,
    /// Jobs by state.
    counts: BTreeMap<String, usize>,
    /// Addresses that belong to it.
    links: BatchLinks,
}

/// Addresses that belong to a batch.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BatchLinks {
    /// The batch.
    #[serde(rename = "self")]
    #[schema(rename = "self")]
    own: String,
}

/// Refuses new work where the service ends.
fn open(app: &Shared) -> Result<(), Refusal> {
    if app.stops() {
        return Err(Refusal::unavailable("stopping", "the service stops"));
    }
    app.scanner().map(drop)
}

async fn content(app: &Shared, request: Request, most: usize) -> Result<Content, Refusal> {
    let _room = upload::room(app)?;
    if !upload::is_json(request.headers()) {
        return upload::read(app, request, most).await;
    }
    if !app.settings.fetch {
        let detail = "files are not fetched here (setting `fetch`)";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "urls_off", detail));
    }
    let urls = if most == 1 {
        vec![upload::json::<Address>(app, request.into_body()).await?.url]
    } else {
        upload::json::<Addresses>(app, request.into_body())
            .await?
            .urls
    };
    if urls.is_empty() || urls.len() > most {
        return Err(Refusal::malformed(format!("1 to {most} addresses")));
    }
    let mut content = Content::default();
    for url in urls {
        content.files.push(outbound::fetch(app, &url).await?);
    }
    Ok(content)
}

/// Scan a picture or a video.
///
/// The record of a picture, or a job: of a video or an animation, of a picture with more than 12 megapixels, where the
/// client prefers it, and where the answer takes too long. The body is a form, the bytes themselves, or JSON with an
/// address where the service allows it.
#[utoipa::path(
    post, path = "/v1/scan", tag = "scan",
    params(
        Asked,
        ("Prefer" = Option<String>, Header, description = "`respond-async`: a job in any case"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request gives the same job", min_length = 1, max_length = 255),
    ),
    request_body(content(
        (Upload = "multipart/form-data"),
        (Vec<u8> = "application/octet-stream"),
        (Address = "application/json"),
    )),
    responses(
        (status = 200, description = "The record", content(
            (Object = "application/json"), (String = "text/plain"), (String = "text/html"), (Vec<u8> = "application/pdf"),
        ), headers(
            ("Realscope-Job" = String, description = "The job"),
            ("Realscope-Report" = String, description = "The report"),
        )),
        (status = 202, description = "A job", body = JobView, headers(("Location" = String, description = "The job"))),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn scan(
    State(app): State<Shared>,
    caller: Caller,
    Query(asked): Query<Asked>,
    request: Request,
) -> Result<Response, Refusal> {
    caller.may(Scope::Scan)?;
    open(&app)?;
    let headers = request.headers().clone();
    let form = accept::form(&headers)?;
    let key = submit::idempotency(&headers)?;
    let asynchronous = submit::asynchronous(&headers);
    let full = || {
        app.metrics.shed("waiting");
        Refusal::busy("as many requests wait as may wait", 1)
    };
    // Ahead of the body, so that what will be refused is not read.
    if asynchronous {
        submit::background(&app, 1).await?;
    } else if app.interactive.available_permits() == 0 {
        return Err(full());
    }
    let content = content(&app, request, 1).await?;
    let asked = asked.with(&content.fields)?;
    let webhook = asked.webhook(&app).await?;
    let file = content
        .files
        .into_iter()
        .next()
        .ok_or_else(|| Refusal::malformed("there is no file"))?;
    let mut job =
        submit::prepare(&app, &caller, file, asked.name(), asked.wish(form), webhook).await?;
    if asynchronous || job.video {
        if !job.state.is_final() {
            submit::background(&app, 1).await?;
        }
        let job = submit::submit(&app, job, key.as_deref()).await?;
        return Ok(submit::accepted(&job, form));
    }
    let permit = if job.state.is_final() {
        None
    } else {
        Some(
            app.interactive
                .clone()
                .try_acquire_owned()
                .map_err(|_| full())?,
        )
    };
    job.interactive = permit.is_some();
    let mut waiting = Waiting::for_job(&app, &job, key.is_some());
    let mut news = app.hub.listen(&job.id);
    let (own, video) = (job.id.clone(), job.video);
    let job = match submit::submit(&app, job, key.as_deref()).await {
        Ok(job) => job,
        Err(problem) => {
            waiting.over();
            return Err(problem);
        }
    };
    if job.id != own {
        // The client asks again: it waits for the job that it had.
        waiting.over();
        news = app.hub.listen(&job.id);
        waiting = Waiting::for_job(&app, &job, true);
    }
    if video {
        waiting.over();
        return Ok(submit::accepted(&job, form));
    }
    let ended = submit::wait(&app, job, news, waiting).await?;
    drop(permit);
    match ended {
        Ok(job) => submit::ended(&app, &job, form).await,
        Err(job) => Ok(submit::accepted(&job, form)),
    }
}

/// Scan many files.
///
/// All are accepted, or none. The body is a form with a field `file` for each, or JSON with addresses where the service
/// allows it.
#[utoipa::path(
    post, path = "/v1/batches", tag = "scan",
    params(Asked),
    request_body(content((Upload = "multipart/form-data"), (Addresses = "application/json"))),
    responses(
        (status = 202, description = "A batch", body = Batch, headers(("Location" = String, description = "The batch"))),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn new_batch(
    State(app): State<Shared>,
    caller: Caller,
    Query(asked): Query<Asked>,
    request: Request,
) -> Result<Response, Refusal> {
    caller.may(Scope::Scan)?;
    open(&app)?;
    submit::background(&app, 1).await?;
    if !upload::is_form(request.headers()) && !upload::is_json(request.headers()) {
        let detail = "a batch is a form (multipart/form-data) or JSON";
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported",
            detail,
        ));
    }
    let content = content(&app, request, app.settings.max_batch).await?;
    let asked = asked.with(&content.fields)?;
    let webhook = asked.webhook(&app).await?;
    let id = new_id();
    let mut jobs = Vec::with_capacity(content.files.len());
    for file in content.files {
        let wish = asked.wish(accept::Form::Json);
        let mut job = submit::prepare(&app, &caller, file, None, wish, webhook.clone()).await?;
        job.batch = Some(id.clone());
        jobs.push(job);
    }
    submit::background(&app, jobs.iter().filter(|j| !j.state.is_final()).count()).await?;
    if !app.state.submit_batch(&id, &caller.owner, &jobs).await? {
        return Err(Refusal::unavailable("store", "a file was dropped meanwhile").after(1));
    }
    app.metrics.job("accepted");
    app.hub.accepted.notify_one();
    let batch = view(&app, &id, &caller.owner).await?;
    let mut response = (StatusCode::ACCEPTED, axum::Json(batch)).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("/v1/batches/{id}")) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    Ok(response)
}

/// A batch with its jobs.
#[utoipa::path(
    get, path = "/v1/batches/{id}", tag = "scan",
    params(("id" = String, Path, description = "The batch")),
    responses(
        (status = 200, description = "The batch", body = Batch),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn batch(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<Batch>, Refusal> {
    caller.may(Scope::Read)?;
    view(&app, &id, &caller.owner).await.map(axum::Json)
}

async fn view(app: &Shared, id: &str, owner: &str) -> Result<Batch, Refusal> {
    let unknown = || Refusal::not_found("batch");
    if !is_id(id) {
        return Err(unknown());
    }
    let created = app.state.batch(id, owner).await?.ok_or_else(unknown)?;
    let filter = Filter {
        batch: Some(id.to_owned()),
        limit: i64::try_from(app.settings.max_batch).unwrap_or(i64::MAX - 1),
        ..Filter::default()
    };
    let mut jobs: Vec<JobView> = app
        .state
        .history(owner, &filter)
        .await?
        .iter()
        .map(|j| j.view())
        .collect();
    jobs.reverse();
    let mut counts = BTreeMap::new();
    for job in &jobs {
        *counts.entry(job.state.word().to_owned()).or_default() += 1;
    }
    Ok(Batch {
        id: id.to_owned(),
        created: instant(created),
        jobs,
        counts,
        links: BatchLinks {
            own: format!("/v1/batches/{id}"),
        },
    })
}
