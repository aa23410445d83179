//! Who comes to a relay's port besides our clients: programs of every day, mistaken ones, and balancers.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::client::handshake;
use crate::lab::Lab;
use crate::process::run;
use crate::targets::{echo_stream, page, web};

#[test]
fn python_asks_in_http_1_0_for_a_tunnel() {
    let test = "python_asks_in_http_1_0_for_a_tunnel";
    let Some(python) = wayleave_tests::require(test, "python3", "python3") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    lab.write("page.py", PAGE);
    let (script, ca, token) = (lab.path("page.py"), lab.path("tls/ca.pem"), lab.read("token.txt"));
    let (at, target) = (relay.listening(1).port().to_string(), web(10_000).to_string());
    let output = run(&python, &[&script, &at, &ca, &token, &target]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout == page(10_000), "{error}\n{}", relay.log());
}

#[test]
fn plain_http_on_the_port_for_tls_is_answered_in_the_clear() {
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let address = relay.listening(1);
    for head in ["GET / HTTP/1.1\r\nHost: relay\r\n\r\n", "CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("TLS"), "{head:?}: {answer:?}");
    }
}

#[test]
fn a_header_of_the_proxy_protocol_is_taken_from_the_named_balancer_alone() {
    let lab = Lab::new();
    let relay = lab.relay(&["--proxy-protocol-from", "127.0.0.9/32"]);
    let (address, target) = (relay.listening(1), echo_stream());
    let asked = |from: Ipv4Addr, header: &[u8]| asks(&lab, address, from, header, target);
    let header = header(CLIENT, address);
    assert_eq!(asked(BALANCER, &header).unwrap(), "HTTP/1.1 200");
    assert!(relay.wait_for("tunnel opened").contains("203.0.113.7"), "{}", relay.log());
    assert_eq!(asked(Ipv4Addr::LOCALHOST, &[]).unwrap(), "HTTP/1.1 200");
    for (from, header) in [(Ipv4Addr::LOCALHOST, &header[..]), (BALANCER, &[])] {
        let told = asked(from, header);
        assert!(told.is_err(), "{from}: {told:?}\n{}", relay.log());
    }
}

/// Comes from there, sends the header, asks for a tunnel and says what the answer begins with.
fn asks(lab: &Lab, relay: SocketAddr, from: Ipv4Addr, header: &[u8], target: u16) -> io::Result<String> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&relay.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.write_all(header).unwrap();
    let mut session = handshake(stream, &lab.read("tls/ca.pem"))?;
    let token = lab.read("token.txt");
    let head = format!(
        "CONNECT localhost:{target} HTTP/1.1\r\nHost: localhost\r\nProxy-Authorization: Bearer {token}\r\n\r\n"
    );
    session.write_all(head.as_bytes())?;
    let mut answer = [0; 12];
    session.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The PROXY protocol's header, version 2, of a TCP connection over IPv4.
fn header(from: SocketAddrV4, to: SocketAddr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(from.ip().octets());
    header.extend(Ipv4Addr::LOCALHOST.octets());
    header.extend(from.port().to_be_bytes());
    header.extend(to.port().to_be_bytes());
    header
}

const BALANCER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 7), 50_000);

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Prints a page from a target behind the relay.
const PAGE: &str = r#"
import http.client, socket, ssl, sys

relay, authority, token, target = sys.argv[1:]
trusted = ssl.create_default_context(cafile=authority)
plain = socket.create_connection(("127.0.0.1", int(relay)), 20)
page = http.client.HTTPConnection("localhost", int(relay), timeout=20)
# Up to 3.11 the library asks so by itself.
page._http_vsn, page._http_vsn_str = 10, "HTTP/1.0"
page.set_tunnel("localhost", int(target), {"Proxy-Authorization": "Bearer " + token})
page.sock = trusted.wrap_socket(plain, server_hostname="localhost")
page._tunnel()
page.request("GET", "/")
sys.stdout.buffer.write(page.getresponse().read())
"#;
