//! Transactions and their unsigned bytes (protocol 1.2).
//!
//! ```text
//! payment    [1, [input …], [[outputType, [owner, currency, amount]] …], 0, metadata]
//! fee claim  [3, [[2, [owner, currency, amount]]], nonce]
//! ```

use super::keccak::{keccak256, keccak256_concat};
use super::position::{InputPointer, UtxoPos};
use super::primitives::{Address, Blknum, Currency, H256, TxHash, U256};
use super::rlp::append_uint;
use super::{MAX_INPUTS, MAX_OUTPUTS};
use arrayvec::ArrayVec;
use rlp::RlpStream;

/// Kind of a transaction (protocol 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TxType {
    /// Spends inputs and makes outputs; with no inputs, the shape of a deposit.
    Payment,
    /// The operator collects the fees of a block.
    FeeClaim,
}

impl TxType {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Payment => 1,
            Self::FeeClaim => 3,
        }
    }

    /// The type with this number, if there is one. 2 is reserved and unknown.
    pub fn from_number(number: U256) -> Option<Self> {
        [Self::Payment, Self::FeeClaim].into_iter().find(|kind| U256::from(kind.number()) == number)
    }
}

/// Kind of an output (protocol 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputType {
    /// Made by a payment or a deposit.
    Payment,
    /// Made by a fee claim.
    FeeClaim,
}

impl OutputType {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Payment => 1,
            Self::FeeClaim => 2,
        }
    }

    /// The type with this number, if there is one. 0 is padding of typed data and never an output.
    pub fn from_number(number: U256) -> Option<Self> {
        [Self::Payment, Self::FeeClaim].into_iter().find(|kind| U256::from(kind.number()) == number)
    }
}

/// An amount of one currency that belongs to one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Output {
    /// What made it.
    pub output_type: OutputType,
    /// Who may spend it (the "output guard").
    pub owner: Address,
    /// What it is counted in.
    pub currency: Currency,
    /// In the smallest unit of the currency, never zero.
    pub amount: U256,
}

impl Output {
    /// An ordinary payment output.
    pub const fn payment(owner: Address, currency: Currency, amount: U256) -> Self {
        Self { output_type: OutputType::Payment, owner, currency, amount }
    }

    fn append(&self, stream: &mut RlpStream) {
        stream.begin_list(2).append(&self.output_type.number());
        stream.begin_list(3).append(&self.owner.as_bytes()).append(&self.currency.as_bytes());
        append_uint(stream, self.amount);
    }
}

/// Spends inputs and makes outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentTx {
    /// Outputs being spent, in the order their owners sign.
    pub inputs: ArrayVec<InputPointer, MAX_INPUTS>,
    /// Outputs being made.
    pub outputs: ArrayVec<Output, MAX_OUTPUTS>,
    /// 32 bytes of the sender's choice, zero when unused.
    pub metadata: H256,
}

/// Collects the fees one block earned in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeClaimTx {
    /// The one output, of type [`OutputType::FeeClaim`].
    pub output: Output,
    /// Makes the hash unique, since there are no inputs; see [`fee_claim_nonce`].
    pub nonce: H256,
}

/// A well-formed transaction without signatures.
#[expect(
    clippy::large_enum_variant,
    reason = "fee claims are rare, and a box would cost every payment an allocation"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// See [`PaymentTx`].
    Payment(PaymentTx),
    /// See [`FeeClaimTx`].
    FeeClaim(FeeClaimTx),
}

impl Transaction {
    /// The transaction of a deposit: a payment without inputs and with one output (protocol 1.2).
    pub fn deposit(owner: Address, currency: Currency, amount: U256) -> Self {
        let outputs = [Output::payment(owner, currency, amount)].into_iter().collect();
        Self::Payment(PaymentTx { inputs: ArrayVec::new(), outputs, metadata: H256::zero() })
    }

    /// The fee claim of `blknum` for one currency (protocol 3.4).
    pub fn fee_claim(blknum: Blknum, owner: Address, currency: Currency, amount: U256) -> Self {
        let output = Output { output_type: OutputType::FeeClaim, owner, currency, amount };
        Self::FeeClaim(FeeClaimTx { output, nonce: fee_claim_nonce(blknum, currency) })
    }

    /// Its kind.
    pub const fn tx_type(&self) -> TxType {
        match self {
            Self::Payment(_) => TxType::Payment,
            Self::FeeClaim(_) => TxType::FeeClaim,
        }
    }

    /// What it spends; a fee claim spends nothing.
    pub fn inputs(&self) -> &[InputPointer] {
        match self {
            Self::Payment(payment) => &payment.inputs,
            Self::FeeClaim(_) => &[],
        }
    }

