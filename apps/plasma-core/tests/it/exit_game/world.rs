//! The contracts, the operator and the users of an exit game. The contracts let happen what contracts let happen, and no more;
//! people do everything that is allowed, honest or not.

use plasma_core::db_update::TxPos;
use plasma_core::root_chain::{
    EthEvent, InFlightExitChallenge, InFlightExitStart, PiggybackSide, PiggybackSlot,
    RootChainEvent,
};
use plasma_core::state::Deposit;
use plasma_core::wire::ids::{normal_output_id, output_id};
use plasma_core::wire::{
    Address, Blknum, ETH, EthHeight, ExitId, H256, Output, OutputId, OutputIndex, PaymentTx,
    RecoveredTx, SecretKey, Signature, SignedTx, Transaction, TxIndex, TypedDataDomain, U256,
    UtxoPos,
};
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};

/// A payment that somebody signed, in a block or not.
pub(super) struct Paper {
    pub(super) tx: RecoveredTx,
    pub(super) bytes: Vec<u8>,
    pub(super) inputs: Vec<UtxoPos>,
    pub(super) included_at: Option<TxPos>,
}

/// An output of a submitted block, or a deposit.
pub(super) struct Made {
    pub(super) owner: u8,
    amount: u64,
    pub(super) by: Vec<u8>,
    /// When it was made known.
    pub(super) eth_height: u64,
}

pub(super) struct Block {
    pub(super) blknum: Blknum,
    pub(super) eth_height: u64,
    pub(super) papers: Vec<usize>,
}

/// The contract's record of an in-flight exit.
pub(super) struct Game {
    pub(super) paper: usize,
    is_canonical: bool,
    /// `None` before any challenge; inside, `None` for a competitor without a block.
    oldest_competitor: Option<Option<TxPos>>,
    bits: BTreeSet<PiggybackSlot>,
}

/// How long exits take, in seconds: there is a block each second.
pub(super) const EXIT_PERIOD: u64 = 24;

#[derive(Default)]
pub(super) struct World {
    pub(super) height: u64,
    /// Up to here somebody read it: what happens next is in a later block.
    pub(super) read: u64,
    pub(super) log: Vec<EthEvent>,
    pub(super) papers: Vec<Paper>,
    pub(super) made: BTreeMap<UtxoPos, Made>,
    pub(super) blocks: Vec<Block>,
    pub(super) deposits: Vec<(u64, Deposit)>,
    /// The first block that breaks a rule.
    pub(super) fault: Option<Blknum>,
    pub(super) games: BTreeMap<ExitId, Game>,
    /// Standard exits, and whether they were challenged.
    records: BTreeMap<UtxoPos, bool>,
    flags: BTreeMap<OutputId, ExitId>,
    spent: BTreeSet<UtxoPos>,
    left: BTreeSet<UtxoPos>,
    deposits_since_block: u64,
}

pub(super) fn key(who: u8) -> SecretKey {
    SecretKey::from_bytes([who + 1; 32]).unwrap()
}

pub(super) fn domain() -> TypedDataDomain {
    TypedDataDomain::new(Address::repeat_byte(0xfa))
}

fn pick<T>(index: Index, all: Vec<T>) -> Option<T> {
    if all.is_empty() {
        return None;
    }
    let at = index.index(all.len());
    all.into_iter().nth(at)
}

impl World {
    fn top(&self) -> Blknum {
        self.blocks.last().map_or(Blknum::new(0), |block| block.blknum)
    }

    pub(super) fn deposit(&mut self, who: u8) {
        self.height += 1;
        self.deposits_since_block += 1;
        let blknum = Blknum::new(self.top().get() + self.deposits_since_block);
        let (owner, amount) = (key(who).address(), U256::from(1_000));
        let by = Transaction::deposit(owner, ETH, amount).encode_unsigned();
        let made = Made { owner: who, amount: 1_000, by, eth_height: self.height };
        self.made.insert(UtxoPos::deposit(blknum), made);
        self.deposits.push((self.height, Deposit { blknum, owner, currency: ETH, amount }));
    }

