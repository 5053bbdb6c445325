//! The world a watcher watches: the root chain with its contracts, the operator, and the users.

use super::node::Node;
use plasma_core::block_getter::BlockId;
use plasma_core::exit_processor::ChallengeData;
use plasma_core::root_chain::{EthEvent, RootChainEvent};
use plasma_core::state::Deposit;
use plasma_core::wire::{
    Address, Blknum, BlockHash, ETH, EthHeight, ExitId, H256, MerkleBuilder, Output, OutputIndex,
    PaymentTx, RecoveredTx, SecretKey, SignedTx, Transaction, TxIndex, TypedDataDomain, U256,
    UtxoPos,
};
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};

/// Amounts are never larger, so that splitting them stays possible for a while.
const DEPOSIT_WEI: u64 = 1 << 20;

/// What the operator does wrong with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// The root is not that of the transactions.
    WrongRoot,
    /// The block claims to be another one.
    WrongNumber,
    /// Somebody spends what is not his.
    Theft,
    /// The block is never shown.
    Silence,
}

pub(super) struct Submitted {
    pub(super) id: BlockId,
    pub(super) eth_height: u64,
    pub(super) transactions: Vec<RecoveredTx>,
    pub(super) lie: Option<Lie>,
}

/// An output that the root chain would let its owner exit.
pub(super) struct Made {
    owner: u8,
    amount: U256,
    pub(super) by: Transaction,
}

/// The contract's record of an exit.
struct Record {
    started: (u64, u32),
    is_challenged: bool,
}

pub(super) struct World {
    pub(super) height: u64,
    pub(super) blocks: Vec<Submitted>,
    /// Exit events, in order. They are read with a margin, so that no reorganisation reaches them.
    pub(super) log: Vec<EthEvent>,
    /// By output: everything ever included in a block or deposited.
    pub(super) made: BTreeMap<UtxoPos, Made>,
    /// Every spend that was ever signed and put into a block, shown or not.
    spent: BTreeSet<UtxoPos>,
    left: BTreeSet<UtxoPos>,
    records: BTreeMap<UtxoPos, Record>,
    deposits: u64,
    /// With the heights at which they were made.
    pub(super) deposited: Vec<(u64, Deposit)>,
    branches: BTreeMap<u64, u64>,
    branch: u64,
}

pub(super) fn key(who: u8) -> SecretKey {
    SecretKey::from_bytes([who + 1; 32]).unwrap()
}

pub(super) fn domain() -> TypedDataDomain {
    TypedDataDomain::new(Address::repeat_byte(0xfa))
}

pub(super) fn root_of(transactions: &[RecoveredTx]) -> BlockHash {
    MerkleBuilder::from_leaves(transactions.iter().map(RecoveredTx::leaf)).unwrap().root()
}

