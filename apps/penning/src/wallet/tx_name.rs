//! How users name a payment: by its hash, its bytes, a file with them, or the id of its in-flight exit.
//!
//! It must never believe bytes about who signed them: that is recovered where it matters.

use super::session::Session;
use crate::failure::Failure;
use crate::files::read_text;
use anyhow::{Context, Result};
use plasma_core::root_chain::{EventKind, RootChainEvent};
use plasma_core::wire::{ExitId, SignedTx, Transaction, TxHash, U256};
use plasma_eth::RootChain;
use plasma_rpc::json::hex;
use std::path::PathBuf;

/// Longest text that can hold a payment; the longest payment takes below 1 kB.
const TEXT_BYTES_MAX: usize = 65_536;

/// What names a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TxName {
    Hash(TxHash),
    Bytes(TxBytes),
    ExitId(ExitId),
    File(PathBuf),
}

/// A payment in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TxBytes {
    Signed(Box<SignedTx>),
    /// Not more than what is on the root chain.
    Unsigned(Vec<u8>),
}

impl TxBytes {
    fn decode(bytes: &[u8]) -> Option<Self> {
        if let Ok(signed) = SignedTx::decode(bytes) {
            return Some(Self::Signed(Box::new(signed)));
        }
        Transaction::decode_unsigned(bytes).ok().map(|_| Self::Unsigned(bytes.to_vec()))
    }

    /// Without signatures.
    pub(super) fn unsigned(&self) -> Vec<u8> {
        match self {
            Self::Signed(signed) => signed.unsigned_bytes(),
            Self::Unsigned(bytes) => bytes.clone(),
        }
    }

    /// Reads what `wallet pay` prints or a file holds: hex, or a JSON document with `txbytes`.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let document = serde_json::from_str::<serde_json::Value>(text).ok();
        let digits = document.as_ref().and_then(|document| document.get("txbytes")?.as_str());
        Self::decode(&hex::decode(digits.unwrap_or(text))?)
    }
}

/// Reads the name of a payment.
pub(super) fn tx_name(text: &str) -> Result<TxName, String> {
    if let Some(digits) = text.strip_prefix("0x") {
        if digits.len() == 64 {
            let bytes = const_hex::decode_to_array::<_, 32>(digits).map_err(|e| e.to_string())?;
            return Ok(TxName::Hash(bytes.into()));
        }
        let bytes = (text.len() <= TEXT_BYTES_MAX).then(|| TxBytes::read(text)).flatten();
        return bytes.map(TxName::Bytes).ok_or_else(|| {
            "neither a transaction hash (0x and 64 hex digits) nor the bytes of a payment"
                .to_owned()
        });
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = U256::from_dec_str(text).ok();
        let exit_id = number.map(|number| (ExitId::from_u256(number), number));
        return exit_id
            .filter(|(exit_id, number)| exit_id.to_u256() == *number && exit_id.is_in_flight())
            .map(|(exit_id, _)| TxName::ExitId(exit_id))
            .ok_or_else(|| format!("{text} is not the id of an in-flight exit"));
    }
    Ok(TxName::File(PathBuf::from(text)))
}

impl Session {
    /// The payment with all signatures.
    pub(super) fn signed_tx(&self, name: &TxName) -> Result<SignedTx> {
        let unsigned = || {
            Failure::new("tx:not_signed", "an in-flight exit is started with a signed payment")
                .next("give its signed bytes (`txbytes` in what `pay` printed), or ask the payer for them")
        };
        match self.tx_bytes(name)? {
            Some(TxBytes::Signed(signed)) => Ok(*signed),
            Some(TxBytes::Unsigned(_)) => Err(unsigned().into()),
            None => Err(Failure::new("tx:not_kept", "this payment was not sent from here, or too long ago")
                .next("give its signed bytes (`txbytes` in what `pay` printed), or ask the payer for them")
                .into()),
        }
    }

