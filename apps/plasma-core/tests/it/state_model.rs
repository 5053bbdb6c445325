//! Random histories of the ledger: whatever people try, the books balance per currency after every step (protocol 10.2).

use crate::chain::{TOKEN, TestChain, Who, pay};
use plasma_core::db_update::UtxoKey;
use plasma_core::wire::{Currency, ETH, UtxoPos};
use proptest::prelude::*;
use proptest::sample::Index;

/// What somebody tries.
#[derive(Clone, Debug)]
enum Step {
    Deposit {
        who: Who,
        token: bool,
        amount: u64,
    },
    /// Spends up to four unspent outputs, keeping `fee` back.
    Payment {
        inputs: Vec<Index>,
        to: Who,
        change: bool,
        fee: u64,
    },
    /// Signs for somebody else.
    WrongSpender {
        input: Index,
        thief: Who,
    },
    /// Spends what is spent already, and outputs that never were.
    DoubleSpend {
        input: Index,
    },
    /// Flips bits of a byte of a good transaction.
    Mutated {
        input: Index,
        byte: Index,
        flip: u8,
    },
    Overspend {
        input: Index,
        extra: u64,
    },
    Exit {
        output: Index,
    },
    ExitOfSpent {
        output: Index,
    },
    FormBlock,
    Crash,
}

fn who() -> impl Strategy<Value = Who> {
    prop::sample::select(Who::ALL.to_vec())
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        4 => (who(), any::<bool>(), 1u64..1_000).prop_map(|(who, token, amount)| Step::Deposit { who, token, amount }),
        8 => (proptest::collection::vec(index(), 1..=4), who(), any::<bool>(), 0u64..3)
            .prop_map(|(inputs, to, change, fee)| Step::Payment { inputs, to, change, fee }),
        1 => (index(), who()).prop_map(|(input, thief)| Step::WrongSpender { input, thief }),
        1 => index().prop_map(|input| Step::DoubleSpend { input }),
        1 => (index(), index(), 1u8..).prop_map(|(input, byte, flip)| Step::Mutated { input, byte, flip }),
        1 => (index(), 1u64..5).prop_map(|(input, extra)| Step::Overspend { input, extra }),
        1 => index().prop_map(|output| Step::Exit { output }),
        1 => index().prop_map(|output| Step::ExitOfSpent { output }),
        2 => Just(Step::FormBlock),
        1 => Just(Step::Crash),
    ]
}

/// An unspent output somebody owns.
struct Owned {
    position: UtxoPos,
    owner: Who,
    currency: Currency,
    amount: u64,
}

fn owned(chain: &TestChain, index: &Index) -> Option<Owned> {
    let utxos: Vec<(&UtxoKey, _)> = chain.store.utxos.iter().collect();
    let (key, utxo) = *utxos.get(index.index(utxos.len().max(1)))?;
    let owner = Who::of(key.owner);
    Some(Owned {
        position: key.position,
        owner,
        currency: utxo.currency,
        amount: utxo.amount.low_u64(),
    })
}

fn spent(chain: &TestChain, index: &Index) -> Option<UtxoPos> {
    let spent: Vec<UtxoPos> = chain.store.spends.keys().copied().collect();
    spent.get(index.index(spent.len().max(1))).copied()
}

fn take(chain: &mut TestChain, step: &Step) -> Option<()> {
    match step {
        Step::Deposit { who, token, amount } => {
            chain.deposit(*who, if *token { TOKEN } else { ETH }, *amount);
        }
        Step::Payment { inputs, to, change, fee } => {
            pay_somebody(chain, inputs, *to, *change, *fee)?
        }
        Step::WrongSpender { input, thief } => {
            let target = owned(chain, input).filter(|target| target.owner != *thief)?;
            let bytes =
                pay(&[(target.position, *thief)], &[(*thief, target.currency, target.amount)]);
            assert_eq!(chain.submit(&bytes).unwrap_err(), "unauthorized_spend");
        }
        Step::DoubleSpend { input } => {
            let position = spent(chain, input)?;
            let error = chain
                .submit(&pay(&[(position, Who::Mallory)], &[(Who::Mallory, ETH, 1)]))
                .unwrap_err();
            assert_eq!(error, "utxo_not_found");
        }
        Step::Mutated { input, byte, flip } => {
            let target = owned(chain, input)?;
            let mut bytes = pay(
                &[(target.position, target.owner)],
                &[(Who::Bob, target.currency, target.amount)],
            );
            let at = byte.index(bytes.len());
            bytes[at] ^= flip;
            // Only a change of the signature's form can leave the meaning alone, and a flipped bit cannot make that.
            chain.submit(&bytes).unwrap_err();
        }
        Step::Overspend { input, extra } => {
            let target = owned(chain, input)?;
            let bytes = pay(
                &[(target.position, target.owner)],
                &[(Who::Bob, target.currency, target.amount + extra)],
            );
            assert_eq!(chain.submit(&bytes).unwrap_err(), "amounts_do_not_add_up");
        }
        Step::Exit { output } => {
            let target = owned(chain, output)?;
            let in_pending_block = target.position.blknum == chain.operator.blknum();
            assert_eq!(chain.exit(target.position), !in_pending_block);
        }
        Step::ExitOfSpent { output } => {
            let position = spent(chain, output)?;
            let by_exit =
                matches!(chain.store.spends[&position], plasma_core::db_update::Spender::Exit(_));
            assert_eq!(chain.exit(position), by_exit);
        }
        Step::FormBlock => {
            let pending = chain.operator.pending_tx_count();
            assert_eq!(chain.form_block().is_some(), pending > 0);
        }
        Step::Crash => chain.crash(),
    }
    Some(())
}

fn pay_somebody(
    chain: &mut TestChain,
    inputs: &[Index],
    to: Who,
    change: bool,
    fee: u64,
) -> Option<()> {
    let mut chosen: Vec<Owned> = Vec::new();
    for index in inputs {
        let next = owned(chain, index)?;
        let fits = chosen
            .iter()
            .all(|other| other.position != next.position && other.currency == next.currency);
        if fits {
            chosen.push(next);
        }
    }
    let currency = chosen.first()?.currency;
    let total: u64 = chosen.iter().map(|input| input.amount).sum();
    let pays = total.checked_sub(fee).filter(|left| *left > 1)?;
    let first = chosen.first()?.owner;
    let outputs = match change {
        true => vec![(to, currency, 1), (first, currency, pays - 1)],
        false => vec![(to, currency, pays)],
    };
    let inputs: Vec<(UtxoPos, Who)> =
        chosen.iter().map(|input| (input.position, input.owner)).collect();
    let joins_own = chosen.len() > outputs.len()
        && chosen.iter().all(|input| input.owner == to)
        && outputs.iter().all(|(owner, ..)| *owner == to);
    let result = chain.submit(&pay(&inputs, &outputs));
    match joins_own && fee > 0 {
        true => assert_eq!(result.unwrap_err(), "overpaying_fees"),
        false => {
            result.unwrap();
        }
    }
    Some(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_books_balance_after_every_step(steps in proptest::collection::vec(step(), 1..60)) {
        let mut chain = TestChain::new();
        for step in &steps {
            // A step that has nothing to work on yet is skipped.
            let _ = take(&mut chain, step);
        }
        chain.form_block();
    }
}
