//! The wire format: bytes in, checked types out, and back, byte for byte (`docs/protocol/wire.md`).
//!
//! A transaction climbs three steps, and each step is a type: [`Transaction`] (well-formed) inside [`SignedTx`] (with
//! signatures) inside [`RecoveredTx`] (stateless rules passed, spenders known). Nothing further up can be handed less.

pub mod block;
pub mod ids;
pub mod keccak;
pub mod merkle;
pub mod position;
pub mod primitives;
pub mod recovered;
pub mod rlp;
pub mod signed;
pub mod signing;
#[cfg(test)]
pub(crate) mod testing;
pub mod transaction;
pub mod typed_data;
pub mod typed_tx;

pub use block::{Block, BlockError};
pub use ids::{ExitId, OutputId};
pub use keccak::keccak256;
pub use merkle::{InclusionProof, MerkleBuilder};
pub use position::{InputPointer, UtxoPos};
pub use primitives::{
    Address, Blknum, BlockHash, CHILD_BLOCK_INTERVAL, Currency, ETH, EthHeight, H256, OutputIndex,
    TxHash, TxIndex, U256, U512,
};
pub use recovered::{RecoverTxError, RecoveredTx};
pub use signed::{DecodeTxError, SignedTx};
pub use signing::{SecretKey, Signature};
pub use transaction::{FeeClaimTx, Output, OutputType, PaymentTx, Transaction, TxType};
pub use typed_data::TypedDataDomain;
pub use typed_tx::{TypedInput, TypedOutput, TypedTx};

/// Most inputs of a payment (protocol F1, contracts v1).
pub const MAX_INPUTS: usize = 4;
/// Most outputs of a payment (protocol F1, contracts v1).
pub const MAX_OUTPUTS: usize = 4;
/// Leaves of a block's Merkle tree, and so the most transactions a block can hold (protocol 2.3).
pub const MAX_BLOCK_TRANSACTIONS: u32 = 65_536;
