//! The app sign: an application proves its own key on each TLS connection
//! ([RFC 9729](https://www.rfc-editor.org/rfc/rfc9729)).

mod concealed;
mod key;
mod proof;
mod sign;

#[cfg(test)]
mod tests;

pub use concealed::{AppSignError, Concealed};
pub use key::AppSignKey;
pub use sign::{AppSign, AppSignTextError};
