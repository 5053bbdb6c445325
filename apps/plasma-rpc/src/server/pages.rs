//! A few pages for browsers, embedded in the program: what they are made of never changes while it runs.
//!
//! They must never load or run anything that does not come from this server: the policy that every page is sent with says so.

use super::body::AnswerBody;
use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use plasma_core::wire::keccak256;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Nothing but what this server has, no frames, and no forms that lead elsewhere.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// Kept, and asked about each time: a new version of the program shows its own pages at once.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, no-cache");

const UNKNOWN_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// One page, script, style or image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it is: begins with a slash.
    pub path: &'static str,
    /// `text/html; charset=utf-8`.
    pub content_type: &'static str,
    /// What it is made of.
    pub content: &'static [u8],
}

/// All pages of a server.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    pages: Arc<BTreeMap<&'static str, Found>>,
    start: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Found {
    content_type: HeaderValue,
    content: Bytes,
    e_tag: HeaderValue,
}

impl Pages {
    /// These pages. Of two at one path the last is served. A browser that opens `/` is sent to `start`, if that is one of them.
    pub fn new(pages: &[Page], start: &str) -> Self {
        let found = |page: &Page| {
            let hash = keccak256(page.content);
            let e_tag = HeaderValue::from_str(&format!("\"{}\"", crate::json::hex::encode(hash)));
            Found {
                content_type: HeaderValue::from_str(page.content_type).unwrap_or(UNKNOWN_TYPE),
                content: Bytes::from_static(page.content),
                // Quotes and hex digits are always a header.
                e_tag: e_tag.unwrap_or(HeaderValue::from_static("\"\"")),
            }
        };
        let start = pages.iter().map(|page| page.path).find(|path| *path == start);
        let pages = pages.iter().map(|page| (page.path, found(page))).collect();
        Self { pages: Arc::new(pages), start }
    }

    /// The answer to a `GET` or `HEAD` of a path, if there is a page.
    pub(super) fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response<AnswerBody>> {
        if path == "/" {
            let start = self.start.filter(|_| wants_html(headers))?;
            return Some(redirect(StatusCode::FOUND, start));
        }
        let Some(found) = self.pages.get(path) else {
            let folder = format!("{path}/");
            let (folder, _) = self.pages.get_key_value(folder.as_str())?;
            return Some(redirect(StatusCode::PERMANENT_REDIRECT, folder));
        };
        let is_known = headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag.as_bytes() == found.e_tag.as_bytes());
        let content = if is_known { Bytes::new() } else { found.content.clone() };
        let mut answer = Response::new(AnswerBody::from([content]));
        if is_known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, found.content_type.clone());
        headers.insert(header::ETAG, found.e_tag.clone());
        headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
        headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        Some(answer)
    }
}

/// Whether somebody looks with a browser. Programs that ask for anything get what they always got.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT);
    accepted.iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/html"))
}

fn redirect(status: StatusCode, to: &'static str) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::default());
    *answer.status_mut() = status;
    if let Ok(to) = HeaderValue::from_str(to) {
        answer.headers_mut().insert(header::LOCATION, to);
    }
    answer
}
