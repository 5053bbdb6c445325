//! The kit that tests are written with.
