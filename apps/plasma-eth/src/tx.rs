//! Root chain transactions: built and signed here, so that no node ever holds a key.

use crate::GasFees;
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Eip1559TransactionRequest, NameOrAddress, Signature};
use plasma_core::wire::{Address, H256, SecretKey, U256, keccak256};

/// What the v of a child chain signature adds to the parity.
const RECOVERY_ID_OFFSET: u8 = 27;

/// An EIP-1559 transaction without a signature.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) chain_id: u64,
    pub(crate) nonce: u64,
    /// `None` deploys a contract.
    pub(crate) to: Option<Address>,
    pub(crate) value_wei: U256,
    pub(crate) data: Vec<u8>,
    pub(crate) gas_limit: u64,
    pub(crate) fees: GasFees,
}

/// A transaction a node takes.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) txhash: H256,
    pub(crate) raw: Vec<u8>,
}

impl Draft {
    /// Signs. The same draft and key always give the same bytes (RFC 6979).
    pub(crate) fn sign(self, key: &SecretKey) -> Signed {
        let request = Eip1559TransactionRequest {
            from: None,
            to: self.to.map(NameOrAddress::Address),
            gas: Some(self.gas_limit.into()),
            value: Some(self.value_wei),
            data: Some(self.data.into()),
            nonce: Some(self.nonce.into()),
            access_list: Default::default(),
            max_priority_fee_per_gas: Some(self.fees.max_priority_fee_per_gas_wei.into()),
            max_fee_per_gas: Some(self.fees.max_fee_per_gas_wei.into()),
            chain_id: Some(self.chain_id.into()),
        };
        let tx = TypedTransaction::Eip1559(request);
        let signature = key.sign(tx.sighash());
        let [r_and_s @ .., v] = signature.as_bytes();
        let (r, s) = r_and_s.split_at(32);
        let signature = Signature {
            r: U256::from_big_endian(r),
            s: U256::from_big_endian(s),
            // Here v is the parity of the curve point: 0 or 1 (EIP-1559).
            v: u64::from(v.saturating_sub(RECOVERY_ID_OFFSET)),
        };
        let raw = tx.rlp_signed(&signature).to_vec();
        Signed { txhash: keccak256(&raw), raw }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ethers::types::Transaction;
    use ethers::utils::rlp;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_signed_transaction_decodes_to_its_draft_and_signer(
            secret in 1_u64.., nonce: u64, chain_id in 1_u64..1 << 40, to: Option<[u8; 20]>, value: u64,
            data in proptest::collection::vec(any::<u8>(), 0..100), gas_limit: u64, max_fee: u128, tip: u128,
        ) {
            let mut bytes = [0; 32];
            bytes[24..].copy_from_slice(&secret.to_be_bytes());
            let key = SecretKey::from_bytes(bytes).unwrap();
            let draft = Draft {
                chain_id,
                nonce,
                to: to.map(Address::from),
                value_wei: value.into(),
                data: data.clone(),
                gas_limit,
                fees: GasFees { max_fee_per_gas_wei: max_fee, max_priority_fee_per_gas_wei: tip },
            };
            let signed = draft.clone().sign(&key);
            prop_assert_eq!(&draft.sign(&key).raw, &signed.raw);

            let tx: Transaction = rlp::decode(&signed.raw).unwrap();
            prop_assert_eq!(tx.hash, signed.txhash);
            prop_assert_eq!(tx.recover_from().unwrap(), key.address());
            prop_assert_eq!(tx.chain_id, Some(chain_id.into()));
            prop_assert_eq!(tx.nonce, nonce.into());
            prop_assert_eq!(tx.to, to.map(Address::from));
            prop_assert_eq!(tx.value, value.into());
            prop_assert_eq!(tx.input.to_vec(), data);
            prop_assert_eq!(tx.gas, gas_limit.into());
            prop_assert_eq!(tx.max_fee_per_gas, Some(max_fee.into()));
            prop_assert_eq!(tx.max_priority_fee_per_gas, Some(tip.into()));
        }
    }
}
