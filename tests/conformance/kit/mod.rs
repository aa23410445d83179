//! What the suite asks of a runtime: a client and a relay that block, so that a behaviour reads from top to bottom.

pub(crate) mod futures;
pub(crate) mod std;
pub(crate) mod tokio;

use ::std::io::{self, IoSlice, IoSliceMut, Read, Write};
use ::std::net::SocketAddr;
use ::std::sync::mpsc::Receiver;
use ::std::sync::{Arc, Mutex};
use ::std::time::Duration;

use wayleave_drive::{self as drive, Resolver, Runtime};
use wayleave_proto::auth::{Credential, Revoked, TokenError, Verdict};
use wayleave_proto::base::{Kind, Network, Route, Target};
use wayleave_proto::client::{DatagramStats, Event, FlowError};
use wayleave_proto::config::{ClientConfig, RelayConfig, Valid};
use wayleave_proto::relay::{self, TunnelId};

/// A runtime that clients can run on.
pub(crate) trait ClientKit {
    fn client(config: Valid<ClientConfig>) -> Box<dyn Client>;

    /// A client that asks `resolver` for names, and not the platform.
    fn client_asking(config: Valid<ClientConfig>, resolver: Arc<dyn Resolver>) -> Box<dyn Client>;
}

/// A runtime that relays can run on.
pub(crate) trait RelayKit {
    /// Serves in the background on a port of its own.
    /// `verifier` answers at once what it has an answer to.
    fn serve(config: Valid<RelayConfig>, verifier: Verifier) -> Served;
}

/// A client, as a thread sees it.
pub(crate) trait Client: Send + Sync {
    /// Opens a stream; `None` means that it was not open in time, and that the attempt was dropped.
    fn connect_within(&self, target: Target, patience: Duration) -> Option<Result<Stream, FlowError>>;

    /// Opens a stream.
    fn connect(&self, target: Target) -> Result<Stream, FlowError> {
        self.connect_within(target, PATIENCE).expect("an answer in time")
    }

    /// Opens a stream as the adapter does it that is to give up after `timeout`.
    fn connect_timeout(&self, target: Target, timeout: Duration) -> Result<(), FlowError>;

    /// Opens a stream that several threads use at once.
    fn share(&self, target: Target) -> Arc<dyn Shared>;

    fn datagrams(&self, target: Target) -> Result<Box<dyn Datagrams>, FlowError>;

    fn associate(&self) -> Result<Box<dyn Association>, FlowError>;

    /// Ends the client when everything is delivered, or after `linger`; the answer is how much was cut off.
    fn drain(&self, linger: Duration) -> usize;

    /// The next event; `None` when none came in time or the client is over.
    fn event(&self, patience: Duration) -> Option<Event>;

    /// What is the same on every runtime.
    fn verbs(&self) -> &dyn Verbs;
}

/// The part of a client that never waits.
pub(crate) trait Verbs {
    fn renew(&self, credential: Credential);
    fn network_changed(&self, network: Network);
    fn retry_direct(&self, kind: Kind);
    fn route(&self, kind: Kind) -> Route;
    fn close(&self);
}

/// A stream, as several threads see it.
pub(crate) trait Shared: Send + Sync {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
    fn finish(&self);
    fn reset(&self);
}

/// A stream in its two halves.
pub(crate) struct Stream {
    pub(crate) reader: Box<dyn Read + Send>,
    pub(crate) writer: Box<dyn Writer>,
    pub(crate) route: Option<Route>,
}

/// The application's half of a stream.
pub(crate) trait Writer: Write + Send {
    /// Ends it.
    fn finish(&mut self) -> io::Result<()>;
}

/// Datagram flows that share a port, as a thread sees them.
pub(crate) trait Association: Send + Sync {
    fn datagrams(&self, target: Target) -> Result<Box<dyn Datagrams>, FlowError>;

    /// The next datagram of a stranger, and who that is.
    fn stray(&self) -> (Vec<u8>, SocketAddr);
}

/// A datagram flow, as a thread sees it.
pub(crate) trait Datagrams: Send + Sync {
    fn send(&self, payload: &[u8]) -> Result<(), FlowError>;

    /// The next datagram; `None` when none came in time.
    fn recv_within(&self, patience: Duration) -> io::Result<Option<Vec<u8>>>;

