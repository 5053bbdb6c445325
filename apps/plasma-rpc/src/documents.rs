//! The documents of our API for programs: OpenAPI 3.1 for the HTTP-RPC, OpenRPC for JSON-RPC, one of each for every server.
//!
//! They are generated from the method tables, and from nothing else, so nothing here may know a method by name. Their text is the
//! same on every machine: `penning openapi` writes it to `priv/openapi`, and a test compares.

pub mod examples;
mod openapi;
mod openrpc;
mod schemas;

use crate::endpoint::{MethodSpec, Service};
use crate::error::{Refusal, RpcError};
use crate::params::ParamError;
use crate::{child_chain, info, refusals, watcher};
use serde_json::{Value, json};
use thiserror::Error;

/// A document as it is written to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Name of the file, such as `watcher.openrpc.json`.
    pub file: String,
    /// The JSON.
    pub text: String,
}

/// A document cannot be generated. A bug of ours.
#[derive(Clone, Debug, Error)]
pub enum DocumentError {
    /// The parser of a method's parameters refuses what it asked for.
    #[error("parameters of {method}: {error}")]
    Params {
        /// Which method.
        method: &'static str,
        /// What it says.
        error: ParamError,
    },
    /// A page of docs/api shows an example in a form that is not understood.
    #[error("docs/api/{page}.md: {reason}")]
    Example {
        /// The page.
        page: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// One of our servers, as it is documented.
pub(crate) struct DocumentedServer {
    service: Service,
    file: &'static str,
    title: &'static str,
    about: &'static str,
    port: u16,
    methods: &'static [&'static [MethodSpec]],
    /// Whether it tells what happens, over WebSockets and as server-sent events.
    has_events: bool,
}

const SERVERS: &[DocumentedServer] = &[
    DocumentedServer {
        service: Service::ChildChain,
        file: "child-chain",
        title: "Penning child chain",
        about: "The operator's node: takes payments and serves blocks.",
        port: 9_656,
        methods: &[child_chain::METHODS],
        has_events: false,
    },
    DocumentedServer {
        service: Service::Watcher,
        file: "watcher",
        title: "Penning watcher",
        about: "A watching node, its security-critical part: it checks everything the operator does, and has what exits need.",
        port: 7_434,
        methods: &[watcher::METHODS],
        has_events: true,
    },
    DocumentedServer {
        service: Service::WatcherInfo,
        file: "watcher-info",
        title: "Penning informational watcher",
        about: "A watching node with a database: everything the watcher has, and balances, history and payments ready to be signed.",
        port: 7_534,
        methods: &[watcher::METHODS, info::METHODS],
        has_events: true,
    },
];

/// All documents.
///
/// # Errors
/// [`DocumentError`]: a table, a parser or a page of docs/api is wrong.
pub fn all() -> Result<Vec<Document>, DocumentError> {
    let mut documents = Vec::new();
    for server in SERVERS {
        let examples = examples::of(server.port)?;
        let (http, json_rpc) =
            (openapi::document(server, &examples)?, openrpc::document(server, &examples)?);
        documents.push(written(format!("{}.json", server.file), &http));
        documents.push(written(format!("{}.openrpc.json", server.file), &json_rpc));
    }
    Ok(documents)
}

fn written(file: String, document: &Value) -> Document {
    Document { file, text: format!("{document:#}\n") }
}

impl DocumentedServer {
    fn methods(&self) -> impl Iterator<Item = &'static MethodSpec> {
        self.methods.iter().copied().flatten()
    }

    fn info(&self) -> Value {
        let license =
            json!({"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"});
        json!({
            "title": self.title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": self.about,
            "license": license,
        })
    }

    /// What a method may be refused for, as callers see it.
    fn refusals(&self, method: &MethodSpec) -> Vec<Refusal> {
        refusals::of(method).iter().map(|error| self.refusal(method, error)).collect()
    }

    fn refusal(&self, method: &MethodSpec, error: &RpcError) -> Refusal {
        error.render(self.service, method.action)
    }
}

/// What a method is about: the part of its name before the dot.
fn object_of(method: &MethodSpec) -> &'static str {
    method.name.split('.').next().unwrap_or(method.name)
}

/// First sentence, and everything.
fn texts(method: &MethodSpec) -> (String, String) {
    let text = schemas::plain(method.doc);
    let first = text.split_inclusive(". ").next().unwrap_or_default();
    (first.trim().trim_end_matches('.').to_owned(), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// With `UPDATE_OPENAPI=1` the files are written instead, as `penning openapi` does it.
    #[test]
    fn the_files_are_what_the_types_say() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../priv/openapi");
        let mut files = Vec::new();
        for document in all().unwrap() {
            let path = folder.join(&document.file);
            files.push(document.file.clone());
            if std::env::var_os("UPDATE_OPENAPI").is_some() {
                std::fs::write(&path, &document.text).unwrap();
                continue;
            }
            let written = std::fs::read_to_string(&path).unwrap_or_default();
            let is_same = written == document.text;
            let file = document.file;
            assert!(
                is_same,
                "{file} is not what the types say: penning openapi --out priv/openapi"
            );
        }
        let found = std::fs::read_dir(folder).unwrap();
        let mut found: Vec<String> =
            found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        found.sort();
        files.sort();
        assert_eq!(found, files);
    }

    #[test]
    fn every_page_is_listed() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/api");
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut pages: Vec<String> = names.filter(|name| name != "README.md").collect();
        pages.sort();
        let listed: Vec<String> =
            examples::PAGES.iter().map(|(page, _)| format!("{page}.md")).collect();
        assert_eq!(listed, pages);
    }

    #[test]
    fn everything_that_is_sent_and_answered_has_a_text() {
        for server in SERVERS {
            for method in server.methods() {
                let (summary, _) = texts(method);
                assert!(summary.len() > 5, "{} has no text", method.name);
            }
        }
    }
}
