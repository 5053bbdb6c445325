//! The one pattern of both nodes, as an actor: decide → commit → tell (architecture section 4, docs/adr/0002).
//!
//! A [`CoreActor`] owns a state machine of `plasma-core` and the right to commit what it decides. It must never tell anybody
//! anything that is not on disk, and never commit out of order. Decisions made while a commit is on its way join the next one, so
//! many of them share one fsync (group commit).
//!
//! ```text
//! decide (memory) ──► updates + replies queue up ──► one durable commit at a time ──► replies go out
//! ```
//! A failed commit ends the actor, and with it the tree: memory is ahead of disk then, so memory is wrong.

use crate::supervisor::{Crash, Link, Nursery, Stop};
use actix::prelude::*;
use plasma_core::db_update::DbUpdate;
use plasma_store::{Store, StoreError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use thiserror::Error;
use tokio::sync::oneshot;

/// Most updates that wait for a commit before more decisions are refused: about three full blocks.
const QUEUED_UPDATES_MAX: usize = 1_000_000;
/// Most decisions that wait for everything before them to be on disk.
const WAITING_DECISIONS_MAX: usize = 10_000;
/// Most messages in an actor's mailbox.
const MAILBOX_MAX: usize = 10_000;

/// A state machine that such an actor can own.
pub trait Core: Send + Unpin + 'static {
    /// Appends what has to be written once per commit rather than once per decision.
    fn complete_batch(&self, _updates: &mut Vec<DbUpdate>) {}
}

/// A decision: what to write, and what to tell once it is written.
struct Decision {
    updates: Vec<DbUpdate>,
    tell: Tell,
}

type Tell = Box<dyn FnOnce() + Send>;
type Decide<C> = Box<dyn FnOnce(&mut C, &Store) -> Result<Decision, Fatal> + Send>;

/// Why a core cannot go on: the disk is gone, or memory is not what is on it. The tree is rebuilt from disk then.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Fatal(String);

impl Fatal {
    /// Says what is wrong.
    pub fn new(cause: impl std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

impl From<StoreError> for Fatal {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}

/// When a decision may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// At once, on top of decisions that are not on disk yet.
    Pipelined,
    /// When everything decided before is on disk; what arrives meanwhile waits behind it.
    AfterAll,
}

/// Why a request to a core was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unanswered {
    /// Too much is waiting already. Nothing was done: try again a little later.
    #[error("the node is busy: nothing was done, try again in a moment")]
    Overloaded,
    /// The tree is restarting. What was asked may or may not have been done.
    #[error("the node is restarting: look up what became of the request before repeating it")]
    Restarting,
}

/// Owns a core and commits what it decides.
pub struct CoreActor<C: Core> {
    core: C,
    store: Store,
    link: Link,
    /// Decisions that wait for their turn: the first of them needs everything before it on disk.
    waiting: VecDeque<Ask<C>>,
    updates: Vec<DbUpdate>,
    tells: Vec<Tell>,
    committing: bool,
    load: Arc<Load>,
}

/// How much waits, for those who ask: a refusal costs them nothing and the actor nothing.
#[derive(Debug, Default)]
struct Load {
    updates: AtomicUsize,
    waiting: AtomicUsize,
}

impl Load {
    fn set(&self, updates: usize, waiting: usize) {
        self.updates.store(updates, Ordering::Relaxed);
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    fn is_too_high(&self) -> bool {
        self.updates.load(Ordering::Relaxed) > QUEUED_UPDATES_MAX
            || self.waiting.load(Ordering::Relaxed) > WAITING_DECISIONS_MAX
    }
}

/// Asks for a decision; sent through a [`CoreHandle`].
#[derive(Message)]
#[rtype(result = "()")]
struct Ask<C> {
    order: Order,
    decide: Decide<C>,
}

impl<C: Core> CoreActor<C> {
    /// Starts an actor on a thread of its own, around a core that was restored from this store.
    pub fn start(
        name: &'static str,
        core: C,
        store: Store,
        nursery: &mut Nursery,
    ) -> CoreHandle<C> {
        let load = Arc::<Load>::default();
        let shared = load.clone();
        let addr = nursery.start_on_own_thread(name, MAILBOX_MAX, move |_, link| Self {
            core,
            store,
            link,
            waiting: VecDeque::new(),
            updates: Vec::new(),
            tells: Vec::new(),
            committing: false,
            load: shared,
        });
        CoreHandle { addr, load }
    }

    fn is_idle(&self) -> bool {
        !self.committing && self.updates.is_empty() && self.tells.is_empty()
    }

