//! What became of exits, from what the root chain tells about them. Pure: events, records and the clock in, views out.

use super::exit_lines::{ExitLine, PlaceLine};
use super::view;
use crate::amount::Denomination;
use crate::wallet::view::{AmountView, PositionView, digits};
use plasma_core::exit_concierge::{ExitKind, Step};
use plasma_core::root_chain::{EthEvent, RootChainEvent};
use plasma_core::wire::{Address, Currency, EthHeight, ExitId, Transaction, U256, UtxoPos};
use plasma_eth::StandardExitRecord;
use plasma_rpc::json::hex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// How far an exit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ExitPhase {
    /// Its period runs; anybody can challenge it.
    Waiting,
    /// It can be processed.
    Due,
    /// Somebody proved that the output was spent; the bond is his.
    Challenged,
    /// The money is on the root chain.
    Paid,
    /// It left the queue without being paid, because its output had left before.
    Omitted,
}

/// An exit as its events tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenExit {
    pub(super) exit_id: ExitId,
    pub(super) owner: Address,
    pub(super) position: UtxoPos,
    pub(super) currency: Currency,
    pub(super) amount: U256,
    pub(super) started_at: EthHeight,
    pub(super) exitable_at_s: u64,
    is_challenged: bool,
    is_finalized: bool,
}

#[cfg(test)]
impl SeenExit {
    /// Of nothing much.
    pub(super) fn of(position: UtxoPos, exit_id: ExitId) -> Self {
        Self {
            exit_id,
            owner: Address::zero(),
            position,
            currency: Address::zero(),
            amount: U256::one(),
            started_at: EthHeight::new(1),
            exitable_at_s: 1,
            is_challenged: false,
            is_finalized: false,
        }
    }
}

/// Follows exits through events in chain order. An exit that starts again takes the place of the one before.
pub(super) fn follow(events: &[EthEvent]) -> Vec<SeenExit> {
    let mut by_position = BTreeMap::<UtxoPos, SeenExit>::new();
    for event in events {
        match &event.event {
            RootChainEvent::ExitStarted { owner, exit_id, position, output_tx, exitable_at_s } => {
                let Some((currency, amount)) = output(output_tx, *position) else { continue };
                let seen = SeenExit {
                    exit_id: *exit_id,
                    owner: *owner,
                    position: *position,
                    currency,
                    amount,
                    started_at: event.eth_height,
                    exitable_at_s: *exitable_at_s,
                    is_challenged: false,
                    is_finalized: false,
                };
                by_position.insert(*position, seen);
            }
            RootChainEvent::ExitChallenged { position } => {
                if let Some(exit) = by_position.get_mut(position) {
                    exit.is_challenged = true;
                }
            }
            RootChainEvent::ExitFinalized { exit_id } => {
                let paid = by_position.values_mut().find(|exit| exit.exit_id == *exit_id);
                if let Some(exit) = paid {
                    exit.is_finalized = true;
                }
            }
            // Of standard exits only; nothing else was asked for.
            _ => {}
        }
    }
    by_position.into_values().collect()
}

/// Currency and amount of an exiting output. The contracts start no exit of a transaction without it.
fn output(output_tx: &[u8], position: UtxoPos) -> Option<(Currency, U256)> {
    let tx = Transaction::decode_unsigned(output_tx).ok()?;
    let output = tx.outputs().get(usize::from(position.oindex.get()))?;
    Some((output.currency, output.amount))
}

/// The clock of the root chain: its newest block, and how fast blocks come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EthClock {
    pub(super) eth_height: EthHeight,
    pub(super) now_s: u64,
    /// Seconds between two blocks, on average, in thousandths.
    pub(super) block_time_ms: u64,
}

impl EthClock {
    /// From the newest block and an older one.
    pub(super) fn new(newest: (EthHeight, u64), older: (EthHeight, u64)) -> Self {
        let blocks = newest.0.get().saturating_sub(older.0.get());
        let elapsed_ms = newest.1.saturating_sub(older.1).saturating_mul(1_000);
        let block_time_ms = elapsed_ms.checked_div(blocks).unwrap_or_default().max(1);
        Self { eth_height: newest.0, now_s: newest.1, block_time_ms }
    }

    /// Seconds until strictly after this time, and the block that it will probably be in.
    pub(super) fn eta(&self, exitable_at_s: u64) -> (u64, EthHeight) {
        let after = exitable_at_s.saturating_add(1);
        let wait_s = after.saturating_sub(self.now_s);
        let blocks = wait_s.saturating_mul(1_000).div_ceil(self.block_time_ms);
        (wait_s, self.eth_height.plus(blocks))
    }
}

