//! The contract's records of in-flight exits, as `inFlightExits` returns them.
//!
//! It must never take a record for one that it cannot be: positions beyond every block are malformed. A record without a start time
//! is no record.

use crate::RootChainCause;
use crate::contracts::Fields;
use ethers::abi::Token;
use plasma_core::db_update::TxPos;
use plasma_core::root_chain::{PiggybackSide, PiggybackSlot};
use plasma_core::wire::{Address, Currency, MAX_INPUTS, MAX_OUTPUTS, OutputId, U256, UtxoPos};

/// An in-flight exit as the contract keeps it, from its start until it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlightExitRecord {
    /// No competitor is known, or the answer to the last one is.
    pub is_canonical: bool,
    /// When it was started, in seconds.
    pub started_at_s: u64,
    /// What is piggybacked now: bit `i` is input `i`, bit `4 + i` is output `i`. See [`Self::is_piggybacked`].
    pub exit_map: U256,
    /// The youngest input: what the exit's place in the queue depends on.
    pub position: UtxoPos,
    /// Its inputs, in order.
    pub inputs: Vec<InFlightShareRecord>,
    /// Its outputs, in order.
    pub outputs: Vec<InFlightShareRecord>,
    /// Who gets the bond of the start when the exit is over: who started it, challenged last or answered last.
    pub bond_owner: Address,
    /// The bond of the start, in wei.
    pub bond_wei: U256,
    /// The oldest competitor that was shown.
    pub oldest_competitor: OldestCompetitor,
}

/// An input or an output of an in-flight exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlightShareRecord {
    /// Names the output: the one spent, or the one made.
    pub output_id: OutputId,
    /// Its owner, who will be paid if he piggybacks it; zero once it was processed.
    pub exit_target: Address,
    /// In what.
    pub currency: Currency,
    /// How much, in the smallest unit.
    pub amount: U256,
    /// The bond of the piggyback, in wei; zero before it and after it was blocked.
    pub piggyback_bond_wei: U256,
}

/// What competes with an in-flight transaction, as far as the contract was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldestCompetitor {
    /// Nothing.
    None,
    /// A transaction that was shown without a block: `2^256 - 1` in the contract.
    NotIncluded,
    /// A transaction that is included here.
    Included(TxPos),
}

impl InFlightExitRecord {
    /// Whether this input or output is piggybacked now.
    pub fn is_piggybacked(&self, slot: PiggybackSlot) -> bool {
        let index = usize::from(slot.index);
        match slot.side {
            PiggybackSide::Input => index < MAX_INPUTS && self.exit_map.bit(index),
            PiggybackSide::Output => index < MAX_OUTPUTS && self.exit_map.bit(MAX_INPUTS + index),
        }
    }
}

/// What `inFlightExits` returned for so many exits.
pub(crate) fn read_in_flight_records(
    fields: &mut Fields,
    exits: usize,
) -> Result<Vec<Option<InFlightExitRecord>>, RootChainCause> {
    let tokens = fields.array()?;
    if tokens.len() != exits {
        return Err(RootChainCause::Malformed("a record too many or too few".to_owned()));
    }
    tokens.into_iter().map(read_record).collect()
}

fn read_record(token: Token) -> Result<Option<InFlightExitRecord>, RootChainCause> {
    let mut fields = Fields::new(vec![token]).tuple()?;
    let (is_canonical, started_at_s) = (fields.bool()?, fields.u64()?);
    let (exit_map, position) = (fields.u256()?, fields.u256()?);
    let (inputs, outputs) = (read_shares(&mut fields)?, read_shares(&mut fields)?);
    let (bond_owner, bond_wei, oldest) = (fields.address()?, fields.u256()?, fields.u256()?);
    if started_at_s == 0 {
        return Ok(None);
    }
    let oldest_competitor = match oldest {
        U256::MAX => OldestCompetitor::NotIncluded,
        oldest if oldest.is_zero() => OldestCompetitor::None,
        oldest => {
            let UtxoPos { blknum, txindex, .. } = read_position(oldest)?;
            OldestCompetitor::Included(TxPos { blknum, txindex })
        }
    };
    Ok(Some(InFlightExitRecord {
        is_canonical,
        started_at_s,
        exit_map,
        position: read_position(position)?,
        inputs,
        outputs,
        bond_owner,
        bond_wei,
        oldest_competitor,
    }))
}

/// Four places, of which those behind the last input or output of the transaction are empty.
fn read_shares(fields: &mut Fields) -> Result<Vec<InFlightShareRecord>, RootChainCause> {
    let mut shares = Vec::with_capacity(MAX_INPUTS);
    for token in fields.fixed_array()? {
        let mut fields = Fields::new(vec![token]).tuple()?;
        let share = InFlightShareRecord {
            output_id: fields.h256()?,
            exit_target: fields.address()?,
            currency: fields.address()?,
            amount: fields.u256()?,
            piggyback_bond_wei: fields.u256()?,
        };
        shares.push(share);
    }
    while shares.last().is_some_and(|share| share.output_id.is_zero()) {
        shares.pop();
    }
    Ok(shares)
}

fn read_position(position: U256) -> Result<UtxoPos, RootChainCause> {
    UtxoPos::decode_u256(position)
        .ok_or_else(|| RootChainCause::Malformed("a position beyond every block".to_owned()))
}

#[cfg(test)]
mod tests;
