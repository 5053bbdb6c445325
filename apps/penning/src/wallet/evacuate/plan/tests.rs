//! The plan against tables and random accounts.

use super::*;
use plasma_core::db_update::Utxo;
use plasma_core::wire::{Address, OutputIndex, OutputType, TxIndex};
use proptest::prelude::*;

const TOKEN: Currency = Address::repeat_byte(0xee);
const OTHER: Currency = Address::repeat_byte(0xdd);
const PERIOD_S: u64 = 1_000;
const NOW_S: u64 = 100_000;
/// Start and payout of Ether, at the price of the tests.
const COST: u64 = (START_GAS + PROCESS_ETH_GAS) * 10;

fn at(blknum: u64) -> UtxoPos {
    UtxoPos::new(Blknum::new(blknum), TxIndex::new(0), OutputIndex::new(0))
}

fn utxo(currency: Currency, amount: u64) -> Utxo {
    Utxo { output_type: OutputType::Payment, currency, amount: amount.into() }
}

/// Enough Ether, gas for 10 wei, on a safe chain.
fn facts(outputs: &[(u64, Currency, u64)]) -> Facts {
    let outputs = outputs.iter();
    Facts {
        outputs: outputs
            .map(|(blknum, currency, of)| (at(*blknum), utxo(*currency, *of)))
            .collect(),
        is_safe: true,
        now_s: NOW_S,
        min_exit_period_s: PERIOD_S,
        gas_price_wei: 10.into(),
        gas_price_max_wei: 20.into(),
        bond_wei: 5_000.into(),
        balance_wei: U256::exp10(18),
        ..Facts::default()
    }
}

const SINGLY: Wishes = Wishes {
    may_merge: false,
    minimums: BTreeMap::new(),
    skipped: BTreeSet::new(),
    as_many_as_possible: false,
    processes: false,
};

fn merging() -> Wishes {
    Wishes { may_merge: true, ..SINGLY }
}

fn exiting(plan: &Plan) -> Vec<Source> {
    plan.exits.iter().map(|exit| exit.source).collect()
}

fn outputs(blknums: &[u64]) -> Vec<Source> {
    blknums.iter().map(|blknum| Source::Output(at(*blknum))).collect()
}

#[test]
fn outputs_of_one_currency_are_joined_while_that_is_safe() {
    let crumbs = [(1_000, ETH, COST), (2_000, ETH, COST), (3_000, TOKEN, 1), (4_000, TOKEN, 2)];
    let plan_of = |is_safe, wishes: &Wishes| {
        let plan = plan(&Facts { is_safe, ..facts(&crumbs) }, wishes);
        (plan.merges.len(), exiting(&plan), plan.left.len())
    };
    let joined = vec![Source::Merged(2); 2];
    // Joined, two crumbs are worth the gas that neither is worth alone.
    assert_eq!(plan_of(true, &merging()), (2, joined, 0));
    assert_eq!(plan_of(true, &SINGLY), (0, outputs(&[4_000, 3_000]), 2));
    assert_eq!(plan_of(false, &merging()), (0, outputs(&[4_000, 3_000]), 2));
    // What is not worth it even then is not merged.
    let dust = plan(&facts(&[(1_000, ETH, 1), (2_000, ETH, 2)]), &merging());
    assert_eq!((dust.merges.len(), dust.exits.len(), dust.left.len()), (0, 0, 1));
    // What is joined is as young as can be.
    let joined = plan(&facts(&crumbs), &merging());
    assert!(joined.exits.iter().all(|exit| exit.exitable_at_s == NOW_S + 2 * PERIOD_S));
}

