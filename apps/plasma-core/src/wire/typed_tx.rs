//! A payment as a typed-data document has it: four inputs and four outputs, with zeros for what is not there (protocol 6.5).
//!
//! It must never make a payment out of a document whose digest is another payment's: who dropped a part in the middle has signed
//! something else, and their signature says so when it is checked.

use super::position::{BLOCK_OFFSET, InputPointer, TX_OFFSET, UtxoPos};
use super::primitives::{Address, Currency, H256, U256};
use super::signed::{DecodeTxError, SignedTx};
use super::signing::Signature;
use super::transaction::{Output, PaymentTx, Transaction};
use super::{MAX_INPUTS, MAX_OUTPUTS};

/// An input, in its three parts. All zero: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypedInput {
    /// Block of the output it spends.
    pub blknum: U256,
    /// The transaction in the block.
    pub txindex: U256,
    /// The output in the transaction.
    pub oindex: U256,
}

/// An output. Of amount zero: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypedOutput {
    /// Who will own it.
    pub owner: Address,
    /// What it is counted in.
    pub currency: Currency,
    /// How much, in the smallest unit.
    pub amount: U256,
}

/// A payment with all its slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypedTx {
    /// What it spends.
    pub inputs: [TypedInput; MAX_INPUTS],
    /// What it makes.
    pub outputs: [TypedOutput; MAX_OUTPUTS],
    /// 32 bytes of the sender's choice, zero when unused.
    pub metadata: H256,
}

impl TypedTx {
    /// The slots of a payment.
    pub fn of(payment: &PaymentTx) -> Self {
        let mut typed = Self { metadata: payment.metadata, ..Self::default() };
        for (slot, input) in typed.inputs.iter_mut().zip(&payment.inputs) {
            *slot = TypedInput::of(*input);
        }
        for (slot, output) in typed.outputs.iter_mut().zip(&payment.outputs) {
            let Output { owner, currency, amount, .. } = *output;
            *slot = TypedOutput { owner, currency, amount };
        }
        typed
    }

    /// The payment in the slots that are taken. Its other rules are not checked.
    ///
    /// # Errors
    /// [`DecodeTxError::MalformedInputs`] for an input that is no position.
    pub fn to_payment(&self) -> Result<PaymentTx, DecodeTxError> {
        let inputs = self.inputs.iter().filter(|input| **input != TypedInput::default());
        let inputs = inputs.map(|input| input.pointer().ok_or(DecodeTxError::MalformedInputs));
        let inputs = inputs.collect::<Result<_, _>>()?;
        let outputs = self.outputs.iter().filter(|output| !output.amount.is_zero());
        let outputs =
            outputs.map(|output| Output::payment(output.owner, output.currency, output.amount));
        Ok(PaymentTx { inputs, outputs: outputs.collect(), metadata: self.metadata })
    }

    /// The signed transaction: every rule of the wire format is checked.
    ///
    /// # Errors
    /// The first rule broken, in the order of protocol 3.1. The number of signatures and who signed are not looked at.
    pub fn sign(&self, signatures: &[Signature]) -> Result<SignedTx, DecodeTxError> {
        SignedTx::new(Transaction::Payment(self.to_payment()?), signatures)
    }
}

impl TypedInput {
    fn of(input: InputPointer) -> Self {
        if let Some(UtxoPos { blknum, txindex, oindex }) = input.position() {
            return Self {
                blknum: blknum.get().into(),
                txindex: txindex.get().into(),
                oindex: oindex.get().into(),
            };
        }
        let (blknum, within_block) = input.to_u256().div_mod(U256::from(BLOCK_OFFSET));
        let (txindex, oindex) = within_block.div_mod(U256::from(TX_OFFSET));
        Self { blknum, txindex, oindex }
    }

