//! What the acts stand on: the cast, its money, the telling, and the comparison in the end.

use super::books::{Balances, Books, Holder, Line, Person, Side};
use super::{BalanceView, wrong};
use crate::amount::Denomination;
use crate::failure::Failure;
use crate::wallet::look::sums;
use crate::wallet::pay::SubmitArgs;
use crate::wallet::session::{Session, Utxos, wait_for};
use crate::wallet::view::AmountView;
use anyhow::{Context, Result};
use plasma_core::wire::{Address, Currency, ETH, SecretKey, U256, UtxoPos};
use plasma_eth::DevChain;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

/// The tour under way.
pub(super) struct Tour {
    pub(super) session: Session,
    pub(super) dev: DevChain,
    pub(super) books: Books,
    pub(super) token: Currency,
    pub(super) fee_claimer: Address,
    pub(super) timeout: Duration,
    pub(super) denominations: BTreeMap<Currency, Denomination>,
    keys: BTreeMap<Person, SecretKey>,
    steps: Vec<String>,
}

/// What each person starts with on the root chain, in thousandths of one ETH: money to use, bonds and gas.
const FUNDS: [(Person, u64); 5] = [
    (Person::Alice, 1_700),
    (Person::Bob, 200),
    (Person::Carol, 200),
    (Person::Mallory, 800),
    (Person::Dave, 200),
];
/// Tokens that Alice starts with.
const TOKENS: u64 = 1_000;

/// Thousandths of one ETH.
pub(super) fn milli(amount: u64) -> U256 {
    U256::from(amount).saturating_mul(U256::exp10(15))
}

impl Tour {
    /// Makes the cast and gives it money.
    pub(super) async fn prepare(mut session: Session, timeout: Duration) -> Result<Self> {
        session.out = session.out.without_progress();
        let devnet = session.network.devnet.clone().ok_or_else(|| {
            Failure::new(
                "tour:no_devnet",
                "the tour needs a devnet: it makes money and travels in time",
            )
            .next("start one with `penning devnet`, or give --network with its devnet.json")
        })?;
        let token = devnet.deployment.erc20_token.context("the devnet has no test token")?;
        let host = devnet.accounts.first().context("the devnet has no accounts")?.clone();
        session.check_safe(SubmitArgs::SAFE).await?;
        let mut keys = BTreeMap::new();
        for person in Person::ALL {
            keys.insert(person, fresh_key()?);
        }
        let mut tour = Self {
            dev: DevChain::new(&session.eth_config())?,
            books: Books::default(),
            token,
            fee_claimer: devnet.fee_claimer,
            timeout,
            denominations: session.denominations([ETH, token]).await?,
            keys,
            steps: Vec::new(),
            session,
        };
        tour.catch_up().await?;
        tour.books = Books::open(tour.found().await?);
        tour.fund(&host).await?;
        Ok(tour)
    }

    /// Fees of blocks that are on their way belong to the time before.
    async fn catch_up(&self) -> Result<()> {
        wait_for("the watcher to verify the newest block", self.timeout, async || {
            let status = self.session.status().await?;
            let is_there =
                status.last_validated_child_block_number >= status.last_mined_child_block_number;
            Ok(is_there.then_some(()))
        })
        .await
    }

    async fn fund(&mut self, host: &SecretKey) -> Result<()> {
        let client = &self.session.root_chain;
        let tokens = self.tokens(TOKENS);
        let mut sent = Vec::new();
        for (person, amount) in FUNDS {
            let to = self.address(person);
            sent.push(client.transfer(host, to, ETH, milli(amount)).await?);
        }
        sent.push(client.mint(host, self.token, self.address(Person::Alice), tokens).await?);
        for sent in sent {
            self.session.mined(sent).await?;
        }
        for (person, amount) in FUNDS {
            self.books.receive(person, ETH, milli(amount));
        }
        self.books.receive(Person::Alice, self.token, tokens);
        self.step(
            "The cast",
            "five fresh accounts, with ETH on the root chain and tokens for Alice",
        );
        for person in Person::ALL {
            self.tell(format!("{person:?} is {:?}", self.address(person)));
        }
        Ok(())
    }

    /// So many whole tokens.
    pub(super) fn tokens(&self, amount: u64) -> U256 {
        let decimals = self.denominations.get(&self.token).and_then(|token| token.known.as_ref());
        let unit = U256::exp10(decimals.map_or(0, |(_, decimals)| usize::from(*decimals)));
        U256::from(amount).saturating_mul(unit)
    }

