//! Whether the service lives, what it is, and its measures.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use realscope::record::Tool;
use serde_json::{Value, json};

use crate::app::Shared;
use crate::auth::Caller;
use crate::problem::{Problem, Refusal};
use crate::state::keys::Scope;

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Fails where the weights are not in memory, the database does not answer, media cannot be stored, or the service stops.
pub(crate) async fn ready(app: &Shared) -> Result<(), Refusal> {
    app.scanner()?;
    if app.stops() {
        return Err(Refusal::unavailable("stopping", "the service stops"));
    }
    if !app.state.alive().await {
        return Err(Refusal::unavailable(
            "store",
            "the database does not answer",
        ));
    }
    app.stored().await
}

/// Whether the service takes work: the weights are in memory, the database answers, and media can be stored.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "It does", body = String, content_type = "text/plain"),
    (status = 503, description = "It does not", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn readyz(State(app): State<Shared>) -> Result<&'static str, Refusal> {
    ready(&app).await?;
    Ok("ready\n")
}

/// Name, version, engine, profile, and hash of the settings that bear on results.
#[utoipa::path(get, path = "/version", tag = "health", responses((status = 200, description = "The version", body = Object)))]
pub(crate) async fn version(State(app): State<Shared>) -> axum::Json<Value> {
    let tool: Option<&Tool> = app.scanner().ok().map(realscope::Scanner::tool);
    axum::Json(json!({
        "name": "realscope",
        "version": env!("CARGO_PKG_VERSION"),
        "schema_version": realscope::record::SCHEMA_VERSION,
        "tool": tool,
        "report_key": {
            "algorithm": "Ed25519",
            "public_key": app.key.public().to_base64(),
            "sha256": app.key.public().fingerprint(),
        },
    }))
}

/// Measures for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "Measures in the text format of OpenMetrics", body = String, content_type = "application/openmetrics-text"),
    (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn metrics(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Response, Refusal> {
    caller.may(Scope::Admin)?;
    let (queued, running) = app.state.depth().await?;
    app.metrics.depth("queued", queued);
    app.metrics.depth("running", running);
    let waiting = app.scanner().map_or(0, realscope::Scanner::waiting);
    app.metrics
        .depth("detector", i64::try_from(waiting).unwrap_or(i64::MAX));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], app.metrics.text()).into_response())
}
