//! Exits as the wallet shows them. Pure: what the watcher says, what the root chain keeps, and prices in; lines out.

use super::view::{self, AmountView, PositionView, digits};
use crate::amount::Denomination;
use plasma_core::exit_concierge::{ExitPhase, Step};
use plasma_core::root_chain::PiggybackSlot;
use plasma_core::wire::{Address, Currency, ExitId, TxHash, U256};
use plasma_eth::{InFlightExitRecord, StandardExitRecord};
use plasma_rpc::json::hex;
use plasma_rpc::watcher::{Exit, ExitQueuePlace, ExitSlot, ExitWindow};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// An exit as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ExitLine {
    #[serde(serialize_with = "digits")]
    pub(super) exit_id: ExitId,
    pub(super) kind: String,
    pub(super) phase: String,
    pub(super) is_over: bool,
    /// What leaves alone.
    pub(super) output: Option<PositionView>,
    /// The transaction that leaves.
    #[serde(with = "hex::optional")]
    pub(super) txhash: Option<TxHash>,
    pub(super) amount: Option<AmountView>,
    pub(super) slots: Vec<SlotLine>,
    pub(super) started_eth_height: u64,
    pub(super) exitable_at_s: Option<u64>,
    pub(super) eta_s: Option<u64>,
    pub(super) eta_eth_height: Option<u64>,
    pub(super) queue: Vec<PlaceLine>,
    pub(super) windows: Vec<WindowLine>,
    /// Of the start of the exit, while the root chain keeps it.
    pub(super) bond: Option<AmountView>,
    pub(super) next: String,
    pub(super) advice: String,
    /// What the next step costs in gas, about.
    pub(super) cost: Option<AmountView>,
}

/// An input or output of an in-flight exit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SlotLine {
    side: String,
    index: u16,
    #[serde(with = "hex")]
    owner: Address,
    is_yours: bool,
    amount: AmountView,
    phase: String,
    /// Of whoever joined, while the root chain keeps it.
    bond: Option<AmountView>,
}

/// A place in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PlaceLine {
    #[serde(with = "hex")]
    pub(super) currency: Currency,
    /// 1 leaves next.
    pub(super) place: u64,
    /// How many wait, if that is known.
    pub(super) of: Option<u64>,
}

/// Who can do what until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct WindowLine {
    step: String,
    by: String,
    until_s: u64,
    until_eth_height: u64,
    is_hard: bool,
    #[serde(skip)]
    left_s: u64,
}

/// What the root chain adds to what the watcher says.
pub(super) struct RootChainSide<'a> {
    pub(super) denominations: &'a BTreeMap<Currency, Denomination>,
    /// Of standard exits that the contract keeps.
    pub(super) records: &'a BTreeMap<ExitId, StandardExitRecord>,
    /// Of in-flight exits that the contract keeps.
    pub(super) in_flight: &'a BTreeMap<ExitId, InFlightExitRecord>,
    /// What a unit of gas costs, if that is known.
    pub(super) gas_price_wei: Option<u128>,
    pub(super) now_s: u64,
}

/// Currencies of all amounts in an exit.
pub(super) fn currencies(exit: &Exit) -> impl Iterator<Item = Currency> + '_ {
    exit.currency.into_iter().chain(exit.slots.iter().map(|slot| slot.currency))
}

/// Gas that a step takes, about: docs/protocol/contracts.md, section 11.
fn gas_of(step: &str) -> Option<u64> {
    Some(match Step::from_name(step)? {
        Step::PiggybackInput | Step::PiggybackOutput => 133_375,
        Step::Challenge => 106_204,
        Step::ChallengeCanonicity => 131_923,
        Step::ChallengePiggyback => 135_790,
        Step::Respond => 67_311,
        Step::Process => 87_708,
        Step::Delete => 60_492,
        Step::Wait | Step::Leave | Step::Nothing => return None,
    })
}

