//! What everybody should have: each step of the tour is entered here as it was meant, and at the end the books are compared with both
//! chains, to the last wei. Pure.
//!
//! It must never look at a chain: an expectation that is read from what it is compared with proves nothing. Only what gas cost is
//! taken from receipts, for nobody can know it before.

use crate::amount::Denomination;
use plasma_core::payment_builder::Fee;
use plasma_core::wire::{Currency, ETH, U256};
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Person {
    Alice,
    Bob,
    Carol,
    Mallory,
    /// Anybody, who processes the exits.
    Dave,
}

impl Person {
    pub(super) const ALL: [Self; 5] =
        [Self::Alice, Self::Bob, Self::Carol, Self::Mallory, Self::Dave];
}

/// Whose money it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    Person(Person),
    /// Who gets the fees.
    FeeClaimer,
}

impl From<Person> for Holder {
    fn from(person: Person) -> Self {
        Self::Person(person)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => write!(f, "{person:?}"),
            Self::FeeClaimer => f.write_str("fee claimer"),
        }
    }
}

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    RootChain,
    ChildChain,
}

impl Side {
    /// The stable name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::RootChain => "root chain",
            Self::ChildChain => "child chain",
        }
    }
}

/// One balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) holder: Holder,
    pub(super) side: Side,
    pub(super) currency: Currency,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on the {}", self.holder, self.side.name())
    }
}

/// Balances by line.
pub(super) type Balances = BTreeMap<Line, U256>;

/// Somebody gave what he should not have had: the tour itself is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the books are wrong: {line} should have {had} and gives {amount}")]
pub(super) struct Overdrawn {
    line: Line,
    had: U256,
    amount: U256,
}

/// A balance that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    line: Line,
    expected: U256,
    found: U256,
}

impl Difference {
    /// In words, with every digit.
    pub(super) fn show(&self, denomination: &Denomination) -> String {
        let (sign, off) = if self.found > self.expected {
            ("too much", self.found.saturating_sub(self.expected))
        } else {
            ("too little", self.expected.saturating_sub(self.found))
        };
        format!(
            "{}: expected {}, found {}: {off} of the smallest unit {sign}",
            self.line,
            denomination.show(self.expected),
            denomination.show(self.found)
        )
    }

    /// Of which currency.
    pub(super) const fn currency(&self) -> Currency {
        self.line.currency
    }
}

/// What everybody should have.
#[derive(Clone, Debug, Default)]
pub(super) struct Books(Balances);

impl Books {
    /// Starts with what there is. Lines that are missing are zero.
    pub(super) const fn open(balances: Balances) -> Self {
        Self(balances)
    }

    /// Everything, line by line.
    pub(super) const fn balances(&self) -> &Balances {
        &self.0
    }

    /// Money from outside.
    pub(super) fn receive(&mut self, holder: impl Into<Holder>, currency: Currency, amount: U256) {
        self.add(Line { holder: holder.into(), side: Side::RootChain, currency }, amount);
    }

    /// Gas, and all else that is gone on the root chain.
    pub(super) fn spend_wei(&mut self, person: Person, wei: U256) -> Result<(), Overdrawn> {
        self.take(root(person, ETH), wei)
    }

    /// From the root chain to the child chain.
    pub(super) fn deposit(
        &mut self,
        person: Person,
        currency: Currency,
        amount: U256,
    ) -> Result<(), Overdrawn> {
        self.take(root(person, currency), amount)?;
        self.add(child(person, currency), amount);
        Ok(())
    }

    /// On the child chain; the fee goes to the fee claimer.
    pub(super) fn pay(
        &mut self,
        payer: Person,
        receivers: &[(Person, Currency, U256)],
        fee: Fee,
    ) -> Result<(), Overdrawn> {
        for (receiver, currency, amount) in receivers {
            self.take(child(payer, *currency), *amount)?;
            self.add(child(*receiver, *currency), *amount);
        }
        self.take(child(payer, fee.currency), fee.amount)?;
        self.add(
            Line { holder: Holder::FeeClaimer, side: Side::ChildChain, currency: fee.currency },
            fee.amount,
        );
        Ok(())
    }

    /// An exit was paid: the money changes sides and the bond comes back.
    pub(super) fn exit(
        &mut self,
        person: Person,
        currency: Currency,
        amount: U256,
        bond_wei: U256,
    ) -> Result<(), Overdrawn> {
        self.take(child(person, currency), amount)?;
        self.add(root(person, currency), amount);
        self.add(root(person, ETH), bond_wei);
        Ok(())
    }

    /// The bond of a challenged exit.
    pub(super) fn win_bond(&mut self, challenger: Person, bond_wei: U256) {
        self.add(root(challenger, ETH), bond_wei);
    }

    /// Every line that differs, on either side.
    pub(super) fn differences(&self, found: &Balances) -> Vec<Difference> {
        let mut lines: Vec<Line> = self.0.keys().chain(found.keys()).copied().collect();
        lines.sort_unstable();
        lines.dedup();
        let of = |balances: &Balances, line: &Line| balances.get(line).copied().unwrap_or_default();
        let compared = lines.into_iter().map(|line| Difference {
            line,
            expected: of(&self.0, &line),
            found: of(found, &line),
        });
        compared.filter(|line| line.expected != line.found).collect()
    }

    fn add(&mut self, line: Line, amount: U256) {
        let balance = self.0.entry(line).or_default();
        *balance = balance.saturating_add(amount);
    }

