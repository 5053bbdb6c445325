//! What a spender signs: the EIP-712 digest of a payment (protocol 1.5, flavour F1).
//!
//! Missing inputs and outputs are hashed as all-zero structs, so the digest is over four of each. The domain has no chain
//! id: the same framework address on two chains would share signatures, which is why addresses must differ.

use super::keccak::{keccak256, keccak256_concat};
use super::position::{BLOCK_OFFSET, InputPointer, TX_OFFSET};
use super::primitives::{Address, H256, U256};
use super::transaction::{Output, PaymentTx, TxType};
use super::{MAX_INPUTS, MAX_OUTPUTS};

/// `name` of the domain.
pub const DOMAIN_NAME: &str = "OMG Network";
/// `version` of the domain.
pub const DOMAIN_VERSION: &str = "1";
/// `salt` of the domain.
pub const DOMAIN_SALT: H256 = primitive_types::H256([
    0xfa, 0xd5, 0xc7, 0xf6, 0x26, 0xd8, 0x0f, 0x92, 0x56, 0xef, 0x01, 0x92, 0x9f, 0x3b, 0xeb, 0x96,
    0xe0, 0x58, 0xb8, 0xb4, 0xb0, 0xe3, 0xfe, 0x52, 0xd8, 0x4f, 0x05, 0x4c, 0x0e, 0x2a, 0x7a, 0x83,
]);

/// Type string of the domain.
pub const DOMAIN_TYPE: &str =
    "EIP712Domain(string name,string version,address verifyingContract,bytes32 salt)";
/// Type string of an input.
pub const INPUT_TYPE: &str = "Input(uint256 blknum,uint256 txindex,uint256 oindex)";
/// Type string of an output. The owner is `bytes20`, padded on the right; the currency is an address, padded on the left.
pub const OUTPUT_TYPE: &str =
    "Output(uint256 outputType,bytes20 outputGuard,address currency,uint256 amount)";
/// Type string of a transaction, with the types it refers to.
pub const TRANSACTION_TYPE: &str = "Transaction(uint256 txType,Input input0,Input input1,Input input2,Input input3,Output output0,Output output1,Output output2,Output output3,uint256 txData,bytes32 metadata)Input(uint256 blknum,uint256 txindex,uint256 oindex)Output(uint256 outputType,bytes20 outputGuard,address currency,uint256 amount)";

/// Everything about the digest that is the same for all transactions of one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedDataDomain {
    verifying_contract: Address,
    separator: H256,
    transaction_type_hash: H256,
    input_type_hash: H256,
    output_type_hash: H256,
    missing_input: H256,
    missing_output: H256,
}

impl TypedDataDomain {
    /// The domain of the deployment whose framework has this address.
    pub fn new(verifying_contract: Address) -> Self {
        let input_type_hash = keccak256(INPUT_TYPE.as_bytes());
        let output_type_hash = keccak256(OUTPUT_TYPE.as_bytes());
        Self {
            verifying_contract,
            separator: keccak256_concat(&[
                keccak256(DOMAIN_TYPE.as_bytes()).as_bytes(),
                keccak256(DOMAIN_NAME.as_bytes()).as_bytes(),
                keccak256(DOMAIN_VERSION.as_bytes()).as_bytes(),
                &left_padded(verifying_contract),
                DOMAIN_SALT.as_bytes(),
            ]),
            transaction_type_hash: keccak256(TRANSACTION_TYPE.as_bytes()),
            input_type_hash,
            output_type_hash,
            missing_input: keccak256_concat(&[input_type_hash.as_bytes(), &[0; 96]]),
            missing_output: keccak256_concat(&[output_type_hash.as_bytes(), &[0; 128]]),
        }
    }

    /// The framework contract.
    pub const fn verifying_contract(&self) -> Address {
        self.verifying_contract
    }

    /// The EIP-712 domain separator.
    pub const fn separator(&self) -> H256 {
        self.separator
    }

    /// The digest every owner of an input signs.
    pub fn sign_hash(&self, payment: &PaymentTx) -> H256 {
        keccak256_concat(&[
            b"\x19\x01",
            self.separator.as_bytes(),
            self.struct_hash(payment).as_bytes(),
        ])
    }

    /// The EIP-712 struct hash of a payment.
    pub fn struct_hash(&self, payment: &PaymentTx) -> H256 {
        let mut inputs = [self.missing_input; MAX_INPUTS];
        for (slot, input) in inputs.iter_mut().zip(&payment.inputs) {
            *slot = self.hash_input(input);
        }
        let mut outputs = [self.missing_output; MAX_OUTPUTS];
        for (slot, output) in outputs.iter_mut().zip(&payment.outputs) {
            *slot = self.hash_output(output);
        }
        self.struct_hash_of(&inputs, &outputs, payment.metadata)
    }

