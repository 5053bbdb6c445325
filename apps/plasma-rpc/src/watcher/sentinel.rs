//! What the Sentinel does, as `sentinel.get` shows it: the account, the duties that go on, and those that ended.

use crate::json::{hex, uint};
use plasma_core::sentinel::{
    DutyId, DutyPhase, DutyRecord, DutyStatus, SentinelStatus, Task, Urgency,
};
use plasma_core::wire::{Address, ExitId, H256, U256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most duties of either list in one answer.
pub const SENTINEL_DUTIES_MAX: usize = 100;

/// The Sentinel at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentinelAnswer {
    /// The account of its key.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub account: Address,
    /// Whether nothing is sent.
    pub dry_run: bool,
    /// Why nothing more is spent although something should be done; what it says needs a human.
    pub halt: Option<String>,
    /// What the account holds, in wei; null before the root chain was read.
    #[serde(with = "uint::optional", default)]
    #[schemars(with = "Option<uint::Number<U256>>")]
    pub balance_wei: Option<U256>,
    /// What was spent today (a day of root chain time), in wei.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub spent_today_wei: U256,
    /// Most that the transactions in flight can cost, in wei.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub promised_wei: U256,
    /// Transactions that wait to be mined.
    pub in_flight: usize,
    /// Duties that go on, the most urgent first, at most [`SENTINEL_DUTIES_MAX`].
    pub duties: Vec<SentinelDuty>,
    /// Duties that ended, the newest first, at most [`SENTINEL_DUTIES_MAX`].
    pub history: Vec<SentinelRecord>,
}

/// Which duty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentinelDutyId {
    /// What is to be done, such as `challenge_standard_exit`.
    pub task: String,
    /// Which input or output of the exit, if it is about one.
    pub index: Option<u16>,
    /// The contract's key of the exit.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<ExitId>")]
    pub exit_id: ExitId,
    /// The root chain transaction that made the duty necessary.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<H256>")]
    pub cause: H256,
}

/// A duty that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentinelDuty {
    /// Which one.
    pub duty: SentinelDutyId,
    /// The function of the contracts that does it.
    pub call: String,
    /// When it has to be done, in seconds of root chain time.
    pub due: u64,
    /// `calm`, `pressing` or `critical`.
    pub urgency: String,
    /// Most that it may cost, in wei.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub cost_wei_max: U256,
    /// What it cost so far, in wei.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub cost_wei: U256,
    /// `not_open`, `waiting`, `would_revert`, `too_expensive`, `in_flight`, `mined` or `ended`.
    pub phase: String,
    /// More about the phase, for people.
    pub detail: Option<String>,
    /// The transaction that did it, once it is mined.
    #[serde(with = "hex::optional", default)]
    #[schemars(with = "Option<hex::Hex<H256>>")]
    pub txhash: Option<H256>,
}

/// A duty that ended: who did what, when, at what cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentinelRecord {
    /// Which one.
    pub duty: SentinelDutyId,
    /// The account that took it up.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub account: Address,
    /// When it was first heard of, in seconds of root chain time.
    pub found: u64,
    /// When it had to be done, in seconds of root chain time.
    pub due: u64,
    /// When it ended, in seconds of root chain time.
    pub ended: u64,
    /// The bond that whoever does it gets, in wei.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub reward_wei: U256,
    /// Gas of all its transactions.
    pub gas_used: u64,
    /// Cost of all its transactions, in wei.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub cost_wei: U256,
    /// Its transactions that were mined and failed.
    pub reverts: usize,
    /// The transaction that did it, or the last one that was mined.
    #[serde(with = "hex::optional", default)]
    #[schemars(with = "Option<hex::Hex<H256>>")]
    pub txhash: Option<H256>,
    /// `done`, `lost_race`, `reverted`, `expired`, `withdrawn`, `too_expensive` or `dry_run`.
    pub outcome: String,
}

impl SentinelAnswer {
    /// Puts the answer together, and cuts both lists.
    pub fn new(
        status: SentinelStatus,
        duties: &[DutyStatus],
        history: impl Iterator<Item = DutyRecord>,
    ) -> Self {
        Self {
            account: status.account,
            dry_run: status.is_dry_run,
            halt: status.halt.map(|halt| halt.to_string()),
            balance_wei: status.balance_wei,
            spent_today_wei: status.spent_today_wei,
            promised_wei: status.promised_wei,
            in_flight: status.in_flight,
            duties: duties.iter().take(SENTINEL_DUTIES_MAX).map(SentinelDuty::from).collect(),
            history: history
                .take(SENTINEL_DUTIES_MAX)
                .map(|record| SentinelRecord::from(&record))
                .collect(),
        }
    }
}

impl From<DutyId> for SentinelDutyId {
    fn from(id: DutyId) -> Self {
        let index = match id.task {
            Task::ChallengeInFlightExit { input_index: index }
            | Task::BlockInput { index }
            | Task::BlockOutput { index } => Some(index),
            Task::ChallengeStandardExit
            | Task::RespondToChallenge
            | Task::DeleteInFlightExit
            | Task::ProcessExits => None,
        };
        Self { task: id.task.name().to_owned(), index, exit_id: id.exit_id, cause: id.cause }
    }
}

impl From<&DutyStatus> for SentinelDuty {
    fn from(duty: &DutyStatus) -> Self {
        let urgency = match duty.urgency {
            Urgency::Calm => "calm",
            Urgency::Pressing => "pressing",
            Urgency::Critical => "critical",
        };
        let (phase, detail, txhash) = match &duty.phase {
            DutyPhase::NotOpen { opens_s } => {
                ("not_open", Some(format!("the contracts take it from {opens_s} on")), None)
            }
            DutyPhase::Waiting => ("waiting", None, None),
            DutyPhase::WouldRevert { reason } => ("would_revert", Some(reason.clone()), None),
            DutyPhase::TooExpensive { affordable_wei } => {
                let detail = format!("it may pay {affordable_wei} wei per gas");
                ("too_expensive", Some(detail), None)
            }
            DutyPhase::InFlight { nonce, fees, offers } => {
                let most = fees.max_fee_per_gas_wei;
                let detail = format!("nonce {nonce}, offer {offers}: up to {most} wei per gas");
                ("in_flight", Some(detail), None)
            }
            DutyPhase::Mined { txhash, eth_height } => {
                ("mined", Some(format!("in root chain block {eth_height}")), Some(*txhash))
            }
            DutyPhase::Ended => ("ended", None, None),
        };
        Self {
            duty: duty.id.into(),
            call: duty.call.to_owned(),
            due: duty.due_s,
            urgency: urgency.to_owned(),
            cost_wei_max: duty.cost_wei_max,
            cost_wei: duty.record.as_ref().map_or_else(U256::zero, |record| record.cost_wei),
            phase: phase.to_owned(),
            detail,
            txhash,
        }
    }
}

impl From<&DutyRecord> for SentinelRecord {
    fn from(record: &DutyRecord) -> Self {
        Self {
            duty: record.id.into(),
            account: record.account,
            found: record.found_s,
            due: record.due_s,
            ended: record.ended_s,
            reward_wei: record.reward_wei,
            gas_used: record.gas_used,
            cost_wei: record.cost_wei,
            reverts: record.reverts,
            txhash: record.txhash,
            outcome: record.outcome.map_or("open", |outcome| outcome.name()).to_owned(),
        }
    }
}
