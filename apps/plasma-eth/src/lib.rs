//! The root chain: the RootChain port in core types, its ethers implementation, and a deterministic fake.
