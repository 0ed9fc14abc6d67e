//! Reports: as records, text and pages; their pictures; the files that they speak of.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::accept::{self, Form};
use crate::app::Shared;
use crate::auth::Caller;
use crate::extract::{Path, Query};
use crate::pictures;
use crate::problem::{Problem, Refusal};
use crate::state::is_id;
use crate::state::keys::Scope;
use crate::state::reports::Report;
use crate::submit;

/// Form of a report.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// The record.
    Json,
    /// The terminal's text.
    Text,
    /// A page.
    Html,
    /// The signed report as a page, for `realscope verify-report`.
    Signed,
    /// The signed report as PDF, for `realscope verify-report`.
    Pdf,
}

/// How a report is shown.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// Form of the report; left out, what `Accept` says.
    #[param(inline)]
    format: Option<Format>,
    /// Of text: the verdict explained, not one line.
    explain: bool,
}

async fn find(app: &Shared, caller: &Caller, id: &str) -> Result<Report, Refusal> {
    caller.may(Scope::Read)?;
    let unknown = || Refusal::not_found("report");
    if !is_id(id) {
        return Err(unknown());
    }
    app.state
        .report(id, &caller.owner)
        .await?
        .ok_or_else(unknown)
}

/// A report.
#[utoipa::path(
    get, path = "/v1/reports/{id}", tag = "reports",
    params(("id" = String, Path, description = "The report"), How),
    responses(
        (status = 200, description = "The report", content(
            (Object = "application/json"), (String = "text/plain"), (String = "text/html"), (Vec<u8> = "application/pdf"),
        )),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    State(app): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(how): Query<How>,
) -> Result<Response, Refusal> {
    let report = find(&app, &caller, &id).await?;
    let form = match how.format {
        Some(Format::Json) => Form::Json,
        Some(Format::Text) => Form::Text,
        Some(Format::Html) => Form::Html,
        Some(Format::Signed) => Form::Signed,
        Some(Format::Pdf) => Form::Pdf,
        None => accept::form(&headers)?,
    };
    submit::show(&app, &report, form, how.explain, None).await
}

/// A picture of a drawn report.
#[utoipa::path(
    get, path = "/v1/reports/{id}/pictures/{name}", tag = "reports",
    params(
        ("id" = String, Path, description = "The report"),
        ("name" = String, Path, description = "`picture.jpg`, `map.png`, `spectrum.png`, `ela.png`, `noise.png` or `npr.png`"),
    ),
    responses(
        (status = 200, description = "The picture", content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"))),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn picture(
    State(app): State<Shared>,
    caller: Caller,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let report = find(&app, &caller, &id).await?;
    let known = pictures::NAMES.iter().find(|n| **n == name);
    let name = known.filter(|n| report.pictures.iter().any(|p| p == **n));
    let name = name.ok_or_else(|| Refusal::not_found("picture"))?;
    let bytes = app.store.read(&format!("reports/{id}/{name}")).await?;
    let headers = [
        (header::CONTENT_TYPE, pictures::media_type(name)),
        // A report never changes.
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
    ];
    Ok((headers, bytes).into_response())
}

/// The file that was scanned, while it is kept.
#[utoipa::path(
    get, path = "/v1/reports/{id}/media", tag = "reports",
    params(("id" = String, Path, description = "The report")),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn media(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let report = find(&app, &caller, &id).await?;
    let gone = || Refusal::not_found("file any more");
    let place = app.state.media(&report.sha256).await?.ok_or_else(gone)?;
    let (size, parts) = app.store.stream(&place).await?;
    let mut response = Body::from_stream(parts).into_response();
    let headers = response.headers_mut();
    // Never shown by a browser as if it were this service's own page.
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    let name = format!("attachment; filename=\"{}\"", report.sha256);
    if let Ok(value) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}
