//! The way to a relay through a proxy of the network: what has to be said there before TLS with the relay can begin.
//!
//! It is a [`Session`] around that of the relay, so that no carrier over TCP knows of it: its handshake is that of the proxy and
//! then the relay's.

mod asking;
mod connect;
mod fault;
mod socks;
#[cfg(test)]
mod tests;

use core::ops::Range;

use super::tls::{Session, TlsError};
use crate::base::Target;
use crate::codec::digest::Challenge;
use crate::config::Via;
use crate::queue::ByteQueue;

pub use asking::{Asking, Progress};
pub use fault::{ViaFault, ViaProblem};

/// How a proxy of the network is asked.
#[derive(Clone, Debug)]
pub struct Approach {
    /// The proxy, and the user's account there.
    pub via: Via,
    /// How it asked before who the user is; `None` where that is not known.
    pub known: Option<Challenge>,
    /// A word that nobody can guess, for Digest.
    pub cnonce: String,
}

/// A session with a relay, behind a proxy.
#[derive(Debug)]
pub(super) struct Through {
    /// The way, without user and password.
    via: String,
    /// TLS with the proxy itself.
    outer: Option<Box<dyn Session>>,
    inner: Box<dyn Session>,
    state: State,
    /// What goes to the proxy in the clear.
    out: ByteQueue,
}

#[derive(Debug)]
enum State {
    Asking(Box<Asking>),
    Through,
    Failed(TlsError),
}

impl Through {
    /// `inner` is the session with the relay at `target`, `outer` that with the proxy where it wants TLS.
    pub(super) fn new(
        approach: Approach,
        target: Target,
        outer: Option<Box<dyn Session>>,
        inner: Box<dyn Session>,
    ) -> Self {
        let via = approach.via.to_string();
        let (asking, first) = Asking::new(approach, target);
        let mut this =
            Self { via, outer, inner, state: State::Asking(Box::new(asking)), out: ByteQueue::new() };
        this.say(&first);
        this
    }

    fn say(&mut self, bytes: &[u8]) {
        match &mut self.outer {
            Some(outer) => outer.send(&[bytes]),
            None => self.out.push(bytes),
        }
    }

    const fn is_through(&self) -> bool {
        matches!(self.state, State::Through)
    }

    /// What the session with the relay has to say goes into that with the proxy.
    fn pass_on(&mut self) {
        if let (Some(outer), State::Through) = (&mut self.outer, &self.state) {
            let length = self.inner.pending_len();
            if length > 0 {
                outer.send(&[self.inner.pending()]);
                self.inner.written(length);
            }
        }
    }

    fn fail(&mut self, problem: ViaProblem) -> TlsError {
        let error = TlsError::Via(Box::new(ViaFault { via: self.via.clone(), problem }));
        self.state = State::Failed(error.clone());
        error
    }

    /// Takes what came from the proxy, out of its TLS.
    fn take(&mut self, mut bytes: Vec<u8>) -> Result<(), TlsError> {
        let progress = match &mut self.state {
            State::Asking(asking) => asking.receive(&bytes),
            State::Through => {
                let result = self.inner.receive(&mut bytes);
                self.pass_on();
                return result;
            }
            State::Failed(error) => return Err(error.clone()),
        };
        match progress {
            Ok(Progress::Say(words)) => {
                if !words.is_empty() {
                    self.say(&words);
                }
                Ok(())
            }
            Ok(Progress::Through(mut rest)) => {
                self.state = State::Through;
                let result = if rest.is_empty() { Ok(()) } else { self.inner.receive(&mut rest) };
                self.pass_on();
                result
            }
            Err(problem) => Err(self.fail(problem)),
        }
    }
}

impl Session for Through {
    fn decrypt(&mut self, ciphertext: &mut [u8]) -> (Range<usize>, Result<(), TlsError>) {
        let Some(outer) = &mut self.outer else {
            if self.is_through() {
                return self.inner.decrypt(ciphertext);
            }
            return (0..0, self.take(ciphertext.to_vec()));
        };
        let result = outer.receive(ciphertext);
        let mut plaintext = Vec::new();
        while outer.plaintext_len() > 0 {
            let part = outer.plaintext();
            let length = part.len();
            plaintext.extend_from_slice(part);
            outer.consume(length);
        }
        let taken = if plaintext.is_empty() { Ok(()) } else { self.take(plaintext) };
        (0..0, taken.and(result))
    }

    fn keep(&mut self, plaintext: &[u8]) {
        self.inner.keep(plaintext);
    }

    fn receive_end(&mut self) -> Result<(), TlsError> {
        match &self.state {
            State::Through => self.inner.receive_end(),
            State::Failed(error) => Err(error.clone()),
            State::Asking(_) => Err(self.fail(ViaProblem::Ended)),
        }
    }

    fn excuse_end(&mut self) {
        self.inner.excuse_end();
    }

    fn plaintext(&mut self) -> &[u8] {
        self.inner.plaintext()
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }

    fn plaintext_len(&self) -> usize {
        self.inner.plaintext_len()
    }

    fn is_finished(&mut self) -> bool {
        self.inner.is_finished()
    }

    fn send(&mut self, chunks: &[&[u8]]) {
        self.inner.send(chunks);
        self.pass_on();
    }

    fn send_end(&mut self) {
        self.inner.send_end();
        self.pass_on();
    }

    fn send_abort(&mut self) {
        self.inner.send_abort();
        self.pass_on();
    }

    fn pending(&mut self) -> &[u8] {
        match &mut self.outer {
            Some(outer) => outer.pending(),
            None if !self.out.is_empty() => self.out.as_slice(),
            None if matches!(self.state, State::Through) => self.inner.pending(),
            None => &[],
        }
    }

    fn written(&mut self, amount: usize) {
        match &mut self.outer {
            Some(outer) => outer.written(amount),
            None if !self.out.is_empty() => self.out.consume(amount),
            None => self.inner.written(amount),
        }
    }

    fn pending_len(&self) -> usize {
        match &self.outer {
            Some(outer) => outer.pending_len(),
            None if self.is_through() => self.out.len() + self.inner.pending_len(),
            None => self.out.len(),
        }
    }

    fn is_handshaking(&self) -> bool {
        !self.is_through() || self.inner.is_handshaking()
    }

    fn alpn(&self) -> Option<&[u8]> {
        self.inner.alpn()
    }

    fn export_keying_material(
        &self,
        out: &mut [u8],
        label: &[u8],
        context: Option<&[u8]>,
    ) -> Result<(), TlsError> {
        self.inner.export_keying_material(out, label, context)
    }

    fn held(&self) -> usize {
        self.out.held() + self.inner.held() + self.outer.as_ref().map_or(0, |outer| outer.held())
    }
}