    /// Somebody signs a payment of one or two outputs, spent or not, to one or two people.
    pub(super) fn sign(&mut self, from: (Index, Index), is_merge: bool, to: u8, is_split: bool) {
        let all: Vec<UtxoPos> = self.made.keys().copied().collect();
        let Some(first) = pick(from.0, all.clone()) else {
            return;
        };
        let mut inputs = vec![first];
        inputs.extend(pick(from.1, all).filter(|second| is_merge && *second != first));
        let amount: u64 = inputs.iter().map(|position| self.made[position].amount).sum();
        let output = |who: u8, amount: u64| Output::payment(key(who).address(), ETH, amount.into());
        let outputs = if is_split && amount > 1 {
            vec![output(to, amount / 2), output((to + 1) % 4, amount - amount / 2)]
        } else {
            vec![output(to, amount)]
        };
        let payment = PaymentTx {
            inputs: inputs.iter().copied().map(Into::into).collect(),
            outputs: outputs.into_iter().collect(),
            metadata: H256::from_low_u64_be(self.papers.len() as u64),
        };
        let digest = domain().sign_hash(&payment);
        let owners = inputs.iter().map(|position| key(self.made[position].owner));
        let signatures: Vec<Signature> = owners.map(|key| key.sign(digest)).collect();
        let signed = SignedTx::new(Transaction::Payment(payment), &signatures).unwrap();
        let bytes = signed.unsigned_bytes();
        let tx = RecoveredTx::recover(signed, &domain()).unwrap();
        self.papers.push(Paper { tx, bytes, inputs, included_at: None });
    }

    /// The operator makes a block. An honest one keeps the rules of the ledger; after a fault, anything goes.
    pub(super) fn block(&mut self, picks: &[Index], is_bad: bool) {
        let blknum = self.top().next_child_block().unwrap();
        if is_bad && self.fault.is_none() {
            self.fault = Some(blknum);
        }
        self.height += 1;
        let mut papers: Vec<usize> = Vec::new();
        for index in picks {
            let may = |paper: &Paper| {
                let is_there = |position: &UtxoPos| {
                    self.fault.is_some()
                        || !self.spent.contains(position) && !self.left.contains(position)
                };
                paper.included_at.is_none() && paper.inputs.iter().all(is_there)
            };
            let ready = (0..self.papers.len()).filter(|paper| may(&self.papers[*paper])).collect();
            let Some(paper) = pick(*index, ready) else {
                continue;
            };
            let txindex = TxIndex::new(u32::try_from(papers.len()).unwrap());
            let chosen = &mut self.papers[paper];
            chosen.included_at = Some(TxPos { blknum, txindex });
            self.spent.extend(&chosen.inputs);
            for (oindex, output) in (0..).zip(chosen.tx.transaction().outputs()) {
                let position = UtxoPos::new(blknum, txindex, OutputIndex::new(oindex));
                let owner = (0..4).find(|who| key(*who).address() == output.owner).unwrap();
                let amount = output.amount.low_u64();
                let made =
                    Made { owner, amount, by: chosen.bytes.clone(), eth_height: self.height };
                self.made.insert(position, made);
            }
            papers.push(paper);
        }
        self.deposits_since_block = 0;
        self.blocks.push(Block { blknum, eth_height: self.height, papers });
    }

    /// Another root takes the place of a block's: which block.
    pub(super) fn replace(&mut self, index: Index) -> Option<Blknum> {
        if self.fault.is_none() {
            self.fault = pick(index, self.blocks.iter().map(|block| block.blknum).collect());
            return self.fault;
        }
        None
    }

    fn emit(&mut self, event: RootChainEvent) {
        self.height = self.height.max(self.read + 1);
        let log_index = u32::try_from(self.log.len()).unwrap();
        self.log.push(EthEvent {
            eth_height: EthHeight::new(self.height),
            eth_block_hash: H256::from_low_u64_be(self.height),
            root_chain_txhash: H256::from_low_u64_be(log_index.into()),
            log_index,
            event,
        });
    }

