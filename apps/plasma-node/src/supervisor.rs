//! Supervision: any death stops the whole tree, and the whole tree comes back from disk (docs/adr/0003).
//!
//! It must never leave half a tree running or build a new one while a part of the old one can still write. Each actor holds a
//! [`Link`]: dropping it, in whatever way the actor ends, reports the death. Work an actor started elsewhere (a commit on
//! another thread) holds a [`Lease`], and a tree only counts as gone when every lease is. A tree that keeps dying uses up its
//! [`RestartBudget`], and then the process must exit non-zero: something outside has to be looked at.
//!
//! ```text
//! build ─► publish ─► a death, or shutdown ─► unpublish ─► stop all ─► wait until all are gone ─► build …
//! ```

use actix::prelude::*;
use actix::{Arbiter, dev::ToEnvelope};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How long a stopped tree may take to be gone. A commit to a slow disk takes seconds; more means that a thread hangs.
const GONE_MS_MAX: u64 = 60_000;
/// First pause before a rebuild; doubled with each restart inside the window.
const FIRST_PAUSE_MS: u64 = 50;
/// Longest pause before a rebuild.
const PAUSE_MS_MAX: u64 = 5_000;

/// Asks an actor to end in good order.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Stop;

/// Makes an actor panic, as a bug would. Tests and drills prove with it that the tree comes back.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Crash;

/// What every actor of a tree can do. [`supervised!`](crate::supervised) implements the handlers.
pub trait Supervised: Actor<Context = Context<Self>> + Handler<Stop> + Handler<Crash> {}

impl<A> Supervised for A where A: Actor<Context = Context<A>> + Handler<Stop> + Handler<Crash> {}

/// Implements the handlers of [`Stop`] and [`Crash`].
#[macro_export]
macro_rules! supervised {
    ($actor:ty) => {
        impl actix::Handler<$crate::supervisor::Stop> for $actor {
            type Result = ();

            fn handle(&mut self, _: $crate::supervisor::Stop, ctx: &mut Self::Context) {
                actix::ActorContext::terminate(ctx);
            }
        }

        impl actix::Handler<$crate::supervisor::Crash> for $actor {
            type Result = ();

            #[allow(clippy::panic, reason = "a crash is what was asked for")]
            fn handle(&mut self, _: $crate::supervisor::Crash, _: &mut Self::Context) {
                panic!("crashed on request");
            }
        }
    };
}

/// Why supervision ended, other than by a shutdown.
#[derive(Debug, Error)]
pub enum SupervisorError<E> {
    /// The tree cannot be built, and trying again would not help.
    #[error(transparent)]
    Build(E),
    /// The tree died too often.
    #[error(
        "restarted {restarts} times within {window_s} s, giving up; the last cause was: {last}"
    )]
    BudgetExhausted {
        /// Restarts inside the window.
        restarts: usize,
        /// The window.
        window_s: u64,
        /// What ended the tree last.
        last: String,
    },
    /// A part of the old tree still runs, so a new one cannot be trusted.
    #[error("{names} did not stop within {GONE_MS_MAX} ms")]
    StillRunning {
        /// Which parts.
        names: String,
    },
}

/// How often a tree may be rebuilt.
#[derive(Clone, Copy, Debug)]
pub struct RestartBudget {
    /// Restarts allowed inside the window.
    pub restarts_max: usize,
    /// The window, in seconds.
    pub window_s: u64,
}

impl Default for RestartBudget {
    fn default() -> Self {
        Self { restarts_max: 15, window_s: 60 }
    }
}

/// An error of building a tree, and whether trying again can help.
pub trait BuildError: std::error::Error {
    /// Whether the same call may succeed later, as with an L1 node that is away.
    fn is_transient(&self) -> bool;
}

