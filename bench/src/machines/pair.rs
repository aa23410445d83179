//! A client and a relay that hand each other their bytes directly: no socket, no time, one flow.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use wayleave_proto::auth::Credential;
use wayleave_proto::base::{Clock, Instant, Kind, Link, Network, Seed, UnixTime};
use wayleave_proto::carrier::tls::{
    Acceptor, Connector, Environment, PlainAcceptor, PlainConnector, RustlsAcceptor,
};
use wayleave_proto::client::{Client, FlowId, FlowStatus, Incoming};
use wayleave_proto::config::{ClientConfig, Mode};
use wayleave_proto::net::{Machine, Output, Packets, SocketId};
use wayleave_proto::relay::Relay;
use wayleave_proto::testing::{relay_config, token};

/// What is between the two.
#[derive(Clone)]
pub(super) struct Transport {
    acceptor: Arc<dyn Acceptor>,
    connector: Arc<dyn Connector>,
}

/// A client and a relay with one open flow.
#[derive(Debug)]
pub(super) struct Pair {
    client: Client,
    relay: Relay,
    flow: FlowId,
    kind: Kind,
    now: Instant,
    near: Option<SocketId>,
    far: Option<SocketId>,
    target: Option<SocketId>,
    buffer: Vec<u8>,
    arrived: usize,
}

impl Transport {
    /// Nothing but the bytes.
    pub(super) fn plain() -> Self {
        Self { acceptor: Arc::new(PlainAcceptor), connector: Arc::new(PlainConnector) }
    }

    /// TLS as the product has it.
    pub(super) fn tls() -> anyhow::Result<Self> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let certificate = rcgen::CertificateParams::new(vec!["10.9.9.9".to_owned()])?.self_signed(&key)?;
        let (chain, key) = (certificate.pem(), key.serialize_pem());
        let acceptor = RustlsAcceptor::from_pem(Environment::system(), chain.as_bytes(), key.as_bytes())?;
        let connector = wayleave_sockets::connector_with_ca(chain.as_bytes())?;
        Ok(Self { acceptor: Arc::new(acceptor), connector })
    }
}

impl Pair {
    /// Makes both, and opens a flow: the handshake, the request with its token, the answer.
    pub(super) fn open(transport: &Transport, kind: Kind) -> anyhow::Result<Self> {
        let now = Instant::ZERO;
        // Certificates are judged by the real time.
        let unix = wayleave_sockets::unix_now();
        let clock = Clock::new(now, unix);
        let mut config = relay_config().context("no configuration")?;
        config.acceptor = Arc::clone(&transport.acceptor);
        let relay = Relay::new(config.build()?, &Seed::new([2; 32]), clock, now);
        let mut client =
            Client::new(client_config(transport, unix)?.build()?, &Seed::new([1; 32]), clock, now);
        let flow = client.open(now, kind, "10.0.0.1:7".parse()?)?;
        let mut pair = Self {
            client,
            relay,
            flow,
            kind,
            now,
            near: None,
            far: None,
            target: None,
            buffer: Vec::new(),
            arrived: 0,
        };
        pair.pump();
        if !matches!(pair.client.status(flow), FlowStatus::Open(_)) {
            bail!("the flow did not open: {:?}", pair.client.status(flow));
        }
        Ok(pair)
    }

    /// One datagram from the client to the target.
    pub(super) fn datagram_up(&mut self, payload: &[u8]) {
        // What is refused does not arrive, and that is seen.
        let _ = self.client.send_datagram(self.now, self.flow, payload);
        self.pump();
    }

    /// One datagram from the target to the client.
    pub(super) fn datagram_down(&mut self, payload: &[u8]) {
        self.answer_from_target(payload);
        while let Ok(Some(datagram)) = self.client.datagram(self.flow) {
            self.arrived += datagram.len();
            self.client.take_datagram(self.flow);
        }
    }

