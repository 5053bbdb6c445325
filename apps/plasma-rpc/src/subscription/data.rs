//! `data` of events: what is told of a block, a deposit, a transfer, a condition and the status. Exits have a file of their own.
//!
//! Shapes only ever grow: an event that was told once is told again years later, from what is stored of it.

use crate::json::{hex, uint};
use crate::watcher::ByzantineEvent;
use plasma_core::eventer::Change;
use plasma_core::journal::JournalBlock;
use plasma_core::wire::{
    Address, Blknum, BlockHash, Currency, EthHeight, H256, Output, TxHash, TxIndex, U256, UtxoPos,
};
use schemars::JsonSchema;
use serde::Serialize;

/// An event of the topic `blocks`: a block that was executed and is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlockEvent {
    /// Its number.
    #[schemars(with = "u64")]
    pub blknum: Blknum,
    /// Merkle root of its transactions.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<BlockHash>")]
    pub hash: BlockHash,
    /// Where it was submitted.
    #[schemars(with = "u64")]
    pub eth_height: EthHeight,
    /// Root chain time of that, in seconds.
    pub timestamp: u64,
    /// How many transactions it has, fee claims included.
    pub tx_count: u32,
}

/// An event of the topic `deposits`: a deposit that has enough confirmations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DepositEventData")]
pub struct DepositEvent {
    /// The root chain transaction that made it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<H256>")]
    pub root_chain_txhash: H256,
    /// Its place among the logs of the root chain block.
    pub log_index: u32,
    /// The root chain block.
    #[schemars(with = "u64")]
    pub eth_height: EthHeight,
    /// Who may spend it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub owner: Address,
    /// What came in.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// How much, in the smallest unit.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub amount: U256,
    /// The child chain block that the contract gave it.
    #[schemars(with = "u64")]
    pub blknum: Blknum,
    /// The output it made.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub utxo_pos: UtxoPos,
}

/// Kinds of transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferType {
    /// Spends inputs and makes outputs.
    Payment,
    /// Money came in from the root chain.
    Deposit,
    /// The operator collects the fees of a block.
    Fee,
}

/// An event of a topic `transfer:0x…`: something that spends from the account, or makes it richer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TransferEvent {
    /// What kind it is.
    #[serde(rename = "type")]
    pub transfer_type: TransferType,
    /// The transaction; `null` for a deposit.
    #[serde(with = "hex::optional")]
    #[schemars(with = "Option<hex::Hex<TxHash>>")]
    pub txhash: Option<TxHash>,
    /// Its block.
    #[schemars(with = "u64")]
    pub blknum: Blknum,
    /// Its index in the block.
    #[schemars(with = "u32")]
    pub txindex: TxIndex,
    /// What it spends, in the order of its inputs.
    pub inputs: Vec<TransferOutput>,
    /// What it makes.
    pub outputs: Vec<TransferOutput>,
    /// 32 bytes of the sender's choice; `null` for what is no payment.
    #[serde(with = "hex::optional")]
    #[schemars(with = "Option<hex::Hex<H256>>")]
    pub metadata: Option<H256>,
}

/// An input or an output of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TransferOutput {
    /// Where it was made.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub utxo_pos: UtxoPos,
    /// Whose it is.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub owner: Address,
    /// What it is counted in.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// How much, in the smallest unit.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub amount: U256,
}

/// What happened to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConditionChange {
    /// It became true.
    Appeared,
    /// It is no longer true.
    Resolved,
}

/// An event of the topic `byzantine`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConditionEvent {
    /// Came or went.
    pub change: ConditionChange,
    /// The condition, as in `byzantine_events` of `status.get`.
    pub event: ByzantineEvent,
}

/// An event of the topic `status`: whether the chain can be used changed, or how much is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatusEvent {
    /// Whether the chain can be used: `false` says that everybody should leave.
    pub is_safe: bool,
    /// How many conditions are true.
    pub byzantine_events: u32,
    /// The newest valid block, 0 when there is none.
    #[schemars(with = "u64")]
    pub last_validated_child_block_number: Blknum,
}