    /// The struct hash over four input hashes and four output hashes.
    pub fn struct_hash_of(
        &self,
        inputs: &[H256; MAX_INPUTS],
        outputs: &[H256; MAX_OUTPUTS],
        metadata: H256,
    ) -> H256 {
        let [i0, i1, i2, i3] = inputs;
        let [o0, o1, o2, o3] = outputs;
        keccak256_concat(&[
            self.transaction_type_hash.as_bytes(),
            &word(TxType::Payment.number().into()),
            i0.as_bytes(),
            i1.as_bytes(),
            i2.as_bytes(),
            i3.as_bytes(),
            o0.as_bytes(),
            o1.as_bytes(),
            o2.as_bytes(),
            o3.as_bytes(),
            &[0; 32],
            metadata.as_bytes(),
        ])
    }

    /// The struct hash of one input: its three parts, whatever the size of the block number.
    pub fn hash_input(&self, input: &InputPointer) -> H256 {
        let (blknum, txindex, oindex) = match input.position() {
            Some(at) => (at.blknum.get().into(), at.txindex.get().into(), at.oindex.get().into()),
            None => split_wide(input.to_u256()),
        };
        keccak256_concat(&[
            self.input_type_hash.as_bytes(),
            &word(blknum),
            &word(txindex),
            &word(oindex),
        ])
    }

    /// The struct hash of one output.
    pub fn hash_output(&self, output: &Output) -> H256 {
        self.hash_output_fields(
            output.output_type.number().into(),
            output.owner,
            output.currency,
            output.amount,
        )
    }

    /// The struct hash of an output of any type: the contracts hash types this chain has no use for.
    pub fn hash_output_fields(
        &self,
        output_type: U256,
        owner: Address,
        currency: Address,
        amount: U256,
    ) -> H256 {
        keccak256_concat(&[
            self.output_type_hash.as_bytes(),
            &word(output_type),
            owner.as_bytes(),
            &[0; 12],
            &left_padded(currency),
            &word(amount),
        ])
    }

    /// What stands in for an input that is not there.
    pub const fn missing_input(&self) -> H256 {
        self.missing_input
    }

    /// What stands in for an output that is not there.
    pub const fn missing_output(&self) -> H256 {
        self.missing_output
    }
}

/// Splits a position whose block number does not fit 64 bits.
fn split_wide(position: U256) -> (U256, U256, U256) {
    let (blknum, within_block) = position.div_mod(U256::from(BLOCK_OFFSET));
    let (txindex, oindex) = within_block.div_mod(U256::from(TX_OFFSET));
    (blknum, txindex, oindex)
}

fn word(number: U256) -> [u8; 32] {
    let mut word = [0; 32];
    number.to_big_endian(&mut word);
    word
}

