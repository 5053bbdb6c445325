//! Round trips, files of other wallets, and files that are none.

use super::*;
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt;

/// The test vector of the Web3 Secret Storage Definition (PBKDF2), password `testpassword`.
const PBKDF2_VECTOR: &str = r#"{
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {"c": 262144, "dklen": 32, "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3
}"#;
const VECTOR_KEY: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

/// A keystore of the least effort, for tests that do not open it.
const CHEAP: &str = r#"{
    "address": "00000000000000000000000000000000000000aa",
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "scrypt",
        "kdfparams": {"dklen": 32, "n": 2, "p": 1, "r": 1, "salt": "00"},
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3
}"#;

#[test]
fn a_new_key_is_stored_once_and_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    let key = create(&path, "correct horse").unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(address(&path).unwrap(), Some(key.address()));
    assert_eq!(open(&path, "correct horse").unwrap().to_bytes(), key.to_bytes());
    let wrong = open(&path, "correct horse ").unwrap_err();
    assert!(matches!(wrong, KeystoreError::WrongPassword { .. }), "{wrong}");
    let again = create(&path, "x").unwrap_err();
    assert!(matches!(again, KeystoreError::Exists { .. }), "{again}");
    assert_eq!(address(&path).unwrap(), Some(key.address()));

    let text = std::fs::read_to_string(&path).unwrap();
    let other = text.replacen(&const_hex::encode(key.address()), &"ab".repeat(20), 1);
    std::fs::write(&path, other).unwrap();
    let error = open(&path, "correct horse").unwrap_err().to_string();
    assert!(error.contains("another account"), "{error}");
}

#[test]
fn files_of_other_wallets_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pbkdf2.json");
    std::fs::write(&path, PBKDF2_VECTOR).unwrap();
    let key = open(&path, "testpassword").unwrap();
    assert_eq!(const_hex::encode(key.to_bytes()), VECTOR_KEY);
    assert_eq!(address(&path).unwrap(), None);
}

#[test]
fn a_missing_folder_is_an_error_of_the_file_system() {
    let path = Path::new("/nowhere/key.json");
    let key = SecretKey::from_bytes([1; 32]).unwrap();
    for error in [
        import(path, &key, "").unwrap_err(),
        open(path, "").unwrap_err(),
        address(path).unwrap_err(),
    ] {
        assert!(matches!(error, KeystoreError::Io { .. }), "{error}");
    }
}

#[test]
fn files_that_are_no_keystores_or_too_dear_are_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    for (from, to, why) in [
        ("{", "", "expected"),
        ("\"version\": 3", "\"version\": 1", "version is not 3"),
        ("aes-128-ctr", "aes-256-ctr", "cipher"),
        ("6087dab2f9fdbbfaddc31a909735c1e6", "6087", "iv"),
        ("5318b4d5", "", "ciphertext"),
        ("\"dklen\": 32", "\"dklen\": 16", "key derivation"),
        ("\"kdf\": \"scrypt\"", "\"kdf\": \"pbkdf2\"", "key derivation"),
        ("3198bc9c-", "", "UUID"),
        ("\"n\": 2", "\"n\": 0", "memory"),
        ("\"n\": 2", "\"n\": 3", "memory"),
        ("\"n\": 2", "\"n\": 2147483648", "memory"),
        ("\"r\": 1", "\"r\": 4294967295", "memory"),
        ("\"r\": 1", "\"r\": 0", "too long"),
        ("\"p\": 1", "\"p\": 17", "too long"),
        ("\"salt\": \"00\"", "\"salt\": \"zz\"", "salt"),
    ] {
        let text = CHEAP.replacen(from, to, 1);
        assert_ne!(text, CHEAP, "{from}");
        std::fs::write(&path, text).unwrap();
        let error = open(&path, "").unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, KeystoreError::NotAKeystore { .. }), "{message}");
        assert!(message.contains(why), "{message}");
    }
    let slow = PBKDF2_VECTOR.replacen("262144", "4294967295", 1);
    std::fs::write(&path, slow).unwrap();
    assert!(matches!(open(&path, ""), Err(KeystoreError::NotAKeystore { .. })));
    for bytes in [vec![b' '; 20_000], vec![0xff, 0xfe], vec![]] {
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(open(&path, ""), Err(KeystoreError::NotAKeystore { .. })));
    }
}

#[test]
fn identifiers_are_version_4() {
    assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_mutation_of_a_file_makes_opening_panic(at: prop::sample::Index, byte in 0x20_u8..0x7f) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        let mut bytes = CHEAP.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        std::fs::write(&path, bytes).unwrap();
        prop_assert!(open(&path, "").is_err());
    }
}