#[test]
fn four_outputs_become_one_in_each_merge() {
    for (outputs, expected) in
        [(0, 0), (1, 0), (2, 1), (4, 1), (5, 2), (6, 3), (16, 5), (17, 6), (64, 21)]
    {
        assert_eq!(merge_count(outputs), expected, "{outputs}");
        // The transactions that the core really makes.
        let mut coins: BTreeMap<_, _> =
            (1..=outputs as u64).map(|n| (at(n * 1_000), utxo(ETH, 1))).collect();
        let mut made = 0;
        loop {
            let owner = Address::repeat_byte(1);
            let round = plasma_core::payment_builder::build_merges(owner, ETH, coins.clone());
            if round.is_empty() {
                break;
            }
            for merge in round {
                made += 1;
                coins.retain(|at, _| merge.inputs.iter().all(|(input, _)| input != at));
                coins.insert(at(1_000_000 + made * 1_000), utxo(ETH, 1));
            }
        }
        assert_eq!(made, expected as u64, "{outputs}");
    }
}

#[test]
fn what_is_not_worth_an_exit_stays_and_says_why() {
    let has = [(1_000, ETH, COST), (2_000, ETH, COST + 1), (3_000, TOKEN, 7), (4_000, OTHER, 1)];
    let cost_wei = U256::from(COST);
    let minimum = |currency, amount: u64| (currency, U256::from(amount));
    for (minimums, exits, expected) in [
        (vec![], vec![2_000, 4_000, 3_000], vec![Reason::CostsMore { cost_wei }]),
        (vec![minimum(ETH, 0)], vec![2_000, 4_000, 3_000, 1_000], vec![]),
        (
            vec![minimum(TOKEN, 8), minimum(ETH, COST + 1)],
            vec![2_000, 4_000],
            vec![
                Reason::BelowMinimum { minimum: (COST + 1).into() },
                Reason::BelowMinimum { minimum: 8.into() },
            ],
        ),
        (vec![minimum(TOKEN, 7)], vec![2_000, 4_000, 3_000], vec![Reason::CostsMore { cost_wei }]),
    ] {
        let wishes = Wishes { minimums: minimums.into_iter().collect(), ..SINGLY };
        let plan = plan(&facts(&has), &wishes);
        assert_eq!(exiting(&plan), outputs(&exits));
        let reasons: Vec<_> = plan.left.into_iter().map(|left| left.reason).collect();
        assert_eq!(reasons, expected);
    }
}

#[test]
fn nothing_that_is_exiting_or_signed_away_exits() {
    let mut facts = facts(&[(1_000, TOKEN, 1), (2_000, TOKEN, 2), (3_000, TOKEN, 3)]);
    facts.exiting.insert(at(1_000));
    let txhash = TxHash::repeat_byte(9);
    facts.signed_away.insert(at(2_000), txhash);
    let plan = plan(&facts, &merging());
    assert_eq!(exiting(&plan), outputs(&[3_000]));
    assert!(plan.merges.is_empty());
    let reasons: Vec<_> = plan.left.into_iter().map(|left| left.reason).collect();
    assert_eq!(reasons, [Reason::SignedAway { txhash }]);
}

#[test]
fn on_an_unsafe_chain_outputs_that_lose_their_place_every_second_come_first() {
    // The younger an output here, the larger it is; 5 is a deposit, and ripe at any age.
    let has = [(1_000, ETH, 1), (2_000, ETH, 2), (3_000, ETH, 3), (4_000, ETH, 4), (5, ETH, 5)];
    let has = has.map(|(blknum, currency, amount)| (blknum, currency, amount * COST * 2));
    let mut facts = facts(&has);
    let ages_s = [(1_000, 5_000), (2_000, PERIOD_S), (3_000, PERIOD_S - 10), (4_000, 10)];
    facts.block_times_s =
        ages_s.iter().map(|(blknum, age_s)| (Blknum::new(*blknum), NOW_S - age_s)).collect();
    assert_eq!(exiting(&plan(&facts, &SINGLY)), outputs(&[5, 4_000, 3_000, 2_000, 1_000]));
    facts.is_safe = false;
    let plan = plan(&facts, &SINGLY);
    assert_eq!(exiting(&plan), outputs(&[5, 2_000, 1_000, 3_000, 4_000]));
    let waits: Vec<_> = plan.exits.iter().map(|exit| exit.exitable_at_s - NOW_S).collect();
    assert_eq!(waits, [1_000, 1_000, 1_000, 1_010, 1_990]);
}

