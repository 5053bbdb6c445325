//! `data` of events of the topic `exits`: everything that happens to standard and in-flight exits on the root chain.

use crate::json::{hex, uint};
use plasma_core::db_update::TxPos;
use plasma_core::root_chain::{
    EthEvent, InFlightExitChallenge, InFlightExitStart, PiggybackSide, RootChainEvent,
};
use plasma_core::wire::{Address, Currency, EthHeight, ExitId, H256, OutputIndex, TxHash, UtxoPos};
use schemars::JsonSchema;
use serde::Serialize;

/// An event of the topic `exits`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ExitEventData<'a> {
    /// What happened: the contract's name of the event, in small letters.
    pub event: &'static str,
    /// The root chain transaction.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<H256>")]
    pub root_chain_txhash: H256,
    /// Its place among the logs of the root chain block.
    pub log_index: u32,
    /// The root chain block.
    #[schemars(with = "u64")]
    pub eth_height: EthHeight,
    /// The contract's key of the exit. `null` when the event does not say it and the exit was never seen.
    #[serde(with = "uint::optional")]
    #[schemars(with = "Option<uint::Number<ExitId>>")]
    pub exit_id: Option<ExitId>,
    /// What else the event says.
    #[serde(flatten)]
    pub details: ExitDetails<'a>,
}

/// What events of exits say, each kind its own.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ExitDetails<'a> {
    /// `exit_started`
    Started {
        /// Who exits.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Address>")]
        owner: Address,
        /// The exiting output.
        #[serde(with = "uint")]
        #[schemars(with = "uint::Number<UtxoPos>")]
        utxo_pos: UtxoPos,
        /// Unsigned bytes of the transaction that made it.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Vec<u8>>")]
        txbytes: &'a [u8],
        /// Scheduled finalization time, in seconds.
        scheduled_finalization_time: u64,
    },
    /// `exit_challenged`
    Challenged {
        /// The output that was exiting.
        #[serde(with = "uint")]
        #[schemars(with = "uint::Number<UtxoPos>")]
        utxo_pos: UtxoPos,
    },
    /// `exit_finalized`, `exit_omitted`, `in_flight_exit_deleted`, `in_flight_exit_finalized`
    Nothing {},
    /// `in_flight_exit_started`
    InFlightStarted {
        /// The in-flight transaction.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<TxHash>")]
        txhash: TxHash,
        /// Its unsigned bytes.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Vec<u8>>")]
        txbytes: &'a [u8],
        /// Who started the exit.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Address>")]
        initiator: Address,
        /// When, in seconds of root chain time.
        started_at: u64,
        /// What the transaction spends.
        #[serde(with = "uint::list")]
        #[schemars(with = "Vec<uint::Number<UtxoPos>>")]
        input_utxos_pos: &'a [UtxoPos],
        /// Signatures of the owners of that.
        #[serde(with = "hex::list")]
        #[schemars(with = "Vec<hex::Hex<Vec<u8>>>")]
        in_flight_tx_sigs: &'a [Box<[u8]>],
        /// Unsigned bytes of the transactions that made the inputs.
        #[serde(with = "hex::list")]
        #[schemars(with = "Vec<hex::Hex<Vec<u8>>>")]
        input_txs: &'a [Box<[u8]>],
    },
    /// `in_flight_exit_input_piggybacked`, `in_flight_exit_output_piggybacked`
    Piggybacked {
        /// The in-flight transaction.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<TxHash>")]
        txhash: TxHash,
        /// Which input or output.
        index: u16,
        /// Whom it will be paid to.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Address>")]
        exit_target: Address,
        /// Scheduled finalization time, in seconds.
        scheduled_finalization_time: u64,
    },
    /// `in_flight_exit_input_blocked`, `in_flight_exit_output_blocked`
    Blocked {
        /// The in-flight transaction.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<TxHash>")]
        txhash: TxHash,
        /// Which input or output.
        index: u16,
        /// Who showed that it was spent.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Address>")]
        challenger: Address,
    },
    /// `in_flight_exit_challenged`
    InFlightChallenged {
        /// The in-flight transaction.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<TxHash>")]
        txhash: TxHash,
        /// Who showed the competitor.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Address>")]
        challenger: Address,
        /// Where the competitor is included, as a position of output 0; `null` when it was shown without a block.
        #[serde(with = "uint::optional")]
        #[schemars(with = "Option<uint::Number<UtxoPos>>")]
        competing_tx_pos: Option<UtxoPos>,
        /// Which input of the in-flight transaction the competitor spends, too.
        in_flight_input_index: u16,
        /// Unsigned bytes of the competitor.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Vec<u8>>")]
        competing_txbytes: &'a [u8],
        /// Which of its inputs spends it.
        competing_input_index: u16,
        /// The owner's signature of the competitor.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Vec<u8>>")]
        competing_sig: &'a [u8],
    },
    /// `in_flight_exit_challenge_responded`
    Responded {
        /// The in-flight transaction.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<TxHash>")]
        txhash: TxHash,
        /// Who showed where it is included.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Address>")]
        challenger: Address,
        /// Where, as a position of output 0.
        #[serde(with = "uint")]
        #[schemars(with = "uint::Number<UtxoPos>")]
        in_flight_tx_pos: UtxoPos,
    },
    /// `in_flight_exit_input_withdrawn`, `in_flight_exit_output_withdrawn`
    Withdrawn {
        /// Which input or output.
        index: u16,
    },
    /// `in_flight_exit_omitted`
    Omitted {
        /// Which queue.
        #[serde(with = "hex")]
        #[schemars(with = "hex::Hex<Currency>")]
        currency: Currency,
    },
}

