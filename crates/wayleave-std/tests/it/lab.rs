//! A small network on loopback: relays with throw-away certificates, targets that echo, black holes.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use socket2::{Domain, Socket, Type};
use wayleave_proto::auth::{Algorithm, Claims, Credential, Keys, SigningKey, Token};
use wayleave_proto::base::{Link, Network, Target, UnixTime};
use wayleave_proto::carrier::tls::{Environment, RustlsAcceptor};
use wayleave_proto::config::{ClientConfig, Mode, RelayConfig};
use wayleave_proto::policy::AddressPolicy;
use wayleave_proto::relay::Event;
use wayleave_std::{Client, Relay, RelayHandle, Stream, connector_with_ca};

/// An authority, a key for tokens, and what is made with them.
pub(crate) struct Lab {
    ca: Issuer<'static, KeyPair>,
    ca_pem: String,
    key: SigningKey,
}

/// A relay that serves in the background.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) handle: RelayHandle,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pair = KeyPair::generate().unwrap();
        let ca_pem = params.self_signed(&pair).unwrap().pem();
        let key = SigningKey::generate(Algorithm::EdDsa, "lab", &[3; 32]).unwrap();
        Self { ca: Issuer::new(params, pair), ca_pem, key }
    }

    pub(crate) fn token(&self, ttl: Duration) -> Token {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + ttl;
        let claims = Claims {
            app_id: "1001".parse().ok(),
            subject: Some("alice".into()),
            expires: Some(UnixTime::from_millis(since.as_millis() as u64)),
            ..Claims::default()
        };
        self.key.mint(&claims).unwrap()
    }

    /// Starts a relay that reaches `localhost` at 127.0.0.2, where the targets are.
    pub(crate) fn relay(&self) -> Served {
        let pair = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        let chain = params.signed_by(&pair, &self.ca).unwrap().pem();
        let acceptor = RustlsAcceptor::from_pem(
            Environment::system(),
            chain.as_bytes(),
            pair.serialize_pem().as_bytes(),
        );
        let keys = Keys::new(vec![self.key.verifying()]).unwrap();
        let mut config = RelayConfig::new(Arc::new(acceptor.unwrap()), keys);
        config.targets.addresses =
            AddressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], deny: Vec::new() };
        config.hosts.insert("localhost".parse().unwrap(), vec![TARGETS.into()]);
        let relay = Relay::bind(config.build().unwrap(), (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let (address, handle) = (relay.local_addr(), relay.handle());
        let events = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&events);
        let told = relay.events();
        thread::spawn(move || told.for_each(|event| kept.lock().unwrap().push(event)));
        thread::spawn(|| relay.serve());
        Served { address, handle, events }
    }

    /// The configuration of a client of these relays.
    pub(crate) fn config(&self, mode: Mode, link: Link, relays: &[&Served]) -> ClientConfig {
        let proxies = relays.iter().map(|relay| target("localhost", relay.address.port())).collect();
        let connector = connector_with_ca(self.ca_pem.as_bytes()).unwrap();
        let credential = Credential::Token(self.token(Duration::from_secs(3_600)));
        let mut config = ClientConfig::new(proxies, credential, connector);
        config.route.mode = mode;
        config.network = Network::up(link);
        config
    }

    pub(crate) fn client(&self, mode: Mode, link: Link, relays: &[&Served]) -> Client {
        Client::new(self.config(mode, link, relays).build().unwrap()).unwrap()
    }
}

pub(crate) fn target(host: &str, port: u16) -> Target {
    format!("{host}:{port}").parse().unwrap()
}

/// A TCP target that sends back what it gets, half by half.
pub(crate) fn echo_stream() -> u16 {
    let listener = loop {
        let listener = TcpListener::bind((TARGETS, 0)).unwrap();
        if is_free(listener.local_addr().unwrap().port(), Type::STREAM) {
            break listener;
        }
    };
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || {
                let _ = io::copy(&mut &stream, &mut &stream);
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
    port
}

/// A UDP target that sends back what it gets.
pub(crate) fn echo_datagrams() -> u16 {
    let socket = loop {
        let socket = UdpSocket::bind((TARGETS, 0)).unwrap();
        if is_free(socket.local_addr().unwrap().port(), Type::DGRAM) {
            break socket;
        }
    };
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok((count, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..count], from);
        }
    });
    port
}

/// What swallows everything on the addresses that `localhost` has on this machine.
pub(crate) struct BlackHole(#[expect(dead_code, reason = "held open")] Vec<Socket>);

impl BlackHole {
    /// Swallows connections to `localhost` at `port`: the queues of its listeners are full.
    pub(crate) fn stream(port: u16) -> Self {
        let mut held = Vec::new();
        for address in locals(port) {
            let Ok(listener) = bound(address, Type::STREAM) else {
                assert!(address.is_ipv6(), "{address} is in use");
                continue;
            };
            listener.listen(0).unwrap();
            for _ in 0..4 {
                let filler = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
                filler.set_nonblocking(true).unwrap();
                let _ = filler.connect(&address.into());
                held.push(filler);
            }
            held.push(listener);
        }
        Self(held)
    }

    /// Swallows datagrams to `localhost` at `port`.
    pub(crate) fn datagrams(port: u16) -> Self {
        Self(locals(port).into_iter().filter_map(|address| bound(address, Type::DGRAM).ok()).collect())
    }
}

fn locals(port: u16) -> [SocketAddr; 2] {
    [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
}

/// Whether nobody uses `port` at the addresses of `localhost`, so that a black hole can be there.
fn is_free(port: u16, kind: Type) -> bool {
    let in_use = |address| bound(address, kind).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
    !locals(port).into_iter().any(in_use)
}

fn bound(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Writes `bytes`, ends the stream, and reads to the end of the other half.
pub(crate) fn exchange(stream: &Stream, bytes: &[u8]) -> io::Result<Vec<u8>> {
    thread::scope(|scope| {
        let mut writer = stream.try_clone()?;
        let writing = scope.spawn(move || {
            writer.write_all(bytes)?;
            writer.shutdown(Shutdown::Write)
        });
        let (mut reader, mut got) = (stream, Vec::new());
        reader.read_to_end(&mut got)?;
        writing.join().unwrap()?;
        Ok(got)
    })
}

/// Where the targets are: an address that `localhost` does not have.
pub(crate) const TARGETS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
