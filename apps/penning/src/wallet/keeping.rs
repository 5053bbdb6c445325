//! Signed payments are kept before they are sent: should the operator be silent, an in-flight exit starts with their bytes.
//!
//! It must never send what is kept nowhere, unless it is told to. Bytes of a payment that was perhaps sent are part of the failure.

use super::pay::SubmitArgs;
use super::session::Session;
use crate::failure::Failure;
use anyhow::Result;
use plasma_core::wire::{SignedTx, TxHash};
use plasma_rpc::json::hex;
use std::fmt;

/// A payment was handed over, and nobody said that it was accepted. It may appear all the same.
#[derive(Debug)]
pub(crate) struct Unconfirmed {
    txhash: TxHash,
    /// With signatures, in hex.
    pub(crate) txbytes: String,
}

impl Unconfirmed {
    /// About this payment.
    pub(super) fn new(signed: &SignedTx) -> Self {
        Self { txhash: signed.hash(), txbytes: hex::encode(signed.as_bytes()) }
    }
}

impl fmt::Display for Unconfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transaction {:?} was not confirmed as accepted", self.txhash)
    }
}

impl Session {
    /// Keeps what is signed.
    ///
    /// # Errors
    /// `payment:not_kept` when that fails and the payment must not be lost: it is not sent then.
    pub(super) fn keep_sent(&self, signed: &SignedTx, submit: SubmitArgs) -> Result<()> {
        let Err(error) = self.sent_payments.keep(signed) else { return Ok(()) };
        if !submit.may_be_lost() {
            return Err(not_kept(&error).into());
        }
        let bytes = hex::encode(signed.as_bytes());
        self.out.progress(format!("WARNING: this payment cannot be kept on the disk ({error}); should it never appear in a block, exit with its bytes: {bytes}"));
        Ok(())
    }
}

fn not_kept(error: &std::io::Error) -> Failure {
    let message = format!(
        "nothing was sent: the signed payment cannot be kept on the disk, beside the network file ({error})"
    );
    Failure::new("payment:not_kept", message).next(
        "make room or let this user write there; --no-keep pays all the same, and then the printed `txbytes` are all there is",
    )
}

#[cfg(test)]
mod tests {
    use super::super::sent_payments::tests::signed;
    use super::*;
    use crate::failure::ErrorReport;
    use anyhow::Context;
    use plasma_core::wire::Address;

    #[test]
    fn the_failure_of_a_payment_that_was_perhaps_sent_holds_its_bytes() {
        let signed = signed(1, Address::zero());
        let failed: Result<()> = Err(Failure::new("node:unreachable", "gone").into());
        let error = failed.context(Unconfirmed::new(&signed)).context("paying").unwrap_err();
        let report = ErrorReport::of(&error);
        assert_eq!(report.code, "node:unreachable");
        assert_eq!(report.txbytes, Some(hex::encode(signed.as_bytes())));
        let text =
            format!("paying: transaction {:?} was not confirmed as accepted: gone", signed.hash());
        assert_eq!(report.message, text);
        let json = serde_json::to_value(&report).unwrap();
        assert!(json["txbytes"].as_str().unwrap().starts_with("0x"));
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_a_code() {
        let error = not_kept(&std::io::Error::from(std::io::ErrorKind::StorageFull));
        let report = ErrorReport::of(&error.into());
        assert_eq!((report.code.as_str(), report.txbytes), ("payment:not_kept", None));
        assert!(report.next.unwrap().contains("--no-keep"));
    }
}
