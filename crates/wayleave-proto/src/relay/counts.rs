//! Counts of what happens in several kinds, each kind with a name that stays.

use super::{RefuseReason, TurnedAway};
use crate::auth::TokenError;
use crate::error::IoFailure;
use crate::net::Fault;
use crate::queue::Drops;

/// A count for each of a few kinds.
macro_rules! counts {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$kind_doc:meta])* $kind:ident: $word:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$kind_doc])* pub $kind: u64,)+
        }

        impl $name {
            /// The name of each kind, and how often it happened; those that never did too, always in one order.
            pub fn each(self) -> impl Iterator<Item = (&'static str, u64)> {
                [$(($word, self.$kind)),+].into_iter()
            }

            /// All kinds together.
            pub fn total(self) -> u64 {
                self.each().fold(0, |total, (_, count)| total.saturating_add(count))
            }

            pub(super) const fn with(self, other: Self) -> Self {
                Self { $($kind: self.$kind.saturating_add(other.$kind),)+ }
            }
        }
    };
}

counts! {
    /// Requests whose credential was judged, by what came of it. A request without one counts too, and one that shows a renewed
    /// token (`OPTIONS *`).
    Authentications {
        /// It was good.
        accepted: "accepted",
        /// It was good once.
        expired: "expired",
        /// It cannot be read.
        malformed: "malformed",
        /// There was none, which is how many clients begin.
        missing: "missing",
        /// It will be good later.
        not_yet_valid: "not_yet_valid",
        /// It is not one of this relay's: its signature, its key, its audience or its application does not fit, or the embedder said
        /// no.
        rejected: "rejected",
        /// The token, its user or its application is revoked.
        revoked: "revoked",
        /// Too many from this address failed before.
        throttled: "throttled",
        /// The embedder's verifier had too much to do, or gave no answer in time.
        unverified: "unverified",
    }
}

counts! {
    /// Requests for whose targets a connection was tried or a name looked up, and none came to stand, by the reason.
    DialErrors {
        /// This machine lacked descriptors, ports, memory, threads or room for names.
        exhausted: "exhausted",
        /// The name exists and has no address.
        name_empty: "name_empty",
        /// A name server failed (SERVFAIL), or the platform could not tell.
        name_failed: "name_failed",
        /// A name server refused to answer (REFUSED).
        name_refused: "name_refused",
        /// No name server answered in time.
        name_unanswered: "name_unanswered",
        /// The name exists nowhere (NXDOMAIN).
        name_unknown: "name_unknown",
        /// This machine does not allow it, mostly by its firewall.
        not_permitted: "not_permitted",
        /// A failure that has no name of its own.
        other: "other",
        /// Nothing listens there.
        refused: "refused",
        /// The target ended the connection at once.
        reset: "reset",
        /// Nothing answered in time.
        timed_out: "timed_out",
        /// There is no way to that address.
        unreachable: "unreachable",
    }
}

counts! {
    /// Datagrams that the relay dropped, by the reason.
    DroppedDatagrams {
        /// They waited for longer than one may.
        aged: "aged",
        /// Newer ones needed their place in the queue.
        crowded: "crowded",
        /// A rate of their account was exceeded.
        rate: "rate",
        /// They are longer than a tunnel carries.
        too_long: "too_long",
    }
}

counts! {
    /// Requests that were refused, by the status of the answer.
    Refusals {
        /// The request is not understood.
        bad_request: "400",
        /// The target is forbidden, or the echo is.
        forbidden: "403",
        /// The path is none of a relay's.
        not_found: "404",
        /// The method is none of a relay's.
        method_not_allowed: "405",
        /// The credential is missing or not accepted.
        unauthenticated: "407",
        /// The first line is too long.
        uri_too_long: "414",
        /// The request is one that asks for an upgrade, and says so wrongly.
        upgrade_required: "426",
        /// The account, its connection or its address has as much as it may.
        too_many: "429",
        /// The head is too long.
        head_too_long: "431",
        /// The request is understood, and none that a relay serves.
        not_implemented: "501",
        /// The target could not be reached.
        bad_gateway: "502",
        /// The relay is at a limit, drains, or lacks something.
        unavailable: "503",
        /// The target, or its name server, did not answer in time.
        timed_out: "504",
        /// The version of HTTP is another.
        wrong_version: "505",
        /// Any other.
        other: "other",
    }
}

counts! {
    /// Connections that were not taken as they came, by the reason.
    TurnedAwayCounts {
        /// The relay had as many as it may (`connections` of the limits).
        all: "connections",
        /// Their address had as many as it may (`connections_per_source`).
        source: "connections_per_source",
        /// TLS could not be begun with anybody.
        tls: "tls",
    }
}

