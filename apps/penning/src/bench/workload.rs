//! Payments of many accounts: who has what, and signing in advance.
//!
//! A payment has one input and one or two outputs by turns, and pays the fee of the default fee specification.

use anyhow::{Context, Result, ensure};
use plasma_core::wire::{
    Address, Blknum, ETH, H256, Output, OutputIndex, PaymentTx, SecretKey, SignedTx, TxIndex,
    TypedDataDomain, U256, UtxoPos,
};
use rayon::prelude::*;
use std::sync::Arc;

/// Accounts that pay each other.
const ACCOUNTS: u64 = 1_000;
/// What one payment costs.
const FEE_WEI: u128 = 1;
/// Outputs of a payment that splits one output into more.
const SPLIT: u128 = 4;

/// An output that can be spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coin {
    /// Where it is.
    pub(super) position: UtxoPos,
    owner: usize,
    amount: u128,
}

/// A signed payment, and whose its outputs will be.
pub(super) struct Order {
    /// The bytes that travel.
    pub(super) bytes: Vec<u8>,
    outputs: Vec<(usize, u128)>,
}

/// The keys of all accounts.
#[derive(Clone)]
pub(super) struct Accounts {
    keys: Arc<Vec<SecretKey>>,
    domain: Arc<TypedDataDomain>,
}

impl Accounts {
    /// The same keys every time.
    pub(super) fn new(domain: Arc<TypedDataDomain>) -> Result<Self> {
        let key = |number: u64| {
            SecretKey::from_bytes(plasma_core::wire::keccak256(&number.to_be_bytes()).0)
        };
        let keys = (0..ACCOUNTS).map(key).collect::<Result<Vec<_>, _>>();
        Ok(Self { keys: Arc::new(keys.context("a hash is no key")?), domain })
    }

    /// All keys.
    pub(super) fn keys(&self) -> &[SecretKey] {
        &self.keys
    }

    /// What payments are signed for.
    pub(super) fn domain(&self) -> Arc<TypedDataDomain> {
        Arc::clone(&self.domain)
    }

    /// Whom a deposit belongs to.
    pub(super) fn depositor(&self) -> Address {
        self.address(0)
    }

    /// The output of a deposit of the [`Self::depositor`].
    pub(super) fn deposited(blknum: Blknum, amount: u128) -> Coin {
        Coin { position: UtxoPos::deposit(blknum), owner: 0, amount }
    }

    /// Payments that spend these outputs, one each.
    ///
    /// # Errors
    /// An output that is worth too little.
    pub(super) fn pay(&self, coins: &[Coin]) -> Result<Vec<Order>> {
        let order = |(index, coin): (usize, &Coin)| {
            let rest = coin.amount - FEE_WEI.min(coin.amount);
            let receiver = (coin.owner + 1 + index) % self.keys.len().max(1);
            match index % 2 {
                0 => self.sign(coin, vec![(receiver, rest)]),
                // The change comes first: it is what the next payment spends.
                _ => self.sign(coin, vec![(coin.owner, rest - rest / 100), (receiver, rest / 100)]),
            }
        };
        coins.par_iter().enumerate().map(order).collect()
    }

    /// Another payment that spends this output than [`Self::pay`] makes.
    ///
    /// # Errors
    /// An output that is worth too little.
    pub(super) fn pay_otherwise(&self, coin: &Coin) -> Result<SignedTx> {
        let rest = coin.amount - FEE_WEI.min(coin.amount);
        let order = self.sign(coin, vec![(coin.owner, rest - rest / 3), (0, rest / 3)])?;
        Ok(SignedTx::decode(&order.bytes)?)
    }

    /// Who may spend an output.
    pub(super) fn owner(&self, coin: &Coin) -> Address {
        self.address(coin.owner)
    }

    /// All accounts.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.keys.iter().map(SecretKey::address)
    }

    /// Payments that split these outputs.
    ///
    /// # Errors
    /// An output that is worth too little.
    pub(super) fn split(&self, coins: &[Coin]) -> Result<Vec<Order>> {
        let order = |(index, coin): (usize, &Coin)| {
            let rest = coin.amount - FEE_WEI.min(coin.amount);
            let receivers = (0..SPLIT).zip(index * 4..);
            let outputs = receivers.map(|(part, number)| {
                let whole =
                    if part == 0 { rest - rest / SPLIT * (SPLIT - 1) } else { rest / SPLIT };
                (number % self.keys.len().max(1), whole)
            });
            self.sign(coin, outputs.collect())
        };
        coins.par_iter().enumerate().map(order).collect()
    }

    fn sign(&self, coin: &Coin, outputs: Vec<(usize, u128)>) -> Result<Order> {
        ensure!(outputs.iter().all(|(_, amount)| *amount > 0), "an output is worth nothing");
        let to = |(owner, amount): &(usize, u128)| {
            Output::payment(self.address(*owner), ETH, U256::from(*amount))
        };
        let payment = PaymentTx {
            inputs: [coin.position.into()].into_iter().collect(),
            outputs: outputs.iter().map(to).collect(),
            metadata: H256::zero(),
        };
        let key = self.keys.get(coin.owner).context("no such account")?;
        let signed = SignedTx::sign_payment(payment, &[key], &self.domain)?;
        Ok(Order { bytes: signed.as_bytes().to_vec(), outputs })
    }

    fn address(&self, account: usize) -> Address {
        self.keys.get(account).map(SecretKey::address).unwrap_or_default()
    }
}

impl Order {
    /// Its outputs, once it was accepted there.
    pub(super) fn coins(&self, blknum: Blknum, txindex: TxIndex) -> impl Iterator<Item = Coin> {
        (0..).zip(&self.outputs).map(move |(oindex, (owner, amount))| Coin {
            position: UtxoPos::new(blknum, txindex, OutputIndex::new(oindex)),
            owner: *owner,
            amount: *amount,
        })
    }
}
