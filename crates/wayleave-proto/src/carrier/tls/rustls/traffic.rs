//! A connection behind its handshake: rustls keeps the secrets, the record layer uses them.

use core::ops::Range;

use ::rustls::client::ClientConnectionData;
use ::rustls::kernel::KernelConnection;
use ::rustls::server::ServerConnectionData;
use ::rustls::{AlertDescription, ConnectionTrafficSecrets, Error, ExtractedSecrets, SupportedCipherSuite};

use super::exporter::Exporter;
use super::failure;
use crate::carrier::tls::TlsError;
use crate::carrier::tls::record::{Content, Fault, Message, Messages, Opener, Place, RecordKey, Sealer};
use crate::queue::ByteQueue;

/// Both halves of a connection.
#[derive(Debug)]
pub(super) struct Traffic {
    sealer: Sealer,
    opener: Opener,
    messages: Messages,
    kernel: Kernel,
    exporter: Option<Exporter>,
    /// Whether the protocol was agreed by ALPN.
    alpn: bool,
    /// The peer wants this side to change its key before it sends more.
    update_owed: bool,
    /// Records and messages without payload since the last with some.
    empty: u32,
}

/// The secrets of either side.
pub(super) enum Kernel {
    Client(KernelConnection<ClientConnectionData>),
    Server(KernelConnection<ServerConnectionData>),
}

/// Why nothing more is received.
#[derive(Debug)]
pub(super) enum Stop {
    /// close_notify.
    Closed,
    /// The peer is at fault; it is to be told.
    Fault(Fault),
    /// The peer says that it gives up.
    Refused(TlsError),
}

impl Traffic {
    pub(super) fn new(
        secrets: &ExtractedSecrets,
        kernel: Kernel,
        exporter: Option<Exporter>,
        limit: u64,
        alpn: bool,
    ) -> Result<Self, TlsError> {
        let sealer = Sealer::new(RecordKey::new(secrets.tx.0, &secrets.tx.1)?, limit);
        let opener = Opener::new(RecordKey::new(secrets.rx.0, &secrets.rx.1)?);
        let messages = Messages::default();
        Ok(Self { sealer, opener, messages, kernel, exporter, alpn, update_owed: false, empty: 0 })
    }

    pub(super) const fn exporter(&self) -> Option<&Exporter> {
        self.exporter.as_ref()
    }

    pub(super) const fn alpn(&self) -> bool {
        self.alpn
    }

    pub(super) const fn is_server(&self) -> bool {
        matches!(self.kernel, Kernel::Server(_))
    }

    /// Bytes held for what is incomplete.
    pub(super) const fn held(&self) -> usize {
        self.opener.held().saturating_add(self.messages.held())
    }

    /// Decrypts in place. The plaintext is what this appended to `before`, then the range of `ciphertext` that is
    /// returned; so it is with a reason to stop too.
    ///
    /// # Errors
    /// Why nothing more is received; it is not to be called again then.
    pub(super) fn receive(
        &mut self,
        ciphertext: &mut [u8],
        before: &mut ByteQueue,
    ) -> (Range<usize>, Result<(), Stop>) {
        let length = ciphertext.len();
        let mut rest = ciphertext;
        let (plaintext, received) = match self.complete(&mut rest, before) {
            Ok(true) => {
                let (place, opened) = self.open(rest);
                if opened.is_ok() {
                    self.opener.keep(rest, place);
                }
                (place.written, opened)
            }
            Ok(false) => (0, Ok(())),
            Err(stop) => (0, Err(stop)),
        };
        if received.is_err() {
            self.opener.forget();
            self.messages = Messages::default();
        }
        let start = length.saturating_sub(rest.len());
        (start..start.saturating_add(plaintext), received)
    }

    /// Completes and opens the record that was begun, if there is one; `false` where it is still incomplete.
    fn complete(&mut self, ciphertext: &mut &mut [u8], before: &mut ByteQueue) -> Result<bool, Stop> {
        if !self.opener.has_begun() {
            return Ok(true);
        }
        let Some(mut record) = self.opener.complete(ciphertext)? else { return Ok(false) };
        let (place, opened) = self.open(&mut record);
        before.push(record.get(..place.written).unwrap_or_default());
        opened.map(|()| true)
    }

