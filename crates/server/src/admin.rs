//! Keys, the audit log, and who one is.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::problem::{Problem, Refusal};
use crate::state::audit::AuditEntry;
use crate::state::keys::{KeyView, NewKey, Scope};

/// Entries of the audit log in one answer.
const ENTRIES: i64 = 1000;

/// All keys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Keys {
    /// The oldest first.
    keys: Vec<KeyView>,
}

/// A key with its secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Shown {
    /// The key; it is never shown again.
    key: String,
    /// What is known of it.
    #[serde(flatten)]
    about: KeyView,
}

/// The audit log.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Audit {
    /// The newest first.
    entries: Vec<AuditEntry>,
}

/// Who one is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Me {
    /// Id of the key; `local` without one.
    key: String,
    /// Its name.
    name: String,
    /// Whose jobs and reports it sees.
    owner: String,
    /// What it allows.
    scopes: Vec<Scope>,
}

/// Who the key belongs to, and what it allows.
#[utoipa::path(get, path = "/v1/me", tag = "keys", responses(
    (status = 200, description = "The caller", body = Me),
    (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn me(caller: Caller) -> axum::Json<Me> {
    axum::Json(Me {
        key: caller.key,
        name: caller.name,
        owner: caller.owner,
        scopes: caller.scopes,
    })
}

/// All keys.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", responses(
    (status = 200, description = "All keys", body = Keys),
    (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn keys(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<axum::Json<Keys>, Refusal> {
    caller.may(Scope::Admin)?;
    Ok(axum::Json(Keys {
        keys: app.state.keys().await?,
    }))
}

/// Make a key.
///
/// It is shown once. With the first key every request needs one; so the first has to allow `admin`.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = NewKey, responses(
    (status = 201, description = "The key, shown once", body = Shown),
    (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn add_key(
    State(app): State<Shared>,
    caller: Caller,
    Json(wanted): Json<NewKey>,
) -> Result<Response, Refusal> {
    caller.may(Scope::Admin)?;
    wanted.check().map_err(Refusal::malformed)?;
    if !wanted.scopes.contains(&Scope::Admin) && !app.state.closed().await? {
        let detail = "the first key has the scope `admin`: nobody could make another";
        return Err(Refusal::new(StatusCode::CONFLICT, "first_key", detail));
    }
    let (key, about) = app.state.add_key(&wanted).await?;
    Ok((StatusCode::CREATED, axum::Json(Shown { key, about })).into_response())
}

/// Take a key out of use.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 204, description = "It no longer works"),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn revoke(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    caller.may(Scope::Admin)?;
    if app.state.revoke_key(&id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::not_found("key in use"))
    }
}

/// Give a key a new secret, shown once.
#[utoipa::path(
    post, path = "/v1/keys/{id}/rotate", tag = "keys",
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 200, description = "The key, shown once", body = Shown),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn rotate(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<Shown>, Refusal> {
    caller.may(Scope::Admin)?;
    let unknown = || Refusal::not_found("key in use");
    let (key, about) = app.state.rotate_key(&id).await?.ok_or_else(unknown)?;
    Ok(axum::Json(Shown { key, about }))
}

/// Who asked what.
#[utoipa::path(get, path = "/v1/audit", tag = "keys", responses(
    (status = 200, description = "The last thousand requests", body = Audit),
    (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn audit(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<axum::Json<Audit>, Refusal> {
    caller.may(Scope::Admin)?;
    Ok(axum::Json(Audit {
        entries: app.state.audit(ENTRIES).await?,
    }))
}
