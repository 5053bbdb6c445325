//! The scene: a long history, and exits of every kind on top of it, as the root chain tells of them.
//!
//! Nothing but the root chain is made up. What exits is what the operator included or accounts signed, so that the watcher has to
//! find out by itself which exits are wrong.

use super::ExitSizes;
use crate::bench::network::{MARGIN_ETH_BLOCKS, Network};
use crate::bench::rounds::{At, BATCH, batches, coins_of, in_process, split_deposit};
use crate::bench::workload::Coin;
use crate::output::Out;
use anyhow::{Context, Result};
use plasma_core::root_chain::{InFlightExitChallenge, PiggybackSlot, RootChainEvent};
use plasma_core::wire::{Address, ExitId, SignedTx, UtxoPos};
use plasma_eth::FakeBlock;

/// Exits that one root chain block has room for.
const EXITS_PER_ETH_BLOCK: usize = 100;

/// The block that was formed last, or one before: the payment at an index spends the output of the payment at that index before.
pub(super) struct Generation {
    /// Signed bytes.
    pub(super) payments: Vec<Vec<u8>>,
    /// The first output of each.
    pub(super) coins: Vec<Coin>,
}

/// An open exit.
enum Open {
    Standard {
        owner: Address,
        position: UtxoPos,
        tx: Vec<u8>,
    },
    InFlight {
        tx: Box<SignedTx>,
        input_tx: Vec<u8>,
        joined: Option<(PiggybackSlot, Address)>,
        shown: Option<Box<SignedTx>>,
    },
}

/// What can be asked about the exits.
#[derive(Default)]
pub(super) struct Questions {
    /// Outputs of invalid standard exits.
    pub(super) invalid: Vec<UtxoPos>,
    /// Unsigned in-flight transactions with a competitor in a block, piggybacked on their only input.
    pub(super) beaten: Vec<Vec<u8>>,
    /// The same of included ones that were challenged with a competitor in no block.
    pub(super) accused: Vec<Vec<u8>>,
    /// The same of included ones, piggybacked on their first output, which is spent.
    pub(super) overspent: Vec<Vec<u8>>,
    /// Signed transactions that could exit in flight.
    pub(super) startable: Vec<Vec<u8>>,
}

/// The three newest blocks of a history, the newest last.
pub(super) async fn history(
    sizes: &ExitSizes,
    network: &Network,
    out: Out,
) -> Result<[Generation; 3]> {
    let coins = split_deposit(network, sizes.payments).await?;
    let coins: Vec<Coin> = coins.into_iter().take(sizes.payments).collect();
    let mut newest = [const { None }; 3];
    let mut last = coins;
    for number in 1..=sizes.blocks {
        let generation = pay(network, &last).await?;
        last.clone_from(&generation.coins);
        newest.rotate_left(1);
        newest[2] = Some(generation);
        if number.is_multiple_of(5) {
            out.progress(format!("{number} of {} blocks of history", sizes.blocks));
        }
    }
    let [Some(before), Some(spent), Some(last)] = newest else {
        anyhow::bail!("a history has at least three blocks");
    };
    Ok([before, spent, last])
}

/// Pays with these outputs, puts that into a block, and lets the watcher follow.
pub(super) async fn pay(network: &Network, coins: &[Coin]) -> Result<Generation> {
    let (calls, orders) = batches(network.accounts.pay(coins)?, BATCH);
    let payments = calls.iter().flatten().cloned().collect();
    let accepted = in_process(network, calls).await?;
    let answers: &[Vec<At>] = &accepted.answers;
    let coins = coins_of(&orders, answers, 1);
    let (block, _) = network.form_block().await?;
    network.sync(&[block]).await?;
    Ok(Generation { payments, coins })
}

impl Generation {
    fn tx(&self, index: usize) -> Result<SignedTx> {
        let bytes = self.payments.get(index).context("the history is too short")?;
        Ok(SignedTx::decode(bytes)?)
    }

    fn coin(&self, index: usize) -> Result<&Coin> {
        self.coins.get(index).context("the history is too short")
    }
}

