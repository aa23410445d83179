//! The stage of the demonstration: relays, targets and black holes on loopback.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use wayleave_proto::auth::{Algorithm, Claims, Credential, Keys, SigningKey};
use wayleave_proto::base::{Link, Network, Target, UnixTime};
use wayleave_proto::carrier::tls::{Environment, RustlsAcceptor};
use wayleave_proto::config::{ClientConfig, Mode, RelayConfig};
use wayleave_proto::policy::AddressPolicy;
use wayleave_sockets::unix_now;
use wayleave_tokio::{Client, Relay, RelayHandle, connector_with_ca};

use crate::Failure;

/// What the demonstration plays with.
pub(super) struct Lab {
    pub(super) relays: [Served; 2],
    ca_pem: String,
    credential: Credential,
    web: u16,
    /// Another port of the web server.
    other: u16,
    echo: u16,
    /// The black holes, held open.
    _holes: Vec<Socket>,
}

/// A relay that serves in the background.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    pub(super) handle: RelayHandle,
}

impl Lab {
    pub(super) async fn new() -> Result<Self, Failure> {
        let mut params = CertificateParams::new(Vec::new()).map_err(Failure::run)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pair = KeyPair::generate().map_err(Failure::run)?;
        let ca_pem = params.self_signed(&pair).map_err(Failure::run)?.pem();
        let ca = Issuer::new(params, pair);

        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(Failure::run)?;
        let key = SigningKey::generate(Algorithm::EdDsa, "demo", &random).map_err(Failure::run)?;
        let claims = Claims {
            app_id: "1001".parse().ok(),
            subject: Some("demo".into()),
            expires: Some(UnixTime::from_secs(unix_now().as_secs() + 3_600)),
            ..Claims::default()
        };
        let credential = Credential::Token(key.mint(&claims).map_err(Failure::run)?);
        let relays = [serve(&ca, &key).await?, serve(&ca, &key).await?];
        let ([web, other, echo], holes) = targets().await.map_err(Failure::run)?;
        Ok(Self { relays, ca_pem, credential, web, other, echo, _holes: holes })
    }

    pub(super) fn client(&self, mode: Mode, link: Link) -> Result<Client, Failure> {
        let proxies = self.relays.iter().map(|relay| target("localhost", relay.address.port()));
        let proxies = proxies.collect::<Result<_, _>>()?;
        let connector = connector_with_ca(self.ca_pem.as_bytes()).map_err(Failure::run)?;
        let mut config = ClientConfig::new(proxies, self.credential.clone(), connector);
        config.route.mode = mode;
        config.network = Network::up(link);
        Ok(Client::new(config.build().map_err(Failure::run)?))
    }

    pub(super) fn web(&self, host: &str) -> Result<Target, Failure> {
        target(host, self.web)
    }

    /// Another port of the web server, to which the network lets nothing out.
    pub(super) fn blocked(&self) -> Result<Target, Failure> {
        target("localhost", self.other)
    }

    pub(super) fn echo(&self) -> Result<Target, Failure> {
        target("localhost", self.echo)
    }
}

async fn serve(ca: &Issuer<'static, KeyPair>, key: &SigningKey) -> Result<Served, Failure> {
    let pair = KeyPair::generate().map_err(Failure::run)?;
    let params = CertificateParams::new(vec!["localhost".into()]).map_err(Failure::run)?;
    let chain = params.signed_by(&pair, ca).map_err(Failure::run)?.pem();
    let acceptor =
        RustlsAcceptor::from_pem(Environment::system(), chain.as_bytes(), pair.serialize_pem().as_bytes());
    let keys = Keys::new(vec![key.verifying()]).map_err(Failure::run)?;
    let mut config = RelayConfig::new(Arc::new(acceptor.map_err(Failure::run)?), keys);
    let loopback = "127.0.0.0/8".parse().map_err(Failure::run)?;
    config.targets.addresses = AddressPolicy { allow: vec![loopback], deny: Vec::new() };
    config.hosts.insert("localhost".parse().map_err(Failure::run)?, vec![IpAddr::V4(TARGETS)]);
    let config = config.build().map_err(Failure::run)?;
    let relay = Relay::bind(config, (Ipv4Addr::LOCALHOST, 0).into()).await.map_err(Failure::run)?;
    let (address, handle) = (relay.local_addr(), relay.handle());
    tokio::spawn(relay.serve());
    Ok(Served { address, handle })
}

/// A web server on two ports, a UDP echo, and black holes where the client looks for them. Their ports have to be free on all these
/// addresses, which may take another try.
async fn targets() -> io::Result<([u16; 3], Vec<Socket>)> {
    let mut tries = 0;
    loop {
        let (web, other, echo) = (web_server().await?, web_server().await?, udp_echo().await?);
        tries += 1;
        match black_holes([web, other], echo) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < TRIES => {}
            holes => return Ok(([web, other, echo], holes?)),
        }
    }
}

async fn web_server() -> io::Result<u16> {
    let listener = TcpListener::bind((TARGETS, 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1_024];
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", PAGE.len());
                if stream.read(&mut request).await.is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(PAGE.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    Ok(port)
}

async fn udp_echo() -> io::Result<u16> {
    let socket = UdpSocket::bind((TARGETS, 0)).await?;
    let port = socket.local_addr()?.port();
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok((count, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..count], from).await;
        }
    });
    Ok(port)
}

/// Sockets at the addresses of `localhost` that swallow what comes: datagrams are never read, and the queues of the
/// listeners are full, so that the system answers no further connection.
fn black_holes(web: [u16; 2], echo: u16) -> io::Result<Vec<Socket>> {
    let mut held = Vec::new();
    for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let echo = match bound(SocketAddr::new(ip, echo), Type::DGRAM) {
            // A machine without IPv6.
            Err(error) if ip.is_ipv6() && error.kind() != io::ErrorKind::AddrInUse => continue,
            echo => echo?,
        };
        held.push(echo);
        for port in web {
            hide_streams(SocketAddr::new(ip, port), &mut held)?;
        }
    }
    Ok(held)
}

/// Swallows connections to `web`.
fn hide_streams(web: SocketAddr, held: &mut Vec<Socket>) -> io::Result<()> {
    let listener = bound(web, Type::STREAM)?;
    listener.listen(0)?;
    for _ in 0..4 {
        let filler = Socket::new(Domain::for_address(web), Type::STREAM, None)?;
        filler.set_nonblocking(true)?;
        // Those that fit the queue connect, the next stays in the middle of its handshake.
        let _ = filler.connect(&web.into());
        held.push(filler);
    }
    held.push(listener);
    Ok(())
}

fn bound(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn target(host: &str, port: u16) -> Result<Target, Failure> {
    format!("{host}:{port}").parse().map_err(Failure::run)
}

/// Where the targets are: a loopback address that `localhost` is not.
pub(super) const TARGETS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// What the web server answers.
pub(super) const PAGE: &str = "A right of way across land that someone else owns.\n";
/// How often free ports are looked for.
const TRIES: usize = 20;
