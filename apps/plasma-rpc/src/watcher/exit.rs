//! The exit concierge over the wire: what `exit.get` and `exit.all` take and answer (`docs/protocol/exits.md`, C1 to C9).
//!
//! All names in it are those of [`exit_concierge`]; times are seconds of root chain time.

use crate::json::{hex, uint};
use crate::params::{Check, ParamError, RawParams, RequestParams};
use plasma_core::exit_concierge::{self as concierge, ExitKind, ExitParts, ExitPhase, ExitView};
use plasma_core::root_chain::PiggybackSide;
use plasma_core::wire::{
    Address, Blknum, Currency, EthHeight, ExitId, H256, TxHash, TxIndex, U256, UtxoPos,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most exits in one answer of [`EXIT_ALL`](super::EXIT_ALL), and how many there are if nothing is said.
pub const EXIT_PAGE_LEN_MAX: usize = 100;

/// Parameters of [`EXIT_GET`](super::EXIT_GET): an exit id or, without one, an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("anyOf" = [
    {"required": ["exit_id"], "properties": {"exit_id": {"type": "integer"}}},
    {"required": ["utxo_pos"], "properties": {"utxo_pos": {"type": "integer"}}},
]))]
pub struct ExitGetParams {
    /// The contract's key.
    #[serde(with = "uint::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<uint::Number<U256>>")]
    pub exit_id: Option<U256>,
    /// The output that leaves alone.
    #[serde(with = "uint::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<uint::Number<U256>>")]
    pub utxo_pos: Option<U256>,
    /// Who asks: the next step is for this account.
    #[serde(with = "hex::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<hex::Hex<Address>>")]
    pub address: Option<Address>,
}

/// Parameters of [`EXIT_ALL`](super::EXIT_ALL).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExitAllParams {
    /// Only exits that concern this account, closed ones too. Without it: all open exits.
    #[serde(with = "hex::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<hex::Hex<Address>>")]
    pub address: Option<Address>,
    /// Only of this kind.
    #[serde(serialize_with = "kind_name", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub kind: Option<ExitKind>,
    /// Only in this phase.
    #[serde(serialize_with = "phase_name", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub phase: Option<ExitPhase>,
    /// Most exits in the answer, up to [`EXIT_PAGE_LEN_MAX`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The `cursor` of the page before.
    #[serde(with = "uint::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<uint::Number<U256>>")]
    pub cursor: Option<U256>,
}

/// Answer of [`EXIT_ALL`](super::EXIT_ALL).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitPage {
    /// In the order of their ids.
    pub exits: Vec<Exit>,
    /// Where the next page begins, `null` when there is none. A page may be short or empty all the same: filters leave room.
    #[serde(with = "uint::optional")]
    #[schemars(with = "Option<uint::Number<ExitId>>")]
    pub cursor: Option<ExitId>,
}

