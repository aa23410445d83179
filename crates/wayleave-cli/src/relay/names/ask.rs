//! One question to one name server.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use wayleave_proto::base::{Families, Name};
use wayleave_proto::codec::dns::{Answer, Question};
use wayleave_proto::error::{IoFailed, IoFailure};

/// Asks `server` for the addresses of `name` in one family: over UDP from a port of its own, over TCP where the answer is too
/// long for that.
///
/// # Errors
/// The outer one: the server did not answer, or could not be asked.
pub(super) async fn ask(
    server: SocketAddr,
    name: &Name,
    family: Families,
    patience: Duration,
) -> Result<Result<Vec<IpAddr>, IoFailed>, IoFailed> {
    let exchange = async {
        let mut question = Question { id: id()?, name: name.clone(), family, edns: true };
        let mut answer = over_udp(server, &question).await?;
        if answer == Answer::NotUnderstood {
            question.edns = false;
            answer = over_udp(server, &question).await?;
        }
        if answer == Answer::Truncated {
            answer = over_tcp(server, &question).await?;
        }
        io::Result::Ok(answer)
    };
    match timeout(patience, exchange).await {
        Ok(Ok(answer)) => Ok(told(answer)),
        // A server that is not there is one that does not answer; a relay without descriptors is something else.
        Ok(Err(error)) => Err(match IoFailed::from(&error) {
            failed if failed.lacked().is_some() => failed,
            _ => IoFailed::new(IoFailure::NameUnanswered),
        }),
        Err(_) => Err(IoFailed::new(IoFailure::NameUnanswered)),
    }
}

fn told(answer: Answer) -> Result<Vec<IpAddr>, IoFailed> {
    Err(IoFailed::new(match answer {
        Answer::Addresses(addresses) => return Ok(addresses),
        Answer::Failed(SERVER_FAILURE) => IoFailure::NameFailed,
        Answer::Failed(code) => {
            let detail = format!("the name server answered with code {code}");
            return Err(IoFailed::with_detail(IoFailure::NameFailed, &detail));
        }
        Answer::NotUnderstood | Answer::Truncated => IoFailure::NameFailed,
        Answer::Refused => IoFailure::NameRefused,
        Answer::Unknown => IoFailure::NameUnknown,
    }))
}

async fn over_udp(server: SocketAddr, question: &Question) -> io::Result<Answer> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A port that the system draws anew for each question, and answers from this server alone (RFC 5452 §4.5).
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let mut message = Vec::new();
    question.write(&mut message);
    socket.send(&message).await?;
    let mut buffer = [0; DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = question.read(buffer.get(..length).unwrap_or_default()) {
            return Ok(answer);
        }
    }
}

/// RFC 1035 §4.2.2: each message behind its length.
async fn over_tcp(server: SocketAddr, question: &Question) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let mut message = vec![0, 0];
    question.write(&mut message);
    let length = u16::try_from(message.len() - 2).unwrap_or_default();
    message[..2].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&message).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    question.read(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn id() -> io::Result<u16> {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(u16::from_ne_bytes(bytes))
}

const SERVER_FAILURE: u8 = 2;
/// More than a server may send by the word of our questions.
const DATAGRAM: usize = 4_096;
