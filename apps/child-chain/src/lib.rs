//! The operator's node.