impl From<&JournalBlock> for BlockEvent {
    fn from(block: &JournalBlock) -> Self {
        let JournalBlock { blknum, hash, tx_count, eth_height, timestamp_s } = *block;
        Self { blknum, hash, eth_height, timestamp: timestamp_s, tx_count }
    }
}

impl TransferOutput {
    /// An output at a position.
    pub const fn new(utxo_pos: UtxoPos, output: &Output) -> Self {
        let Output { owner, currency, amount, .. } = *output;
        Self { utxo_pos, owner, currency, amount }
    }
}

impl From<Change> for ConditionChange {
    fn from(change: Change) -> Self {
        match change {
            Change::Appeared => Self::Appeared,
            Change::Resolved => Self::Resolved,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const SOMEBODY: Address = Address::repeat_byte(1);

    fn check(event: &impl Serialize, expected: &Value) {
        assert_eq!(&serde_json::to_value(event).unwrap(), expected);
    }

    #[test]
    fn each_event_has_its_documented_shape() {
        let (address, hash) = (hex::encode([1; 20]), hex::encode([2; 32]));
        let block = JournalBlock {
            blknum: Blknum::new(1000),
            hash: H256([2; 32]),
            tx_count: 3,
            eth_height: EthHeight::new(4),
            timestamp_s: 5,
        };
        let expected =
            json!({"blknum": 1000, "hash": hash, "eth_height": 4, "timestamp": 5, "tx_count": 3});
        check(&BlockEvent::from(&block), &expected);
        let deposit = DepositEvent {
            root_chain_txhash: H256([2; 32]),
            log_index: 1,
            eth_height: EthHeight::new(4),
            owner: SOMEBODY,
            currency: SOMEBODY,
            amount: 7.into(),
            blknum: Blknum::new(1),
            utxo_pos: UtxoPos::deposit(Blknum::new(1)),
        };
        let expected = json!({
            "root_chain_txhash": hash, "log_index": 1, "eth_height": 4, "owner": address, "currency": address, "amount": 7,
            "blknum": 1, "utxo_pos": 1_000_000_000_u64,
        });
        check(&deposit, &expected);
        let output = Output::payment(SOMEBODY, SOMEBODY, 7.into());
        let output = TransferOutput::new(UtxoPos::deposit(Blknum::new(1)), &output);
        let transfer = TransferEvent {
            transfer_type: TransferType::Deposit,
            txhash: None,
            blknum: Blknum::new(1),
            txindex: TxIndex::new(0),
            inputs: vec![],
            outputs: vec![output],
            metadata: None,
        };
        let shown = json!({"utxo_pos": 1_000_000_000_u64, "owner": address, "currency": address, "amount": 7});
        let expected = json!({
            "type": "deposit", "txhash": null, "blknum": 1, "txindex": 0, "inputs": [], "outputs": [shown], "metadata": null,
        });
        check(&transfer, &expected);
        let withheld = plasma_core::byzantine::ByzantineEvent::BlockWithholding {
            blknum: Blknum::new(1000),
            hash: H256([2; 32]),
        };
        let condition =
            ConditionEvent { change: Change::Resolved.into(), event: (&withheld).into() };
        let details = json!({"name": "block_withholding", "blknum": 1000, "hash": hash});
        let event = json!({"event": "block_withholding", "details": details});
        check(&condition, &json!({"change": "resolved", "event": event}));
        let status = StatusEvent {
            is_safe: true,
            byzantine_events: 0,
            last_validated_child_block_number: Blknum::new(1000),
        };
        let expected = json!({"is_safe": true, "byzantine_events": 0, "last_validated_child_block_number": 1000});
        check(&status, &expected);
    }

    #[test]
    fn amounts_of_256_bits_are_told_digit_for_digit() {
        let output = Output::payment(SOMEBODY, SOMEBODY, U256::MAX);
        let output = TransferOutput::new(UtxoPos::deposit(Blknum::new(1)), &output);
        let text = serde_json::to_string(&output).unwrap();
        assert!(text.ends_with(&format!("\"amount\":{}}}", U256::MAX)), "{text}");
    }
}
