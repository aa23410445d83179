//! One connection to the port that speaks SOCKS5 and HTTP CONNECT.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;
use wayleave_proto::base::Target;
use wayleave_proto::local::{Front, FrontConfig, FrontOutput};
use wayleave_tokio::Client;

use super::association;
use super::refusal::refusal;
use super::splice::{EarlyEnd, Local};

/// Serves one local client from its first byte to its last.
pub(super) async fn serve(mut local: TcpStream, peer: SocketAddr, config: FrontConfig, client: Client) {
    let mut front = Front::new(&config);
    let mut held = Vec::new();
    let asked = match timeout(GREETING, greet(&mut front, &mut local, &mut held)).await {
        Ok(Ok(Some(asked))) => asked,
        Ok(Ok(None)) => return,
        Ok(Err(error)) => return debug!("the local client {peer} went away: {error}"),
        Err(_) => return debug!("the local client {peer} did not say what it wants within {GREETING:?}"),
    };
    let result = match asked {
        Asked::Stream(target) => stream(Local::new(local, held), front, target, client).await,
        Asked::Association(named) => association::serve(local, peer, front, named, client).await,
    };
    if let Err(error) = result {
        debug!("the local client {peer} was cut off: {error}");
    }
}

/// Does what a front door asks for and waits for nothing; `None` once it has closed the connection.
pub(super) async fn flush(front: &mut Front, local: &mut TcpStream) -> io::Result<Option<Asked>> {
    while let Some(output) = front.poll_output() {
        match output {
            FrontOutput::Write(bytes) => local.write_all(&bytes).await?,
            FrontOutput::Open(target) => return Ok(Some(Asked::Stream(target))),
            FrontOutput::Associate(named) => return Ok(Some(Asked::Association(named))),
            FrontOutput::Close(fault) => {
                debug!("a local client was refused: {fault}");
                part(local).await?;
                return Ok(None);
            }
        }
    }
    Ok(None)
}

/// What a local client asks for.
#[derive(Debug)]
pub(super) enum Asked {
    Association(SocketAddr),
    Stream(Target),
}

/// Speaks with the client until it has said what it wants; `None` where it goes away or is refused. What it sent behind
/// that is left in `held`.
async fn greet(front: &mut Front, local: &mut TcpStream, held: &mut Vec<u8>) -> io::Result<Option<Asked>> {
    loop {
        held.reserve(READ);
        if local.read_buf(held).await? == 0 {
            return Ok(None);
        }
        let used = front.handle_received(held);
        held.drain(..used);
        if let Some(asked) = flush(front, local).await? {
            return Ok(Some(asked));
        }
        if front.is_closed() {
            return Ok(None);
        }
    }
}

async fn stream(mut local: Local, mut front: Front, target: Target, client: Client) -> io::Result<()> {
    let Some(result) = local.open(&client, target, EarlyEnd::Left).await else { return Ok(()) };
    front.answer(result.as_ref().map(|_| UNKNOWN).map_err(refusal));
    timeout(GREETING, flush(&mut front, local.stream())).await??;
    match result {
        Ok(remote) => local.splice(remote).await.map(|_| ()),
        Err(_) => Ok(()),
    }
}

/// Ends a connection so that the last answer is not lost to a reset (RFC 9112 §9.6): what the client still sends is read
/// for a moment.
async fn part(local: &mut TcpStream) -> io::Result<()> {
    local.shutdown().await?;
    let drain = async {
        let mut dropped = [0; READ];
        let mut left = DRAINED;
        while left > 0 {
            match local.read(&mut dropped).await {
                Ok(0) | Err(_) => break,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    };
    // Whoever goes on sending gets a reset.
    let _ = timeout(PARTING, drain).await;
    Ok(())
}

/// The local address of a stream, which is not told.
const UNKNOWN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
/// How long a client may take to say what it wants, and to take an answer.
const GREETING: Duration = Duration::from_secs(10);
const PARTING: Duration = Duration::from_secs(1);
const DRAINED: usize = 256 * 1024;
const READ: usize = 4_096;
