//! Logs of our contracts, decoded without believing the node.
//!
//! A log counts only when the right contract emitted it: the same event name from another address means nothing. Logs of other
//! addresses and other events are skipped, as a node may send more than was asked for; a log that claims to be one of ours and is not
//! exactly what our contract emits is an error.

mod in_flight;

use super::Contract;
use super::abi::Fields;
use crate::{ContractAddresses, CreditSource, ReceiptNote, RootChainCause};
use ethers::abi::{Event, EventParam, decode, encode};
use ethers::types::Log;
use plasma_core::root_chain::{EthEvent, EventKind, RootChainEvent};
use plasma_core::wire::{Address, Blknum, EthHeight, ExitId, H256, U256, UtxoPos};

/// Longest data of a log of ours. The longest is the start of an in-flight exit, with its transaction, four input transactions and
/// signatures, below 6.5 kB.
pub(crate) const LOG_DATA_BYTES_MAX: usize = 16_384;

/// Knows every event of one deployment.
#[derive(Debug)]
pub(crate) struct LogReader {
    known: Vec<KnownEvent>,
}

#[derive(Debug)]
struct KnownEvent {
    emitter: Address,
    topic: H256,
    meaning: Meaning,
    abi: &'static Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Event(EventKind),
    ExitsProcessed,
    Credit(CreditVault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CreditVault {
    EthVault,
    Erc20Vault,
    ExitGame,
}

impl LogReader {
    pub(crate) fn new(addresses: &ContractAddresses) -> Result<Self, RootChainCause> {
        use Contract as C;
        use EventKind as K;
        let framework = (C::PlasmaFramework, addresses.plasma_framework);
        let eth_vault = (C::EthVault, addresses.eth_vault);
        let erc20_vault = (C::Erc20Vault, addresses.erc20_vault);
        let exit_game = (C::PaymentExitGame, addresses.payment_exit_game);
        let table = [
            (framework, "BlockSubmitted", Meaning::Event(K::BlockSubmitted)),
            (framework, "ProcessedExitsNum", Meaning::ExitsProcessed),
            (eth_vault, "DepositCreated", Meaning::Event(K::DepositCreated)),
            (erc20_vault, "DepositCreated", Meaning::Event(K::DepositCreated)),
            (exit_game, "ExitStarted", Meaning::Event(K::ExitStarted)),
            (exit_game, "ExitChallenged", Meaning::Event(K::ExitChallenged)),
            (exit_game, "ExitFinalized", Meaning::Event(K::ExitFinalized)),
            (exit_game, "ExitOmitted", Meaning::Event(K::ExitOmitted)),
            (exit_game, "InFlightExitStarted", Meaning::Event(K::InFlightExitStarted)),
            (
                exit_game,
                "InFlightExitInputPiggybacked",
                Meaning::Event(K::InFlightExitInputPiggybacked),
            ),
            (
                exit_game,
                "InFlightExitOutputPiggybacked",
                Meaning::Event(K::InFlightExitOutputPiggybacked),
            ),
            (exit_game, "InFlightExitInputBlocked", Meaning::Event(K::InFlightExitInputBlocked)),
            (exit_game, "InFlightExitOutputBlocked", Meaning::Event(K::InFlightExitOutputBlocked)),
            (exit_game, "InFlightExitChallenged", Meaning::Event(K::InFlightExitChallenged)),
            (
                exit_game,
                "InFlightExitChallengeResponded",
                Meaning::Event(K::InFlightExitChallengeResponded),
            ),
            (
                exit_game,
                "InFlightExitInputWithdrawn",
                Meaning::Event(K::InFlightExitInputWithdrawn),
            ),
            (
                exit_game,
                "InFlightExitOutputWithdrawn",
                Meaning::Event(K::InFlightExitOutputWithdrawn),
            ),
            (exit_game, "InFlightExitDeleted", Meaning::Event(K::InFlightExitDeleted)),
            (exit_game, "InFlightExitFinalized", Meaning::Event(K::InFlightExitFinalized)),
            (exit_game, "InFlightExitOmitted", Meaning::Event(K::InFlightExitOmitted)),
            (eth_vault, "CreditAdded", Meaning::Credit(CreditVault::EthVault)),
            (erc20_vault, "CreditAdded", Meaning::Credit(CreditVault::Erc20Vault)),
            (exit_game, "CreditAdded", Meaning::Credit(CreditVault::ExitGame)),
        ];
        let known = table.map(|((contract, emitter), name, meaning)| {
            let abi = contract.artifact()?.abi.event(name).map_err(|_| {
                RootChainCause::Invalid(format!("contract {} has no event {name}", contract.name()))
            })?;
            Ok(KnownEvent { emitter, topic: abi.signature(), meaning, abi })
        });
        Ok(Self { known: known.into_iter().collect::<Result<_, RootChainCause>>()? })
    }

    /// Which contracts and which first topics to ask for, each without repetition.
    pub(crate) fn filter(&self, kinds: &[EventKind]) -> (Vec<Address>, Vec<H256>) {
        let wanted = self
            .known
            .iter()
            .filter(|known| matches!(known.meaning, Meaning::Event(kind) if kinds.contains(&kind)));
        let (mut emitters, mut topics): (Vec<_>, Vec<_>) =
            wanted.map(|known| (known.emitter, known.topic)).unzip();
        emitters.sort_unstable();
        emitters.dedup();
        topics.sort_unstable();
        topics.dedup();
        (emitters, topics)
    }

    /// The event a log reports; `None` when it is none of these kinds.
    pub(crate) fn event(
        &self,
        log: &Log,
        kinds: &[EventKind],
    ) -> Result<Option<EthEvent>, RootChainCause> {
        let Some((known, kind)) = self.find(log).and_then(|known| match known.meaning {
            Meaning::Event(kind) if kinds.contains(&kind) => Some((known, kind)),
            _ => None,
        }) else {
            return Ok(None);
        };
        if log.removed == Some(true) {
            return Err(RootChainCause::HistoryChanged);
        }
        let (Some(number), Some(eth_block_hash), Some(root_chain_txhash), Some(log_index)) =
            (log.block_number, log.block_hash, log.transaction_hash, log.log_index)
        else {
            return Err(known.malformed("is in no block"));
        };
        Ok(Some(EthEvent {
            eth_height: EthHeight::new(number.as_u64()),
            eth_block_hash,
            root_chain_txhash,
            log_index: u32::try_from(log_index).map_err(|_| known.malformed("has no index"))?,
            event: known.read(kind, log)?,
        }))
    }

    /// What else a log tells the sender of its transaction.
    pub(crate) fn note(&self, log: &Log) -> Result<Option<ReceiptNote>, RootChainCause> {
        let Some(known) = self.find(log) else {
            return Ok(None);
        };
        Ok(match known.meaning {
            Meaning::Event(_) => None,
            Meaning::ExitsProcessed => {
                let count = known.fields(log, &["processedNum"])?.u64()?;
                Some(ReceiptNote::ExitsProcessed { count })
            }
            Meaning::Credit(vault) => {
                let mut fields = known.fields(log, &["owner", "amount"])?;
                let (owner, amount) = (fields.address()?, fields.u256()?);
                let source = match vault {
                    CreditVault::EthVault => CreditSource::EthVault,
                    CreditVault::ExitGame => CreditSource::ExitGame,
                    CreditVault::Erc20Vault => {
                        CreditSource::Erc20Vault(known.fields(log, &["token"])?.address()?)
                    }
                };
                Some(ReceiptNote::CreditAdded { source, owner, amount })
            }
        })
    }

    fn find(&self, log: &Log) -> Option<&KnownEvent> {
        let topic = log.topics.first()?;
        self.known.iter().find(|known| known.emitter == log.address && known.topic == *topic)
    }
}

impl KnownEvent {
    fn read(&self, kind: EventKind, log: &Log) -> Result<RootChainEvent, RootChainCause> {
        if let Some(event) = self.read_in_flight(kind, log)? {
            return Ok(event);
        }
        Ok(match kind {
            EventKind::DepositCreated => {
                let mut fields = self.fields(log, &["depositor", "blknum", "token", "amount"])?;
                RootChainEvent::DepositCreated {
                    depositor: fields.address()?,
                    blknum: Blknum::new(fields.u64()?),
                    currency: fields.address()?,
                    amount: fields.u256()?,
                }
            }
            EventKind::BlockSubmitted => RootChainEvent::BlockSubmitted {
                blknum: Blknum::new(self.fields(log, &["blknum"])?.u64()?),
            },
            EventKind::ExitStarted => {
                let names = ["owner", "exitId", "utxoPos", "outputTx", "exitableAt"];
                let mut fields = self.fields(log, &names)?;
                RootChainEvent::ExitStarted {
                    owner: fields.address()?,
                    exit_id: self.exit_id(fields.u256()?)?,
                    position: self.position(fields.u256()?)?,
                    output_tx: fields.bytes()?.into(),
                    exitable_at_s: fields.u64()?,
                }
            }
            EventKind::ExitChallenged => RootChainEvent::ExitChallenged {
                position: self.position(self.fields(log, &["utxoPos"])?.u256()?)?,
            },
            EventKind::ExitFinalized => RootChainEvent::ExitFinalized {
                exit_id: self.exit_id(self.fields(log, &["exitId"])?.u256()?)?,
            },
            EventKind::ExitOmitted => RootChainEvent::ExitOmitted {
                exit_id: self.exit_id(self.fields(log, &["exitId"])?.u256()?)?,
            },
            other => return Err(self.malformed(&format!("is a {other:?} that nobody reads"))),
        })
    }

    /// The values of these parameters, in this order.
    fn fields(&self, log: &Log, names: &[&str]) -> Result<Fields, RootChainCause> {
        if log.data.len() > LOG_DATA_BYTES_MAX {
            return Err(self.malformed("is too long"));
        }
        let not_ours = || self.malformed("is not what the contract emits");
        let (indexed, in_data): (Vec<&EventParam>, Vec<&EventParam>) =
            self.abi.inputs.iter().partition(|input| input.indexed);
        if log.topics.len() != indexed.len() + 1 {
            return Err(not_ours());
        }
        let types: Vec<_> = in_data.iter().map(|input| input.kind.clone()).collect();
        let tokens = decode(&types, &log.data).map_err(|_| not_ours())?;
        if encode(&tokens) != log.data.as_ref() {
            return Err(not_ours());
        }
        let mut named: Vec<_> = in_data.into_iter().zip(tokens).collect();
        for (input, topic) in indexed.into_iter().zip(log.topics.iter().skip(1)) {
            let tokens = decode(std::slice::from_ref(&input.kind), topic.as_bytes())
                .map_err(|_| not_ours())?;
            if encode(&tokens) != topic.as_bytes() {
                return Err(not_ours());
            }
            named.extend(tokens.into_iter().map(|token| (input, token)));
        }
        let value_of = |name: &&str| {
            let found = named.iter().find(|(input, _)| input.name == **name);
            found.map(|(_, token)| token.clone()).ok_or_else(|| {
                RootChainCause::Invalid(format!("event {} has no {name}", self.abi.name))
            })
        };
        let values: Result<Vec<_>, _> = names.iter().map(value_of).collect();
        Ok(Fields::new(values?))
    }

    fn exit_id(&self, number: U256) -> Result<ExitId, RootChainCause> {
        let exit_id = ExitId::from_u256(number);
        if exit_id.to_u256() == number {
            Ok(exit_id)
        } else {
            Err(self.malformed("has an exit id beyond 160 bits"))
        }
    }

    fn position(&self, number: U256) -> Result<UtxoPos, RootChainCause> {
        UtxoPos::decode_u256(number)
            .filter(|position| position.is_decodable_on_chain())
            .ok_or_else(|| self.malformed("has a position beyond every block"))
    }

    fn malformed(&self, what: &str) -> RootChainCause {
        RootChainCause::Malformed(format!("log {} of {:?} {what}", self.abi.name, self.emitter))
    }
}

/// Puts events into chain order and drops repetitions. Fails when two events contradict each other about the chain.
pub(crate) fn in_chain_order(events: &mut Vec<EthEvent>) -> Result<(), RootChainCause> {
    events.sort_by_key(|event| (event.eth_height, event.log_index));
    for pair in events.windows(2) {
        let [one, other] = pair else { continue };
        if one.eth_height != other.eth_height {
            continue;
        }
        if one.eth_block_hash != other.eth_block_hash {
            return Err(RootChainCause::HistoryChanged);
        }
        if one.log_index == other.log_index && one != other {
            return Err(RootChainCause::Malformed(format!(
                "two different logs with index {} in block {}",
                one.log_index, one.eth_height
            )));
        }
    }
    events.dedup();
    Ok(())
}

#[cfg(test)]
mod tests;