    /// The positions it spends, in the order of its inputs. Inputs that no block can ever have are left out: a valid transaction has none.
    pub fn spent_positions(&self) -> impl Iterator<Item = UtxoPos> + Clone + '_ {
        self.inputs().iter().filter_map(|input| input.position())
    }

    /// What it makes.
    pub fn outputs(&self) -> &[Output] {
        match self {
            Self::Payment(payment) => &payment.outputs,
            Self::FeeClaim(claim) => std::slice::from_ref(&claim.output),
        }
    }

    /// The bytes that are hashed, proven on L1 and put into Merkle leaves.
    pub fn encode_unsigned(&self) -> Vec<u8> {
        let mut stream = RlpStream::new();
        stream.begin_list(match self {
            Self::Payment(_) => 5,
            Self::FeeClaim(_) => 3,
        });
        self.append_fields(&mut stream);
        stream.out().to_vec()
    }

    /// The bytes that travel: the signatures in front of the unsigned fields.
    pub fn encode_signed(&self, signatures: &[super::Signature]) -> Vec<u8> {
        let mut stream = RlpStream::new();
        stream.begin_list(match self {
            Self::Payment(_) => 6,
            Self::FeeClaim(_) => 4,
        });
        stream.begin_list(signatures.len());
        for signature in signatures {
            stream.append(&signature.as_bytes().as_slice());
        }
        self.append_fields(&mut stream);
        stream.out().to_vec()
    }

    /// Its id: Keccak-256 of the unsigned bytes, so signatures never influence it (protocol 1.3).
    pub fn hash(&self) -> TxHash {
        keccak256(&self.encode_unsigned())
    }

    fn append_fields(&self, stream: &mut RlpStream) {
        stream.append(&self.tx_type().number());
        if let Self::Payment(payment) = self {
            stream.begin_list(payment.inputs.len());
            for input in &payment.inputs {
                stream.append(&input.as_bytes().as_slice());
            }
        }
        stream.begin_list(self.outputs().len());
        for output in self.outputs() {
            output.append(stream);
        }
        match self {
            Self::Payment(payment) => {
                append_uint(stream, U256::zero());
                stream.append(&payment.metadata.as_bytes());
            }
            Self::FeeClaim(claim) => {
                stream.append(&claim.nonce.as_bytes());
            }
        }
    }
}

/// `K(u256(blknum) ‖ leftpad32(currency))`, with the block that holds the claim (protocol 1.3).
pub fn fee_claim_nonce(blknum: Blknum, currency: Currency) -> H256 {
    let mut number = [0; 32];
    U256::from(blknum.get()).to_big_endian(&mut number);
    keccak256_concat(&[&number, &[0; 12], currency.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ETH;
    use crate::wire::testing::{address, h256, unhex};

    #[test]
    fn deposits_encode_as_documented() {
        for (owner, amount, expected) in [
            (
                "854951e37c68a99a52d9e3ae15e0cb62184a613e",
                "333",
                "f85501c0f0ef01ed94854951e37c68a99a52d9e3ae15e0cb62184a613e94000000000000000000000000000000000000000082014d80a00000000000000000000000000000000000000000000000000000000000000000",
            ),
            (
                "60c5bc2de80acda5016c1e81f61620adbc730dd2",
                "1000000000000000000",
                "f85b01c0f6f501f39460c5bc2de80acda5016c1e81f61620adbc730dd2940000000000000000000000000000000000000000880de0b6b3a764000080a00000000000000000000000000000000000000000000000000000000000000000",
            ),
            (
                "60c5bc2de80acda5016c1e81f61620adbc730dd2",
                "3000000000000000000000",
                "f85c01c0f7f601f49460c5bc2de80acda5016c1e81f61620adbc730dd2940000000000000000000000000000000000000000\
              89a2a15d09519be0000080a00000000000000000000000000000000000000000000000000000000000000000",
            ),
        ] {
            let deposit =
                Transaction::deposit(address(owner), ETH, U256::from_dec_str(amount).unwrap());
            assert_eq!(deposit.encode_unsigned(), unhex(expected));
        }
    }

    #[test]
    fn fee_claims_encode_as_documented() {
        let claimer = address("6364e768aa9c8144fc2d7ce8da6baf330db4fe28");
        let claim = Transaction::fee_claim(Blknum::new(1000), claimer, ETH, U256::from(7));
        assert_eq!(
            claim.encode_unsigned(),
            unhex(
                "f85103eeed02eb946364e768aa9c8144fc2d7ce8da6baf330db4fe2894000000000000000000000000000000000000000007a03d77ce4419cb1d1793e08820c680b14ae3fac2ad92b6fb987bac1a53afc2d5ee"
            )
        );
        assert_eq!(
            claim.encode_signed(&[]),
            unhex(
                "f852c003eeed02eb946364e768aa9c8144fc2d7ce8da6baf330db4fe2894000000000000000000000000000000000000000007a03d77ce4419cb1d1793e08820c680b14ae3fac2ad92b6fb987bac1a53afc2d5ee"
            )
        );
        assert_eq!(
            claim.hash(),
            h256("57d91e725980ce77b81cdeab77bf198bbee4b2aae14e54ab7b78d2bb1b74d28a")
        );
        assert_eq!(
            fee_claim_nonce(Blknum::new(2000), ETH),
            h256("b4e4c1533acb6b77ba2510826c402b4ab7dfbf964b49bec21194e4ffa2a3666c")
        );
    }

    #[test]
    fn what_is_spent_is_listed_in_the_order_of_the_inputs() {
        let spends = |inputs: [InputPointer; 2]| {
            let inputs = inputs.into_iter().collect();
            let payment = PaymentTx { inputs, outputs: ArrayVec::new(), metadata: H256::zero() };
            Transaction::Payment(payment).spent_positions().collect::<Vec<_>>()
        };
        let [new, old] = [9, 1].map(|blknum| UtxoPos::deposit(Blknum::new(blknum)));
        assert_eq!(spends([new.into(), old.into()]), [new, old]);
        assert_eq!(spends([InputPointer::from_bytes([0xff; 32]), old.into()]), [old]);
        let claim = Transaction::fee_claim(Blknum::new(1000), Address::zero(), ETH, U256::one());
        assert_eq!(claim.spent_positions().count(), 0);
    }
}