    /// Unsigned bytes of a payment that exits in flight: as given, kept here, or told by the root chain when the exit was started.
    pub(super) async fn in_flight_tx(&self, name: &TxName) -> Result<Vec<u8>> {
        match (self.tx_bytes(name), name) {
            (Ok(Some(bytes)), _) => return Ok(bytes.unsigned()),
            (Ok(None), _) => {}
            // The root chain may know what the disk does not tell.
            (Err(error), TxName::Hash(_)) => self.out.progress(format!("WARNING: {error:#}")),
            (Err(error), _) => return Err(error),
        }
        let newest = self.root_chain.newest_block().await?.eth_height;
        let from = self.network.deployment.eth_height;
        let events = self.reader.events(&[EventKind::InFlightExitStarted], from, newest).await?;
        let found = events.into_iter().rev().find_map(|event| match event.event {
            RootChainEvent::InFlightExitStarted(start) => {
                let is_it = match name {
                    TxName::Hash(txhash) => start.tx_hash == *txhash,
                    TxName::ExitId(exit_id) => start.exit_id == *exit_id,
                    TxName::Bytes(_) | TxName::File(_) => false,
                };
                is_it.then_some(start.tx_bytes.into_vec())
            }
            _ => None,
        });
        found.ok_or_else(|| {
            Failure::new(
                "in_flight_exit:not_found",
                "no in-flight exit of this payment was ever started",
            )
            .next("start it with `penning wallet exit --in-flight TX`")
            .into()
        })
    }

    /// The payment, as far as it is here.
    fn tx_bytes(&self, name: &TxName) -> Result<Option<TxBytes>> {
        match name {
            TxName::Bytes(bytes) => Ok(Some(bytes.clone())),
            TxName::ExitId(_) => Ok(None),
            TxName::Hash(txhash) => {
                let found = self.sent_payments.find(*txhash);
                Ok(found
                    .context("the payments sent from here cannot be read")?
                    .map(|signed| TxBytes::Signed(Box::new(signed))))
            }
            TxName::File(path) => {
                let bytes_max = u64::try_from(TEXT_BYTES_MAX).unwrap_or(u64::MAX);
                let text = read_text(path, bytes_max)
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                let read = TxBytes::read(&text).ok_or_else(|| {
                    let message = format!("{} holds no payment", path.display());
                    Failure::new("tx:malformed", message)
                        .next("it should hold `txbytes` in hex, or what `pay --json` printed")
                })?;
                Ok(Some(read))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sent_payments::tests::signed;
    use super::*;
    use plasma_core::wire::Address;
    use proptest::prelude::*;

    #[test]
    fn payments_are_named_by_hash_bytes_exit_or_file() {
        let signed = signed(1, Address::zero());
        let unsigned = signed.unsigned_bytes();
        let exit_id = ExitId::in_flight(&unsigned);
        for (text, expected) in [
            (format!("{:?}", signed.hash()), TxName::Hash(signed.hash())),
            (
                hex::encode(signed.as_bytes()),
                TxName::Bytes(TxBytes::Signed(Box::new(signed.clone()))),
            ),
            (hex::encode(&unsigned), TxName::Bytes(TxBytes::Unsigned(unsigned.clone()))),
            (exit_id.to_string(), TxName::ExitId(exit_id)),
            ("payment.json".to_owned(), TxName::File("payment.json".into())),
        ] {
            assert_eq!(tx_name(&text), Ok(expected), "{text}");
        }
        for text in
            ["0x", "0x12", "0xzz", "12", "0", &"9".repeat(90), &format!("0x{}", "g".repeat(64))]
        {
            assert!(tx_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn files_hold_hex_or_what_pay_printed() {
        let signed = signed(1, Address::zero());
        let digits = hex::encode(signed.as_bytes());
        let expected = Some(TxBytes::Signed(Box::new(signed)));
        for (text, expected) in [
            (format!("{digits}\n"), &expected),
            (format!(r#"{{"txhash":"0x1","txbytes":"{digits}"}}"#), &expected),
            (r#"{"txbytes":7}"#.to_owned(), &None),
            (String::new(), &None),
        ] {
            assert_eq!(TxBytes::read(&text), *expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in ".{0,80}", hex in "0x[0-9a-f]{0,200}") {
            let _ = (tx_name(&text), tx_name(&hex), TxBytes::read(&text), TxBytes::read(&hex));
        }
    }
}
