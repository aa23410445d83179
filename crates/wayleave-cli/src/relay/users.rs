//! How users stand in the log.

use std::borrow::Cow;
use std::path::Path;

use ring::hmac;
use wayleave_proto::base::Secret;
use wayleave_settings::options::secret_of;
use wayleave_settings::relay::LogUsers;

use crate::Failure;

/// What stands in the log in the place of a user's name.
#[derive(Clone, Debug)]
pub(super) enum Users {
    Clear,
    /// HMAC-SHA256 under a key that only this relay has, or those that the operator gave the same.
    Hashed(hmac::Key),
    None,
}

impl Users {
    /// Names users as `how` says; `key_file` has the key of the hash, in the place of a random one.
    ///
    /// # Errors
    /// The file cannot be read, is no key, or has no use; the system gives no random bytes.
    pub(super) fn new(how: LogUsers, key_file: Option<&Path>) -> Result<Self, Failure> {
        match (how, key_file) {
            (LogUsers::Hashed, _) => key(key_file).map(Self::Hashed),
            (LogUsers::Clear | LogUsers::None, Some(_)) => {
                Err(Failure::usage("--log-key-file is for --log-users hashed; leave one of them out"))
            }
            (LogUsers::Clear, None) => Ok(Self::Clear),
            (LogUsers::None, None) => Ok(Self::None),
        }
    }

    /// What stands for `user`.
    pub(super) fn name<'a>(&self, user: Option<&'a str>) -> Option<Cow<'a, str>> {
        let user = user?;
        match self {
            Self::Clear => Some(user.into()),
            Self::Hashed(key) => {
                let hash = hmac::sign(key, user.as_bytes());
                let digits = hash.as_ref().iter().take(SHOWN).map(|byte| format!("{byte:02x}"));
                Some(digits.collect::<String>().into())
            }
            Self::None => None,
        }
    }
}

fn key(file: Option<&Path>) -> Result<hmac::Key, Failure> {
    let bytes = match file {
        Some(file) => {
            Secret::new(secret_of(file, "the key for users in the log")?.expose().as_bytes().to_vec())
        }
        None => {
            let mut random = vec![0; 32];
            getrandom::fill(&mut random)
                .map_err(|error| Failure::run(format!("the system gives no random bytes: {error}")))?;
            Secret::new(random)
        }
    };
    Ok(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose()))
}

/// Bytes of a hash in the log: two users of a million meet in it once in some thirty million relays.
const SHOWN: usize = 8;
