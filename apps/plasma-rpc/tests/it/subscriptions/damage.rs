//! A topic that cannot be read: nobody else waits for it, and whoever follows it hears of it when it is of no use to wait.

use super::{Teller, subscriber, teller};
use crate::raw::soon;
use plasma_core::journal::Topic;
use plasma_rpc::server::EventLogError;
use std::sync::atomic::Ordering;

fn damage(teller: &Teller, error: Option<EventLogError>) {
    *teller.log.damage.lock().unwrap() = error.map(|error| (Topic::Exits, error));
}

fn failures(teller: &Teller) -> usize {
    teller.log.failures.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_topic_that_cannot_be_read_now_keeps_nobody_else_waiting() {
    let teller = teller().await;
    let mut exits = subscriber(&teller, r#"["exits"]"#).await;
    let mut blocks = subscriber(&teller, r#"["blocks"]"#).await;
    damage(&teller, Some(EventLogError::Transient("the disk is busy".into())));
    teller.log.append(Topic::Exits, "{}", 1);
    soon(async {
        while failures(&teller) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // With a pause for each, this would last minutes; so would those who subscribe meanwhile.
    soon(async {
        for sequence in 1..=100_u64 {
            teller.log.append_blocks(1);
            blocks.expect([sequence]).await;
            if sequence % 10 == 0 {
                let account = format!(r#"["transfer:0x{sequence:040x}",{{"sequence":1}}]"#);
                subscriber(&teller, &account).await;
            }
        }
    })
    .await;
    // It is looked at again without anything happening.
    damage(&teller, None);
    exits.expect([1]).await;
}

#[tokio::test]
async fn a_topic_that_needs_repair_ends_its_subscriptions_and_is_left_alone_until_it_is_wanted() {
    let teller = teller().await;
    let mut exits = subscriber(&teller, r#"["exits"]"#).await;
    let mut blocks = subscriber(&teller, r#"["blocks"]"#).await;
    teller.log.append(Topic::Exits, "{}", 1);
    exits.expect([1]).await;
    damage(&teller, Some(EventLogError::Permanent("a block of the disk is gone".into())));
    teller.log.append(Topic::Exits, "{}", 1);
    let told = exits.next().await;
    assert_eq!(told["error"]["code"], "subscription:events_unavailable");
    assert_eq!(told["error"]["messages"]["next"], 2);
    let before = failures(&teller);
    for sequence in 1..=20 {
        teller.log.append_blocks(1);
        blocks.expect([sequence]).await;
    }
    assert_eq!(failures(&teller), before);
    damage(&teller, None);
    let mut again = subscriber(&teller, r#"["exits",{"sequence":2}]"#).await;
    again.expect([2]).await;
    teller.log.append(Topic::Exits, "{}", 1);
    again.expect([3]).await;
}