    /// The word on the wire; `None` when a part does not fit its place.
    fn pointer(&self) -> Option<InputPointer> {
        let (block_offset, tx_offset) = (U256::from(BLOCK_OFFSET), U256::from(TX_OFFSET));
        let within_block = self.txindex.checked_mul(tx_offset)?.checked_add(self.oindex)?;
        if self.oindex >= tx_offset || within_block >= block_offset {
            return None;
        }
        let word = self.blknum.checked_mul(block_offset)?.checked_add(within_block)?;
        let mut bytes = [0; 32];
        word.to_big_endian(&mut bytes);
        Some(InputPointer::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Blknum;
    use crate::wire::ETH;
    use crate::wire::signing::SecretKey;
    use crate::wire::typed_data::TypedDataDomain;
    use crate::wire::{OutputIndex, TxIndex};
    use proptest::prelude::*;

    fn input(blknum: u64, txindex: u32, oindex: u16) -> InputPointer {
        UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex)).into()
    }

    fn output(amount: u64) -> Output {
        Output::payment(Address::repeat_byte(0xaa), ETH, amount.into())
    }

    #[test]
    fn empty_slots_are_dropped_wherever_they_are() {
        let payment = PaymentTx {
            inputs: [input(1_000, 0, 0), input(2_001, 0, 0)].into_iter().collect(),
            outputs: [output(1), output(2)].into_iter().collect(),
            metadata: H256::repeat_byte(7),
        };
        let mut typed = TypedTx::of(&payment);
        assert_eq!(typed.to_payment(), Ok(payment.clone()));
        typed.inputs.swap(1, 3);
        typed.outputs.swap(0, 2);
        typed.outputs.swap(1, 3);
        assert_eq!(typed.to_payment(), Ok(payment));
    }

    #[test]
    fn an_input_that_is_no_position_is_malformed() {
        for (blknum, txindex, oindex) in [
            (U256::one(), 100_000.into(), U256::zero()),
            (U256::one(), U256::zero(), 10_000.into()),
            (U256::MAX, U256::zero(), U256::zero()),
            (U256::one(), U256::MAX, U256::one()),
        ] {
            let mut typed = TypedTx::default();
            typed.inputs[0] = TypedInput { blknum, txindex, oindex };
            assert_eq!(typed.to_payment(), Err(DecodeTxError::MalformedInputs), "{typed:?}");
        }
    }

    #[test]
    fn the_rules_of_the_wire_hold_for_documents_too() {
        assert_eq!(TypedTx::default().sign(&[]), Err(DecodeTxError::EmptyOutputs));
        let mut typed = TypedTx::default();
        typed.outputs[0] = TypedOutput { amount: 1.into(), ..TypedOutput::default() };
        assert_eq!(typed.sign(&[]), Err(DecodeTxError::ZeroOwner));
    }

    proptest! {
        #[test]
        fn a_document_and_the_payment_it_came_from_have_one_digest(
            places in prop::collection::vec((1_u64..1 << 54, 0_u32..99_999, 0_u16..9_999), 0..=4),
            amounts in prop::collection::vec(1_u64.., 1..=4),
            metadata: [u8; 32],
        ) {
            let payment = PaymentTx {
                inputs: places.iter().map(|(b, t, o)| input(*b, *t, *o)).collect(),
                outputs: amounts.iter().map(|amount| output(*amount)).collect(),
                metadata: metadata.into(),
            };
            let domain = TypedDataDomain::new(Address::repeat_byte(1));
            let rebuilt = TypedTx::of(&payment).to_payment().unwrap();
            prop_assert_eq!(domain.sign_hash(&rebuilt), domain.sign_hash(&payment));
            let key = SecretKey::from_bytes([7; 32]).unwrap();
            let signature = key.sign(domain.sign_hash(&payment));
            let signatures = vec![signature; places.len()];
            let signed = TypedTx::of(&payment).sign(&signatures).unwrap();
            prop_assert_eq!(signed.transaction(), &Transaction::Payment(payment));
        }
    }
}