    /// Opens every whole record of `bytes`; the plaintext is at its front then.
    fn open(&mut self, bytes: &mut [u8]) -> (Place, Result<(), Stop>) {
        let mut place = Place::default();
        loop {
            match self.opener.open(bytes, &mut place) {
                Ok(None) => return (place, Ok(())),
                Err(fault) => return (place, Err(fault.into())),
                Ok(Some((Content::Data, length))) if length > 0 && !self.messages.has_begun() => {
                    self.empty = 0;
                    place.written = place.written.saturating_add(length);
                }
                Ok(Some((content, length))) => {
                    let payload = bytes.get(place.written..).and_then(|payload| payload.get(..length));
                    if let Err(stop) = self.handle(content, payload.unwrap_or_default()) {
                        return (place, Err(stop));
                    }
                }
            }
        }
    }

    /// Handles a record without payload for those above.
    fn handle(&mut self, content: Content, payload: &[u8]) -> Result<(), Stop> {
        self.count()?;
        if content != Content::Handshake && self.messages.has_begun() {
            // RFC 8446 §5.1: nothing comes between the parts of a message.
            return Err(Fault::Unexpected.into());
        }
        match content {
            Content::Data => Ok(()),
            Content::Alert => alert(payload),
            Content::Handshake => {
                self.messages.push(payload)?;
                while let Some(message) = self.messages.next()? {
                    self.count()?;
                    self.on_message(message)?;
                }
                Ok(())
            }
        }
    }

    fn on_message(&mut self, message: Message) -> Result<(), Stop> {
        match (message, &mut self.kernel) {
            (Message::KeyUpdate { requested }, kernel) => {
                self.update_owed |= requested;
                self.opener.renew(kernel.next_key(Half::Receiving)?);
                Ok(())
            }
            (Message::Ticket(ticket), Kernel::Client(kernel)) => {
                kernel.handle_new_session_ticket(&ticket).map_err(|_| Fault::Decode.into())
            }
            (Message::Ticket(_), Kernel::Server(_)) => Err(Fault::Unexpected.into()),
        }
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.empty = self.empty.saturating_add(1);
        if self.empty > MOST_EMPTY { Err(Fault::Flood) } else { Ok(()) }
    }

    /// Encrypts the chunks, joined, to the end of `out`.
    ///
    /// # Errors
    /// The cryptography fails; nothing may be sent any more.
    pub(super) fn send(
        &mut self,
        content: Content,
        chunks: &[&[u8]],
        out: &mut ByteQueue,
    ) -> Result<(), Fault> {
        let total = chunks.iter().fold(0, |sum: usize, chunk| sum.saturating_add(chunk.len()));
        let out = out.end(Sealer::sealed_len(total));
        if self.update_owed || self.sealer.is_worn() {
            self.update_owed = false;
            self.sealer.seal(Content::Handshake, &[&Messages::KEY_UPDATE], out)?;
            self.sealer.renew(self.kernel.next_key(Half::Sending)?);
        }
        self.sealer.seal(content, chunks, out)
    }
}

#[derive(Clone, Copy)]
enum Half {
    Receiving,
    Sending,
}

impl Kernel {
    pub(super) fn suite(&self) -> SupportedCipherSuite {
        match self {
            Self::Client(kernel) => kernel.negotiated_cipher_suite(),
            Self::Server(kernel) => kernel.negotiated_cipher_suite(),
        }
    }

    /// The key that follows, RFC 8446 §7.2. <https://www.rfc-editor.org/rfc/rfc8446#section-7.2>
    fn next_key(&mut self, half: Half) -> Result<RecordKey, Fault> {
        let next: Result<(u64, ConnectionTrafficSecrets), Error> = match (self, half) {
            (Self::Client(kernel), Half::Receiving) => kernel.update_rx_secret(),
            (Self::Client(kernel), Half::Sending) => kernel.update_tx_secret(),
            (Self::Server(kernel), Half::Receiving) => kernel.update_rx_secret(),
            (Self::Server(kernel), Half::Sending) => kernel.update_tx_secret(),
        };
        let (sequence, secrets) = next.map_err(|_| Fault::Internal)?;
        RecordKey::new(sequence, &secrets)
    }
}

impl core::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Client(_) => "Client",
            Self::Server(_) => "Server",
        })
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// RFC 8446 §6: whatever its level says, every alert but two is the end.
/// <https://www.rfc-editor.org/rfc/rfc8446#section-6>
fn alert(payload: &[u8]) -> Result<(), Stop> {
    let &[_, code] = payload else { return Err(Fault::Decode.into()) };
    match AlertDescription::from(code) {
        AlertDescription::CloseNotify => Err(Stop::Closed),
        AlertDescription::UserCanceled => Ok(()),
        alert => Err(Stop::Refused(failure::connection(&Error::AlertReceived(alert), true))),
    }
}

/// Records and messages without payload in a row. Each costs work and brings nothing.
const MOST_EMPTY: u32 = 32;