    /// The next datagram.
    fn recv(&self) -> io::Result<Vec<u8>> {
        self.recv_within(PATIENCE).map(|datagram| datagram.expect("a datagram in time"))
    }

    /// Sends several in one go.
    fn send_many(&self, payloads: &[IoSlice<'_>]) -> Result<usize, FlowError>;

    /// Sends one when there is room for it; `false` when there was none in time.
    fn send_wait_within(&self, payload: &[u8], patience: Duration) -> io::Result<bool>;

    /// The next datagram, where it is there already.
    fn try_recv(&self) -> io::Result<Option<Vec<u8>>>;

    /// At most so many datagrams in one go.
    fn recv_many(&self, most: usize) -> io::Result<Vec<Vec<u8>>>;

    /// Which way the flow goes, once it is open.
    fn ready(&self) -> io::Result<Route>;

    fn largest(&self) -> usize;

    fn target(&self) -> Target;

    fn route(&self) -> Option<Route>;

    fn stats(&self) -> DatagramStats;
}

/// Receives at most so many datagrams with `recv`, which takes their buffers and their lengths.
pub(crate) fn batch(
    most: usize,
    recv: impl FnOnce(&mut [IoSliceMut<'_>], &mut [usize]) -> io::Result<usize>,
) -> io::Result<Vec<Vec<u8>>> {
    let (mut room, mut lengths) = (vec![vec![0; LARGEST]; most], vec![0; most]);
    let mut buffers: Vec<_> = room.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
    let count = recv(&mut buffers, &mut lengths)?;
    room.truncate(count);
    room.iter_mut().zip(lengths).for_each(|(buffer, length)| buffer.truncate(length));
    Ok(room)
}

/// What an embedder answers at once to an event of a relay; `None` where it was no question.
pub(crate) type Verifier = fn(&relay::Event) -> Option<Result<Verdict, TokenError>>;

/// A relay that serves in the background. It is closed when this is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Box<dyn Handle>,
    pub(crate) events: Arc<Mutex<Vec<relay::Event>>>,
    /// Disconnected when the relay has stopped serving.
    pub(crate) over: Receiver<()>,
    /// Ends the task that serves as a runtime does, without asking; `None` where only a thread serves.
    pub(crate) abort: Option<Box<dyn Fn() + Send + Sync>>,
}

/// A way to speak to a relay while it serves.
pub(crate) trait Handle: Send + Sync {
    fn drain(&self);
    fn close(&self);
    fn stats(&self) -> relay::Stats;
    fn revoke(&self, revoked: Revoked) -> usize;
    fn verified(&self, tunnel: TunnelId, answer: Result<Verdict, TokenError>);
}

/// The verbs have the same names on every runtime.
macro_rules! verbs {
    ($($client:ty,)+) => {
        $(impl Verbs for $client {
            fn renew(&self, credential: Credential) {
                self.renew(credential);
            }

            fn network_changed(&self, network: Network) {
                self.network_changed(network);
            }

            fn retry_direct(&self, kind: Kind) {
                self.retry_direct(Some(kind));
            }

            fn route(&self, kind: Kind) -> Route {
                self.route(kind)
            }

            fn close(&self) {
                self.close();
            }
        })+
    };
}

verbs! {
    wayleave_async_io::Client,
    wayleave_std::Client,
    wayleave_tokio::Client,
}

impl<R: Runtime> Handle for drive::RelayHandle<R> {
    fn drain(&self) {
        self.drain();
    }

    fn close(&self) {
        self.close();
    }

    fn stats(&self) -> relay::Stats {
        self.stats()
    }

    fn revoke(&self, revoked: Revoked) -> usize {
        self.revoke(revoked).unwrap()
    }

    fn verified(&self, tunnel: TunnelId, answer: Result<Verdict, TokenError>) {
        self.verified(tunnel, answer);
    }
}

impl Served {
    pub(crate) fn stats(&self) -> relay::Stats {
        self.handle.stats()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// What a half that made no progress says.
fn stuck() -> io::Error {
    io::Error::other("nothing moved for too long")
}

/// How long a behaviour waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Larger than any datagram.
const LARGEST: usize = 65_536;

/// Relays are served on several threads where that can be: what one relay promises, several machines promise together.
pub(crate) const fn threads() -> usize {
    if cfg!(target_os = "linux") { 3 } else { 1 }
}
