//! A block as JSON: rendered once, in one buffer, and read without an intermediate tree.

use super::{BLOCK_TRANSACTIONS_MAX, TX_JSON_LEN_MAX};
use crate::json::{Rendered, hex};
use plasma_core::wire::{Blknum, Block, BlockHash};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// The answer of `block.get`: `{"blknum":…,"hash":…,"transactions":[…]}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockAnswer(pub Block);

impl BlockAnswer {
    /// The JSON of a block. Costs one pass over its bytes; keep the result as long as the block is asked for.
    ///
    /// # Errors
    /// None that a caller could cause: the text is built of digits and hex.
    pub fn render<T: AsRef<[u8]>>(
        number: Blknum,
        hash: BlockHash,
        transactions: &[T],
    ) -> Result<Rendered<Self>, serde_json::Error> {
        let hex_len = |bytes: &T| bytes.as_ref().len().saturating_mul(2).saturating_add(5);
        let list_len: usize = transactions.iter().map(hex_len).sum();
        let mut json = Vec::with_capacity(list_len.saturating_add(TX_JSON_LEN_MAX));
        json.extend_from_slice(format!("{{\"blknum\":{number},\"hash\":\"").as_bytes());
        hex::encode_into(hash.as_bytes(), &mut json);
        json.extend_from_slice(b"\",\"transactions\":[");
        for (index, transaction) in transactions.iter().enumerate() {
            json.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            hex::encode_into(transaction.as_ref(), &mut json);
            json.push(b'"');
        }
        json.extend_from_slice(b"]}");
        Rendered::from_bytes(json)
    }
}

impl<'de> Deserialize<'de> for BlockAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            blknum: Blknum,
            #[serde(with = "hex")]
            hash: BlockHash,
            #[serde(deserialize_with = "transactions")]
            transactions: Vec<Box<[u8]>>,
        }
        let fields = Fields::deserialize(deserializer)?;
        Ok(Self(Block {
            number: fields.blknum,
            hash: fields.hash,
            transactions: fields.transactions,
        }))
    }
}

/// Hex strings into bytes, and no more of them than a block can hold.
fn transactions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Box<[u8]>>, D::Error> {
    struct Transactions;
    impl<'de> Visitor<'de> for Transactions {
        type Value = Vec<Box<[u8]>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of transactions")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut transactions = Vec::new();
            while let Some(hex::Hex(transaction)) = seq.next_element()? {
                if transactions.len() == BLOCK_TRANSACTIONS_MAX {
                    return Err(A::Error::custom("more transactions than a block can hold"));
                }
                transactions.push(transaction);
            }
            Ok(transactions)
        }
    }
    deserializer.deserialize_seq(Transactions)
}
