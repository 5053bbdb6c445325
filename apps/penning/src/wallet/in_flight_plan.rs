//! Which inputs and outputs of an in-flight exit an account joins with, and what that may bring.
//!
//! Nobody knows beforehand which side will be paid: outputs if the payment counts as canonical, inputs if a competitor is older. So,
//! unless it is told otherwise, a wallet joins with everything its account owns: a bond on the wrong side comes back, too, and change
//! that was not piggybacked would be lost. What was spent is left out: whoever shows the spend takes its bond, and the contract would
//! take the same bond again from whoever joined again.

use super::in_flight_start::check_share;
use super::remedies::SlotName;
use crate::failure::Failure;
use plasma_core::exit_concierge::SlotPhase;
use plasma_core::root_chain::{PiggybackSide, PiggybackSlot};
use plasma_core::wire::{Address, Currency};
use plasma_eth::{InFlightExitRecord, InFlightShareRecord};
use plasma_rpc::watcher::ExitSlot;
use std::collections::BTreeSet;

/// An input or output to join with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Joining {
    pub(super) slot: PiggybackSlot,
    pub(super) share: InFlightShareRecord,
}

/// Why a bond would be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Something else spent it.
    Spent,
    /// It joined before, and its spend was shown to the contract.
    Blocked,
}

/// What the owner joins with: what was chosen, else everything that is his and has not joined yet. Outputs come first: those of an
/// honest payment are paid.
pub(super) fn plan(
    record: &InFlightExitRecord,
    owner: Address,
    chosen: &[PiggybackSlot],
) -> Result<Vec<Joining>, Failure> {
    if chosen.is_empty() {
        let of_owner = all_shares(record).filter(|joining| joining.share.exit_target == owner);
        return Ok(of_owner.filter(|joining| !record.is_piggybacked(joining.slot)).collect());
    }
    let mut joinings: Vec<Joining> = Vec::new();
    for slot in chosen {
        let name = SlotName(*slot);
        let share = record.share(*slot);
        check_share(*slot, share.map(|share| share.exit_target), owner)?;
        if record.is_piggybacked(*slot) {
            let message = format!("{name} takes part in the exit already");
            return Err(Failure::new("in_flight_exit:piggybacked_before", message));
        }
        let is_known = joinings.iter().any(|joining| joining.slot == *slot);
        joinings.extend(
            share.filter(|_| !is_known).map(|share| Joining { slot: *slot, share: *share }),
        );
    }
    Ok(joinings)
}

/// Parts what may be paid from what cannot, as the watcher knows it.
pub(super) fn split_lost(
    joinings: Vec<Joining>,
    slots: &[ExitSlot],
) -> (Vec<Joining>, Vec<(PiggybackSlot, Loss)>) {
    let loss = |slot: PiggybackSlot| {
        let side = match slot.side {
            PiggybackSide::Input => "input",
            PiggybackSide::Output => "output",
        };
        let told = slots.iter().find(|told| told.side == side && told.index == slot.index)?;
        match SlotPhase::from_name(&told.phase)? {
            SlotPhase::Spent | SlotPhase::Invalid => Some(Loss::Spent),
            SlotPhase::Blocked => Some(Loss::Blocked),
            _ => None,
        }
    };
    let (lost, rest): (Vec<_>, Vec<_>) =
        joinings.into_iter().partition(|joining| loss(joining.slot).is_some());
    let lost = lost.into_iter().filter_map(|joining| Some((joining.slot, loss(joining.slot)?)));
    (rest, lost.collect())
}

/// The queues in which an exit waits, by what takes part in it now.
pub(super) fn joined_currencies(record: &InFlightExitRecord) -> BTreeSet<Currency> {
    let joined = all_shares(record).filter(|joining| record.is_piggybacked(joining.slot));
    joined.map(|joining| joining.share.currency).collect()
}

/// When a share is paid, in words.
pub(super) const fn paid_if(side: PiggybackSide) -> &'static str {
    match side {
        PiggybackSide::Input => {
            "paid if an older payment that spends the same was shown (then no output is)"
        }
        PiggybackSide::Output => {
            "paid if no older payment that spends the same was shown (then no input is)"
        }
    }
}

