//! One SOCKS5 UDP association.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as StdInstant};

use tokio::net::{TcpStream, UdpSocket};
use tokio::task::AbortHandle;
use tokio::time::{interval, timeout};
use tracing::debug;
use wayleave_proto::base::{Instant, Target};
use wayleave_proto::client::FlowError;
use wayleave_proto::local::{self, Front, Inbound, Refusal};
use wayleave_tokio::{Association, Client, DatagramFlow};

use crate::datagrams::{Flows, LARGEST, receive};
use crate::door::flush;
use crate::refusal::refusal;
use crate::splice::Local;

/// Serves an association until its TCP connection ends.
pub(crate) async fn serve(
    mut local: Local,
    mut front: Front,
    association: local::Association<u64>,
    client: Client,
) -> io::Result<()> {
    let bound = bind(local.stream()).await;
    match &bound {
        Ok((_, address)) => front.associated(*address),
        Err(error) => {
            debug!("no UDP socket for an association: {error}");
            front.answer(Err(Refusal::GeneralFailure));
        }
    }
    timeout(ANSWER, flush(&mut front, local.stream())).await??;
    let Ok((socket, _)) = bound else { return Ok(()) };
    let books = Arc::new(Books::new(socket, association));
    let mut session = Session { books, client, ports: BTreeMap::new(), flows: Flows::new(), next: 0 };
    session.run(&mut local).await
}

/// A UDP socket on the address that the client reached by TCP: it can reach that one.
async fn bind(local: &TcpStream) -> io::Result<(UdpSocket, SocketAddr)> {
    let mut address = local.local_addr()?;
    address.set_port(0);
    if address.ip().to_canonical().is_ipv4() {
        address.set_ip(address.ip().to_canonical());
    }
    let socket = UdpSocket::bind(address).await?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// What the tasks of an association share.
#[derive(Debug)]
struct Books {
    socket: UdpSocket,
    association: Mutex<local::Association<u64>>,
    start: StdInstant,
}

impl Books {
    fn new(socket: UdpSocket, association: local::Association<u64>) -> Self {
        Self { socket, association: Mutex::new(association), start: StdInstant::now() }
    }

    fn lock(&self) -> MutexGuard<'_, local::Association<u64>> {
        self.association.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

struct Session {
    books: Arc<Books>,
    client: Client,
    /// What each port of the client speaks from: directly its flows share one port, as its own socket has one.
    ports: BTreeMap<SocketAddr, Port>,
    flows: Flows<u64>,
    next: u64,
}

impl Session {
    async fn run(&mut self, local: &mut Local) -> io::Result<()> {
        let mut datagram = vec![0; LARGEST];
        let mut ticks = interval(SWEEP);
        loop {
            let books = &*self.books;
            tokio::select! {
                read = local.read_ahead() => {
                    read?;
                    // What comes on this connection means nothing; its end is the end.
                    local.drop_ahead(local.ahead().len());
                    if local.is_ended() {
                        return Ok(());
                    }
                }
                received = books.socket.recv_from(&mut datagram) => match received {
                    Ok((count, from)) => self.on_datagram(from, &datagram[..count]),
                    // Some systems report here that an earlier answer reached nobody.
                    Err(error) => debug!("the socket of an association: {error}"),
                },
                failed = self.flows.failed() => {
                    self.books.lock().remove(failed);
                }
                _ = ticks.tick() => {
                    self.sweep();
                    self.sweep_ports();
                }
            }
        }
    }

    fn on_datagram(&mut self, from: SocketAddr, datagram: &[u8]) {
        let now = self.books.now();
        let inbound = self.books.lock().handle_datagram(now, from, datagram);
        let sent = match inbound {
            Ok(Inbound::Known { flow, payload }) => self.flows.find(flow).map(|flow| flow.send(payload)),
            Ok(Inbound::New { target, payload }) => Some(self.open(from, target.clone()).and_then(|flow| {
                let sent = flow.send(payload);
                let key = self.next;
                self.next += 1;
                if let Some(evicted) = self.books.lock().insert(now, from, target, key) {
                    self.flows.close(evicted);
                }
                let books = Arc::clone(&self.books);
                self.flows.insert(key, flow, |flow| pump(books, flow, key));
                sent
            })),
            Err(error) => return debug!("a datagram from {from} was dropped: {error}"),
        };
        if let Some(Err(error)) = sent {
            debug!("a datagram from {from} was dropped: {error} ({})", refusal(&error));
        }
    }

    /// Opens a flow for a port of the client.
    fn open(&mut self, from: SocketAddr, target: Target) -> Result<DatagramFlow, FlowError> {
        if let Some(port) = self.ports.get(&from) {
            return port.association.datagrams(target);
        }
        if self.ports.len() >= PORTS {
            self.sweep_ports();
        }
        let association = Arc::new(self.client.associate()?);
        let flow = association.datagrams(target)?;
        let task = tokio::spawn(listen(Arc::clone(&self.books), Arc::clone(&association), from));
        self.ports.insert(from, Port { association, task: task.abort_handle() });
        Ok(flow)
    }

    fn sweep(&mut self) {
        let now = self.books.now();
        loop {
            let Some(idle) = self.books.lock().pop_idle(now) else { return };
            self.flows.close(idle);
        }
    }

    /// Forgets the ports of the client that speak with nobody any more.
    fn sweep_ports(&mut self) {
        let books = self.books.lock();
        self.ports.retain(|port, _| books.has_client(*port));
    }
}

/// A port of the client, and who listens for what strangers send to it.
struct Port {
    association: Arc<Association>,
    task: AbortHandle,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Brings a port of the client what strangers send to it, as its own socket would.
async fn listen(books: Arc<Books>, association: Arc<Association>, port: SocketAddr) {
    let (mut payload, mut answer) = (vec![0; LARGEST], Vec::new());
    while let Ok((count, from)) = association.recv_stray(&mut payload).await {
        answer.clear();
        let is_known = books.lock().put_stray(port, from, &payload[..count], &mut answer);
        if is_known {
            // What cannot be sent is lost, as datagrams are.
            drop(books.socket.send_to(&answer, port).await);
        }
    }
}

/// Brings back what comes for one flow until it fails.
async fn pump(books: Arc<Books>, flow: Arc<DatagramFlow>, key: u64) -> FlowError {
    let mut answer = Vec::new();
    loop {
        let received = receive(&flow, |payload| {
            answer.clear();
            books.lock().put_datagram(books.now(), key, payload, &mut answer)
        });
        match received.await {
            // An answer that cannot be sent is lost, as datagrams are.
            Ok(Some(to)) => drop(books.socket.send_to(&answer, to).await),
            Ok(None) => {}
            Err(error) => return error,
        }
    }
}

/// How long a client may take to take an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How often idle flows are looked for.
const SWEEP: Duration = Duration::from_secs(10);
/// With how many ports of the client those that speak with nobody any more are forgotten at once.
const PORTS: usize = 256;
