//! The Sentinel's calls in the bytes that the contracts take.
//!
//! It must never fail: the hash of a transaction has to be known whatever happens (`S3`). So the selectors are constants here, and
//! a test compares them and the arguments with the ABI.

use super::Contract;
use super::abi::arg;
use ethers::abi::{Token, encode};
use plasma_core::sentinel::Call;
use plasma_core::wire::{Address, ExitId, OutputIndex, U256, UtxoPos, keccak256};

/// The contract and what to say to it. `sender` is who signs: challenges name it, so that nobody else can use them.
pub(crate) fn call_data(call: &Call, sender: Address) -> (Contract, Vec<u8>) {
    let (contract, selector, arguments) = parts(call, sender);
    (contract, [selector.as_slice(), &encode(&arguments)].concat())
}

/// The argument of `challengeStandardExit`.
pub(crate) fn challenge_standard_exit(
    exit_id: ExitId,
    (exiting_tx, challenge_tx): (&[u8], &[u8]),
    input_index: u16,
    witness: &[u8],
    sender: Address,
) -> Token {
    Token::Tuple(vec![
        arg::exit_id(exit_id),
        arg::bytes(exiting_tx),
        arg::bytes(challenge_tx),
        arg::uint(input_index),
        arg::bytes(witness),
        sender_data(sender),
    ])
}

/// The arguments of `processExits`.
pub(crate) fn process_exits(
    vault_id: u64,
    token: Address,
    top_exit_id: Option<ExitId>,
    exits_max: u64,
) -> Vec<Token> {
    let top_exit_id = top_exit_id.map_or_else(|| arg::uint(0_u64), arg::exit_id);
    vec![arg::uint(vault_id), arg::address(token), top_exit_id, arg::uint(exits_max)]
}

fn parts(call: &Call, sender: Address) -> (Contract, [u8; 4], Vec<Token>) {
    let game = Contract::PaymentExitGame;
    match call {
        Call::ChallengeStandardExit(data) => {
            let txs = (&*data.exiting_tx, &*data.tx_bytes);
            let witness = data.signature.as_bytes();
            let argument =
                challenge_standard_exit(data.exit_id, txs, data.input_index, witness, sender);
            (game, [0xdf, 0x29, 0x33, 0xe2], vec![argument])
        }
        Call::ChallengeInFlightExitNotCanonical(proof) => {
            let (position, inclusion) = match &proof.included {
                Some((position, inclusion)) => (tx_position(*position), inclusion.to_bytes()),
                // Zero is no position, and says that no block holds the competitor.
                None => (arg::uint(0_u64), Vec::new()),
            };
            let argument = Token::Tuple(vec![
                arg::bytes(&proof.input_tx),
                arg::position(proof.input_position),
                arg::bytes(&proof.in_flight_tx),
                arg::uint(proof.in_flight_input_index),
                arg::bytes(&proof.competing_tx),
                arg::uint(proof.competing_input_index),
                position,
                arg::bytes(&inclusion),
                arg::bytes(proof.competing_signature.as_bytes()),
            ]);
            (game, [0xe8, 0x36, 0x22, 0x98], vec![argument])
        }
        Call::RespondToNonCanonicalChallenge(proof) => {
            let arguments = vec![
                arg::bytes(&proof.in_flight_tx),
                tx_position(proof.position),
                arg::bytes(&proof.proof.to_bytes()),
            ];
            (game, [0x36, 0x66, 0x0d, 0xe4], arguments)
        }
        Call::ChallengeInFlightExitInputSpent(proof) => {
            let argument = Token::Tuple(vec![
                arg::bytes(&proof.in_flight_tx),
                arg::uint(proof.in_flight_input_index),
                arg::bytes(&proof.challenging_tx),
                arg::uint(proof.challenging_input_index),
                arg::bytes(proof.challenging_signature.as_bytes()),
                arg::bytes(&proof.input_tx),
                arg::position(proof.input_position),
                sender_data(sender),
            ]);
            (game, [0xb9, 0xa3, 0xa2, 0x8e], vec![argument])
        }
        Call::ChallengeInFlightExitOutputSpent(proof) => {
            let argument = Token::Tuple(vec![
                arg::bytes(&proof.in_flight_tx),
                arg::bytes(&proof.in_flight_proof.to_bytes()),
                arg::position(proof.output_position),
                arg::bytes(&proof.challenging_tx),
                arg::uint(proof.challenging_input_index),
                arg::bytes(proof.challenging_signature.as_bytes()),
                sender_data(sender),
            ]);
            (game, [0x2c, 0x3b, 0xad, 0x95], vec![argument])
        }
        Call::DeleteNonPiggybackedInFlightExit { exit_id } => {
            (game, [0xb3, 0xc2, 0xec, 0x76], vec![arg::exit_id(*exit_id)])
        }
        Call::ProcessExits { vault_id, token, top_exit_id, exits_max } => {
            let arguments = process_exits(*vault_id, *token, *top_exit_id, *exits_max);
            (Contract::PlasmaFramework, [0xd9, 0xaa, 0x4b, 0x24], arguments)
        }
    }
}

/// Names the sender, as the contracts compare it.
fn sender_data(sender: Address) -> Token {
    arg::h256(keccak256(sender.as_bytes()))
}

/// The position of a transaction is that of its first output.
fn tx_position(position: UtxoPos) -> Token {
    let first = UtxoPos::new(position.blknum, position.txindex, OutputIndex::new(0));
    arg::uint(U256::from(first.encode()))
}

#[cfg(test)]
mod tests;
