//! Errors as RFC 9457 problem details: the one place that maps faults to statuses.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::StateError;
use crate::store::StoreError;

/// What went wrong (RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Kind of problem, an address relative to the service.
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong here, a sentence.
    pub detail: String,
    /// Stable machine code.
    pub code: String,
    /// The request, as logs name it.
    pub request_id: String,
    /// The job that failed, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Pictures within the file, where it holds several and none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<String>>,
    #[serde(skip)]
    #[schema(ignore)]
    retry_after: Option<u64>,
}

/// A problem on its way to the client.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Problem>);

impl std::ops::Deref for Refusal {
    type Target = Problem;

    fn deref(&self) -> &Problem {
        &self.0
    }
}

impl std::ops::DerefMut for Refusal {
    fn deref_mut(&mut self) -> &mut Problem {
        &mut self.0
    }
}

impl Refusal {
    /// A problem with a status, a code and a sentence.
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem {
            kind: format!("/docs#{code}"),
            title: status.canonical_reason().unwrap_or("error").into(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.into(),
            request_id: String::new(),
            job: None,
            parts: None,
            retry_after: None,
        }))
    }

    /// The request is not what it should be.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// There is no such thing, or it belongs to somebody else.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {what}"),
        )
    }

    /// Too much is going on.
    pub(crate) fn busy(detail: impl Into<String>, seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail).after(seconds)
    }

    /// A file has more bytes than allowed.
    pub(crate) fn too_large(limit: u64) -> Self {
        let detail = format!("the file has more than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// Not at present.
    pub(crate) fn unavailable(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).after(5)
    }

    /// When to ask again, in seconds.
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Names the job.
    pub(crate) fn of_job(mut self, id: &str) -> Self {
        self.job = Some(id.to_owned());
        self
    }

    /// Why a file has no verdict.
    pub(crate) fn of_scan(code: &str, detail: impl Into<String>) -> Self {
        let status = match code {
            "not_a_picture" | "unsupported" | "ffmpeg_missing" => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            "busy" => return Self::busy(detail, 1),
            "worker_unavailable" => return Self::unavailable(code, detail),
            "cancelled" => StatusCode::CONFLICT,
            "fetch" => StatusCode::BAD_GATEWAY,
            code if code.starts_with("detector_") => StatusCode::INTERNAL_SERVER_ERROR,
            "internal" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, code, detail)
    }
}

impl From<StateError> for Refusal {
    fn from(e: StateError) -> Self {
        tracing::error!(error = %e, "the database failed");
        Self::unavailable("store", "the service cannot read or write its state")
    }
}

impl From<StoreError> for Refusal {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Gone => Self::not_found("file"),
            StoreError::Full { .. } => Self::busy(e.to_string(), 5),
            e => {
                tracing::error!(error = %e, "the media store failed");
                let detail = "the service cannot read or write its media: ";
                Self::unavailable("store", format!("{detail}{}", e.public()))
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"realscope\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        // The body is written by the outermost layer, which knows the request's id and what the client reads.
        response.extensions_mut().insert(*self.0);
        response
    }
}
