//! Byzantine events as `status.get` shows them (protocol 5.6): `{"event": name, "details": {"name": name, …}}`.

use crate::json::{hex, uint};
use plasma_core::byzantine::{AvailablePiggybacks, ExitFault, InFlightFault, PiggybackFault};
use plasma_core::wire::{Address, Blknum, BlockHash, Currency, EthHeight, H256, U256, UtxoPos};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;

/// A rule of the chain or of an exit is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ByzantineEvent {
    /// The operator published a bad block. Everybody should exit.
    InvalidBlock(InvalidBlock),
    /// A submitted block cannot be fetched. Everybody should exit.
    BlockWithholding(BlockWithholding),
    /// Somebody exits what was spent. Challenge it.
    InvalidExit(ExitEvent),
    /// Nobody challenged an invalid exit in time. Everybody should exit.
    UnchallengedExit(ExitEvent),
    /// An in-flight exit has a competitor. Show it to the contract.
    NonCanonicalIfe(InFlightExitEvent),
    /// Nobody showed the competitor in time. Everybody should exit.
    UnchallengedNonCanonicalIfe(InFlightExitEvent),
    /// An in-flight exit counts as non-canonical although its transaction was included first. Prove it.
    InvalidIfeChallenge(InFlightExitEvent),
    /// Somebody joined an in-flight exit with something that was spent. Challenge it.
    InvalidPiggyback(PiggybackEvent),
    /// Nobody challenged it in time. Everybody should exit.
    UnchallengedPiggyback(PiggybackEvent),
    /// Owners of these inputs and outputs may join an in-flight exit.
    PiggybackAvailable(PiggybackAvailable),
}

/// Details of [`ByzantineEvent::InvalidBlock`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InvalidBlock {
    /// The submitted root.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<BlockHash>")]
    pub hash: BlockHash,
    /// Its number.
    #[schemars(with = "u64")]
    pub blknum: Blknum,
    /// Which rule broke, such as `incorrect_hash` or `tx_execution`.
    pub error_type: String,
}

/// Details of [`ByzantineEvent::BlockWithholding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockWithholding {
    /// Its number.
    #[schemars(with = "u64")]
    pub blknum: Blknum,
    /// The submitted root.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<BlockHash>")]
    pub hash: BlockHash,
}

/// Details of the events about one standard exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitEvent {
    /// How much would leave, in the smallest unit.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub amount: U256,
    /// What would leave.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// Who exits.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub owner: Address,
    /// Where the exit was started.
    #[schemars(with = "u64")]
    pub eth_height: EthHeight,
    /// The exiting output.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<UtxoPos>")]
    pub utxo_pos: UtxoPos,
    /// The root chain transaction that started the exit.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<H256>")]
    pub root_chain_txhash: H256,
    /// When it can be processed, in seconds of L1 time.
    pub scheduled_finalization_time: u64,
    /// The transaction that spent the output, if one is known.
    #[serde(with = "hex::optional", default)]
    #[schemars(with = "Option<hex::Hex<H256>>")]
    pub spending_txhash: Option<H256>,
}

/// Details of the events about an in-flight exit as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InFlightExitEvent {
    /// Unsigned bytes of the in-flight transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
}

/// Details of the events about piggybacks that must not be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PiggybackEvent {
    /// Unsigned bytes of the in-flight transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
    /// Which inputs, ascending.
    pub inputs: Vec<u16>,
    /// Which outputs, ascending.
    pub outputs: Vec<u16>,
}

/// Details of [`ByzantineEvent::PiggybackAvailable`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PiggybackAvailable {
    /// Unsigned bytes of the in-flight transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Vec<u8>>")]
    pub txbytes: Vec<u8>,
    /// Inputs that nobody joined with yet.
    pub available_inputs: Vec<AvailablePiggyback>,
    /// Outputs that nobody joined with yet.
    pub available_outputs: Vec<AvailablePiggyback>,
}