#[test]
fn bonds_and_gas_are_counted_and_what_is_too_much_is_left_out() {
    let has = [(1_000, ETH, COST * 2), (2_000, ETH, COST * 3), (3_000, TOKEN, 1)];
    let mut facts = facts(&has);
    facts.without_queue.insert(TOKEN);
    let processing = Wishes { processes: true, ..SINGLY };
    let margin = START_GAS * 30 / 100;
    let start = 3 * START_GAS + OPEN_QUEUE_GAS;
    let payout = 2 * PROCESS_ETH_GAS + PROCESS_TOKEN_GAS;
    for (wishes, gas) in [(&SINGLY, start), (&processing, start + payout)] {
        let money = plan(&facts, wishes).money;
        assert_eq!(money.bonds_wei, U256::from(15_000));
        assert_eq!(money.gas_wei, U256::from(gas * 10));
        assert_eq!(money.needed_wei, U256::from(15_000 + (gas + margin) * 20));
        assert_eq!(money.missing_wei, U256::zero());
    }
    // Two starts and the margin: the token's queue as well would be too much.
    facts.balance_wei = U256::from(10_000 + (2 * START_GAS + margin) * 20);
    let money = plan(&facts, &SINGLY).money;
    assert_eq!(money.missing_wei, money.needed_wei - facts.balance_wei);
    let some = Wishes { as_many_as_possible: true, ..SINGLY };
    let affordable = plan(&facts, &some);
    assert_eq!(exiting(&affordable), outputs(&[2_000, 1_000]));
    assert_eq!(affordable.money.missing_wei, U256::zero());
    assert!(matches!(affordable.left[0].reason, Reason::NotAffordable { .. }));
    facts.balance_wei -= U256::one();
    assert_eq!(exiting(&plan(&facts, &some)), outputs(&[2_000]), "the most valuable remains");
    facts.balance_wei = U256::zero();
    assert!(plan(&facts, &some).exits.is_empty());
    assert_eq!(plan(&Facts::default(), &SINGLY), Plan::default());
}

#[test]
fn when_ether_is_short_tokens_without_a_limit_come_last() {
    let ether = COST * 2;
    let has = [(1_000, ETH, ether), (2_000, ETH, ether), (3_000, TOKEN, 9), (4_000, OTHER, 1)];
    let mut facts = facts(&has);
    let wishes = |minimums: &[(Currency, u64)]| Wishes {
        as_many_as_possible: true,
        minimums: minimums.iter().map(|(currency, of)| (*currency, U256::from(*of))).collect(),
        ..SINGLY
    };
    // Where there is enough, every currency has its turn.
    assert_eq!(exiting(&plan(&facts, &wishes(&[]))), outputs(&[1_000, 4_000, 3_000, 2_000]));
    let two = U256::from(10_000 + (2 * START_GAS + START_GAS * 30 / 100) * 20);
    facts.balance_wei = two;
    assert_eq!(exiting(&plan(&facts, &wishes(&[]))), outputs(&[1_000, 2_000]));
    assert_eq!(exiting(&plan(&facts, &wishes(&[(TOKEN, 1)]))), outputs(&[1_000, 3_000]));
}

