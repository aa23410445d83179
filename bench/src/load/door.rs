//! How a tunnel is opened at each kind of relay.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;

/// What a relay wants to hear before it forwards, and how to read its answer.
#[derive(Clone, Debug)]
pub enum Door {
    /// HTTP CONNECT; the second is a field line for the head, or empty.
    Connect(String),
    /// CONNECT-UDP over HTTP/1.1 (RFC 9298 §3.2); the second is a field line for the head, or empty.
    ConnectUdp(String),
    /// Nothing: the relay has one target.
    Fixed,
    /// SOCKS5 without authentication (RFC 1928).
    Socks,
    /// TURN over UDP without authentication (RFC 8656), with a channel for each flow.
    Turn,
}

/// Where a relay is reached, and how.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// Its address.
    pub address: SocketAddr,
    /// The door there.
    pub door: Door,
    /// TLS, when it has it.
    pub tls: Option<Arc<ClientConfig>>,
}

/// One question to the relay.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is sent.
    pub sends: Vec<u8>,
    /// What the answer looks like.
    pub expects: Answer,
}

/// How an answer is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A head of HTTP/1.1 with this status.
    Head(&'static str),
    /// This many bytes, of which the second is this.
    Bytes(usize, u8),
}

impl Door {
    /// What is said to reach `target`, in order.
    pub fn steps(&self, target: SocketAddr) -> Vec<Step> {
        match self {
            Self::Fixed | Self::Turn => Vec::new(),
            Self::Connect(field) => vec![Step {
                sends: format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{field}\r\n").into_bytes(),
                expects: Answer::Head("200"),
            }],
            Self::ConnectUdp(field) => {
                let (host, port) = (target.ip(), target.port());
                let head = format!(
                    "GET /.well-known/masque/udp/{host}/{port}/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
                     Upgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n{field}\r\n"
                );
                vec![Step { sends: head.into_bytes(), expects: Answer::Head("101") }]
            }
            Self::Socks => {
                let SocketAddr::V4(target) = target else { return Vec::new() };
                let mut request = vec![5, 1, 0, 1];
                request.extend(target.ip().octets());
                request.extend(target.port().to_be_bytes());
                vec![
                    Step { sends: vec![5, 1, 0], expects: Answer::Bytes(2, 0) },
                    Step { sends: request, expects: Answer::Bytes(10, 0) },
                ]
            }
        }
    }
}

impl Answer {
    /// Where the answer at the front of `bytes` ends; `None` when it is not whole.
    ///
    /// # Errors
    /// It is another answer than the one that was hoped for.
    pub fn end(self, bytes: &[u8]) -> Result<Option<usize>, String> {
        match self {
            Self::Head(status) => {
                let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
                    return Ok(None);
                };
                if bytes.get(9..12) == Some(status.as_bytes()) {
                    return Ok(Some(end + 4));
                }
                Err(format!("the relay answered: {}", String::from_utf8_lossy(&bytes[..end])))
            }
            Self::Bytes(count, code) => match bytes.get(..count) {
                None => Ok(None),
                Some(answer) if answer.get(1) == Some(&code) => Ok(Some(count)),
                Some(answer) => Err(format!("the relay answered: {answer:?}")),
            },
        }
    }
}
