//! One connection to the port that speaks SOCKS5 and HTTP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;
use wayleave_proto::base::{Instant, Target};
use wayleave_proto::local::{Association, AssociationConfig, Front, FrontConfig, FrontOutput, HttpRequest};
use wayleave_tokio::Client;

use crate::association;
use crate::exchange::{self, Next};
use crate::refusal::refusal;
use crate::splice::Local;

/// Serves one local client from its first byte to its last.
pub(crate) async fn serve(
    local: TcpStream,
    peer: SocketAddr,
    config: FrontConfig,
    associations: AssociationConfig,
    client: Client,
) {
    let mut local = Local::new(local);
    let mut front = Front::new(&config);
    let mut silence = GREETING;
    let result = loop {
        if local.ahead().is_empty() {
            match timeout(silence, local.read_ahead()).await {
                Ok(Ok(())) if !local.is_ended() => {}
                Ok(Ok(())) => return,
                Ok(Err(error)) => break Err(error),
                Err(_) => return debug!("the local client {peer} asked for nothing within {silence:?}"),
            }
        }
        let asked = match timeout(GREETING, greet(&mut front, &mut local)).await {
            Ok(Ok(Some(asked))) => asked,
            Ok(Ok(None)) => return,
            Ok(Err(error)) => break Err(error),
            Err(_) => return debug!("the local client {peer} did not say what it wants within {GREETING:?}"),
        };
        match asked {
            Asked::Association(named) => {
                let association = Association::new(associations, peer.ip(), named, Instant::ZERO);
                break association::serve(local, front, association, client).await;
            }
            Asked::Exchange(request) => match exchange::serve(&mut local, request, &client).await {
                Ok(Next::Again) => {
                    front.resume();
                    silence = KEPT;
                }
                Ok(Next::Close) => break part(local.stream()).await,
                Ok(Next::Gone) => return,
                Err(error) => break Err(error),
            },
            Asked::Stream(target) => break stream(local, front, target, client).await,
        }
    };
    if let Err(error) = result {
        debug!("the local client {peer} was cut off: {error}");
    }
}

/// Does what a front door asks for and waits for nothing; `None` once it has closed the connection.
pub(crate) async fn flush(front: &mut Front, local: &mut TcpStream) -> io::Result<Option<Asked>> {
    while let Some(output) = front.poll_output() {
        match output {
            FrontOutput::Write(bytes) => local.write_all(&bytes).await?,
            FrontOutput::Forward(request) => return Ok(Some(Asked::Exchange(request))),
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
pub(crate) enum Asked {
    Association(SocketAddr),
    Exchange(HttpRequest),
    Stream(Target),
}

/// Speaks with the client until it has said what it wants; `None` where it goes away or is refused.
async fn greet(front: &mut Front, local: &mut Local) -> io::Result<Option<Asked>> {
    loop {
        let used = front.handle_received(local.ahead());
        local.drop_ahead(used);
        if let Some(asked) = flush(front, local.stream()).await? {
            return Ok(Some(asked));
        }
        if front.is_closed() || local.is_ended() {
            return Ok(None);
        }
        local.read_ahead().await?;
    }
}

async fn stream(mut local: Local, mut front: Front, target: Target, client: Client) -> io::Result<()> {
    let Some(result) = local.open(&client, target).await else { return Ok(()) };
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
/// How long a connection is kept on which a client has had a page, in case it wants another.
const KEPT: Duration = Duration::from_secs(60);
/// How long a client may be silent at first, take to say what it wants once it has begun, and to take an answer.
const GREETING: Duration = Duration::from_secs(10);
const PARTING: Duration = Duration::from_secs(1);
const DRAINED: usize = 256 * 1024;
const READ: usize = 4_096;
