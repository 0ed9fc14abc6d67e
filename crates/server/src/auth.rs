//! Who asks, and what that one may.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;

use crate::app::Shared;
use crate::problem::Refusal;
use crate::state::keys::Scope;

/// Owner of what is asked without a key.
pub(crate) const LOCAL: &str = "local";

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Id of the key; `local` without one.
    pub(crate) key: String,
    /// Name of the key.
    pub(crate) name: String,
    /// Whose jobs and reports these are.
    pub(crate) owner: String,
    pub(crate) scopes: Vec<Scope>,
}

impl Caller {
    /// Whether that one may.
    pub(crate) fn may(&self, scope: Scope) -> Result<(), Refusal> {
        if self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        let detail = format!("the key lacks the scope `{}`", scope.word());
        Err(Refusal::new(StatusCode::FORBIDDEN, "scope", detail))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let unknown = || Refusal::new(StatusCode::UNAUTHORIZED, "no_key", "this takes a key");
        parts.extensions.get::<Self>().cloned().ok_or_else(unknown)
    }
}

/// What needs no key.
fn is_open(path: &str) -> bool {
    matches!(
        path,
        "/" | "/healthz"
            | "/readyz"
            | "/version"
            | "/openapi.json"
            | "/docs"
            | "/v1/report-key"
            | "/v2"
            | "/style.css"
    ) || path.starts_with("/v2/")
}

/// Lets a request pass with its caller, or refuses it.
pub(crate) async fn check(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    // A body is not shared between threads, so what is asked for is taken out of the request.
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let headers = request.headers().clone();
    match caller(&app, &method, &path, &headers).await {
        Ok(Some(caller)) => {
            let mut response = {
                request.extensions_mut().insert(caller.clone());
                next.run(request).await
            };
            response.extensions_mut().insert(caller);
            response
        }
        Ok(None) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn caller(
    app: &Shared,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Refusal> {
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if changes {
        same_site(headers)?;
    }
    let closed = !app.address.ip().is_loopback() || app.state.closed().await?;
    if !closed {
        // A name that leads here by way of somebody's name server is not asked for by this machine's users.
        if !is_local(headers) {
            let detail =
                "without keys the service answers to `localhost` and loopback addresses only";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "host", detail));
        }
        limit(app, LOCAL, None)?;
        return Ok(Some(Caller {
            key: LOCAL.into(),
            name: LOCAL.into(),
            owner: LOCAL.into(),
            scopes: vec![Scope::Admin],
        }));
    }
    let Some(text) = presented(headers) else {
        if is_open(path) {
            return Ok(None);
        }
        let detail = "this takes a key: `Authorization: Bearer rs_...`";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "no_key", detail));
    };
    let unknown = || {
        Refusal::new(
            StatusCode::UNAUTHORIZED,
            "unknown_key",
            "the key is unknown, expired or revoked",
        )
    };
    let key = app.state.key(&text).await?.ok_or_else(unknown)?;
    limit(app, &key.id, key.rate)?;
    Ok(Some(Caller {
        key: key.id,
        name: key.name,
        owner: key.owner,
        scopes: key.scopes,
    }))
}

fn limit(app: &Shared, key: &str, own: Option<u32>) -> Result<(), Refusal> {
    match app.rate(key, own) {
        None => Ok(()),
        Some(seconds) => {
            app.metrics.shed("rate");
            let detail = "too many requests with this key";
            Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate", detail).after(seconds))
        }
    }
}

/// The key of a request: `Bearer`, or the password of `Basic`.
fn presented(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(rest.trim())
        .ok()?;
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(password.to_owned())
}

/// Refuses what another site's page makes a browser send.
fn same_site(headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = || {
        Refusal::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "another site's page made this request",
        )
    };
    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok()) {
        return if matches!(site, "same-origin" | "none") {
            Ok(())
        } else {
            Err(refused())
        };
    }
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else {
        return Ok(());
    };
    let own = origin
        .split_once("://")
        .is_some_and(|(_, from)| from.eq_ignore_ascii_case(host));
    if own { Ok(()) } else { Err(refused()) }
}

/// Whether `Host` names this machine.
fn is_local(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|v| v.to_str().ok()) else {
        return true;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.insert(*name, value.parse().expect("a value"));
        }
        map
    }

    #[test]
    fn only_this_machine_s_names_are_local() {
        for (host, local) in [
            ("localhost:8080", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("LOCALHOST", true),
            ("evil.example:8080", false),
            ("10.0.0.1", false),
            ("localhost.evil.example", false),
        ] {
            assert_eq!(is_local(&headers(&[("host", host)])), local, "{host}");
        }
    }

    #[test]
    fn another_site_s_form_is_refused() {
        let pass = |pairs: &[(&'static str, &str)]| same_site(&headers(pairs)).is_ok();
        assert!(pass(&[]));
        assert!(pass(&[("sec-fetch-site", "same-origin")]));
        assert!(pass(&[
            ("origin", "http://localhost:80"),
            ("host", "localhost:80")
        ]));
        assert!(!pass(&[("sec-fetch-site", "cross-site")]));
        assert!(!pass(&[("sec-fetch-site", "same-site")]));
        assert!(!pass(&[
            ("origin", "http://evil.example"),
            ("host", "localhost:80")
        ]));
        assert!(!pass(&[("origin", "null"), ("host", "localhost:80")]));
    }

    #[test]
    fn a_key_is_a_bearer_s_or_a_password() {
        let key = |value| presented(&headers(&[("authorization", value)]));
        assert_eq!(key("Bearer rs_a_b"), Some("rs_a_b".into()));
        assert_eq!(key("basic eDpyc19hX2I="), Some("rs_a_b".into()));
        assert_eq!(key("Digest x"), None);
        assert_eq!(key("Basic ####"), None);
    }
}
