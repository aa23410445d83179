//! Clients and relays without async.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use wayleave_drive::Resolver;
use wayleave_proto::base::{Route, Target};
use wayleave_proto::client::{DatagramStats, Event, FlowError};
use wayleave_proto::config::{ClientConfig, RelayConfig, Valid};
use wayleave_std::{Association, Client, DatagramFlow, Events, Relay, Stream};

use super::{
    ClientKit, Datagrams, LARGEST, PATIENCE, RelayKit, Served, Shared, Verbs, Verifier, Writer, batch,
};

/// Threads and blocking calls.
pub(crate) struct Std;

struct Flow(DatagramFlow);

struct Blocking {
    client: Client,
    events: Mutex<Events>,
}

impl ClientKit for Std {
    fn client(config: Valid<ClientConfig>) -> Box<dyn super::Client> {
        blocking(Client::new(config).unwrap())
    }

    fn client_asking(config: Valid<ClientConfig>, resolver: Arc<dyn Resolver>) -> Box<dyn super::Client> {
        blocking(Client::with_resolver(config, resolver).unwrap())
    }
}

fn blocking(client: Client) -> Box<dyn super::Client> {
    let events = Mutex::new(client.events());
    Box::new(Blocking { client, events })
}

impl RelayKit for Std {
    fn serve(config: Valid<RelayConfig>, verifier: Verifier) -> Served {
        let relay =
            Relay::builder().threads(super::threads()).bind(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let (address, handle) = (relay.local_addr(), Box::new(relay.handle()));
        let events = Arc::new(Mutex::new(Vec::new()));
        let (kept, own) = (Arc::clone(&events), relay.handle());
        let (serving, over) = mpsc::channel();
        let told = relay.events();
        thread::spawn(move || {
            for event in told {
                if let (Some(tunnel), Some(answer)) = (event.tunnel, verifier(&event)) {
                    own.verified(tunnel, answer);
                }
                kept.lock().unwrap().push(event);
            }
        });
        thread::spawn(move || {
            relay.serve();
            drop(serving);
        });
        Served { address, handle, events, over, abort: None }
    }
}

impl super::Client for Blocking {
    fn connect_within(&self, target: Target, patience: Duration) -> Option<Result<super::Stream, FlowError>> {
        // The limit of the client itself is longer than any patience of this suite.
        let stream = match self.client.connect_timeout(target, patience) {
            Ok(stream) => stream,
            Err(FlowError::TimedOut) => return None,
            Err(error) => return Some(Err(error)),
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let route = stream.route();
        let reader: Box<dyn Read + Send> = Box::new(stream.try_clone().unwrap());
        Some(Ok(super::Stream { reader, writer: Box::new(stream), route }))
    }

    fn connect_timeout(&self, target: Target, timeout: Duration) -> Result<(), FlowError> {
        self.client.connect_timeout(target, timeout).map(drop)
    }

    fn share(&self, target: Target) -> Arc<dyn Shared> {
        let stream = self.client.connect_timeout(target, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Arc::new(stream)
    }

    fn drain(&self, linger: Duration) -> usize {
        self.client.drain(linger)
    }

    fn datagrams(&self, target: Target) -> Result<Box<dyn Datagrams>, FlowError> {
        Ok(Box::new(Flow(self.client.datagrams(target)?)))
    }

    fn associate(&self) -> Result<Box<dyn super::Association>, FlowError> {
        Ok(Box::new(self.client.associate()?))
    }

    fn event(&self, patience: Duration) -> Option<Event> {
        self.events.lock().unwrap().recv_timeout(patience).ok()
    }

    fn verbs(&self) -> &dyn Verbs {
        &self.client
    }
}

impl super::Association for Association {
    fn datagrams(&self, target: Target) -> Result<Box<dyn Datagrams>, FlowError> {
        Ok(Box::new(Flow(self.datagrams(target)?)))
    }

    fn stray(&self) -> (Vec<u8>, SocketAddr) {
        self.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = vec![0; LARGEST];
        let (count, from) = self.recv_stray(&mut buffer).unwrap();
        buffer.truncate(count);
        (buffer, from)
    }
}

impl Shared for Stream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut &*self, buffer)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, bytes)
    }

    fn finish(&self) {
        self.finish();
    }

    fn reset(&self) {
        self.reset();
    }
}

impl Datagrams for Flow {
    fn send(&self, payload: &[u8]) -> Result<(), FlowError> {
        self.0.send(payload).map_err(of_flow)
    }

    fn send_many(&self, payloads: &[IoSlice<'_>]) -> Result<usize, FlowError> {
        self.0.send_many(payloads).map_err(of_flow)
    }

    fn send_wait_within(&self, payload: &[u8], patience: Duration) -> io::Result<bool> {
        self.0.set_write_timeout(Some(patience))?;
        in_time(self.0.send_wait(payload)).map(|sent| sent.is_some())
    }

    fn recv_within(&self, patience: Duration) -> io::Result<Option<Vec<u8>>> {
        self.0.set_read_timeout(Some(patience))?;
        let mut buffer = vec![0; LARGEST];
        Ok(in_time(self.0.recv(&mut buffer))?.map(|count| buffer[..count].to_vec()))
    }

    fn recv_many(&self, most: usize) -> io::Result<Vec<Vec<u8>>> {
        self.0.set_read_timeout(Some(PATIENCE))?;
        batch(most, |buffers, lengths| self.0.recv_many(buffers, lengths))
    }

    fn ready(&self) -> io::Result<Route> {
        self.0.set_read_timeout(Some(PATIENCE))?;
        self.0.ready()
    }

    fn try_recv(&self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; LARGEST];
        Ok(self.0.try_recv(&mut buffer)?.map(|count| buffer[..count].to_vec()))
    }

    fn largest(&self) -> usize {
        self.0.largest()
    }

    fn target(&self) -> Target {
        self.0.target().clone()
    }

    fn route(&self) -> Option<Route> {
        self.0.route()
    }

    fn stats(&self) -> DatagramStats {
        self.0.stats()
    }
}

/// What came, or `None` where nothing came in time.
fn in_time<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
        result => result.map(Some),
    }
}

fn of_flow(error: io::Error) -> FlowError {
    FlowError::of(&error).expect("an error of the flow").clone()
}

impl Writer for Stream {
    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
