//! Clients and relays on async-io, under the executors that have its traits.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_lite::StreamExt;
use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
use wayleave_async_io::{Association, Client, DatagramFlow, Events, ReadHalf, Relay, Stream, WriteHalf};
use wayleave_drive::Resolver;
use wayleave_proto::base::{Route, Target};
use wayleave_proto::client::{DatagramStats, Event, FlowError};
use wayleave_proto::config::{ClientConfig, RelayConfig, Valid};

use super::{
    ClientKit, Datagrams, LARGEST, PATIENCE, RelayKit, Served, Shared, Verbs, Verifier, Writer, batch, stuck,
};

/// smol, which drives the clients with its own executor.
pub(crate) struct Smol;

/// async-std, whose clients are driven by the thread of the adapter.
pub(crate) struct AsyncStd;

/// No executor but the one thread that serves the relay.
pub(crate) struct AsyncIo;

/// A way to wait for a future.
trait Executor: Send + Sync + 'static {
    fn client(config: Valid<ClientConfig>) -> Client;

    fn block_on<T>(future: impl Future<Output = T>) -> T;
}

struct Blocking<E> {
    client: Client,
    events: Mutex<Events>,
    executor: PhantomData<E>,
}

struct Half<T, E>(T, PhantomData<E>);

impl Executor for Smol {
    fn client(config: Valid<ClientConfig>) -> Client {
        Client::with_spawn(config, |task| smol::spawn(task).detach())
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        smol::block_on(future)
    }
}

impl Executor for AsyncStd {
    fn client(config: Valid<ClientConfig>) -> Client {
        Client::new(config)
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        async_std::task::block_on(future)
    }
}

impl<E: Executor> ClientKit for E {
    fn client(config: Valid<ClientConfig>) -> Box<dyn super::Client> {
        blocking::<E>(<E as Executor>::client(config))
    }

    fn client_asking(config: Valid<ClientConfig>, resolver: Arc<dyn Resolver>) -> Box<dyn super::Client> {
        blocking::<E>(Client::with_resolver(config, resolver))
    }
}

fn blocking<E: Executor>(client: Client) -> Box<dyn super::Client> {
    let events = Mutex::new(client.events());
    Box::new(Blocking::<E> { client, events, executor: PhantomData })
}

impl RelayKit for AsyncIo {
    fn serve(config: Valid<RelayConfig>, verifier: Verifier) -> Served {
        let bound = Relay::builder().threads(super::threads()).bind(config, (Ipv4Addr::LOCALHOST, 0).into());
        let relay = async_io::block_on(bound).unwrap();
        let (address, handle) = (relay.local_addr(), Box::new(relay.handle()));
        let events = Arc::new(Mutex::new(Vec::new()));
        let (kept, own) = (Arc::clone(&events), relay.handle());
        let (serving, over) = mpsc::channel();
        let aborting = Arc::new(Abort::default());
        let aborted = Arc::clone(&aborting);
        let mut told = relay.events();
        thread::spawn(move || {
            // It is a stream of futures too.
            while let Some(event) = async_io::block_on(told.next()) {
                if let (Some(tunnel), Some(answer)) = (event.tunnel, verifier(&event)) {
                    own.verified(tunnel, answer);
                }
                kept.lock().unwrap().push(event);
            }
        });
        thread::spawn(move || {
            async_io::block_on(futures_lite::future::or(relay.serve(), poll_fn(|cx| aborted.poll(cx))));
            drop(serving);
        });
        let abort = Some(Box::new(move || aborting.abort()) as Box<dyn Fn() + Send + Sync>);
        Served { address, handle, events, over, abort }
    }
}

/// Ends a future from outside, as a task that is dropped ends.
#[derive(Default)]
struct Abort(Mutex<(bool, Option<Waker>)>);

