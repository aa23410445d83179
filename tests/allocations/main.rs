//! A datagram costs no allocation on either side once a flow is under way: client and relay on tokio, each on a thread of
//! its own, with real sockets and real TLS between them.

mod count;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use count::Side;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::runtime::Builder;
use wayleave_proto::auth::{Algorithm, Claims, Credential, Keys, SigningKey};
use wayleave_proto::base::{Target, UnixTime};
use wayleave_proto::carrier::tls::{Environment, RustlsAcceptor};
use wayleave_proto::config::{ClientConfig, Mode, RelayConfig};
use wayleave_tokio::{Client, DatagramFlow, Relay, connector_with_ca};

#[test]
fn a_datagram_costs_no_allocation_on_either_side() {
    let (relay, client) = configurations();
    let address = serve(relay);
    let target = echo();
    count::on(Side::Client);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::new(client(address.port()).build().unwrap());
        let flow = client.datagrams(target.to_string().as_str()).unwrap();
        // What happens now and then, such as a connection that is made ready, may fall into some of the rounds.
        let mut least = [u64::MAX; 2];
        for _ in 0..ROUNDS {
            let before = count::both();
            for burst in [1, BURST] {
                for _ in 0..DATAGRAMS / burst {
                    there_and_back(&flow, burst).await;
                }
            }
            let after = count::both();
            for (least, (after, before)) in least.iter_mut().zip(after.into_iter().zip(before)) {
                *least = (*least).min(after - before);
            }
        }
        assert_eq!(least, [0, 0], "allocations of client and relay for {} datagrams each way", 2 * DATAGRAMS);
    });
}

async fn there_and_back(flow: &DatagramFlow, count: usize) {
    for _ in 0..count {
        flow.send(&[7; 160]).unwrap();
    }
    let mut buffer = [0; 1_500];
    for _ in 0..count {
        assert_eq!(flow.recv(&mut buffer).await.unwrap(), 160);
    }
}

/// A target that returns what it gets.
fn echo() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 1_500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], from);
        }
    });
    address
}

fn serve(config: RelayConfig) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        count::on(Side::Relay);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let relay = Relay::bind(config.build().unwrap(), (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
            tell.send(relay.local_addr()).unwrap();
            relay.serve().await;
        });
    });
    told.recv().unwrap()
}

/// A relay, and a client of the relay at a port.
fn configurations() -> (RelayConfig, impl FnOnce(u16) -> ClientConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pair = KeyPair::generate().unwrap();
    let ca = params.self_signed(&pair).unwrap().pem();
    let issuer = Issuer::new(params, pair);
    let pair = KeyPair::generate().unwrap();
    let chain =
        CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&pair, &issuer).unwrap().pem();
    let acceptor =
        RustlsAcceptor::from_pem(Environment::system(), chain.as_bytes(), pair.serialize_pem().as_bytes())
            .unwrap();

    let key = SigningKey::generate(Algorithm::EdDsa, "test", &[3; 32]).unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let expires = u64::try_from((now + Duration::from_secs(3_600)).as_millis()).unwrap();
    let claims = Claims {
        app_id: "1001".parse().ok(),
        subject: Some("alice".into()),
        expires: Some(UnixTime::from_millis(expires)),
        ..Claims::default()
    };
    let token = key.mint(&claims).unwrap();

    let mut relay = RelayConfig::new(Arc::new(acceptor), Keys::new(vec![key.verifying()]).unwrap());
    relay.targets.addresses.allow.push("127.0.0.0/8".parse().unwrap());
    let client = move |port: u16| {
        let proxy: Target = format!("localhost:{port}").parse().unwrap();
        let connector = connector_with_ca(ca.as_bytes()).unwrap();
        let mut config = ClientConfig::new(vec![proxy], Credential::Token(token), connector);
        config.route.mode = Mode::Normal;
        config
    };
    (relay, client)
}

/// Of each kind, in one round.
const DATAGRAMS: usize = 400;
const BURST: usize = 8;
const ROUNDS: usize = 12;
