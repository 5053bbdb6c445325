//! Payments that were signed here, kept in a file beside the network file.
//!
//! When the operator takes a payment and then is silent, its signed bytes are all that an in-flight exit can be started with: so they
//! are on the disk before they are sent. It must never keep a payment from being made: whoever calls only warns. It must never grow
//! without end: a full file becomes the old one, and the old one is gone.
//!
//! A line is a framework and signed bytes, in hex. It begins with a line break, so that one that was cut off spoils no other. Nothing
//! in the file is believed: who reads it recovers the signers.

use plasma_core::wire::{Address, SignedTx, TxHash};
use plasma_rpc::json::hex;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The newest payments.
const FILE: &str = "sent-payments";
/// Those before.
const OLD_FILE: &str = "sent-payments.old";
/// Held while a payment is added, so that two processes do not exchange files at the same time.
const LOCK_FILE: &str = "sent-payments.lock";
/// Names of all files, which lie beside the network file.
pub(crate) const SENT_PAYMENTS_FILES: [&str; 3] = [FILE, LOCK_FILE, OLD_FILE];
/// Longest file; some 10,000 payments.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Where they are kept.
#[derive(Clone, Debug)]
pub(super) struct SentPayments {
    folder: PathBuf,
    framework: Address,
}

impl SentPayments {
    /// Those of a deployment, beside its network file.
    pub(super) fn beside(network_file: &Path, framework: Address) -> Self {
        let folder = network_file.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self { folder: folder.unwrap_or(Path::new(".")).to_owned(), framework }
    }

    /// Keeps a payment; it is durable when this returns.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn keep(&self, signed: &SignedTx) -> Result<()> {
        let lock = private().open(self.folder.join(LOCK_FILE))?;
        lock.lock()?;
        let path = self.folder.join(FILE);
        let mut file = private().open(&path)?;
        if file.metadata()?.len() >= FILE_BYTES_MAX {
            std::fs::rename(&path, self.folder.join(OLD_FILE))?;
            file = private().open(&path)?;
        }
        let framework = hex::encode(self.framework);
        write!(file, "{}", format_args!("\n{framework} {}\n", hex::encode(signed.as_bytes())))?;
        file.sync_all()?;
        // A file that was just made is durable once its folder is.
        File::open(&self.folder)?.sync_all()
    }

    /// The payment with this hash; `None` when it is not kept (any more).
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn find(&self, txhash: TxHash) -> Result<Option<SignedTx>> {
        for name in [FILE, OLD_FILE] {
            // A file is at most one payment longer than it may be.
            let text = match crate::files::read_text(&self.folder.join(name), 2 * FILE_BYTES_MAX) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                other => other?,
            };
            let found = text.lines().filter_map(|line| self.read(line));
            if let Some(found) = found.into_iter().find(|signed| signed.hash() == txhash) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// All payments of this deployment that are kept, the oldest first.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn all(&self) -> Result<Vec<SignedTx>> {
        let mut all = Vec::new();
        for name in [OLD_FILE, FILE] {
            // A file is at most one payment longer than it may be.
            match crate::files::read_text(&self.folder.join(name), 2 * FILE_BYTES_MAX) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Ok(text) => all.extend(text.lines().filter_map(|line| self.read(line))),
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    fn read(&self, line: &str) -> Option<SignedTx> {
        let (framework, signed) = line.split_once(' ')?;
        let is_ours = framework == hex::encode(self.framework);
        is_ours.then(|| SignedTx::decode(&hex::decode(signed)?).ok()).flatten()
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use plasma_core::wire::{
        Blknum, ETH, Output, PaymentTx, SecretKey, TypedDataDomain, U256, UtxoPos,
    };
    use std::os::unix::fs::PermissionsExt;

    pub(in crate::wallet) fn key() -> SecretKey {
        SecretKey::from_bytes([1; 32]).unwrap()
    }

    /// A payment of a deposit.
    pub(in crate::wallet) fn signed(blknum: u64, framework: Address) -> SignedTx {
        let payment = PaymentTx {
            inputs: [UtxoPos::deposit(Blknum::new(blknum)).into()].into_iter().collect(),
            outputs: [Output::payment(Address::repeat_byte(9), ETH, U256::one())]
                .into_iter()
                .collect(),
            metadata: Default::default(),
        };
        SignedTx::sign_payment(payment, &[&key()], &TypedDataDomain::new(framework)).unwrap()
    }

    #[test]
    fn payments_are_found_by_hash_until_they_are_old() {
        let folder = tempfile::tempdir().unwrap();
        let framework = Address::repeat_byte(1);
        let network_file = folder.path().join("devnet.json");
        let kept = SentPayments::beside(&network_file, framework);
        let payments: Vec<_> = (1..=3).map(|blknum| signed(blknum, framework)).collect();
        assert_eq!(kept.find(payments[0].hash()).unwrap(), None);
        for payment in &payments {
            kept.keep(payment).unwrap();
        }
        for payment in &payments {
            assert_eq!(kept.find(payment.hash()).unwrap().as_ref(), Some(payment));
        }
        assert_eq!(kept.find(TxHash::zero()).unwrap(), None);
        assert_eq!(kept.all().unwrap(), payments);
        let other = SentPayments::beside(&network_file, Address::repeat_byte(2));
        assert_eq!(other.all().unwrap(), []);
        assert_eq!(other.find(payments[0].hash()).unwrap(), None, "of another deployment");
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        // Twice full: the first payments are gone.
        for payment in [signed(4, framework), signed(5, framework)] {
            let file = OpenOptions::new().write(true).open(folder.path().join(FILE)).unwrap();
            file.set_len(FILE_BYTES_MAX).unwrap();
            kept.keep(&payment).unwrap();
            assert_eq!(kept.find(payment.hash()).unwrap(), Some(payment));
        }
        assert_eq!(kept.find(payments[0].hash()).unwrap(), None);
        assert!(kept.find(signed(4, framework).hash()).unwrap().is_some());
        let names = std::fs::read_dir(folder.path()).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| SENT_PAYMENTS_FILES.iter().any(|file| name == file)));
    }

    #[test]
    fn a_line_that_was_cut_off_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let kept = SentPayments::beside(&folder.path().join("a.json"), Address::zero());
        let (one, other) = (signed(1, Address::zero()), signed(2, Address::zero()));
        kept.keep(&one).unwrap();
        let path = folder.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("nonsense\n{}", text.get(..text.len() - 9).unwrap()))
            .unwrap();
        kept.keep(&other).unwrap();
        assert_eq!(kept.find(one.hash()).unwrap(), None);
        assert_eq!(kept.find(other.hash()).unwrap(), Some(other));
    }
}
