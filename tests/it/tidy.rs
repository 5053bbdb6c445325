//! The architecture and the style guide as tests (docs/architecture.md, invariants I1, I2, I4; docs/style.md).

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files under git with one of these extensions: the index and what is about to be added.
fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("the tidy tests need git");
    let files = String::from_utf8(listed.stdout).unwrap();
    let wanted = |path: &PathBuf| {
        path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
    };
    files
        .lines()
        .map(PathBuf::from)
        .filter(wanted)
        .filter(|path| root().join(path).exists())
        .collect()
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .other_options(vec!["--offline".into()])
        .exec()
        .unwrap()
}

/// Every crate and what it may depend on: arrows point down only (I1).
const ALLOWED: &[(&str, &[&str])] = &[
    ("plasma-core", &[]),
    ("plasma-rpc", &["plasma-core"]),
    ("plasma-store", &["plasma-core"]),
    ("plasma-eth", &["plasma-core"]),
    ("plasma-node", &["plasma-core", "plasma-store", "plasma-eth"]),
    ("child-chain", &["plasma-core", "plasma-rpc", "plasma-store", "plasma-eth", "plasma-node"]),
    ("watcher", &["plasma-core", "plasma-rpc", "plasma-store", "plasma-eth", "plasma-node"]),
    (
        "penning",
        &[
            "plasma-core",
            "plasma-rpc",
            "plasma-store",
            "plasma-eth",
            "plasma-node",
            "child-chain",
            "watcher",
        ],
    ),
    (
        "plasma-tests",
        &[
            "plasma-core",
            "plasma-rpc",
            "plasma-store",
            "plasma-eth",
            "plasma-node",
            "child-chain",
            "watcher",
            "penning",
        ],
    ),
];

#[test]
fn crates_depend_downwards_only() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(name, below)| (*name, below.iter().copied().collect())).collect();
    let metadata = metadata();
    let found: BTreeSet<&str> =
        metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(
        found,
        allowed.keys().copied().collect(),
        "a crate is missing in this table, or there is one too many"
    );
    for package in &metadata.packages {
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == DependencyKind::Normal)
        {
            let ours = allowed.contains_key(dependency.name.as_str());
            let fine = !ours || allowed[package.name.as_str()].contains(dependency.name.as_str());
            assert!(fine, "{} must not depend on {}", package.name, dependency.name);
        }
    }
}

/// Libraries that have one home (I4).
const HOMES: &[(&str, &str)] = &[
    ("ethers", "plasma-eth"),
    ("rocksdb", "plasma-store"),
    ("jsonrpsee", "plasma-rpc"),
    ("sqlx", "watcher"),
];

#[test]
fn heavy_libraries_stay_in_their_crate() {
    for package in metadata().packages {
        for dependency in &package.dependencies {
            let home = HOMES
                .iter()
                .find(|(library, _)| dependency.name.starts_with(library))
                .map(|(_, home)| *home);
            assert!(
                home.is_none_or(|home| home == package.name.as_str()),
                "{} in {}",
                dependency.name,
                package.name
            );
        }
    }
}

#[test]
fn sql_stays_in_the_watcher_db() {
    let homes =
        ["apps/watcher/src/watcher_db", "apps/watcher/tests/watcher_db", "tests/it/tidy.rs"];
    for path in files(&["rs"]) {
        let is_home = homes.iter().any(|home| path.to_string_lossy().starts_with(home));
        assert!(is_home || !read(&path).contains("sqlx"), "{} knows sqlx", path.display());
    }
}

/// Who may know that there is a database: whoever sets it up, and whoever is answered from it (I8).
#[test]
fn nothing_that_secures_funds_reads_the_watcher_db() {
    let knowing = ["config.rs", "info_api", "lib.rs", "node.rs", "watcher_db"];
    for path in files(&["rs"]) {
        let Ok(inner) = path.strip_prefix("apps/watcher/src") else {
            continue;
        };
        let may_know = knowing.iter().any(|known| inner.to_string_lossy().starts_with(known));
        let text = read(&path);
        let knows = ["watcher_db", "info_api"].iter().any(|module| text.contains(module));
        assert!(may_know || !knows, "{} knows the database", path.display());
    }
}

