//! Watches how much of the machine's memory is in use, and raises an alarm before the system starts to kill (protocol 4.7).
//!
//! Linux only: it reads `/proc/meminfo`. Where there is none, nothing is known and nothing is raised.

use crate::alarms::{Alarm, Alarms};
use crate::supervisor::Nursery;
use crate::worker::Worker;
use std::convert::Infallible;
use std::time::Duration;

/// Pause between two looks.
const POLL_MS: u64 = 10_000;
/// Used memory at which the alarm is raised, in percent of all memory.
const USED_PERCENT_ALARM: u64 = 80;

/// Starts watching.
pub fn start_memory_monitor(alarms: Alarms, nursery: &mut Nursery) {
    Worker::start("memory_monitor", nursery, run(alarms));
}

async fn run(alarms: Alarms) -> Result<Infallible, Infallible> {
    loop {
        if let Ok(text) = tokio::fs::read_to_string("/proc/meminfo").await {
            let used = used_percent(&text);
            alarms.set(
                Alarm::SystemMemoryTooHigh,
                used.is_some_and(|used| used >= USED_PERCENT_ALARM),
            );
        }
        tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
    }
}

/// What programs cannot get any more, in percent; caches that would make way count as free.
fn used_percent(meminfo: &str) -> Option<u64> {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let (total, available) = (field("MemTotal")?, field("MemAvailable")?);
    total.saturating_sub(available).saturating_mul(100).checked_div(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_memory_is_what_is_not_available() {
        let check = |text: &str, expected| assert_eq!(used_percent(text), expected, "{text}");
        check("MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  200 kB\n", Some(80));
        check("MemTotal:  1000 kB\nMemAvailable:  1001 kB\n", Some(0));
        check("MemTotal:  0 kB\nMemAvailable:  0 kB\n", None);
        check("MemTotal:  many kB\nMemAvailable:  0 kB\n", None);
        check("", None);
    }
}