impl RootChainSide<'_> {
    fn amount(&self, currency: Currency, amount: U256) -> AmountView {
        let unknown = Denomination { currency, known: None };
        AmountView::new(self.denominations.get(&currency).unwrap_or(&unknown), amount)
    }

    /// What a step costs, about.
    pub(super) fn cost(&self, step: &str) -> Option<AmountView> {
        let (price, gas) = (self.gas_price_wei?, gas_of(step)?);
        Some(AmountView::wei(U256::from(price).saturating_mul(gas.into())))
    }

    /// An exit, as one of these accounts sees it.
    pub(super) fn line(&self, exit: Exit, account: Address) -> ExitLine {
        let record = self.records.get(&exit.exit_id);
        let in_flight = self.in_flight.get(&exit.exit_id);
        let bond_wei = record.map(|record| record.bond_wei);
        let bond_wei = bond_wei.or(in_flight.map(|record| record.bond_wei));
        // The contract forgets an exit that it left unpaid, and the watcher hears of it when that is final.
        let is_omitted = exit.phase == ExitPhase::Superseded.name() && record.is_none();
        let (phase, next, advice) = if is_omitted {
            let advice =
                "nothing: the output had left with another exit; the bond came back".to_owned();
            (ExitPhase::Omitted.name().to_owned(), Step::Nothing.name().to_owned(), advice)
        } else {
            (exit.phase, exit.next, exit.advice)
        };
        let is_over = exit.is_over || is_omitted;
        let amount = exit.currency.zip(exit.amount);
        ExitLine {
            exit_id: exit.exit_id,
            kind: exit.kind,
            phase,
            is_over,
            output: exit.utxo_pos.map(Into::into),
            txhash: exit.txhash,
            amount: amount.map(|(currency, amount)| self.amount(currency, amount)),
            slots: exit.slots.into_iter().map(|slot| self.slot(slot, account, in_flight)).collect(),
            started_eth_height: exit.eth_height.get(),
            exitable_at_s: exit.exitable_at_s,
            eta_s: exit.eta_s.filter(|_| !is_over),
            eta_eth_height: exit.eta_eth_height.filter(|_| !is_over).map(|height| height.get()),
            queue: exit.queue.into_iter().filter(|_| !is_over).map(Into::into).collect(),
            windows: exit
                .windows
                .into_iter()
                .filter(|_| !is_over)
                .map(|open| WindowLine::new(open, self.now_s))
                .collect(),
            bond: bond_wei.map(AmountView::wei),
            cost: self.cost(&next),
            next,
            advice,
        }
    }

    fn slot(
        &self,
        slot: ExitSlot,
        account: Address,
        record: Option<&InFlightExitRecord>,
    ) -> SlotLine {
        let place = match slot.side.as_str() {
            "input" => PiggybackSlot::input(slot.index),
            _ => PiggybackSlot::output(slot.index),
        };
        let share = record.and_then(|record| record.share(place));
        let bond_wei = share.map(|share| share.piggyback_bond_wei);
        SlotLine {
            bond: bond_wei.filter(|bond_wei| !bond_wei.is_zero()).map(AmountView::wei),
            side: slot.side,
            index: slot.index,
            owner: slot.owner,
            is_yours: slot.owner == account,
            amount: self.amount(slot.currency, slot.amount),
            phase: slot.phase,
        }
    }
}

impl From<ExitQueuePlace> for PlaceLine {
    fn from(place: ExitQueuePlace) -> Self {
        Self { currency: place.currency, place: place.place, of: Some(place.of) }
    }
}

impl WindowLine {
    fn new(window: ExitWindow, now_s: u64) -> Self {
        Self {
            left_s: window.until_s.saturating_sub(now_s),
            step: window.step,
            by: window.by,
            until_s: window.until_s,
            until_eth_height: window.until_eth_height.get(),
            is_hard: window.is_hard,
        }
    }
}

