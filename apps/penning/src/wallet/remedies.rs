//! What has to be shown to the contract about an in-flight exit, from what the watcher reports.
//!
//! It must never ask for more than the watcher reports: each remedy answers one event, and whether it still can be played is for the
//! contract to say.

use plasma_core::root_chain::PiggybackSlot;
use plasma_rpc::watcher::ByzantineEvent;
use std::collections::BTreeSet;
use std::fmt;

/// One thing to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remedy {
    /// The spend of a piggybacked input or output.
    Spend(PiggybackSlot),
    /// An older competitor: possible in the first half of the exit period only.
    Competitor,
    /// Where the payment is included.
    Inclusion,
}

impl Remedy {
    /// The stable name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Spend(_) => "spend",
            Self::Competitor => "competitor",
            Self::Inclusion => "inclusion",
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spend(slot) => write!(f, "the spend of {}", SlotName(*slot)),
            Self::Competitor => {
                f.write_str("another payment that spends the same, and counts as older")
            }
            Self::Inclusion => f.write_str("where the payment is included"),
        }
    }
}

/// An input or output in words.
pub(super) struct SlotName(pub(super) PiggybackSlot);

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use plasma_core::root_chain::PiggybackSide as Side;
        let side = match self.0.side {
            Side::Input => "input",
            Side::Output => "output",
        };
        write!(f, "{side} {}", self.0.index)
    }
}

/// What is to be shown about the exit of this payment; nothing when nothing is wrong. Spends come first: they are never too late.
pub(super) fn remedies(events: &[ByzantineEvent], in_flight_tx: &[u8]) -> BTreeSet<Remedy> {
    let mut remedies = BTreeSet::new();
    for event in events {
        match event {
            ByzantineEvent::NonCanonicalIfe(event)
            | ByzantineEvent::UnchallengedNonCanonicalIfe(event)
                if event.txbytes == in_flight_tx =>
            {
                remedies.insert(Remedy::Competitor);
            }
            ByzantineEvent::InvalidIfeChallenge(event) if event.txbytes == in_flight_tx => {
                remedies.insert(Remedy::Inclusion);
            }
            ByzantineEvent::InvalidPiggyback(event)
            | ByzantineEvent::UnchallengedPiggyback(event)
                if event.txbytes == in_flight_tx =>
            {
                remedies
                    .extend(event.inputs.iter().map(|i| Remedy::Spend(PiggybackSlot::input(*i))));
                remedies
                    .extend(event.outputs.iter().map(|i| Remedy::Spend(PiggybackSlot::output(*i))));
            }
            _ => {}
        }
    }
    remedies
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_rpc::watcher::{
        AvailablePiggyback, InFlightExitEvent, PiggybackAvailable, PiggybackEvent,
    };

    const TX: &[u8] = b"in flight";

    fn exit(txbytes: &[u8]) -> InFlightExitEvent {
        InFlightExitEvent { txbytes: txbytes.to_vec() }
    }

    fn piggybacks(txbytes: &[u8], inputs: &[u16], outputs: &[u16]) -> PiggybackEvent {
        PiggybackEvent {
            txbytes: txbytes.to_vec(),
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
        }
    }

    #[test]
    fn each_event_has_its_remedy_once() {
        use ByzantineEvent as E;
        let (input, output) = (PiggybackSlot::input, PiggybackSlot::output);
        let available = PiggybackAvailable {
            txbytes: TX.to_vec(),
            available_inputs: vec![AvailablePiggyback { index: 0, address: Default::default() }],
            available_outputs: vec![],
        };
        for (events, expected) in [
            (vec![], vec![]),
            (vec![E::PiggybackAvailable(available)], vec![]),
            (vec![E::NonCanonicalIfe(exit(b"another"))], vec![]),
            (vec![E::InvalidPiggyback(piggybacks(b"another", &[0], &[0]))], vec![]),
            (
                vec![E::NonCanonicalIfe(exit(TX)), E::UnchallengedNonCanonicalIfe(exit(TX))],
                vec![Remedy::Competitor],
            ),
            (vec![E::InvalidIfeChallenge(exit(TX))], vec![Remedy::Inclusion]),
            (
                vec![
                    E::NonCanonicalIfe(exit(TX)),
                    E::InvalidPiggyback(piggybacks(TX, &[0, 3], &[1])),
                    E::UnchallengedPiggyback(piggybacks(TX, &[0], &[])),
                ],
                vec![
                    Remedy::Spend(input(0)),
                    Remedy::Spend(input(3)),
                    Remedy::Spend(output(1)),
                    Remedy::Competitor,
                ],
            ),
        ] {
            let found: Vec<_> = remedies(&events, TX).into_iter().collect();
            assert_eq!(found, expected, "{events:?}");
        }
        assert_eq!(Remedy::Spend(output(1)).to_string(), "the spend of output 1");
    }
}
