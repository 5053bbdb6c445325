//! Exit packs without any network: the file with which outputs can be exited when operator and watcher are gone.
//!
//! It must never believe a file: sizes are bounded, every value is read strictly, and each proof is checked against the root that the
//! root chain has, not one that the file brings along. A pack holds no secret and no signature: whoever finds it can do nothing
//! with it, and whoever changes it only makes it useless.
//!
//! ```json
//! {"penning_exit_pack":1,"chain_id":1,"plasma_framework":"0x…","outputs":[{"utxo_pos":"1000000000000","tx":"…","proof":"…"}]}
//! ```
//! `tx` (unsigned bytes) and `proof` (16 hashes) are base64, so that an output takes at most 2 kB.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use plasma_core::wire::merkle::leaf_hash;
use plasma_core::wire::{
    Address, BlockHash, InclusionProof, Output, OutputType, Transaction, UtxoPos,
};
use plasma_eth::{Deployment, StartStandardExit};
use plasma_rpc::json::hex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use thiserror::Error;

/// The version that is written and read.
const VERSION: u32 = 1;
/// Most outputs of one pack.
pub(super) const PACK_OUTPUTS_MAX: usize = 1_000;
/// Most bytes of a pack for each of its outputs, everything else counted as well.
const OUTPUT_BYTES_MAX: usize = 2_048;
/// Longest pack that is read.
pub(super) const PACK_BYTES_MAX: usize = OUTPUT_BYTES_MAX * PACK_OUTPUTS_MAX;

/// Outputs that can be exited, and the deployment they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExitPack {
    pub(super) chain_id: u64,
    pub(super) plasma_framework: Address,
    /// With different positions.
    pub(super) outputs: Vec<PackedExit>,
}

/// An output that can be exited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PackedExit {
    pub(super) exit: StartStandardExit,
    /// What leaves, read from the transaction.
    pub(super) output: Output,
}

/// Why a file is no exit pack.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum PackError {
    #[error("this is not an exit pack")]
    NotAPack,
    #[error(
        "this exit pack has version {0}, and only version {VERSION} is known: use a newer wallet"
    )]
    Version(u32),
    #[error("an exit pack has 1 to {PACK_OUTPUTS_MAX} outputs, not {0}")]
    OutputCount(usize),
    #[error("output {index} of the exit pack (counted from 0): {what}")]
    Output { index: usize, what: &'static str },
}

/// What every version has.
#[derive(Deserialize)]
struct Versioned {
    penning_exit_pack: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackFile {
    penning_exit_pack: u32,
    chain_id: u64,
    #[serde(with = "hex")]
    plasma_framework: Address,
    outputs: Vec<OutputFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputFile {
    utxo_pos: String,
    tx: String,
    proof: String,
}

impl ExitPack {
    /// The file. Fails on a pack that could not be read again.
    pub(super) fn to_json(&self) -> Result<String, PackError> {
        check_count(self.outputs.len())?;
        let outputs = self.outputs.iter().map(|PackedExit { exit, .. }| OutputFile {
            utxo_pos: exit.position.encode().to_string(),
            tx: BASE64_STANDARD.encode(&exit.output_tx),
            proof: BASE64_STANDARD.encode(exit.inclusion_proof.to_bytes()),
        });
        let file = PackFile {
            penning_exit_pack: VERSION,
            chain_id: self.chain_id,
            plasma_framework: self.plasma_framework,
            outputs: outputs.collect(),
        };
        serde_json::to_string(&file).map_err(|_| PackError::NotAPack)
    }

    /// Reads a file. The proofs in it are not checked yet: see [`PackedExit::is_in`].
    pub(super) fn from_json(text: &str) -> Result<Self, PackError> {
        if text.len() > PACK_BYTES_MAX {
            return Err(PackError::NotAPack);
        }
        let version: Versioned = serde_json::from_str(text).map_err(|_| PackError::NotAPack)?;
        if version.penning_exit_pack != VERSION {
            return Err(PackError::Version(version.penning_exit_pack));
        }
        let file: PackFile = serde_json::from_str(text).map_err(|_| PackError::NotAPack)?;
        check_count(file.outputs.len())?;
        let (mut outputs, mut seen) = (Vec::new(), BTreeSet::new());
        for (index, output) in file.outputs.iter().enumerate() {
            let output = output.read().map_err(|what| PackError::Output { index, what })?;
            if !seen.insert(output.exit.position) {
                return Err(PackError::Output { index, what: "it is listed twice" });
            }
            outputs.push(output);
        }
        let PackFile { chain_id, plasma_framework, .. } = file;
        Ok(Self { chain_id, plasma_framework, outputs })
    }

    /// Whether this is the deployment whose outputs are packed.
    pub(super) fn is_of(&self, deployment: &Deployment) -> bool {
        self.chain_id == deployment.chain_id
            && self.plasma_framework == deployment.addresses.plasma_framework
    }
}

impl PackedExit {
    /// An exit whose transaction makes such an output.
    pub(super) fn new(exit: StartStandardExit) -> Result<Self, &'static str> {
        let tx = Transaction::decode_unsigned(&exit.output_tx)
            .map_err(|_| "its transaction is malformed")?;
        let output = tx.outputs().get(usize::from(exit.position.oindex.get())).copied();
        let output = output.ok_or("its transaction has no such output")?;
        if output.output_type != OutputType::Payment {
            return Err("outputs of this kind cannot be exited");
        }
        Ok(Self { exit, output })
    }

    /// Whether its transaction is in the block with this root, at the output's position.
    pub(super) fn is_in(&self, root: BlockHash) -> bool {
        let leaf = leaf_hash(&self.exit.output_tx);
        self.exit.inclusion_proof.verify(leaf, self.exit.position.txindex.get(), root)
    }
}

impl OutputFile {
    fn read(&self) -> Result<PackedExit, &'static str> {
        let base64 = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| "it is not base64");
        let position = self.utxo_pos.parse().ok().and_then(UtxoPos::decode);
        let position = position
            .filter(|position| position.is_decodable_on_chain())
            .filter(|position| position.encode().to_string() == self.utxo_pos)
            .ok_or("it has no position")?;
        let proof = InclusionProof::from_bytes(&base64(&self.proof)?);
        PackedExit::new(StartStandardExit {
            position,
            output_tx: base64(&self.tx)?,
            inclusion_proof: proof.ok_or("its proof does not have 16 hashes")?,
        })
    }
}

