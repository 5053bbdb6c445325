//! The next step as a sentence: what to do, with the command that does it.

use super::{Eta, ExitPhase, Step};
use crate::root_chain::{PiggybackSide, PiggybackSlot};
use crate::wire::{Currency, ETH, TxHash, UtxoPos};

/// What a sentence is made of.
pub(super) struct Told {
    pub(super) phase: ExitPhase,
    pub(super) next: Step,
    pub(super) eta: Option<Eta>,
    /// Of an in-flight exit.
    pub(super) tx_hash: Option<TxHash>,
    /// Of a standard exit.
    pub(super) position: Option<UtxoPos>,
    /// What waits to be paid, the next one first.
    pub(super) currencies: Vec<Currency>,
    /// What can join and be paid.
    pub(super) slots: Vec<PiggybackSlot>,
}

/// Commands in it are those of the wallet.
pub(super) fn sentence(told: &Told) -> String {
    let position = told.position.map(|position| position.to_string()).unwrap_or_default();
    let tx = told.tx_hash.map(|tx_hash| format!("{tx_hash:?}")).unwrap_or_default();
    let block = told.eta.map_or_else(
        || "later".to_owned(),
        |eta| format!("in {} s, about root chain block {}", eta.wait_s, eta.eth_height),
    );
    match told.next {
        Step::Wait if told.phase == ExitPhase::Superseded => {
            format!("nothing to do: the output left with another exit; the bond comes back {block}")
        }
        Step::Wait if told.tx_hash.is_some() && told.eta.is_none() => {
            "wait: owners may still join".to_owned()
        }
        Step::Wait => format!("wait: it is due {block}; do not spend what leaves meanwhile"),
        Step::PiggybackInput | Step::PiggybackOutput => {
            format!(
                "join the exit, or nothing is paid to you: `penning wallet exit piggyback --exit {tx}{}`",
                told.slots.iter().map(flag).collect::<String>()
            )
        }
        Step::Challenge => {
            format!(
                "its output was spent: earn its bond with `penning wallet challenge {position}`"
            )
        }
        Step::ChallengeCanonicity => {
            format!("a competitor spends its inputs: show it with `penning wallet challenge {tx}`")
        }
        Step::ChallengePiggyback => {
            format!("somebody joined with what was spent: `penning wallet challenge {tx}`")
        }
        Step::Respond => {
            format!(
                "the transaction was included first: show where with `penning wallet challenge {tx}`"
            )
        }
        Step::Process => {
            let currency = told.currencies.first().copied().unwrap_or(ETH);
            let currency = if currency == ETH { "eth".to_owned() } else { format!("{currency:?}") };
            format!("have it paid: `penning wallet exit process --currency {currency}`")
        }
        Step::Delete => {
            format!(
                "nobody joined: get the bond back with `penning wallet exit delete-in-flight {tx}`"
            )
        }
        Step::Leave if told.phase == ExitPhase::PaidWrongly => {
            "money left that belonged to others: leave the chain with everything".to_owned()
        }
        Step::Leave => "this can not be challenged: leave the chain with everything".to_owned(),
        Step::Nothing => over(told.phase).to_owned(),
    }
}

fn flag(slot: &PiggybackSlot) -> String {
    match slot.side {
        PiggybackSide::Input => format!(" --input {}", slot.index),
        PiggybackSide::Output => format!(" --output {}", slot.index),
    }
}

const fn over(phase: ExitPhase) -> &'static str {
    match phase {
        ExitPhase::Paid => "nothing: the money is on the root chain",
        ExitPhase::Challenged => "nothing: it was challenged, and the bond went to the challenger",
        ExitPhase::Omitted => "nothing: the output had left with another exit; the bond came back",
        ExitPhase::Unpaid => "nothing: it ended without a payment",
        ExitPhase::Deleted => "nothing: nobody joined, and it was deleted",
        ExitPhase::Invalid => "nothing: this output was spent, so whoever shows it takes the bond",
        _ => "nothing",
    }
}
