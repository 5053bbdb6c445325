//! Any death stops the whole tree, and the whole tree comes back; a tree that keeps dying ends supervision.

use plasma_node::supervisor::{
    BuildError, Lease, Nursery, Published, RestartBudget, SupervisorError, publisher, supervise,
};
use plasma_node::worker::Worker;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::oneshot;

#[derive(Debug, Error, Clone, Copy)]
#[error("no luck")]
struct NoLuck {
    transient: bool,
}

impl BuildError for NoLuck {
    fn is_transient(&self) -> bool {
        self.transient
    }
}

const BUDGET: RestartBudget = RestartBudget { restarts_max: 3, window_s: 600 };

async fn idle() -> Result<Infallible, Infallible> {
    pending().await
}

fn two_workers(nursery: &mut Nursery) {
    Worker::start("one", nursery, idle());
    Worker::start("two", nursery, idle());
}

/// Supervises trees that number themselves, while `act` watches.
async fn supervised<A>(
    mut build: impl FnMut(&mut Nursery, u32) -> Result<(), NoLuck>,
    act: impl AsyncFnOnce(Published<u32>) -> A,
) -> (Result<(), SupervisorError<NoLuck>>, A) {
    let (publish, published) = publisher();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut built = 0;
    let build = async |nursery: &mut Nursery| {
        built += 1;
        build(nursery, built).map(|()| built)
    };
    let shutdown = async {
        // A dropped sender is a shutdown as well.
        let _ = stopped.await;
    };
    let acting = async {
        let result = act(published).await;
        drop(stop);
        result
    };
    tokio::join!(supervise(build, publish, BUDGET, shutdown), acting)
}

#[actix::test]
async fn a_crash_of_any_actor_rebuilds_all_of_them() {
    let build = |nursery: &mut Nursery, _| {
        two_workers(nursery);
        Ok(())
    };
    let (ended, ()) = supervised(build, async |mut tree| {
        for (name, expected) in [("one", 1), ("two", 2)] {
            assert_eq!(tree.wait().await, Some(expected));
            assert_eq!(tree.actors(), ["one", "two"]);
            assert!(tree.crash(name) && !tree.crash("three"));
            tree.wait_down().await;
        }
        assert_eq!(tree.wait().await, Some(3));
    })
    .await;
    ended.unwrap();
}

#[actix::test]
async fn a_worker_that_ends_takes_the_tree_with_it() {
    let build = |nursery: &mut Nursery, built| {
        two_workers(nursery);
        if built == 1 {
            Worker::start("three", nursery, async { Err::<Infallible, _>("its disk is full") });
        }
        Ok(())
    };
    let (ended, built) = supervised(build, async |mut tree| {
        loop {
            let built = tree.wait().await.unwrap();
            if built == 2 {
                break built;
            }
            tree.wait_down().await;
        }
    })
    .await;
    ended.unwrap();
    assert_eq!(built, 2);
}

#[actix::test]
async fn a_tree_is_not_replaced_while_a_part_of_it_can_still_write() {
    let guards = Rc::new(RefCell::new(Vec::<Lease>::new()));
    let kept = guards.clone();
    let build = move |nursery: &mut Nursery, _| {
        nursery.start("writer", 1, |_, link| {
            kept.borrow_mut().push(link.lease());
            Writer(link)
        });
        Ok(())
    };
    let (ended, ()) = supervised(build, async |mut tree| {
        tree.wait().await.unwrap();
        tree.crash("writer");
        tree.wait_down().await;
        let early = tokio::time::timeout(Duration::from_millis(300), tree.wait()).await;
        assert!(early.is_err(), "rebuilt while a commit was running");
        guards.borrow_mut().clear();
        assert_eq!(tree.wait().await, Some(2));
        guards.borrow_mut().clear();
    })
    .await;
    ended.unwrap();
}

struct Writer(#[expect(dead_code, reason = "reports the death")] plasma_node::supervisor::Link);

impl actix::Actor for Writer {
    type Context = actix::Context<Self>;
}

plasma_node::supervised!(Writer);

#[actix::test]
async fn a_tree_that_keeps_dying_ends_supervision_and_says_why() {
    let build = |nursery: &mut Nursery, _| {
        Worker::start("doomed", nursery, async { Err::<Infallible, _>("the disk is full") });
        Ok(())
    };
    let (ended, ()) = supervised(build, async |mut tree| {
        // Until no tree will ever run again.
        while tree.wait().await.is_some() {
            tree.wait_down().await;
        }
    })
    .await;
    let error = ended.unwrap_err().to_string();
    assert_eq!(
        error,
        "restarted 3 times within 600 s, giving up; the last cause was: doomed: the disk is full"
    );
}

#[actix::test]
async fn a_build_is_tried_again_only_if_that_can_help() {
    for (transient, tries) in [(true, 4), (false, 1)] {
        let tried = Rc::new(Cell::new(0));
        let count = tried.clone();
        let build = move |_: &mut Nursery, built| {
            count.set(built);
            Err(NoLuck { transient })
        };
        let (ended, ()) = supervised(build, async |mut tree| {
            tree.wait().await;
        })
        .await;
        assert!(ended.is_err());
        assert_eq!(tried.get(), tries, "transient: {transient}");
    }
}