impl SeenExit {
    /// The phase. `record` is what the contract still keeps: nothing, once the exit is over.
    pub(super) fn phase(&self, record: Option<&StandardExitRecord>, now_s: u64) -> ExitPhase {
        match record {
            _ if self.is_finalized => ExitPhase::Paid,
            _ if self.is_challenged => ExitPhase::Challenged,
            None => ExitPhase::Omitted,
            Some(record) if !record.exitable => ExitPhase::Challenged,
            Some(_) if now_s > self.exitable_at_s => ExitPhase::Due,
            Some(_) => ExitPhase::Waiting,
        }
    }

    /// Everything there is to say.
    pub(super) fn view(
        &self,
        record: Option<&StandardExitRecord>,
        clock: &EthClock,
        place: Option<usize>,
        denomination: &Denomination,
    ) -> ExitView {
        let phase = self.phase(record, clock.now_s);
        let (eta_s, eta_eth_height) = clock.eta(self.exitable_at_s);
        let currency = currency_flag(self.currency);
        let next = match phase {
            ExitPhase::Waiting => format!(
                "wait {}, until about root chain block {eta_eth_height}; do not spend the output meanwhile",
                view::duration(eta_s)
            ),
            ExitPhase::Due => format!("`penning wallet exit process --currency {currency}`"),
            ExitPhase::Challenged => "nothing: the bond went to the challenger".to_owned(),
            ExitPhase::Paid => "nothing: the money is on the root chain".to_owned(),
            ExitPhase::Omitted => {
                "nothing: the output had left before; the bond came back".to_owned()
            }
        };
        let is_open = matches!(phase, ExitPhase::Waiting | ExitPhase::Due);
        ExitView {
            exit_id: self.exit_id,
            owner: self.owner,
            output: self.position.into(),
            amount: AmountView::new(denomination, self.amount),
            phase,
            started_eth_height: self.started_at.get(),
            exitable_at_s: self.exitable_at_s,
            eta_s: is_open.then_some(eta_s),
            eta_eth_height: is_open.then_some(eta_eth_height.get()),
            place_in_queue: place,
            bond: record.map(|record| AmountView::wei(record.bond_wei)),
            next,
        }
    }
}

/// How a currency is written on the command line.
pub(super) fn currency_flag(currency: Currency) -> String {
    if currency == plasma_core::wire::ETH { "eth".to_owned() } else { view::address(currency) }
}

/// An exit as it is shown.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ExitView {
    #[serde(serialize_with = "digits")]
    exit_id: ExitId,
    #[serde(with = "hex")]
    owner: Address,
    output: PositionView,
    amount: AmountView,
    pub(super) phase: ExitPhase,
    started_eth_height: u64,
    exitable_at_s: u64,
    eta_s: Option<u64>,
    eta_eth_height: Option<u64>,
    /// 1 leaves next.
    place_in_queue: Option<usize>,
    bond: Option<AmountView>,
    next: String,
}

impl From<ExitView> for ExitLine {
    fn from(view: ExitView) -> Self {
        let (phase, step) = match view.phase {
            ExitPhase::Waiting => ("waiting", Step::Wait),
            ExitPhase::Due => ("due", Step::Process),
            ExitPhase::Challenged => ("challenged", Step::Nothing),
            ExitPhase::Paid => ("paid", Step::Nothing),
            ExitPhase::Omitted => ("omitted", Step::Nothing),
        };
        let place = view.place_in_queue.and_then(|place| u64::try_from(place).ok());
        let currency = view.amount.currency();
        Self {
            exit_id: view.exit_id,
            kind: ExitKind::Standard.name().to_owned(),
            phase: phase.to_owned(),
            is_over: step == Step::Nothing,
            output: Some(view.output),
            txhash: None,
            amount: Some(view.amount),
            slots: Vec::new(),
            started_eth_height: view.started_eth_height,
            exitable_at_s: Some(view.exitable_at_s),
            eta_s: view.eta_s,
            eta_eth_height: view.eta_eth_height,
            queue: place.map(|place| PlaceLine { currency, place, of: None }).into_iter().collect(),
            windows: Vec::new(),
            bond: view.bond,
            next: step.name().to_owned(),
            advice: view.next,
            cost: None,
        }
    }
}