    /// Makes every decision whose turn it is, and starts a commit if there is something to write.
    fn proceed(&mut self, ctx: &mut Context<Self>) {
        loop {
            if let Err(error) = self.decide_all() {
                return self.die(error, ctx);
            }
            if self.committing || self.is_idle() {
                break;
            }
            let tells = std::mem::take(&mut self.tells);
            if !self.updates.is_empty() {
                self.commit(tells, ctx);
                break;
            }
            // Nothing is on its way to disk, so what these decisions saw is there.
            tells.into_iter().for_each(|tell| tell());
        }
        self.load.set(self.updates.len(), self.waiting.len());
    }

    fn decide_all(&mut self) -> Result<(), Fatal> {
        while let Some(ask) = self.waiting.front() {
            if ask.order == Order::AfterAll && !self.is_idle() {
                break;
            }
            let Some(ask) = self.waiting.pop_front() else {
                break;
            };
            let decision = (ask.decide)(&mut self.core, &self.store)?;
            if self.updates.is_empty() {
                self.updates = decision.updates; // a whole block, sometimes: not to be copied
            } else {
                self.updates.extend(decision.updates);
            }
            self.tells.push(decision.tell);
        }
        Ok(())
    }

    fn commit(&mut self, tells: Vec<Tell>, ctx: &mut Context<Self>) {
        let mut updates = std::mem::take(&mut self.updates);
        self.core.complete_batch(&mut updates);
        self.committing = true;
        let (store, lease) = (self.store.clone(), self.link.lease());
        let written = tokio::task::spawn_blocking(move || {
            let result = store.commit(&updates);
            drop(lease);
            result
        });
        ctx.spawn(written.into_actor(self).map(move |written, actor, ctx| {
            actor.committing = false;
            match written {
                Ok(Ok(())) => {
                    tells.into_iter().for_each(|tell| tell());
                    actor.proceed(ctx);
                }
                Ok(Err(error)) => actor.die(error, ctx),
                Err(error) => actor.die(error, ctx),
            }
        }));
    }

    fn die(&mut self, error: impl std::fmt::Display, ctx: &mut Context<Self>) {
        self.link.because(error);
        ctx.terminate();
    }
}

impl<C: Core> Actor for CoreActor<C> {
    type Context = Context<Self>;
}

impl<C: Core> Handler<Ask<C>> for CoreActor<C> {
    type Result = ();

    fn handle(&mut self, ask: Ask<C>, ctx: &mut Self::Context) {
        self.waiting.push_back(ask);
        self.proceed(ctx);
    }
}

impl<C: Core> Handler<Stop> for CoreActor<C> {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.terminate();
    }
}

impl<C: Core> Handler<Crash> for CoreActor<C> {
    type Result = ();

    #[expect(clippy::panic, reason = "a crash is what was asked for")]
    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("crashed on request");
    }
}

/// Talks to a [`CoreActor`].
pub struct CoreHandle<C: Core> {
    addr: Addr<CoreActor<C>>,
    load: Arc<Load>,
}

impl<C: Core> Clone for CoreHandle<C> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), load: self.load.clone() }
    }
}

impl<C: Core> std::fmt::Debug for CoreHandle<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.load.fmt(f)
    }
}

impl<C: Core> CoreHandle<C> {
    /// Lets the core decide, and answers when what it decided is on disk.
    ///
    /// # Errors
    /// [`Unanswered::Overloaded`] when too much waits: nothing was done.
    ///
    /// # After a restart
    /// [`Unanswered::Restarting`] when the tree ended before the answer: the decision may or may not be on disk.
    pub async fn decide<R: Send + 'static>(
        &self,
        order: Order,
        decide: impl FnOnce(&mut C, &Store) -> Result<(R, Vec<DbUpdate>), Fatal> + Send + 'static,
    ) -> Result<R, Unanswered> {
        if self.load.is_too_high() {
            return Err(Unanswered::Overloaded);
        }
        let (reply, answer) = oneshot::channel();
        let decide: Decide<C> = Box::new(move |core, store| {
            let (result, updates) = decide(core, store)?;
            // Whoever asked may have gone; the decision stands all the same.
            Ok(Decision { updates, tell: Box::new(move || drop(reply.send(result))) })
        });
        self.addr.try_send(Ask { order, decide }).map_err(|error| match error {
            SendError::Full(_) => Unanswered::Overloaded,
            SendError::Closed(_) => Unanswered::Restarting,
        })?;
        answer.await.map_err(|_| Unanswered::Restarting)
    }
}
