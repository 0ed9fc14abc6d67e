//! Files of the page, which the program holds. `web/` is their source; `npm run build` there writes them.

use std::sync::OnceLock;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;

use crate::extract::{Path, Query};
use crate::problem::{Problem, Refusal};
use crate::state::hex;

/// A file of the page.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

const ALL: [Asset; 4] = [
    Asset {
        name: "app.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/app.js"),
    },
    Asset {
        name: "app.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/app.css"),
    },
    Asset {
        name: "icon.svg",
        media_type: "image/svg+xml",
        bytes: include_bytes!("../assets/icon.svg"),
    },
    Asset {
        name: "third-party.txt",
        media_type: "text/plain; charset=utf-8",
        bytes: include_bytes!("../assets/third-party.txt"),
    },
];

/// Where the files are served.
pub(crate) const FOLDER: &str = "/assets/";

/// The beginning of each file's SHA-256.
fn hashes() -> &'static [String; 4] {
    static HASHES: OnceLock<[String; 4]> = OnceLock::new();
    HASHES.get_or_init(|| {
        ALL.map(|a| {
            let mut hash = hex(&Sha256::digest(a.bytes));
            hash.truncate(16);
            hash
        })
    })
}

/// Address of a file as pages name it: with its hash, so that a browser may keep it for as long as it likes.
pub(crate) fn address(name: &str) -> String {
    let known = ALL.iter().zip(hashes()).find(|(a, _)| a.name == name);
    let hash = known.map_or("", |(_, hash)| hash);
    format!("{FOLDER}{name}?v={hash}")
}

/// Which content is wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Hash of the content, as pages name it.
    v: String,
}

/// A file of the page.
#[utoipa::path(
    get, path = "/assets/{name}", tag = "page",
    params(("name" = String, Path, description = "`app.js`, `app.css`, `icon.svg` or `third-party.txt`"), Wanted),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/javascript"), (String = "text/css"), (String = "image/svg+xml"), (String = "text/plain"),
        )),
        (status = 304, description = "The browser has it"),
        (status = "4XX", description = "A problem", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let (asset, hash) = ALL
        .iter()
        .zip(hashes())
        .find(|(a, _)| a.name == name)
        .ok_or_else(|| Refusal::not_found("file"))?;
    let tag = format!("\"{hash}\"");
    let keep = if wanted.v == *hash {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let about = [
        (header::CACHE_CONTROL, keep.to_owned()),
        (header::ETAG, tag.clone()),
    ];
    let held = headers.get(header::IF_NONE_MATCH);
    let held = held.and_then(|v| v.to_str().ok()).unwrap_or_default();
    if held
        .split(',')
        .any(|t| t.trim().trim_start_matches("W/") == tag)
    {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let kind = [(header::CONTENT_TYPE, asset.media_type)];
    Ok((about, kind, asset.bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_an_address_of_its_content() {
        for (asset, hash) in ALL.iter().zip(hashes()) {
            assert!(!asset.bytes.is_empty(), "{}", asset.name);
            assert!(hash.len() == 16 && address(asset.name).ends_with(hash));
        }
    }

    #[test]
    fn the_script_asks_this_service_alone() {
        for asset in &ALL[..2] {
            let text = std::str::from_utf8(asset.bytes).expect("text");
            for address in text.split("://").skip(1) {
                assert!(
                    address.starts_with("www.w3.org/"),
                    "{}: {address:.40}",
                    asset.name
                );
            }
            assert!(!text.contains("eval(") && !text.contains("new Function"));
        }
    }
}