    pub(super) fn start_exit(&mut self, index: Index) {
        let may = |position: &&UtxoPos| {
            let id = output_id(&self.made[*position].by, **position);
            !self.records.contains_key(position) && !self.flags.contains_key(&id)
        };
        let Some(position) = pick(index, self.made.keys().filter(may).copied().collect()) else {
            return;
        };
        let made = &self.made[&position];
        let output_tx = made.by.clone();
        let event = RootChainEvent::ExitStarted {
            owner: key(made.owner).address(),
            exit_id: ExitId::standard(&output_tx, position).unwrap(),
            position,
            output_tx: output_tx.into(),
            exitable_at_s: self.height + EXIT_PERIOD,
        };
        self.records.insert(position, false);
        self.emit(event);
    }

    pub(super) fn challenge_exit(&mut self, index: Index) {
        let open = self.records.iter().filter(|(_, is_challenged)| !**is_challenged);
        let spent = open.filter(|(position, _)| self.spends(**position).next().is_some());
        let Some(position) = pick(index, spent.map(|(position, _)| *position).collect()) else {
            return;
        };
        self.records.insert(position, true);
        self.emit(RootChainEvent::ExitChallenged { position });
    }

    pub(super) fn process_exit(&mut self, index: Index) {
        let Some(position) = pick(index, self.records.keys().copied().collect()) else {
            return;
        };
        let by = self.made[&position].by.clone();
        let (exit_id, flag) = (ExitId::standard(&by, position).unwrap(), output_id(&by, position));
        let is_challenged = self.records.remove(&position).unwrap();
        if !is_challenged && !self.flags.contains_key(&flag) {
            self.flags.insert(flag, exit_id);
            self.left.insert(position);
            self.emit(RootChainEvent::ExitFinalized { exit_id });
        } else {
            self.emit(RootChainEvent::ExitOmitted { exit_id });
        }
    }

    /// Papers that spend an output.
    pub(super) fn spends(&self, position: UtxoPos) -> impl Iterator<Item = usize> {
        let all = self.papers.iter().enumerate();
        all.filter(move |(_, paper)| paper.inputs.contains(&position)).map(|(paper, _)| paper)
    }

    pub(super) fn start_in_flight(&mut self, index: Index) {
        let is_free = |paper: &usize| {
            !self.games.contains_key(&ExitId::in_flight(&self.papers[*paper].bytes))
        };
        let Some(paper) = pick(index, (0..self.papers.len()).filter(is_free).collect()) else {
            return;
        };
        let signed = &self.papers[paper];
        let exit_id = ExitId::in_flight(&signed.bytes);
        let decoded = SignedTx::decode(signed.tx.signed_bytes()).unwrap();
        let witnesses = decoded.signatures().map(|it| it.as_bytes().as_slice().into());
        let input_txs = signed.inputs.iter().map(|at| self.made[at].by.clone().into());
        let start = InFlightExitStart {
            exit_id,
            tx_hash: signed.tx.hash(),
            initiator: key(3).address(),
            started_at_s: self.height,
            tx_bytes: signed.bytes.clone().into(),
            input_positions: signed.inputs.clone(),
            witnesses: witnesses.collect(),
            input_txs: input_txs.collect(),
        };
        let game =
            Game { paper, is_canonical: true, oldest_competitor: None, bits: BTreeSet::new() };
        self.games.insert(exit_id, game);
        self.emit(RootChainEvent::InFlightExitStarted(Box::new(start)));
    }

    /// The queue reaches an entry that no record belongs to. The contract says so, and does nothing.
    pub(super) fn process_stale_entry(&mut self, index: Index) {
        let started = self.log.iter().filter_map(|event| match &event.event {
            RootChainEvent::InFlightExitStarted(start) => Some(start.exit_id),
            _ => None,
        });
        if let Some(exit_id) = pick(index, started.collect()) {
            self.emit(RootChainEvent::InFlightExitOmitted { exit_id, currency: ETH });
        }
    }