/// An exit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// The contract's key.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<ExitId>")]
    pub exit_id: ExitId,
    /// `standard` or `in_flight`.
    pub kind: String,
    /// How far it is.
    pub phase: String,
    /// Whether it is over.
    pub is_over: bool,
    /// Who started it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub exitor: Address,
    /// Where it was started.
    #[schemars(with = "u64")]
    pub eth_height: EthHeight,
    /// The root chain transaction that started it.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<H256>")]
    pub root_chain_txhash: H256,
    /// The output, of a standard exit.
    #[serde(with = "uint::optional")]
    #[schemars(with = "Option<uint::Number<UtxoPos>>")]
    pub utxo_pos: Option<UtxoPos>,
    /// What a standard exit is counted in.
    #[serde(with = "hex::optional")]
    #[schemars(with = "Option<hex::Hex<Currency>>")]
    pub currency: Option<Currency>,
    /// How much leaves with a standard exit, in the smallest unit.
    #[serde(with = "uint::optional")]
    #[schemars(with = "Option<uint::Number<U256>>")]
    pub amount: Option<U256>,
    /// The transaction that spent the output of a standard exit, if it is invalid and there is one.
    #[serde(with = "hex::optional")]
    #[schemars(with = "Option<hex::Hex<TxHash>>")]
    pub spending_txhash: Option<TxHash>,
    /// The transaction, of an in-flight exit.
    #[serde(with = "hex::optional")]
    #[schemars(with = "Option<hex::Hex<TxHash>>")]
    pub txhash: Option<TxHash>,
    /// When an in-flight exit was started.
    pub started_at_s: Option<u64>,
    /// Whether the contract counts an in-flight exit as canonical now: it pays outputs then, else inputs.
    pub is_canonical: Option<bool>,
    /// Where the ledger has the in-flight transaction.
    pub included_at: Option<IncludedAt>,
    /// Inputs, then outputs, of an in-flight exit.
    pub slots: Vec<ExitSlot>,
    /// When something of it can be paid at first: strictly after this.
    pub exitable_at_s: Option<u64>,
    /// Seconds until then, while something waits.
    pub eta_s: Option<u64>,
    /// The root chain block it will probably be in.
    #[schemars(with = "Option<u64>")]
    pub eta_eth_height: Option<EthHeight>,
    /// Its places in the queues of its currencies.
    pub queue: Vec<ExitQueuePlace>,
    /// Who can do what until when.
    pub windows: Vec<ExitWindow>,
    /// What the bond is, in wei. A watcher does not know: `null`. A wallet asks the root chain.
    #[serde(with = "uint::optional")]
    #[schemars(with = "Option<uint::Number<U256>>")]
    pub bond: Option<U256>,
    /// The one thing to do next.
    pub next: String,
    /// The same as a sentence.
    pub advice: String,
}

/// Where a transaction is included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncludedAt {
    /// The block.
    #[schemars(with = "u64")]
    pub blknum: Blknum,
    /// The place in it.
    #[schemars(with = "u32")]
    pub txindex: TxIndex,
}

/// An input or output of an in-flight exit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitSlot {
    /// `input` or `output`.
    pub side: String,
    /// Which, from 0.
    pub index: u16,
    /// Whose.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Address>")]
    pub owner: Address,
    /// What it is counted in.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// How much, in the smallest unit.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub amount: U256,
    /// How it stands.
    pub phase: String,
    /// When it can be paid, if its owner joined: strictly after this.
    pub exitable_at_s: Option<u64>,
}

/// A place in an exit queue, among the exits that are known to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitQueuePlace {
    /// The queue.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// It leaves strictly after this.
    pub exitable_at_s: u64,
    /// 1 leaves next.
    pub place: u64,
    /// How many wait.
    pub of: u64,
}

/// Something that can be done for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitWindow {
    /// What.
    pub step: String,
    /// By whom.
    pub by: String,
    /// Before this it can be done for sure.
    pub until_s: u64,
    /// The last root chain block for it, probably.
    #[schemars(with = "u64")]
    pub until_eth_height: EthHeight,
    /// Whether the contract refuses it after that. Otherwise it is taken until somebody processes the exit.
    pub is_hard: bool,
}

impl ExitGetParams {
    /// Asks for an exit by its id.
    pub fn of_id(exit_id: ExitId, address: Option<Address>) -> Self {
        Self { exit_id: Some(exit_id.to_u256()), utxo_pos: None, address }
    }

    /// Asks for the exit of an output.
    pub fn of_output(position: UtxoPos, address: Option<Address>) -> Self {
        Self { exit_id: None, utxo_pos: Some(position.encode().into()), address }
    }
}

impl RequestParams for ExitGetParams {
    const NAMES: &'static [&'static str] = &["exit_id", "utxo_pos", "address"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let output = raw.field("utxo_pos").optional();
        let exit_id = match (&output, raw.field("exit_id").optional()) {
            (Some(_), None) => None,
            _ => Some(raw.field("exit_id").non_neg_integer()?),
        };
        Ok(Self {
            exit_id,
            utxo_pos: output.map(|field| field.pos_integer()).transpose()?,
            address: address(raw)?,
        })
    }
}

