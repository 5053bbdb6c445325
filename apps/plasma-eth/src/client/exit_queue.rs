//! Exit queues: one per currency, in the order of payout.

use super::{RootChainClient, SentTransaction, vault_id};
use crate::contracts::abi::arg;
use crate::contracts::{Contract, calls, encode_call};
use crate::deployed::Deployed;
use crate::node::At;
use crate::{RootChainCause, RootChainError};
use ethers::abi::Token;
use plasma_core::wire::ids::ExitPriority;
use plasma_core::wire::keccak::keccak256_concat;
use plasma_core::wire::{Address, Currency, ExitId, H256, SecretKey, U256};

/// Most exits of one queue that are listed; a longer queue is an error. Nodes that cap the gas of a call give up earlier: geth's
/// default of 50 million is enough for some 20,000.
pub const EXIT_QUEUE_LIST_MAX: usize = 200_000;

impl RootChainClient {
    /// Whether a currency has an exit queue. Exits of a currency without one are refused.
    pub async fn has_exit_queue(&self, currency: Currency) -> Result<bool, RootChainError> {
        let framework = Contract::PlasmaFramework;
        self.read(framework, "hasExitQueue", &queue(currency), |fields| fields.bool()).await
    }

    /// Opens the exit queue of a currency. Anyone may, once.
    ///
    /// # Errors
    /// `ExitQueueExists`, before anything is sent.
    pub async fn add_exit_queue(
        &self,
        key: &SecretKey,
        currency: Currency,
    ) -> Result<SentTransaction, RootChainError> {
        let context = format!("currency {currency:?}");
        self.send_to_framework(key, ("addExitQueue", context), &queue(currency)).await
    }

    /// The exits that wait in a currency's queue, the next to leave first; `None` when there is no queue.
    pub async fn exit_queue(
        &self,
        currency: Currency,
    ) -> Result<Option<Vec<ExitPriority>>, RootChainError> {
        let framework = Contract::PlasmaFramework;
        let key = [arg::h256(queue_key(currency))];
        let window = self.read(framework, "exitsQueues", &key, |fields| fields.address()).await?;
        if window.is_zero() {
            return Ok(None);
        }
        let queue = (Contract::PriorityQueue, window);
        let heap = self.read_at(queue, "heapList", &[], |fields| fields.array()).await?;
        let listed = read_heap(heap);
        listed.map(Some).map_err(|cause| cause.during("heapList", format!("currency {currency:?}")))
    }

    /// The exit that leaves a currency's queue next; `None` when nothing waits or there is no queue.
    pub async fn next_exit(
        &self,
        currency: Currency,
    ) -> Result<Option<ExitPriority>, RootChainError> {
        next_exit(&self.deployed, (vault_id(currency), currency), At::Latest).await
    }

    /// Pays the exits of a currency that are due, at most `exits_max`, in the order of the queue. Anyone may. With `top_exit`, only if
    /// that exit is the next.
    ///
    /// # Errors
    /// The contract's refusal (`ExitQueueEmpty`, `TopExitIsAnother`, …), before anything is sent. That nothing is due yet is no
    /// refusal: the receipt then counts no exit.
    pub async fn process_exits(
        &self,
        key: &SecretKey,
        currency: Currency,
        top_exit: Option<ExitId>,
        exits_max: u32,
    ) -> Result<SentTransaction, RootChainError> {
        let arguments =
            calls::process_exits(vault_id(currency), currency, top_exit, exits_max.into());
        let context = format!("currency {currency:?}");
        self.send_to_framework(key, ("processExits", context), &arguments).await
    }

    async fn send_to_framework(
        &self,
        key: &SecretKey,
        (function, context): (&'static str, String),
        arguments: &[Token],
    ) -> Result<SentTransaction, RootChainError> {
        let framework = Contract::PlasmaFramework;
        let data = encode_call(framework, function, arguments)
            .map_err(|cause| cause.during(function, context.clone()))?;
        let to: Address = self.address_of(framework).await?;
        self.send(key, (function, context), (to, U256::zero(), data)).await
    }
}

/// The exit that leaves a queue next; `None` when nothing waits or there is no such queue.
pub(crate) async fn next_exit(
    deployed: &Deployed,
    (vault_id, token): (u64, Address),
    at: At,
) -> Result<Option<ExitPriority>, RootChainError> {
    let function = "getNextExit";
    let queue = [arg::uint(vault_id), arg::address(token)];
    match deployed.read(function, &queue, at).await {
        Ok(mut fields) => match fields.u256() {
            Ok(priority) => Ok(Some(ExitPriority::from_u256(priority))),
            Err(cause) => Err(cause.during(function, format!("vault {vault_id}, token {token:?}"))),
        },
        Err(error) => match error.revert().map(crate::Revert::name) {
            Some("ExitQueueEmpty" | "ExitQueueNotFound") => Ok(None),
            _ => Err(error),
        },
    }
}

/// How the framework's functions name a queue.
fn queue(currency: Currency) -> [Token; 2] {
    [arg::uint(vault_id(currency)), arg::address(currency)]
}

/// `K(u256(vault id) ‖ token)` (contracts v1 notes, section 1).
fn queue_key(currency: Currency) -> H256 {
    let mut vault = [0; 32];
    U256::from(vault_id(currency)).to_big_endian(&mut vault);
    keccak256_concat(&[&vault, currency.as_bytes()])
}

/// The exits of a heap: element 0 is filler, and the rest is only partly in order.
fn read_heap(heap: Vec<Token>) -> Result<Vec<ExitPriority>, RootChainCause> {
    if heap.len() > EXIT_QUEUE_LIST_MAX {
        return Err(RootChainCause::Invalid(format!(
            "the queue has {} exits, more than the {EXIT_QUEUE_LIST_MAX} that are listed",
            heap.len() - 1
        )));
    }
    let numbers = heap.into_iter().skip(1).map(Token::into_uint);
    let priorities = numbers.map(|number| number.map(ExitPriority::from_u256));
    let mut listed: Vec<_> = priorities
        .collect::<Option<_>>()
        .ok_or_else(|| RootChainCause::Malformed("a heap of something else".to_owned()))?;
    listed.sort_unstable();
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::ETH;

    #[test]
    fn queue_keys_are_those_of_the_contract() {
        let token = Address::repeat_byte(0x11);
        for (currency, vault) in [(ETH, 1_u8), (token, 2)] {
            let mut packed = [0_u8; 52];
            packed[31] = vault;
            packed[32..].copy_from_slice(currency.as_bytes());
            assert_eq!(queue_key(currency), plasma_core::wire::keccak256(&packed), "{currency:?}");
        }
    }

    #[test]
    fn heaps_are_listed_in_the_order_of_payout() {
        let uint = |number: u64| Token::Uint(number.into());
        let listed = read_heap(vec![uint(0), uint(3), uint(9), uint(5)]).unwrap();
        let numbers: Vec<_> = listed.iter().map(|p| p.to_u256().low_u64()).collect();
        assert_eq!(numbers, [3, 5, 9]);
        assert!(read_heap(vec![uint(0)]).unwrap().is_empty());
        assert!(read_heap(vec![uint(0), Token::Bool(true)]).is_err());
    }
}
