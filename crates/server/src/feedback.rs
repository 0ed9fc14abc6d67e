//! Feedback: what somebody says that a file is, and the regression set that grows from it.

use std::fmt::Write as _;
use std::path::Path as FilePath;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Shared;
use crate::auth::Caller;
use crate::extract::{Json, Path, Query};
use crate::problem::{Problem, Refusal};
use crate::state::feedback::{Remark, Says};
use crate::state::keys::Scope;
use crate::state::{State as Kept, StateError, instant, is_id, new_id, now};
use crate::store::{Store, StoreError};
use crate::submit;

/// Longest note, in characters.
const NOTE: usize = 2000;

/// A remark on a verdict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRemark {
    /// The report.
    report: String,
    /// What the file is.
    says: Says,
    /// Why, in words.
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// All remarks.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Remarks {
    /// The oldest first.
    feedback: Vec<Remark>,
}

/// How remarks are given.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// `csv`: a manifest of the regression set; left out, JSON.
    #[param(pattern = "^(csv|json)$")]
    format: Option<String>,
}

/// Say that a verdict is wrong, or right.
#[utoipa::path(
    post, path = "/v1/feedback", tag = "feedback", request_body = NewRemark,
    responses(
        (status = 201, description = "It was kept", body = Remark),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn add(
    State(app): State<Shared>,
    caller: Caller,
    Json(new): Json<NewRemark>,
) -> Result<Response, Refusal> {
    caller.may(Scope::Scan)?;
    if new.note.chars().count() > NOTE {
        return Err(Refusal::malformed(format!(
            "`note` has at most {NOTE} characters"
        )));
    }
    let unknown = || Refusal::not_found("report");
    if !is_id(&new.report) {
        return Err(unknown());
    }
    let report = app
        .state
        .report(&new.report, &caller.owner)
        .await?
        .ok_or_else(unknown)?;
    let record = submit::record(&report)?;
    let at = now();
    let remark = Remark {
        id: new_id(),
        report: report.id,
        sha256: report.sha256,
        name: record.path,
        verdict: record.verdict.map(|v| v.word().to_owned()),
        probability: record.probability,
        says: new.says.word().to_owned(),
        note: new.note,
        created: instant(at),
    };
    app.state.add_remark(&caller.owner, &remark, at).await?;
    Ok((StatusCode::CREATED, axum::Json(remark)).into_response())
}

/// All remarks.
#[utoipa::path(
    get, path = "/v1/feedback", tag = "feedback", params(How),
    responses(
        (status = 200, description = "All remarks", content((Remarks = "application/json"), (String = "text/csv"))),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    caller: Caller,
    Query(how): Query<How>,
) -> Result<Response, Refusal> {
    caller.may(Scope::Read)?;
    let remarks = app.state.remarks(Some(&caller.owner)).await?;
    match how.format.as_deref() {
        None | Some("json") => Ok(axum::Json(Remarks { feedback: remarks }).into_response()),
        Some("csv") => {
            let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
            Ok((kind, manifest(&remarks, &caller.owner)).into_response())
        }
        Some(_) => Err(Refusal::malformed("`format` is `json` or `csv`")),
    }
}

/// Take a remark back.
#[utoipa::path(
    delete, path = "/v1/feedback/{id}", tag = "feedback",
    params(("id" = String, Path, description = "The remark")),
    responses(
        (status = 204, description = "It was forgotten"),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn remove(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    caller.may(Scope::Scan)?;
    let unknown = || Refusal::not_found("remark");
    let sha256 = app
        .state
        .drop_remark(&id, &caller.owner)
        .await?
        .ok_or_else(unknown)?;
    if let Some(place) = app.state.drop_one(&sha256, now(), false).await? {
        app.store.delete(&place).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The manifest of a regression set, as `realscope eval` reads it. The last remark on a file counts.
fn manifest(remarks: &[Remark], owner: &str) -> String {
    let mut last = std::collections::BTreeMap::new();
    for remark in remarks {
        last.insert(remark.sha256.clone(), remark);
    }
    let mut text = String::from("path,label,split,group\n");
    for (sha256, remark) in last {
        let label = u8::from(remark.says != Says::Authentic.word());
        // Owners are words of keys; a comma or a quote in one must not become a column.
        let group: String = owner
            .chars()
            .map(|c| {
                if matches!(c, ',' | '"' | '\n' | '\r') {
                    '_'
                } else {
                    c
                }
            })
            .collect();
        let _ = writeln!(
            text,
            "{sha256},{label},test,feedback-{group}-{}",
            remark.says
        );
    }
    text
}

/// Why a regression set was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The state failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder cannot be written.
    #[error("{0}")]
    Folder(#[from] std::io::Error),
}

/// Writes the files of all remarks and `manifest.csv` into a folder; how many were written, and how many were not kept
/// any more.
pub(crate) async fn export(
    state: &Kept,
    store: &Store,
    folder: &FilePath,
) -> Result<(usize, usize), ExportError> {
    tokio::fs::create_dir_all(folder).await?;
    let (mut written, mut gone) = (Vec::new(), 0);
    for remark in state.remarks(None).await? {
        let Some(place) = state.media(&remark.sha256).await? else {
            gone += 1;
            continue;
        };
        match store.read(&place).await {
            Ok(bytes) => tokio::fs::write(folder.join(&remark.sha256), bytes).await?,
            Err(StoreError::Gone) => {
                gone += 1;
                continue;
            }
            Err(e) => return Err(e.into()),
        }
        written.push(remark);
    }
    tokio::fs::write(folder.join("manifest.csv"), manifest(&written, "all")).await?;
    Ok((written.len(), gone))
}
