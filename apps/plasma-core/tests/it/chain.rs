//! A universe to test the ledger in: five people, a store in memory, and books that are added up again after every step.

use plasma_core::db_update::{PendingRecord, Spender, StateUpdate, TxPos, Utxo, UtxoKey};
use plasma_core::fees::{AcceptedAmounts, FeeTolerance, RequiredFee, is_merge};
use plasma_core::root_chain::EthEvent;
use plasma_core::state::{
    Accepted, Deposit, ExecError, Exiting, ExitsOutcome, InFlightExits, InFlightRecord, OutputFact,
    OutputFacts, Role, State,
};
use plasma_core::wire::{
    Address, Blknum, Block, BlockHash, Currency, ETH, ExitId, H256, InputPointer, Output,
    OutputType, PaymentTx, RecoveredTx, SecretKey, Signature, SignedTx, Transaction,
    TypedDataDomain, U256, U512, UtxoPos,
};
use std::collections::BTreeMap;

pub(crate) const TOKEN: Currency = primitive_types::H160([0x70; 20]);

/// The people, by the number their key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Alice = 1,
    Bob = 2,
    Carol = 3,
    Mallory = 4,
    Operator = 5,
}

impl Who {
    pub(crate) const ALL: [Self; 5] =
        [Self::Alice, Self::Bob, Self::Carol, Self::Mallory, Self::Operator];

    pub(crate) fn key(self) -> SecretKey {
        SecretKey::from_bytes([self as u8; 32]).unwrap()
    }

    pub(crate) fn address(self) -> Address {
        self.key().address()
    }

    pub(crate) fn of(address: Address) -> Self {
        Self::ALL.into_iter().find(|who| who.address() == address).unwrap()
    }
}

pub(crate) fn domain() -> TypedDataDomain {
    TypedDataDomain::new(Address::repeat_byte(0xee))
}

/// What a store holds, written by updates alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MemoryStore {
    pub(crate) utxos: BTreeMap<UtxoKey, Utxo>,
    pub(crate) spends: BTreeMap<UtxoPos, Spender>,
    pub(crate) transactions: BTreeMap<TxPos, Box<[u8]>>,
    pub(crate) blocks: BTreeMap<Blknum, BlockHash>,
    pub(crate) pending: PendingRecord,
    pub(crate) in_flight: BTreeMap<ExitId, InFlightRecord>,
}

impl MemoryStore {
    pub(crate) fn commit(&mut self, updates: Vec<StateUpdate>) {
        for update in updates {
            match update {
                StateUpdate::PutUtxo(key, utxo) => {
                    assert_eq!(self.utxos.insert(key, utxo), None, "made twice: {key:?}")
                }
                StateUpdate::DeleteUtxo(key) => {
                    assert!(self.utxos.remove(&key).is_some(), "spent twice: {key:?}")
                }
                StateUpdate::PutSpend(position, spender) => {
                    assert_eq!(
                        self.spends.insert(position, spender),
                        None,
                        "spent twice: {position}"
                    );
                }
                StateUpdate::PutTransaction(blknum, txindex, bytes) => {
                    assert_eq!(self.transactions.insert(TxPos { blknum, txindex }, bytes), None);
                }
                StateUpdate::PutBlock(header, _) => {
                    assert_eq!(self.blocks.insert(header.number, header.hash), None)
                }
                StateUpdate::PutPending(record) => self.pending = record,
                StateUpdate::PutInFlightRecord(record) => {
                    self.in_flight.insert(record.exit_id, record);
                }
            }
        }
    }

    pub(crate) fn facts(&self, positions: impl IntoIterator<Item = UtxoPos>) -> OutputFacts {
        let unspent = |position: &UtxoPos| {
            let (key, utxo) = self.utxos.iter().find(|(key, _)| key.position == *position)?;
            Some(OutputFact::Unspent(key.owner, *utxo))
        };
        let gone = |position: &UtxoPos| self.spends.get(position).copied().map(OutputFact::Gone);
        positions
            .into_iter()
            .filter_map(|at| Some((at, unspent(&at).or_else(|| gone(&at))?)))
            .collect()
    }