impl fmt::Display for ExitView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            ExitPhase::Waiting => "waiting",
            ExitPhase::Due => "due",
            ExitPhase::Challenged => "challenged",
            ExitPhase::Paid => "paid",
            ExitPhase::Omitted => "left the queue unpaid",
        };
        write!(f, "{} {phase}: {}", self.output, self.amount)?;
        if let Some(bond) = &self.bond {
            write!(f, ", bond {bond}")?;
        }
        if let Some(place) = self.place_in_queue {
            write!(f, ", number {place} in the queue")?;
        }
        write!(
            f,
            "\n  exit {}, started in root chain block {}",
            self.exit_id, self.started_eth_height
        )?;
        write!(f, "\n  next: {}", self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{Blknum, ETH, H256};

    fn position() -> UtxoPos {
        UtxoPos::deposit(Blknum::new(1))
    }

    fn id(number: u64) -> ExitId {
        ExitId::from_u256(number.into())
    }

    fn event(eth_height: u64, event: RootChainEvent) -> EthEvent {
        EthEvent {
            eth_height: EthHeight::new(eth_height),
            eth_block_hash: H256::zero(),
            root_chain_txhash: H256::zero(),
            log_index: 0,
            event,
        }
    }

    fn started(eth_height: u64) -> EthEvent {
        let owner = Address::repeat_byte(1);
        let tx = Transaction::deposit(owner, ETH, U256::from(5)).encode_unsigned();
        let output_tx = tx.into_boxed_slice();
        event(
            eth_height,
            RootChainEvent::ExitStarted {
                owner,
                exit_id: id(9),
                position: position(),
                output_tx,
                exitable_at_s: 1_000,
            },
        )
    }

    fn record(exitable: bool) -> StandardExitRecord {
        StandardExitRecord {
            exitable,
            position: position(),
            output_id: H256::zero(),
            exitor: Address::repeat_byte(1),
            amount: U256::from(5),
            bond_wei: U256::from(7),
        }
    }

    #[test]
    fn exits_go_through_their_phases() {
        let challenged = event(6, RootChainEvent::ExitChallenged { position: position() });
        let paid = event(6, RootChainEvent::ExitFinalized { exit_id: id(9) });
        let (open, closed) = (record(true), record(false));
        for (events, record, now_s, expected) in [
            (vec![started(5)], Some(&open), 1_000, ExitPhase::Waiting),
            (vec![started(5)], Some(&open), 1_001, ExitPhase::Due),
            (vec![started(5)], Some(&closed), 1, ExitPhase::Challenged),
            (vec![started(5)], None, 2_000, ExitPhase::Omitted),
            (vec![started(5), challenged.clone()], None, 2_000, ExitPhase::Challenged),
            (vec![started(5), paid], None, 2_000, ExitPhase::Paid),
            (vec![started(5), challenged, started(7)], Some(&open), 1, ExitPhase::Waiting),
        ] {
            let exits = follow(&events);
            let phases: Vec<_> = exits.iter().map(|exit| exit.phase(record, now_s)).collect();
            assert_eq!(phases, [expected], "{events:?}");
        }
        assert!(follow(&[]).is_empty());
    }

    #[test]
    fn the_time_until_an_exit_is_due_is_told_in_seconds_and_blocks() {
        let clock = EthClock::new((EthHeight::new(200), 900), (EthHeight::new(100), 700));
        assert_eq!(clock.block_time_ms, 2_000);
        for (exitable_at_s, expected) in
            [(1_000, (101, 251)), (899, (0, 200)), (900, (1, 201)), (0, (0, 200))]
        {
            let (wait_s, height) = clock.eta(exitable_at_s);
            assert_eq!((wait_s, height.get()), expected);
        }
        let young = EthClock::new((EthHeight::new(1), 5), (EthHeight::new(1), 5));
        assert_eq!(young.block_time_ms, 1, "a chain of one block has no pace");
    }

    #[test]
    fn views_have_a_stable_shape_and_a_next_step() {
        let clock = EthClock::new((EthHeight::new(200), 900), (EthHeight::new(100), 700));
        let exits = follow(&[started(5)]);
        let view = exits[0].view(Some(&record(true)), &clock, Some(1), &Denomination::eth());
        let json = serde_json::to_value(&view).unwrap();
        for (pointer, expected) in [
            ("/exit_id", "9"),
            ("/phase", "waiting"),
            ("/bond/amount", "7"),
            ("/amount/amount", "5"),
        ] {
            assert_eq!(json.pointer(pointer).unwrap(), expected, "{pointer}");
        }
        assert_eq!(
            (json["eta_s"].as_u64(), json["eta_eth_height"].as_u64()),
            (Some(101), Some(251))
        );
        assert!(view.to_string().contains("next: wait 1 min 41 s"), "{view}");
        let paid = exits[0].view(None, &clock, None, &Denomination::eth());
        assert_eq!(serde_json::to_value(&paid).unwrap()["eta_s"], serde_json::Value::Null);
    }
}