impl RequestParams for ExitAllParams {
    const NAMES: &'static [&'static str] = &["address", "kind", "phase", "limit", "cursor"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        let limits = [
            Check::Greater(0),
            Check::Lesser(i64::try_from(EXIT_PAGE_LEN_MAX).unwrap_or(i64::MAX).saturating_add(1)),
        ];
        let limit = |field: crate::params::Field<'_>| {
            let number = field.integer(&limits)?.to_u256().unwrap_or_default();
            Ok(number.low_u64().try_into().unwrap_or(EXIT_PAGE_LEN_MAX))
        };
        let kind = raw.field("kind").optional();
        let phase = raw.field("phase").optional();
        Ok(Self {
            address: address(raw)?,
            kind: kind.map(|field| field.one_of(ExitKind::ALL, ExitKind::name)).transpose()?,
            phase: phase.map(|field| field.one_of(ExitPhase::ALL, ExitPhase::name)).transpose()?,
            limit: raw.field("limit").optional().map(limit).transpose()?,
            cursor: raw
                .field("cursor")
                .optional()
                .map(|field| field.non_neg_integer())
                .transpose()?,
        })
    }
}

fn address(raw: &RawParams<'_>) -> Result<Option<Address>, ParamError> {
    raw.field("address").optional().map(|field| field.address()).transpose()
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn kind_name<S: serde::Serializer>(
    kind: &Option<ExitKind>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    kind.map(ExitKind::name).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn phase_name<S: serde::Serializer>(
    phase: &Option<ExitPhase>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    phase.map(ExitPhase::name).serialize(serializer)
}

impl From<&ExitView> for Exit {
    fn from(view: &ExitView) -> Self {
        let common = Self {
            exit_id: view.exit_id,
            kind: view.parts.kind().name().to_owned(),
            phase: view.phase.name().to_owned(),
            is_over: view.phase.is_over(),
            exitor: view.exitor,
            eth_height: view.eth_height,
            root_chain_txhash: view.root_chain_txhash,
            utxo_pos: None,
            currency: None,
            amount: None,
            spending_txhash: None,
            txhash: None,
            started_at_s: None,
            is_canonical: None,
            included_at: None,
            slots: Vec::new(),
            exitable_at_s: view.exitable_at_s,
            eta_s: view.eta.map(|eta| eta.wait_s),
            eta_eth_height: view.eta.map(|eta| eta.eth_height),
            queue: view.queue.iter().copied().map(Into::into).collect(),
            windows: view.windows.iter().copied().map(Into::into).collect(),
            bond: None,
            next: view.next.name().to_owned(),
            advice: view.advice.clone(),
        };
        match &view.parts {
            ExitParts::Standard { position, currency, amount, spending_txhash } => Self {
                utxo_pos: Some(*position),
                currency: Some(*currency),
                amount: Some(*amount),
                spending_txhash: *spending_txhash,
                ..common
            },
            ExitParts::InFlight { tx_hash, started_at_s, is_canonical, included_at, slots } => {
                Self {
                    txhash: Some(*tx_hash),
                    started_at_s: Some(*started_at_s),
                    is_canonical: Some(*is_canonical),
                    included_at: included_at
                        .map(|at| IncludedAt { blknum: at.blknum, txindex: at.txindex }),
                    slots: slots.iter().copied().map(Into::into).collect(),
                    ..common
                }
            }
        }
    }
}

impl From<concierge::SlotView> for ExitSlot {
    fn from(view: concierge::SlotView) -> Self {
        let case = view.case;
        let side = match case.slot.side {
            PiggybackSide::Input => "input",
            PiggybackSide::Output => "output",
        };
        Self {
            side: side.to_owned(),
            index: case.slot.index,
            owner: case.owner,
            currency: case.currency,
            amount: case.amount,
            phase: view.phase.name().to_owned(),
            exitable_at_s: case.joined.map(|(_, exitable_at_s)| exitable_at_s),
        }
    }
}

impl From<concierge::QueuePlace> for ExitQueuePlace {
    fn from(place: concierge::QueuePlace) -> Self {
        let concierge::QueuePlace { currency, exitable_at_s, place, of } = place;
        Self { currency, exitable_at_s, place, of }
    }
}

impl From<concierge::Window> for ExitWindow {
    fn from(window: concierge::Window) -> Self {
        Self {
            step: window.step.name().to_owned(),
            by: window.by.name().to_owned(),
            until_s: window.until_s,
            until_eth_height: window.until_eth_height,
            is_hard: window.is_hard,
        }
    }
}
