//! Reads bodies into the store, piece by piece and within bounds of bytes and time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt as _;
use realscope_media::Format;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::app::Shared;
use crate::problem::Refusal;
use crate::settings::seconds;
use crate::store::{Arrived, Incoming};

/// Longest name of a file, in characters.
const NAME: usize = 255;
/// Longest text field of a form, in bytes.
const FIELD: usize = 4096;
/// Most text fields of a form.
const FIELDS: usize = 32;
/// What a form adds to its files, in bytes.
const AROUND: u64 = 1 << 20;

/// A file of a request.
pub(crate) struct File {
    pub(crate) name: Option<String>,
    pub(crate) arrived: Arrived,
}

/// What a body held.
#[derive(Default)]
pub(crate) struct Content {
    pub(crate) files: Vec<File>,
    pub(crate) fields: Vec<(String, String)>,
}

/// How long a body may take.
#[derive(Clone, Copy)]
struct Patience {
    pause: Duration,
    until: Instant,
}

impl Patience {
    async fn wait<T>(self, next: impl Future<Output = T>) -> Result<T, Refusal> {
        let until = self.until.min(Instant::now() + self.pause);
        let slow = |_| {
            Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "slow",
                "the body came too slowly",
            )
        };
        tokio::time::timeout_at(until, next).await.map_err(slow)
    }
}

/// Room for one more body.
pub(crate) fn room(app: &Shared) -> Result<OwnedSemaphorePermit, Refusal> {
    app.uploads.clone().try_acquire_owned().map_err(|_| {
        app.metrics.shed("uploads");
        Refusal::busy("too many bodies are being read", 1)
    })
}

/// Whether a body is a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).eq_ignore_ascii_case("multipart/form-data")
}

/// Whether a body is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).eq_ignore_ascii_case("application/json")
}

fn media_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    value
        .and_then(|v| v.split(';').next())
        .unwrap_or_default()
        .trim()
}

/// Reads a form, or the bytes themselves, with at most `most` files.
pub(crate) async fn read(app: &Shared, request: Request, most: usize) -> Result<Content, Refusal> {
    let settings = &app.settings;
    let largest = settings.max_bytes.max(settings.max_video_bytes);
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u64>().ok());
    if announced.is_some_and(|n| n > largest.saturating_mul(most as u64).saturating_add(AROUND)) {
        return Err(Refusal::too_large(largest));
    }
    let patience = Patience {
        pause: seconds(settings.pause_seconds),
        until: Instant::now() + seconds(settings.body_seconds),
    };
    if is_form(request.headers()) {
        return form(app, request, most, patience).await;
    }
    let mut file = app.store.incoming()?;
    let mut body = request.into_body().into_data_stream();
    while let Some(part) = patience.wait(body.next()).await? {
        let part = part.map_err(|e| Refusal::malformed(format!("the body broke off: {e}")))?;
        append(app, &mut file, &part).await?;
    }
    if file.bytes() == 0 {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "no_file",
            "the body is empty",
        ));
    }
    let arrived = file.end().await?;
    Ok(Content {
        files: vec![File {
            name: None,
            arrived,
        }],
        fields: Vec::new(),
    })
}

/// Appends a part unless the file gets too large: the bound is that of its format.
async fn append(app: &Shared, file: &mut Incoming, part: &Bytes) -> Result<(), Refusal> {
    file.write(part).await?;
    let limit = if Format::sniff(file.head()) == Some(Format::Video) {
        app.settings.max_video_bytes
    } else {
        app.settings.max_bytes
    };
    if file.bytes() > limit {
        return Err(Refusal::too_large(limit));
    }
    Ok(())
}

async fn form(
    app: &Shared,
    request: Request,
    most: usize,
    patience: Patience,
) -> Result<Content, Refusal> {
    let broken = |e: axum::extract::multipart::MultipartError| {
        Refusal::malformed(format!("the form: {}", e.body_text()))
    };
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|e| Refusal::malformed(e.body_text()))?;
    let mut read = Content::default();
    while let Some(mut field) = patience.wait(form.next_field()).await?.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name != "file" && field.file_name().is_none() {
            let mut text = Vec::new();
            while let Some(part) = patience.wait(field.chunk()).await?.map_err(broken)? {
                text.extend_from_slice(&part);
                if text.len() > FIELD {
                    return Err(Refusal::malformed(format!(
                        "the field `{}` is too long",
                        clean(&name)
                    )));
                }
            }
            if read.fields.len() == FIELDS {
                return Err(Refusal::malformed("the form has too many fields"));
            }
            let text =
                String::from_utf8(text).map_err(|_| Refusal::malformed("a field is no UTF-8"))?;
            read.fields.push((name, text));
            continue;
        }
        if read.files.len() == most {
            return Err(Refusal::malformed(format!("more than {most} files")));
        }
        let file_name = field.file_name().map(clean);
        let mut file = app.store.incoming()?;
        while let Some(part) = patience.wait(field.chunk()).await?.map_err(broken)? {
            append(app, &mut file, &part).await?;
        }
        // A browser sends an empty file where none was chosen.
        if file.bytes() == 0 && file_name.as_deref().is_none_or(str::is_empty) {
            continue;
        }
        let arrived = file.end().await?;
        read.files.push(File {
            name: file_name.filter(|n| !n.is_empty()),
            arrived,
        });
    }
    if read.files.is_empty() {
        let detail = "the form has no field `file` with a file";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "no_file", detail));
    }
    Ok(read)
}

/// A name as it may stand in records: without folders, control characters and too much length.
pub(crate) fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    realscope::report::visible(last)
        .chars()
        .take(NAME)
        .collect()
}

/// Reads a small body of JSON.
pub(crate) async fn json<T: serde::de::DeserializeOwned>(
    app: &Shared,
    body: Body,
) -> Result<T, Refusal> {
    let wait = seconds(app.settings.pause_seconds);
    let slow = |_| {
        Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow",
            "the body came too slowly",
        )
    };
    let bytes = tokio::time::timeout(wait, axum::body::to_bytes(body, 1 << 16))
        .await
        .map_err(slow)?;
    let bytes = bytes.map_err(|_| Refusal::too_large(1 << 16))?;
    serde_json::from_slice(&bytes).map_err(|e| Refusal::malformed(e.to_string()))
}