    /// Bytes of a stream from the client to the target.
    pub(super) fn stream_up(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.client.write(self.now, self.flow, bytes).unwrap_or_default();
            bytes = &bytes[taken..];
            self.pump();
        }
    }

    /// Bytes of a stream from the target to the client.
    pub(super) fn stream_down(&mut self, bytes: &[u8]) {
        self.answer_from_target(bytes);
        while let Ok(Incoming::Bytes(bytes)) = self.client.read(self.flow) {
            let count = bytes.len();
            self.arrived += count;
            self.client.consume(self.now, self.flow, count);
            self.pump();
        }
    }

    /// How many bytes have reached the other end since the last question.
    pub(super) fn take_arrived(&mut self) -> usize {
        std::mem::take(&mut self.arrived)
    }

    fn answer_from_target(&mut self, bytes: &[u8]) {
        let Some(target) = self.target else { return };
        self.buffer.clear();
        self.buffer.extend_from_slice(bytes);
        match self.kind {
            Kind::Stream => self.relay.handle_received(self.now, target, &mut self.buffer),
            Kind::Datagram => {
                let packets = Packets::one(LOCAL, &mut self.buffer);
                self.relay.handle_packets(self.now, target, packets);
            }
        }
        self.pump();
    }

    /// Does what both ask for until they ask for nothing more.
    fn pump(&mut self) {
        let now = self.now;
        loop {
            let mut is_quiet = true;
            while let Some(output) = self.client.poll_output() {
                is_quiet = false;
                if let Output::Dial { id, address } = output {
                    self.near = Some(id);
                    self.far = self.relay.handle_accepted(now, LOCAL, address);
                    self.client.handle_opened(now, id, LOCAL);
                }
            }
            while let Some(output) = self.relay.poll_output() {
                is_quiet = false;
                if let Output::Dial { id, .. } | Output::Bind { id, .. } = output {
                    self.target = Some(id);
                    self.relay.handle_opened(now, id, LOCAL);
                }
            }
            if let (Some(near), Some(far)) = (self.near, self.far) {
                is_quiet &= !carry(now, &mut self.buffer, (&mut self.client, near), (&mut self.relay, far));
                is_quiet &= !carry(now, &mut self.buffer, (&mut self.relay, far), (&mut self.client, near));
            }
            if let Some(target) = self.target {
                while let Some(bytes) = self.relay.pending(now, target) {
                    let count = bytes.len();
                    self.arrived += count;
                    self.relay.handle_written(now, target, count);
                    is_quiet = false;
                }
                while let Some(transmit) = self.relay.transmit(now, target) {
                    let count = transmit.count();
                    self.arrived += transmit.contents.len();
                    self.relay.handle_sent(now, target, count);
                    is_quiet = false;
                }
            }
            if is_quiet {
                return;
            }
        }
    }
}

/// Moves everything that waits at one end to the other; says whether there was anything.
fn carry(
    now: Instant,
    buffer: &mut Vec<u8>,
    (from, from_id): (&mut impl Machine, SocketId),
    (to, to_id): (&mut impl Machine, SocketId),
) -> bool {
    let mut any = false;
    while let Some(bytes) = from.pending(now, from_id) {
        buffer.clear();
        buffer.extend_from_slice(bytes);
        from.handle_written(now, from_id, buffer.len());
        to.handle_received(now, to_id, buffer);
        any = true;
    }
    any
}

fn client_config(transport: &Transport, unix: UnixTime) -> anyhow::Result<ClientConfig> {
    let token = token(unix, Duration::from_secs(3_600)).context("no token")?;
    let proxies = vec!["10.9.9.9:443".parse()?];
    let mut config = ClientConfig::new(proxies, Credential::Token(token), Arc::clone(&transport.connector));
    config.route.mode = Mode::Normal;
    config.network = Network::up(Link::Ethernet);
    config.limits.standby = 0;
    Ok(config)
}

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40_000);
