//! What a submission offers: the market's price at first, and more when it is not mined in time (`Q6`).
//!
//! It must never offer more than the operator allows, and never less than before: a node would refuse that anyway.

use super::{BlockQueueConfig, Queued};
use crate::root_chain::{FeeQuote, GasFees};
use crate::wire::EthHeight;

/// What a replacement has to add for nodes to take it, in eighths: 12.5 %.
const BUMP_EIGHTHS: u128 = 1;

pub(super) fn offer(
    config: &BlockQueueConfig,
    queued: &Queued,
    quote: &FeeQuote,
    eth_height: EthHeight,
) -> GasFees {
    let market = capped(quote.generous(), config);
    let Some(offered) = queued.fees else {
        return market;
    };
    let is_late = eth_height >= queued.raised.plus(config.bump_after_eth_blocks);
    if !is_late && !queued.underpriced {
        return offered;
    }
    let more = GasFees {
        max_fee_per_gas_wei: bumped(offered.max_fee_per_gas_wei).max(market.max_fee_per_gas_wei),
        max_priority_fee_per_gas_wei: bumped(offered.max_priority_fee_per_gas_wei)
            .max(market.max_priority_fee_per_gas_wei),
    };
    // Half a bump would be refused as a replacement, so at the ceiling the offer stays as it is.
    if capped(more, config) == more { more } else { offered }
}

fn capped(fees: GasFees, config: &BlockQueueConfig) -> GasFees {
    let ceiling = u128::from(config.fee_per_gas_wei_max);
    let max_fee_per_gas_wei = fees.max_fee_per_gas_wei.min(ceiling);
    GasFees {
        max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei: fees.max_priority_fee_per_gas_wei.min(max_fee_per_gas_wei),
    }
}

/// An eighth more, rounded up, and at least one wei.
fn bumped(wei: u128) -> u128 {
    wei.saturating_add(wei.div_ceil(8).saturating_mul(BUMP_EIGHTHS).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::BlockHash;
    use proptest::prelude::*;

    const CONFIG: BlockQueueConfig = BlockQueueConfig {
        tick_ms: 1,
        form_every_eth_blocks: 1,
        form_every_ms: 0,
        block_txs_min: 1,
        force_form_after_ms: 0,
        unmined_blocks_max: 10,
        bump_after_eth_blocks: 3,
        fee_per_gas_wei_max: 1_000,
        stalled_after_eth_blocks: 4,
    };

    fn quote(base: u128, tip: u128) -> FeeQuote {
        FeeQuote { base_fee_per_gas_wei: base, priority_fee_per_gas_wei: tip }
    }

    fn queued(fees: Option<(u128, u128)>, raised: u64, underpriced: bool) -> Queued {
        Queued {
            hash: BlockHash::zero(),
            first_offered: None,
            offered: None,
            raised: EthHeight::new(raised),
            fees: fees.map(|(max, tip)| GasFees {
                max_fee_per_gas_wei: max,
                max_priority_fee_per_gas_wei: tip,
            }),
            underpriced,
            doubtful: false,
        }
    }

    fn check(queued: &Queued, quote: FeeQuote, at: u64, expected: (u128, u128)) {
        let fees = offer(&CONFIG, queued, &quote, EthHeight::new(at));
        assert_eq!((fees.max_fee_per_gas_wei, fees.max_priority_fee_per_gas_wei), expected);
    }

    #[test]
    fn an_offer_starts_at_the_market_and_rises_by_an_eighth_when_it_is_late() {
        check(&queued(None, 0, false), quote(100, 2), 10, (202, 2));
        check(&queued(None, 0, false), quote(900, 2), 10, (1_000, 2));
        check(&queued(Some((202, 2)), 10, false), quote(300, 9), 12, (202, 2));
        check(&queued(Some((202, 2)), 10, false), quote(100, 2), 13, (228, 3));
        check(&queued(Some((202, 2)), 10, false), quote(300, 9), 13, (609, 9));
        check(&queued(Some((202, 2)), 10, true), quote(100, 2), 10, (228, 3));
        check(&queued(Some((900, 2)), 10, false), quote(100, 2), 13, (900, 2));
    }

    proptest! {
        #[test]
        fn an_offer_never_falls_and_never_passes_the_ceiling(
            base in 0..2_000_u128, tip in 0..2_000_u128,
            max in 0..1_000_u128, old_tip in 0..1_000_u128, late: bool,
        ) {
            let old = queued(Some((max, old_tip.min(max))), 0, false);
            let fees = offer(&CONFIG, &old, &quote(base, tip), EthHeight::new(if late { 3 } else { 2 }));
            prop_assert!(fees.max_fee_per_gas_wei <= 1_000);
            prop_assert!(fees.max_priority_fee_per_gas_wei <= fees.max_fee_per_gas_wei);
            let old = old.fees.unwrap_or(fees);
            if fees != old {
                prop_assert!(fees.max_fee_per_gas_wei * 8 >= old.max_fee_per_gas_wei * 9);
                prop_assert!(
                    fees.max_priority_fee_per_gas_wei * 8 >= old.max_priority_fee_per_gas_wei * 9
                );
            }
        }
    }
}