impl<'a> ExitEventData<'a> {
    /// What is told of an event; `None` when it is not one of an exit. A challenge of a standard exit names its output only, so the
    /// exit of that is asked for.
    pub fn new<E>(
        event: &'a EthEvent,
        exit_of: impl FnOnce(UtxoPos) -> Result<Option<ExitId>, E>,
    ) -> Result<Option<Self>, E> {
        let Some((name, exit_id, details)) = told(&event.event) else {
            return Ok(None);
        };
        let exit_id = match (exit_id, &details) {
            (None, ExitDetails::Challenged { utxo_pos }) => exit_of(*utxo_pos)?,
            (exit_id, _) => exit_id,
        };
        let EthEvent { root_chain_txhash, log_index, eth_height, .. } = *event;
        Ok(Some(Self { event: name, root_chain_txhash, log_index, eth_height, exit_id, details }))
    }
}

fn told(event: &RootChainEvent) -> Option<(&'static str, Option<ExitId>, ExitDetails<'_>)> {
    use RootChainEvent as Event;
    let (name, exit_id, details) = match event {
        Event::DepositCreated { .. } | Event::BlockSubmitted { .. } => return None,
        Event::ExitStarted { owner, exit_id, position, output_tx, exitable_at_s } => {
            let details = ExitDetails::Started {
                owner: *owner,
                utxo_pos: *position,
                txbytes: output_tx,
                scheduled_finalization_time: *exitable_at_s,
            };
            ("exit_started", Some(exit_id), details)
        }
        Event::ExitChallenged { position } => {
            ("exit_challenged", None, ExitDetails::Challenged { utxo_pos: *position })
        }
        Event::ExitFinalized { exit_id } => {
            ("exit_finalized", Some(exit_id), ExitDetails::Nothing {})
        }
        Event::ExitOmitted { exit_id } => ("exit_omitted", Some(exit_id), ExitDetails::Nothing {}),
        Event::InFlightExitStarted(start) => {
            ("in_flight_exit_started", Some(&start.exit_id), started(start))
        }
        Event::InFlightExitPiggybacked { exit_id, tx_hash, slot, exit_target, exitable_at_s } => {
            let details = ExitDetails::Piggybacked {
                txhash: *tx_hash,
                index: slot.index,
                exit_target: *exit_target,
                scheduled_finalization_time: *exitable_at_s,
            };
            (sided(slot.side, PIGGYBACKED), Some(exit_id), details)
        }
        Event::InFlightExitPiggybackBlocked { exit_id, tx_hash, slot, challenger } => {
            let (txhash, challenger) = (*tx_hash, *challenger);
            let details = ExitDetails::Blocked { txhash, index: slot.index, challenger };
            (sided(slot.side, BLOCKED), Some(exit_id), details)
        }
        Event::InFlightExitChallenged(challenge) => {
            ("in_flight_exit_challenged", Some(&challenge.exit_id), challenged(challenge))
        }
        Event::InFlightExitChallengeResponded { exit_id, tx_hash, challenger, tx_pos } => {
            let details = ExitDetails::Responded {
                txhash: *tx_hash,
                challenger: *challenger,
                in_flight_tx_pos: position_of(*tx_pos),
            };
            ("in_flight_exit_challenge_responded", Some(exit_id), details)
        }
        Event::InFlightExitPiggybackWithdrawn { exit_id, slot } => {
            let details = ExitDetails::Withdrawn { index: slot.index };
            (sided(slot.side, WITHDRAWN), Some(exit_id), details)
        }
        Event::InFlightExitDeleted { exit_id } => {
            ("in_flight_exit_deleted", Some(exit_id), ExitDetails::Nothing {})
        }
        Event::InFlightExitFinalized { exit_id } => {
            ("in_flight_exit_finalized", Some(exit_id), ExitDetails::Nothing {})
        }
        Event::InFlightExitOmitted { exit_id, currency } => {
            let details = ExitDetails::Omitted { currency: *currency };
            ("in_flight_exit_omitted", Some(exit_id), details)
        }
    };
    Some((name, exit_id.copied(), details))
}

