//! The outermost layer: ids of requests, headers of answers, the body of errors, measures, the log and the audit log.

use std::net::SocketAddr;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;

use crate::app::Shared;
use crate::auth::Caller;
use crate::metrics::Asked;
use crate::page;
use crate::problem::{Problem, Refusal};
use crate::state::audit::AuditEntry;
use crate::state::{instant, new_id, now};
use crate::traces;

/// Header that names a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Header that names the job that a request made or spoke of.
pub(crate) const JOB: HeaderName = HeaderName::from_static("realscope-job");

/// What pages may do: show themselves and pictures, ask this service, and nothing else. Reports carry their style in
/// themselves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
     media-src 'self' blob:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The layer.
pub(crate) async fn around(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let given = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|v| v.to_str().ok());
    let id = given
        .filter(|v| is_plain(v))
        .map_or_else(new_id, ToOwned::to_owned);
    let trace = request
        .headers()
        .get("traceparent")
        .and_then(|v| v.to_str().ok());
    let trace = trace
        .and_then(|t| t.split('-').nth(1))
        .filter(|t| is_plain(t))
        .unwrap_or_default()
        .to_owned();
    let address = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|c| c.0.ip().to_string());
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|m| m.as_str().to_owned());
    let html = page::wants_html(request.headers());
    let span = tracing::info_span!("request", id, trace);
    traces::adopt(&span, request.headers());
    let mut response = next.run(request).instrument(span.clone()).await;

    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.request_id.clone_from(&id);
        describe(&mut response, &problem, html);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    let seconds = begun.elapsed().as_secs_f64();
    let (name, noted) = (known(&method), |name, value: String| {
        traces::note(&span, name, value)
    });
    noted("http.request.method", name.into());
    noted("http.route", route.clone().unwrap_or_default());
    traces::note(&span, "http.response.status_code", i64::from(status));
    let asked = Asked {
        method: name.into(),
        route: route.unwrap_or_else(|| "none".into()),
        status,
    };
    app.metrics.request(asked, seconds);
    let caller = response.extensions().get::<Caller>();
    let job = response
        .headers()
        .get(&JOB)
        .and_then(|v| v.to_str().ok())
        .map(ToOwned::to_owned);
    let key = caller.map(|c| c.key.clone()).unwrap_or_default();
    if let Some(job) = &job {
        noted("job", job.clone());
    }
    let _in = span.enter();
    tracing::info!(
        method,
        path,
        status,
        key,
        job,
        ms = (seconds * 1e3).round(),
        "answered"
    );
    if path.starts_with("/v1/") {
        let at = now();
        let entry = AuditEntry {
            at: instant(at),
            request: id,
            key,
            owner: caller.map(|c| c.owner.clone()).unwrap_or_default(),
            address: address.unwrap_or_default(),
            method,
            path,
            status,
            job,
        };
        // A log that is written too slowly must not hold up answers; what is lost is said.
        if app.audit.try_send((at, entry)).is_err() {
            tracing::error!("the audit log is behind: an entry was lost");
        }
    }
    response
}

/// Methods that have a name of their own in measures.
fn known(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method,
        _ => "OTHER",
    }
}

/// Whether a client's id may stand in logs and headers.
fn is_plain(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn describe(response: &mut Response, problem: &Problem, html: bool) {
    let (kind, body) = if html {
        ("text/html; charset=utf-8", page::problem(problem))
    } else {
        (
            "application/problem+json",
            serde_json::to_string(problem).unwrap_or_default(),
        )
    };
    *response.body_mut() = Body::from(body);
    let asks = html && response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    if asks {
        // A browser asks its user; scripts and programs are left alone.
        let scheme = HeaderValue::from_static("Basic realm=\"realscope\", charset=\"UTF-8\"");
        headers.append(header::WWW_AUTHENTICATE, scheme);
    }
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
}

/// What a panic is answered with.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the service failed",
    )
    .into_response()
}

/// What no route answers.
pub(crate) async fn no_route() -> Refusal {
    Refusal::not_found("address")
}

/// What no route answers with this method.
pub(crate) async fn no_method() -> Refusal {
    let detail = "the address does not take this method; `Allow` says which";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
}