/// An input or output, and who may join with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AvailablePiggyback {
    /// Which one.
    pub index: u16,
    /// Its owner.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub address: Address,
}

impl From<&plasma_core::byzantine::ByzantineEvent> for ByzantineEvent {
    fn from(event: &plasma_core::byzantine::ByzantineEvent) -> Self {
        use plasma_core::byzantine::ByzantineEvent as Core;
        match event {
            Core::UnchallengedExit(fault) => Self::UnchallengedExit(fault.into()),
            Core::InvalidExit(fault) => Self::InvalidExit(fault.into()),
            Core::NonCanonicalIfe(fault) => Self::NonCanonicalIfe(fault.into()),
            Core::UnchallengedNonCanonicalIfe(fault) => {
                Self::UnchallengedNonCanonicalIfe(fault.into())
            }
            Core::InvalidIfeChallenge(fault) => Self::InvalidIfeChallenge(fault.into()),
            Core::InvalidPiggyback(fault) => Self::InvalidPiggyback(fault.into()),
            Core::UnchallengedPiggyback(fault) => Self::UnchallengedPiggyback(fault.into()),
            Core::PiggybackAvailable(available) => Self::PiggybackAvailable(available.into()),
            Core::InvalidBlock { blknum, hash, error_type } => Self::InvalidBlock(InvalidBlock {
                hash: *hash,
                blknum: *blknum,
                error_type: error_type.clone(),
            }),
            Core::BlockWithholding { blknum, hash } => {
                Self::BlockWithholding(BlockWithholding { blknum: *blknum, hash: *hash })
            }
        }
    }
}

impl From<&ExitFault> for ExitEvent {
    fn from(fault: &ExitFault) -> Self {
        Self {
            amount: fault.amount,
            currency: fault.currency,
            owner: fault.owner,
            eth_height: fault.eth_height,
            utxo_pos: fault.position,
            root_chain_txhash: fault.root_chain_txhash,
            scheduled_finalization_time: fault.scheduled_finalization_time_s,
            spending_txhash: fault.spending_txhash,
        }
    }
}

impl From<&InFlightFault> for InFlightExitEvent {
    fn from(fault: &InFlightFault) -> Self {
        Self { txbytes: fault.tx_bytes.to_vec() }
    }
}

impl From<&PiggybackFault> for PiggybackEvent {
    fn from(fault: &PiggybackFault) -> Self {
        Self {
            txbytes: fault.tx_bytes.to_vec(),
            inputs: fault.inputs.clone(),
            outputs: fault.outputs.clone(),
        }
    }
}

impl From<&AvailablePiggybacks> for PiggybackAvailable {
    fn from(available: &AvailablePiggybacks) -> Self {
        let shown = |slots: &[plasma_core::byzantine::AvailablePiggyback]| {
            slots
                .iter()
                .map(|slot| AvailablePiggyback { index: slot.index, address: slot.owner })
                .collect()
        };
        Self {
            txbytes: available.tx_bytes.to_vec(),
            available_inputs: shown(&available.inputs),
            available_outputs: shown(&available.outputs),
        }
    }
}

impl ByzantineEvent {
    /// The stable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::InvalidBlock(_) => "invalid_block",
            Self::BlockWithholding(_) => "block_withholding",
            Self::InvalidExit(_) => "invalid_exit",
            Self::UnchallengedExit(_) => "unchallenged_exit",
            Self::NonCanonicalIfe(_) => "non_canonical_ife",
            Self::UnchallengedNonCanonicalIfe(_) => "unchallenged_non_canonical_ife",
            Self::InvalidIfeChallenge(_) => "invalid_ife_challenge",
            Self::InvalidPiggyback(_) => "invalid_piggyback",
            Self::UnchallengedPiggyback(_) => "unchallenged_piggyback",
            Self::PiggybackAvailable(_) => "piggyback_available",
        }
    }
}

/// The name again, and then the details.
#[derive(Serialize)]
struct Named<'a, T> {
    name: &'static str,
    #[serde(flatten)]
    details: &'a T,
}

