//! The rows over the switch of smart mode, from the direct path to a relay.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use socket2::{Domain, Socket, Type};
use wayleave_proto::auth::{Credential, Token};
use wayleave_proto::base::{Link, Network};
use wayleave_proto::carrier::tls::Connector;
use wayleave_proto::config::ClientConfig;

use super::Sample;
use crate::adapter::Runtime;
use crate::lab::Lab;
use crate::load::door::Door;
use crate::load::histogram::Histogram;
use crate::load::tap::Taps;
use crate::peers::Peer;

/// One run at `peer`: clients on `runtime` whose direct path swallows everything, one after the other.
pub(super) fn sample(runtime: Runtime, lab: &Lab, peer: &Peer) -> anyhow::Result<Sample> {
    let entrance = peer.streams.as_ref().context("it has no streams")?;
    let Door::Connect(field) = &entrance.door else { anyhow::bail!("it takes no CONNECT") };
    let token = field.trim_end().rsplit(' ').next().unwrap_or_default();
    let credential = Credential::Token(Token::new(token)?);
    let connector = wayleave_sockets::connector_with_ca(&std::fs::read(&lab.chain)?)?;
    let mut taps = Taps::new(entrance.address)?;
    match runtime {
        Runtime::AsyncIo => {
            run(&mut taps, &credential, &connector, |config| {
                Ok(wayleave_async_io::Client::new(config.build()?))
            })?;
        }
        Runtime::Std => {
            run(&mut taps, &credential, &connector, |config| {
                Ok(wayleave_std::Client::new(config.build()?)?)
            })?;
        }
        Runtime::Tokio => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let tokio = builder.worker_threads(1).enable_all().build()?;
            let _context = tokio.enter();
            run(&mut taps, &credential, &connector, |config| {
                Ok(wayleave_tokio::Client::new(config.build()?))
            })?;
        }
    }
    let mut delays = Histogram::default();
    for delay in taps.delays() {
        delays.add(delay.context("a client did not switch")?);
    }
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| delays.percentile(share));
    Ok(Sample {
        cost: p50.as_secs_f64() * 1e6,
        rate: delays.count() as f64,
        latency: Some([p50, p99, p999]),
        ..Sample::default()
    })
}

/// A client to measure, on any runtime.
trait Held {
    /// Begins a stream to `target`, and goes on with it for as long as this is kept.
    fn begin(&self, target: SocketAddr) -> anyhow::Result<Begun>;

    fn close(&self);
}

/// A stream that is being opened.
type Begun = Box<dyn std::any::Any>;

impl Held for wayleave_async_io::Client {
    fn begin(&self, target: SocketAddr) -> anyhow::Result<Begun> {
        let client = self.clone();
        begun(async move { client.connect(target).await.is_ok() })
    }

    fn close(&self) {
        self.close();
    }
}

impl Held for wayleave_std::Client {
    fn begin(&self, target: SocketAddr) -> anyhow::Result<Begun> {
        let client = self.clone();
        Ok(Box::new(thread::Builder::new().spawn(move || client.connect(target).is_ok())?))
    }

    fn close(&self) {
        self.close();
    }
}

impl Held for wayleave_tokio::Client {
    fn begin(&self, target: SocketAddr) -> anyhow::Result<Begun> {
        let client = self.clone();
        begun(async move { client.connect(target).await.is_ok() })
    }

    fn close(&self) {
        self.close();
    }
}

fn begun(opening: impl Future<Output = bool> + 'static) -> anyhow::Result<Begun> {
    let mut opening = Box::pin(opening);
    let opened = opening.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    ensure!(opened.is_pending(), "the direct path is no black hole");
    Ok(Box::new(opening))
}

fn run<C: Held>(
    taps: &mut Taps,
    credential: &Credential,
    connector: &Arc<dyn Connector>,
    make: impl Fn(ClientConfig) -> anyhow::Result<C>,
) -> anyhow::Result<()> {
    let hole = BlackHole::new()?;
    let mut clients = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        let relay = taps.add()?;
        let proxies = vec![relay.to_string().parse()?];
        let mut config = ClientConfig::new(proxies, credential.clone(), Arc::clone(connector));
        config.network = Network::up(Link::Wifi);
        let trial = config.route.trial;
        let client = make(config)?;
        let deadline = Instant::now() + trial;
        streams.push(client.begin(hole.address)?);
        taps.count_from(deadline);
        clients.push(client);
        taps.run(Instant::now() + APART)?;
    }
    taps.run(Instant::now() + PATIENCE)?;
    clients.iter().for_each(C::close);
    Ok(())
}

/// An address to which no connection is ever made: the queue of its listener is full.
struct BlackHole {
    address: SocketAddr,
    #[expect(dead_code, reason = "held open")]
    held: Vec<Socket>,
}

impl BlackHole {
    fn new() -> anyhow::Result<Self> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        listener.listen(0)?;
        let address = listener.local_addr()?.as_socket().context("it has no address")?;
        let mut held = vec![listener];
        for _ in 0..4 {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            filler.set_nonblocking(true)?;
            // Those that come too late hang, as every later one does.
            let _ = filler.connect(&address.into());
            held.push(filler);
        }
        Ok(Self { address, held })
    }
}

/// Clients in one run.
const CLIENTS: usize = 16;
/// Between the starts of two.
const APART: Duration = Duration::from_millis(17);
/// How long after the last start all must have switched.
const PATIENCE: Duration = Duration::from_secs(2);
