//! The servers that applications talk to, all on one host: what each does depends on the port.

use std::collections::BTreeMap;
use std::sync::Arc;

use wayleave_proto::base::Instant;
use wayleave_proto::carrier::tls::{Acceptor, Session};
use wayleave_proto::codec::client_hello::{self, HelloError};

use super::World;
use super::flow::HEADER;
use super::host::{Host, Role};
use crate::laws::{Law, datagram, key_of, pattern};
use crate::stack::{Handle, Happened, Stack};

/// Ports, by what happens there.
pub(super) mod port {
    pub(in crate::world) const GOOD: u16 = 443;
    pub(in crate::world) const HIGH: u16 = 5_000;
    pub(in crate::world) const REFUSING: u16 = 81;
    pub(in crate::world) const SILENT: u16 = 82;
    pub(in crate::world) const RESETTING: u16 = 83;
    pub(in crate::world) const PROBE: u16 = 3_478;
}

/// What a host does as a server.
#[derive(Clone, Debug)]
pub(super) enum Behaviour {
    /// The servers of applications.
    Serves,
    /// It says these bytes to whoever says something, and ends.
    Says(Vec<u8>),
    /// It takes part in TLS, with certificates of its own.
    Intercepts(Arc<dyn Acceptor>),
    /// It reads and never says a word.
    Swallows,
}

/// Servers on one host.
#[derive(Debug)]
pub(super) struct Servers {
    behaviour: Behaviour,
    streams: BTreeMap<Handle, Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    port: u16,
    header: Vec<u8>,
    request: Option<Request>,
    sent: u64,
    /// What it is about to send.
    draft: Vec<u8>,
    finished: bool,
    ended: bool,
    session: Option<Box<dyn Session>>,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    flow: u64,
    down: u64,
    ends_first: bool,
}

impl Servers {
    pub(super) fn new(behaviour: Behaviour, stack: &mut Stack) -> Self {
        for port in [port::GOOD, port::HIGH, port::SILENT, port::RESETTING, port::PROBE, 80] {
            stack.listen(port, true);
        }
        if matches!(behaviour, Behaviour::Serves) {
            for port in [port::GOOD, port::HIGH, port::SILENT, port::PROBE] {
                stack.bind(Some(port), None);
            }
        }
        Self { behaviour, streams: BTreeMap::new() }
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    pub(super) const fn handle_timeout(&mut self, _now: Instant) {}
}

impl World {
    pub(super) fn settle_servers(&mut self, host: usize) {
        while let Some(happened) = self.hosts[host].poll_happened() {
            match happened {
                Happened::Accepted(handle) => {
                    let Host { kernel, role: Role::Servers(servers), .. } = &mut self.hosts[host] else {
                        return;
                    };
                    let port = kernel.lock().stack.local(handle).map_or(0, |local| local.port());
                    let session = match &servers.behaviour {
                        Behaviour::Intercepts(acceptor) => acceptor.accept().ok(),
                        Behaviour::Says(_) | Behaviour::Serves | Behaviour::Swallows => None,
                    };
                    servers.streams.insert(handle, Stream { port, session, ..Stream::default() });
                    self.serve(host, handle);
                }
                Happened::Readable(handle) | Happened::Writable(handle) => self.serve(host, handle),
                Happened::Failed(handle, _) => {
                    let Host { kernel, role: Role::Servers(servers), .. } = &mut self.hosts[host] else {
                        return;
                    };
                    kernel.lock().stack.close(self.now, handle, false);
                    servers.streams.remove(&handle);
                }
                Happened::Datagram(handle, from, bytes) => self.answer(host, handle, from, &bytes),
                Happened::Connected(_) => {}
            }
        }
    }

    fn serve(&mut self, host: usize, handle: Handle) {
        let now = self.now;
        let Host { kernel, role: Role::Servers(servers), .. } = &mut self.hosts[host] else { return };
        let Some(stream) = servers.streams.get_mut(&handle) else { return };
        let mut system = kernel.lock();
        let stack = &mut system.stack;
        match (&servers.behaviour, stream.port) {
            (Behaviour::Serves, port::SILENT) => return,
            (Behaviour::Intercepts(_), _) => {
                intercept(now, stack, handle, stream);
                return;
            }
            (Behaviour::Says(words), _) => {
                if !stack.read(now, handle, usize::MAX).is_empty() {
                    stack.write(now, handle, words);
                    stack.close(now, handle, false);
                    servers.streams.remove(&handle);
                }
                return;
            }
            (Behaviour::Serves, port::RESETTING) => {
                let read = stack.read(now, handle, usize::MAX);
                if !read.is_empty() {
                    stack.close(now, handle, true);
                    drop(system);
                    let result = self.begin(host, handle, &read).map(drop);
                    self.check(host, Law::Delivery, result);
                    if let Role::Servers(servers) = &mut self.hosts[host].role {
                        servers.streams.remove(&handle);
                    }
                }
                return;
            }
            (Behaviour::Swallows, _) => {
                let read = stack.read(now, handle, usize::MAX);
                drop(system);
                let result = self.begin(host, handle, &read).map(drop);
                self.check(host, Law::Delivery, result);
                return;
            }
            (Behaviour::Serves, _) => {}
        }
        let read = stack.read(now, handle, usize::MAX);
        let is_finished = stack.is_finished(handle);
        drop(system);
        let result = self.take(host, handle, &read, is_finished);
        self.check(host, Law::Delivery, result);
        self.give(host, handle);
    }