impl Serialize for ByzantineEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = self.name();
        let mut event = serializer.serialize_struct("ByzantineEvent", 2)?;
        event.serialize_field("event", name)?;
        match self {
            Self::InvalidBlock(details) => {
                event.serialize_field("details", &Named { name, details })?;
            }
            Self::BlockWithholding(details) => {
                event.serialize_field("details", &Named { name, details })?;
            }
            Self::InvalidExit(details) | Self::UnchallengedExit(details) => {
                event.serialize_field("details", &Named { name, details })?;
            }
            Self::NonCanonicalIfe(details)
            | Self::UnchallengedNonCanonicalIfe(details)
            | Self::InvalidIfeChallenge(details) => {
                event.serialize_field("details", &Named { name, details })?;
            }
            Self::InvalidPiggyback(details) | Self::UnchallengedPiggyback(details) => {
                event.serialize_field("details", &Named { name, details })?;
            }
            Self::PiggybackAvailable(details) => {
                event.serialize_field("details", &Named { name, details })?;
            }
        }
        event.end()
    }
}

impl JsonSchema for ByzantineEvent {
    fn schema_name() -> Cow<'static, str> {
        "ByzantineEvent".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let of_exit = ExitEvent::json_schema(generator);
        let of_in_flight_exit = InFlightExitEvent::json_schema(generator);
        let of_piggybacks = PiggybackEvent::json_schema(generator);
        let variants = [
            named("invalid_block", &InvalidBlock::json_schema(generator)),
            named("block_withholding", &BlockWithholding::json_schema(generator)),
            named("invalid_exit", &of_exit),
            named("unchallenged_exit", &of_exit),
            named("non_canonical_ife", &of_in_flight_exit),
            named("unchallenged_non_canonical_ife", &of_in_flight_exit),
            named("invalid_ife_challenge", &of_in_flight_exit),
            named("invalid_piggyback", &of_piggybacks),
            named("unchallenged_piggyback", &of_piggybacks),
            named("piggyback_available", &PiggybackAvailable::json_schema(generator)),
        ];
        json_schema!({
            "description": "A rule of the chain or of an exit is broken.",
            "oneOf": variants,
        })
    }
}

/// The schema of [`Named`] details, in their event.
fn named(name: &str, details: &Schema) -> Schema {
    let mut details = details.clone().to_value();
    let name = json!({"const": name});
    if let Some(properties) = details.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("name".to_owned(), name.clone());
    }
    if let Some(required) = details.get_mut("required").and_then(Value::as_array_mut) {
        required.push("name".into());
    }
    json_schema!({
        "type": "object",
        "required": ["event", "details"],
        "properties": {"event": name, "details": details},
    })
}

