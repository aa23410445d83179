//! A relay written the obvious way: tokio, rustls, a task for each tunnel, two copy loops with 64 KiB buffers.
//!
//! No tokens, no limits, no logs: a floor for what a relay on this stack costs, not a product.
//! `plain-relay ADDRESS CHAIN.pem KEY.pem`

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, chain, key] = arguments.as_slice() else {
        return Err(io::Error::other("plain-relay ADDRESS CHAIN.pem KEY.pem"));
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(chain).map_err(io::Error::other)?.collect();
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(chain.unwrap_or_default(), key)
        })
        .map_err(io::Error::other)?;
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(serve(address, config))
}

async fn serve(address: &str, config: ServerConfig) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(address).await?;
    loop {
        let (client, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        // A tunnel that breaks ends alone.
        tokio::spawn(async move { tunnel(client, acceptor).await.ok() });
    }
}

async fn tunnel(client: TcpStream, acceptor: TlsAcceptor) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = acceptor.accept(client).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 16 * 1024 {
            return Err(io::Error::other("the head is too long"));
        }
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let mut words = head.split(' ');
    let (method, place) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method == "CONNECT" {
        let target = TcpStream::connect(place).await?;
        target.set_nodelay(true)?;
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        client.flush().await?;
        let (client, target) = (split(client), target.into_split());
        tokio::try_join!(copy(client.0, target.1), copy(target.0, client.1)).map(|_| ())
    } else {
        let mut parts = place.trim_start_matches("/.well-known/masque/udp/").split('/');
        let (host, port) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let target = UdpSocket::bind("0.0.0.0:0").await?;
        target.connect(format!("{host}:{port}")).await?;
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n\r\n";
        client.write_all(answer).await?;
        client.flush().await?;
        let (from_client, to_client) = split(client);
        tokio::try_join!(datagrams_up(from_client, &target), datagrams_down(&target, to_client)).map(|_| ())
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..count]).await?;
        to.flush().await?;
    }
}

/// Reads DATAGRAM capsules (type 0, context 0) and sends what is in them.
async fn datagrams_up(mut from: impl AsyncRead + Unpin, to: &UdpSocket) -> io::Result<()> {
    let (mut buffer, mut filled) = (vec![0; BUFFER], 0);
    loop {
        let count = from.read(&mut buffer[filled..]).await?;
        if count == 0 {
            return Ok(());
        }
        filled += count;
        let mut start = 0;
        while let Some((payload, end)) = capsule(&buffer[start..filled]) {
            // A full socket loses a datagram, as the network may.
            to.send(&buffer[start + payload..start + end]).await.ok();
            start += end;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
}

async fn datagrams_down(from: &UdpSocket, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        // Type 0, a length of two bytes, context 0.
        let count = from.recv(&mut buffer[4..]).await?;
        let length = u16::try_from(count + 1).map_err(io::Error::other)? | 0x4000;
        buffer[1..3].copy_from_slice(&length.to_be_bytes());
        to.write_all(&buffer[..count + 4]).await?;
        to.flush().await?;
    }
}

/// Where the payload of the capsule at the front begins and where the capsule ends, when all of it is there.
fn capsule(bytes: &[u8]) -> Option<(usize, usize)> {
    let (_, first) = varint(bytes)?;
    let (length, second) = varint(&bytes[first..])?;
    let end = first + second + usize::try_from(length).ok()?;
    (bytes.len() >= end).then_some((first + second + 1, end))
}

fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = 1 << (bytes.first()? >> 6);
    let rest = bytes.get(1..length)?;
    let first = u64::from(bytes[0] & 0x3f);
    Some((rest.iter().fold(first, |value, byte| value << 8 | u64::from(*byte)), length))
}

#[cfg(feature = "aws-lc-rs")]
fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[cfg(not(feature = "aws-lc-rs"))]
fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

const BUFFER: usize = 64 * 1024;
