//! What a transaction offers: the market's price at first, and more the longer it waits and the nearer its deadline is (`S6`).
//!
//! It must never offer more than the ceiling, nor raise an offer by less than nodes ask of a replacement.

use super::duty::Urgency;
use crate::root_chain::{FeeQuote, GasFees};

/// The first offer, or `None` when the ceiling is below what the next block takes.
pub(super) fn first(quote: &FeeQuote, urgency: Urgency, ceiling: u128) -> Option<GasFees> {
    (ceiling >= price(quote)).then(|| {
        let market = market(quote, urgency);
        let max_fee_per_gas_wei = market.max_fee_per_gas_wei.min(ceiling);
        let tip = market.max_priority_fee_per_gas_wei.min(max_fee_per_gas_wei);
        GasFees { max_fee_per_gas_wei, max_priority_fee_per_gas_wei: tip }
    })
}

/// An offer that takes the place of another, or `None` when the ceiling does not allow one.
pub(super) fn raised(
    old: GasFees,
    quote: &FeeQuote,
    urgency: Urgency,
    ceiling: u128,
) -> Option<GasFees> {
    let market = market(quote, urgency);
    let least = bumped(old.max_fee_per_gas_wei, 1);
    (least <= ceiling).then(|| {
        let step = match urgency {
            Urgency::Calm => 1,
            Urgency::Pressing => 2,
            Urgency::Critical => 8,
        };
        let max = bumped(old.max_fee_per_gas_wei, step).max(market.max_fee_per_gas_wei);
        let tip =
            bumped(old.max_priority_fee_per_gas_wei, step).max(market.max_priority_fee_per_gas_wei);
        let max = max.min(ceiling);
        GasFees { max_fee_per_gas_wei: max, max_priority_fee_per_gas_wei: tip.min(max) }
    })
}

/// Whether a block with this price could take the offer.
pub(super) const fn is_payable(fees: GasFees, quote: &FeeQuote) -> bool {
    fees.max_fee_per_gas_wei >= price(quote)
}

const fn price(quote: &FeeQuote) -> u128 {
    quote.base_fee_per_gas_wei.saturating_add(quote.priority_fee_per_gas_wei)
}

fn market(quote: &FeeQuote, urgency: Urgency) -> GasFees {
    let tips = match urgency {
        Urgency::Calm => 1,
        Urgency::Pressing => 2,
        Urgency::Critical => 4,
    };
    let priority_fee_per_gas_wei = quote.priority_fee_per_gas_wei.saturating_mul(tips);
    FeeQuote { priority_fee_per_gas_wei, ..*quote }.generous()
}

/// More by some eighths, rounded up, and by at least one wei.
fn bumped(wei: u128, eighths: u128) -> u128 {
    wei.saturating_add(wei.div_ceil(8).saturating_mul(eighths).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Urgency::{Calm, Critical, Pressing};
    use proptest::prelude::*;

    fn quote(base: u128, tip: u128) -> FeeQuote {
        FeeQuote { base_fee_per_gas_wei: base, priority_fee_per_gas_wei: tip }
    }

    fn fees((max, tip): (u128, u128)) -> GasFees {
        GasFees { max_fee_per_gas_wei: max, max_priority_fee_per_gas_wei: tip }
    }

    #[test]
    fn a_first_offer_is_the_market_with_a_tip_that_grows_towards_the_deadline() {
        let check = |urgency, ceiling, expected: Option<(u128, u128)>| {
            let offer = first(&quote(100, 4), urgency, ceiling);
            assert_eq!(offer, expected.map(fees), "{urgency:?} {ceiling}");
        };
        check(Calm, 1_000, Some((204, 4)));
        check(Pressing, 1_000, Some((208, 8)));
        check(Critical, 1_000, Some((216, 16)));
        check(Critical, 150, Some((150, 16)));
        check(Calm, 104, Some((104, 4)));
        check(Calm, 103, None);
    }

    #[test]
    fn a_raised_offer_grows_faster_towards_the_deadline() {
        let check = |old, urgency, ceiling, expected: Option<(u128, u128)>| {
            let offer = raised(fees(old), &quote(10, 1), urgency, ceiling);
            assert_eq!(offer, expected.map(fees), "{old:?} {urgency:?} {ceiling}");
        };
        check((200, 4), Calm, 1_000, Some((225, 5)));
        check((200, 4), Pressing, 1_000, Some((250, 6)));
        check((200, 4), Critical, 1_000, Some((400, 12)));
        check((200, 4), Critical, 300, Some((300, 12)));
        check((200, 4), Critical, 225, Some((225, 12)));
        check((200, 4), Critical, 224, None);
        check((2, 0), Calm, 1_000, Some((21, 1)));
    }

    proptest! {
        #[test]
        fn a_replacement_adds_an_eighth_and_stays_below_the_ceiling(
            base in 0..2_000_u128, tip in 0..2_000_u128, max in 0..2_000_u128, old_tip in 0..2_000_u128,
            ceiling in 0..4_000_u128, urgency in prop::sample::select(vec![Calm, Pressing, Critical]),
        ) {
            let old = fees((max, old_tip.min(max)));
            if let Some(new) = raised(old, &quote(base, tip), urgency, ceiling) {
                prop_assert!(new.max_fee_per_gas_wei <= ceiling);
                prop_assert!(new.max_priority_fee_per_gas_wei <= new.max_fee_per_gas_wei);
                prop_assert!(new.max_fee_per_gas_wei * 8 >= old.max_fee_per_gas_wei * 9);
                prop_assert!(new.max_priority_fee_per_gas_wei * 8 >= old.max_priority_fee_per_gas_wei * 9);
            }
            if let Some(new) = first(&quote(base, tip), urgency, ceiling) {
                prop_assert!(new.max_fee_per_gas_wei <= ceiling && is_payable(new, &quote(base, tip)));
            }
        }
    }
}
