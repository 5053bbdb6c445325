//! The operator's node: takes payments, forms blocks of them, and submits the roots (architecture section 3).
//!
//! It contains no rule of the protocol (invariant I7). A transaction is on disk before it is acknowledged, and a root is submitted
//! only after its block can be served.
//!
//! - [`Node`]: port, actors, shutdown. [`ChildChainConfig`]: what an operator can set.
//! - [`tree`]: the actors. `api`: the methods. `block_queue`, `fee_server`, `blocks`, `sinks`: one shell each.

mod api;
mod block_queue;
mod blocks;
mod config;
mod fee_server;
mod node;
mod sinks;
pub mod tree;

pub use block_queue::BlockQueueError;
pub use config::ChildChainConfig;
pub use fee_server::{FeeSpecsError, Fees};
pub use node::{Node, Setup};