/// Names of an event of an input, and of an output.
type Sided = [&'static str; 2];

const PIGGYBACKED: Sided =
    ["in_flight_exit_input_piggybacked", "in_flight_exit_output_piggybacked"];
const BLOCKED: Sided = ["in_flight_exit_input_blocked", "in_flight_exit_output_blocked"];
const WITHDRAWN: Sided = ["in_flight_exit_input_withdrawn", "in_flight_exit_output_withdrawn"];

const fn sided(side: PiggybackSide, [input, output]: Sided) -> &'static str {
    match side {
        PiggybackSide::Input => input,
        PiggybackSide::Output => output,
    }
}

const fn position_of(at: TxPos) -> UtxoPos {
    UtxoPos::new(at.blknum, at.txindex, OutputIndex::new(0))
}

fn started(start: &InFlightExitStart) -> ExitDetails<'_> {
    ExitDetails::InFlightStarted {
        txhash: start.tx_hash,
        txbytes: &start.tx_bytes,
        initiator: start.initiator,
        started_at: start.started_at_s,
        input_utxos_pos: &start.input_positions,
        in_flight_tx_sigs: &start.witnesses,
        input_txs: &start.input_txs,
    }
}

fn challenged(challenge: &InFlightExitChallenge) -> ExitDetails<'_> {
    ExitDetails::InFlightChallenged {
        txhash: challenge.tx_hash,
        challenger: challenge.challenger,
        competing_tx_pos: challenge.competing_tx_pos.map(position_of),
        in_flight_input_index: challenge.input_index,
        competing_txbytes: &challenge.competing_tx,
        competing_input_index: challenge.competing_input_index,
        competing_sig: &challenge.competing_witness,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{Blknum, TxIndex};
    use serde_json::{Value, json};
    use std::convert::Infallible;

    const ID: ExitId = ExitId::from_bytes([0xff; 20]);

    fn shown(event: RootChainEvent) -> Option<Value> {
        let event = EthEvent {
            eth_height: EthHeight::new(4),
            eth_block_hash: H256::zero(),
            root_chain_txhash: H256([2; 32]),
            log_index: 1,
            event,
        };
        let told = ExitEventData::new(&event, |_| Ok::<_, Infallible>(Some(ID)));
        let Ok(told) = told;
        told.map(|told| serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap())
    }

    fn check(event: RootChainEvent, name: &str, details: Value) {
        let mut expected = json!({
            "event": name, "root_chain_txhash": hex::encode([2; 32]), "log_index": 1, "eth_height": 4,
            "exit_id": serde_json::from_str::<Value>(&ID.to_u256().to_string()).unwrap(),
        });
        let Value::Object(details) = details else { panic!("an object") };
        expected.as_object_mut().unwrap().extend(details);
        assert_eq!(shown(event), Some(expected));
    }

    const HASH: H256 = H256([3; 32]);
    const SOMEBODY: Address = Address([1; 20]);

    fn position() -> UtxoPos {
        UtxoPos::deposit(Blknum::new(1))
    }

    #[test]
    fn each_event_of_a_standard_exit_says_all_that_the_contract_does() {
        use RootChainEvent as Event;
        let exit_id = ID;
        let started = Event::ExitStarted {
            owner: SOMEBODY,
            exit_id,
            position: position(),
            output_tx: [1, 2].into(),
            exitable_at_s: 9,
        };
        let address = hex::encode(SOMEBODY);
        check(
            started,
            "exit_started",
            json!({"owner": address, "utxo_pos": 1_000_000_000, "txbytes": "0x0102", "scheduled_finalization_time": 9}),
        );
        check(
            Event::ExitChallenged { position: position() },
            "exit_challenged",
            json!({"utxo_pos": 1_000_000_000}),
        );
        check(Event::ExitFinalized { exit_id }, "exit_finalized", json!({}));
        check(Event::ExitOmitted { exit_id }, "exit_omitted", json!({}));
        assert_eq!(shown(Event::BlockSubmitted { blknum: Blknum::new(1000) }), None);
    }

    #[test]
    fn each_event_of_piggybacks_says_all_that_the_contract_does() {
        use RootChainEvent as Event;
        let (exit_id, tx_hash, challenger) = (ID, HASH, SOMEBODY);
        let (hash, address) = (hex::encode(HASH), hex::encode(SOMEBODY));
        for (side, name) in [
            (PiggybackSide::Input, "in_flight_exit_input_"),
            (PiggybackSide::Output, "in_flight_exit_output_"),
        ] {
            let slot = plasma_core::root_chain::PiggybackSlot { side, index: 2 };
            let joined = Event::InFlightExitPiggybacked {
                exit_id,
                tx_hash,
                slot,
                exit_target: SOMEBODY,
                exitable_at_s: 9,
            };
            check(
                joined,
                &format!("{name}piggybacked"),
                json!({"txhash": hash, "index": 2, "exit_target": address, "scheduled_finalization_time": 9}),
            );
            check(
                Event::InFlightExitPiggybackBlocked { exit_id, tx_hash, slot, challenger },
                &format!("{name}blocked"),
                json!({"txhash": hash, "index": 2, "challenger": address}),
            );
            let paid = Event::InFlightExitPiggybackWithdrawn { exit_id, slot };
            check(paid, &format!("{name}withdrawn"), json!({"index": 2}));
        }
    }

    #[test]
    fn each_event_of_an_in_flight_exit_says_all_that_the_contract_does() {
        use RootChainEvent as Event;
        let (exit_id, tx_hash, challenger) = (ID, HASH, SOMEBODY);
        let (hash, address) = (hex::encode(HASH), hex::encode(SOMEBODY));
        let start = InFlightExitStart {
            exit_id,
            tx_hash,
            initiator: SOMEBODY,
            started_at_s: 3,
            tx_bytes: [4, 5].into(),
            input_positions: vec![position()],
            witnesses: vec![[6].into()],
            input_txs: vec![[7].into()],
        };
        check(
            Event::InFlightExitStarted(Box::new(start)),
            "in_flight_exit_started",
            json!({
                "txhash": hash, "txbytes": "0x0405", "initiator": address, "started_at": 3, "input_utxos_pos": [1_000_000_000],
                "in_flight_tx_sigs": ["0x06"], "input_txs": ["0x07"],
            }),
        );
        let challenge = InFlightExitChallenge {
            exit_id,
            tx_hash,
            challenger,
            competing_tx_pos: None,
            input_index: 1,
            competing_tx: [8].into(),
            competing_input_index: 2,
            competing_witness: [9].into(),
        };
        check(
            Event::InFlightExitChallenged(Box::new(challenge)),
            "in_flight_exit_challenged",
            json!({
                "txhash": hash, "challenger": address, "competing_tx_pos": null, "in_flight_input_index": 1,
                "competing_txbytes": "0x08", "competing_input_index": 2, "competing_sig": "0x09",
            }),
        );
        let tx_pos = TxPos { blknum: Blknum::new(2000), txindex: TxIndex::new(3) };
        check(
            Event::InFlightExitChallengeResponded { exit_id, tx_hash, challenger, tx_pos },
            "in_flight_exit_challenge_responded",
            json!({"txhash": hash, "challenger": address, "in_flight_tx_pos": 2_000_000_030_000_u64}),
        );
        check(Event::InFlightExitDeleted { exit_id }, "in_flight_exit_deleted", json!({}));
        check(Event::InFlightExitFinalized { exit_id }, "in_flight_exit_finalized", json!({}));
        check(
            Event::InFlightExitOmitted { exit_id, currency: SOMEBODY },
            "in_flight_exit_omitted",
            json!({"currency": address}),
        );
    }
}
