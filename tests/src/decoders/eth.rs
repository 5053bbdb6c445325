//! Decoders of `plasma-eth`: files that other tools write, and the URL of a node.
//!
//! Logs and other answers of nodes are decoded behind that crate's doors, and attacked by its own property tests.

use super::Decoder;
use plasma_eth::{Deployment, RpcUrl, keystore};
use serde_json::json;
use std::io::Write;

/// The decoders of this file.
pub const DECODERS: &[Decoder] = &[
    Decoder { name: "address_file", check: address_file, seeds: address_files },
    Decoder { name: "keystore_file", check: keystore_file, seeds: keystore_files },
    Decoder { name: "rpc_url", check: rpc_url, seeds: rpc_urls },
];

/// Address files: what was read, written as a file, reads the same.
pub fn address_file(bytes: &[u8]) -> bool {
    let Some(deployment) =
        std::str::from_utf8(bytes).ok().and_then(|text| Deployment::from_json(text).ok())
    else {
        return false;
    };
    let written = deployment.to_json();
    assert_eq!(Deployment::from_json(&written).ok(), Some(deployment), "{written}");
    true
}

/// Keystore files, as far as they are read without a password: the expensive rest runs only on what passes here.
pub fn keystore_file(bytes: &[u8]) -> bool {
    let file = tempfile::NamedTempFile::new();
    let Ok(mut file) = file else {
        panic!("no temporary file");
    };
    assert!(file.write_all(bytes).is_ok(), "no temporary file");
    keystore::address(file.path()).is_ok()
}

/// URLs of nodes: they never show more of themselves than the host.
pub fn rpc_url(bytes: &[u8]) -> bool {
    let Some(url) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<RpcUrl>().ok())
    else {
        return false;
    };
    assert_eq!(url.reveal().parse::<RpcUrl>().ok().as_ref(), Some(&url), "{}", url.reveal());
    let shown = format!("{url:?} {url}");
    assert!(!shown.contains('@') && !shown.contains('?'), "{shown}");
    true
}

fn address_files() -> Vec<Vec<u8>> {
    let address = |digit: &str| format!("0x{}", digit.repeat(40));
    let file = json!({
        "plasma_framework_tx_hash": format!("0x{}", "1".repeat(64)),
        "plasma_framework": address("2"), "eth_vault": address("3"), "erc20_vault": address("4"),
        "payment_exit_game": address("5"), "authority_address": address("6"), "chain_id": 31_337,
        "eth_height": 12, "min_exit_period_s": 120, "contract_semver": "1.0.5",
        "erc20_token": address("7"), "unknown": {"key": [1]},
    });
    vec![file.to_string().into_bytes()]
}

fn keystore_files() -> Vec<Vec<u8>> {
    let file = |kdf: &str, kdfparams: serde_json::Value| {
        json!({
            "address": "2".repeat(40), "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3,
            "crypto": {
                "cipher": "aes-128-ctr", "cipherparams": {"iv": "1".repeat(32)},
                "ciphertext": "2".repeat(64), "kdf": kdf, "kdfparams": kdfparams,
                "mac": "3".repeat(64),
            },
        })
    };
    let salt = "4".repeat(64);
    [
        file("scrypt", json!({"dklen": 32, "n": 262_144, "p": 1, "r": 8, "salt": salt})),
        file("pbkdf2", json!({"dklen": 32, "c": 262_144, "prf": "hmac-sha256", "salt": salt})),
    ]
    .map(|file| file.to_string().into_bytes())
    .to_vec()
}

fn rpc_urls() -> Vec<Vec<u8>> {
    ["http://127.0.0.1:8545", "https://user:secret@node.example/v3/key?token=1#x"]
        .map(|url| url.as_bytes().to_vec())
        .to_vec()
}
