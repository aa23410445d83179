//! The record layer of TLS 1.3 behind the handshake, RFC 8446 §5.
//! <https://www.rfc-editor.org/rfc/rfc8446#section-5>
//!
//! An engine makes the keys; here they are used. Records are opened in the buffer that they were received in, and
//! several at once are sealed into the buffer that is written.

mod key;
mod messages;
mod opener;
mod sealer;

#[cfg(test)]
mod tests;

use super::TlsError;

pub(super) use key::RecordKey;
pub(super) use messages::{Message, Messages};
pub(super) use opener::{Opener, Place};
pub(super) use sealer::Sealer;

/// What a record carries, RFC 8446 §5.1. <https://www.rfc-editor.org/rfc/rfc8446#section-5.1>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::carrier::tls) enum Content {
    Alert,
    Data,
    Handshake,
}

impl Content {
    const fn code(self) -> u8 {
        match self {
            Self::Alert => 21,
            Self::Data => DATA,
            Self::Handshake => 22,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            21 => Some(Self::Alert),
            22 => Some(Self::Handshake),
            DATA => Some(Self::Data),
            _ => None,
        }
    }
}

/// What is wrong with what the peer sent, RFC 8446 §6.2. <https://www.rfc-editor.org/rfc/rfc8446#section-6.2>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::carrier::tls) enum Fault {
    /// A record that was not made with the key.
    BadRecordMac,
    /// A message that cannot be read.
    Decode,
    /// A value that no peer may send.
    Illegal,
    /// The engine failed.
    Internal,
    /// A record that is too long.
    Overflow,
    /// A message or record that may not come now.
    Unexpected,
    /// Records without payload, one after the other.
    Flood,
}

impl Fault {
    /// The alert that tells the peer.
    pub(in crate::carrier::tls) const fn alert(self) -> u8 {
        match self {
            Self::BadRecordMac => 20,
            Self::Decode => 50,
            Self::Illegal => 47,
            Self::Internal => 80,
            Self::Overflow => 22,
            Self::Unexpected | Self::Flood => 10,
        }
    }
}

impl From<Fault> for TlsError {
    fn from(fault: Fault) -> Self {
        let detail = match fault {
            Fault::BadRecordMac => "a record was changed on the way",
            Fault::Decode => "a message cannot be read",
            Fault::Illegal => "a message has a value that it may not have",
            Fault::Internal => "the engine failed",
            Fault::Overflow => "a record is too large",
            Fault::Unexpected => "a message came that may not come now",
            Fault::Flood => "too many records without payload",
        };
        Self::Protocol { detail: detail.into() }
    }
}

/// The outer type of every encrypted record, and that of data.
const DATA: u8 = 23;
/// Type, version and length.
const HEADER: usize = 5;
/// The most that one record carries.
const LONGEST: usize = 16_384;
/// The most that one record is long without its header.
const LONGEST_SEALED: usize = LONGEST + 256;
/// The authentication tag, of all algorithms of TLS 1.3 that are in use.
const TAG: usize = 16;