fn all_shares(record: &InFlightExitRecord) -> impl Iterator<Item = Joining> + '_ {
    let slots = (0..u16::MAX).map(PiggybackSlot::output).zip(&record.outputs);
    let slots = slots.chain((0..u16::MAX).map(PiggybackSlot::input).zip(&record.inputs));
    slots.map(|(slot, share)| Joining { slot, share: *share })
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{Blknum, ETH, H256, U256, UtxoPos};
    use plasma_eth::OldestCompetitor;

    const ALICE: Address = Address::repeat_byte(1);
    const BOB: Address = Address::repeat_byte(2);

    fn share(exit_target: Address) -> InFlightShareRecord {
        InFlightShareRecord {
            output_id: H256::repeat_byte(1),
            exit_target,
            currency: ETH,
            amount: U256::one(),
            piggyback_bond_wei: U256::zero(),
        }
    }

    /// Alice pays Bob with two inputs, the second of which takes part already, and gets change.
    fn record() -> InFlightExitRecord {
        InFlightExitRecord {
            is_canonical: true,
            started_at_s: 1,
            exit_map: U256::from(0b10),
            position: UtxoPos::deposit(Blknum::new(1)),
            inputs: vec![share(ALICE), share(ALICE)],
            outputs: vec![share(BOB), share(ALICE)],
            bond_owner: BOB,
            bond_wei: U256::one(),
            oldest_competitor: OldestCompetitor::None,
        }
    }

    #[test]
    fn an_account_joins_with_all_that_is_its_own_or_with_what_it_chose() {
        let (input, output) = (PiggybackSlot::input, PiggybackSlot::output);
        for (owner, chosen, expected) in [
            (ALICE, vec![], vec![output(1), input(0)]),
            (BOB, vec![], vec![output(0)]),
            (Address::zero(), vec![], vec![]),
            (ALICE, vec![output(1)], vec![output(1)]),
            (ALICE, vec![output(1), output(1), input(0)], vec![output(1), input(0)]),
        ] {
            let planned = plan(&record(), owner, &chosen).unwrap();
            let slots: Vec<_> = planned.iter().map(|joining| joining.slot).collect();
            assert_eq!(slots, expected, "{owner:?} {chosen:?}");
        }
        assert_eq!(joined_currencies(&record()), [ETH].into());
        let alone = InFlightExitRecord { exit_map: U256::zero(), ..record() };
        assert_eq!(joined_currencies(&alone), [].into());
        for (chosen, expected) in [
            (output(0), "output 0 belongs to 0x0202020202020202020202020202020202020202"),
            (input(1), "input 1 takes part in the exit already"),
            (input(2), "the payment has no input 2"),
        ] {
            let error = plan(&record(), ALICE, &[chosen]).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn what_was_spent_or_blocked_does_not_join_unasked() {
        let (input, output) = (PiggybackSlot::input, PiggybackSlot::output);
        let told = |side: &str, index, phase: SlotPhase| ExitSlot {
            side: side.to_owned(),
            index,
            owner: ALICE,
            currency: ETH,
            amount: U256::one(),
            phase: phase.name().to_owned(),
            exitable_at_s: None,
        };
        use SlotPhase as P;
        for (slots, joins, lost) in [
            (vec![], vec![output(1), input(0)], vec![]),
            (
                vec![told("input", 0, P::Open), told("output", 1, P::Missed)],
                vec![output(1), input(0)],
                vec![],
            ),
            (
                vec![told("input", 0, P::Spent), told("output", 1, P::Open)],
                vec![output(1)],
                vec![(input(0), Loss::Spent)],
            ),
            (
                vec![told("output", 0, P::Spent), told("output", 1, P::Blocked)],
                vec![input(0)],
                vec![(output(1), Loss::Blocked)],
            ),
        ] {
            let planned = plan(&record(), ALICE, &[]).unwrap();
            let (rest, left_out) = split_lost(planned, &slots);
            assert_eq!(rest.iter().map(|joining| joining.slot).collect::<Vec<_>>(), joins);
            assert_eq!(left_out, lost, "{slots:?}");
        }
    }
}
