//! A node's store on RocksDB: a documented key layout (docs/store.md) and one atomic, durable `commit`.
//!
//! It must never lose what `commit` returned for, show half a batch, load or scan the UTXO set, or panic on what it finds on disk.
//! It decides nothing: what to write comes from the cores as [`DbUpdate`](plasma_core::db_update::DbUpdate)s.
//!
//! - [`Store`]: open, commit, read.
//! - [`StoreIdentity`]: a store belongs to one node of one deployment, and refuses any other.
//! - [`StoreError`]: what went wrong, where, and whether trying again can help.

mod codec;
mod columns;
mod commit;
mod error;
mod identity;
mod keys;
mod read;
mod records;
mod store;

pub use error::StoreError;
pub use identity::{NodeKind, StoreIdentity};
pub use store::{Store, StoreConfig, StoreSize};
