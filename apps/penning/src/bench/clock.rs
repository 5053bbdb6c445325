//! Time on the wall and on the processors.

use super::machine::processor_s;
use std::time::{Duration, Instant};

/// How fast something went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Throughput {
    /// How many in a second.
    pub(super) per_s: f64,
    /// Processor time for each, on all cores together, in microseconds. Other processes do not add to it, though they slow it down.
    pub(super) processor_us: f64,
}

/// Runs while something is measured.
pub(super) struct Clock {
    started: Instant,
    processor_s: f64,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { processor_s: processor_s(), started: Instant::now() }
    }

    /// So many were done.
    pub(super) fn stop(self, count: usize) -> Throughput {
        let mut spent = Spent::default();
        spent.add(self, count);
        spent.throughput()
    }
}

/// What several measurements of the same kind took together.
#[derive(Default)]
pub(super) struct Spent {
    count: usize,
    elapsed: Duration,
    processor_s: f64,
}

impl Spent {
    /// So many more were done while this clock ran.
    pub(super) fn add(&mut self, clock: Clock, count: usize) {
        self.elapsed += clock.started.elapsed();
        self.processor_s += processor_s() - clock.processor_s;
        self.count += count;
    }

    pub(super) fn throughput(&self) -> Throughput {
        let taken_us = 1_000_000.0 * self.processor_s;
        Throughput {
            per_s: per_s(self.count, self.elapsed),
            processor_us: taken_us / number(self.count).max(1.0),
        }
    }
}

/// How many in a second.
pub(super) fn per_s(count: usize, elapsed: Duration) -> f64 {
    number(count) / elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
