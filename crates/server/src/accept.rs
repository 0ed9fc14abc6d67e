//! What a client reads, by its `Accept` header (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, StatusCode, header};

use crate::problem::Refusal;

/// Forms of an answer, the usual one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Text,
    Html,
    /// The signed report as PDF.
    Pdf,
    /// The signed report as a page; asked for by name alone.
    Signed,
}

impl Form {
    /// Whether it needs a scan that draws.
    pub(crate) fn is_drawn(self) -> bool {
        matches!(self, Self::Html | Self::Pdf | Self::Signed)
    }
}

const FORMS: [(Form, &str, &str); 4] = [
    (Form::Json, "application", "json"),
    (Form::Text, "text", "plain"),
    (Form::Html, "text", "html"),
    (Form::Pdf, "application", "pdf"),
];

/// How much a client wants a media type, 0 to 1; the closest range decides.
fn wanted(accept: &str, kind: &str, sub: &str) -> f32 {
    let mut best = (0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some((k, s)) = parts.next().and_then(|t| t.split_once('/')) else {
            continue;
        };
        let closeness = match (k, s) {
            (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(sub) => 3,
            (k, "*") if k.eq_ignore_ascii_case(kind) => 2,
            ("*", "*") => 1,
            _ => continue,
        };
        let weight = parts
            .find_map(|p| p.strip_prefix("q="))
            .map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0));
        if closeness > best.0 {
            best = (closeness, weight);
        }
    }
    best.1
}

/// The form that a client likes best; of equals the usual one.
pub(crate) fn form(headers: &HeaderMap) -> Result<Form, Refusal> {
    let all: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .collect();
    if all.is_empty() {
        return Ok(Form::Json);
    }
    let accept = all.join(",");
    let mut best: Option<(Form, f32)> = None;
    for (form, kind, sub) in FORMS {
        let weight = wanted(&accept, kind, sub);
        if weight > best.map_or(0.0, |(_, w)| w) {
            best = Some((form, weight));
        }
    }
    best.map(|(form, _)| form).ok_or_else(|| {
        let detail = "answers are application/json, text/plain, text/html or application/pdf";
        Refusal::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_form_is_chosen() {
        for (accept, expected) in [
            ("*/*", Some(Form::Json)),
            ("text/plain", Some(Form::Text)),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Some(Form::Html),
            ),
            ("text/*", Some(Form::Text)),
            ("text/html;q=0.1, application/json", Some(Form::Json)),
            ("application/json;q=0, text/html;q=0.2", Some(Form::Html)),
            ("application/pdf", Some(Form::Pdf)),
            ("application/*", Some(Form::Json)),
            ("application/pdf, application/json;q=0.5", Some(Form::Pdf)),
            ("image/png", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a value"));
            assert_eq!(form(&headers).ok(), expected, "{accept}");
        }
        assert_eq!(form(&HeaderMap::new()).ok(), Some(Form::Json));
    }
}
