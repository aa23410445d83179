//! A client in a loop of your own: no runtime, no thread, one call of poll(2) a turn.
//!
//! ```console
//! $ cargo run -p wayleave-std --example own_loop -- localhost:8443 tls/ca.pem "$TOKEN" 127.0.0.1:7 hello
//! ```
//! opens one stream to `127.0.0.1:7` through the relay at `localhost:8443`, sends a line and prints the answer.
//! docs/embedding.md walks through this file.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Instant as StdInstant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wayleave_proto::auth::{Credential, Token};
use wayleave_proto::base::{Families, Instant, Kind, Target};
use wayleave_proto::client::{Client, FlowId, FlowStatus, Incoming, Notice};
use wayleave_proto::config::{ClientConfig, Mode, Valid};
use wayleave_proto::error::IoFailed;
use wayleave_proto::net::{Machine, Output, Packets, SocketId};
use wayleave_sockets as sockets;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [relay, ca, token, target, line] = arguments.as_slice() else {
        return Err("usage: own_loop RELAY CA_FILE TOKEN TARGET LINE".into());
    };
    let connector = sockets::connector_with_ca(&std::fs::read(ca)?)?;
    let mut config =
        ClientConfig::new(vec![relay.parse()?], Credential::Token(token.parse::<Token>()?), connector);
    config.route.mode = Mode::Normal;

    run(config, target.parse()?, line, &mut io::stdout())
}

/// Sends a line to `target` and writes what comes back to `output`.
pub(crate) fn run(
    config: ClientConfig,
    target: Target,
    line: &str,
    output: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let mut host = Host::new(config.build()?);
    let now = host.now();
    let flow = host.machine.open(now, Kind::Stream, target)?;
    let mut talk = Talk { flow, unsent: format!("{line}\n").into_bytes(), is_finished: false, output };
    loop {
        // Every turn is the same: use the machine, do what it asks for, wait, say what happened, let time pass.
        let is_over = talk.go_on(&mut host)?;
        host.do_what_it_asks();
        if is_over {
            return Ok(());
        }
        let happened = host.wait()?;
        let now = host.now();
        host.machine.handle_clock(now, sockets::unix_now()); // it may have been set, or the machine may have slept
        for id in happened {
            host.serve(id);
        }
        let now = host.now();
        host.machine.handle_timeout(now); // always: too early does nothing
    }
}

/// The application: it sends a line, ends its half, and prints what comes back.
struct Talk<'a, W> {
    flow: FlowId,
    unsent: Vec<u8>,
    is_finished: bool,
    output: &'a mut W,
}

impl<W: Write> Talk<'_, W> {
    /// Does what can be done without waiting; `true` at the end.
    fn go_on(&mut self, host: &mut Host) -> io::Result<bool> {
        let now = host.now();
        match host.machine.status(self.flow) {
            FlowStatus::Pending => return Ok(false),
            FlowStatus::Open(_) => {}
            FlowStatus::Failed(error) => return Err(error.into()),
        }
        if !self.unsent.is_empty() {
            let taken = host.machine.write(now, self.flow, &self.unsent)?;
            self.unsent.drain(..taken);
        }
        if self.unsent.is_empty() && !self.is_finished {
            self.is_finished = true;
            host.machine.finish(now, self.flow);
        }
        loop {
            let count = match host.machine.read(self.flow)? {
                Incoming::Nothing => return Ok(false),
                Incoming::End => break,
                Incoming::Bytes(bytes) => {
                    self.output.write_all(bytes)?;
                    bytes.len()
                }
            };
            host.machine.consume(now, self.flow, count); // makes room for more
        }
        host.machine.release(now, self.flow);
        host.machine.close(now);
        Ok(true)
    }
}

/// What the machine has no idea of: a clock and sockets.
struct Host {
    machine: Client,
    epoch: StdInstant,
    sockets: BTreeMap<SocketId, Entry>,
    buffer: Vec<u8>,
}

/// A row of the socket table.
struct Entry {
    socket: Socket,
    /// The connection does not stand yet.
    dialling: bool,
    /// There is something to send.
    wants_write: bool,
    /// Nothing may be read: the machine said so, or the other side has ended.
    paused: bool,
    ended: bool,
    /// The sending half ends when nothing is left to send.
    finishing: bool,
    /// It broke while it was paused, and the machine knows.
    broken: bool,
}

enum Socket {
    Stream(TcpStream),
    Datagrams(UdpSocket),
}

