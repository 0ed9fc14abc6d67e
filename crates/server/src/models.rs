//! The detectors, and the Open Inference Protocol's view of them.

use axum::extract::State;
use axum::http::StatusCode;
use realscope_detectors::catalog;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::Caller;
use crate::extract::Path;
use crate::problem::{Problem, Refusal};
use crate::state::keys::Scope;

/// All detectors.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Models {
    /// The detector that decides.
    in_use: String,
    /// Every detector.
    models: Vec<Model>,
}

/// A detector.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    /// Its stable id.
    id: String,
    /// What it is.
    summary: String,
    /// What it is made for.
    #[schema(value_type = String)]
    task: Value,
    /// Where it stands in its life.
    #[schema(value_type = String)]
    status: Value,
    /// `embedded`, `installed` or `needs_weights`.
    #[schema(value_type = String)]
    availability: Value,
    /// SHA-256 of its weights; null where they are not there.
    sha256: Option<String>,
    /// Licence of its weights.
    licence: String,
    /// Who made it.
    citation: String,
    /// Whether its probabilities are calibrated.
    calibrated: bool,
    /// What it cannot do.
    known_failures: Vec<String>,
}

/// The detectors.
#[utoipa::path(get, path = "/v1/models", tag = "models", responses(
    (status = 200, description = "The detectors", body = Models),
    (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<axum::Json<Models>, Refusal> {
    caller.may(Scope::Read)?;
    let in_use = app.scanner()?.detector().card().id.clone();
    let shared = app.clone();
    // Cards of installed models are read from a disk.
    let listed = tokio::task::spawn_blocking(move || shared.models.list()).await;
    let failed = |e: String| {
        tracing::error!(error = e, "the models cannot be listed");
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the models cannot be listed",
        )
    };
    let listed = listed
        .map_err(|e| failed(e.to_string()))?
        .map_err(|e| failed(e.to_string()))?;
    let models = listed.into_iter().map(|entry| Model {
        summary: entry.card.summary,
        task: json!(entry.card.task),
        status: json!(entry.card.status),
        availability: json!(entry.availability),
        sha256: Some(entry.card.weights_sha256).filter(|h| !h.is_empty()),
        licence: entry.card.licence,
        citation: entry.card.citation,
        calibrated: entry.card.calibration.is_some(),
        known_failures: entry.card.known_failures,
        id: entry.card.id,
    });
    Ok(axum::Json(Models {
        in_use,
        models: models.collect(),
    }))
}

/// The service, as the Open Inference Protocol asks.
#[utoipa::path(get, path = "/v2", tag = "open inference protocol", responses(
    (status = 200, description = "Name and version", body = Object),
))]
pub(crate) async fn server() -> axum::Json<Value> {
    axum::Json(json!({
        "name": "realscope",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": [],
    }))
}

/// Whether the service lives.
#[utoipa::path(get, path = "/v2/health/live", tag = "open inference protocol", responses(
    (status = 200, description = "It does", body = Object),
))]
pub(crate) async fn live() -> axum::Json<Value> {
    axum::Json(json!({"live": true}))
}

/// Whether the weights are in memory.
#[utoipa::path(get, path = "/v2/health/ready", tag = "open inference protocol", responses(
    (status = 200, description = "They are", body = Object),
    (status = 503, description = "They are not", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn ready(State(app): State<Shared>) -> Result<axum::Json<Value>, Refusal> {
    crate::health::ready(&app).await?;
    Ok(axum::Json(json!({"ready": true})))
}

/// The id of the detector in use, where `name` is it or its alias.
fn in_use(app: &Shared, name: &str) -> Result<String, Refusal> {
    let id = &app.scanner()?.detector().card().id;
    if catalog::resolve(name) == id || name == id {
        Ok(id.clone())
    } else {
        Err(Refusal::not_found("model in use"))
    }
}

/// The model in use.
#[utoipa::path(
    get, path = "/v2/models/{name}", tag = "open inference protocol",
    params(("name" = String, Path, description = "Id of the detector, or `default`")),
    responses(
        (status = 200, description = "Its inputs and outputs", body = Object),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn model(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<axum::Json<Value>, Refusal> {
    let id = in_use(&app, &name)?;
    let tool = app.scanner()?.tool();
    Ok(axum::Json(json!({
        "name": id,
        "versions": [tool.version],
        "platform": format!("realscope_{}", tool.engine),
        "inputs": [{"name": "file", "datatype": "BYTES", "shape": [1]}],
        "outputs": [
            {"name": "verdict", "datatype": "BYTES", "shape": [1]},
            {"name": "probability", "datatype": "FP64", "shape": [1]},
        ],
    })))
}

/// Whether the model is in memory.
#[utoipa::path(
    get, path = "/v2/models/{name}/ready", tag = "open inference protocol",
    params(("name" = String, Path, description = "Id of the detector, or `default`")),
    responses(
        (status = 200, description = "It is", body = Object),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn model_ready(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<axum::Json<Value>, Refusal> {
    let id = in_use(&app, &name)?;
    Ok(axum::Json(json!({"name": id, "ready": true})))
}
