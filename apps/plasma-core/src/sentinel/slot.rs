//! A nonce of the key and everything that was offered under it: at most one of these transactions is ever mined (`S2`).
//!
//! It must never forget an offer while that could still be mined, also after a reorganisation (`S5`).

use super::call::Call;
use super::duty::DutyId;
use crate::root_chain::GasFees;
use crate::wire::{Address, EthHeight, H256, U256};

/// Gas of a transfer to oneself.
pub const FILL_GAS: u64 = 21_000;

/// What the store keeps of a nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonceRecord {
    /// The account of the key. Nobody else ever sends what is offered here.
    pub account: Address,
    /// Which nonce of the account.
    pub nonce: u64,
    /// Everything offered, the newest last; never empty.
    pub offers: Vec<Offer>,
    /// The call of the newest offer; `None` when that is a transfer of nothing to oneself.
    pub call: Option<Call>,
    /// What became of it.
    pub fate: Fate,
}

/// A transaction that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The duty it does, or whose place it fills; `None` when it fills a nonce that nobody used.
    pub duty: Option<DutyId>,
    /// Whether it only uses up the nonce.
    pub is_fill: bool,
    /// Most gas it may use.
    pub gas_limit: u64,
    /// What it pays.
    pub fees: GasFees,
    /// Its hash, once it was signed.
    pub txhash: Option<H256>,
}

/// What became of a nonce. Every state can turn into every other by a reorganisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is not used yet.
    #[default]
    Open,
    /// One of our transactions used it.
    Mined(Mined),
    /// A transaction that we do not know used it.
    Foreign {
        /// Height at which that was certain.
        at: EthHeight,
    },
}

/// A transaction that was mined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mined {
    /// Which one.
    pub txhash: H256,
    /// What the root chain says about it.
    pub receipt: Receipt,
    /// Time of the root chain when it was first seen, in seconds: its cost counts for this day.
    pub seen_s: u64,
}

/// What the root chain says about a mined transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its block.
    pub eth_height: EthHeight,
    /// Gas that it used.
    pub gas_used: u64,
    /// What it paid, in wei per gas.
    pub gas_price_wei: u128,
    /// Whether the call went through.
    pub succeeded: bool,
}

impl Receipt {
    /// What it cost, in wei.
    pub fn cost_wei(&self) -> U256 {
        cost_wei(self.gas_used, self.gas_price_wei)
    }
}

pub(super) fn cost_wei(gas: u64, price_wei: u128) -> U256 {
    U256::from(gas).saturating_mul(U256::from(price_wei))
}

/// A nonce in memory.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) record: NonceRecord,
    /// Height at which the newest offer was last handed out.
    pub(super) handed_out: Option<EthHeight>,
    /// Height at which the newest offer was made or became the first in line; `None` after a restart, which starts the wait anew.
    pub(super) raised: Option<EthHeight>,
    /// Whether the node wants more.
    pub(super) underpriced: bool,
    /// Refusals in a row.
    pub(super) refusals: usize,
    /// Since when the nonce is used and no receipt says by what.
    pub(super) missing_since: Option<EthHeight>,
}

impl Slot {
    pub(super) const fn new(record: NonceRecord) -> Self {
        Self {
            record,
            handed_out: None,
            raised: None,
            underpriced: false,
            refusals: 0,
            missing_since: None,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.record.fate, Fate::Open)
    }

    pub(super) fn newest(&self) -> Option<&Offer> {
        self.record.offers.last()
    }

    /// The duty that the newest offer does.
    pub(super) fn occupant(&self) -> Option<DutyId> {
        self.newest().filter(|offer| !offer.is_fill).and_then(|offer| offer.duty)
    }

    /// Whether a transaction that does this duty was ever offered here.
    pub(super) fn concerns(&self, id: &DutyId) -> bool {
        self.record.offers.iter().any(|offer| !offer.is_fill && offer.duty == Some(*id))
    }

    /// Most that this nonce can cost, in wei.
    pub(super) fn reserved_wei(&self) -> U256 {
        let cost = |offer: &Offer| cost_wei(offer.gas_limit, offer.fees.max_fee_per_gas_wei);
        self.record.offers.iter().map(cost).max().unwrap_or_default()
    }

    /// The transaction that was mined, and what it did.
    pub(super) fn mined(&self) -> Option<(&Mined, &Offer)> {
        let Fate::Mined(mined) = &self.record.fate else {
            return None;
        };
        let mut offers = self.record.offers.iter();
        offers.find(|offer| offer.txhash == Some(mined.txhash)).map(|offer| (mined, offer))
    }

    /// Whether this nonce did the duty.
    pub(super) fn did(&self, id: &DutyId) -> bool {
        self.mined().is_some_and(|(mined, offer)| {
            mined.receipt.succeeded && !offer.is_fill && offer.duty == Some(*id)
        })
    }

    /// Adds an offer, which is handed out next.
    pub(super) fn offer(&mut self, offer: Offer, call: Option<Call>, at: EthHeight) {
        self.record.offers.push(offer);
        self.record.call = call;
        self.handed_out = None;
        self.raised = Some(at);
        self.underpriced = false;
        self.refusals = 0;
    }

    /// Height at which what happened to it was seen to happen.
    pub(super) const fn settled_at(&self) -> Option<EthHeight> {
        match &self.record.fate {
            Fate::Open => None,
            Fate::Mined(mined) => Some(mined.receipt.eth_height),
            Fate::Foreign { at } => Some(*at),
        }
    }
}
