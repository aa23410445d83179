//! Who a client is: tokens, keys and the words in which they travel.

mod account;
mod claims;
mod credential;
mod field;
mod json;
mod jws;
mod key;
mod keys;
mod token;
mod verdicts;

#[cfg(test)]
mod tests;

pub use account::AccountId;
pub use claims::{AppId, AppIdError, Claims};
pub use credential::Credential;
pub use field::{AuthorizationError, Challenge, authorization};
pub use jws::{Header, TokenError, inspect};
pub use key::{Algorithm, KeyError, MintError, SigningKey, VerifyingKey};
pub use keys::{Keys, KeysError, Rules, Verdict};
pub use token::{Token, TokenTextError};
pub use verdicts::Verdicts;
