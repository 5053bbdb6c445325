//! `fees.all`: the specification in force, filtered (protocol 3.3 and 6.3).

use crate::codes;
use crate::error::RpcError;
use crate::json::{hex, uint};
use crate::params::{Check, ParamError, RawParams, RequestParams};
use chrono::{DateTime, SecondsFormat, Utc};
use plasma_core::fees::{FeeSpec, FeeSpecs};
use plasma_core::wire::{Currency, TxType, U256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use std::collections::{BTreeMap, BTreeSet};

/// Most currencies, and most transaction types, that can be asked for at once.
const FILTER_LEN_MAX: usize = 1_000;

/// Parameters of [`FEES_ALL`](super::FEES_ALL). An empty list filters nothing, like a missing one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FeesAllParams {
    /// Only these currencies.
    #[serde(with = "hex::list")]
    #[schemars(with = "Vec<hex::Hex<Currency>>")]
    pub currencies: Vec<Currency>,
    /// Only these transaction types.
    pub tx_types: Vec<u64>,
}

/// Fees by transaction type, in the order of the types; each with its currencies in the order of their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FeesAnswer(pub BTreeMap<u64, Vec<FeeAnswer>>);

/// One fee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeeAnswer {
    /// What it is paid in.
    #[serde(with = "hex")]
    #[schemars(with = "hex::Hex<Currency>")]
    pub currency: Currency,
    /// How much, in the smallest unit.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub amount: U256,
    /// How many of the smallest unit make one.
    #[serde(with = "uint")]
    #[schemars(with = "uint::Number<U256>")]
    pub subunit_to_unit: U256,
    /// What the amount was derived from, if it was.
    pub pegged_currency: Option<String>,
    /// The amount in that currency.
    pub pegged_amount: Option<Number>,
    /// How many of its smallest unit make one.
    #[serde(with = "uint::optional")]
    #[schemars(with = "Option<uint::Number<U256>>")]
    pub pegged_subunit_to_unit: Option<U256>,
    /// When the operator set it: ISO 8601, UTC, to the second.
    pub updated_at: String,
}

impl FeesAnswer {
    /// What of a specification was asked for.
    ///
    /// # Errors
    /// [`codes::TX_TYPE_NOT_SUPPORTED`] and then [`codes::CURRENCY_FEE_NOT_SUPPORTED`] when the specification lacks any of what
    /// was asked for.
    pub fn filtered(specs: &FeeSpecs, params: &FeesAllParams) -> Result<Self, RpcError> {
        let types: BTreeSet<u64> = params.tx_types.iter().copied().collect();
        let currencies: BTreeSet<Currency> = params.currencies.iter().copied().collect();
        if !types.iter().all(|tx_type| specs.contains_key(tx_type)) {
            return Err(codes::TX_TYPE_NOT_SUPPORTED.into());
        }
        let is_accepted = |currency| specs.values().any(|fees| fees.contains_key(currency));
        if !currencies.iter().all(is_accepted) {
            return Err(codes::CURRENCY_FEE_NOT_SUPPORTED.into());
        }
        let wanted_type = |tx_type: &u64| types.is_empty() || types.contains(tx_type);
        let wanted = |currency: &Currency| currencies.is_empty() || currencies.contains(currency);
        let by_type = specs.iter().filter(|(tx_type, _)| wanted_type(tx_type));
        Ok(Self(
            by_type
                .map(|(tx_type, fees)| {
                    let fees = fees.iter().filter(|(currency, _)| wanted(currency));
                    (*tx_type, fees.map(FeeAnswer::from).collect())
                })
                .collect(),
        ))
    }
}

impl FeesAnswer {
    /// What a payment has to pay in this currency: nothing where payments are free; `None` when no fee can be paid in it.
    pub fn of_payment(&self, currency: Currency) -> Option<U256> {
        let payment = u64::from(TxType::Payment.number());
        match self.0.get(&payment).map(Vec::as_slice) {
            None | Some([]) => Some(U256::zero()),
            Some(fees) => fees.iter().find(|fee| fee.currency == currency).map(|fee| fee.amount),
        }
    }
}

impl From<(&Currency, &FeeSpec)> for FeeAnswer {
    fn from((currency, spec): (&Currency, &FeeSpec)) -> Self {
        let pegged = spec.pegged.as_ref();
        Self {
            currency: *currency,
            amount: spec.amount,
            subunit_to_unit: spec.subunit_to_unit,
            pegged_currency: pegged.map(|pegged| pegged.currency.clone()),
            pegged_amount: pegged.map(|pegged| pegged.amount.clone()),
            pegged_subunit_to_unit: pegged.map(|pegged| pegged.subunit_to_unit),
            updated_at: to_utc_seconds(&spec.updated_at),
        }
    }
}

/// A time of the specification as times are answered; one that is no time stays as it is.
fn to_utc_seconds(text: &str) -> String {
    DateTime::parse_from_rfc3339(text).map_or_else(
        |_| text.to_owned(),
        |time| time.with_timezone(&Utc).to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

impl RequestParams for FeesAllParams {
    const NAMES: &'static [&'static str] = &["currencies", "tx_types"];

    fn parse(raw: &RawParams<'_>) -> Result<Self, ParamError> {
        const CHECKS: &[Check] = &[Check::MaxLength(FILTER_LEN_MAX)];
        let mut params = Self::default();
        if let Some(currencies) = raw.field("currencies").optional() {
            params.currencies =
                currencies
                    .list("currency", FILTER_LEN_MAX, CHECKS, |currency| currency.address())?;
        }
        if let Some(tx_types) = raw.field("tx_types").optional() {
            params.tx_types = tx_types.list("tx_type", FILTER_LEN_MAX, CHECKS, |tx_type| {
                // A type beyond 64 bits is as unknown as the last one that fits.
                Ok(u64::try_from(tx_type.non_neg_integer()?).unwrap_or(u64::MAX))
            })?;
        }
        Ok(params)
    }
}
