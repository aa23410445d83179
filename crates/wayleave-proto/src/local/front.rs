//! One local connection, from its first byte until it is a tunnel.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::VecDeque;

use zeroize::{Zeroize, Zeroizing};

use super::http::{self, HttpFault, Wish};
use super::{FrontConfig, HttpRequest, Refusal};
use crate::base::Target;
use crate::codec::h1::HeadReader;
use crate::codec::socks::{self, Method, Reply, Request, SocksError};

/// What the caller has to do for a local connection, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrontOutput {
    /// Write these bytes to the client.
    Write(Vec<u8>),
    /// Open a stream to this target, and answer once with [`Front::answer`].
    Open(Target),
    /// Bind a UDP socket for the client, and answer once with [`Front::associated`] or [`Front::answer`]. The address
    /// is the one from which the client says it will send; what is unspecified or zero in it is open.
    Associate(SocketAddr),
    /// Forward this request with an [`Exchange`](super::Exchange), and go on with [`Front::resume`] where that allows it.
    Forward(HttpRequest),
    /// Write what was asked for before, end the sending half, read and drop what still comes for a moment, then close
    /// the connection. This is the last output.
    Close(FrontFault),
}

/// Why a local connection did not become a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrontFault {
    /// The first byte belongs to nothing that is spoken here.
    #[error("the first byte {0:#04x} is neither SOCKS5 nor HTTP; this port speaks both, without TLS")]
    FirstByte(u8),
    /// The HTTP request was refused.
    #[error("{0}")]
    Http(HttpFault),
    /// The client offers no method of proving who it is that is accepted here.
    #[error(
        "the SOCKS5 client offers no accepted method; check whether it is given a user name and a password"
    )]
    NoMethod,
    /// The user name or the password is wrong.
    #[error("the SOCKS5 client gave a wrong user name or password")]
    Password,
    /// The flow could not be opened.
    #[error("{0}")]
    Refused(Refusal),
    /// The client broke the rules of SOCKS5, or asked for what is not served.
    #[error("SOCKS5: {0}")]
    Socks(SocksError),
    /// The client speaks SOCKS4.
    #[error("the client speaks SOCKS4; set it to SOCKS5 (in a URL: socks5h://)")]
    Socks4,
}

/// One accepted local connection until it becomes a tunnel: SOCKS5 and HTTP, told apart by the first byte. HTTP clients ask
/// for a tunnel with CONNECT, or for one `http://` page after the other.
///
/// Lend it what the client sends ([`handle_received`](Self::handle_received)), do what
/// [`poll_output`](Self::poll_output) says, and answer what it asks for. It holds at most one message or one head
/// ([`FrontConfig::head_limit`] bytes) and a handful of outputs. It keeps no time: a connection that is no tunnel
/// after a while is the caller's to drop.
pub struct Front {
    config: FrontConfig,
    state: State,
    /// What has come of a message of SOCKS5.
    held: Vec<u8>,
    head: HeadReader,
    outputs: VecDeque<FrontOutput>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has come.
    Fresh,
    /// SOCKS5: the methods that the client offers.
    Greeting,
    /// SOCKS5: the user name and the password.
    Password,
    /// SOCKS5: what the client asks for.
    Request,
    /// HTTP: the head of the request.
    Head,
    /// HTTP: a request is being forwarded.
    Forwarding,
    /// A stream is being opened.
    Opening(Dialect),
    /// A UDP socket is being bound.
    Associating,
    /// Every further byte belongs to the stream.
    Tunnel,
    /// The connection only says how long the association lives.
    Association,
    /// The last output is out.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Http,
    Socks,
}

impl Front {
    /// A connection that was just accepted.
    pub fn new(config: &FrontConfig) -> Self {
        Self {
            config: config.clone(),
            state: State::Fresh,
            held: Vec::new(),
            head: HeadReader::new(http::limits(config)),
            outputs: VecDeque::new(),
        }
    }

    /// Takes bytes from the client; returns how many of them it used.
    ///
    /// The others stand behind the request: the caller keeps them. Once this is a tunnel they are its first bytes; if
    /// it closes instead they are dropped. While the answer is awaited, or a request is forwarded, nothing is used. What comes on the connection
    /// of an association, or after the end, is used and ignored.
    pub fn handle_received(&mut self, data: &[u8]) -> usize {
        // One byte after the other, so that the result cannot depend on how they arrive.
        for (used, &byte) in data.iter().enumerate() {
            match self.state {
                State::Forwarding | State::Opening(_) | State::Associating | State::Tunnel => return used,
                State::Association | State::Closed => return data.len(),
                State::Fresh => self.on_first(byte),
                State::Head => self.on_head(byte),
                State::Greeting => self.on_message(byte, Self::on_greeting),
                State::Password => self.on_message(byte, Self::on_password),
                State::Request => self.on_message(byte, Self::on_request),
            }
        }
        data.len()
    }

    /// The next thing to do, `None` when there is nothing.
    pub fn poll_output(&mut self) -> Option<FrontOutput> {
        self.outputs.pop_front()
    }

    /// Answers [`FrontOutput::Open`], or refuses [`FrontOutput::Associate`].
    ///
    /// `Ok` names the local address of the stream, `0.0.0.0:0` where that is not known. An answer that nobody waits
    /// for is ignored.
    pub fn answer(&mut self, result: Result<SocketAddr, Refusal>) {
        match (self.state, result) {
            (State::Opening(Dialect::Socks), Ok(bound)) => {
                self.become_ready(State::Tunnel, socks_reply(Reply::Succeeded, bound));
            }
            (State::Opening(Dialect::Http), Ok(_)) => {
                self.become_ready(State::Tunnel, http::ESTABLISHED.to_vec())
            }
            (State::Opening(Dialect::Http), Err(refusal)) => {
                self.close(http::refusal(refusal), FrontFault::Refused(refusal));
            }
            (State::Opening(Dialect::Socks) | State::Associating, Err(refusal)) => {
                self.close(socks_reply(refusal.reply(), NO_ADDRESS), FrontFault::Refused(refusal));
            }
            _ => {}
        }
    }