enum Report {
    Died { name: &'static str, reason: String },
    Gone { name: &'static str },
}

/// Keeps the old tree from being replaced as long as it lives.
#[derive(Clone)]
pub struct Lease(#[expect(dead_code, reason = "held for its drop")] Arc<LeaseInner>);

struct LeaseInner {
    name: &'static str,
    reports: mpsc::UnboundedSender<Report>,
}

impl Drop for LeaseInner {
    fn drop(&mut self) {
        // Nobody listens any more when the process is ending.
        let _ = self.reports.send(Report::Gone { name: self.name });
    }
}

/// What ties an actor to its tree: held by the actor, and reporting its end however it comes.
pub struct Link {
    name: &'static str,
    reason: Option<String>,
    reports: mpsc::UnboundedSender<Report>,
    lease: Lease,
}

impl Link {
    /// The actor's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A lease for work that outlives a message.
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Says why the actor is about to end; the supervisor logs it.
    pub fn because(&mut self, reason: impl std::fmt::Display) {
        self.reason = Some(reason.to_string());
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let reason = self.reason.take().unwrap_or_else(|| {
            if std::thread::panicking() {
                "it panicked".to_owned()
            } else {
                "it stopped".to_owned()
            }
        });
        let _ = self.reports.send(Report::Died { name: self.name, reason });
    }
}

/// What a build function starts its actors with.
pub struct Nursery {
    reports: mpsc::UnboundedSender<Report>,
    stops: Vec<Recipient<Stop>>,
    crashes: BTreeMap<&'static str, Recipient<Crash>>,
    arbiters: Vec<Arbiter>,
    alive: BTreeMap<&'static str, usize>,
}

impl Nursery {
    fn new(reports: mpsc::UnboundedSender<Report>) -> Self {
        Self {
            reports,
            stops: Vec::new(),
            crashes: BTreeMap::new(),
            arbiters: Vec::new(),
            alive: BTreeMap::new(),
        }
    }

    fn link(&mut self, name: &'static str) -> Link {
        *self.alive.entry(name).or_default() += 1;
        let lease = Lease(Arc::new(LeaseInner { name, reports: self.reports.clone() }));
        Link { name, reason: None, reports: self.reports.clone(), lease }
    }

    /// Starts an actor on the current thread. `mailbox_max` bounds the messages that wait for it.
    pub fn start<A: Supervised>(
        &mut self,
        name: &'static str,
        mailbox_max: usize,
        make: impl FnOnce(&mut Context<A>, Link) -> A,
    ) -> Addr<A>
    where
        A::Context: ToEnvelope<A, Stop> + ToEnvelope<A, Crash>,
    {
        let link = self.link(name);
        let addr = A::create(|ctx| {
            ctx.set_mailbox_capacity(mailbox_max);
            make(ctx, link)
        });
        self.register(name, &addr);
        addr
    }

    /// Starts an actor on a thread of its own, for work that would keep others waiting.
    pub fn start_on_own_thread<A: Supervised>(
        &mut self,
        name: &'static str,
        mailbox_max: usize,
        make: impl FnOnce(&mut Context<A>, Link) -> A + Send + 'static,
    ) -> Addr<A>
    where
        A::Context: ToEnvelope<A, Stop> + ToEnvelope<A, Crash>,
    {
        let link = self.link(name);
        let arbiter = Arbiter::new();
        let addr = A::start_in_arbiter(&arbiter.handle(), move |ctx| {
            ctx.set_mailbox_capacity(mailbox_max);
            make(ctx, link)
        });
        self.arbiters.push(arbiter);
        self.register(name, &addr);
        addr
    }

    fn register<A: Supervised>(&mut self, name: &'static str, addr: &Addr<A>)
    where
        A::Context: ToEnvelope<A, Stop> + ToEnvelope<A, Crash>,
    {
        self.stops.push(addr.clone().recipient());
        self.crashes.insert(name, addr.clone().recipient());
    }

    /// Stops everything and waits until the last lease is dropped.
    async fn stop(self, reports: &mut mpsc::UnboundedReceiver<Report>) -> Result<(), String> {
        let Self { reports: sender, stops, crashes, arbiters, mut alive } = self;
        drop((sender, crashes));
        for stop in stops {
            stop.do_send(Stop);
        }
        let deadline = Instant::now() + Duration::from_millis(GONE_MS_MAX);
        while !alive.is_empty() {
            match tokio::time::timeout_at(deadline, reports.recv()).await {
                Ok(Some(Report::Gone { name })) => forget(&mut alive, name),
                Ok(Some(Report::Died { .. })) => {}
                Ok(None) | Err(_) => {
                    return Err(alive.keys().copied().collect::<Vec<_>>().join(", "));
                }
            }
        }
        for arbiter in arbiters {
            arbiter.stop();
        }
        Ok(())
    }
}

fn forget(alive: &mut BTreeMap<&'static str, usize>, name: &'static str) {
    if let Some(count) = alive.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            alive.remove(name);
        }
    }
}

/// The running tree as others see it: its handles while it runs, `None` while it is being rebuilt.
#[derive(Debug)]
pub struct Published<T>(watch::Receiver<Option<Running<T>>>);

impl<T> Clone for Published<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Where a supervisor publishes its tree.
#[derive(Debug)]
pub struct Publisher<T>(watch::Sender<Option<Running<T>>>);

#[derive(Debug)]
struct Running<T> {
    handles: T,
    crashes: BTreeMap<&'static str, Recipient<Crash>>,
}

impl<T: Clone> Published<T> {
    /// The handles, when the tree runs.
    pub fn get(&self) -> Option<T> {
        self.0.borrow().as_ref().map(|running| running.handles.clone())
    }

    /// The handles, as soon as the tree runs. `None` when it never will again.
    pub async fn wait(&mut self) -> Option<T> {
        let running = self.0.wait_for(Option::is_some).await.ok()?;
        running.as_ref().map(|running| running.handles.clone())
    }

    /// Waits until the tree that runs now is gone.
    pub async fn wait_down(&mut self) {
        // An error means that supervision ended, so the tree is gone too.
        let _ = self.0.wait_for(Option::is_none).await;
    }

    /// Names of the running actors.
    pub fn actors(&self) -> Vec<&'static str> {
        self.0
            .borrow()
            .as_ref()
            .map_or_else(Vec::new, |running| running.crashes.keys().copied().collect())
    }

    /// Makes one actor panic. Returns whether it was there.
    pub fn crash(&self, name: &str) -> bool {
        let running = self.0.borrow();
        let crash = running.as_ref().and_then(|running| running.crashes.get(name));
        crash.map(|crash| crash.do_send(Crash)).is_some()
    }
}

/// Runs a tree until `shutdown` completes, rebuilding it after every death.
///
/// # Errors
/// [`SupervisorError`], when a rebuild cannot help or was tried too often. The tree is stopped then.
pub async fn supervise<T, E: BuildError>(
    mut build: impl AsyncFnMut(&mut Nursery) -> Result<T, E>,
    publish: Publisher<T>,
    budget: RestartBudget,
    shutdown: impl Future<Output = ()>,
) -> Result<(), SupervisorError<E>> {
    let mut restarts = VecDeque::<Instant>::new();
    tokio::pin!(shutdown);
    loop {
        let (sender, mut reports) = mpsc::unbounded_channel();
        let mut nursery = Nursery::new(sender);
        let built = tokio::select! {
            built = build(&mut nursery) => built,
            () = &mut shutdown => return stop(nursery, &mut reports).await,
        };
        let cause = match built {
            Ok(handles) => {
                publish.0.send_replace(Some(Running { handles, crashes: nursery.crashes.clone() }));
                let death = tokio::select! {
                    death = first_death(&mut reports, &mut nursery.alive) => Some(death),
                    () = &mut shutdown => None,
                };
                publish.0.send_replace(None);
                match death {
                    Some(cause) => cause,
                    None => return stop(nursery, &mut reports).await,
                }
            }
            Err(error) if error.is_transient() => error.to_string(),
            Err(error) => {
                stop(nursery, &mut reports).await?;
                return Err(SupervisorError::Build(error));
            }
        };
        tracing::error!(%cause, "the tree died; rebuilding it from disk");
        stop(nursery, &mut reports).await?;
        let pause = spend(&mut restarts, budget, cause)?;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = &mut shutdown => return Ok(()),
        }
    }
}

