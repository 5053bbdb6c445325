//! Merges that were signed here, kept in a file beside the network file until they are in a block.
//!
//! From the moment a merge is handed over, a standard exit of its inputs can be challenged with it, whether or not it ever appears in
//! a block. So it is on the disk before it is sent, and a run that was killed knows in the next one what must not exit. Everything
//! else that a run has done is on the root chain. Nothing in the file is believed that does not fit what the watcher lists.
//!
//! A line is a framework and signed bytes, in hex. It begins with a line break, so that one that was cut off spoils no other.

use super::super::exits::ExitPhase;
use super::super::session::Utxos;
use super::look::OwnExit;
use crate::files::{read_text, write_private};
use plasma_core::wire::{Address, ExitId, SignedTx, TxHash, UtxoPos};
use plasma_rpc::json::hex;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Lies beside the network file.
const FILE: &str = "evacuate-merges";
/// Held while merges are added or forgotten, so that no process loses what another one keeps.
const LOCK_FILE: &str = "evacuate-merges.lock";
/// Names of all files, which lie beside the network file.
pub(crate) const MERGES_FILES: [&str; 2] = [FILE, LOCK_FILE];
/// Longest file that is read: tens of thousands of merges.
const MERGES_FILE_BYTES_MAX: u64 = 32 << 20;

/// Where they are kept.
#[derive(Debug)]
pub(in crate::wallet) struct PendingMerges {
    folder: PathBuf,
    framework: Address,
}

impl PendingMerges {
    /// Those of a deployment, beside its network file.
    pub(in crate::wallet) fn beside(network_file: &Path, framework: Address) -> Self {
        let folder = network_file.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self { folder: folder.unwrap_or(Path::new(".")).to_owned(), framework }
    }

    /// Keeps a merge; it is durable when this returns.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn keep(&self, signed: &SignedTx) -> Result<()> {
        let _lock = self.lock()?;
        let mut file = private().open(self.path())?;
        let line =
            format!("\n{} {}\n", hex::encode(self.framework), hex::encode(signed.as_bytes()));
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        // A file that was just made is durable once its folder is.
        File::open(&self.folder)?.sync_all()
    }

    /// The merges that spend outputs which the watcher still lists.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn of(&self, listed: &Utxos) -> Result<Vec<SignedTx>> {
        let mut kept = self.all()?;
        kept.retain(|merge| inputs(merge).any(|at| listed.contains_key(&at)));
        Ok(kept)
    }

    /// All merges of this deployment, whoever signed them.
    ///
    /// # Errors
    /// Those of the file system.
    pub(in crate::wallet) fn all(&self) -> Result<Vec<SignedTx>> {
        Ok(self.text()?.lines().filter_map(|line| self.read(line)).collect())
    }

    /// Forgets the merges of this deployment that are over: never handed on, in a verified block, or of inputs that have left. Keeps
    /// every other line, whatever it says.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn forget(&self, is_over: impl Fn(&SignedTx) -> bool) -> Result<()> {
        let _lock = self.lock()?;
        let text = self.text()?;
        let stays = |line: &&str| self.read(line).is_none_or(|merge| !is_over(&merge));
        let lines = text.lines().filter(|line| !line.is_empty());
        let left: String = lines.filter(stays).flat_map(|line| [line, "\n"]).collect();
        if !left.is_empty() {
            return write_private(&self.path(), &left);
        }
        match std::fs::remove_file(self.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn text(&self) -> Result<String> {
        match read_text(&self.path(), MERGES_FILE_BYTES_MAX) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            other => other,
        }
    }

    /// Let go when it is dropped.
    fn lock(&self) -> Result<File> {
        let lock = private().open(self.folder.join(LOCK_FILE))?;
        lock.lock()?;
        Ok(lock)
    }

    fn read(&self, line: &str) -> Option<SignedTx> {
        let (framework, signed) = line.split_once(' ')?;
        let is_ours = framework == hex::encode(self.framework);
        is_ours.then(|| SignedTx::decode(&hex::decode(signed)?).ok()).flatten()
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options
}

/// What a payment spends.
pub(in crate::wallet) fn inputs(merge: &SignedTx) -> impl Iterator<Item = UtxoPos> + '_ {
    merge.transaction().spent_positions()
}

/// Whether the root chain shows that a merge is over: what it made exits, which nobody can do before it is in a block; or all that it
/// spends was paid out.
pub(super) fn is_over(merge: &SignedTx, exits: &[OwnExit]) -> bool {
    let unsigned = merge.unsigned_bytes();
    let leaves =
        |own: &OwnExit| ExitId::standard(&unsigned, own.exit.position) == Some(own.exit.exit_id);
    let is_paid = |at: UtxoPos| {
        exits.iter().any(|own| own.exit.position == at && own.phase == ExitPhase::Paid)
    };
    exits.iter().any(leaves) || inputs(merge).count() > 0 && inputs(merge).all(is_paid)
}

