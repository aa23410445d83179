//! Clients and relays on tokio, on one runtime for the whole suite.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use wayleave_drive::Resolver;
use wayleave_proto::base::{Route, Target};
use wayleave_proto::client::{DatagramStats, Event, FlowError};
use wayleave_proto::config::{ClientConfig, RelayConfig, Valid};
use wayleave_tokio::{
    Association, Client, DatagramFlow, Events, OwnedReadHalf, OwnedWriteHalf, Relay, Stream,
};

use super::{
    ClientKit, Datagrams, LARGEST, PATIENCE, RelayKit, Served, Shared, Verbs, Verifier, Writer, batch, stuck,
};

/// tokio with several threads.
pub(crate) struct Tokio;

struct Blocking {
    client: Client,
    events: Mutex<Events>,
}

struct Half<T>(T);

struct Flow(DatagramFlow);

impl ClientKit for Tokio {
    fn client(config: Valid<ClientConfig>) -> Box<dyn super::Client> {
        let _inside = RUNTIME.enter();
        blocking(Client::new(config))
    }

    fn client_asking(config: Valid<ClientConfig>, resolver: Arc<dyn Resolver>) -> Box<dyn super::Client> {
        let _inside = RUNTIME.enter();
        blocking(Client::with_resolver(config, resolver))
    }
}

fn blocking(client: Client) -> Box<dyn super::Client> {
    let events = Mutex::new(client.events());
    Box::new(Blocking { client, events })
}

impl RelayKit for Tokio {
    fn serve(config: Valid<RelayConfig>, verifier: Verifier) -> Served {
        let relay = RUNTIME
            .block_on(
                Relay::builder().threads(super::threads()).bind(config, (Ipv4Addr::LOCALHOST, 0).into()),
            )
            .unwrap();
        let (address, handle) = (relay.local_addr(), Box::new(relay.handle()));
        let events = Arc::new(Mutex::new(Vec::new()));
        let (kept, own) = (Arc::clone(&events), relay.handle());
        let (serving, over) = mpsc::channel();
        let mut told = relay.events();
        RUNTIME.spawn(async move {
            while let Some(event) = told.recv().await {
                if let (Some(tunnel), Some(answer)) = (event.tunnel, verifier(&event)) {
                    own.verified(tunnel, answer);
                }
                kept.lock().unwrap().push(event);
            }
        });
        let serving_task = RUNTIME.spawn(async move {
            relay.serve().await;
            drop(serving);
        });
        let abort = Some(Box::new(move || serving_task.abort()) as Box<dyn Fn() + Send + Sync>);
        Served { address, handle, events, over, abort }
    }
}

impl super::Client for Blocking {
    fn connect_within(&self, target: Target, patience: Duration) -> Option<Result<super::Stream, FlowError>> {
        Some(within(patience, self.client.connect(target))?.map(|stream| {
            let route = stream.route();
            let (reader, writer) = stream.into_split();
            super::Stream { reader: Box::new(Half(reader)), writer: Box::new(Half(writer)), route }
        }))
    }

    fn connect_timeout(&self, target: Target, timeout: Duration) -> Result<(), FlowError> {
        within(PATIENCE, self.client.connect_timeout(target, timeout)).expect("an answer in time").map(drop)
    }

    fn share(&self, target: Target) -> Arc<dyn Shared> {
        Arc::new(within(PATIENCE, self.client.connect(target)).unwrap().unwrap())
    }

    fn drain(&self, linger: Duration) -> usize {
        RUNTIME.block_on(self.client.drain(linger))
    }

    fn datagrams(&self, target: Target) -> Result<Box<dyn Datagrams>, FlowError> {
        Ok(Box::new(Flow(self.client.datagrams(target)?)))
    }

    fn associate(&self) -> Result<Box<dyn super::Association>, FlowError> {
        Ok(Box::new(self.client.associate()?))
    }

    fn event(&self, patience: Duration) -> Option<Event> {
        within(patience, self.events.lock().unwrap().recv()).flatten()
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
        let mut buffer = vec![0; LARGEST];
        let (count, from) =
            within(PATIENCE, self.recv_stray(&mut buffer)).expect("a datagram in time").unwrap();
        buffer.truncate(count);
        (buffer, from)
    }
}

impl Datagrams for Flow {
    fn send(&self, payload: &[u8]) -> Result<(), FlowError> {
        self.0.send(payload)
    }

    fn recv_within(&self, patience: Duration) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; LARGEST];
        let Some(count) = within(patience, self.0.recv(&mut buffer)) else { return Ok(None) };
        buffer.truncate(count?);
        Ok(Some(buffer))
    }

    fn send_many(&self, payloads: &[IoSlice<'_>]) -> Result<usize, FlowError> {
        self.0.send_many(payloads)
    }

    fn send_wait_within(&self, payload: &[u8], patience: Duration) -> io::Result<bool> {
        let sent = within(patience, self.0.send_wait(payload));
        Ok(sent.transpose()?.is_some())
    }

    fn recv_many(&self, most: usize) -> io::Result<Vec<Vec<u8>>> {
        batch(most, |buffers, lengths| {
            Ok(within(PATIENCE, self.0.recv_many(buffers, lengths)).expect("a datagram in time")?)
        })
    }

    fn ready(&self) -> io::Result<Route> {
        Ok(within(PATIENCE, self.0.ready()).expect("an open flow in time")?)
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

impl Shared for Stream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        within(PATIENCE, AsyncReadExt::read(&mut &*self, buffer)).unwrap_or_else(|| Err(stuck()))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        within(PATIENCE, AsyncWriteExt::write(&mut &*self, bytes)).unwrap_or_else(|| Err(stuck()))
    }

    fn finish(&self) {
        self.finish();
    }

    fn reset(&self) {
        self.reset();
    }
}

impl Read for Half<OwnedReadHalf> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        within(PATIENCE, self.0.read(buffer)).unwrap_or_else(|| Err(stuck()))
    }
}

impl Write for Half<OwnedWriteHalf> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        within(PATIENCE, self.0.write(bytes)).unwrap_or_else(|| Err(stuck()))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        within(PATIENCE, self.0.write_vectored(pieces)).unwrap_or_else(|| Err(stuck()))
    }

    fn flush(&mut self) -> io::Result<()> {
        within(PATIENCE, self.0.flush()).unwrap_or_else(|| Err(stuck()))
    }
}

impl Writer for Half<OwnedWriteHalf> {
    fn finish(&mut self) -> io::Result<()> {
        within(PATIENCE, self.0.shutdown()).unwrap_or_else(|| Err(stuck()))
    }
}

/// What `future` comes to within `patience`; it is dropped afterwards.
fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    RUNTIME.block_on(async { tokio::time::timeout(patience, future).await.ok() })
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