impl Abort {
    fn abort(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 = true;
        state.1.take().into_iter().for_each(Waker::wake);
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap();
        state.1 = Some(cx.waker().clone());
        if state.0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<E: Executor> super::Client for Blocking<E> {
    fn connect_within(&self, target: Target, patience: Duration) -> Option<Result<super::Stream, FlowError>> {
        Some(within::<E, _>(patience, self.client.connect(target))?.map(|stream| {
            let route = stream.route();
            let (reader, writer) = stream.into_split();
            super::Stream {
                reader: Box::new(Half(reader, PhantomData::<E>)),
                writer: Box::new(Half(writer, PhantomData::<E>)),
                route,
            }
        }))
    }

    fn connect_timeout(&self, target: Target, timeout: Duration) -> Result<(), FlowError> {
        let opened = within::<E, _>(PATIENCE, self.client.connect_timeout(target, timeout));
        opened.expect("an answer in time").map(drop)
    }

    fn share(&self, target: Target) -> Arc<dyn Shared> {
        let stream = within::<E, _>(PATIENCE, self.client.connect(target)).unwrap().unwrap();
        Arc::new(Half(stream, PhantomData::<E>))
    }

    fn drain(&self, linger: Duration) -> usize {
        E::block_on(self.client.drain(linger))
    }

    fn datagrams(&self, target: Target) -> Result<Box<dyn Datagrams>, FlowError> {
        Ok(Box::new(Half(self.client.datagrams(target)?, PhantomData::<E>)))
    }

    fn associate(&self) -> Result<Box<dyn super::Association>, FlowError> {
        Ok(Box::new(Half(self.client.associate()?, PhantomData::<E>)))
    }

    fn event(&self, patience: Duration) -> Option<Event> {
        within::<E, _>(patience, self.events.lock().unwrap().recv()).flatten()
    }

    fn verbs(&self) -> &dyn Verbs {
        &self.client
    }
}

impl<E: Executor> super::Association for Half<Association, E> {
    fn datagrams(&self, target: Target) -> Result<Box<dyn Datagrams>, FlowError> {
        Ok(Box::new(Half(self.0.datagrams(target)?, PhantomData::<E>)))
    }

    fn stray(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = vec![0; LARGEST];
        let stray = within::<E, _>(PATIENCE, self.0.recv_stray(&mut buffer));
        let (count, from) = stray.expect("a datagram in time").unwrap();
        buffer.truncate(count);
        (buffer, from)
    }
}

impl<E: Executor> Datagrams for Half<DatagramFlow, E> {
    fn send(&self, payload: &[u8]) -> Result<(), FlowError> {
        self.0.send(payload)
    }

    fn recv_within(&self, patience: Duration) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; LARGEST];
        let Some(count) = within::<E, _>(patience, self.0.recv(&mut buffer)) else { return Ok(None) };
        buffer.truncate(count?);
        Ok(Some(buffer))
    }

    fn send_many(&self, payloads: &[IoSlice<'_>]) -> Result<usize, FlowError> {
        self.0.send_many(payloads)
    }

    fn send_wait_within(&self, payload: &[u8], patience: Duration) -> io::Result<bool> {
        let sent = within::<E, _>(patience, self.0.send_wait(payload));
        Ok(sent.transpose()?.is_some())
    }

    fn recv_many(&self, most: usize) -> io::Result<Vec<Vec<u8>>> {
        batch(most, |buffers, lengths| {
            Ok(within::<E, _>(PATIENCE, self.0.recv_many(buffers, lengths)).expect("a datagram in time")?)
        })
    }

    fn ready(&self) -> io::Result<Route> {
        Ok(within::<E, _>(PATIENCE, self.0.ready()).expect("an open flow in time")?)
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

impl<E: Executor> Shared for Half<Stream, E> {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = &self.0;
        within::<E, _>(PATIENCE, stream.read(buffer)).unwrap_or_else(|| Err(stuck()))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = &self.0;
        within::<E, _>(PATIENCE, stream.write(bytes)).unwrap_or_else(|| Err(stuck()))
    }

    fn finish(&self) {
        self.0.finish();
    }

    fn reset(&self) {
        self.0.reset();
    }
}

impl<E: Executor> Read for Half<ReadHalf, E> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        within::<E, _>(PATIENCE, self.0.read(buffer)).unwrap_or_else(|| Err(stuck()))
    }
}

impl<E: Executor> Write for Half<WriteHalf, E> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        within::<E, _>(PATIENCE, self.0.write(bytes)).unwrap_or_else(|| Err(stuck()))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        within::<E, _>(PATIENCE, self.0.write_vectored(pieces)).unwrap_or_else(|| Err(stuck()))
    }

    fn flush(&mut self) -> io::Result<()> {
        within::<E, _>(PATIENCE, self.0.flush()).unwrap_or_else(|| Err(stuck()))
    }
}

impl<E: Executor> Writer for Half<WriteHalf, E> {
    fn finish(&mut self) -> io::Result<()> {
        within::<E, _>(PATIENCE, self.0.close()).unwrap_or_else(|| Err(stuck()))
    }
}

/// What `future` comes to within `patience`; it is dropped afterwards.
fn within<E: Executor, T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    let came = async { Some(future.await) };
    let late = async {
        async_io::Timer::after(patience).await;
        None
    };
    E::block_on(futures_lite::future::or(came, late))
}
