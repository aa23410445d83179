//! The seam of TLS: one connection as a pipe, whatever engine stands behind it.

mod error;
#[cfg(any(test, feature = "testing"))]
mod plain;
mod record;
mod rustls;

#[cfg(test)]
mod tests;

use core::fmt;
use core::ops::Range;

use crate::base::Host;

pub use self::error::{TlsConfigError, TlsError};
#[cfg(any(test, feature = "testing"))]
pub use self::plain::{ForeignAcceptor, PlainAcceptor, PlainConnector};
pub use self::rustls::{
    Environment, RustlsAcceptor, RustlsConnector, certificates_from_pem, private_key_from_pem,
};

/// One TLS connection as a pipe, either side.
///
/// Ciphertext goes in with [`receive`](Self::receive) and comes out with [`pending`](Self::pending); plaintext goes
/// in with [`send`](Self::send) and comes out with [`plaintext`](Self::plaintext). After each call of `receive`,
/// look at all of them: a handshake answers, and an error leaves an alert for the peer in `pending`.
///
/// The two halves end apart, RFC 8446 §6.1: each side goes on sending after the other has ended.
/// <https://www.rfc-editor.org/rfc/rfc8446#section-6.1>
pub trait Session: Send + fmt::Debug {
    /// Takes ciphertext, all of it, and decrypts it in place: the plaintext is what waits in [`plaintext`](Self::plaintext)
    /// and behind that the range that is returned. Whoever calls uses it from the front, and gives what it does not use
    /// to [`keep`](Self::keep) before anything else. What comes after the peer's close_notify is ignored.
    ///
    /// # Errors
    /// What is wrong with the peer or with what it sent. It is final: every later call returns the same. Plaintext
    /// from before is there all the same.
    fn decrypt(&mut self, ciphertext: &mut [u8]) -> (Range<usize>, Result<(), TlsError>);

    /// Puts plaintext that [`decrypt`](Self::decrypt) has just returned behind what waits. It is bounded by the caller, who
    /// stops reading while [`plaintext_len`](Self::plaintext_len) is high.
    fn keep(&mut self, plaintext: &[u8]);

    /// [`decrypt`](Self::decrypt) for those who use nothing at once: all plaintext waits.
    ///
    /// # Errors
    /// As there.
    fn receive(&mut self, ciphertext: &mut [u8]) -> Result<(), TlsError> {
        let (plaintext, result) = self.decrypt(ciphertext);
        self.keep(ciphertext.get(plaintext).unwrap_or_default());
        result
    }

    /// The TCP connection ended: no more ciphertext will come.
    ///
    /// # Errors
    /// [`TlsError::Truncated`] if no close_notify came before, since somebody may have cut the rest off; or the
    /// error that [`receive`](Self::receive) had returned.
    fn receive_end(&mut self) -> Result<(), TlsError>;

    /// Takes the end of the TCP connection for that of the peer's half, as if its close_notify had come.
    fn excuse_end(&mut self);

    /// Plaintext that waits, lent; empty when none. It may be a part of what waits: consume it, then ask again.
    fn plaintext(&mut self) -> &[u8];

    /// Takes `amount` bytes of plaintext away; more than wait means all.
    fn consume(&mut self, amount: usize);

    /// Bytes of plaintext that wait in all.
    fn plaintext_len(&self) -> usize;

    /// Whether the peer ended its half with close_notify and all plaintext before that was consumed.
    fn is_finished(&mut self) -> bool;

    /// Encrypts the chunks, joined, as application data: one record up to 16 KiB, several beyond. The caller keeps
    /// [`pending_len`](Self::pending_len) under its mark. During the handshake they wait inside, in the clear, and
    /// count in [`held`](Self::held). After [`send_end`](Self::send_end) or an error nothing is sent.
    fn send(&mut self, chunks: &[&[u8]]);

    /// Sends close_notify, once, behind everything that was sent before.
    fn send_end(&mut self);

    /// Breaks off, behind everything that was sent before: a fatal alert tells the peer that neither half has a regular end
    /// (internal_error, RFC 8446 §6.2). <https://www.rfc-editor.org/rfc/rfc8446#section-6.2>
    fn send_abort(&mut self);

    /// Ciphertext to write, in one piece; empty when none.
    fn pending(&mut self) -> &[u8];

    /// Says that `amount` bytes of [`pending`](Self::pending) were written.
    fn written(&mut self, amount: usize);

    /// Bytes in [`pending`](Self::pending).
    fn pending_len(&self) -> usize;

    /// Whether the handshake is still under way.
    fn is_handshaking(&self) -> bool;

    /// The protocol agreed by ALPN, RFC 7301; `None` until then, or when the peer knows nothing of ALPN.
    /// <https://www.rfc-editor.org/rfc/rfc7301>
    fn alpn(&self) -> Option<&[u8]>;

    /// Fills `out` with key material that both sides derive alike, RFC 8446 §7.5.
    /// <https://www.rfc-editor.org/rfc/rfc8446#section-7.5>
    ///
    /// # Errors
    /// [`TlsError::Protocol`] before the handshake is over or where `out` is empty or too long.
    fn export_keying_material(
        &self,
        out: &mut [u8],
        label: &[u8],
        context: Option<&[u8]>,
    ) -> Result<(), TlsError>;

    /// Bytes held in buffers now: zero at rest. The fixed state of the engine does not count.
    fn held(&self) -> usize;
}

/// Makes the client side of TLS connections.
pub trait Connector: Send + Sync + fmt::Debug {
    /// A session with the server `host`, whose certificate must be for it.
    ///
    /// # Errors
    /// [`TlsError::InvalidName`] where no certificate can be for that name, [`TlsError::Protocol`] where the engine
    /// fails.
    fn connect(&self, host: &Host) -> Result<Box<dyn Session>, TlsError>;
}

/// Makes the server side of TLS connections.
pub trait Acceptor: Send + Sync + fmt::Debug {
    /// A session with a client that has just connected.
    ///
    /// # Errors
    /// [`TlsError::Protocol`] where the engine fails.
    fn accept(&self) -> Result<Box<dyn Session>, TlsError>;
}

/// The 48 bytes of key material that [RFC 9729 §3](https://www.rfc-editor.org/rfc/rfc9729#section-3) asks for; `None`
/// where the connection has none.
pub(crate) fn exported(session: &dyn Session, label: &[u8], context: &[u8]) -> Option<[u8; 48]> {
    let mut output = [0; 48];
    session.export_keying_material(&mut output, label, Some(context)).ok()?;
    Some(output)
}

/// The only protocol inside: HTTP/1.1, as RFC 7301 §6 names it. <https://www.rfc-editor.org/rfc/rfc7301#section-6>
const ALPN: &[u8] = b"http/1.1";
