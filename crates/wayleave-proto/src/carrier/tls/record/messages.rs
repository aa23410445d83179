//! Handshake messages behind the handshake: key updates and tickets.

use super::Fault;

/// Puts messages together, RFC 8446 §4. <https://www.rfc-editor.org/rfc/rfc8446#section-4>
#[derive(Debug, Default)]
pub(in crate::carrier::tls) struct Messages {
    /// What has come of a message that is incomplete.
    bytes: Vec<u8>,
}

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::carrier::tls) enum Message {
    /// The peer has changed its key, and may want the same of this side, RFC 8446 §4.6.3.
    /// <https://www.rfc-editor.org/rfc/rfc8446#section-4.6.3>
    KeyUpdate {
        /// Whether it wants that.
        requested: bool,
    },
    /// What the client needs to resume, RFC 8446 §4.6.1. <https://www.rfc-editor.org/rfc/rfc8446#section-4.6.1>
    Ticket(Vec<u8>),
}

impl Messages {
    /// Takes the payload of one record. Ask for messages with [`next`](Self::next) afterwards.
    ///
    /// # Errors
    /// [`Fault::Unexpected`] where it is empty, [`Fault::Overflow`] where a message is too long.
    pub(in crate::carrier::tls) fn push(&mut self, payload: &[u8]) -> Result<(), Fault> {
        if payload.is_empty() {
            return Err(Fault::Unexpected);
        }
        self.bytes.extend_from_slice(payload);
        if self.bytes.len() > MOST { Err(Fault::Overflow) } else { Ok(()) }
    }

    /// The next message, once it is whole.
    ///
    /// # Errors
    /// [`Fault::Unexpected`] for a message that may not come, or for a key update that is not the last of its record,
    /// since the next key begins behind it; [`Fault::Decode`] for a key update of another length, [`Fault::Illegal`] for one
    /// that asks for neither an update nor none.
    pub(in crate::carrier::tls) fn next(&mut self) -> Result<Option<Message>, Fault> {
        let Some((&[kind, a, b, c], behind)) = self.bytes.split_first_chunk() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        if !matches!(kind, TICKET | KEY_UPDATE) {
            return Err(Fault::Unexpected);
        }
        if length > MOST {
            return Err(Fault::Overflow);
        }
        let Some((body, rest)) = behind.split_at_checked(length) else { return Ok(None) };
        let message = match (kind, body) {
            (TICKET, body) => Message::Ticket(body.to_vec()),
            (_, [0 | 1]) if !rest.is_empty() => return Err(Fault::Unexpected),
            (_, &[requested @ (0 | 1)]) => Message::KeyUpdate { requested: requested == 1 },
            // RFC 8446 §4.6.3: every other value is illegal_parameter.
            (_, &[_]) => return Err(Fault::Illegal),
            _ => return Err(Fault::Decode),
        };
        self.bytes = rest.to_vec();
        Ok(Some(message))
    }

    /// Whether a message is incomplete: nothing else may come before its end.
    pub(in crate::carrier::tls) const fn has_begun(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Bytes of memory for a message that is incomplete.
    pub(in crate::carrier::tls) const fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// A key update that asks for none in return.
    pub(in crate::carrier::tls) const KEY_UPDATE: [u8; 5] = [KEY_UPDATE, 0, 0, 1, 0];
}

const TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;
/// Bytes of one message, and of what comes in one record with it: a ticket is far below.
const MOST: usize = 32 * 1024;
