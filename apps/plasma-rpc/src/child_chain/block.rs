//! A block as JSON: rendered once, in one buffer, and read without an intermediate tree.

use super::{BLOCK_TRANSACTIONS_MAX, TX_JSON_LEN_MAX};
use crate::json::{Rendered, hex};
use plasma_core::wire::{Blknum, Block, BlockHash};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
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

/// The JSON of [`BlockAnswer::render`].
impl JsonSchema for BlockAnswer {
    fn schema_name() -> Cow<'static, str> {
        "Block".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A block.",
            "type": "object",
            "required": ["blknum", "hash", "transactions"],
            "properties": {
                "blknum": generator.subschema_for::<u64>(),
                "hash": generator.subschema_for::<hex::Hex<BlockHash>>(),
                "transactions": {
                    "description": "Signed bytes, in order.",
                    "type": "array",
                    "maxItems": BLOCK_TRANSACTIONS_MAX,
                    "items": generator.subschema_for::<hex::Hex<Vec<u8>>>(),
                },
            },
        })
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

/// Hex strings into bytes. Of more than a block can hold, one is kept and the others are skipped: the block is invalid all the same,
/// and whoever judges it has to see that.
fn transactions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Box<[u8]>>, D::Error> {
    struct Transactions;
    impl<'de> Visitor<'de> for Transactions {
        type Value = Vec<Box<[u8]>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of transactions")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut transactions = Vec::new();
            while transactions.len() <= BLOCK_TRANSACTIONS_MAX {
                let Some(hex::Hex(transaction)) = seq.next_element()? else {
                    return Ok(transactions);
                };
                transactions.push(transaction);
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(transactions)
        }
    }
    deserializer.deserialize_seq(Transactions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::H256;
    use proptest::prelude::*;

    #[test]
    fn one_transaction_more_than_a_block_can_hold_stands_for_all_further_ones() {
        const MAX: usize = BLOCK_TRANSACTIONS_MAX;
        for (count, kept) in [(MAX, MAX), (MAX + 1, MAX + 1), (MAX + 5, MAX + 1)] {
            let transactions = vec![[1_u8]; count];
            let json = BlockAnswer::render(Blknum::new(1_000), H256::zero(), &transactions);
            let block = serde_json::from_str::<BlockAnswer>(json.unwrap().get());
            assert_eq!(block.unwrap().0.transactions.len(), kept, "{count}");
        }
    }

    proptest! {
        #[test]
        fn blocks_survive_the_journey(
            number: u64,
            hash: [u8; 32],
            transactions in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..5),
        ) {
            let json = BlockAnswer::render(Blknum::new(number), hash.into(), &transactions).unwrap();
            let BlockAnswer(block) = serde_json::from_str(json.get()).unwrap();
            prop_assert_eq!(block.number, Blknum::new(number));
            prop_assert_eq!(block.hash, H256(hash));
            let read: Vec<_> = block.transactions.into_iter().map(Vec::from).collect();
            prop_assert_eq!(read, transactions);
        }

        #[test]
        fn no_text_makes_reading_panic(text in r#"[{"a-z:0-9x,\[\]}]{0,80}"#) {
            let _ = serde_json::from_str::<BlockAnswer>(&text);
        }
    }
}