    pub(crate) fn block(&self, number: Blknum) -> Block {
        let in_block = self.transactions.iter().filter(|(at, _)| at.blknum == number);
        Block {
            number,
            hash: self.blocks[&number],
            transactions: in_block.map(|(_, bytes)| bytes.clone()).collect(),
        }
    }

    fn restore(&self, role: Role) -> State {
        let pending = self.transactions.iter().filter(|(at, _)| at.blknum == self.pending.blknum);
        let leaves: Vec<H256> =
            pending.map(|(_, bytes)| SignedTx::decode(bytes).unwrap().leaf()).collect();
        State::restore(role, self.pending.clone(), &leaves).unwrap()
    }
}

/// An operator, a watcher that follows it, and the money that should be there.
pub(crate) struct TestChain {
    pub(crate) operator: State,
    pub(crate) store: MemoryStore,
    watcher: State,
    watcher_store: MemoryStore,
    /// Deposited minus exited, by currency.
    money: BTreeMap<Currency, U512>,
    next_deposit: u64,
    pub(crate) fees: Option<AcceptedAmounts>,
}

impl TestChain {
    pub(crate) fn new() -> Self {
        let role = Role::Operator { fee_claimer: Who::Operator.address() };
        let (store, watcher_store) = (MemoryStore::default(), MemoryStore::default());
        Self {
            operator: store.restore(role),
            watcher: watcher_store.restore(Role::Watcher),
            store,
            watcher_store,
            money: BTreeMap::new(),
            next_deposit: 1,
            fees: None,
        }
    }

    pub(crate) fn with_fees(fees: &[(Currency, u64)]) -> Self {
        let fees =
            fees.iter().map(|(currency, amount)| (*currency, vec![U256::from(*amount)])).collect();
        Self { fees: Some(fees), ..Self::new() }
    }

    pub(crate) fn deposit(&mut self, who: Who, currency: Currency, amount: u64) -> UtxoPos {
        // Deposits count from the newest block, as the contract numbers them.
        let base = self.operator.blknum().get() - 1000;
        if self.next_deposit <= base || self.next_deposit > base + 999 {
            self.next_deposit = base + 1;
        }
        let blknum = Blknum::new(self.next_deposit);
        self.next_deposit += 1;
        let deposit = Deposit { blknum, owner: who.address(), currency, amount: amount.into() };
        for (state, store) in
            [(&mut self.operator, &mut self.store), (&mut self.watcher, &mut self.watcher_store)]
        {
            // Twice, as a listener that crashed after its commit would.
            for _ in 0..2 {
                let mut updates = Vec::new();
                let facts = store.facts([UtxoPos::deposit(blknum)]);
                state.deposit(&[deposit], &facts, &mut updates);
                store.commit(updates);
            }
        }
        *self.money.entry(currency).or_default() += U512::from(amount);
        self.assert_integrity();
        UtxoPos::deposit(blknum)
    }

    pub(crate) fn submit(&mut self, bytes: &[u8]) -> Result<Accepted, String> {
        let tx = RecoveredTx::from_bytes(bytes, &domain()).map_err(|error| error.to_string())?;
        let result = self.exec(tx).map_err(|error| error.to_string());
        self.assert_integrity();
        result
    }

    pub(crate) fn exec(&mut self, tx: RecoveredTx) -> Result<Accepted, ExecError> {
        let keys: Vec<UtxoKey> = self.operator.unknown_inputs([&tx]).collect();
        let facts = self.store.facts(keys.into_iter().map(|key| key.position));
        let required = match &self.fees {
            _ if is_merge(&tx) => RequiredFee::Nothing,
            Some(accepted) => RequiredFee::OneOf(accepted, FeeTolerance::default()),
            None => RequiredFee::Ignored,
        };
        let before = self.operator.pending_record();
        let mut updates = Vec::new();
        let result = self.operator.exec(&tx, &required, &facts, &mut updates);
        if result.is_ok() {
            updates.push(StateUpdate::PutPending(self.operator.pending_record()));
        } else {
            assert_eq!(
                (updates.len(), self.operator.pending_record()),
                (0, before),
                "an error changed something"
            );
        }
        self.store.commit(updates);
        result
    }

