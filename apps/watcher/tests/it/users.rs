//! Keys of test users, the payments they sign, and the blocks made of them.

use plasma_core::wire::{
    Address, Blknum, Block, BlockHash, ETH, H256, InclusionProof, MerkleBuilder, Output,
    OutputIndex, PaymentTx, SecretKey, Signature, SignedTx, Transaction, TxIndex, TypedDataDomain,
    UtxoPos, merkle::leaf_hash,
};
use plasma_rpc::watcher::ChallengeData;

/// The people, by the number their key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Alice = 1,
    Bob = 2,
    Carol = 3,
}

impl Who {
    pub(crate) const ALL: [Self; 3] = [Self::Alice, Self::Bob, Self::Carol];

    pub(crate) fn key(self) -> SecretKey {
        SecretKey::from_bytes([self as u8; 32]).unwrap()
    }

    pub(crate) fn address(self) -> Address {
        self.key().address()
    }
}

/// The fake contracts are always there.
pub(crate) fn domain() -> TypedDataDomain {
    let mut framework = [0; 20];
    framework[19] = 0xf0;
    TypedDataDomain::new(Address::from(framework))
}

/// A payment of Ether in which each input is signed by who is named beside it.
pub(crate) fn pay(inputs: &[(UtxoPos, Who)], outputs: &[(Who, u64)]) -> Box<[u8]> {
    let output = |(who, amount): &(Who, u64)| Output::payment(who.address(), ETH, (*amount).into());
    let payment = PaymentTx {
        inputs: inputs.iter().map(|(position, _)| (*position).into()).collect(),
        outputs: outputs.iter().map(output).collect(),
        metadata: H256::zero(),
    };
    let keys: Vec<SecretKey> = inputs.iter().map(|(_, who)| who.key()).collect();
    let keys: Vec<&SecretKey> = keys.iter().collect();
    SignedTx::sign_payment(payment, &keys, &domain()).unwrap().as_bytes().into()
}

/// The unsigned bytes of a deposit, as its exit shows them.
pub(crate) fn deposit_tx(who: Who, amount: u64) -> Vec<u8> {
    Transaction::deposit(who.address(), ETH, amount.into()).encode_unsigned()
}

/// The unsigned bytes of a signed transaction.
pub(crate) fn unsigned(signed: &[u8]) -> Vec<u8> {
    SignedTx::decode(signed).unwrap().unsigned_bytes()
}

pub(crate) fn txhash(signed: &[u8]) -> H256 {
    SignedTx::decode(signed).unwrap().hash()
}

pub(crate) fn root_of(transactions: &[Box<[u8]>]) -> BlockHash {
    let leaves = transactions.iter().map(|bytes| SignedTx::decode(bytes).unwrap().leaf());
    MerkleBuilder::from_leaves(leaves).unwrap().root()
}

/// The output of a transaction in a block.
pub(crate) fn output(block: &Block, txindex: u32, oindex: u16) -> UtxoPos {
    at(block.number, txindex, oindex)
}

pub(crate) fn at(blknum: Blknum, txindex: u32, oindex: u16) -> UtxoPos {
    UtxoPos::new(blknum, TxIndex::new(txindex), OutputIndex::new(oindex))
}

/// Does what the contract does with a challenge: the transaction names the output, and the owner signed for it.
pub(crate) fn assert_challenges(data: &ChallengeData, position: UtxoPos, owner: Who) {
    assert_spends((&data.txbytes, data.input_index.into(), &data.sig), position, owner);
    let exit_id = plasma_core::wire::ExitId::standard(&data.exiting_tx, position);
    assert_eq!(Some(data.exit_id), exit_id);
}

/// Unsigned bytes, an index and a signature show that this owner spends this output.
pub(crate) fn assert_spends(
    (txbytes, index, signature): (&[u8], u16, &[u8]),
    position: UtxoPos,
    owner: Who,
) {
    let Transaction::Payment(payment) = Transaction::decode_unsigned(txbytes).unwrap() else {
        panic!("no payment can spend {position}");
    };
    let named = payment.inputs[usize::from(index)].position();
    assert_eq!(named, Some(position), "the challenge names another output");
    let signature = Signature::from_bytes(signature.try_into().unwrap());
    assert_eq!(signature.recover(domain().sign_hash(&payment)), Ok(owner.address()));
}

/// The proof shows that the transaction is at this place of the block.
pub(crate) fn assert_included(txbytes: &[u8], position: UtxoPos, proof: &[u8], root: BlockHash) {
    let proof = InclusionProof::from_bytes(proof).unwrap();
    assert!(proof.verify(leaf_hash(txbytes), position.txindex.get(), root), "{position}");
}
