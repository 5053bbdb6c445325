//! How many bytes clients make the server hold, counted: request bodies while they are read and worked on, and answers until
//! they are written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The count of one server. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    used: Arc<AtomicUsize>,
    len_max: usize,
}

/// Counted bytes; dropping it gives them back.
#[derive(Debug)]
pub(super) struct Charge {
    memory: Memory,
    len: usize,
}

/// The limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemoryFull;

impl Memory {
    pub(super) fn new(len_max: usize) -> Self {
        Self { used: Arc::default(), len_max }
    }

    /// Counts bytes that cannot be refused, over the limit if need be. Everything else is refused until they are given back.
    pub(super) fn charge(&self, len: usize) -> Charge {
        self.used.fetch_add(len, Ordering::Relaxed);
        Charge { memory: self.clone(), len }
    }
}

impl Charge {
    /// Counts more bytes, if there is room.
    pub(super) fn grow(&mut self, len: usize) -> Result<(), MemoryFull> {
        let before = self.memory.used.fetch_add(len, Ordering::Relaxed);
        if before.saturating_add(len) > self.memory.len_max {
            self.memory.used.fetch_sub(len, Ordering::Relaxed);
            return Err(MemoryFull);
        }
        self.len = self.len.saturating_add(len);
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.len, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back() {
        let memory = Memory::new(10);
        let mut request = memory.charge(0);
        assert_eq!(request.grow(10), Ok(()));
        assert_eq!(request.grow(1), Err(MemoryFull));
        drop(request);
        assert_eq!(memory.charge(0).grow(10), Ok(()));
    }

    #[test]
    fn an_answer_over_the_limit_keeps_new_bytes_out_until_it_is_written() {
        let memory = Memory::new(10);
        let answer = memory.charge(11);
        assert_eq!(memory.charge(0).grow(1), Err(MemoryFull));
        drop(answer);
        assert_eq!(memory.charge(0).grow(1), Ok(()));
    }
}
