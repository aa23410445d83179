//! What plays a machine: a tape of choices, the adapter's side of the boundary, and bytes that know their place.

mod pattern;
mod rig;
mod tape;

pub(crate) use pattern::Pattern;
pub(crate) use rig::{Asked, Rig, Socket};
pub(crate) use tape::Tape;
