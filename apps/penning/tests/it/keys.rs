//! Keys: made, imported, shown, and never printed.

use crate::kit::{all, penning};

const KEY: &str = "7880aec93413f117ef14bd4e6d130875ab2c7d7d55a064fac3c2f7bd51516380";
const ADDRESS: &str = "0xc4d178249d840f548b09ad8269e8a3165ce2c170";

#[test]
fn a_new_key_is_stored_encrypted_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let create = || {
        penning(at, &["wallet", "key", "create", "--out", "k.json", "--json"])
            .env("PENNING_PASSWORD", "hunter2")
    };
    let made = create().json();
    assert_eq!(made["file"], "k.json");
    let address = made["address"].as_str().unwrap().to_owned();
    assert_eq!(address.len(), 42);
    let shown = penning(at, &["wallet", "key", "show", "k.json", "--json"]).json();
    assert_eq!(shown["address"], address.as_str());
    create().refused("keystore:exists");
    let stored = std::fs::read_to_string(at.join("k.json")).unwrap();
    assert!(!stored.contains("hunter2"));
}

#[test]
fn a_key_is_imported_from_the_environment_or_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("password"), "hunter2\n").unwrap();
    let import = |out| {
        let arguments = ["wallet", "key", "import", "--out", out, "--password-file", "password"];
        penning(at, &arguments)
    };
    let from_env = import("a").env("PENNING_PRIVATE_KEY", KEY).run();
    let from_stdin = import("b").stdin(&format!("0x{KEY}\nnothing else\n")).run();
    for output in [&from_env, &from_stdin] {
        assert!(output.status.success(), "{}", all(output));
        assert!(all(output).contains(ADDRESS), "{}", all(output));
        assert!(!all(output).contains(&KEY[..16]), "a key was printed");
    }
    let wrong = import("c").stdin(&format!("{}\n", &KEY[1..])).run();
    assert!(!wrong.status.success());
    assert!(!all(&wrong).contains(&KEY[1..16]), "a key was printed");
    assert!(!at.join("c").exists());
}

#[test]
fn scripts_get_errors_as_json_and_people_get_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    penning(at, &["wallet", "balance", "--json"]).refused("network:missing");
    penning(at, &["wallet", "key", "create", "--out", "k", "--json"]).refused("password:missing");
    penning(at, &["wallet", "key", "show", "--json"]).refused("key:missing");
    penning(at, &["wallet", "deposit", "--json"]).refused("usage");
    let spoken = penning(at, &["wallet", "balance"]).run();
    assert_eq!(spoken.status.code(), Some(1));
    assert!(spoken.stdout.is_empty());
    assert!(all(&spoken).contains("next:  give --network"), "{}", all(&spoken));
    assert_eq!(penning(at, &["wallet", "nonsense"]).run().status.code(), Some(2));
}

#[test]
fn help_never_shows_what_the_environment_holds() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["wallet", "deposit", "--help"][..], &["contracts", "deploy", "--help"]] {
        let output = penning(folder.path(), arguments)
            .env("PENNING_PRIVATE_KEY", KEY)
            .env("PENNING_PASSWORD", "hunter2")
            .env("PENNING_RPC_URL", "https://host/api-key-1234")
            .run();
        assert!(output.status.success());
        for secret in [KEY, "hunter2", "api-key-1234"] {
            assert!(!all(&output).contains(secret), "{secret}: {}", all(&output));
        }
    }
}

#[test]
fn every_shell_gets_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = penning(folder.path(), &["completions", shell]).run();
        assert!(output.status.success());
        assert!(all(&output).contains("deposit"), "{shell}");
    }
}
