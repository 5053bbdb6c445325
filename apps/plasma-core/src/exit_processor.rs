//! Which exits are valid, and how to challenge those that are not (protocol 5.4 to 5.8).

pub mod standard_exit;

pub use standard_exit::{StandardExit, StandardExitPhase};

/// What the exit processor writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitProcessorUpdate {
    /// A standard exit was recognised, or its phase changed. Keyed by position, and found by exit id.
    PutStandardExit(Box<StandardExit>),
}
