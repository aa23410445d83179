//! Targets on 127.0.0.2: echoes, a web server with and without TLS; and black holes where `localhost` leads.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::lab::TARGETS;

/// Sends back what it gets, half by half.
pub(crate) fn echo_stream() -> u16 {
    serve(|stream| {
        let (mut reader, mut writer) = (stream.try_clone().unwrap(), stream);
        if io::copy(&mut reader, &mut writer).is_ok() {
            let _ = writer.shutdown(Shutdown::Write);
        }
    })
}

/// Sends back what it gets.
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

/// Tells what one connection sends, and how it ends.
pub(crate) fn watched() -> (u16, Receiver<String>) {
    let (tell, told) = channel();
    let port = serve(move |mut stream| {
        let mut buffer = [0; 1_024];
        loop {
            let (said, is_over) = match stream.read(&mut buffer) {
                Ok(0) => ("end".into(), true),
                Ok(count) => (String::from_utf8_lossy(&buffer[..count]).into_owned(), false),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    ("connection reset".into(), true)
                }
                Err(error) => (error.to_string(), true),
            };
            if tell.send(said).is_err() || is_over {
                return;
            }
        }
    });
    (port, told)
}

/// Answers every request with a page of `length` bytes.
pub(crate) fn web(length: usize) -> u16 {
    serve(move |mut stream| answer(&mut stream, length))
}

/// The same over TLS, and the certificate to trust for it.
pub(crate) fn web_over_tls(length: usize) -> (u16, String) {
    let pair = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&pair).unwrap();
    let key = PrivateKeyDer::try_from(pair.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let port = serve(move |stream| {
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(session, stream);
        answer(&mut stream, length);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    });
    (port, certificate.pem())
}

fn serve(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = loop {
        let listener = TcpListener::bind((TARGETS, 0)).unwrap();
        if is_free(listener.local_addr().unwrap().port(), Type::STREAM) {
            break listener;
        }
    };
    let port = listener.local_addr().unwrap().port();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let handle = Arc::clone(&handle);
            thread::spawn(move || handle(stream));
        }
    });
    port
}

/// Answers every request with the request itself, its content without chunks.
pub(crate) fn mirror() -> u16 {
    serve(|mut stream| {
        let Some(head) = read_until(&mut stream, b"\r\n\r\n") else { return };
        let text = String::from_utf8(head).unwrap();
        let fields = text.to_ascii_lowercase();
        if fields.contains("\r\nexpect: 100-continue\r\n") {
            let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let mut content = Vec::new();
        if let Some((_, rest)) = fields.split_once("\r\ncontent-length: ") {
            content = vec![0; rest.split("\r\n").next().unwrap().parse().unwrap()];
            stream.read_exact(&mut content).unwrap();
        } else if fields.contains("\r\ntransfer-encoding: chunked\r\n") {
            while let Some(size) = read_until(&mut stream, b"\r\n") {
                let size = usize::from_str_radix(str::from_utf8(&size).unwrap().trim(), 16).unwrap();
                let mut chunk = vec![0; size + 2];
                stream.read_exact(&mut chunk).unwrap();
                content.extend_from_slice(&chunk[..size]);
                if size == 0 {
                    break;
                }
            }
        }
        let answer = [text.as_bytes(), &content].concat();
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
        let _ = stream.write_all(&answer);
    })
}

fn read_until(stream: &mut impl Read, end: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    Some(bytes)
}

fn answer(stream: &mut (impl Read + Write), length: usize) {
    if read_until(stream, b"\r\n\r\n").is_none() {
        return;
    }
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.write_all(&page(length));
    let _ = stream.flush();
}

/// What the web server answers.
pub(crate) fn page(length: usize) -> Vec<u8> {
    (0..length).map(|index| b'a' + (index % 23) as u8).collect()
}

/// Swallows everything that is sent to `localhost` at `port`, until dropped.
pub(crate) struct BlackHole(#[expect(dead_code, reason = "held open")] Vec<Socket>);

impl BlackHole {
    /// The queues of its listeners are full, so that the system answers no further connection.
    pub(crate) fn stream(port: u16) -> Self {
        let mut held = Vec::new();
        for address in addresses(port) {
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

    /// Its sockets are never read.
    pub(crate) fn datagrams(port: u16) -> Self {
        Self(addresses(port).into_iter().filter_map(|address| bound(address, Type::DGRAM).ok()).collect())
    }
}

fn addresses(port: u16) -> [SocketAddr; 2] {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, port))
}

/// Whether nobody uses `port` at the addresses of `localhost`, so that a black hole can be there.
fn is_free(port: u16, kind: Type) -> bool {
    let in_use = |address| bound(address, kind).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
    !addresses(port).into_iter().any(in_use)
}

fn bound(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
