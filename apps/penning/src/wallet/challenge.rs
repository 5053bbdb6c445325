//! `wallet challenge`: stop an exit that must not be paid. Bonds go to the key's owner.
//!
//! It must never make an argument up: what is shown to the contract is what the watcher reports, and nothing else.

use super::remedies::{Remedy, remedies};
use super::session::Session;
use super::tx_name::{TxName, tx_name};
use super::view::{self, AmountView, PositionView, digits};
use crate::failure::{ErrorReport, Failure};
use anyhow::Result;
use clap::Args;
use plasma_core::wire::{ExitId, H256, SecretKey, TxHash, U256, UtxoPos, keccak256};
use plasma_eth::{ChallengeStandardExit, Receipt};
use plasma_rpc::json::hex;
use plasma_rpc::watcher::{ChallengeData, UTXO_GET_CHALLENGE_DATA, UtxoPosParams};
use serde::Serialize;
use std::fmt;

/// Which exit.
#[derive(Args)]
pub(super) struct ChallengeArgs {
    /// The exiting output, such as 1000:0:1; or the payment of an in-flight exit: its hash, its bytes, a file with them, or the id of
    /// the exit. status.get of the watcher lists what is wrong
    #[arg(value_name = "POSITION|TX", value_parser = subject)]
    subject: Subject,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Output(UtxoPos),
    InFlight(TxName),
}

/// A position is what looks like one; numbers too large for that are ids of exits.
fn subject(text: &str) -> Result<Subject, String> {
    let looks_like_position = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let name = || tx_name(text).map(Subject::InFlight);
    match crate::parsing::position(text) {
        Ok(position) => Ok(Subject::Output(position)),
        Err(error) if looks_like_position && text.contains(':') => Err(error),
        Err(error) if looks_like_position => name().map_err(|_| error),
        Err(_) => name(),
    }
}

/// A challenge that was taken.
pub(super) struct Challenged {
    pub(super) exit_id: ExitId,
    pub(super) receipt: Receipt,
    /// What the challenger got.
    pub(super) bond_wei: U256,
}

impl Session {
    /// What proves that an exiting output was spent.
    pub(super) async fn challenge_data(&self, position: UtxoPos) -> Result<ChallengeData> {
        self.check_deployment().await?;
        let params = UtxoPosParams::new(position);
        Ok(self.watcher.call(&UTXO_GET_CHALLENGE_DATA, &params).await?)
    }

    /// Challenges an exit.
    pub(super) async fn challenge(
        &self,
        key: &SecretKey,
        data: ChallengeData,
    ) -> Result<Challenged> {
        let exit_id = data.exit_id;
        let records = self.root_chain.standard_exits(&[exit_id]).await?;
        let bond_wei = records.into_iter().flatten().next().map(|record| record.bond_wei);
        let challenge = ChallengeStandardExit {
            exit_id,
            exiting_tx: data.exiting_tx,
            challenge_tx: data.txbytes,
            input_index: data.input_index.into(),
            witness: data.sig,
        };
        let sent = self.root_chain.challenge_standard_exit(key, &challenge).await?;
        let receipt = self.mined(sent).await?;
        Ok(Challenged { exit_id, receipt, bond_wei: bond_wei.unwrap_or_default() })
    }

    /// Plays every remedy against what the watcher reports about an in-flight exit. One that fails keeps no other from being played.
    async fn challenge_in_flight(&self, name: &TxName) -> Result<InFlightReport> {
        let in_flight_tx = self.in_flight_tx(name).await?;
        let remedies = remedies(&self.status().await?.byzantine_events, &in_flight_tx);
        if remedies.is_empty() {
            let message = "the watcher reports nothing wrong with this exit";
            return Err(Failure::new("challenge:nothing_wrong", message).into());
        }
        let key = self.key()?;
        let (mut played, mut failure) = (Vec::new(), None);
        for remedy in remedies {
            self.out.progress(format!("showing {remedy}"));
            match self.play(&key, remedy, &in_flight_tx).await {
                Ok(receipt) => played.push(PlayedView::new(remedy, Some(&receipt), None)),
                Err(error) => {
                    played.push(PlayedView::new(remedy, None, Some(ErrorReport::of(&error))));
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) if played.iter().all(|played| played.txhash.is_none()) => Err(error),
            _ => Ok(InFlightReport {
                exit_id: ExitId::in_flight(&in_flight_tx),
                in_flight_txhash: keccak256(&in_flight_tx),
                played,
            }),
        }
    }

    async fn play(&self, key: &SecretKey, remedy: Remedy, in_flight_tx: &[u8]) -> Result<Receipt> {
        let call = self.remedy_call(remedy, in_flight_tx).await?;
        self.mined(self.root_chain.argue(key, &call).await?).await
    }
}

impl ChallengeArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let position = match self.subject {
            Subject::Output(position) => position,
            Subject::InFlight(name) => {
                return session.out.finish(&session.challenge_in_flight(&name).await?);
            }
        };
        let data = session.challenge_data(position).await?;
        let key = session.key()?;
        let challenged = session.challenge(&key, data).await?;
        session.out.finish(&ChallengeReport {
            txhash: challenged.receipt.txhash,
            exit_id: challenged.exit_id,
            output: position.into(),
            bond: AmountView::wei(challenged.bond_wei),
            root_chain_fee: AmountView::wei(challenged.receipt.fee_wei()),
        })
    }
}

