//! Keys in encrypted files: Web3 Secret Storage, version 3, as other wallets write and read it.
//!
//! A file is written once, readable by its owner only, and never overwritten; a password and a key are never logged and never part of
//! an error. Files of other wallets are opened whatever their key derivation (scrypt or PBKDF2), within [limits](KeystoreError) that
//! keep a hostile file from exhausting the machine. Ours are written here rather than by ethers: its scrypt parameters make guessing
//! a password sixteen times cheaper.

use aes::Aes128;
use ctr::cipher::{KeyIvInit, StreamCipher};
use ethers::signers::{LocalWallet, WalletError};
use plasma_core::wire::keccak::keccak256_concat;
use plasma_core::wire::{Address, SecretKey};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Largest keystore file that is read; real ones have 500 bytes.
pub const KEYSTORE_BYTES_MAX: u64 = 16 << 10;
/// Most memory that opening a file may take: 1 GiB; geth's standard files take a quarter.
const SCRYPT_BYTES_MAX: u64 = 1 << 30;
/// Most parallel rounds of scrypt, each as long as the whole.
const SCRYPT_P_MAX: u32 = 16;
/// Most rounds of PBKDF2; wallets use 262,144.
const PBKDF2_ROUNDS_MAX: u32 = 10_000_000;

/// Rounds of scrypt in files of ours, as a power of two: 128 MiB and half a second for each guess.
const OUR_LOG_N: u8 = 17;
const OUR_R: u32 = 8;
const OUR_P: u32 = 1;

/// A keystore file cannot be written or opened.
#[derive(Debug, Error)]
pub enum KeystoreError {
    /// There is a file already, and keys are never overwritten.
    #[error("{} exists already, and keys are never overwritten", path.display())]
    Exists {
        /// Its path.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The file is not a keystore, or asks for more time or memory than any honest one.
    #[error("{} is not a keystore file: {why}", path.display())]
    NotAKeystore {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The password is not the file's. A file whose bytes rotted looks the same.
    #[error("wrong password for {}", path.display())]
    WrongPassword {
        /// The file.
        path: PathBuf,
    },
    /// The machine gave no randomness or no memory.
    #[error("no key can be made: {0}")]
    Unavailable(String),
}

/// Makes a new key and stores it in a new file.
///
/// # Errors
/// [`KeystoreError`]. Then there is no key: nothing was stored under this path.
pub fn create(path: &Path, password: &str) -> Result<SecretKey, KeystoreError> {
    loop {
        // One in 2^128 draws is no key.
        if let Ok(key) = SecretKey::from_bytes(random()?) {
            import(path, &key, password)?;
            return Ok(key);
        }
    }
}

/// Stores a key in a new file.
///
/// # Errors
/// [`KeystoreError`].
pub fn import(path: &Path, key: &SecretKey, password: &str) -> Result<(), KeystoreError> {
    let text = encrypt(key, password)?;
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => KeystoreError::Exists { path: path.to_owned() },
        _ => KeystoreError::Io { path: path.to_owned(), source },
    };
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| {
        // Half a file would look like a key that is there.
        if let Err(error) = std::fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "an unfinished keystore file stays behind");
        }
        io(source)
    })
}

/// Reads the key in a file. Takes half a second or more: that is what keeps passwords from being guessed.
///
/// # Errors
/// [`KeystoreError`].
pub fn open(path: &Path, password: &str) -> Result<SecretKey, KeystoreError> {
    let keystore = read(path)?;
    let wallet = LocalWallet::decrypt_keystore(path, password).map_err(|error| match error {
        // All else that could be wrong with the file has been checked.
        WalletError::EthKeystoreError(_) => KeystoreError::WrongPassword { path: path.to_owned() },
        other => not_a_keystore(path, other.to_string()),
    })?;
    let key = SecretKey::from_bytes(wallet.signer().to_bytes().into())
        .map_err(|error| not_a_keystore(path, error.to_string()))?;
    match keystore.address {
        Some(address) if account(&address) != Some(key.address()) => {
            let why = "it names another account than its key belongs to";
            Err(not_a_keystore(path, why.to_owned()))
        }
        _ => Ok(key),
    }
}

/// The account a file claims to hold the key of, without a password. Not every wallet writes it.
///
/// # Errors
/// [`KeystoreError`], except for a wrong password.
pub fn address(path: &Path) -> Result<Option<Address>, KeystoreError> {
    let claimed = read(path)?.address;
    claimed
        .map(|text| {
            account(&text).ok_or_else(|| not_a_keystore(path, "its address is none".to_owned()))
        })
        .transpose()
}

#[derive(Serialize, Deserialize)]
struct Keystore {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    crypto: Crypto,
    id: String,
    version: u8,
}

#[derive(Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum KdfParams {
    Pbkdf2 { c: u32, dklen: u8, prf: String, salt: String },
    Scrypt { dklen: u8, n: u32, p: u32, r: u32, salt: String },
}