impl fmt::Display for ExitLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.output, self.txhash) {
            (Some(output), _) => write!(f, "{output}")?,
            (None, Some(txhash)) => write!(f, "in flight {}", view::hash(txhash))?,
            (None, None) => write!(f, "exit {}", self.exit_id)?,
        }
        write!(f, " {}", self.phase.replace('_', " "))?;
        if let Some(amount) = &self.amount {
            write!(f, ": {amount}")?;
        }
        if let Some(bond) = &self.bond {
            write!(f, ", bond {bond}")?;
        }
        for place in &self.queue {
            write!(f, ", number {}", place.place)?;
            if let Some(of) = place.of {
                write!(f, " of {of}")?;
            }
            write!(f, " in the queue")?;
        }
        write!(
            f,
            "\n  exit {}, started in root chain block {}",
            self.exit_id, self.started_eth_height
        )?;
        for slot in &self.slots {
            let yours = if slot.is_yours { ", yours" } else { "" };
            let phase = slot.phase.replace('_', " ");
            write!(f, "\n  {} {}{yours}: {}, {phase}", slot.side, slot.index, slot.amount)?;
            if let Some(bond) = &slot.bond {
                write!(f, ", bond {bond}")?;
            }
        }
        if let (Some(eta_s), Some(eth_height)) = (self.eta_s, self.eta_eth_height) {
            let left = view::duration(eta_s);
            write!(f, "\n  due in {left}, about root chain block {eth_height}")?;
        }
        for window in self.windows.iter().filter(|window| window.left_s > 0) {
            let (by, step) = (window.by.replace('_', " "), window.step.replace('_', " "));
            let left = view::duration(window.left_s);
            let until = window.until_eth_height;
            write!(f, "\n  {by}: {step} within {left}, until about root chain block {until}")?;
        }
        write!(f, "\n  next: {}", self.advice)?;
        if let Some(cost) = &self.cost {
            write!(f, " (gas about {cost})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::exit_concierge::StandardCase;
    use plasma_core::exit_concierge::{ExitBoard, ExitCase, ExitClock};
    use plasma_core::exit_processor::{Judgement, StandardExit, StandardExitPhase};
    use plasma_core::wire::{Blknum, ETH, EthHeight, H256, UtxoPos};

    fn exit(judgement: Judgement, now_s: u64) -> Exit {
        let exit = StandardExit {
            exit_id: ExitId::from_u256(9.into()),
            position: UtxoPos::deposit(Blknum::new(1)),
            owner: Address::repeat_byte(1),
            currency: ETH,
            amount: U256::exp10(17),
            exiting_tx: Box::default(),
            eth_height: EthHeight::new(5),
            log_index: 0,
            root_chain_txhash: H256::zero(),
            exitable_at_s: 1_000,
            phase: StandardExitPhase::Active,
        };
        let case = ExitCase::Standard(StandardCase::new(&exit, judgement));
        let board = ExitBoard::from_cases([case.clone()]);
        let clock = ExitClock {
            eth_height: EthHeight::new(200),
            now_s,
            block_time_ms: 2_000,
            min_exit_period_s: 100,
        };
        Exit::from(&case.view(&clock, board.places(case.exit_id()), None))
    }

    fn record() -> StandardExitRecord {
        StandardExitRecord {
            exitable: true,
            position: UtxoPos::deposit(Blknum::new(1)),
            output_id: H256::zero(),
            exitor: Address::repeat_byte(1),
            amount: U256::exp10(17),
            bond_wei: U256::exp10(16),
        }
    }

    fn line(judgement: Judgement, now_s: u64, has_record: bool) -> ExitLine {
        let denominations = [(ETH, Denomination::eth())].into_iter().collect();
        let known = has_record.then(|| (ExitId::from_u256(9.into()), record()));
        let side = RootChainSide {
            denominations: &denominations,
            records: &known.into_iter().collect(),
            in_flight: &BTreeMap::new(),
            gas_price_wei: Some(1_000_000_000),
            now_s,
        };
        side.line(exit(judgement, now_s), Address::repeat_byte(1))
    }

    #[test]
    fn an_exit_tells_everything_there_is_to_say() {
        let waiting = line(Judgement::Valid, 900, true).to_string();
        assert_eq!(
            waiting,
            "1:0:0 waiting: 0.1 ETH, bond 0.01 ETH, number 1 of 1 in the queue\n  \
             exit 9, started in root chain block 5\n  \
             due in 1 min 41 s, about root chain block 251\n  \
             anybody: challenge within 1 min 41 s, until about root chain block 250\n  \
             next: wait: it is due in 101 s, about root chain block 251; do not spend what leaves meanwhile"
        );
        let due = line(Judgement::Valid, 1_001, true);
        assert_eq!((due.phase.as_str(), due.next.as_str()), ("due", "process"));
        let shown = due.to_string();
        assert!(
            shown.ends_with(
                "`penning wallet exit process --currency eth` (gas about 0.000087708 ETH)"
            ),
            "{shown}"
        );
    }

    #[test]
    fn what_the_contract_forgot_without_paying_is_over() {
        let omitted = line(Judgement::Superseded, 1_001, false);
        assert_eq!((omitted.phase.as_str(), omitted.is_over), ("omitted", true));
        assert_eq!((omitted.cost, omitted.eta_s, omitted.queue.len()), (None, None, 0));
        let waits = line(Judgement::Superseded, 900, true);
        assert_eq!((waits.phase.as_str(), waits.is_over), ("superseded", false));
    }

    #[test]
    fn lines_have_a_stable_shape() {
        let json = serde_json::to_value(line(Judgement::Valid, 900, true)).unwrap();
        for (pointer, expected) in [
            ("/exit_id", "9"),
            ("/kind", "standard"),
            ("/output/position", "1:0:0"),
            ("/amount/units", "0.1"),
            ("/bond/amount", "10000000000000000"),
            ("/windows/0/step", "challenge"),
            ("/windows/0/by", "anybody"),
            ("/next", "wait"),
        ] {
            assert_eq!(json.pointer(pointer).unwrap(), expected, "{pointer}");
        }
        assert_eq!(json["queue"][0]["place"], 1);
        assert!(json["txhash"].is_null() && json["cost"].is_null());
    }

    #[test]
    fn every_step_that_is_sent_has_a_price() {
        for step in Step::ALL {
            let is_sent = !matches!(step, Step::Wait | Step::Leave | Step::Nothing);
            assert_eq!(gas_of(step.name()).is_some(), is_sent, "{step}");
        }
        assert_eq!(gas_of("dance"), None);
    }
}