    /// Answers [`FrontOutput::Associate`]: the client is to send its datagrams to `address`, which must be one that
    /// it can reach. An answer that nobody waits for is ignored.
    pub fn associated(&mut self, address: SocketAddr) {
        if self.state == State::Associating {
            self.become_ready(State::Association, socks_reply(Reply::Succeeded, address));
        }
    }

    /// The request that was forwarded has its answer, and the client may ask for more. Ignored where none was.
    pub fn resume(&mut self) {
        if self.state == State::Forwarding {
            self.state = State::Head;
        }
    }

    /// Whether every further byte, in both directions, belongs to the stream.
    pub fn is_tunnel(&self) -> bool {
        self.state == State::Tunnel
    }

    /// Whether this is the connection of an association, which ends when the connection does
    /// ([RFC 1928 §6](https://www.rfc-editor.org/rfc/rfc1928#section-6)).
    pub fn is_association(&self) -> bool {
        self.state == State::Association
    }

    /// Whether the last output was given or is waiting.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    fn on_first(&mut self, byte: u8) {
        match byte {
            4 => self.close(socks::SOCKS4_REFUSAL.to_vec(), FrontFault::Socks4),
            5 => {
                self.held.push(byte);
                self.state = State::Greeting;
            }
            // An empty line may stand before a request, RFC 9112 §2.2.
            b'A'..=b'Z' | b'a'..=b'z' | b'\r' => {
                self.state = State::Head;
                self.on_head(byte);
            }
            _ => self.close(Vec::new(), FrontFault::FirstByte(byte)),
        }
    }

    fn on_message(&mut self, byte: u8, read: impl FnOnce(&mut Self)) {
        self.held.push(byte);
        read(self);
    }

    fn on_greeting(&mut self) {
        let wanted = if self.config.password.is_some() { Method::Password } else { Method::None };
        match socks::parse_greeting(&self.held) {
            Ok((offered, _)) if offered.contains(&wanted.code()) => {
                self.proceed(match wanted {
                    Method::None => State::Request,
                    Method::Password => State::Password,
                });
                self.write(socks::method_answer(Some(wanted)).to_vec());
            }
            Ok(_) => self.close(socks::method_answer(None).to_vec(), FrontFault::NoMethod),
            Err(error) => self.on_error(error),
        }
    }

    fn on_password(&mut self) {
        match socks::parse_credentials(&self.held) {
            Ok((given, _)) if self.config.admits(given.user, given.password) => {
                self.proceed(State::Request);
                self.write(socks::credentials_answer(true).to_vec());
            }
            Ok(_) => self.close(socks::credentials_answer(false).to_vec(), FrontFault::Password),
            Err(error) => self.on_error(error),
        }
    }

    fn on_request(&mut self) {
        match socks::parse_request(&self.held) {
            Ok((Request::Connect(target), _)) => {
                self.proceed(State::Opening(Dialect::Socks));
                self.outputs.push_back(FrontOutput::Open(target));
            }
            Ok((Request::Associate(sender), _)) => {
                self.proceed(State::Associating);
                self.outputs.push_back(FrontOutput::Associate(sender));
            }
            Err(error) => self.on_error(error),
        }
    }

    fn on_error(&mut self, error: SocksError) {
        if error != SocksError::Truncated {
            let answer = error.reply().map(|reply| socks_reply(reply, NO_ADDRESS));
            self.close(answer.unwrap_or_default(), FrontFault::Socks(error));
        }
    }

    fn on_head(&mut self, byte: u8) {
        let read = match self.head.push(&[byte]) {
            Ok(progress) if !progress.complete => return,
            Ok(_) => http::read(&Zeroizing::new(self.head.take()), &self.config),
            Err(error) => Err(error.reason.into()),
        };
        match read {
            Ok(Wish::Connect(target)) => {
                self.proceed(State::Opening(Dialect::Http));
                self.outputs.push_back(FrontOutput::Open(target));
            }
            Ok(Wish::Forward(request)) => {
                self.proceed(State::Forwarding);
                self.outputs.push_back(FrontOutput::Forward(request));
            }
            Err(fault) => self.close(fault.answer(), FrontFault::Http(fault)),
        }
    }

    /// Forgets the message that was read, which may hold a password, and expects the next.
    fn proceed(&mut self, next: State) {
        self.held.zeroize();
        self.state = next;
    }

    /// Nothing more has to be read: says so to the client, and lets the memory go.
    fn become_ready(&mut self, state: State, answer: Vec<u8>) {
        self.proceed(state);
        self.held = Vec::new();
        self.write(answer);
    }

    fn close(&mut self, answer: Vec<u8>, fault: FrontFault) {
        self.become_ready(State::Closed, answer);
        self.outputs.push_back(FrontOutput::Close(fault));
    }

    fn write(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.outputs.push_back(FrontOutput::Write(bytes));
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.held.zeroize();
        self.head.take().zeroize();
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is held may be a password.
        f.debug_struct("Front").field("state", &self.state).finish_non_exhaustive()
    }
}

fn socks_reply(reply: Reply, bound: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::new();
    socks::reply(reply, bound, &mut bytes);
    bytes
}

const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
