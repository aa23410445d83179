//! Relays that are gone, refuse, stop or take over.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use wayleave_proto::auth::Credential;
use wayleave_proto::base::{Link, Route, Target};
use wayleave_proto::carrier::tls::TlsError;
use wayleave_proto::client::{FlowError, ProxyFault};
use wayleave_proto::config::Mode;
use wayleave_proto::net::Fault;

use super::traffic::exchange;
use crate::kit::{Client, ClientKit, RelayKit};
use crate::lab::{Lab, Silence, beside, echo_datagrams, echo_stream, foreign_token, localhost, wait_until};

pub(crate) fn with_the_relays_gone_nothing_leaves_directly<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    let (refusing, _held) = Silence::refusing();
    let mute = hangs_up();
    let client = lab.start(lab.config(Mode::Normal, Link::Wifi, &[refusing, mute]));
    let stream = client.connect(localhost(tcp.local_addr().unwrap().port()));
    let flow = client.datagrams(localhost(udp.local_addr().unwrap().port())).unwrap();
    let _ = flow.send(b"private");
    let told = [stream.err().expect("no stream").to_string(), flow.recv().expect_err("no flow").to_string()];
    for error in told {
        for said in [format!("localhost:{refusing}: "), format!("localhost:{mute}: "), "refused".into()] {
            assert!(error.contains(&said), "{said:?} is not in {error:?}");
        }
    }
    assert_eq!(tcp.accept().map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
    assert_eq!(udp.recv(&mut [0; 16]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
}

/// A port where connections are taken and ended without a word.
fn hangs_up() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || while listener.accept().is_ok() {});
    port
}

pub(crate) fn when_a_relay_stops_the_next_one_takes_over<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let (first, second) = (lab.relay(), lab.relay());
    let (tcp, udp) = (echo_stream(), echo_datagrams());
    let client = lab.client(Mode::Normal, Link::Wifi, &[&first, &second]);
    let (written, read) = exchange(client.connect(localhost(tcp)).unwrap(), 10_000);
    assert_eq!(written, read);
    let flow = client.datagrams(localhost(udp)).unwrap();
    flow.send(b"first").unwrap();
    assert_eq!(flow.recv().unwrap(), b"first");
    assert_eq!((first.stats().opened, second.stats().opened), (2, 0));
    first.handle.close();
    let (written, read) = exchange(client.connect(localhost(tcp)).unwrap(), 10_000);
    assert_eq!(written, read);
    // What is sent in the moment of the move may be lost; the flow is not.
    let came_back = (0..50).any(|_| {
        flow.send(b"second").unwrap();
        flow.recv_within(Duration::from_millis(200)).unwrap().is_some_and(|got| got == b"second")
    });
    assert!(came_back);
    assert_eq!(flow.route(), Some(Route::Proxied));
    assert_eq!(second.stats().opened, 2);
}

pub(crate) fn a_wrong_token_is_refused_until_it_is_renewed<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let port = echo_stream();
    let mut config = lab.config(Mode::Normal, Link::Wifi, &[relay.address.port()]);
    config.credential = Some(Credential::Token(foreign_token()));
    let client = lab.start(config);
    let error = client.connect(localhost(port)).err().expect("no stream");
    let FlowError::NoProxy(said) = &error else { panic!("{error}") };
    let expected = (localhost(relay.address.port()), ProxyFault::Refused { status: 407 });
    assert_eq!(said, &[expected]);
    assert!(error.to_string().contains("token"), "{error}");
    assert_eq!((relay.stats().opened, relay.stats().tunnels), (0, 0));
    client.verbs().renew(Credential::Token(lab.token()));
    let (written, read) = exchange(client.connect(localhost(port)).unwrap(), 10_000);
    assert_eq!(written, read);
}

pub(crate) fn a_failure_is_of_one_kind_on_both_ways<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay_with(|config| {
        config.hosts.insert("empty.example".parse().unwrap(), Vec::new());
    });
    let (normal, off) =
        (lab.client(Mode::Normal, Link::Wifi, &[&relay]), lab.client(Mode::Off, Link::Wifi, &[&relay]));
    let kind = |client: &dyn Client, target: Target| {
        io::Error::from(client.connect(target).err().expect("no stream")).kind()
    };
    let (port, _held) = Silence::refusing();
    let refusing = || Target::try_from(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
    assert_eq!(kind(&*normal, refusing()), ErrorKind::ConnectionRefused);
    assert_eq!(kind(&*off, refusing()), ErrorKind::ConnectionRefused);
    assert_eq!(kind(&*normal, "empty.example:443".parse().unwrap()), ErrorKind::NotFound);
    assert_eq!(kind(&*normal, "10.0.0.1:443".parse().unwrap()), ErrorKind::PermissionDenied);

    // What stands between, and who can mend it, is none of these.
    let ports = [relay.address.port()];
    let mut config = lab.config(Mode::Normal, Link::Wifi, &ports);
    config.credential = Some(Credential::Token(foreign_token()));
    assert_eq!(kind(&*lab.start(config), localhost(port)), ErrorKind::PermissionDenied);
    let mut config = lab.config(Mode::Normal, Link::Wifi, &ports);
    config.connector = Lab::<C, R>::new().config(Mode::Normal, Link::Wifi, &ports).connector;
    let error = lab.start(config).connect(localhost(port)).err().expect("no stream");
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    let source = error.source().and_then(|source| source.downcast_ref());
    let is_trust = |fault: &ProxyFault| {
        matches!(fault, ProxyFault::Connection(Fault::Tls(TlsError::CertificateNotTrusted { .. })))
    };
    assert!(source.is_some_and(is_trust), "{source:?}");
}

pub(crate) fn a_renewed_token_leaves_open_streams_alone<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let open = client.connect(localhost(port)).unwrap();
    client.verbs().renew(Credential::Token(foreign_token()));
    assert!(matches!(client.connect(localhost(port)), Err(FlowError::NoProxy(_))));
    let (written, read) = exchange(open, 10_000);
    assert_eq!(written, read);
}

pub(crate) fn a_drained_relay_finishes_what_it_has<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let stream = client.connect(localhost(port)).unwrap();
    relay.handle.drain();
    assert!(matches!(client.connect(localhost(port)), Err(FlowError::NoProxy(_))));
    assert!(relay.over.try_recv().is_err_and(|error| error == std::sync::mpsc::TryRecvError::Empty));
    let (written, read) = exchange(stream, 1_000_000);
    assert_eq!(written, read);
    wait_until(|| relay.stats(), |stats| stats.tunnels == 0);
    let over = relay.over.recv_timeout(crate::kit::PATIENCE);
    assert_eq!(over, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
}
