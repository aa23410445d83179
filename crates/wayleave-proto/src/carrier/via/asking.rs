//! What is said to a proxy of the network, whatever it speaks, until the relay is at its other end.

use super::connect::Connect;
use super::socks::Socks;
use super::{Approach, ViaProblem};
use crate::base::Target;
use crate::config::{Via, ViaScheme};

/// The client's words to a proxy of the network: CONNECT with Basic or Digest, or SOCKS5.
///
/// It has no socket: what it gives is written to the proxy, inside of TLS where that is `https://`, and what comes from there is
/// handed to it. A client of the library does all of this by itself; this is for whoever looks at the proxy alone.
#[derive(Debug)]
pub struct Asking {
    via: Via,
    target: Target,
    state: State,
}

#[derive(Debug)]
enum State {
    Connect(Connect),
    Socks(Socks),
}

/// What came of what a proxy said.
#[derive(Debug)]
pub enum Progress {
    /// This is to be said, where it is anything; more has to come.
    Say(Vec<u8>),
    /// The relay is at the other end, and has said so much.
    Through(Vec<u8>),
}

impl Asking {
    /// Asks for `target`, with the first bytes to write.
    pub fn new(approach: Approach, target: Target) -> (Self, Vec<u8>) {
        let Approach { via, known, cnonce } = approach;
        let (state, first) = match via.scheme() {
            ViaScheme::Http | ViaScheme::Https => {
                let (connect, first) = Connect::new(&via, &target, known, cnonce);
                (State::Connect(connect), first)
            }
            ViaScheme::Socks5 => {
                let (socks, first) = Socks::new(&via);
                (State::Socks(socks), first)
            }
        };
        (Self { via, target, state }, first)
    }

    /// Takes what came from the proxy. Once the relay is at the other end there is nothing more to take.
    ///
    /// # Errors
    /// Why the proxy does not lead there; with [`ViaProblem::Challenged`] a new connection can answer what it asked.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Progress, ViaProblem> {
        match &mut self.state {
            State::Connect(connect) => connect.receive(&self.via, &self.target, bytes),
            State::Socks(socks) => socks.receive(&self.via, &self.target, bytes),
        }
    }
}
