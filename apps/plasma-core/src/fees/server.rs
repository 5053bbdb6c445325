//! Which fees are accepted now: the current specification, and the one before it until its buffer is over (protocol 3.3).

use super::{AcceptedFees, FeeSpecs, FeeTolerance};

/// The fee server's decisions. Time is an argument; the shell watches the file.
#[derive(Clone, Debug)]
pub struct FeeServer {
    buffer_ms: u64,
    tolerance: FeeTolerance,
    current: FeeSpecs,
    previous: Option<Previous>,
    accepted: AcceptedFees,
}

#[derive(Clone, Debug)]
struct Previous {
    specs: FeeSpecs,
    accepted_until_ms: u64,
}

impl FeeServer {
    /// Starts with a specification and no memory of an older one: a restart ends any running buffer.
    pub fn new(specs: FeeSpecs, buffer_ms: u64, tolerance: FeeTolerance) -> Self {
        let accepted = AcceptedFees::merged(&specs, None).tolerating(tolerance);
        Self { buffer_ms, tolerance, current: specs, previous: None, accepted }
    }

    /// A specification was loaded; returns whether it differs. What was current stays accepted for the buffer from now on, and
    /// what was accepted before that no longer is.
    pub fn on_loaded(&mut self, specs: FeeSpecs, now_ms: u64) -> bool {
        if specs == self.current {
            return false;
        }
        let replaced = std::mem::replace(&mut self.current, specs);
        self.previous = Some(Previous {
            specs: replaced,
            accepted_until_ms: now_ms.saturating_add(self.buffer_ms),
        });
        self.merge();
        true
    }

    /// Time passed: an old specification stops being accepted when its buffer is over. Returns whether it just did.
    pub fn on_tick(&mut self, now_ms: u64) -> bool {
        let over =
            self.previous.as_ref().is_some_and(|previous| now_ms >= previous.accepted_until_ms);
        if over {
            self.previous = None;
            self.merge();
        }
        over
    }

    /// What the operator asks, for `fees.all`.
    pub const fn current(&self) -> &FeeSpecs {
        &self.current
    }

    /// What transactions may pay.
    pub const fn accepted(&self) -> &AcceptedFees {
        &self.accepted
    }

    fn merge(&mut self) {
        self.accepted = AcceptedFees::merged(
            &self.current,
            self.previous.as_ref().map(|previous| &previous.specs),
        )
        .tolerating(self.tolerance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fees::FeeSpec;
    use crate::wire::{Currency, ETH, TxType, U256};

    const TOKEN: Currency = primitive_types::H160([1; 20]);

    fn specs(fees: &[(Currency, u64)]) -> FeeSpecs {
        let spec = |amount: u64| FeeSpec {
            amount: amount.into(),
            subunit_to_unit: U256::one(),
            pegged: None,
            updated_at: "2019-01-01T10:10:00+00:00".into(),
        };
        [(1, fees.iter().map(|(currency, amount)| (*currency, spec(*amount))).collect())]
            .into_iter()
            .collect()
    }

    fn amounts(server: &FeeServer, currency: Currency) -> Vec<u64> {
        let accepted = server.accepted().of(TxType::Payment).unwrap();
        accepted
            .get(&currency)
            .map_or_else(Vec::new, |listed| listed.iter().map(U256::low_u64).collect())
    }

    #[test]
    fn the_old_fee_is_accepted_until_its_buffer_is_over() {
        let mut server =
            FeeServer::new(specs(&[(ETH, 1), (TOKEN, 5)]), 30_000, FeeTolerance::default());
        assert!(server.on_loaded(specs(&[(ETH, 2)]), 1_000));
        assert_eq!((amounts(&server, ETH), amounts(&server, TOKEN)), (vec![2, 1], vec![5]));
        assert!(!server.on_tick(30_999));
        assert!(server.on_tick(31_000));
        assert_eq!((amounts(&server, ETH), amounts(&server, TOKEN)), (vec![2], vec![]));
        assert!(!server.on_tick(31_001));
    }

    #[test]
    fn a_second_change_restarts_the_buffer_and_forgets_the_first_fee() {
        let mut server = FeeServer::new(specs(&[(ETH, 1)]), 30_000, FeeTolerance::default());
        server.on_loaded(specs(&[(ETH, 2)]), 0);
        server.on_loaded(specs(&[(ETH, 3)]), 20_000);
        assert_eq!(amounts(&server, ETH), [3, 2]);
        assert!(!server.on_tick(30_000));
        assert!(server.on_tick(50_000));
        assert_eq!(amounts(&server, ETH), [3]);
    }

    #[test]
    fn the_same_specification_again_changes_nothing() {
        let mut server = FeeServer::new(specs(&[(ETH, 1)]), 30_000, FeeTolerance::default());
        assert!(!server.on_loaded(specs(&[(ETH, 1)]), 0));
        assert_eq!(amounts(&server, ETH), [1]);
    }
}
