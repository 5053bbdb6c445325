//! How many files and sockets this process may have open: as many as the system lets it.
//!
//! Shells start programs with a low limit, for the sake of very old ones. A node needs a handle for each subscriber and each file of
//! its store.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as that is allowed. Where it is not, everything works with fewer connections.
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // A process that may not do so keeps the limit it has.
    let _ = setrlimit(Resource::Nofile, limit);
}
