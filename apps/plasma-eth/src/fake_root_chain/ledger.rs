//! Accounts of Sentinels, the contracts' records of standard exits, and what the contracts say to a call.
//!
//! It must never refuse what the contracts take or take what they refuse, as far as standard exits go. Every block keeps the ledger
//! as it is after it (shared while nothing changes), so that removing blocks needs no replay.

use crate::{Revert, StandardExitRecord};
use plasma_core::exit_processor::ChallengeData;
use plasma_core::root_chain::RootChainEvent;
use plasma_core::sentinel::Call;
use plasma_core::wire::ids::{ExitPriority, output_id};
use plasma_core::wire::{
    Address, Currency, ExitId, Output, Transaction, TypedDataDomain, U256, UtxoPos,
};
use std::collections::BTreeMap;

/// The bond of every standard exit: what the contracts begin with.
const BOND_WEI: u64 = 14_000_000_000_000_000;

/// What the contracts are told to say to the calls of a function that the ledger has no records for.
pub(super) type Verdicts = BTreeMap<&'static str, Result<Vec<RootChainEvent>, Revert>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    accounts: BTreeMap<Address, Account>,
    exits: BTreeMap<ExitId, ExitRecord>,
}

/// What an account has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) nonce: u64,
    pub(super) balance_wei: U256,
}

impl Default for Account {
    /// 100 ether.
    fn default() -> Self {
        Self { nonce: 0, balance_wei: U256::exp10(20) }
    }
}

#[derive(Clone, Debug)]
pub(super) struct ExitRecord {
    pub(super) owner: Address,
    pub(super) position: UtxoPos,
    pub(super) output_tx: Box<[u8]>,
    pub(super) exitable_at_s: u64,
    pub(super) exitable: bool,
}

/// Under what circumstances a call is executed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) sender: Address,
    /// Time of the block, in seconds.
    pub(super) now_s: u64,
    pub(super) domain: &'a TypedDataDomain,
    pub(super) verdicts: &'a Verdicts,
}

impl ExitRecord {
    fn output(&self) -> Option<Output> {
        let tx = Transaction::decode_unsigned(&self.output_tx).ok()?;
        tx.outputs().get(usize::from(self.position.oindex.get())).cloned()
    }

    fn priority(&self, exit_id: ExitId) -> ExitPriority {
        ExitPriority::new(self.exitable_at_s, self.position, exit_id)
    }

    fn told(&self) -> StandardExitRecord {
        StandardExitRecord {
            exitable: self.exitable,
            position: self.position,
            output_id: output_id(&self.output_tx, self.position),
            exitor: self.owner,
            // Tests exit outputs of transactions that nobody can read, too.
            amount: self.output().map_or_else(U256::zero, |output| output.amount),
            bond_wei: BOND_WEI.into(),
        }
    }
}

impl Ledger {
    pub(super) fn account(&self, address: Address) -> Account {
        self.accounts.get(&address).copied().unwrap_or_default()
    }

    pub(super) fn set_balance(&mut self, address: Address, balance_wei: U256) {
        self.accounts.entry(address).or_default().balance_wei = balance_wei;
    }

    /// A transaction with this nonce was mined, and paid this.
    pub(super) fn charge(&mut self, address: Address, nonce: u64, cost_wei: U256) {
        let account = self.accounts.entry(address).or_default();
        account.nonce = nonce.saturating_add(1);
        account.balance_wei = account.balance_wei.saturating_sub(cost_wei);
    }

    pub(super) fn exit(&self, exit_id: ExitId) -> Option<StandardExitRecord> {
        self.exits.get(&exit_id).map(ExitRecord::told)
    }

    pub(super) fn start_exit(&mut self, exit_id: ExitId, record: ExitRecord) {
        self.exits.insert(exit_id, record);
    }

    pub(super) fn challenge_exits_of(&mut self, position: UtxoPos) {
        for record in self.exits.values_mut().filter(|record| record.position == position) {
            record.exitable = false;
        }
    }

    pub(super) fn end_exit(&mut self, exit_id: ExitId) {
        self.exits.remove(&exit_id);
    }