fn left_padded(address: Address) -> [u8; 32] {
    let mut word = [0; 32];
    if let Some(low) = word.last_chunk_mut::<20>() {
        *low = address.0;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::position::UtxoPos;
    use crate::wire::testing::{address, h256};
    use crate::wire::{Blknum, ETH, OutputIndex, OutputType, TxIndex};

    fn domain() -> TypedDataDomain {
        TypedDataDomain::new(address("44de0ec539b8c4a4b530c78620fe8320167f2f74"))
    }

    fn input(blknum: u64, txindex: u32, oindex: u16) -> InputPointer {
        UtxoPos::new(Blknum::new(blknum), TxIndex::new(txindex), OutputIndex::new(oindex)).into()
    }

    fn outputs() -> Vec<Output> {
        let owner = address("2258a5279850f6fb78888a7e45ea2a5eb1b3c436");
        let token = address("0123456789abcdef000000000000000000000000");
        vec![
            Output::payment(owner, ETH, 100.into()),
            Output::payment(token, ETH, 111.into()),
            Output::payment(owner, token, 1337.into()),
            Output::payment(Address::zero(), ETH, U256::zero()),
        ]
    }

    fn payment(inputs: &[InputPointer], outputs: &[Output], metadata: H256) -> PaymentTx {
        PaymentTx {
            inputs: inputs.iter().copied().collect(),
            outputs: outputs.iter().copied().collect(),
            metadata,
        }
    }

    #[test]
    fn type_hashes_are_the_documented_ones() {
        for (text, expected) in [
            (DOMAIN_TYPE, "36c25de3e541d5d970f66e4210d728721220fff5c077cc6cd008b3a0c62adab7"),
            (INPUT_TYPE, "5f0e06e50b513a68a090818949172483acfec769d9b7756cad7c00b26b52178c"),
            (OUTPUT_TYPE, "9fd642c2bbaa2f3431add55df5d3932807048fb41b6b07d65c59e0f9ad3a8eb7"),
            (TRANSACTION_TYPE, "241c8cf311f10d9082cd3aa8f912df0fe9d65d95571fa11b7ac8833ea3dcf40a"),
        ] {
            assert_eq!(keccak256(text.as_bytes()), h256(expected), "{text}");
        }
        assert_eq!(
            domain().missing_input,
            h256("1a5933eb0b3223b0500fbbe7039cab9badc006adda6cf3d337751412fd7a4b61")
        );
        assert_eq!(
            domain().missing_output,
            h256("7ad3294754e2cfc48a946ab7f8ec5b7dc50fc8ecbc0236a020e5c9c0db60a98c")
        );
    }

    #[test]
    fn separators_are_the_documented_ones() {
        for (contract, expected) in [
            (
                "d17e1233a03affb9092d5109179b43d6a8828607",
                "530ca014c98ae36a50f208efc1977274c8cfa3a7228771c0c8f0cb835e5d8101",
            ),
            (
                "44de0ec539b8c4a4b530c78620fe8320167f2f74",
                "b542beb7bafc6796b8439716a4e460a2634ac432216cebc524e54f8789e2924c",
            ),
            (
                "ecda6da8fddd416837bdcf38d6e17a4a898534eb",
                "dc9040b5a42e768d623f078305f4cb1bd4e79c398555f9d3913a74005d2a2b0d",
            ),
            (
                "a1d683a00f63dda0cde68349ebfd38513d79433f",
                "6c650db4cf8537eca556551a536134f12df128b0628180c031ec65cdb08e6295",
            ),
        ] {
            assert_eq!(TypedDataDomain::new(address(contract)).separator(), h256(expected));
        }
    }

    #[test]
    fn inputs_and_outputs_hash_as_documented() {
        let domain = domain();
        assert_eq!(
            domain.hash_input(&input(1, 0, 0)),
            h256("7377afcd24fdc685fd8c6ea2b5d15a74f2c898c3d5bcce3499f448a4d68db290")
        );
        assert_eq!(
            domain.hash_input(&input(101_000, 1337, 3)),
            h256("c198a0ab9b12c3f225195cf0f7870c7ab12c316b33eb99771dfd0f3f7da455a5")
        );
        let expected = [
            "4b85fe2caac41f533c3d3b56ec75ca3363d0205e4dde63ca16b0d377fa79364d",
            "27962e5f1453285204261a3b2fe420be5ee504f3606d857e5c3120e1fc7aac3f",
            "257ce332ccd9571fb364f8abd0b22ca53cd3d7e4ba9a14fd208cdf25caf8854f",
            "168031cd8ed05efce595276a59045cabf7a33d14a4dcad1ea16fdd0c98ad7598",
        ];
        for (output, expected) in outputs().iter().zip(expected) {
            assert_eq!(domain.hash_output(output), h256(expected));
        }
    }

    #[test]
    fn payments_hash_as_documented() {
        let domain = domain();
        let empty = payment(&[], &[], H256::zero());
        assert_eq!(
            domain.sign_hash(&empty),
            h256("47f83702c496c7ebb6ec639cb11d6c8b81eb64f6d818cb087e3ed2cb92ccf1ae")
        );
        let inputs = [input(1, 0, 0), input(1000, 2, 3), input(101_000, 1337, 3)];
        let full = payment(&inputs, &outputs(), H256::zero());
        assert_eq!(
            domain.struct_hash(&full),
            h256("d5fb24437003566da84b8948fde09c367bbf93da39cdd23390ecaa98e3054f2d")
        );
        assert_eq!(
            domain.sign_hash(&full),
            h256("aeaa272f4460436415f377cb0cefe8f2646f4457f60827519a7edf86d30c0bf0")
        );
        let metadata = h256("853a8d8af99c93405a791b97d57e819e538b06ffaa32ad70da2582500bc18d43");
        let noted = payment(&inputs, &outputs(), metadata);
        assert_eq!(
            domain.struct_hash(&noted),
            h256("7c3f89120b00c4b1ca433811b544e8177f109c5a4ca27ff434e08b02d66e77f4")
        );
        assert_eq!(
            domain.sign_hash(&noted),
            h256("e1fcd0b07d8034ac039c15c544436a95e92879689a456604cbc0e8420e6e342a")
        );
    }

    #[test]
    fn the_typed_data_of_the_javascript_client_hashes_as_documented() {
        let guard = address("f4ebbe787311bb955bb353b7a4d8b97af8ed1c9b");
        let outputs =
            [Output::payment(guard, guard, 1.into()), Output::payment(guard, ETH, 4567.into())];
        let payment =
            payment(&[input(12, 0, 0), input(9_821_314, 4579, 13)], &outputs, H256::zero());
        assert_eq!(
            domain().struct_hash(&payment),
            h256("bbfceed8e6b34851dfacdeef46dce4ec9e14fec48c3ad5a15d5b3efc2d6f2b0e")
        );
    }

    #[test]
    fn a_position_beyond_every_block_is_still_hashed_by_its_parts() {
        let wide = InputPointer::from_bytes([0xff; 32]);
        let (blknum, txindex, oindex) = split_wide(wide.to_u256());
        assert_eq!(blknum * BLOCK_OFFSET + txindex * TX_OFFSET + oindex, U256::MAX);
        assert_eq!(OutputType::from_number(U256::zero()), None);
        assert_ne!(domain().hash_input(&wide), domain().missing_input);
    }
}
