//! A SOCKS5 client, as small as RFC 1928 allows.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// Opens a stream to `host` at `port` through the door at `agent`.
pub(crate) fn connect(agent: SocketAddr, host: &str, port: u16) -> TcpStream {
    let (stream, reply, _) = ask(agent, 1, host, port);
    assert_eq!(reply, 0, "the agent refused");
    stream
}

/// Asks for something and returns the connection, the reply code and the bound address.
pub(crate) fn ask(agent: SocketAddr, command: u8, host: &str, port: u16) -> (TcpStream, u8, SocketAddr) {
    let mut stream = TcpStream::connect(agent).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(&[5, 1, 0]).unwrap();
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).unwrap();
    assert_eq!(chosen, [5, 0]);
    let mut request = vec![5, command, 0];
    request.extend(address(host, port));
    stream.write_all(&request).unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!((answer[0], answer[3]), (5, 1));
    let ip: [u8; 4] = answer[4..8].try_into().unwrap();
    (stream, answer[1], SocketAddr::from((ip, u16::from_be_bytes([answer[8], answer[9]]))))
}

/// A UDP association: it ends with its connection.
pub(crate) struct Association {
    socket: UdpSocket,
    _control: TcpStream,
}

impl Association {
    pub(crate) fn new(agent: SocketAddr) -> Self {
        let (control, reply, at) = ask(agent, 3, "0.0.0.0", 0);
        assert_eq!(reply, 0, "the agent refused");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(at).unwrap();
        Self { socket, _control: control }
    }

    pub(crate) fn send(&self, host: &str, port: u16, payload: &[u8]) {
        let mut datagram = vec![0, 0, 0];
        datagram.extend(address(host, port));
        datagram.extend_from_slice(payload);
        self.socket.send(&datagram).unwrap();
    }

    /// The payload of the next datagram, if one comes within `patience`.
    pub(crate) fn receive(&self, patience: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = vec![0; 65_536];
        let count = self.socket.recv(&mut buffer).ok()?;
        let header = match buffer[3] {
            1 => 10,
            3 => 7 + usize::from(buffer[4]),
            4 => 22,
            other => panic!("address type {other}"),
        };
        Some(buffer[header..count].to_vec())
    }
}

fn address(host: &str, port: u16) -> Vec<u8> {
    let mut bytes = match host.parse::<std::net::Ipv4Addr>() {
        Ok(ip) => [&[1], ip.octets().as_slice()].concat(),
        Err(_) => [&[3, host.len() as u8], host.as_bytes()].concat(),
    };
    bytes.extend(port.to_be_bytes());
    bytes
}