    /// Executes a call: its events, or the refusal, which changes nothing.
    pub(super) fn execute(
        &mut self,
        call: &Call,
        circumstances: Circumstances<'_>,
    ) -> Result<Vec<RootChainEvent>, Revert> {
        if let Some(verdict) = circumstances.verdicts.get(call.name()) {
            return verdict.clone();
        }
        match call {
            Call::ChallengeStandardExit(data) => self.challenge(data, circumstances),
            Call::ProcessExits { token, top_exit_id, exits_max, .. } => {
                self.process(*token, *top_exit_id, *exits_max, circumstances.now_s)
            }
            // There are no records of in-flight exits.
            _ => Err(Revert::new("InFlightExitNotFound", Vec::new())),
        }
    }

    fn challenge(
        &mut self,
        data: &ChallengeData,
        Circumstances { sender, domain, .. }: Circumstances<'_>,
    ) -> Result<Vec<RootChainEvent>, Revert> {
        let record = self.exits.get_mut(&data.exit_id).filter(|record| record.exitable);
        let Some(record) = record else {
            return Err(refusal("ExitNotExitable", &[("exitId", data.exit_id.to_u256().to_string())]));
        };
        let position = record.position;
        if output_id(&data.exiting_tx, position) != output_id(&record.output_tx, position) {
            return Err(refusal("OutputIsAnother", &[]));
        }
        let Ok(Transaction::Payment(payment)) = Transaction::decode_unsigned(&data.tx_bytes) else {
            return Err(refusal("SpendingConditionNotFound", &[]));
        };
        let Some(input) = payment.inputs.get(usize::from(data.input_index)) else {
            let index = ("inputIndex", data.input_index.to_string());
            return Err(refusal("InputNotFound", &[index]));
        };
        if input.position() != Some(position) {
            return Err(refusal("InputPointsElsewhere", &[]));
        }
        let Ok(signer) = data.signature.recover(domain.sign_hash(&payment)) else {
            return Err(refusal("SignatureInvalid", &[]));
        };
        if signer != record.owner {
            let facts = [("signer", format!("{signer:?}")), ("owner", format!("{:?}", record.owner))];
            return Err(refusal("SignerNotOwner", &facts));
        }
        record.exitable = false;
        let challenger = self.accounts.entry(sender).or_default();
        challenger.balance_wei = challenger.balance_wei.saturating_add(BOND_WEI.into());
        Ok(vec![RootChainEvent::ExitChallenged { position }])
    }

    fn process(
        &mut self,
        token: Currency,
        top_exit_id: Option<ExitId>,
        exits_max: u64,
        now_s: u64,
    ) -> Result<Vec<RootChainEvent>, Revert> {
        let of_queue = self.exits.iter().filter(|(_, record)| {
            record.output().is_some_and(|output| output.currency == token)
        });
        let mut queue: Vec<_> =
            of_queue.map(|(exit_id, record)| (record.priority(*exit_id), record.exitable)).collect();
        queue.sort_unstable();
        let Some((head, _)) = queue.first() else {
            return Err(refusal("ExitQueueEmpty", &[("token", format!("{token:?}"))]));
        };
        if top_exit_id.is_some_and(|wanted| wanted != head.exit_id()) {
            let top = ("topExitId", head.exit_id().to_u256().to_string());
            return Err(refusal("TopExitIsAnother", &[top]));
        }
        let due = queue.iter().take_while(|(priority, _)| priority.exitable_at_s() < now_s);
        let mut events = Vec::new();
        for (priority, exitable) in due.take(usize::try_from(exits_max).unwrap_or(usize::MAX)) {
            let exit_id = priority.exit_id();
            self.exits.remove(&exit_id);
            // The others leave without being paid, which nodes are not told about.
            if *exitable {
                events.push(RootChainEvent::ExitFinalized { exit_id });
            }
        }
        Ok(events)
    }
}

fn refusal(name: &str, arguments: &[(&str, String)]) -> Revert {
    let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Revert::new(name, arguments.collect())
}
