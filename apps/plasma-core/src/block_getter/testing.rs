//! Signed payments and blocks for the unit tests of the watching machines.

use super::{BlockId, VerifiedBlock, check_block};
use crate::wire::{
    Address, Blknum, BlockHash, ETH, H256, MerkleBuilder, Output, OutputIndex, PaymentTx,
    RecoveredTx, SecretKey, SignedTx, Transaction, TxIndex, TypedDataDomain, U256, UtxoPos,
};

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes([seed; 32]).unwrap()
}

pub(crate) fn domain() -> TypedDataDomain {
    TypedDataDomain::new(Address::repeat_byte(0xfa))
}

pub(crate) fn pos(blknum: u64, txindex: u32, oindex: u16) -> UtxoPos {
    let (txindex, oindex) = (TxIndex::new(txindex), OutputIndex::new(oindex));
    UtxoPos::new(Blknum::new(blknum), txindex, oindex)
}

/// Spends output `(blknum, 0, oindex)` each, all signed by `owner`, and pays `amount` back to the owner.
pub(crate) fn payment(owner: &SecretKey, inputs: &[(u64, u16)], amount: u64) -> RecoveredTx {
    let inputs: Vec<_> = inputs.iter().map(|(blknum, oindex)| pos(*blknum, 0, *oindex)).collect();
    payment_to(owner, &inputs, owner.address(), amount)
}

pub(crate) fn payment_to(
    owner: &SecretKey,
    inputs: &[UtxoPos],
    receiver: Address,
    amount: u64,
) -> RecoveredTx {
    let payment = PaymentTx {
        inputs: inputs.iter().copied().map(Into::into).collect(),
        outputs: [Output::payment(receiver, ETH, U256::from(amount))].into_iter().collect(),
        metadata: H256::zero(),
    };
    let signature = owner.sign(domain().sign_hash(&payment));
    let signatures = vec![signature; inputs.len()];
    let signed = SignedTx::new(Transaction::Payment(payment), &signatures).unwrap();
    RecoveredTx::recover(signed, &domain()).unwrap()
}

/// The root over these transactions.
pub(crate) fn block_of(transactions: &[RecoveredTx]) -> BlockHash {
    MerkleBuilder::from_leaves(transactions.iter().map(RecoveredTx::leaf)).unwrap().root()
}

pub(crate) fn verified(blknum: u64, transactions: &[RecoveredTx]) -> VerifiedBlock {
    let id = BlockId { blknum: Blknum::new(blknum), hash: block_of(transactions) };
    check_block(id, id, transactions.iter().cloned().map(Ok).collect()).unwrap()
}