#[test]
fn what_is_skipped_or_in_a_faulty_block_is_told() {
    let mut facts = facts(&[(1_000, TOKEN, 1), (2_000, TOKEN, 2), (3_000, OTHER, 3)]);
    let txhash = TxHash::repeat_byte(9);
    let faulty = Left {
        source: Source::Output(at(9_000)),
        currency: ETH,
        amount: 5.into(),
        reason: Reason::InFaultyBlock { txhash },
    };
    facts.in_faulty_block.push(faulty.clone());
    let plan = plan(&facts, &Wishes { skipped: [TOKEN].into(), ..merging() });
    assert_eq!(exiting(&plan), outputs(&[3_000]));
    assert!(plan.merges.is_empty());
    assert!(plan.left.contains(&faulty));
    let skipped = plan.left.iter().filter(|left| left.reason == Reason::Skipped);
    assert_eq!(skipped.map(|left| left.source).collect::<Vec<_>>(), [Source::Merged(2)]);
}

prop_compose! {
    fn any_facts()(
        outputs in prop::collection::vec((0_usize..3, 0..COST * 4, 0..PERIOD_S * 3, 0_u8..8), 0..24),
        is_safe: bool,
        balance_wei in 0_u64..200_000_000,
        queue_missing: bool,
    ) -> Facts {
        let mut found = facts(&[]);
        for (number, (currency, amount, age_s, fate)) in (1_u64..).zip(outputs) {
            // Every third is a deposit.
            let at = at(if number % 3 == 0 { number } else { number * 1_000 });
            found.outputs.insert(at, utxo([ETH, TOKEN, OTHER][currency], amount));
            found.block_times_s.insert(at.blknum, NOW_S - age_s);
            match fate {
                0 => drop(found.exiting.insert(at)),
                1 => drop(found.signed_away.insert(at, TxHash::zero())),
                _ => {}
            }
        }
        if queue_missing {
            found.without_queue.insert(TOKEN);
        }
        Facts { is_safe, balance_wei: balance_wei.into(), ..found }
    }
}

proptest! {
    #[test]
    fn every_output_exits_or_stays_for_a_reason(
        facts in any_facts(),
        may_merge: bool,
        as_many_as_possible: bool,
        processes: bool,
    ) {
        let wishes = Wishes { may_merge, as_many_as_possible, processes, ..SINGLY };
        let plan = plan(&facts, &wishes);
        let mut sums = BTreeMap::<Currency, U256>::new();
        for (at, utxo) in &facts.outputs {
            if !facts.exiting.contains(at) {
                *sums.entry(utxo.currency).or_default() += utxo.amount;
            }
        }
        let exits = plan.exits.iter().map(|exit| (exit.source, exit.currency, exit.amount));
        let left = plan.left.iter().map(|left| (left.source, left.currency, left.amount));
        let all: Vec<_> = exits.chain(left).collect();
        let sources: BTreeSet<_> = all.iter().map(|(source, currency, _)| (*source, *currency)).collect();
        prop_assert_eq!(sources.len(), all.len(), "nothing twice");
        for (_, currency, amount) in &all {
            *sums.get_mut(currency).unwrap() -= *amount;
        }
        prop_assert!(sums.values().all(U256::is_zero), "nothing forgotten");

        for exit in &plan.exits {
            if let Source::Output(at) = exit.source {
                prop_assert!(!facts.exiting.contains(&at) && !facts.signed_away.contains_key(&at));
            }
            prop_assert!(exit.currency != ETH || exit.amount > exit.cost_wei);
        }
        prop_assert!(plan.merges.is_empty() || (facts.is_safe && may_merge));
        prop_assert!(!as_many_as_possible || plan.money.missing_wei.is_zero() || plan.exits.is_empty());
        let is_short = |left: &Left| matches!(left.reason, Reason::NotAffordable { .. });
        prop_assert!(as_many_as_possible || !plan.left.iter().any(is_short));
        for pair in plan.exits.windows(2) {
            let [first, second] = pair else { unreachable!() };
            if facts.is_safe {
                prop_assert!(first.currency != second.currency || first.amount >= second.amount);
            } else {
                prop_assert!(first.exitable_at_s <= second.exitable_at_s);
            }
        }
    }
}
