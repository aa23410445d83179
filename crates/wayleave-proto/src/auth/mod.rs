//! Who a client is: tokens, keys and the words in which they travel.

mod account;
mod authorization;
mod claims;
mod credential;
mod jws;
mod keys;
#[cfg(test)]
mod tests;
mod token;
mod verdicts;

pub use account::AccountId;
pub use authorization::{AuthorizationError, authorization, challenge};
pub use claims::{AppId, AppIdError, Claims};
pub use credential::Credential;
pub use jws::{Header, inspect};
pub use keys::{Algorithm, KeyError, Keys, Rules, SigningKey, VerifyingKey};
pub use token::{Token, TokenError, TokenTextError};
pub use verdicts::Verdicts;