/// Payload that came to be forwarded in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// Bytes of streams and datagrams.
    pub bytes: u64,
    /// Datagrams, those that were dropped here included.
    pub datagrams: u64,
}

impl Moved {
    /// One datagram more, of so many bytes.
    pub(super) const fn add_datagram(&mut self, bytes: usize) {
        self.datagrams = self.datagrams.saturating_add(1);
        self.add_bytes(bytes);
    }

    /// So many bytes more.
    pub(super) const fn add_bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            datagrams: self.datagrams.saturating_add(other.datagrams),
        }
    }
}

impl Authentications {
    /// Counts what came of a credential, where it was judged at all.
    pub(super) const fn count<T>(&mut self, judged: &Result<T, RefuseReason>) {
        let count = match judged {
            // The credential of who is refused for want of memory was good.
            Ok(_) | Err(RefuseReason::Overload(_)) => &mut self.accepted,
            Err(RefuseReason::Authorization(_) | RefuseReason::Token(TokenError::Malformed { .. })) => {
                &mut self.malformed
            }
            Err(RefuseReason::NoToken) => &mut self.missing,
            Err(RefuseReason::Token(TokenError::Expired)) => &mut self.expired,
            Err(RefuseReason::Token(TokenError::NotYetValid)) => &mut self.not_yet_valid,
            Err(RefuseReason::Token(TokenError::Revoked)) => &mut self.revoked,
            Err(RefuseReason::Token(_)) => &mut self.rejected,
            Err(RefuseReason::TooManyFailures(_)) => &mut self.throttled,
            Err(RefuseReason::TooManyToVerify(_) | RefuseReason::Unverified) => &mut self.unverified,
            Err(_) => return,
        };
        *count = count.saturating_add(1);
    }
}

impl DialErrors {
    /// Counts a refusal, where the reason is that the target could not be reached.
    pub(super) const fn count(&mut self, reason: &RefuseReason) {
        let count = match reason {
            RefuseReason::Exhausted(_) => &mut self.exhausted,
            RefuseReason::Unreachable(Fault::Io(failed)) => match failed.failure {
                IoFailure::ConnectionRefused => &mut self.refused,
                IoFailure::ConnectionReset => &mut self.reset,
                IoFailure::Exhausted(_) => &mut self.exhausted,
                IoFailure::NameEmpty => &mut self.name_empty,
                IoFailure::NameFailed => &mut self.name_failed,
                IoFailure::NameRefused => &mut self.name_refused,
                IoFailure::NameUnanswered => &mut self.name_unanswered,
                IoFailure::NameUnknown => &mut self.name_unknown,
                IoFailure::Other => &mut self.other,
                IoFailure::PermissionDenied => &mut self.not_permitted,
                IoFailure::TimedOut => &mut self.timed_out,
                IoFailure::Unreachable => &mut self.unreachable,
            },
            RefuseReason::Unreachable(_) => &mut self.other,
            _ => return,
        };
        *count = count.saturating_add(1);
    }
}

impl Refusals {
    /// Counts an answer with this status.
    pub(super) const fn count(&mut self, status: u16) {
        let count = match status {
            400 => &mut self.bad_request,
            403 => &mut self.forbidden,
            404 => &mut self.not_found,
            405 => &mut self.method_not_allowed,
            407 => &mut self.unauthenticated,
            414 => &mut self.uri_too_long,
            426 => &mut self.upgrade_required,
            429 => &mut self.too_many,
            431 => &mut self.head_too_long,
            501 => &mut self.not_implemented,
            502 => &mut self.bad_gateway,
            503 => &mut self.unavailable,
            504 => &mut self.timed_out,
            505 => &mut self.wrong_version,
            _ => &mut self.other,
        };
        *count = count.saturating_add(1);
    }
}

impl DroppedDatagrams {
    /// Counts what the queues of a tunnel dropped since it was `then`.
    pub(super) const fn count_queued(&mut self, then: &Drops, now: &Drops) {
        self.aged = self.aged.saturating_add(now.aged.saturating_sub(then.aged));
        self.crowded = self.crowded.saturating_add(now.crowded.saturating_sub(then.crowded));
    }
}

impl TurnedAwayCounts {
    pub(super) const fn count(&mut self, reason: &TurnedAway) {
        let count = match reason {
            TurnedAway::All(_) => &mut self.all,
            TurnedAway::Source { .. } => &mut self.source,
            TurnedAway::Tls(_) => &mut self.tls,
        };
        *count = count.saturating_add(1);
    }
}