    fn game(&self, index: Index) -> Option<ExitId> {
        pick(index, self.games.keys().copied().collect())
    }

    fn slots(&self, paper: usize) -> Vec<PiggybackSlot> {
        let inputs = (0..).zip(&self.papers[paper].inputs).map(|(i, _)| PiggybackSlot::input(i));
        let outputs = self.papers[paper].tx.transaction().outputs();
        inputs.chain((0..).zip(outputs).map(|(i, _)| PiggybackSlot::output(i))).collect()
    }

    pub(super) fn piggyback(&mut self, index: Index, slot: Index) {
        let Some(exit_id) = self.game(index) else {
            return;
        };
        let game = &self.games[&exit_id];
        let (paper, bits) = (game.paper, game.bits.clone());
        let free = self.slots(paper).into_iter().filter(|slot| !bits.contains(slot)).collect();
        let Some(slot) = pick(slot, free) else {
            return;
        };
        self.games.get_mut(&exit_id).unwrap().bits.insert(slot);
        let tx_hash = self.papers[paper].tx.hash();
        let exit_target = key(0).address();
        let event = RootChainEvent::InFlightExitPiggybacked {
            exit_id,
            tx_hash,
            slot,
            exit_target,
            exitable_at_s: self.height + EXIT_PERIOD,
        };
        self.emit(event);
    }

    /// Somebody shows a competitor, with its block or without.
    pub(super) fn challenge_in_flight(&mut self, index: Index, by: Index, with_block: bool) {
        let Some(exit_id) = self.game(index) else {
            return;
        };
        let game = &self.games[&exit_id];
        let paper = game.paper;
        let mut candidates = Vec::new();
        for (input_index, position) in (0..).zip(&self.papers[paper].inputs) {
            let others = self.spends(*position).filter(|other| *other != paper);
            candidates.extend(others.map(|other| (input_index, *position, other)));
        }
        let Some((input_index, position, other)) = pick(by, candidates) else {
            return;
        };
        let competitor = &self.papers[other];
        let competing_tx_pos = competitor.included_at.filter(|_| with_block);
        let is_taken = match game.oldest_competitor {
            None => true,
            Some(shown) => is_older(competing_tx_pos, shown),
        };
        if !is_taken {
            return;
        }
        let at = competitor.inputs.iter().position(|input| *input == position).unwrap();
        let signed = SignedTx::decode(competitor.tx.signed_bytes()).unwrap();
        let challenge = InFlightExitChallenge {
            exit_id,
            tx_hash: self.papers[paper].tx.hash(),
            challenger: key(2).address(),
            competing_tx_pos,
            input_index,
            competing_tx: competitor.bytes.clone().into(),
            competing_input_index: u16::try_from(at).unwrap(),
            competing_witness: signed.signatures().nth(at).unwrap().as_bytes().as_slice().into(),
        };
        let game = self.games.get_mut(&exit_id).unwrap();
        game.is_canonical = false;
        game.oldest_competitor = Some(competing_tx_pos);
        self.emit(RootChainEvent::InFlightExitChallenged(Box::new(challenge)));
    }

    pub(super) fn respond(&mut self, index: Index) {
        let Some(exit_id) = self.game(index) else {
            return;
        };
        let game = self.games.get_mut(&exit_id).unwrap();
        let paper = &self.papers[game.paper];
        let Some((shown, tx_pos)) = game.oldest_competitor.zip(paper.included_at) else {
            return;
        };
        if !is_older(Some(tx_pos), shown) {
            return;
        }
        game.is_canonical = true;
        game.oldest_competitor = Some(Some(tx_pos));
        let (tx_hash, challenger) = (paper.tx.hash(), key(2).address());
        let event =
            RootChainEvent::InFlightExitChallengeResponded { exit_id, tx_hash, challenger, tx_pos };
        self.emit(event);
    }

