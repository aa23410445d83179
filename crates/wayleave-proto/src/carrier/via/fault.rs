//! What can go wrong on the way through a proxy of the network.

use crate::codec::digest::{Challenge, Unanswerable};
use crate::codec::h1::HeadFault;
use crate::error::IoFailed;

/// Why a proxy of the network led to no relay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("on the way through {via}: {problem}")]
pub struct ViaFault {
    /// The way, without user and password.
    pub via: String,
    /// What happened there.
    pub problem: ViaProblem,
}

/// What happened at the proxy of the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViaProblem {
    /// It closed the connection when it asked who the user is; the next one answers that.
    #[error("it asks who you are again and again, and closes each connection")]
    Challenged(Box<Challenge>),
    /// It ended the connection before it had answered.
    #[error("it ended the connection before it answered: another proxy may be meant, or another scheme")]
    Ended,
    /// It asks who the user is, and nothing is configured.
    #[error(
        "it asks who you are (407): give a user name and a password as {scheme}://USER:PASSWORD@PROXY:PORT"
    )]
    NeedsAccount {
        /// The scheme of the way.
        scheme: &'static str,
        /// How it lets itself be answered, by its own word and escaped: `Digest, Basic`. Empty for SOCKS5.
        offers: String,
    },
    /// It does not speak HTTP.
    #[error("its answer is no HTTP ({0}): check scheme and port")]
    NotHttp(HeadFault),
    /// It does not speak SOCKS5.
    #[error("its answer is no SOCKS5: check scheme and port")]
    NotSocks,
    /// It refuses the connection.
    #[error(
        "it refuses to connect to the relay ({status}): let its administrator allow CONNECT to the relay's name and port"
    )]
    Refused {
        /// Its status.
        status: u16,
    },
    /// It could not, or would not, connect to the relay.
    #[error("it does not connect to the relay (SOCKS5 reply {reply}, {words})")]
    SocksRefused {
        /// Its reply ([RFC 1928 §6](https://www.rfc-editor.org/rfc/rfc1928#section-6)).
        reply: u8,
        /// What that means.
        words: &'static str,
    },
    /// It cannot be reached itself.
    #[error("this proxy cannot be reached: {0}")]
    Unreached(IoFailed),
    /// It could not reach the relay.
    #[error("it does not reach the relay ({status})")]
    Unreachable {
        /// Its status.
        status: u16,
    },
    /// It wants what is not known here.
    #[error("{0}")]
    Unanswerable(Unanswerable),
    /// It does not know the user, or not by that password.
    #[error("it refuses the user name and the password: correct them")]
    WrongAccount,
}
