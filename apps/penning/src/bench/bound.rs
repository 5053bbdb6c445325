//! The bound: signature recoveries on all cores, and nothing else.

use super::clock::{Clock, Throughput};
use plasma_core::wire::{Address, H256, SecretKey, Signature, keccak256};
use rayon::prelude::*;

/// Different signatures, so that no branch predictor learns them by heart.
const SIGNATURES: u64 = 4_096;

/// Signatures to recover again and again.
pub(super) struct Bound {
    signed: Vec<(H256, Signature, Address)>,
}

impl Bound {
    /// Signs them.
    pub(super) fn prepare(keys: &[SecretKey]) -> Self {
        let sign = |(number, key): (u64, &SecretKey)| {
            let digest = keccak256(&number.to_be_bytes());
            (digest, key.sign(digest), key.address())
        };
        Self { signed: (0..SIGNATURES).zip(keys.iter().cycle()).map(sign).collect() }
    }

    /// Recovers `count` signers with all cores.
    ///
    /// # Errors
    /// A signature that recovers to somebody else, which would make the number worthless.
    pub(super) fn measure(&self, count: usize) -> anyhow::Result<Throughput> {
        let clock = Clock::start();
        let right = (0..count).into_par_iter().filter(|index| {
            self.signed.get(index % self.signed.len().max(1)).is_some_and(
                |(digest, signature, signer)| signature.recover(*digest) == Ok(*signer),
            )
        });
        let right = right.count();
        let throughput = clock.stop(count);
        anyhow::ensure!(right == count, "{} signatures recover to nobody", count - right);
        Ok(throughput)
    }
}