    /// Somebody shows that a piggybacked input or output is spent.
    pub(super) fn block_piggyback(&mut self, index: Index, slot: Index) {
        let Some(exit_id) = self.game(index) else {
            return;
        };
        let game = &self.games[&exit_id];
        let is_spent = |slot: &PiggybackSlot| self.is_spent(game.paper, *slot);
        let Some(slot) = pick(slot, game.bits.iter().copied().filter(is_spent).collect()) else {
            return;
        };
        let tx_hash = self.papers[game.paper].tx.hash();
        self.games.get_mut(&exit_id).unwrap().bits.remove(&slot);
        let challenger = key(2).address();
        self.emit(RootChainEvent::InFlightExitPiggybackBlocked {
            exit_id,
            tx_hash,
            slot,
            challenger,
        });
    }

    fn is_spent(&self, paper: usize, slot: PiggybackSlot) -> bool {
        let signed = &self.papers[paper];
        match (slot.side, signed.included_at) {
            (PiggybackSide::Input, _) => {
                self.spends(signed.inputs[usize::from(slot.index)]).any(|other| other != paper)
            }
            (PiggybackSide::Output, Some(at)) => {
                let oindex = OutputIndex::new(slot.index);
                let position = UtxoPos::new(at.blknum, at.txindex, oindex);
                self.spends(position).next().is_some()
            }
            (PiggybackSide::Output, None) => false,
        }
    }

    pub(super) fn delete(&mut self, index: Index) {
        let empty = self.games.iter().filter(|(_, game)| game.bits.is_empty());
        let Some(exit_id) = pick(index, empty.map(|(exit_id, _)| *exit_id).collect()) else {
            return;
        };
        self.games.remove(&exit_id);
        self.emit(RootChainEvent::InFlightExitDeleted { exit_id });
    }

    /// The queue reaches an in-flight exit: its side is decided, paid, and closed.
    pub(super) fn process_in_flight(&mut self, index: Index) {
        let piggybacked = self.games.iter().filter(|(_, game)| !game.bits.is_empty());
        let Some(exit_id) = pick(index, piggybacked.map(|(exit_id, _)| *exit_id).collect()) else {
            return;
        };
        let game = self.games.remove(&exit_id).unwrap();
        let (bytes, inputs, at) = {
            let paper = &self.papers[game.paper];
            (paper.bytes.clone(), paper.inputs.clone(), paper.included_at)
        };
        let flag = |at: &UtxoPos| output_id(&self.made[at].by, *at);
        let input_flags: Vec<OutputId> = inputs.iter().map(flag).collect();
        let is_taken = |flag: &OutputId| self.flags.get(flag).is_some_and(|by| *by != exit_id);
        let is_canonical = game.is_canonical && !input_flags.iter().any(is_taken);
        let side = if is_canonical { PiggybackSide::Output } else { PiggybackSide::Input };
        for slot in game.bits.into_iter().filter(|slot| slot.side == side) {
            let index = usize::from(slot.index);
            let (flag, position) = match side {
                PiggybackSide::Input => (input_flags[index], Some(inputs[index])),
                PiggybackSide::Output => {
                    let oindex = OutputIndex::new(slot.index);
                    let position = at.map(|at| UtxoPos::new(at.blknum, at.txindex, oindex));
                    (normal_output_id(&bytes, oindex), position)
                }
            };
            if self.flags.contains_key(&flag) {
                continue;
            }
            self.flags.insert(flag, exit_id);
            self.left.extend(position);
            self.emit(RootChainEvent::InFlightExitPiggybackWithdrawn { exit_id, slot });
        }
        if is_canonical {
            self.left.extend(&inputs);
            for flag in input_flags {
                self.flags.insert(flag, exit_id);
            }
        }
        self.emit(RootChainEvent::InFlightExitFinalized { exit_id });
    }
}

/// Strictly older; what is in no block is the youngest.
pub(super) fn is_older(position: Option<TxPos>, than: Option<TxPos>) -> bool {
    match (position, than) {
        (Some(position), Some(than)) => position < than,
        (position, than) => position.is_some() && than.is_none(),
    }
}