/// What the command prints about a standard exit.
#[derive(Serialize)]
struct ChallengeReport {
    #[serde(with = "hex")]
    txhash: H256,
    #[serde(serialize_with = "digits")]
    exit_id: ExitId,
    output: PositionView,
    bond: AmountView,
    root_chain_fee: AmountView,
}

impl fmt::Display for ChallengeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit {} of {} challenged: it will not be paid", self.exit_id, self.output)?;
        writeln!(f, "  root chain transaction {}", view::hash(self.txhash))?;
        write!(f, "  its bond is yours: {}, gas {}", self.bond, self.root_chain_fee)
    }
}

/// What the command prints about an in-flight exit.
#[derive(Serialize)]
struct InFlightReport {
    #[serde(serialize_with = "digits")]
    exit_id: ExitId,
    #[serde(with = "hex")]
    in_flight_txhash: TxHash,
    played: Vec<PlayedView>,
}

#[derive(Serialize)]
struct PlayedView {
    remedy: &'static str,
    /// What was shown, in words.
    shown: String,
    /// `null` when it failed.
    #[serde(with = "hex::optional")]
    txhash: Option<H256>,
    root_chain_fee: Option<AmountView>,
    error: Option<ErrorReport>,
}

impl PlayedView {
    fn new(remedy: Remedy, receipt: Option<&Receipt>, error: Option<ErrorReport>) -> Self {
        Self {
            remedy: remedy.name(),
            shown: remedy.to_string(),
            txhash: receipt.map(|receipt| receipt.txhash),
            root_chain_fee: receipt.map(|receipt| AmountView::wei(receipt.fee_wei())),
            error,
        }
    }
}

impl fmt::Display for InFlightReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in-flight exit {}", self.exit_id)?;
        for PlayedView { shown, txhash, root_chain_fee, error, .. } in &self.played {
            match (txhash, root_chain_fee, error) {
                (Some(txhash), Some(fee), _) => {
                    write!(f, "\n  shown: {shown} (gas {fee}, {})", view::hash(*txhash))?;
                }
                (_, _, Some(error)) => {
                    write!(f, "\n  not shown: {shown}: {} [{}]", error.message, error.code)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::root_chain::PiggybackSlot;

    #[test]
    fn reports_have_a_stable_shape() {
        let report = ChallengeReport {
            txhash: H256::repeat_byte(1),
            exit_id: ExitId::from_u256(U256::from(9)),
            output: UtxoPos::decode(1_000_000_000_000).unwrap().into(),
            bond: AmountView::wei(U256::exp10(16)),
            root_chain_fee: AmountView::wei(U256::one()),
        };
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["exit_id"], "9");
        assert_eq!(json["output"]["position"], "1000:0:0");
        assert_eq!(json["bond"]["units"], "0.01");
        assert!(report.to_string().contains("exit 9 of 1000:0:0 challenged"), "{report}");
    }

    #[test]
    fn each_remedy_is_reported_with_what_came_of_it() {
        let late = Failure::new("contract:FirstPhaseOver", "too late");
        let shown = PlayedView {
            txhash: Some(H256::repeat_byte(1)),
            root_chain_fee: Some(AmountView::wei(U256::one())),
            ..PlayedView::new(Remedy::Spend(PiggybackSlot::input(2)), None, None)
        };
        let failed = ErrorReport::of(&late.into());
        let report = InFlightReport {
            exit_id: ExitId::from_u256(U256::from(9)),
            in_flight_txhash: H256::repeat_byte(2),
            played: vec![shown, PlayedView::new(Remedy::Competitor, None, Some(failed))],
        };
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["played"][0]["remedy"], "spend");
        assert_eq!(json["played"][0]["error"], serde_json::Value::Null);
        assert_eq!(json["played"][1]["txhash"], serde_json::Value::Null);
        assert_eq!(json["played"][1]["error"]["code"], "contract:FirstPhaseOver");
        let text = report.to_string();
        assert!(text.contains("  shown: the spend of input 2 (gas"), "{text}");
        assert!(text.contains("  not shown: another payment"), "{text}");
    }

    #[test]
    fn outputs_and_payments_are_told_apart() {
        let exit_id = ExitId::in_flight(b"payment");
        for (text, is_output) in [
            ("1000:0:1", true),
            ("1000000000001", true),
            (&exit_id.to_string(), false),
            ("a.json", false),
        ] {
            let found = subject(text).map(|subject| matches!(subject, Subject::Output(_)));
            assert_eq!(found, Ok(is_output), "{text}");
        }
        let error = subject("1000:0").unwrap_err();
        assert!(error.contains("is not a position"), "{error}");
    }
}
