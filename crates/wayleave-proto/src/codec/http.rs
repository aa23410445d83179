//! What a client asks of a relay, and what the relay answers, in no version of HTTP. Each carrier turns both into its own
//! heads and back.

use std::borrow::Cow;

use super::proxy_status::{ProxyError, ProxyStatus};
use crate::base::{Kind, Secret, Target};
use crate::error::IoFailure;

/// What a client asks for, and who it says that it is.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What it wants.
    pub want: Want,
    /// The authority of the request's URI: the target of a CONNECT, else the relay as the client names it; `None` where that
    /// is nothing that could be reached.
    pub authority: Option<Target>,
    /// The value of Proxy-Authorization.
    pub authorization: Option<Secret<String>>,
    /// What the client calls itself: escaped for a log line, at most 120 characters.
    pub user_agent: Option<String>,
    /// A word that the client wants back, by which it tells whoever answers this very request from a cache or a portal; only
    /// with [`Want::Options`].
    pub echo: Option<EchoWord>,
}

/// A word of the client's choice: 1 to 64 letters, digits or hyphens.
///
/// It goes out as the preference `wayleave-echo` ([RFC 7240 §2](https://www.rfc-editor.org/rfc/rfc7240#section-2)) and comes back
/// as the preference that was applied (§3). A server that does not know it ignores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EchoWord(Box<str>);

impl EchoWord {
    /// `None` where `word` is none.
    pub fn new(word: &str) -> Option<Self> {
        let is_word = (1..=64).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_word.then(|| Self(word.into()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands in Prefer and in Preference-Applied.
    pub(crate) fn preference(&self) -> String {
        format!("{ECHO}={}", self.0)
    }

    /// The word in a list of preferences, of any of which there may be others.
    pub(crate) fn among<'a>(preferences: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        preferences.into_iter().find_map(|preference| {
            let (name, word) = core::str::from_utf8(preference).ok()?.split_once('=')?;
            if name.trim_end().eq_ignore_ascii_case(ECHO) { Self::new(word.trim_start()) } else { None }
        })
    }
}

const ECHO: &str = "wayleave-echo";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// Nothing but an answer, to have the credentials seen: `OPTIONS *`,
    /// [RFC 9110 §9.3.7](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7).
    Options,
    /// A tunnel.
    Tunnel {
        /// A stream for CONNECT ([RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)), datagrams for
        /// CONNECT-UDP ([RFC 9298 §3](https://www.rfc-editor.org/rfc/rfc9298#section-3)).
        kind: Kind,
        /// Where to.
        target: Target,
    },
}

impl Want {
    /// What the tunnel should carry; `None` where none is wanted.
    pub const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Options => None,
            Self::Tunnel { kind, .. } => Some(*kind),
        }
    }

    /// Where the tunnel should lead; `None` where none is wanted.
    pub const fn target(&self) -> Option<&Target> {
        match self {
            Self::Options => None,
            Self::Tunnel { target, .. } => Some(target),
        }
    }
}

/// What a relay says to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The tunnel is open, or the credentials are good.
    Accepted {
        /// What the nearest proxy calls itself ([RFC 9209 §2](https://www.rfc-editor.org/rfc/rfc9209#section-2)), where it
        /// does.
        by: Option<String>,
        /// The word that was asked for, where it is given back.
        echo: Option<EchoWord>,
    },
    /// There is no tunnel.
    Refused(Refusal),
}

/// An answer that opens no tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// What went wrong, for programs. Read from a peer, its details are escaped and at most 200 characters long.
    pub proxy_status: Option<ProxyStatus>,
    /// The values of Proxy-Authenticate, a line for each; a 407 needs one. They are only written, never read.
    pub challenges: Vec<String>,
    /// After how many seconds another attempt makes sense.
    pub retry_after: Option<u32>,
    /// The word that was asked for, where it is given back.
    pub echo: Option<EchoWord>,
    /// What went wrong, one line for a human. It is only written, never read.
    pub body: Cow<'static, str>,
}

impl Refusal {
    /// The error of the nearest proxy.
    pub fn error(&self) -> Option<ProxyError> {
        self.proxy_status.as_ref()?.error
    }

    /// What the name server of the nearest proxy said, where the name of the target was at fault and it tells.
    pub fn lookup(&self) -> Option<IoFailure> {
        self.proxy_status.as_ref()?.rcode.as_deref().and_then(IoFailure::of_rcode)
    }
}

/// A message that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Malformed {
    /// The status to answer with; 502 where it was itself an answer.
    pub status: u16,
    /// What is wrong with it.
    pub detail: String,
}
