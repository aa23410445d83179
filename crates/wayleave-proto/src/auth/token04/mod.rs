//! Tokens of the form `04...`, which servers of applications mint with a secret that they share with the relay.

mod key;
mod payload;

pub use key::{Token04Key, Token04KeyError};
pub use payload::{Payload, Privilege, Room};
