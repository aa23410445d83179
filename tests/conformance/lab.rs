//! A small network on loopback: relays with throw-away certificates, targets on threads, black holes.

use std::io::{self, ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use wayleave_proto::auth::{
    Algorithm, AppSign, Claims, Credential, Keys, KeysConfig, SigningKey, Token, Token04Claims, Token04Key,
    Token04Mode,
};
use wayleave_proto::base::{Link, Network, Target, UnixTime};
use wayleave_proto::carrier::tls::{Environment, RustlsAcceptor};
use wayleave_proto::client::{Event, What};
use wayleave_proto::config::{ClientConfig, Mode, RelayConfig};
use wayleave_proto::policy::AddressPolicy;
use wayleave_sockets::{connector_with_ca, unix_now};

use crate::kit::{Client, ClientKit, PATIENCE, RelayKit, Served, Verifier};

/// An authority, a key for tokens, and what is made with them for one pair of kits.
pub(crate) struct Lab<C, R> {
    ca: Issuer<'static, KeyPair>,
    ca_pem: String,
    key: SigningKey,
    kits: PhantomData<fn() -> (C, R)>,
}

impl<C: ClientKit, R: RelayKit> Lab<C, R> {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pair = KeyPair::generate().unwrap();
        let ca_pem = params.self_signed(&pair).unwrap().pem();
        let key = SigningKey::generate(Algorithm::EdDsa, "lab", &[3; 32]).unwrap();
        Self { ca: Issuer::new(params, pair), ca_pem, key, kits: PhantomData }
    }

    /// A token that the relays of this lab accept.
    pub(crate) fn token(&self) -> Token {
        token(&self.key, "alice", HOUR)
    }

    /// A token of `user` that is good for so long.
    pub(crate) fn token_of(&self, user: &str, ttl: Duration) -> Token {
        token(&self.key, user, ttl)
    }

    /// A Token04 of `user` that is good for so long, which the relays of this lab accept.
    pub(crate) fn token04_of(&self, user: &str, ttl: Duration) -> Token {
        let now = unix_now();
        let claims = Token04Claims {
            user_id: user.into(),
            issued: now,
            expires: UnixTime::from_millis(now.as_millis() + u64::try_from(ttl.as_millis()).unwrap()),
            payload: String::new(),
        };
        // Nobody but this test sees it: that it repeats in another run gives nothing away.
        let random = now.as_millis().to_be_bytes().repeat(2).try_into().unwrap();
        token04_key().mint(&claims, Token04Mode::Gcm, &random).unwrap()
    }

    /// An app sign of application 1001 that the relays of this lab accept.
    pub(crate) fn app_sign(&self) -> AppSign {
        AppSign::new(1_001.into(), &"5a".repeat(32)).unwrap()
    }

    /// Starts a relay that reaches `localhost` at 127.0.0.2, where the targets are.
    pub(crate) fn relay(&self) -> Served {
        self.relay_with(|_| {})
    }

    /// The same, with something changed.
    pub(crate) fn relay_with(&self, change: impl FnOnce(&mut RelayConfig)) -> Served {
        self.relay_asking(change, |_| None)
    }

    /// The same, with an embedder that answers at once.
    pub(crate) fn relay_asking(&self, change: impl FnOnce(&mut RelayConfig), verifier: Verifier) -> Served {
        let pair = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        let chain = params.signed_by(&pair, &self.ca).unwrap().pem();
        let key = pair.serialize_pem();
        let acceptor = RustlsAcceptor::from_pem(Environment::system(), chain.as_bytes(), key.as_bytes());
        let keys = KeysConfig {
            jwt: vec![self.key.verifying()],
            token04: vec![token04_key()],
            app_sign: vec![self.app_sign().public()],
            ..KeysConfig::default()
        };
        let keys = Keys::new(keys).unwrap();
        let mut config = RelayConfig::new(Arc::new(acceptor.unwrap()), keys);
        config.targets.addresses =
            AddressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], deny: Vec::new() };
        config.hosts.insert("localhost".parse().unwrap(), vec![TARGETS.into()]);
        change(&mut config);
        R::serve(config.build().unwrap(), verifier)
    }

    /// The configuration of a client of the relays at these ports.
    pub(crate) fn config(&self, mode: Mode, link: Link, relays: &[u16]) -> ClientConfig {
        let proxies = relays.iter().map(|port| localhost(*port)).collect();
        let connector = connector_with_ca(self.ca_pem.as_bytes()).unwrap();
        let mut config = ClientConfig::new(proxies, Credential::Token(self.token()), connector);
        config.route.mode = mode;
        config.network = Network::up(link);
        config
    }

    /// A client of these relays.
    pub(crate) fn client(&self, mode: Mode, link: Link, relays: &[&Served]) -> Box<dyn Client> {
        let ports: Vec<_> = relays.iter().map(|relay| relay.address.port()).collect();
        self.start(self.config(mode, link, &ports))
    }

    /// A client with this configuration.
    pub(crate) fn start(&self, config: ClientConfig) -> Box<dyn Client> {
        C::client(config.build().unwrap())
    }
}