/// Starts all exits.
pub(super) fn start_exits(
    sizes: &ExitSizes,
    network: &Network,
    [before, spent, last]: &[Generation; 3],
) -> Result<Questions> {
    let (accounts, counts) = (&network.accounts, sizes.counts());
    let (mut exits, mut questions) = (Vec::new(), Questions::default());
    let mut indexes = 0_usize..;
    let mut next = |count: usize| -> Vec<usize> { indexes.by_ref().take(count).collect() };
    let standard = |made_by: &Generation, index| -> Result<Open> {
        let coin = made_by.coin(index)?;
        let tx = made_by.tx(index)?.unsigned_bytes();
        Ok(Open::Standard { owner: accounts.owner(coin), position: coin.position, tx })
    };
    let in_flight = |tx: SignedTx, input_of: &Generation, index| -> Result<Open> {
        let input_tx = input_of.tx(index)?.unsigned_bytes();
        Ok(Open::InFlight { tx: Box::new(tx), input_tx, joined: None, shown: None })
    };
    for index in next(counts.invalid) {
        exits.push(standard(spent, index)?);
        questions.invalid.push(spent.coin(index)?.position);
    }
    for index in next(counts.valid) {
        exits.push(standard(last, index)?);
    }
    for index in next(counts.included) {
        let joined = (PiggybackSlot::output(0), accounts.owner(last.coin(index)?));
        exits.push(in_flight(last.tx(index)?, spent, index)?.joined(joined));
    }
    for index in next(counts.withheld) {
        exits.push(in_flight(accounts.pay_otherwise(last.coin(index)?)?, last, index)?);
    }
    for index in next(counts.beaten) {
        let tx = accounts.pay_otherwise(spent.coin(index)?)?;
        questions.beaten.push(tx.unsigned_bytes());
        let joined = (PiggybackSlot::input(0), accounts.owner(spent.coin(index)?));
        exits.push(in_flight(tx, spent, index)?.joined(joined));
    }
    for index in next(counts.overspent) {
        let tx = spent.tx(index)?;
        questions.overspent.push(tx.unsigned_bytes());
        let joined = (PiggybackSlot::output(0), accounts.owner(spent.coin(index)?));
        exits.push(in_flight(tx, before, index)?.joined(joined));
    }
    for index in next(counts.accused) {
        let tx = last.tx(index)?;
        questions.accused.push(tx.unsigned_bytes());
        let shown = accounts.pay_otherwise(spent.coin(index)?)?;
        exits.push(in_flight(tx, spent, index)?.shown(shown));
    }
    for index in next(counts.beaten) {
        questions.startable.push(last.tx(index)?.as_bytes().to_vec());
    }
    for exits in exits.chunks(EXITS_PER_ETH_BLOCK) {
        let chain = &network.watcher_chain;
        chain.mine_block(|block| exits.iter().for_each(|exit| exit.start(block)));
    }
    network.watcher_chain.mine(2 * MARGIN_ETH_BLOCKS);
    Ok(questions)
}

impl Open {
    fn joined(mut self, who: (PiggybackSlot, Address)) -> Self {
        if let Self::InFlight { joined, .. } = &mut self {
            *joined = Some(who);
        }
        self
    }

    fn shown(mut self, competitor: SignedTx) -> Self {
        if let Self::InFlight { shown, .. } = &mut self {
            *shown = Some(Box::new(competitor));
        }
        self
    }

    fn start(&self, block: &mut FakeBlock<'_>) {
        match self {
            Self::Standard { owner, position, tx } => {
                block.exit_started(*owner, *position, tx);
            }
            Self::InFlight { tx, input_tx, joined, shown } => {
                let initiator = Address::repeat_byte(0xaa);
                block.in_flight_exit_started(initiator, tx, std::slice::from_ref(input_tx));
                if let Some((slot, target)) = joined {
                    block.in_flight_piggybacked(tx, *slot, *target);
                }
                if let Some(competitor) = shown {
                    block.event(challenge(tx, competitor, initiator));
                }
            }
        }
    }
}

fn challenge(tx: &SignedTx, competitor: &SignedTx, challenger: Address) -> RootChainEvent {
    let signature = competitor.signatures().next();
    let witness = signature.map(|signature| signature.as_bytes().as_slice().into());
    RootChainEvent::InFlightExitChallenged(Box::new(InFlightExitChallenge {
        exit_id: ExitId::in_flight(&tx.unsigned_bytes()),
        tx_hash: tx.hash(),
        challenger,
        competing_tx_pos: None,
        input_index: 0,
        competing_tx: competitor.unsigned_bytes().into(),
        competing_input_index: 0,
        competing_witness: witness.unwrap_or_default(),
    }))
}