    pub(crate) fn exit(&mut self, position: UtxoPos) -> bool {
        let exit = Exiting { position, exit_id: ExitId::from_u256(position.encode().into()) };
        let leaving = self.store.facts([position]);
        let mut outcome = ExitsOutcome::default();
        // Twice, as a listener that crashed after its commit would.
        for _ in 0..2 {
            let mut updates = Vec::new();
            let asked: Vec<UtxoPos> = self.operator.unknown([position]).collect();
            let facts = self.store.facts(asked);
            outcome = self.operator.exit_utxos(&[exit], &facts, &mut updates);
            self.store.commit(updates);
        }
        let valid = !outcome.valid.is_empty();
        if valid {
            if let Some(OutputFact::Unspent(_, utxo)) = leaving.get(&position) {
                *self.money.get_mut(&utxo.currency).unwrap() -= U512::from(utxo.amount);
            }
            let mut updates = Vec::new();
            let facts = self.watcher_store.facts([position]);
            self.watcher.exit_utxos(&[exit], &facts, &mut updates);
            self.watcher_store.commit(updates);
        }
        self.assert_integrity();
        valid
    }

    /// Takes events of in-flight exits as the operator's node does; returns what was there to leave, and what was not.
    pub(crate) fn in_flight(&mut self, events: &[EthEvent]) -> ExitsOutcome {
        let mut first = None;
        // Twice, as a listener that crashed after its commit would.
        for _ in 0..2 {
            let needed = InFlightExits::records_needed(events).into_iter();
            let stored: Vec<InFlightRecord> =
                needed.filter_map(|id| self.store.in_flight.get(&id).cloned()).collect();
            let exits = InFlightExits::new(events, &stored);
            let facts = self.store.facts(self.operator.unknown(exits.inputs()));
            let spending = self.operator.spending_txs(&exits.inputs(), &facts).into_iter();
            let hash = |at: TxPos| SignedTx::decode(&self.store.transactions[&at]).unwrap().hash();
            let hashes = spending.map(|at| (at, hash(at))).collect();
            let exiting = exits.exiting(&self.operator, &facts, &hashes);
            let positions = exiting.iter().map(|exit| exit.position);
            let leaving = self.store.facts(positions.clone());
            let facts = self.store.facts(self.operator.unknown(positions));
            let mut updates: Vec<StateUpdate> = exits.updates().collect();
            let outcome = self.operator.exit_utxos(&exiting, &facts, &mut updates);
            self.store.commit(updates);
            for exit in outcome.valid.iter().filter(|_| first.is_none()) {
                if let Some(OutputFact::Unspent(_, utxo)) = leaving.get(&exit.position) {
                    *self.money.get_mut(&utxo.currency).unwrap() -= U512::from(utxo.amount);
                }
            }
            self.assert_integrity();
            assert_eq!(*first.get_or_insert(outcome.clone()), outcome, "the second time");
        }
        first.unwrap()
    }

    /// Forms a block and lets the watcher execute what was stored of it.
    pub(crate) fn form_block(&mut self) -> Option<Block> {
        let mut updates = Vec::new();
        let header = self.operator.form_block(&mut updates);
        self.store.commit(updates);
        let block = self.store.block(header?.number);
        self.watch(&block).unwrap();
        self.assert_integrity();
        let unspent = |store: &MemoryStore| store.utxos.clone();
        assert_eq!(
            unspent(&self.watcher_store),
            unspent(&self.store),
            "the watcher sees other outputs"
        );
        Some(block)
    }

