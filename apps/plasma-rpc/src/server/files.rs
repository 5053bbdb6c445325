//! How many WebSockets all servers of this process may have open together: each takes a handle, and a store that cannot open its files
//! is worse than a subscriber who has to come back.

use rustix::process::{Resource, getrlimit};
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;

/// Handles that are left to stores, HTTP connections and everything else; half of them where there are few.
const RESERVED_FILES: usize = 2_048;

/// Room for WebSockets, counted once from the limit of the process.
pub(super) fn websockets_of_process() -> Arc<Semaphore> {
    static ROOM: OnceLock<Arc<Semaphore>> = OnceLock::new();
    Arc::clone(ROOM.get_or_init(|| {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        Arc::new(Semaphore::new(room(files)))
    }))
}

fn room(files: usize) -> usize {
    files.saturating_sub(RESERVED_FILES.min(files / 2)).min(Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_and_calls_always_have_handles_left() {
        for (files, expected) in
            [(1_024, 512), (4_096, 2_048), (20_000, 17_952), (usize::MAX, Semaphore::MAX_PERMITS)]
        {
            assert_eq!(room(files), expected, "{files}");
        }
    }
}