fn encrypt(key: &SecretKey, password: &str) -> Result<String, KeystoreError> {
    let unavailable = |error: &dyn std::fmt::Display| KeystoreError::Unavailable(error.to_string());
    let salt: [u8; 32] = random()?;
    let iv: [u8; 16] = random()?;
    let mut derived = [0; 32];
    let params = scrypt::Params::new(OUR_LOG_N, OUR_R, OUR_P).map_err(|e| unavailable(&e))?;
    scrypt::scrypt(password.as_bytes(), &salt, &params, &mut derived)
        .map_err(|e| unavailable(&e))?;
    let (cipher_key, mac_key) = derived.split_at(16);
    let mut ciphertext = key.to_bytes();
    let mut cipher =
        ctr::Ctr128BE::<Aes128>::new_from_slices(cipher_key, &iv).map_err(|e| unavailable(&e))?;
    cipher.apply_keystream(&mut ciphertext);
    let keystore = Keystore {
        address: Some(const_hex::encode(key.address())),
        crypto: Crypto {
            cipher: "aes-128-ctr".to_owned(),
            cipherparams: CipherParams { iv: const_hex::encode(iv) },
            ciphertext: const_hex::encode(ciphertext),
            kdf: "scrypt".to_owned(),
            kdfparams: KdfParams::Scrypt {
                dklen: 32,
                n: 1 << OUR_LOG_N,
                p: OUR_P,
                r: OUR_R,
                salt: const_hex::encode(salt),
            },
            mac: const_hex::encode(keccak256_concat(&[mac_key, &ciphertext])),
        },
        id: uuid(random()?),
        version: 3,
    };
    serde_json::to_string(&keystore).map_err(|e| unavailable(&e))
}

/// Reads a file and checks all that decrypting it relies on.
fn read(path: &Path) -> Result<Keystore, KeystoreError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(KEYSTORE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|source| match source.kind() {
        std::io::ErrorKind::InvalidData => not_a_keystore(path, source.to_string()),
        _ => KeystoreError::Io { path: path.to_owned(), source },
    })?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > KEYSTORE_BYTES_MAX {
        return Err(not_a_keystore(path, "it is too large".to_owned()));
    }
    // The text of a parser's error may repeat parts of the file, but never more than a token; a keystore holds no bare secret.
    let keystore: Keystore =
        serde_json::from_str(&text).map_err(|error| not_a_keystore(path, error.to_string()))?;
    match check(&keystore) {
        Ok(()) => Ok(keystore),
        Err(why) => Err(not_a_keystore(path, why.to_owned())),
    }
}

fn check(keystore: &Keystore) -> Result<(), &'static str> {
    let crypto = &keystore.crypto;
    if keystore.version != 3 {
        return Err("its version is not 3");
    }
    if crypto.cipher != "aes-128-ctr" {
        return Err("its cipher is not aes-128-ctr");
    }
    if unhex::<16>(&keystore.id.replace('-', "")).is_none() {
        return Err("its id is not a UUID");
    }
    if unhex::<16>(&crypto.cipherparams.iv).is_none() {
        return Err("its iv is not 16 bytes");
    }
    if unhex::<32>(&crypto.ciphertext).is_none() || unhex::<32>(&crypto.mac).is_none() {
        return Err("its ciphertext or mac is not 32 bytes");
    }
    let (kdf, dklen, salt) = match &crypto.kdfparams {
        KdfParams::Pbkdf2 { c, dklen, prf, salt } => {
            if prf != "hmac-sha256" || *c == 0 || *c > PBKDF2_ROUNDS_MAX {
                return Err("its PBKDF2 is unknown or takes too long");
            }
            ("pbkdf2", *dklen, salt)
        }
        KdfParams::Scrypt { dklen, n, p, r, salt } => {
            let bytes = u64::from(*n).saturating_mul(u64::from(*r)).saturating_mul(128);
            if *n < 2 || !n.is_power_of_two() || bytes > SCRYPT_BYTES_MAX {
                return Err("its scrypt is wrong or takes too much memory");
            }
            if *r == 0 || *p == 0 || *p > SCRYPT_P_MAX {
                return Err("its scrypt is wrong or takes too long");
            }
            ("scrypt", *dklen, salt)
        }
    };
    if crypto.kdf != kdf || dklen != 32 {
        return Err("its key derivation is unknown");
    }
    if salt.starts_with("0x") || const_hex::decode(salt).is_err() {
        return Err("its salt is not hex");
    }
    Ok(())
}

/// Hex without a prefix, as keystore files have it.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    const_hex::decode_to_array(text).ok()
}

/// Some wallets put a prefix before the address.
fn account(text: &str) -> Option<Address> {
    unhex(text.strip_prefix("0x").unwrap_or(text)).map(Address::from)
}

/// Random bytes as a version 4 UUID.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = const_hex::encode(bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    let parts = parts.map(|part| hex.get(part).unwrap_or_default());
    parts.join("-")
}

fn random<const N: usize>() -> Result<[u8; N], KeystoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| KeystoreError::Unavailable(error.to_string()))?;
    Ok(bytes)
}

fn not_a_keystore(path: &Path, why: String) -> KeystoreError {
    KeystoreError::NotAKeystore { path: path.to_owned(), why }
}

#[cfg(test)]
mod tests;
