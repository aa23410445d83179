//! The agent: its ports, and the tasks behind them.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use wayleave_link::Watching;
use wayleave_proto::base::{Kind, Target};
use wayleave_proto::local::{AssociationConfig, FrontConfig};
use wayleave_tokio::{Client, Events};

use crate::{AgentConfig, AgentError, door, forward, listen, rounds, token};

/// Local ports that are served, and the client behind them. Dropping it ends it: its ports close, and what is open breaks off.
///
/// ```
/// # use std::time::Duration;
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # use tokio::net::{TcpListener, TcpStream};
/// # use wayleave_agent::{Agent, AgentConfig};
/// # use wayleave_tokio::ClientConfig;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TcpListener::bind("127.0.0.1:0").await?;
/// let mut config = AgentConfig::new(ClientConfig::direct().build()?); // no relay, for once
/// config.forwards.push(format!("tcp:127.0.0.1:0={}", server.local_addr()?).parse()?);
/// let agent = Agent::start(config).await?;
///
/// let mut program = TcpStream::connect(agent.doors()[0].address).await?;
/// program.write_all(b"hello").await?;
/// let (mut served, _) = server.accept().await?;
/// served.read_exact(&mut [0; 5]).await?;
/// agent.close(Duration::from_secs(1)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an agent ends when it is dropped"]
pub struct Agent {
    client: Client,
    doors: Vec<Door>,
    tasks: JoinSet<()>,
    /// Has the token's file read.
    again: Option<Arc<Notify>>,
    _watching: Option<Watching>,
}

/// A local port that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Door {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it leads.
    pub leads: Leads,
}

/// Where a local port leads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leads {
    /// To whatever a client of SOCKS5 or HTTP names.
    Anywhere,
    /// To one target.
    To(Kind, Target),
}

impl Agent {
    /// Opens all ports and serves them, on the runtime in which it is awaited.
    ///
    /// # Errors
    /// What is wrong in `config`, or why a port cannot be opened; then none is.
    ///
    /// # Panics
    /// In a runtime without its drivers: `enable_all` of [`tokio::runtime::Builder`] gives them.
    pub async fn start(config: AgentConfig) -> Result<Self, AgentError> {
        config.check()?;
        let listeners = Listeners::open(&config).await?;
        let client = Client::new(config.client);
        let watching = config.underlay.map(|seen| {
            let client = client.clone();
            wayleave_link::watch(seen, move |network| client.network_changed(network))
        });
        let watching = watching.transpose().map_err(AgentError::Watch)?;
        let mut tasks = JoinSet::new();
        let again = match config.token_file {
            Some(file) => {
                let again = Arc::new(Notify::new());
                let file = file.follow().map_err(AgentError::TokenFile)?;
                tasks.spawn(token::watch(file, client.clone(), Arc::clone(&again)));
                Some(again)
            }
            None => None,
        };
        let doors = listeners.serve(&config.front, config.associations, &client, &mut tasks);
        Ok(Self { client, doors, tasks, again, _watching: watching })
    }

    /// The ports: front doors in the order of their configuration, then forwards of streams, then those of datagrams.
    pub fn doors(&self) -> &[Door] {
        &self.doors
    }

    /// The client behind the ports; flows of the program itself can be opened by it too.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// What happens from now on; the first caller, here and at [`Self::client`], also gets what happened before.
    pub fn events(&self) -> Events {
        self.client.events()
    }

    /// Has the token's file read at once, as after a signal. Whether there is one.
    pub fn read_token(&self) -> bool {
        self.again.iter().for_each(|again| again.notify_one());
        self.again.is_some()
    }

    /// Closes the ports and breaks off what local clients have open, and waits until what they wrote before is delivered, at
    /// most for `linger`. The answer is how many flows the end of `linger` cut off. [`Self::events`] end then.
    pub async fn close(mut self, linger: Duration) -> usize {
        // Every task lets go of its flows.
        self.tasks.shutdown().await;
        self.client.drain(linger).await
    }
}

/// As one says it behind "listening on": `127.0.0.1:5004 for udp media.example:5004`.
impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.leads {
            Leads::Anywhere => self.address.fmt(f),
            Leads::To(Kind::Datagram, target) => write!(f, "{} for udp {target}", self.address),
            Leads::To(Kind::Stream, target) => write!(f, "{} for tcp {target}", self.address),
        }
    }
}

/// The local ports, open but not served yet.
struct Listeners {
    fronts: Vec<(TcpListener, SocketAddr)>,
    streams: Vec<(TcpListener, SocketAddr, Target)>,
    datagrams: Vec<(UdpSocket, SocketAddr, Target)>,
}

impl Listeners {
    async fn open(config: &AgentConfig) -> Result<Self, AgentError> {
        let mut listeners = Self { fronts: Vec::new(), streams: Vec::new(), datagrams: Vec::new() };
        for address in &config.listen {
            listeners.fronts.push(tcp(*address).await?);
        }
        for forward in &config.forwards {
            let target = forward.target.clone();
            match forward.kind {
                Kind::Datagram => {
                    let (socket, address) = udp(forward.listen).await?;
                    listeners.datagrams.push((socket, address, target));
                }
                Kind::Stream => {
                    let (listener, address) = tcp(forward.listen).await?;
                    listeners.streams.push((listener, address, target));
                }
            }
        }
        Ok(listeners)
    }

    fn serve(
        self,
        front: &FrontConfig,
        associations: AssociationConfig,
        client: &Client,
        tasks: &mut JoinSet<()>,
    ) -> Vec<Door> {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut doors = Vec::new();
        for (listener, address) in self.fronts {
            doors.push(Door { address, leads: Leads::Anywhere });
            let (client, front) = (client.clone(), front.clone());
            tasks.spawn(listen::accept(listener, Arc::clone(&places), move |stream, peer| {
                door::serve(stream, peer, front.clone(), associations, client.clone())
            }));
        }
        for (listener, address, target) in self.streams {
            doors.push(Door { address, leads: Leads::To(Kind::Stream, target.clone()) });
            let (client, rounds) = (client.clone(), rounds::Streams::default());
            tasks.spawn(listen::accept(listener, Arc::clone(&places), move |stream, peer| {
                forward::stream(stream, peer, target.clone(), rounds.clone(), client.clone())
            }));
        }
        for (socket, address, target) in self.datagrams {
            doors.push(Door { address, leads: Leads::To(Kind::Datagram, target.clone()) });
            tasks.spawn(forward::datagrams(socket, target, associations.idle, client.clone()));
        }
        doors
    }
}

/// Listens for connections at `address`, and says where that is.
async fn tcp(address: SocketAddr) -> Result<(TcpListener, SocketAddr), AgentError> {
    let bound = TcpListener::bind(address).await;
    let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
    bound.map(|(local, listener)| (listener, local)).map_err(|error| failed(address, error))
}

/// Receives datagrams at `address`, and says where that is.
async fn udp(address: SocketAddr) -> Result<(UdpSocket, SocketAddr), AgentError> {
    let bound = UdpSocket::bind(address).await;
    let bound = bound.and_then(|socket| Ok((socket.local_addr()?, socket)));
    bound.map(|(local, socket)| (socket, local)).map_err(|error| failed(address, error))
}

const fn failed(address: SocketAddr, error: io::Error) -> AgentError {
    AgentError::Listen { address, error }
}

/// Local connections at once, over all ports; more wait until one ends.
const CONNECTIONS: usize = 16_384;
