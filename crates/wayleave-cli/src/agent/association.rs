//! One SOCKS5 UDP association.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as StdInstant};

use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{interval, timeout};
use tracing::debug;
use wayleave_proto::base::Instant;
use wayleave_proto::client::FlowError;
use wayleave_proto::local::{Association, Front, Inbound, Refusal};
use wayleave_tokio::{Client, DatagramFlow};

use super::datagrams::{Flows, LARGEST, receive};
use super::door::flush;
use super::refusal::refusal;
use super::splice::Local;

/// Serves an association until its TCP connection ends.
pub(super) async fn serve(
    mut local: Local,
    mut front: Front,
    association: Association<u64>,
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
    let mut session = Session { books, client, flows: Flows::new(), next: 0 };
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
    association: Mutex<Association<u64>>,
    start: StdInstant,
}

impl Books {
    fn new(socket: UdpSocket, association: Association<u64>) -> Self {
        Self { socket, association: Mutex::new(association), start: StdInstant::now() }
    }

    fn lock(&self) -> MutexGuard<'_, Association<u64>> {
        self.association.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

struct Session {
    books: Arc<Books>,
    client: Client,
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
                _ = ticks.tick() => self.sweep(),
            }
        }
    }

    fn on_datagram(&mut self, from: SocketAddr, datagram: &[u8]) {
        let now = self.books.now();
        let inbound = self.books.lock().handle_datagram(now, from, datagram);
        let sent = match inbound {
            Ok(Inbound::Known { flow, payload }) => self.flows.find(flow).map(|flow| flow.send(payload)),
            Ok(Inbound::New { target, payload }) => {
                Some(self.client.datagrams(target.clone()).and_then(|flow| {
                    let sent = flow.send(payload);
                    let key = self.next;
                    self.next += 1;
                    if let Some(evicted) = self.books.lock().insert(now, from, target, key) {
                        self.flows.close(evicted);
                    }
                    let books = Arc::clone(&self.books);
                    self.flows.insert(key, flow, |flow| pump(books, flow, key));
                    sent
                }))
            }
            Err(error) => return debug!("a datagram from {from} was dropped: {error}"),
        };
        if let Some(Err(error)) = sent {
            debug!("a datagram from {from} was dropped: {error} ({})", refusal(&error));
        }
    }

    fn sweep(&mut self) {
        let now = self.books.now();
        loop {
            let Some(idle) = self.books.lock().pop_idle(now) else { return };
            self.flows.close(idle);
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
