//! `wallet verify-proof`: what an answer of `proof.get` proves, checked without anybody's help.
//!
//! It must never say more than it knows. Without the root chain that is only: the transaction is under this root. The watcher that
//! answered is not believed, and nobody is asked unless `--on-root-chain` says so.

use super::Common;
use super::session::Session;
use super::view::{self, AmountView, PositionView};
use crate::amount::Denomination;
use crate::failure::Failure;
use crate::output::Out;
use anyhow::{Context, Result};
use clap::Args;
use plasma_core::inclusion::{InclusionClaim, InclusionError, verify_inclusion};
use plasma_core::wire::{
    Address, Blknum, BlockHash, ETH, OutputIndex, Transaction, TxHash, TxIndex, UtxoPos,
};
use plasma_eth::ChildBlock;
use plasma_rpc::info::InclusionReference;
use plasma_rpc::json::hex;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest answer that is read. Real ones have 3 kB.
const PROOF_BYTES_MAX: u64 = 64 << 10;

/// Which proof.
#[derive(Args)]
pub(super) struct VerifyProofArgs {
    /// An answer of `proof.get`, or its `data`; `-` reads it from standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Ask the contract of --network, at --rpc-url, whether the block has that root
    #[arg(long)]
    on_root_chain: bool,
}

impl VerifyProofArgs {
    /// Does it.
    pub(super) async fn run(self, common: &Common, out: Out) -> Result<()> {
        let proof = Proof::read(&self.file)?;
        let tx = proof.verify()?;
        if !self.on_root_chain {
            return out.finish(&Report::new(&proof, &tx, &BTreeMap::new(), None));
        }
        let session = Session::open(common, out)?;
        proof.check_deployment(session.network.deployment.addresses.plasma_framework)?;
        let found = session.child_block(proof.0.blknum).await?;
        let submitted = proof.check_root(found)?;
        let currencies = tx.outputs().iter().map(|output| output.currency);
        let denominations = session.denominations(currencies).await?;
        out.finish(&Report::new(&proof, &tx, &denominations, Some(submitted)))
    }
}

/// What a watcher said.
#[derive(Debug)]
struct Proof(InclusionReference);

impl Proof {
    fn read(path: &Path) -> Result<Self> {
        let read = || {
            let mut bytes = Vec::new();
            let from: &mut dyn Read = if path == Path::new("-") {
                &mut std::io::stdin().lock()
            } else {
                &mut File::open(path)?
            };
            from.take(PROOF_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
            Ok::<_, std::io::Error>(bytes)
        };
        let bytes = read().with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self::parse(&bytes)?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > PROOF_BYTES_MAX {
            let message = format!("no answer of proof.get has more than {PROOF_BYTES_MAX} bytes");
            return Err(Failure::new("proof:too_long", message));
        }
        let malformed = |error: serde_json::Error| {
            Failure::new("proof:malformed", format!("this is no answer of proof.get: {error}"))
        };
        let mut answer: Value = serde_json::from_slice(bytes).map_err(malformed)?;
        let success = answer.get("success").and_then(Value::as_bool);
        let data = answer.get_mut("data").map(Value::take);
        let data = match (success, data) {
            (Some(false), data) => {
                let code = data.as_ref().and_then(|data| data.get("code")?.as_str());
                let message = format!("the watcher refused with {:?}", code.unwrap_or("no code"));
                return Err(Failure::new("proof:refused", message));
            }
            (_, Some(data)) => data,
            (_, None) => answer,
        };
        serde_json::from_value(data).map(Self).map_err(malformed)
    }

    /// Checks everything that can be checked here.
    fn verify(&self) -> Result<Transaction, Failure> {
        let Self(said) = self;
        let claim = InclusionClaim {
            tx_hash: said.txhash,
            tx_bytes: &said.txbytes,
            txindex: said.txindex,
            proof: &said.proof,
            root: said.block_hash,
        };
        verify_inclusion(&claim).map_err(|error| {
            Failure::new(code(&error), format!("this proves nothing: {error}"))
                .next("ask another watcher for the proof, and believe this one no more")
        })
    }

    fn check_deployment(&self, ours: Address) -> Result<(), Failure> {
        let theirs = self.0.plasma_framework;
        if theirs == ours {
            return Ok(());
        }
        let message = format!("the proof is of framework {theirs:?}, not {ours:?} of the network");
        Err(Failure::new("proof:other_deployment", message).next("check --network"))
    }

    /// Compares with what the contract has for this block.
    fn check_root(&self, found: Option<ChildBlock>) -> Result<ChildBlock, Failure> {
        let (blknum, root) = (self.0.blknum, self.0.block_hash);
        let Some(found) = found else {
            let message = format!("there is no block {blknum} on the root chain");
            return Err(Failure::new("proof:no_such_block", message)
                .next("check --rpc-url; a node that is behind does not know new blocks"));
        };
        if found.root != root {
            let found = found.root;
            let message =
                format!("block {blknum} on the root chain has root {found:?}, not {root:?}");
            return Err(Failure::new("proof:other_root_on_root_chain", message)
                .next("the payment is not where the proof says: ask a watcher you trust with `penning wallet status TXHASH`"));
        }
        Ok(found)
    }
}

/// Stable code of what is wrong.
const fn code(error: &InclusionError) -> &'static str {
    match error {
        InclusionError::Transaction(_) => "proof:malformed_transaction",
        InclusionError::OtherTransaction { .. } => "proof:other_transaction",
        InclusionError::NoSuchPlace(_) => "proof:no_such_place",
        InclusionError::MalformedProof => "proof:malformed_path",
        InclusionError::OtherRoot => "proof:other_root",
    }
}