    fn take(&mut self, line: Line, amount: U256) -> Result<(), Overdrawn> {
        let balance = self.0.entry(line).or_default();
        let overdrawn = Overdrawn { line, had: *balance, amount };
        *balance = balance.checked_sub(amount).ok_or(overdrawn)?;
        Ok(())
    }
}

fn root(person: Person, currency: Currency) -> Line {
    Line { holder: person.into(), side: Side::RootChain, currency }
}

fn child(person: Person, currency: Currency) -> Line {
    Line { holder: person.into(), side: Side::ChildChain, currency }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Person::{Alice, Bob, Mallory};
    use plasma_core::wire::Address;
    use proptest::prelude::*;

    const TOKEN: Currency = Address::repeat_byte(1);

    fn wei(amount: u64) -> U256 {
        U256::from(amount)
    }

    fn claimed(currency: Currency) -> Line {
        Line { holder: Holder::FeeClaimer, side: Side::ChildChain, currency }
    }

    #[test]
    fn the_story_of_the_tour_balances() {
        let mut books = Books::open([(claimed(ETH), wei(40))].into());
        books.receive(Alice, ETH, wei(1_000));
        books.receive(Bob, ETH, wei(100));
        books.receive(Mallory, ETH, wei(100));
        books.receive(Alice, TOKEN, wei(10));
        books.deposit(Alice, ETH, wei(500)).unwrap();
        books.deposit(Alice, TOKEN, wei(10)).unwrap();
        books.spend_wei(Alice, wei(7)).unwrap();
        let fee = Fee { currency: ETH, amount: wei(2) };
        books.pay(Alice, &[(Bob, ETH, wei(100)), (Bob, TOKEN, wei(4))], fee).unwrap();
        books.spend_wei(Bob, wei(14)).unwrap();
        books.exit(Bob, ETH, wei(100), wei(14)).unwrap();
        books.spend_wei(Mallory, wei(14)).unwrap();
        books.win_bond(Alice, wei(14));
        let expected = [
            (root(Alice, ETH), wei(507)),
            (root(Alice, TOKEN), wei(0)),
            (child(Alice, ETH), wei(398)),
            (child(Alice, TOKEN), wei(6)),
            (root(Bob, ETH), wei(200)),
            (child(Bob, ETH), wei(0)),
            (child(Bob, TOKEN), wei(4)),
            (root(Mallory, ETH), wei(86)),
            (claimed(ETH), wei(42)),
        ];
        assert_eq!(books.differences(&expected.into()), []);
        assert_eq!(books.balances().len(), expected.len());
    }

    #[test]
    fn a_single_wei_is_a_difference_in_either_direction() {
        let mut books = Books::default();
        books.receive(Alice, ETH, wei(5));
        let eth = Denomination::eth();
        for (found, expected) in [
            (
                Some(4),
                "Alice on the root chain: expected 0.000000000000000005 ETH, found 0.000000000000000004 ETH: 1 of the smallest unit too little",
            ),
            (
                Some(6),
                "Alice on the root chain: expected 0.000000000000000005 ETH, found 0.000000000000000006 ETH: 1 of the smallest unit too much",
            ),
            (
                None,
                "Alice on the root chain: expected 0.000000000000000005 ETH, found 0 ETH: 5 of the smallest unit too little",
            ),
        ] {
            let found: Balances =
                found.into_iter().map(|amount| (root(Alice, ETH), wei(amount))).collect();
            let shown: Vec<_> =
                books.differences(&found).iter().map(|one| one.show(&eth)).collect();
            assert_eq!(shown, [expected]);
        }
        let stray: Balances = [(root(Alice, ETH), wei(5)), (child(Bob, TOKEN), wei(1))].into();
        let differences = books.differences(&stray);
        assert_eq!(differences.len(), 1, "money nobody expected is found as well");
        assert_eq!(differences[0].currency(), TOKEN);
    }

    #[test]
    fn nobody_gives_what_he_does_not_have() {
        let mut books = Books::default();
        books.receive(Bob, ETH, wei(1));
        assert!(books.deposit(Bob, ETH, wei(2)).is_err());
        assert!(books.spend_wei(Mallory, wei(1)).is_err());
        let fee = Fee { currency: ETH, amount: wei(0) };
        assert!(books.pay(Bob, &[(Alice, ETH, wei(1))], fee).is_err());
    }

    proptest! {
        #[test]
        fn steps_make_and_lose_no_money(steps in prop::collection::vec((0_u8..4, 0_usize..5, 0_usize..5, 0_u64..50), 0..60)) {
            let mut books = Books::default();
            let mut gone = wei(0);
            for person in Person::ALL {
                books.receive(person, ETH, wei(1_000));
            }
            for (step, from, to, amount) in steps {
                let (from, to, amount) = (Person::ALL[from], Person::ALL[to], wei(amount));
                let fee = Fee { currency: ETH, amount: wei(1) };
                // A step that cannot be afforded changes nothing that matters: the tour stops there.
                let before = books.clone();
                let done = match step {
                    0 => books.deposit(from, ETH, amount),
                    1 => books.pay(from, &[(to, ETH, amount)], fee),
                    2 => books.exit(from, ETH, amount, wei(0)),
                    _ => books.spend_wei(from, amount).inspect(|()| gone += amount),
                };
                if done.is_err() {
                    books = before;
                }
                let total = books.balances().values().fold(gone, |sum, amount| sum + amount);
                prop_assert_eq!(total, wei(5_000));
            }
        }
    }
}
