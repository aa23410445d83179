//! What a front door asks of its clients.

use core::net::SocketAddr;

use crate::base::{Secret, same_secret};

/// What a front door asks of its clients, and how much it listens to.
#[derive(Clone, Debug)]
pub struct FrontConfig {
    /// The user name and the password that SOCKS5 and HTTP clients must give; `None` lets everybody in.
    pub password: Option<(String, Secret<String>)>,
    /// How many bytes the head of an HTTP request may have, up to and with its blank line; 32 KiB by default,
    /// 256 bytes to 1 MiB.
    pub head_limit: usize,
}

impl FrontConfig {
    /// Judges this configuration for a door at `listen`.
    ///
    /// # Errors
    /// Says what is wrong and what to do: a door that other machines can reach has no password
    /// ([`FrontConfigError::Open`]), a user name or a password that no client could send, or a head limit out of its
    /// range.
    pub fn check(&self, listen: SocketAddr) -> Result<(), FrontConfigError> {
        if !HEAD_LIMITS.contains(&self.head_limit) {
            return Err(FrontConfigError::HeadLimit(self.head_limit));
        }
        match &self.password {
            None if listen.ip().to_canonical().is_loopback() => Ok(()),
            None => Err(FrontConfigError::Open(listen)),
            Some((user, _)) if !PASSWORD_LENGTHS.contains(&user.len()) || user.contains(':') => {
                Err(FrontConfigError::User)
            }
            Some((_, password)) if !PASSWORD_LENGTHS.contains(&password.expose().len()) => {
                Err(FrontConfigError::Password)
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether a client that gave `user` and `password` may come in. The time it takes tells nothing about how far
    /// they were right.
    pub(super) fn admits(&self, user: &[u8], password: &[u8]) -> bool {
        self.password.as_ref().is_none_or(|(name, secret)| {
            same_secret(name.as_bytes(), user) & same_secret(secret.expose().as_bytes(), password)
        })
    }
}

impl Default for FrontConfig {
    fn default() -> Self {
        Self { password: None, head_limit: 32 * 1024 }
    }
}

/// Why a front door cannot be opened like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrontConfigError {
    /// The head limit is out of its range.
    #[error("the limit of {0} bytes for a request head is outside 256 bytes to 1 MiB")]
    HeadLimit(usize),
    /// Other machines could use the door without a password.
    #[error(
        "{0} can be reached from other machines: set a user name and a password, or listen on 127.0.0.1 or [::1]"
    )]
    Open(SocketAddr),
    /// The password cannot be sent.
    #[error("the password of the local port must have 1 to 255 bytes (RFC 1929)")]
    Password,
    /// The user name cannot be sent.
    #[error("the user name of the local port must have 1 to 255 bytes and no colon (RFC 1929, RFC 7617)")]
    User,
}

const HEAD_LIMITS: core::ops::RangeInclusive<usize> = 256..=1024 * 1024;
const PASSWORD_LENGTHS: core::ops::RangeInclusive<usize> = 1..=255;