fn check_count(outputs: usize) -> Result<(), PackError> {
    match outputs {
        1..=PACK_OUTPUTS_MAX => Ok(()),
        other => Err(PackError::OutputCount(other)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::devnet_file;
    use plasma_core::wire::{
        Blknum, ETH, H256, InputPointer, OutputIndex, PaymentTx, TxIndex, U256,
    };
    use proptest::prelude::*;

    /// A payment as long as there is any.
    fn longest() -> PackedExit {
        let token = Address::repeat_byte(0xff);
        let payment = PaymentTx {
            inputs: (0..4).map(|_| InputPointer::from_bytes([0xff; 32])).collect(),
            outputs: (0..4).map(|_| Output::payment(token, token, U256::MAX)).collect(),
            metadata: H256::repeat_byte(0xff),
        };
        let position =
            UtxoPos::new(Blknum::new(180_143_985_094), TxIndex::new(65_535), OutputIndex::new(3));
        packed(position, &Transaction::Payment(payment), [0xff; 512])
    }

    fn packed(position: UtxoPos, tx: &Transaction, proof: [u8; 512]) -> PackedExit {
        PackedExit::new(StartStandardExit {
            position,
            output_tx: tx.encode_unsigned(),
            inclusion_proof: InclusionProof::from_bytes(&proof).unwrap(),
        })
        .unwrap()
    }

    fn deposit(blknum: u64) -> PackedExit {
        let tx = Transaction::deposit(Address::repeat_byte(1), ETH, U256::exp10(18));
        packed(UtxoPos::deposit(Blknum::new(blknum)), &tx, [7; 512])
    }

    pub(in crate::wallet) fn pack(outputs: Vec<PackedExit>) -> ExitPack {
        let deployment = devnet_file::tests::devnet().deployment;
        let plasma_framework = deployment.addresses.plasma_framework;
        ExitPack { chain_id: deployment.chain_id, plasma_framework, outputs }
    }

    #[test]
    fn a_pack_takes_two_kilobytes_for_each_output_at_most() {
        let one = ExitPack { chain_id: u64::MAX, ..pack(vec![longest()]) };
        let len = one.to_json().unwrap().len();
        assert!(len <= OUTPUT_BYTES_MAX, "{len}");
        // So the longest pack is one that is read.
        let outputs = vec![longest(); PACK_OUTPUTS_MAX];
        let json = ExitPack { outputs, ..one }.to_json().unwrap();
        assert!(json.len() <= PACK_BYTES_MAX, "{}", json.len());
    }

    #[test]
    fn packs_come_back_from_their_files() {
        let pack = pack(vec![deposit(1), longest(), deposit(2)]);
        let json = pack.to_json().unwrap();
        assert!(json.starts_with(r#"{"penning_exit_pack":1,"chain_id":"#), "{json}");
        assert_eq!(ExitPack::from_json(&json), Ok(pack));
    }

    #[test]
    fn packs_of_other_deployments_are_recognised() {
        let deployment = devnet_file::tests::devnet().deployment;
        let ours = pack(vec![deposit(1)]);
        assert!(ours.is_of(&deployment));
        assert!(!ExitPack { chain_id: ours.chain_id + 1, ..ours.clone() }.is_of(&deployment));
        let plasma_framework = Address::repeat_byte(0xee);
        assert!(!ExitPack { plasma_framework, ..ours }.is_of(&deployment));
    }

    #[test]
    fn only_the_proof_for_the_root_of_the_root_chain_counts() {
        let tx = Transaction::deposit(Address::repeat_byte(1), ETH, U256::one());
        let leaves = [H256::zero(), leaf_hash(&tx.encode_unsigned())];
        let root = plasma_core::wire::MerkleBuilder::from_leaves(leaves).unwrap().root();
        let proof = InclusionProof::from_leaves(1, &leaves).unwrap().to_bytes();
        let at = |txindex| {
            let position =
                UtxoPos::new(Blknum::new(1000), TxIndex::new(txindex), OutputIndex::new(0));
            packed(position, &tx, proof.clone().try_into().unwrap())
        };
        assert!(at(1).is_in(root));
        assert!(!at(0).is_in(root));
        assert!(!at(1).is_in(H256::repeat_byte(1)));
    }

    #[test]
    fn wrong_files_are_refused_with_what_is_wrong() {
        let json = pack(vec![deposit(1)]).to_json().unwrap();
        let output = |what| Err(PackError::Output { index: 0, what });
        let check = |text: &str, expected: Result<ExitPack, PackError>| {
            assert_eq!(ExitPack::from_json(text), expected, "{text}");
        };
        for text in ["", "{}", "[]", "null", r#"{"penning_exit_pack":-1}"#] {
            check(text, Err(PackError::NotAPack));
        }
        let replaced = |from: &str, to: &str| {
            assert!(json.contains(from), "{from}");
            json.replace(from, to)
        };
        check(&replaced("pack\":1", "pack\":2"), Err(PackError::Version(2)));
        check(&replaced("\"chain_id\"", "\"other\":1,\"chain_id\""), Err(PackError::NotAPack));
        check(&replaced("\"1000000000\"", "\"01000000000\""), output("it has no position"));
        check(&replaced("\"1000000000\"", "\"-1\""), output("it has no position"));
        check(
            &replaced("\"1000000000\"", "\"1000000001\""),
            output("its transaction has no such output"),
        );
        check(&replaced("\"tx\":\"", "\"tx\":\"?"), output("it is not base64"));
        check(&replaced("\"tx\":\"", "\"tx\":\"AAAA"), output("its transaction is malformed"));
        check(
            &replaced("\"proof\":\"", "\"proof\":\"AAAA"),
            output("its proof does not have 16 hashes"),
        );
        let twice = ExitPack { outputs: vec![deposit(1), deposit(1)], ..pack(vec![]) };
        let error = PackError::Output { index: 1, what: "it is listed twice" };
        check(&twice.to_json().unwrap(), Err(error));
        assert_eq!(pack(vec![]).to_json(), Err(PackError::OutputCount(0)));
        let many = vec![deposit(1); PACK_OUTPUTS_MAX + 1];
        assert_eq!(pack(many).to_json(), Err(PackError::OutputCount(PACK_OUTPUTS_MAX + 1)));
        check(&" ".repeat(PACK_BYTES_MAX + 1), Err(PackError::NotAPack));
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_a_pack_panic(text in ".{0,300}") {
            prop_assert!(ExitPack::from_json(&text).is_err());
        }

        #[test]
        fn a_damaged_pack_is_refused_or_whole(
            at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f, cut: bool,
        ) {
            let mut bytes = pack(vec![deposit(1), longest()]).to_json().unwrap().into_bytes();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at); } else { bytes[at] = byte; }
            if let Ok(read) = ExitPack::from_json(std::str::from_utf8(&bytes).unwrap()) {
                let again = ExitPack::from_json(&read.to_json().unwrap());
                prop_assert_eq!(again, Ok(read));
            }
        }
    }
}