    /// What a watcher does with a downloaded block; an error leaves it where it was.
    pub(crate) fn watch(&mut self, block: &Block) -> Result<(), ExecError> {
        let mut updates = Vec::new();
        for bytes in &block.transactions {
            let tx = RecoveredTx::from_bytes(bytes, &domain()).unwrap();
            let keys: Vec<UtxoKey> = self.watcher.unknown_inputs([&tx]).collect();
            let facts = self.watcher_store.facts(keys.into_iter().map(|key| key.position));
            if let Err(error) = self.watcher.exec(&tx, &RequiredFee::Ignored, &facts, &mut updates)
            {
                self.watcher.abandon_block();
                return Err(error);
            }
        }
        let header = self.watcher.close_block(&mut updates);
        assert_eq!((header.number, header.hash), (block.number, block.hash));
        assert_eq!(block.root().unwrap(), block.hash);
        self.watcher_store.commit(updates);
        Ok(())
    }

    /// The operator's process dies and comes back from its store.
    pub(crate) fn crash(&mut self) {
        let before = self.operator.pending_record();
        self.operator = self.store.restore(Role::Operator { fee_claimer: Who::Operator.address() });
        if before.tx_count > 0 {
            assert_eq!(self.operator.pending_record(), before, "the pending block survives");
        }
        self.assert_integrity();
    }

    /// The books: what is unspent and what is collected is what came in and did not leave, per currency.
    fn assert_integrity(&self) {
        let mut found = BTreeMap::<Currency, U512>::new();
        for utxo in self.store.utxos.values() {
            *found.entry(utxo.currency).or_default() += U512::from(utxo.amount);
        }
        for (currency, amount) in self.operator.pending_record().fees {
            *found.entry(currency).or_default() += U512::from(amount);
        }
        for currency in found.keys().chain(self.money.keys()) {
            assert_eq!(
                found.get(currency).copied().unwrap_or_default(),
                self.money[currency],
                "{currency:?}"
            );
        }
        for key in self.store.utxos.keys() {
            assert!(!self.store.spends.contains_key(&key.position), "spent and unspent: {key:?}");
        }
    }

    pub(crate) fn balance(&self, who: Who, currency: Currency) -> u64 {
        let owned = self.store.utxos.iter().filter(|(key, _)| key.owner == who.address());
        owned
            .filter(|(_, utxo)| utxo.currency == currency)
            .map(|(_, utxo)| utxo.amount.low_u64())
            .sum()
    }
}

pub(crate) fn pos(blknum: u64, txindex: u32, oindex: u16) -> UtxoPos {
    UtxoPos::new(
        Blknum::new(blknum),
        plasma_core::wire::TxIndex::new(txindex),
        plasma_core::wire::OutputIndex::new(oindex),
    )
}

pub(crate) fn payment(inputs: &[UtxoPos], outputs: &[(Who, Currency, u64)]) -> PaymentTx {
    let output = |(who, currency, amount): &(Who, Currency, u64)| Output {
        output_type: OutputType::Payment,
        owner: who.address(),
        currency: *currency,
        amount: (*amount).into(),
    };
    PaymentTx {
        inputs: inputs.iter().map(|position| InputPointer::from(*position)).collect(),
        outputs: outputs.iter().map(output).collect(),
        metadata: H256::zero(),
    }
}

/// A payment signed by one person per input.
pub(crate) fn pay(inputs: &[(UtxoPos, Who)], outputs: &[(Who, Currency, u64)]) -> Vec<u8> {
    let positions: Vec<UtxoPos> = inputs.iter().map(|(position, _)| *position).collect();
    let payment = payment(&positions, outputs);
    let digest = domain().sign_hash(&payment);
    let signatures: Vec<Signature> = inputs.iter().map(|(_, who)| who.key().sign(digest)).collect();
    Transaction::Payment(payment).encode_signed(&signatures)
}

/// Ether from one owner to one owner.
pub(crate) fn pay_eth(input: UtxoPos, from: Who, to: Who, amount: u64) -> Vec<u8> {
    pay(&[(input, from)], &[(to, ETH, amount)])
}
