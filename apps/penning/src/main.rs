//! The one binary: devnet, child-chain, watcher, wallet, contracts.

fn main() {}