impl Host {
    fn new(config: Valid<ClientConfig>) -> Self {
        let epoch = StdInstant::now();
        let clock = sockets::clock_at(Instant::ZERO);
        let machine = Client::new(config, &sockets::seed(), clock, Instant::ZERO);
        // Every read gets 64 KiB: a datagram that does not fit would be cut.
        Self { machine, epoch, sockets: BTreeMap::new(), buffer: vec![0; 65_536] }
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }

    /// Outputs, until there are none. Answers can be given at once; what follows from them is asked for in the same loop.
    fn do_what_it_asks(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            // No wildcard: an output that is new to this loop must not go unheard.
            match output {
                Output::Resolve { id, name } => {
                    // This blocks the loop. A program that must not wait asks a thread or its platform.
                    let answer = sockets::look_up(&name);
                    let (now, both) = (self.now(), Families::Both);
                    self.machine.handle_resolved(now, id, both, answer.as_deref().map_err(Clone::clone));
                }
                Output::Dial { id, address } => match sockets::dial(address) {
                    Ok(stream) => self.insert(id, Socket::Stream(stream)),
                    Err(error) => self.fail(id, &error),
                },
                // With everybody only the flows of an association speak, and there is none here.
                Output::Bind { id, remote, fragments } => {
                    let socket = sockets::bind(remote, fragments, RECEIVE_BUFFER);
                    match socket.and_then(|socket| Ok((socket.local_addr()?, socket))) {
                        Ok((local, socket)) => {
                            self.insert(id, Socket::Datagrams(socket));
                            let now = self.now();
                            self.machine.handle_opened(now, id, local);
                        }
                        Err(error) => self.fail(id, &error),
                    }
                }
                Output::Pending(id) => self.change(id, |entry| entry.wants_write = true),
                Output::ReadPause(id) => self.change(id, |entry| entry.paused = true),
                Output::ReadResume(id) => self.change(id, |entry| entry.paused = false),
                Output::DelayAcks(_) => {} // a wish that costs nothing to ignore
                Output::Watch { id, liveness } => {
                    if let Some(Entry { socket: Socket::Stream(stream), .. }) = self.sockets.get(&id) {
                        let _ = sockets::watch(stream, &liveness); // without it a vanished relay is noticed late
                    }
                }
                Output::Finish(id) => self.change(id, |entry| {
                    entry.finishing = true;
                    entry.wants_write = true;
                }),
                Output::Close { id, reset } => {
                    if let Some(Entry { socket: Socket::Stream(stream), .. }) = self.sockets.remove(&id)
                        && reset
                    {
                        let _ = sockets::set_reset(&stream, true); // takes effect when `stream` is dropped, here
                    }
                }
                Output::Event(Notice::Event(event)) => eprintln!("{} {:?}", event.at, event.what),
                // Something changed for this flow. With one flow we look at it on every turn anyway.
                Output::Event(Notice::Association(_) | Notice::Flow(_)) => {}
            }
        }
    }

    fn insert(&mut self, id: SocketId, socket: Socket) {
        let dialling = matches!(socket, Socket::Stream(_));
        let entry = Entry {
            socket,
            dialling,
            wants_write: false,
            paused: false,
            ended: false,
            finishing: false,
            broken: false,
        };
        self.sockets.insert(id, entry);
    }

    fn change(&mut self, id: SocketId, change: impl FnOnce(&mut Entry)) {
        // A row that is gone failed a moment ago, before the machine knew.
        if let Some(entry) = self.sockets.get_mut(&id) {
            change(entry);
        }
    }

    /// A socket that could not be opened, or broke: first it is closed, then the machine is told.
    fn fail(&mut self, id: SocketId, error: &io::Error) {
        self.sockets.remove(&id);
        let now = self.now();
        self.machine.handle_failed(now, id, IoFailed::from(error));
    }

    /// Sleeps until a socket is ready or the machine's deadline has come, and returns the sockets that are.
    fn wait(&self) -> io::Result<Vec<SocketId>> {
        let left = self.machine.poll_timeout().map(|deadline| deadline.since(self.now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut ids = Vec::new();
        let mut polled = Vec::new();
        for (id, entry) in &self.sockets {
            let mut wanted = PollFlags::empty();
            wanted.set(PollFlags::OUT, entry.dialling || (entry.wants_write && !entry.broken));
            wanted.set(PollFlags::IN, !entry.dialling && !entry.paused && !entry.ended);
            // With nothing wanted poll still reports that a paused socket broke; once is enough.
            let is_watched = entry.paused && !entry.broken;
            if !wanted.is_empty() || is_watched {
                ids.push(*id);
                polled.push(match &entry.socket {
                    Socket::Stream(stream) => PollFd::new(stream, wanted),
                    Socket::Datagrams(socket) => PollFd::new(socket, wanted),
                });
            }
        }
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let told = ids.into_iter().zip(&polled);
        Ok(told.filter(|(_, polled)| !polled.revents().is_empty()).map(|(id, _)| id).collect())
    }

    /// Something happened to a socket.
    fn serve(&mut self, id: SocketId) {
        let now = self.now();
        let Some(entry) = self.sockets.get_mut(&id) else { return };
        match &entry.socket {
            Socket::Stream(stream) if entry.dialling => match sockets::connected(stream) {
                Ok(local) => {
                    entry.dialling = false;
                    self.machine.handle_opened(now, id, local);
                }
                Err(error) => self.fail(id, &error),
            },
            Socket::Stream(stream) if entry.paused && !entry.broken => {
                if let Some(error) = sockets::broken(stream) {
                    entry.broken = true;
                    self.machine.handle_broken(now, id, IoFailed::from(&error));
                } else if let Err(error) = self.write(id) {
                    self.fail(id, &error);
                }
            }
            Socket::Stream(_) => {
                if let Err(error) = self.write(id).and_then(|()| self.read(id)) {
                    self.fail(id, &error);
                }
            }
            Socket::Datagrams(_) => {
                // The socket stays: only its target said no. Other errors concern one datagram, which may be lost.
                if let Err(error) = self.exchange(id)
                    && error.kind() == io::ErrorKind::ConnectionRefused
                {
                    self.machine.handle_failed(now, id, IoFailed::from(&error));
                }
            }
        }
    }

    /// Writes what the machine lends, for as long as the socket takes it.
    fn write(&mut self, id: SocketId) -> io::Result<()> {
        let now = self.now();
        let Some(entry) = self.sockets.get_mut(&id) else { return Ok(()) };
        let Socket::Stream(stream) = &mut entry.socket else { return Ok(()) };
        while entry.wants_write && !entry.broken {
            let Some(bytes) = self.machine.pending(now, id) else {
                entry.wants_write = false;
                if std::mem::take(&mut entry.finishing) {
                    let _ = sockets::finish(stream); // if it is broken, the next read says so
                }
                break;
            };
            match stream.write(bytes) {
                Ok(written) => self.machine.handle_written(now, id, written),
                Err(error) if is_passing(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once; a socket with more is ready again in the next turn, when the machine may have asked for a pause.
    fn read(&mut self, id: SocketId) -> io::Result<()> {
        let now = self.now();
        let Some(entry) = self.sockets.get_mut(&id) else { return Ok(()) };
        let Socket::Stream(stream) = &mut entry.socket else { return Ok(()) };
        if entry.paused || entry.ended {
            return Ok(());
        }
        match stream.read(&mut self.buffer) {
            Ok(0) if entry.broken => return Err(io::ErrorKind::ConnectionReset.into()), // behind the last byte
            Ok(0) => {
                entry.ended = true;
                self.machine.handle_finished(now, id);
            }
            Ok(count) => self.machine.handle_received(now, id, &mut self.buffer[..count]),
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends the datagrams that wait, and receives one.
    fn exchange(&mut self, id: SocketId) -> io::Result<()> {
        let now = self.now();
        let Some(entry) = self.sockets.get_mut(&id) else { return Ok(()) };
        let Socket::Datagrams(socket) = &entry.socket else { return Ok(()) };
        while entry.wants_write {
            let Some(transmit) = self.machine.transmit(now, id) else {
                entry.wants_write = false;
                break;
            };
            let sent = socket.send(transmit.first()); // one at a time; the others are lent again
            if matches!(&sent, Err(error) if is_passing(error)) {
                break;
            }
            self.machine.handle_sent(now, id, 1); // sent or lost, it is gone
            sent?;
        }
        if !entry.paused {
            match socket.recv_from(&mut self.buffer) {
                Ok((count, from)) => {
                    self.machine.handle_packets(now, id, Packets::one(from, &mut self.buffer[..count]));
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The socket is in order, but not ready.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What the system keeps of datagrams until they are received.
const RECEIVE_BUFFER: usize = 1 << 20;
