//! The explorer's files (docs/explorer.md), embedded in the program so that a node is one file.

use plasma_rpc::server::{Page, Pages};

/// Where a browser finds the explorer.
pub const EXPLORER_PATH: &str = "/explorer/";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JS: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($name:literal: $content_type:ident,)*) => {
        &[
            Page {
                path: EXPLORER_PATH,
                content_type: HTML,
                content: include_bytes!("../../../priv/explorer/index.html"),
            },
            $(Page {
                path: concat!("/explorer/", $name),
                content_type: $content_type,
                content: include_bytes!(concat!("../../../priv/explorer/", $name)),
            },)*
        ]
    };
}

const FILES: &[Page] = files! {
    "address.js": JS,
    "api.js": JS,
    "app.js": JS,
    "block.js": JS,
    "chart.js": JS,
    "charts.js": JS,
    "dom.js": JS,
    "exit_card.js": JS,
    "exit_list.js": JS,
    "exits.js": JS,
    "format.js": JS,
    "health.js": JS,
    "home.js": JS,
    "icon.svg": SVG,
    "json.js": JS,
    "lists.js": JS,
    "live.js": JS,
    "missing.js": JS,
    "output.js": JS,
    "paged.js": JS,
    "search.js": JS,
    "style.css": CSS,
    "theme.js": JS,
    "tx.js": JS,
    "verdict.js": JS,
};

/// The explorer as a server shows it; a browser that opens `/` is sent there.
pub(crate) fn explorer() -> Pages {
    Pages::new(FILES, EXPLORER_PATH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../priv/explorer");
        let names = std::fs::read_dir(folder).unwrap();
        let there: BTreeSet<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| if name == "index.html" { String::new() } else { name })
            .map(|name| format!("{EXPLORER_PATH}{name}"))
            .collect();
        let served = FILES.iter().map(|page| page.path.to_owned()).collect();
        assert_eq!(there, served);
    }
}