impl<'de> Deserialize<'de> for ByzantineEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            event: String,
            #[serde(borrow)]
            details: &'a RawValue,
        }
        let fields = Fields::deserialize(deserializer)?;
        let details = fields.details.get();
        match fields.event.as_str() {
            "invalid_block" => serde_json::from_str(details).map(Self::InvalidBlock),
            "block_withholding" => serde_json::from_str(details).map(Self::BlockWithholding),
            "invalid_exit" => serde_json::from_str(details).map(Self::InvalidExit),
            "unchallenged_exit" => serde_json::from_str(details).map(Self::UnchallengedExit),
            "non_canonical_ife" => serde_json::from_str(details).map(Self::NonCanonicalIfe),
            "unchallenged_non_canonical_ife" => {
                serde_json::from_str(details).map(Self::UnchallengedNonCanonicalIfe)
            }
            "invalid_ife_challenge" => serde_json::from_str(details).map(Self::InvalidIfeChallenge),
            "invalid_piggyback" => serde_json::from_str(details).map(Self::InvalidPiggyback),
            "unchallenged_piggyback" => {
                serde_json::from_str(details).map(Self::UnchallengedPiggyback)
            }
            "piggyback_available" => serde_json::from_str(details).map(Self::PiggybackAvailable),
            other => return Err(D::Error::custom(format!("no byzantine event: {other:?}"))),
        }
        .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_hash() -> impl Strategy<Value = H256> + Clone {
        any::<[u8; 32]>().prop_map(H256)
    }

    fn any_exit() -> impl Strategy<Value = ExitEvent> {
        let position = any::<u64>().prop_map(|blknum| UtxoPos::deposit(Blknum::new(blknum)));
        let hashes = (any_hash(), prop::option::of(any_hash()));
        (any::<[u64; 4]>(), any::<[u8; 20]>(), any::<u64>(), position, hashes).prop_map(
            |(amount, owner, number, utxo_pos, (root_chain_txhash, spending_txhash))| ExitEvent {
                amount: U256(amount),
                currency: owner.into(),
                owner: owner.into(),
                eth_height: EthHeight::new(number),
                utxo_pos,
                root_chain_txhash,
                scheduled_finalization_time: number,
                spending_txhash,
            },
        )
    }

    fn any_in_flight() -> impl Strategy<Value = ByzantineEvent> {
        let slots = || prop::collection::vec(0_u16..4, 0..4);
        let parts = (prop::collection::vec(any::<u8>(), 0..40), slots(), slots(), 0..6);
        parts.prop_map(|(txbytes, inputs, outputs, kind)| {
            let of_exit = InFlightExitEvent { txbytes: txbytes.clone() };
            let of_piggybacks = PiggybackEvent {
                txbytes: txbytes.clone(),
                inputs: inputs.clone(),
                outputs: outputs.clone(),
            };
            let available = |slots: Vec<u16>| {
                let address = Address::repeat_byte(7);
                slots.into_iter().map(|index| AvailablePiggyback { index, address }).collect()
            };
            match kind {
                0 => ByzantineEvent::NonCanonicalIfe(of_exit),
                1 => ByzantineEvent::UnchallengedNonCanonicalIfe(of_exit),
                2 => ByzantineEvent::InvalidIfeChallenge(of_exit),
                3 => ByzantineEvent::InvalidPiggyback(of_piggybacks),
                4 => ByzantineEvent::UnchallengedPiggyback(of_piggybacks),
                _ => ByzantineEvent::PiggybackAvailable(PiggybackAvailable {
                    txbytes,
                    available_inputs: available(inputs),
                    available_outputs: available(outputs),
                }),
            }
        })
    }

    fn any_event() -> impl Strategy<Value = ByzantineEvent> {
        let block = (any_hash(), any::<u64>().prop_map(Blknum::new));
        prop_oneof![
            (block.clone(), ".{0,20}").prop_map(|((hash, blknum), error_type)| {
                ByzantineEvent::InvalidBlock(InvalidBlock { hash, blknum, error_type })
            }),
            block.prop_map(|(hash, blknum)| {
                ByzantineEvent::BlockWithholding(BlockWithholding { blknum, hash })
            }),
            any_exit().prop_map(ByzantineEvent::InvalidExit),
            any_exit().prop_map(ByzantineEvent::UnchallengedExit),
            any_in_flight(),
        ]
    }

    proptest! {
        #[test]
        fn events_survive_the_journey_in_either_order_of_keys(event in any_event()) {
            let json = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(&serde_json::from_str::<ByzantineEvent>(&json).unwrap(), &event);
            let start = format!(r#"{{"event":"{}","#, event.name());
            let details = json.strip_prefix(&start).unwrap().strip_suffix('}').unwrap();
            let swapped = format!(r#"{{{details},"event":"{}"}}"#, event.name());
            prop_assert_eq!(serde_json::from_str::<ByzantineEvent>(&swapped).unwrap(), event);
        }

        #[test]
        fn no_text_makes_reading_panic(details in ".{0,40}", name in "invalid_exit|invalid_block|x") {
            let json = format!(r#"{{"event":"{name}","details":{details}}}"#);
            let _ = serde_json::from_str::<ByzantineEvent>(&json);
        }
    }
}
