//! Measures relays side by side on one machine: `cargo xtask bench`.
//!
//! [`load`] is the load generator, [`peers`] starts the relays, [`work`] has the rows of the table and [`report`] writes
//! what they gave. Figures are read by people and never decide whether a test passes.

pub mod adapter;
pub mod forward;
pub mod lab;
pub mod load;
pub mod machines;
pub mod options;
pub mod peers;
pub mod report;
pub mod run;
pub mod stop;
pub mod sys;
pub mod work;
