//! Logs to stderr, and traces for a collector of OpenTelemetry (OTLP over HTTP), where the settings name one.
//!
//! A request is a span with its id, its job and the parent that `traceparent` names; a job is a span with its stages
//! below it. A collector that is away costs its traces and nothing else: they wait in a bounded queue of their own
//! thread.

use std::io::Read as _;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, Response};
use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use url::Url;

use crate::settings::{Settings, SettingsError};

/// Longest time of one request to the collector, and of the last one at the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer of the collector that is read, in bytes.
const ANSWER: u64 = 1 << 16;

/// What logs and traces; traces that wait are sent when it is told to end.
pub struct Observing(Option<SdkTracerProvider>);

impl Observing {
    /// Sends what waits.
    pub fn end(self) {
        let sent = self.0.map(|p| p.shutdown_with_timeout(PATIENCE));
        if let Some(Err(e)) = sent {
            tracing::warn!(error = %e, "the last traces were not sent");
        }
    }
}

/// The collector's address for traces; nothing where the settings name none.
pub(crate) fn collector(settings: &Settings) -> Result<Option<Url>, SettingsError> {
    if settings.traces.is_empty() {
        return Ok(None);
    }
    let fault = |reason: String| SettingsError::Value {
        name: "traces".into(),
        reason,
    };
    let mut url = Url::parse(&settings.traces).map_err(|e| fault(e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(fault("begins with http:// or https://".into()));
    }
    if url.path() == "/" {
        url.set_path("/v1/traces");
    }
    Ok(Some(url))
}

/// Logs as JSON to stderr what the filter lets through, and sends traces where the settings say so.
///
/// # Errors
/// A sentence: a setting is not valid, or something logs already.
pub fn observe(settings: &Settings) -> Result<Observing, String> {
    let filter =
        tracing_subscriber::EnvFilter::try_new(&settings.log).map_err(|e| format!("log: {e}"))?;
    let logs = tracing_subscriber::fmt::layer()
        .json()
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let provider = match collector(settings).map_err(|e| e.to_string())? {
        Some(url) => Some(provider(&url)?),
        None => None,
    };
    let traces = provider.as_ref().map(|p| {
        tracing_opentelemetry::layer()
            .with_tracer(p.tracer("realscope"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            // Whatever is logged, a trace has all spans of the service.
            .with_filter(Targets::new().with_target("realscope_server", tracing::Level::INFO))
    });
    tracing_subscriber::registry()
        .with(logs)
        .with(traces)
        .try_init()
        .map_err(|e| e.to_string())?;
    Ok(Observing(provider))
}

fn provider(url: &Url) -> Result<SdkTracerProvider, String> {
    let agent = ureq::AgentBuilder::new()
        .timeout(PATIENCE)
        .redirects(0)
        .try_proxy_from_env(false)
        .build();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client(agent))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url.as_str())
        .build()
        .map_err(|e| format!("traces: {e}"))?;
    let resource = Resource::builder_empty()
        .with_service_name("realscope")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

/// The client of webhooks, for the collector. It blocks, which only the thread that sends traces does.
#[derive(Debug)]
struct Client(ureq::Agent);

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut asked = self.0.post(&request.uri().to_string());
        for (name, value) in request.headers() {
            asked = asked.set(name.as_str(), value.to_str()?);
        }
        let answer = match asked.send_bytes(request.body()) {
            Ok(answer) | Err(ureq::Error::Status(_, answer)) => answer,
            Err(ureq::Error::Transport(e)) => return Err(e.into()),
        };
        let status = answer.status();
        let mut body = Vec::new();
        answer.into_reader().take(ANSWER).read_to_end(&mut body)?;
        Ok(Response::builder().status(status).body(body.into())?)
    }
}

/// Makes a request's span a child of the one that its sender names.
pub(crate) fn adopt(span: &Span, headers: &HeaderMap) {
    let context = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    // Of a span that nobody traces there is no parent to set.
    let _ = span.set_parent(context);
}

/// Notes something of a span for the traces alone.
pub(crate) fn note(
    span: &Span,
    name: impl Into<opentelemetry::Key>,
    value: impl Into<opentelemetry::Value>,
) {
    span.set_attribute(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_has_an_address() {
        let of = |traces: &str| {
            let settings = Settings {
                traces: traces.into(),
                ..Settings::default()
            };
            collector(&settings).map(|url| url.map(|u| u.to_string()))
        };
        assert_eq!(of("").ok(), Some(None));
        let found = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(of("http://a:4318").ok(), found("http://a:4318/v1/traces"));
        assert_eq!(of("https://a/b/traces").ok(), found("https://a/b/traces"));
        assert!(of("a:4318").is_err() && of("grpc://a").is_err());
    }
}