    /// Takes what came on a stream.
    fn take(&mut self, host: usize, handle: Handle, bytes: &[u8], is_finished: bool) -> Result<(), String> {
        let rest = self.begin(host, handle, bytes)?;
        let Role::Servers(servers) = &mut self.hosts[host].role else { return Ok(()) };
        let Some(stream) = servers.streams.get_mut(&handle) else { return Ok(()) };
        let Some(request) = stream.request else { return Ok(()) };
        self.delivery.arrived(request.flow, true, rest)?;
        if is_finished && !core::mem::replace(&mut stream.ended, true) {
            self.delivery.finished(request.flow, true)?;
        }
        Ok(())
    }

    /// Reads the head of a stream, and returns what follows it.
    fn begin<'a>(&mut self, host: usize, handle: Handle, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        let Role::Servers(servers) = &mut self.hosts[host].role else { return Ok(&[]) };
        let Some(stream) = servers.streams.get_mut(&handle) else { return Ok(&[]) };
        if stream.request.is_some() || bytes.is_empty() {
            return Ok(bytes);
        }
        let before = stream.header.len();
        stream.header.extend(bytes);
        // A ClientHello has the header as its session id, behind 44 other bytes.
        let (length, from, tls) = match client_hello::decode(&stream.header) {
            Ok(hello) => (hello.length, 44, true),
            Err(HelloError::Incomplete) => return Ok(&[]),
            Err(_) if stream.header.len() < HEADER => return Ok(&[]),
            Err(_) => (HEADER, 0, false),
        };
        let header = stream.header.get(from..from + HEADER).unwrap_or(&[0; HEADER]);
        let number = |from: usize, to: usize| {
            header[from..to].iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
        };
        let request = Request { flow: number(0, 8), down: number(12, 16), ends_first: header[16] == 1 };
        stream.request = Some(request);
        // What a box in the way swallows of a connection to a relay begins with no flow's number.
        if (1..=self.report.flows.len() as u64).contains(&request.flow) {
            self.delivery.header(request.flow, length, tls)?;
        }
        Ok(&bytes[length - before..])
    }

    /// Sends what is asked for, and ends.
    fn give(&mut self, host: usize, handle: Handle) {
        let now = self.now;
        let Host { kernel, role: Role::Servers(servers), .. } = &mut self.hosts[host] else { return };
        let stack = &mut kernel.lock().stack;
        let Some(stream) = servers.streams.get_mut(&handle) else { return };
        let Some(request) = stream.request else {
            if stack.is_finished(handle) {
                stack.close(now, handle, false);
                servers.streams.remove(&handle);
            }
            return;
        };
        while stream.sent < request.down {
            if stream.draft.is_empty() {
                let amount = usize::try_from(request.down - stream.sent).unwrap_or(usize::MAX).min(8 * 1024);
                stream.draft = pattern(request.flow, false, stream.sent, amount);
            }
            let taken = stack.write(now, handle, &stream.draft);
            stream.draft.drain(..taken);
            stream.sent += taken as u64;
            self.delivery.sent(request.flow, false, stream.sent);
            if taken == 0 {
                return;
            }
        }
        if !stream.finished && (request.ends_first || stream.ended) {
            stream.finished = true;
            self.delivery.ended(request.flow, false);
            stack.finish(now, handle);
        }
        if stream.finished && stream.ended {
            stack.close(now, handle, false);
            servers.streams.remove(&handle);
        }
    }

    fn answer(&mut self, host: usize, handle: Handle, from: core::net::SocketAddr, bytes: &[u8]) {
        let mut kernel = self.hosts[host].kernel.lock();
        match kernel.stack.local(handle).map(|local| local.port()) {
            Some(port::PROBE) => kernel.stack.send(handle, Some(from), vec![1; 32]),
            Some(port::GOOD | port::HIGH) => {
                drop(kernel);
                let result = self.delivery.datagram_arrived(self.now, bytes);
                self.check(host, Law::Delivery, result.map(drop));
                let Some((flow, _, index)) = key_of(bytes) else { return };
                let reply = datagram(flow, false, index, bytes.len());
                self.delivery.datagram_sent(self.now, &reply);
                self.hosts[host].kernel.lock().stack.send(handle, Some(from), reply);
            }
            _ => {}
        }
    }
}

/// Takes part in a handshake as far as the other side does.
fn intercept(now: Instant, stack: &mut Stack, handle: Handle, stream: &mut Stream) {
    let Some(session) = &mut stream.session else { return };
    let mut bytes = stack.read(now, handle, usize::MAX);
    let failed = session.receive(&mut bytes).is_err();
    let taken = stack.write(now, handle, session.pending());
    session.written(taken);
    if failed || stack.is_finished(handle) {
        stack.close(now, handle, false);
    }
}
