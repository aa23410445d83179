//! Local ports that always lead to one target.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, UdpSocket};
use tokio::time::interval;
use tracing::{debug, warn};
use wayleave_proto::base::Target;
use wayleave_proto::client::FlowError;
use wayleave_tokio::{Client, DatagramFlow};

use crate::datagrams::{Flows, LARGEST, receive};
use crate::rounds;
use crate::splice::Local;

/// Serves one connection to a forwarded port.
pub(crate) async fn stream(
    local: TcpStream,
    peer: SocketAddr,
    target: Target,
    rounds: rounds::Streams,
    client: Client,
) {
    let mut local = Local::new(local);
    let Some(opening) = rounds.begin() else {
        warn!(
            "a connection from {peer} was broken off: the forward to {target} seems to lead back to its own port"
        );
        let _ = local.stream().set_zero_linger();
        return;
    };
    let opened = local.open(&client, target).await;
    drop(opening);
    let result = match opened {
        Some(Ok(remote)) => local.splice_and_hear(remote, || rounds.clear()).await.map(|_| ()),
        // A reset is the only refusal that such a client can understand; its log line comes with the flow's end.
        Some(Err(_)) => local.stream().set_zero_linger(),
        None => Ok(()),
    };
    rounds.clear();
    if let Err(error) = result {
        debug!("the local client {peer} was cut off: {error}");
    }
}

/// Serves a forwarded UDP port for ever: one flow for each local address that sends to it.
pub(crate) async fn datagrams(socket: UdpSocket, target: Target, idle: Duration, client: Client) {
    let mut port = Port {
        socket: Arc::new(socket),
        target,
        idle,
        client,
        used: BTreeMap::new(),
        rounds: rounds::Datagrams::default(),
        flows: Flows::new(),
    };
    let mut datagram = vec![0; LARGEST];
    let mut ticks = interval(SWEEP);
    loop {
        tokio::select! {
            received = port.socket.recv_from(&mut datagram) => match received {
                Ok((count, from)) => port.on_datagram(from, &datagram[..count]),
                // Some systems report here that an earlier answer reached nobody.
                Err(error) => debug!("the socket of a forward: {error}"),
            },
            failed = port.flows.failed() => drop(port.used.remove(&failed)),
            _ = ticks.tick() => port.sweep(),
        }
    }
}

struct Port {
    socket: Arc<UdpSocket>,
    target: Target,
    /// How long a local address may be silent in both directions.
    idle: Duration,
    client: Client,
    flows: Flows<SocketAddr>,
    used: BTreeMap<SocketAddr, Arc<LastUse>>,
    rounds: rounds::Datagrams,
}

impl Port {
    fn on_datagram(&mut self, from: SocketAddr, payload: &[u8]) {
        let sent = match (self.flows.find(from), self.used.get(&from)) {
            (Some(flow), Some(used)) => {
                used.note();
                flow.send(payload)
            }
            _ if self.rounds.go_round(payload) => {
                return warn!(
                    "a datagram from {from} was dropped: the forward to {} seems to lead back to its own port",
                    self.target
                );
            }
            _ => self.open(from, payload),
        };
        if let Err(error) = sent {
            debug!("a datagram from {from} was dropped: {error}");
        }
    }

    fn open(&mut self, from: SocketAddr, payload: &[u8]) -> Result<(), FlowError> {
        if self.used.len() >= SENDERS {
            let oldest = self.used.iter().min_by_key(|(_, used)| used.at()).map(|(from, _)| *from);
            oldest.into_iter().for_each(|from| self.close(from));
        }
        let flow = self.client.datagrams(self.target.clone())?;
        let sent = flow.send(payload);
        let used = Arc::new(LastUse::now());
        self.used.insert(from, Arc::clone(&used));
        let socket = Arc::clone(&self.socket);
        self.flows.insert(from, flow, |flow| pump(socket, flow, from, used));
        sent
    }

    fn sweep(&mut self) {
        let idle: Vec<SocketAddr> = self
            .used
            .iter()
            .filter(|(_, used)| used.at().elapsed() >= self.idle)
            .map(|(from, _)| *from)
            .collect();
        idle.into_iter().for_each(|from| self.close(from));
    }

    fn close(&mut self, from: SocketAddr) {
        self.used.remove(&from);
        self.flows.close(from);
    }
}

/// When a flow was last used, in either direction.
#[derive(Debug)]
struct LastUse(Mutex<Instant>);

impl LastUse {
    fn now() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings back what comes for one local address until its flow fails.
async fn pump(
    socket: Arc<UdpSocket>,
    flow: Arc<DatagramFlow>,
    to: SocketAddr,
    used: Arc<LastUse>,
) -> FlowError {
    let mut answer = Vec::new();
    loop {
        let received = receive(&flow, |payload| {
            answer.clear();
            answer.extend_from_slice(payload);
        });
        if let Err(error) = received.await {
            return error;
        }
        used.note();
        // An answer that cannot be sent is lost, as datagrams are.
        drop(socket.send_to(&answer, to).await);
    }
}

/// How many local addresses a forward serves at once; one more takes the place of the one that was silent longest.
const SENDERS: usize = 1_024;
/// How often silent addresses are looked for.
const SWEEP: Duration = Duration::from_secs(10);