    /// A person's key.
    pub(super) fn key(&self, person: Person) -> Result<SecretKey> {
        self.keys.get(&person).cloned().context("everybody has a key")
    }

    /// A person's account.
    pub(super) fn address(&self, person: Person) -> Address {
        self.keys.get(&person).map(SecretKey::address).unwrap_or_default()
    }

    /// What a person can spend, as the watcher knows it.
    pub(super) async fn utxos(&self, person: Person) -> Result<Utxos> {
        self.session.utxos(self.address(person)).await
    }

    /// The largest output of a currency.
    pub(super) async fn largest(&self, person: Person, currency: Currency) -> Result<UtxoPos> {
        let utxos = self.utxos(person).await?;
        let of_currency = utxos.iter().filter(|(_, utxo)| utxo.currency == currency);
        let largest = of_currency.max_by_key(|(_, utxo)| utxo.amount);
        Ok(*largest.with_context(|| format!("{person:?} has no such output"))?.0)
    }

    /// An amount for people.
    pub(super) fn show(&self, currency: Currency, amount: U256) -> String {
        let unknown = Denomination { currency, known: None };
        let denomination = self.denominations.get(&currency).unwrap_or(&unknown);
        // Everybody has been told which token it is about.
        match (denomination.units(amount), &denomination.known) {
            (Some(units), Some((symbol, _))) => format!("{units} {symbol}"),
            _ => denomination.show(amount),
        }
    }

    /// Begins a step of the story.
    pub(super) fn step(&mut self, title: &str, text: impl Display) {
        let number = self.steps.len().saturating_add(1);
        self.session.out.tell(format!("\n{number}. {title}: {text}"));
        self.steps.push(format!("{title}: {text}"));
    }

    /// Tells a detail.
    pub(super) fn tell(&self, text: impl Display) {
        self.session.out.tell(format!("   {text}"));
    }

    /// What was told.
    pub(super) fn into_steps(self) -> Vec<String> {
        self.steps
    }

    /// Compares the books with both chains, as soon as the watcher has caught up, and fails with every difference.
    pub(super) async fn check_balances(&mut self) -> Result<Vec<BalanceView>> {
        self.step("The books", "what everybody should have, against both chains");
        let last_found = RefCell::new(None);
        let agreed = wait_for("all balances to be right", self.timeout, async || {
            let found = self.found().await?;
            let agree = self.books.differences(&found).is_empty();
            last_found.replace(Some(found));
            Ok(agree.then_some(()))
        })
        .await;
        if let (Err(error), Some(found)) = (agreed, last_found.into_inner()) {
            let differences = self.books.differences(&found);
            if differences.is_empty() {
                return Err(error);
            }
            let show = |difference: &super::Difference| {
                let currency = difference.currency();
                let unknown = Denomination { currency, known: None };
                difference.show(self.denominations.get(&currency).unwrap_or(&unknown))
            };
            return Err(wrong(&differences, show).into());
        }
        let lines = self.books.balances().iter().filter_map(|(line, amount)| {
            let denomination = self.denominations.get(&line.currency)?;
            Some(BalanceView::new(line, AmountView::new(denomination, *amount)))
        });
        Ok(lines.collect())
    }

    /// What everybody has on both chains. The fee claimer's account on the root chain is none of ours.
    async fn found(&self) -> Result<Balances> {
        let mut found = Balances::new();
        for person in Person::ALL {
            let holder = Holder::from(person);
            self.add_child_chain(&mut found, holder, self.address(person)).await?;
            for currency in [ETH, self.token] {
                let address = self.address(person);
                let balance = self.session.root_chain.balance(address, currency).await?;
                found.insert(Line { holder, side: Side::RootChain, currency }, balance);
            }
        }
        self.add_child_chain(&mut found, Holder::FeeClaimer, self.fee_claimer).await?;
        Ok(found)
    }

    async fn add_child_chain(
        &self,
        found: &mut Balances,
        holder: Holder,
        address: Address,
    ) -> Result<()> {
        for (currency, (_, sum)) in sums(&self.session.utxos(address).await?) {
            found.insert(Line { holder, side: Side::ChildChain, currency }, sum);
        }
        Ok(())
    }
}

fn fresh_key() -> Result<SecretKey> {
    loop {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| {
            Failure::new("key:no_randomness", format!("the machine gives no randomness: {error}"))
        })?;
        // One in 2^128 draws is no key.
        if let Ok(key) = SecretKey::from_bytes(bytes) {
            return Ok(key);
        }
    }
}