/// A token signed by a key that no relay knows.
pub(crate) fn foreign_token() -> Token {
    token(&SigningKey::generate(Algorithm::EdDsa, "lab", &[4; 32]).unwrap(), "alice", HOUR)
}

fn token04_key() -> Token04Key {
    Token04Key::new(1_001, b"0123456789abcdef0123456789abcdef").unwrap()
}

fn token(key: &SigningKey, user: &str, ttl: Duration) -> Token {
    let expires = Duration::from_millis(unix_now().as_millis()) + ttl;
    let claims = Claims {
        app_id: "1001".parse().ok(),
        subject: Some(user.into()),
        expires: Some(UnixTime::from_millis(u64::try_from(expires.as_millis()).unwrap())),
        ..Claims::default()
    };
    key.mint(&claims).unwrap()
}

/// `localhost` for clients; for relays it is where the targets are.
pub(crate) fn localhost(port: u16) -> Target {
    format!("localhost:{port}").parse().unwrap()
}

/// Where the targets are, for everybody.
pub(crate) fn straight(port: u16) -> Target {
    format!("{TARGETS}:{port}").parse().unwrap()
}

/// A TCP target for a behaviour that accepts by itself.
pub(crate) fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((TARGETS, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Accepts what a client has been told to be connected.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A TCP target that sends back what it gets, half by half.
pub(crate) fn echo_stream() -> u16 {
    let (listener, port) = listener();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || echo(&stream));
        }
    });
    port
}

fn echo(stream: &TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = (stream, stream);
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return writer.shutdown(std::net::Shutdown::Write);
        }
        writer.write_all(&buffer[..count])?;
    }
}

/// A UDP target that sends back what it gets.
pub(crate) fn echo_datagrams() -> u16 {
    let socket = UdpSocket::bind((TARGETS, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok((count, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..count], from);
        }
    });
    port
}

/// What takes a port on the addresses that `localhost` has on this machine, and says nothing.
pub(crate) struct Silence(#[expect(dead_code, reason = "held open")] Vec<Socket>);

impl Silence {
    /// A target made by `target`, and at the same port of `localhost` a black hole for connections.
    pub(crate) fn hides_stream(target: impl Fn() -> u16) -> (u16, Self) {
        hide(target, |address| {
            let listener = bound(address, Type::STREAM)?;
            listener.listen(0)?;
            let mut held = vec![listener];
            // The queue of the listener is full afterwards.
            for _ in 0..4 {
                let filler = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
                filler.set_nonblocking(true)?;
                let _ = filler.connect(&address.into());
                held.push(filler);
            }
            Ok(held)
        })
    }

    /// A target made by `target`, and at the same port of `localhost` a black hole for datagrams.
    pub(crate) fn hides_datagrams(target: impl Fn() -> u16) -> (u16, Self) {
        hide(target, |address| Ok(vec![bound(address, Type::DGRAM)?]))
    }

    /// A port at which every connection is refused, and which nobody else can take.
    pub(crate) fn refusing() -> (u16, Self) {
        let socket = bound((Ipv4Addr::LOCALHOST, 0).into(), Type::STREAM).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        (port, Self(vec![socket]))
    }
}

/// Makes targets until the port of one is free on `localhost` too.
fn hide(target: impl Fn() -> u16, hole: impl Fn(SocketAddr) -> io::Result<Vec<Socket>>) -> (u16, Silence) {
    loop {
        let port = target();
        let dug = [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()].map(&hole);
        if dug.iter().all(|dug| !matches!(dug, Err(error) if error.kind() == ErrorKind::AddrInUse)) {
            // Where there is no IPv6 there is nothing to hide.
            return (port, Silence(dug.into_iter().flatten().flatten().collect()));
        }
    }
}

fn bound(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Waits until `is_so`; what `state` says is shown where that takes too long.
pub(crate) fn wait_until<S: std::fmt::Debug>(mut state: impl FnMut() -> S, is_so: impl Fn(&S) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let state = state();
        if is_so(&state) {
            return;
        }
        assert!(Instant::now() < deadline, "{state:?}");
        thread::yield_now();
    }
}

/// Waits for the first event that `wanted` takes, and returns it with its moment.
pub(crate) fn wait_for<T>(client: &dyn Client, mut wanted: impl FnMut(&What) -> Option<T>) -> (T, Event) {
    let deadline = Instant::now() + PATIENCE;
    let mut story = Vec::new();
    while let Some(event) = client.event(deadline.saturating_duration_since(Instant::now())) {
        if let Some(found) = wanted(&event.what) {
            return (found, event);
        }
        story.push(event);
    }
    panic!("what was waited for did not happen: {story:#?}")
}

/// Taken by what uses the whole machine, so that the times of the others mean something.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Taken by what leaves the machine to others too.
pub(crate) fn beside() -> RwLockReadGuard<'static, ()> {
    TURN.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Lets this process open as many files as the system lets it.
pub(crate) fn raise_limit_of_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

static TURN: RwLock<()> = RwLock::new(());

/// Where the targets are: an address that `localhost` does not have.
pub(crate) const TARGETS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const HOUR: Duration = Duration::from_secs(3_600);
/// Bytes moved at once.
pub(crate) const CHUNK: usize = 65_536;
