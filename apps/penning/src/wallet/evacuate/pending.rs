//! Merges that were signed here, kept in a file beside the network file until they are in a block.
//!
//! From the moment a merge is handed over, a standard exit of its inputs can be challenged with it, whether or not it ever appears in
//! a block. So it is on the disk before it is sent, and a run that was killed knows in the next one what must not exit. Everything
//! else that a run has done is on the root chain. Nothing in the file is believed that does not fit what the watcher lists.
//!
//! A line is a framework and signed bytes, in hex. It begins with a line break, so that one that was cut off spoils no other.

use super::super::session::Utxos;
use crate::files::{read_text, write_private};
use plasma_core::wire::{Address, SignedTx, TxHash, UtxoPos};
use plasma_rpc::json::hex;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Lies beside the network file.
pub(crate) const MERGES_FILE: &str = "evacuate-merges";
/// Longest file that is read: tens of thousands of merges.
const MERGES_FILE_BYTES_MAX: u64 = 32 << 20;

/// Where they are kept.
#[derive(Debug)]
pub(super) struct PendingMerges {
    folder: PathBuf,
    framework: Address,
}

impl PendingMerges {
    /// Those of a deployment, beside its network file.
    pub(super) fn beside(network_file: &Path, framework: Address) -> Self {
        let folder = network_file.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self { folder: folder.unwrap_or(Path::new(".")).to_owned(), framework }
    }

    /// Keeps a merge; it is durable when this returns.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn keep(&self, signed: &SignedTx) -> Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).mode(0o600).open(self.path())?;
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
        let text = match read_text(&self.path(), MERGES_FILE_BYTES_MAX) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut kept: Vec<SignedTx> = text.lines().filter_map(|line| self.read(line)).collect();
        kept.retain(|merge| inputs(merge).any(|at| listed.contains_key(&at)));
        Ok(kept)
    }

    /// Forgets a merge that was never handed on.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn take_back(&self, txhash: TxHash) -> Result<()> {
        let text = read_text(&self.path(), MERGES_FILE_BYTES_MAX)?;
        let others =
            text.lines().filter(|line| self.read(line).is_none_or(|tx| tx.hash() != txhash));
        write_private(&self.path(), &others.flat_map(|line| [line, "\n"]).collect::<String>())
    }

    /// Forgets all, once nothing is left that could be spent.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn forget(&self) -> Result<()> {
        match std::fs::remove_file(self.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn read(&self, line: &str) -> Option<SignedTx> {
        let (framework, signed) = line.split_once(' ')?;
        let is_ours = framework == hex::encode(self.framework);
        is_ours.then(|| SignedTx::decode(&hex::decode(signed)?).ok()).flatten()
    }

    fn path(&self) -> PathBuf {
        self.folder.join(MERGES_FILE)
    }
}

fn inputs(merge: &SignedTx) -> impl Iterator<Item = UtxoPos> + '_ {
    let inputs = match merge.transaction() {
        plasma_core::wire::Transaction::Payment(payment) => payment.inputs.as_slice(),
        _ => &[],
    };
    inputs.iter().filter_map(|input| input.position())
}

/// The outputs that these merges spend, and by which.
pub(super) fn signed_away(merges: &[SignedTx]) -> BTreeMap<UtxoPos, TxHash> {
    merges.iter().flat_map(|merge| inputs(merge).map(|at| (at, merge.hash()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::db_update::Utxo;
    use plasma_core::wire::{
        Blknum, ETH, Output, OutputType, PaymentTx, SecretKey, TypedDataDomain, U256,
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
            folder.path().join(MERGES_FILE),
            std::fs::read_to_string(folder.path().join(MERGES_FILE)).unwrap() + "\n0x0101 0xf8",
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
        kept.take_back(merges[0].hash()).unwrap();
        assert_eq!(kept.of(&listed(&[1, 2])).unwrap(), merges[1..]);
        kept.forget().unwrap();
        kept.forget().unwrap();
        assert_eq!(kept.of(&listed(&[1, 2])).unwrap(), []);
    }
}
