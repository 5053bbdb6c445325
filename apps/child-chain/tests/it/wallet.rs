//! Keys of test users, and payments they sign.

use plasma_core::wire::{
    Address, ETH, H256, Output, OutputIndex, PaymentTx, SecretKey, SignedTx, TypedDataDomain, U256,
    UtxoPos,
};
use plasma_rpc::child_chain::SubmitAnswer;

/// The fake contracts are always there.
pub(crate) fn domain() -> TypedDataDomain {
    let mut framework = [0; 20];
    framework[19] = 0xf0;
    TypedDataDomain::new(Address::from(framework))
}

pub(crate) fn alice() -> SecretKey {
    SecretKey::from_bytes([1; 32]).unwrap()
}

pub(crate) fn bob() -> SecretKey {
    SecretKey::from_bytes([2; 32]).unwrap()
}

pub(crate) fn fee_claimer() -> Address {
    Address::repeat_byte(0xfe)
}

/// An unsigned payment of Ether.
pub(crate) fn unsigned(inputs: &[UtxoPos], outputs: &[(Address, u64)]) -> PaymentTx {
    let output = |(owner, amount): &(Address, u64)| Output::payment(*owner, ETH, (*amount).into());
    PaymentTx {
        inputs: inputs.iter().map(|position| (*position).into()).collect(),
        outputs: outputs.iter().map(output).collect(),
        metadata: H256::zero(),
    }
}

/// A payment of Ether, all of whose inputs belong to one key.
pub(crate) fn payment(key: &SecretKey, inputs: &[UtxoPos], outputs: &[(Address, u64)]) -> Vec<u8> {
    let keys = vec![key; inputs.len()];
    let signed = SignedTx::sign_payment(unsigned(inputs, outputs), &keys, &domain());
    signed.unwrap().as_bytes().to_vec()
}

/// Alice's payment of a deposit to Bob that leaves a fee of 1.
pub(crate) fn to_bob(deposit: UtxoPos, amount: u64) -> Vec<u8> {
    payment(&alice(), &[deposit], &[(bob().address(), amount - 1)])
}

/// The first output of an accepted transaction.
pub(crate) fn output(answer: &SubmitAnswer) -> UtxoPos {
    UtxoPos::new(answer.blknum, answer.txindex, OutputIndex::new(0))
}

pub(crate) fn decode(bytes: &[u8]) -> SignedTx {
    SignedTx::decode(bytes).unwrap()
}

pub(crate) fn wei(amount: u64) -> U256 {
    U256::from(amount)
}