/// What it prints.
#[derive(Serialize)]
struct Report {
    #[serde(with = "hex")]
    txhash: TxHash,
    blknum: Blknum,
    txindex: TxIndex,
    #[serde(with = "hex")]
    block_hash: BlockHash,
    #[serde(with = "hex")]
    plasma_framework: Address,
    outputs: Vec<OutputView>,
    /// Whether the root chain was asked; it agreed, or there would be no report.
    on_root_chain: bool,
    /// When the block was submitted, in seconds of root chain time; only the root chain knows.
    submitted_at_s: Option<u64>,
    /// What is still only the watcher's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_to_check: Option<String>,
}

#[derive(Serialize)]
struct OutputView {
    output: PositionView,
    #[serde(with = "hex")]
    owner: Address,
    amount: AmountView,
}

impl Report {
    fn new(
        proof: &Proof,
        tx: &Transaction,
        denominations: &BTreeMap<Address, Denomination>,
        submitted: Option<ChildBlock>,
    ) -> Self {
        let InclusionReference { txhash, blknum, txindex, block_hash, plasma_framework, .. } =
            proof.0;
        let outputs = tx.outputs().iter().zip(0..).map(|(output, oindex)| {
            let currency = output.currency;
            let unknown = match currency == ETH {
                true => Denomination::eth(),
                false => Denomination { currency, known: None },
            };
            let denomination = denominations.get(&currency).unwrap_or(&unknown);
            OutputView {
                output: UtxoPos::new(blknum, txindex, OutputIndex::new(oindex)).into(),
                owner: output.owner,
                amount: AmountView::new(denomination, output.amount),
            }
        });
        let left_to_check = submitted.is_none().then(|| {
            format!("that blocks({blknum}) of the framework contract {plasma_framework:?} on the root chain has this root, and that this is the contract you mean: --on-root-chain asks the contract of --network")
        });
        Self {
            txhash,
            blknum,
            txindex,
            block_hash,
            plasma_framework,
            outputs: outputs.collect(),
            on_root_chain: submitted.is_some(),
            submitted_at_s: submitted.map(|block| block.timestamp_s),
            left_to_check,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { blknum, txindex, .. } = self;
        writeln!(f, "transaction {}", view::hash(self.txhash))?;
        writeln!(f, "  is number {txindex} under the root {}", view::hash(self.block_hash))?;
        for OutputView { output, owner, amount } in &self.outputs {
            writeln!(f, "  {:<16} {}  {amount}", output.to_string(), view::address(*owner))?;
        }
        match (&self.left_to_check, self.submitted_at_s) {
            (Some(left), _) => writeln!(f, "left to check: {left}")?,
            (None, submitted_at_s) => writeln!(
                f,
                "the root chain has this root for block {blknum}, since {} (seconds of its time)",
                submitted_at_s.unwrap_or_default()
            )?,
        }
        write!(f, "whether the block is valid, and its outputs are unspent, only a watcher can say")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{H256, InclusionProof, MerkleBuilder, merkle::leaf_hash};
    use serde_json::json;

    fn tx(amount: u64) -> Transaction {
        Transaction::deposit(Address::repeat_byte(0xaa), ETH, amount.into())
    }

    /// Of the second of three transactions.
    fn said() -> InclusionReference {
        let leaves: Vec<H256> =
            (1..=3).map(|amount| leaf_hash(&tx(amount).encode_unsigned())).collect();
        InclusionReference {
            txhash: tx(2).hash(),
            txbytes: tx(2).encode_unsigned(),
            blknum: Blknum::new(1000),
            txindex: TxIndex::new(1),
            proof: InclusionProof::from_leaves(1, &leaves).unwrap().to_bytes(),
            block_hash: MerkleBuilder::from_leaves(leaves).unwrap().root(),
            plasma_framework: Address::repeat_byte(0xf0),
            eth_height: None,
            timestamp: Some(1_700_000_000),
        }
    }

    /// Code of the refusal, or the transaction.
    fn check(bytes: &[u8]) -> Result<TxHash, String> {
        let code = |failure: Failure| crate::failure::ErrorReport::of(&failure.into()).code;
        Proof::parse(bytes).and_then(|proof| proof.verify()).map(|tx| tx.hash()).map_err(code)
    }

    fn with(change: impl FnOnce(&mut InclusionReference)) -> Vec<u8> {
        let mut changed = said();
        change(&mut changed);
        serde_json::to_vec(&changed).unwrap()
    }

    #[test]
    fn an_answer_is_read_whole_or_only_its_data() {
        let data = serde_json::to_value(said()).unwrap();
        let envelope = json!({
            "version": "0.1.0+1a2b3c4", "success": true, "data": data, "service_name": "watcher_info",
        });
        for answer in [&data, &envelope] {
            assert_eq!(check(answer.to_string().as_bytes()), Ok(tx(2).hash()));
        }
        let json_rpc = json!({"jsonrpc": "2.0", "id": 1, "result": data});
        assert_eq!(check(json_rpc.to_string().as_bytes()), Err("proof:malformed".to_owned()));
    }

    #[test]
    fn what_proves_nothing_says_why() {
        let other = tx(3);
        let refused = json!({"success": false, "data": {"code": "proof:not_found"}}).to_string();
        for (bytes, code) in [
            (vec![], "proof:malformed"),
            (b"garbage".to_vec(), "proof:malformed"),
            (vec![0xff; 10], "proof:malformed"),
            (b"[]".to_vec(), "proof:malformed"),
            (b"{\"data\": 1}".to_vec(), "proof:malformed"),
            (vec![b'['; 60_000], "proof:malformed"),
            (vec![b' '; 65_537], "proof:too_long"),
            (refused.into_bytes(), "proof:refused"),
            (with(|said| said.block_hash = H256::zero()), "proof:other_root"),
            (with(|said| said.txindex = TxIndex::new(0)), "proof:other_root"),
            (with(|said| said.txindex = TxIndex::new(65_537)), "proof:no_such_place"),
            (with(|said| said.txbytes = other.encode_unsigned()), "proof:other_transaction"),
            (with(|said| said.txhash = other.hash()), "proof:other_transaction"),
            (with(|said| said.txbytes = vec![0xc0]), "proof:malformed_transaction"),
            (with(|said| said.proof = vec![0; 31]), "proof:malformed_path"),
        ] {
            assert_eq!(check(&bytes), Err(code.to_owned()));
        }
    }

    #[test]
    fn the_root_chain_has_the_last_word() {
        let proof = Proof(said());
        let code = |failure: Failure| crate::failure::ErrorReport::of(&failure.into()).code;
        assert!(proof.check_deployment(Address::repeat_byte(0xf0)).is_ok());
        let other = proof.check_deployment(Address::zero()).map_err(code);
        assert_eq!(other, Err("proof:other_deployment".to_owned()));
        let found = |root| Some(ChildBlock { root, timestamp_s: 7 });
        for (found, expected) in [
            (found(said().block_hash), Ok(7)),
            (found(H256::zero()), Err("proof:other_root_on_root_chain".to_owned())),
            (None, Err("proof:no_such_block".to_owned())),
        ] {
            let checked = proof.check_root(found).map(|block| block.timestamp_s);
            assert_eq!(checked.map_err(code), expected);
        }
    }

    #[test]
    fn a_report_says_what_is_left_to_check() {
        let proof = Proof(said());
        let report = Report::new(&proof, &tx(2), &BTreeMap::new(), None);
        let text = report.to_string();
        assert!(text.contains("1000:1:0         0xaaaa"), "{text}");
        assert!(
            text.contains("0.000000000000000002 ETH\nleft to check: that blocks(1000)"),
            "{text}"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["on_root_chain"], false);
        assert_eq!(json["outputs"][0]["amount"]["amount"], "2");
        let submitted = ChildBlock { root: said().block_hash, timestamp_s: 7 };
        let report = Report::new(&proof, &tx(2), &BTreeMap::new(), Some(submitted));
        assert!(report.to_string().contains("has this root for block 1000, since 7"), "{report}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["on_root_chain"], &json["submitted_at_s"]), (&json!(true), &json!(7)));
        assert!(json.get("left_to_check").is_none());
    }
}
