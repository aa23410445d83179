//! Who a client is: tokens, keys and the words in which they travel.

mod account;
mod app_sign;
mod claims;
mod credential;
mod field;
mod json;
mod jwks;
mod jws;
mod key;
mod keys;
mod revocations;
mod token;
mod token04;
mod verdicts;

#[cfg(test)]
mod tests;

pub use account::AccountId;
pub use app_sign::{AppSign, AppSignError, AppSignKey, AppSignTextError, Concealed};
pub use claims::{AppId, AppIdError, Claims};
pub use credential::{Credential, CredentialKind};
pub use field::{Authorization, AuthorizationError, Challenge, authorization};
pub use jwks::{Jwks, JwksError};
pub use jws::{Header, TokenError, inspect};
pub use key::{Algorithm, KeyError, MintError, SigningKey, VerifyingKey};
pub use keys::{Keys, KeysConfig, KeysError, Rules, Verdict};
pub use revocations::{Revocations, Revoked};
pub use token::{Token, TokenTextError};
pub use token04::{
    MOST_SECRETS, Payload, Privilege, Room, Token04Claims, Token04Key, Token04KeyError, Token04Mode,
    inspect_token04,
};
pub use verdicts::{TokenName, Verdicts};