fn pay(owner: u8, input: UtxoPos, outputs: &[(u8, U256)]) -> RecoveredTx {
    let outputs =
        outputs.iter().map(|(to, amount)| Output::payment(key(*to).address(), ETH, *amount));
    let payment = PaymentTx {
        inputs: [input.into()].into_iter().collect(),
        outputs: outputs.collect(),
        metadata: H256::zero(),
    };
    let signature = key(owner).sign(domain().sign_hash(&payment));
    let signed = SignedTx::new(Transaction::Payment(payment), &[signature]).unwrap();
    RecoveredTx::recover(signed, &domain()).unwrap()
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            height: 1,
            blocks: Vec::new(),
            log: Vec::new(),
            made: BTreeMap::new(),
            spent: BTreeSet::new(),
            left: BTreeSet::new(),
            records: BTreeMap::new(),
            deposits: 0,
            deposited: Vec::new(),
            branches: BTreeMap::new(),
            branch: 0,
        }
    }

    pub(super) fn top(&self) -> Blknum {
        self.blocks.last().map_or(Blknum::default(), |block| block.id.blknum)
    }

    pub(super) fn root_of(&self, blknum: Blknum) -> Option<BlockHash> {
        self.submitted(blknum).map(|block| block.id.hash)
    }

    pub(super) fn submitted(&self, blknum: Blknum) -> Option<&Submitted> {
        self.blocks.iter().find(|block| block.id.blknum == blknum)
    }

    pub(super) fn first_lie(&self) -> Option<(Blknum, Lie)> {
        self.blocks.iter().find_map(|block| Some((block.id.blknum, block.lie?)))
    }

    pub(super) fn blocks_shown(&self) -> impl Iterator<Item = (Blknum, bool)> {
        self.blocks.iter().map(|block| (block.id.blknum, block.lie != Some(Lie::Silence)))
    }

    pub(super) fn mine(&mut self, blocks: u64) {
        self.height += blocks;
    }

    pub(super) fn deposit(&mut self, who: u8) {
        self.height += 1;
        self.deposits += 1;
        let blknum = Blknum::new(self.top().get() + self.deposits);
        let amount = U256::from(DEPOSIT_WEI);
        let owner = key(who).address();
        let by = Transaction::deposit(owner, ETH, amount);
        let made = Made { owner: who, amount, by };
        self.made.insert(UtxoPos::deposit(blknum), made);
        let deposit = Deposit { blknum, owner, currency: ETH, amount };
        self.deposited.push((self.height, deposit));
    }

    /// The operator puts payments into a block and submits its root.
    pub(super) fn block(&mut self, payments: &[(Index, u8, bool)], lie: Option<Lie>) {
        let blknum = self.top().next_child_block().unwrap();
        let mut transactions = Vec::new();
        for (pick, to, is_split) in payments {
            let unspent = |position: &UtxoPos| {
                !self.spent.contains(position) && !self.left.contains(position)
            };
            let free: Vec<UtxoPos> = self.made.keys().copied().filter(unspent).collect();
            if !free.is_empty() {
                let input = free[pick.index(free.len())];
                self.include(blknum, &mut transactions, input, None, *to, *is_split);
            }
        }
        if lie == Some(Lie::Theft) {
            let victim = self.made.keys().next_back().copied();
            let victim = victim.unwrap_or(UtxoPos::deposit(Blknum::new(1)));
            let thief = self.made.get(&victim).map_or(9, |made| made.owner + 10);
            self.include(blknum, &mut transactions, victim, Some(thief), thief, false);
        }
        let hash = match lie {
            Some(Lie::WrongRoot) => H256::repeat_byte(0xbb),
            _ => root_of(&transactions),
        };
        self.deposits = 0;
        self.height += 1;
        self.blocks.push(Submitted {
            id: BlockId { blknum, hash },
            eth_height: self.height,
            transactions,
            lie,
        });
    }

    fn include(
        &mut self,
        blknum: Blknum,
        transactions: &mut Vec<RecoveredTx>,
        input: UtxoPos,
        thief: Option<u8>,
        to: u8,
        is_split: bool,
    ) {
        let made = self.made.get(&input);
        let (owner, amount) = made.map_or((to, U256::one()), |made| (made.owner, made.amount));
        let half = amount / 2;
        let outputs = if is_split && !half.is_zero() {
            vec![(to, half), (owner, amount - half)]
        } else {
            vec![(to, amount)]
        };
        let tx = pay(thief.unwrap_or(owner), input, &outputs);
        if thief.is_none() {
            self.spent.insert(input);
        }
        let txindex = TxIndex::new(u32::try_from(transactions.len()).unwrap());
        for (oindex, (owner, amount)) in (0..).map(OutputIndex::new).zip(outputs) {
            let made = Made { owner, amount, by: tx.transaction().clone() };
            self.made.insert(UtxoPos::new(blknum, txindex, oindex), made);
        }
        transactions.push(tx);
    }

    pub(super) fn start_exit(&mut self, pick: Index) {
        let may_start = |position: &UtxoPos| {
            !self.left.contains(position)
                && !self.records.contains_key(position)
                // The root of such a block covers something else, so that no inclusion proof exists.
                && self.submitted(position.blknum).is_none_or(|block| block.lie != Some(Lie::WrongRoot))
        };
        let candidates: Vec<UtxoPos> = self.made.keys().copied().filter(may_start).collect();
        if candidates.is_empty() {
            return;
        }
        let position = candidates[pick.index(candidates.len())];
        let made = &self.made[&position];
        let (owner, output_tx) = (key(made.owner).address(), made.by.encode_unsigned());
        self.start(position, owner, output_tx);
    }

    /// No contract would let this happen, so a root chain that says it did is broken or lies.
    pub(super) fn start_ghost_exit(&mut self, pick: Index) {
        if self.blocks.is_empty() {
            return;
        }
        let blknum = self.blocks[pick.index(self.blocks.len())].id.blknum;
        let position = UtxoPos::new(blknum, TxIndex::new(9), OutputIndex::new(0));
        if self.records.contains_key(&position) || self.left.contains(&position) {
            return;
        }
        let owner = key(3).address();
        // Ids are made of the bytes alone: each ghost has its own.
        let amount = U256::from(self.log.len() + 1);
        let ghost = Transaction::deposit(owner, ETH, amount);
        self.start(position, owner, ghost.encode_unsigned());
    }

    fn start(&mut self, position: UtxoPos, owner: Address, output_tx: Vec<u8>) {
        let exit_id = ExitId::standard(&output_tx, position).unwrap();
        let started = self.emit(RootChainEvent::ExitStarted {
            owner,
            exit_id,
            position,
            output_tx: output_tx.into(),
            exitable_at_s: 0,
        });
        let record = Record { started, is_challenged: false };
        self.records.insert(position, record);
    }

    pub(super) fn challenge(&mut self, pick: Index) {
        let spent = &self.spent;
        let open = self.records.iter_mut().filter(|(_, record)| !record.is_challenged);
        let mut spent: Vec<_> = open.filter(|(position, _)| spent.contains(position)).collect();
        if spent.is_empty() {
            return;
        }
        let count = spent.len();
        let (position, record) = &mut spent[pick.index(count)];
        record.is_challenged = true;
        let position = **position;
        self.emit(RootChainEvent::ExitChallenged { position });
    }

    /// The exit is processed long enough after its start: paid when nobody challenged it, otherwise omitted.
    pub(super) fn process(&mut self, pick: Index) {
        let ripe: Vec<UtxoPos> = self.records.keys().copied().collect();
        if ripe.is_empty() {
            return;
        }
        let position = ripe[pick.index(ripe.len())];
        let Some(record) = self.records.remove(&position) else {
            return;
        };
        let started = self
            .log
            .iter()
            .find(|event| (event.eth_height.get(), event.log_index) == record.started);
        let Some(RootChainEvent::ExitStarted { exit_id, .. }) =
            started.map(|event| event.event.clone())
        else {
            panic!("a record without a start");
        };
        if record.is_challenged {
            self.emit(RootChainEvent::ExitOmitted { exit_id });
            return;
        }
        self.left.insert(position);
        self.emit(RootChainEvent::ExitFinalized { exit_id });
    }

    fn emit(&mut self, event: RootChainEvent) -> (u64, u32) {
        let log_index = u32::try_from(self.log.len()).unwrap();
        self.log.push(EthEvent {
            eth_height: EthHeight::new(self.height),
            eth_block_hash: H256::zero(),
            root_chain_txhash: H256::from_low_u64_be(log_index.into()),
            log_index,
            event,
        });
        (self.height, log_index)
    }

    /// Replaces the newest blocks of the root chain: submissions in them are mined again, all in the same new block. They do not
    /// change places with deposits or payments of exits, for whether a spend is good depends on which comes first.
    pub(super) fn reorganise(&mut self, depth: u64) {
        let is_payment =
            |event: &&EthEvent| matches!(event.event, RootChainEvent::ExitFinalized { .. });
        let payments = self.log.iter().filter(is_payment);
        let payments = payments.map(|event| event.eth_height.get());
        let deposits = self.deposited.iter().map(|(height, _)| *height);
        let fixed = payments.chain(deposits).max().unwrap_or_default();
        let first = self.height.saturating_sub(depth).max(fixed) + 1;
        self.branch += 1;
        for height in first..=self.height {
            self.branches.insert(height, self.branch);
        }
        let (height, branch) = (self.height, self.branch);
        for block in &mut self.blocks {
            if block.eth_height >= first {
                block.eth_height = if branch.is_multiple_of(2) { first } else { height };
            }
        }
    }

    pub(super) fn submissions(&self, range: &std::ops::RangeInclusive<EthHeight>) -> Vec<EthEvent> {
        let in_range =
            self.blocks.iter().filter(|block| range.contains(&EthHeight::new(block.eth_height)));
        let events = in_range.map(|block| {
            let branch = self.branches.get(&block.eth_height).copied().unwrap_or_default();
            EthEvent {
                eth_height: EthHeight::new(block.eth_height),
                eth_block_hash: H256::from_low_u64_be(block.eth_height << 32 | branch),
                root_chain_txhash: H256::zero(),
                log_index: 0,
                event: RootChainEvent::BlockSubmitted { blknum: block.id.blknum },
            }
        });
        events.collect()
    }

    /// Whether the contract would take the bond away from the exitor.
    pub(super) fn contract_accepts(&self, data: &ChallengeData, position: UtxoPos) -> bool {
        let Ok(Transaction::Payment(payment)) = Transaction::decode_unsigned(&data.tx_bytes) else {
            return false;
        };
        let input = payment.inputs.get(usize::from(data.input_index));
        let owner = key(self.made[&position].owner).address();
        input.is_some_and(|input| input.position() == Some(position))
            && data.signature.recover(domain().sign_hash(&payment)) == Ok(owner)
            && data.signature.to_low_s() == data.signature
            && *data.exiting_tx == *self.made[&position].by.encode_unsigned()
            && Some(data.exit_id) == ExitId::standard(&data.exiting_tx, position)
    }

    /// Exits that the watcher knows, of outputs that nobody ever spent.
    pub(super) fn honest_exits(&self, node: &Node) -> Vec<UtxoPos> {
        let known = node.store.exits.keys().copied();
        known
            .filter(|position| self.made.contains_key(position) && !self.spent.contains(position))
            .collect()
    }
}
