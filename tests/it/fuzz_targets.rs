//! What the fuzz targets check, on mutated valid inputs: part of the ordinary tests, where nobody runs a fuzzer.

use plasma_tests::decoders::{self, Decoder};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_decoder_accepts_its_seeds_and_bears_an_empty_input() {
    for decoder in decoders::all() {
        let seeds = (decoder.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", decoder.name);
        for seed in seeds {
            let accepted = (decoder.check)(&seed);
            assert!(accepted, "{}: {}", decoder.name, String::from_utf8_lossy(&seed));
        }
        (decoder.check)(&[]);
    }
}

#[test]
fn every_decoder_has_a_fuzz_target_and_no_target_is_left_over() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let named: BTreeSet<String> = manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|bin| bin.split('"').nth(1).map(str::to_owned))
        .collect();
    let targets: BTreeSet<String> = std::fs::read_dir(folder.join("fuzz_targets"))
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let decoders: BTreeSet<String> =
        decoders::all().map(|decoder| decoder.name.to_owned()).collect();
    assert_eq!(targets, decoders);
    assert_eq!(named, decoders);
}

/// One change to an input.
#[derive(Clone, Debug)]
enum Mutation {
    Set(Index, u8),
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// Another seed's tail.
    Splice(Index, Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    // Bytes that mean something in RLP, in JSON or at the edge of a number.
    let byte = || {
        prop_oneof![
            any::<u8>(),
            prop::sample::select(&b"\x00\x01\x7f\x80\xb8\xc0\xf8\xff\"{}[]:,.-0e\\xu"[..])
        ]
    };
    prop_oneof![
        (at(), byte()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (at(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        at().prop_map(Mutation::Cut),
        (at(), prop::collection::vec(byte(), 1..9)).prop_map(|(at, new)| Mutation::Insert(at, new)),
        (at(), 1..40_usize).prop_map(|(at, len)| Mutation::Remove(at, len)),
        (at(), 1..80_usize).prop_map(|(at, len)| Mutation::Repeat(at, len)),
        (at(), at(), at()).prop_map(|(at, seed, from)| Mutation::Splice(at, seed, from)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation, seeds: &[Vec<u8>]) {
    if bytes.is_empty() {
        return;
    }
    match mutation {
        Mutation::Set(at, byte) => *at.get_mut(bytes) = *byte,
        Mutation::Flip(at, bit) => *at.get_mut(bytes) ^= 1 << bit,
        Mutation::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Mutation::Insert(at, new) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, new.iter().copied());
        }
        Mutation::Remove(at, len) => {
            let start = at.index(bytes.len());
            bytes.drain(start..bytes.len().min(start + len));
        }
        Mutation::Repeat(at, len) => {
            let start = at.index(bytes.len());
            bytes.extend_from_within(start..bytes.len().min(start + len));
        }
        Mutation::Splice(at, seed, from) => {
            let seed = seed.get(seeds);
            bytes.truncate(at.index(bytes.len()));
            bytes.extend(&seed[from.index(seed.len())..]);
        }
    }
}

fn attack(decoder: &'static Decoder) {
    let seeds = (decoder.seeds)();
    let mutations = prop::collection::vec(mutation(), 1..5);
    proptest!(|(seed: Index, mutations in mutations, raw in prop::collection::vec(any::<u8>(), 0..80))| {
        let mut bytes = seed.get(&seeds).clone();
        for mutation in &mutations {
            mutate(&mut bytes, mutation, &seeds);
        }
        (decoder.check)(&bytes);
        (decoder.check)(&raw);
    });
}

#[test]
fn no_mutation_of_a_valid_transaction_position_proof_or_fee_file_breaks_its_decoder() {
    decoders::wire::DECODERS.iter().for_each(attack);
}

#[test]
fn no_mutation_of_a_valid_request_or_answer_breaks_its_decoder() {
    decoders::rpc::DECODERS.iter().for_each(attack);
}

#[test]
fn no_mutation_of_a_valid_file_or_url_breaks_its_decoder() {
    decoders::eth::DECODERS.iter().for_each(attack);
}
