//! Who should have what in the end: everybody's fair share, apart from the gas of their own transactions.
//!
//! Pure. Wealth is what an account has on the root chain: every attack ends with everybody outside of the child chain.

use plasma_core::wire::{SecretKey, U256};
use serde::Serialize;
use std::collections::BTreeMap;

/// The cast. Mallory is the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Person {
    Alice,
    Bob,
    Carol,
    Mallory,
}

impl Person {
    pub(super) const ALL: [Self; 4] = [Self::Alice, Self::Bob, Self::Carol, Self::Mallory];

    pub(super) const fn is_honest(self) -> bool {
        !matches!(self, Self::Mallory)
    }
}

/// Everybody's key.
pub(super) type Keys = BTreeMap<Person, SecretKey>;
/// Everybody's wealth, in wei.
pub(super) type Wealth = BTreeMap<Person, U256>;

/// What happened to whose money.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    before: Wealth,
    received: Wealth,
    paid: Wealth,
    gas: Wealth,
    bonds_to_sentinel: Wealth,
}

/// One person's account in the end, in wei.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) person: Person,
    /// What they had before and what was paid to them, without what they paid.
    pub(super) fair_wei: U256,
    /// Gas of their own transactions.
    pub(super) gas_wei: U256,
    /// Bonds of theirs that the contracts give to whoever defends their exits.
    pub(super) bonds_to_sentinel_wei: U256,
    /// What they have.
    pub(super) after_wei: U256,
}

impl Books {
    /// Opens them with what everybody has.
    pub(super) fn open(before: Wealth) -> Self {
        Self { before, ..Self::default() }
    }

    /// A payment that both of them stand by.
    pub(super) fn pay(&mut self, from: Person, to: Person, amount: U256) {
        add(&mut self.paid, from, amount);
        add(&mut self.received, to, amount);
    }

    /// Gas that somebody paid.
    pub(super) fn gas(&mut self, who: Person, fee_wei: U256) {
        add(&mut self.gas, who, fee_wei);
    }

    /// A bond that goes to whoever answers for the exit.
    pub(super) fn bond_to_sentinel(&mut self, who: Person, bond_wei: U256) {
        add(&mut self.bonds_to_sentinel, who, bond_wei);
    }

    /// Compares them with what everybody has now.
    pub(super) fn close(&self, after: &Wealth) -> Vec<Account> {
        let of = |wealth: &Wealth, who| wealth.get(&who).copied().unwrap_or_default();
        let account = |person| Account {
            person,
            fair_wei: of(&self.before, person)
                .saturating_add(of(&self.received, person))
                .saturating_sub(of(&self.paid, person)),
            gas_wei: of(&self.gas, person),
            bonds_to_sentinel_wei: of(&self.bonds_to_sentinel, person),
            after_wei: of(after, person),
        };
        Person::ALL.map(account).to_vec()
    }
}

impl Account {
    /// Whether every wei is there.
    pub(super) fn is_whole(&self) -> bool {
        let spent = self.gas_wei.saturating_add(self.bonds_to_sentinel_wei);
        self.after_wei.saturating_add(spent) == self.fair_wei
    }

    /// What the person lost, gas included; `None` for who is richer.
    pub(super) fn loss_wei(&self) -> Option<U256> {
        self.fair_wei.checked_sub(self.after_wei)
    }

    /// What the person lost apart from gas; `None` for who is richer.
    pub(super) fn bonds_lost_wei(&self) -> Option<U256> {
        self.loss_wei()?.checked_sub(self.gas_wei)
    }
}

fn add(wealth: &mut Wealth, who: Person, amount: U256) {
    let sum = wealth.entry(who).or_default();
    *sum = sum.saturating_add(amount);
}

#[cfg(test)]
mod tests {
    use super::Person::{Alice, Bob, Mallory};
    use super::*;

    fn wealth(of: &[(Person, u64)]) -> Wealth {
        of.iter().map(|(who, amount)| (*who, U256::from(*amount))).collect()
    }

    #[test]
    fn a_wei_too_little_or_too_much_is_noticed() {
        let mut books = Books::open(wealth(&[(Alice, 100), (Bob, 50), (Mallory, 70)]));
        books.pay(Alice, Bob, 30.into());
        books.gas(Alice, 5.into());
        books.bond_to_sentinel(Bob, 7.into());
        books.gas(Mallory, 4.into());
        for (alice, bob, mallory, whole, lost) in [
            (65, 73, 60, [true, true], Some(6)),
            (64, 73, 66, [false, true], Some(0)),
            (66, 74, 67, [false, false], None),
            (65, 80, 71, [true, false], None),
        ] {
            let after = wealth(&[(Alice, alice), (Bob, bob), (Mallory, mallory)]);
            let accounts = books.close(&after);
            let of = |who| accounts.iter().find(|account| account.person == who).unwrap();
            assert_eq!([of(Alice).is_whole(), of(Bob).is_whole()], whole, "{alice} {bob}");
            assert_eq!(of(Mallory).bonds_lost_wei(), lost.map(U256::from), "{mallory}");
        }
    }
}
