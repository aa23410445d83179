//! What a relay tells, as sentences.

use core::fmt;

use super::{Event, What};

/// The moment, the connection, the tunnel and its client where there are some, and what happened.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.at)?;
        self.connection.map_or(Ok(()), |connection| write!(f, "{connection} "))?;
        self.tunnel.map_or(Ok(()), |tunnel| write!(f, "{tunnel} "))?;
        self.client.map_or(Ok(()), |client| write!(f, "{client} "))?;
        self.what.fmt(f)
    }
}

/// One line without a full stop. Text of clients is escaped where it was read; no secret is in it, and no user's name.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AcceptFailed { error } => write!(f, "cannot accept connections: {error}"),
            Self::AcceptRecovered { error, failures, lasted } => write!(
                f,
                "accepts connections again ({error}): {failures} attempts failed in {} s",
                lasted.as_secs_f64()
            ),
            Self::ConnectionFailed { reason } => write!(f, "connection failed: {reason}"),
            Self::Refused { status, target: Some(target), reason } => {
                write!(f, "refused {target} with {status}: {reason}")
            }
            Self::Refused { status, target: None, reason } => write!(f, "refused with {status}: {reason}"),
            Self::TunnelClosed { kind, target, sent, received, dropped, lasted, reason, .. } => write!(
                f,
                "{kind} to {target} closed after {} s, {sent} bytes out, {received} bytes in and {dropped} datagrams dropped: \
                 {reason}",
                lasted.as_secs_f64()
            ),
            Self::TunnelOpened { kind, target, address, elapsed, .. } => {
                write!(f, "{kind} to {target} opened at {address} in {} s", elapsed.as_secs_f64())
            }
            Self::TurnedAway { count, latest, reason } => {
                write!(f, "{count} connections turned away, the latest from {latest}: {reason}")
            }
            Self::Verify { .. } => f.write_str("the embedder has to say who the client is"),
        }
    }
}