/// Crates that read, write, wait or draw lots.
const IO: &str =
    "tokio mio socket2 hyper reqwest smol actix rocksdb getrandom rand tempfile rustix";

#[test]
fn the_core_has_no_io_in_its_tree() {
    let arguments = "tree --offline -p plasma-core -e normal --prefix none --format {p}";
    let tree = cargo(arguments).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains("secp256k1"), "the tree was not read: {tree}");
    for io in IO.split(' ') {
        assert!(!crates.contains(io), "plasma-core must not reach {io}");
    }
}

#[test]
fn the_core_builds_for_wasm_where_that_target_is_installed() {
    let target = "wasm32-unknown-unknown";
    let found = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .unwrap();
    if !Path::new(String::from_utf8_lossy(&found.stdout).trim()).exists() {
        eprintln!(
            "note: {target} is not installed, so only the dependency tree of the core is checked"
        );
        return;
    }
    let built =
        cargo(&format!("check --offline -p plasma-core --target {target}")).status().unwrap();
    assert!(built.success(), "plasma-core does not build for {target}");
}

fn cargo(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments.split(' ')).current_dir(root());
    command
}

#[test]
fn source_files_are_short() {
    for path in files(&["rs", "sol", "mjs", "js"]) {
        let lines = read(&path).lines().count();
        assert!(lines <= 500, "{} has {lines} lines: split it by noun", path.display());
    }
}

#[test]
fn every_module_says_what_it_is() {
    for path in files(&["rs"]) {
        let text = read(&path);
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        assert!(first.starts_with("//!"), "{} has no module documentation", path.display());
    }
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    // Put together, so that this file does not find itself.
    let banned = [
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["#[ig", "nore"].concat(),
        ["#[should", "_panic"].concat(),
        ["FIX", "ME"].concat(),
        ["TO", "DO"].concat(),
        ["XX", "X"].concat(),
    ];
    for path in files(&["rs", "sol", "mjs", "js", "toml"]) {
        let text = read(&path);
        for word in &banned {
            assert!(!text.contains(word.as_str()), "{} contains {word}", path.display());
        }
    }
}

#[test]
fn identifiers_use_the_words_of_the_glossary() {
    let banned = [
        "sidechain",
        "utxo_id",
        "UtxoId",
        "mempool",
        "Mempool",
        "parent_chain",
        "main_chain",
        "MainChain",
    ];
    for path in files(&["rs", "sol"]).into_iter().filter(|path| !path.ends_with("tests/it/tidy.rs"))
    {
        for (number, line) in read(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in banned {
                assert!(
                    !code.contains(word),
                    "{}:{}: the glossary has another word for {word}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn the_map_lists_every_crate_and_the_index_every_decision() {
    let map = read("docs/architecture.md");
    for (name, _) in ALLOWED {
        assert!(
            map.contains(&format!("`{name}`")),
            "docs/architecture.md does not mention `{name}`"
        );
    }
    let index = read("docs/adr/README.md");
    for path in files(&["md"])
        .into_iter()
        .filter(|path| path.starts_with("docs/adr") && !path.ends_with("README.md"))
    {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(index.contains(name), "docs/adr/README.md does not list {name}");
    }
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = read("Cargo.toml");
    let dependencies =
        manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for line in dependencies.lines().filter(|line| line.contains('=') && !line.starts_with('#')) {
        let ours = line.contains("path =");
        assert!(ours || line.contains(" # "), "no reason is given: {line}");
        assert!(ours || line.contains("\"="), "no version is pinned: {line}");
    }
}

#[test]
fn every_limit_is_in_the_table() {
    let table = read("docs/operate/limits.md");
    for path in files(&["rs"])
        .into_iter()
        .filter(|path| path.components().any(|part| part.as_os_str() == "src"))
    {
        for line in read(&path).lines() {
            let name = line
                .trim_start()
                .trim_start_matches("pub ")
                .trim_start_matches("(crate) ")
                .strip_prefix("const ");
            let Some(name) = name.and_then(|rest| rest.split(':').next()) else {
                continue;
            };
            let fine = !name.ends_with("_MAX") || table.contains(&format!("`{name}`"));
            assert!(fine, "docs/operate/limits.md does not list `{name}` of {}", path.display());
        }
    }
}
