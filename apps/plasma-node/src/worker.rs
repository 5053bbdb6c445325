//! An actor that runs one task for as long as its tree lives: a loop that watches the outside world.
//!
//! It must never end by itself: the task's only way out is an error, which ends the tree. When the tree stops, the task is
//! dropped where it waits.

use crate::supervisor::{Lease, Link, Nursery};
use actix::fut::wrap_future;
use actix::prelude::*;
use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;

/// A worker has no messages but those of the supervisor.
const MAILBOX_MAX: usize = 16;

/// See the module.
pub struct Worker {
    link: Link,
}

impl Worker {
    /// Starts a task on the current thread. An `Err` is why the tree has to be rebuilt; whatever passes by itself (a node that
    /// is away) belongs into the task's own loop.
    pub fn start<E: Display + 'static>(
        name: &'static str,
        nursery: &mut Nursery,
        task: impl Future<Output = Result<Infallible, E>> + 'static,
    ) {
        Self::start_with_lease(name, nursery, |_| task);
    }

    /// The same for a task that writes on other threads: whatever writes has to hold a clone of the lease, for a write that was
    /// begun goes on when the task is dropped.
    pub fn start_with_lease<E: Display + 'static, T>(
        name: &'static str,
        nursery: &mut Nursery,
        task: impl FnOnce(Lease) -> T,
    ) where
        T: Future<Output = Result<Infallible, E>> + 'static,
    {
        nursery.start(name, MAILBOX_MAX, |ctx, link| {
            ctx.spawn(wrap_future::<_, Self>(task(link.lease())).map(|ended, worker, ctx| {
                let Err(reason) = ended;
                worker.link.because(reason);
                ctx.terminate();
            }));
            Self { link }
        });
    }
}

impl Actor for Worker {
    type Context = Context<Self>;
}

crate::supervised!(Worker);