/// The outputs that these transactions spend, and by which.
pub(in crate::wallet) fn signed_away(merges: &[SignedTx]) -> BTreeMap<UtxoPos, TxHash> {
    merges.iter().flat_map(|merge| inputs(merge).map(|at| (at, merge.hash()))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::exits::SeenExit;
    use super::*;
    use plasma_core::db_update::Utxo;
    use plasma_core::wire::{
        Blknum, ETH, Output, OutputIndex, OutputType, PaymentTx, SecretKey, TxIndex,
        TypedDataDomain, U256,
    };

    fn signed(blknum: u64, framework: Address) -> SignedTx {
        let key = SecretKey::from_bytes([1; 32]).unwrap();
        let payment = PaymentTx {
            inputs: [UtxoPos::deposit(Blknum::new(blknum)).into()].into_iter().collect(),
            outputs: [Output::payment(key.address(), ETH, U256::one())].into_iter().collect(),
            metadata: Default::default(),
        };
        SignedTx::sign_payment(payment, &[&key], &TypedDataDomain::new(framework)).unwrap()
    }

    fn listed(blknums: &[u64]) -> Utxos {
        let amount = U256::one();
        let utxo = Utxo { output_type: OutputType::Payment, currency: ETH, amount };
        blknums.iter().map(|number| (UtxoPos::deposit(Blknum::new(*number)), utxo)).collect()
    }

    #[test]
    fn merges_are_kept_until_their_inputs_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let framework = Address::repeat_byte(1);
        let network_file = folder.path().join("devnet.json");
        let kept = PendingMerges::beside(&network_file, framework);
        let merges = [signed(1, framework), signed(2, framework)];
        assert_eq!(kept.of(&listed(&[1, 2])).unwrap(), []);
        kept.keep(&merges[0]).unwrap();
        // A line that was cut off.
        std::fs::write(
            folder.path().join(FILE),
            std::fs::read_to_string(folder.path().join(FILE)).unwrap() + "\n0x0101 0xf8",
        )
        .unwrap();
        kept.keep(&merges[1]).unwrap();
        for (at, expected) in
            [(&[1, 2][..], &merges[..]), (&[2, 3], &merges[1..]), (&[3], &[]), (&[], &[])]
        {
            assert_eq!(kept.of(&listed(at)).unwrap(), expected, "{at:?}");
        }
        let away = signed_away(&merges);
        assert_eq!(away.len(), 2);
        assert_eq!(away[&UtxoPos::deposit(Blknum::new(2))], merges[1].hash());
        let other = PendingMerges::beside(&network_file, Address::repeat_byte(2));
        assert_eq!(other.of(&listed(&[1, 2])).unwrap(), [], "of another deployment");
        // The other deployment's line, and the one that was cut off, are nobody's to remove.
        other.keep(&signed(1, Address::repeat_byte(2))).unwrap();
        kept.forget(|merge| merge.hash() == merges[0].hash()).unwrap();
        assert_eq!(kept.of(&listed(&[1, 2])).unwrap(), merges[1..]);
        kept.forget(|_| true).unwrap();
        assert_eq!(kept.all().unwrap(), []);
        assert_eq!(other.all().unwrap().len(), 1);
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(text.lines().next(), Some("0x0101 0xf8"), "{text}");
    }

    #[test]
    fn a_file_without_merges_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let framework = Address::repeat_byte(1);
        let kept = PendingMerges::beside(&folder.path().join("devnet.json"), framework);
        kept.forget(|_| true).unwrap();
        kept.keep(&signed(1, framework)).unwrap();
        kept.forget(|_| false).unwrap();
        assert_eq!(kept.all().unwrap().len(), 1);
        kept.forget(|_| true).unwrap();
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn merges_are_over_once_their_output_exits_or_their_inputs_were_paid() {
        let merge = signed(1, Address::zero());
        let made = UtxoPos::new(Blknum::new(5_000), TxIndex::new(0), OutputIndex::new(0));
        let spent = UtxoPos::deposit(Blknum::new(1));
        let of_merge = ExitId::standard(&merge.unsigned_bytes(), made).unwrap();
        let other = ExitId::from_u256(9.into());
        for (position, exit_id, phase, expected) in [
            (made, of_merge, ExitPhase::Waiting, true),
            (made, other, ExitPhase::Paid, false),
            (spent, other, ExitPhase::Waiting, false),
            (spent, other, ExitPhase::Challenged, false),
            (spent, other, ExitPhase::Paid, true),
        ] {
            let exit = SeenExit::of(position, exit_id);
            let found = is_over(&merge, &[OwnExit { exit, phase }]);
            assert_eq!(found, expected, "{position} {phase:?}");
        }
        assert!(!is_over(&merge, &[]));
    }
}
