//! Tables for each rule, and a random root chain that drops, delays, reorders and reorganises while the Sentinel is restarted.

mod model;
mod nonces;
mod rules;
mod world;
