//! A store serves one node of one deployment.

use crate::{IDENTITY, open, primitive, try_open};
use plasma_store::{NodeKind, Store, StoreConfig, StoreError, StoreIdentity};

fn refused(identity: StoreIdentity, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let error = Store::open(folder.path(), &identity, &StoreConfig::default()).unwrap_err();
    assert!(matches!(error, StoreError::OfAnother { .. }), "{error:?}");
    assert!(error.to_string().contains(expected), "{error}");
    assert!(!error.is_transient());
    drop(open(folder.path()));
}

#[test]
fn the_store_of_another_node_chain_or_framework_is_refused() {
    refused(
        StoreIdentity { node: NodeKind::ChildChain, ..IDENTITY },
        "is of kind watcher, but this node is of kind child-chain",
    );
    refused(
        StoreIdentity { chain_id: 1, ..IDENTITY },
        "is of chain 31337, but this node is of chain 1",
    );
    refused(
        StoreIdentity { plasma_framework: primitive(0xdd), ..IDENTITY },
        "but this node is of framework 0xdddddddddddddddddddddddddddddddddddddddd: choose another data folder",
    );
}

#[test]
fn a_store_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _held = open(folder.path());
    let error = try_open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    assert!(error.is_transient());
}

#[test]
fn a_folder_with_something_else_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.tex"), "chapter one").unwrap();
    assert!(matches!(try_open(folder.path()), Err(StoreError::NotAStore { .. })));
    assert!(matches!(
        try_open(&folder.path().join("thesis.tex")),
        Err(StoreError::NotAStore { .. })
    ));
    assert_eq!(std::fs::read_to_string(folder.path().join("thesis.tex")).unwrap(), "chapter one");
}

#[test]
fn a_store_is_made_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("down");
    drop(open(&path));
    drop(open(&path));
}