/// A channel to publish trees on, and the readers' end.
pub fn publisher<T>() -> (Publisher<T>, Published<T>) {
    let (sender, receiver) = watch::channel(None);
    (Publisher(sender), Published(receiver))
}

async fn stop<E>(
    nursery: Nursery,
    reports: &mut mpsc::UnboundedReceiver<Report>,
) -> Result<(), SupervisorError<E>> {
    nursery.stop(reports).await.map_err(|names| SupervisorError::StillRunning { names })
}

async fn first_death(
    reports: &mut mpsc::UnboundedReceiver<Report>,
    alive: &mut BTreeMap<&'static str, usize>,
) -> String {
    loop {
        match reports.recv().await {
            Some(Report::Died { name, reason }) => return format!("{name}: {reason}"),
            Some(Report::Gone { name }) => forget(alive, name),
            None => return "no actor was started".to_owned(),
        }
    }
}

/// Takes one restart out of the budget and says how long to pause before it.
fn spend<E>(
    restarts: &mut VecDeque<Instant>,
    budget: RestartBudget,
    last: String,
) -> Result<Duration, SupervisorError<E>> {
    let now = Instant::now();
    let window = Duration::from_secs(budget.window_s);
    while restarts.front().is_some_and(|at| now.duration_since(*at) >= window) {
        restarts.pop_front();
    }
    if restarts.len() >= budget.restarts_max {
        return Err(SupervisorError::BudgetExhausted {
            restarts: restarts.len(),
            window_s: budget.window_s,
            last,
        });
    }
    let doublings = u32::try_from(restarts.len()).unwrap_or(u32::MAX).min(16);
    restarts.push_back(now);
    Ok(Duration::from_millis((FIRST_PAUSE_MS << doublings).min(PAUSE_MS_MAX)))
}
