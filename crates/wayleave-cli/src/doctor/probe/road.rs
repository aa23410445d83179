//! How connections to a relay are made, in every step alike: to one of its addresses, or through a proxy of the network.

use std::fmt;
use std::io::{self, Cursor};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, join, split};
use tokio::net::TcpStream;
use wayleave_proto::base::Target;
use wayleave_proto::carrier::via::{Approach, Asking, Progress, ViaProblem};
use wayleave_proto::codec::digest::Challenge;
use wayleave_proto::config::{Via, ViaScheme};

use super::tls::{self, Looked};
use super::via::of_problem;
use crate::doctor::code::Code;
use crate::doctor::report::{Finding, Subject};

/// Bytes to a relay and back, whatever is in between.
pub(super) trait Pipe: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug> Pipe for T {}

/// A way to a relay.
#[derive(Clone, Debug)]
pub(super) enum Road {
    /// To this address of it.
    Direct(SocketAddr),
    /// Through this proxy, which looks it up.
    Through(Arc<Hop>),
}

impl Road {
    /// What a finding on this way is about.
    pub(super) fn subject(&self, proxy: &Target) -> Subject {
        match self {
            Self::Direct(address) => Subject::at(proxy, *address),
            Self::Through(_) => Subject::proxy(proxy),
        }
    }

    /// A new connection to `proxy`.
    ///
    /// # Errors
    /// Why none comes of it.
    pub(super) async fn connect(&self, proxy: &Target) -> io::Result<Box<dyn Pipe>> {
        match self {
            Self::Direct(address) => Ok(Box::new(connect(*address).await?)),
            Self::Through(hop) => hop.connect(proxy).await.map_err(|(code, detail)| {
                let finding = Finding::new(code, Subject::through(proxy, &hop.via)).with(detail);
                io::Error::other(finding.sentence())
            }),
        }
    }
}

/// A proxy of the network at one of its addresses.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) via: Via,
    pub(super) address: SocketAddr,
    /// Who says whether its certificate is trusted, where it speaks TLS.
    pub(super) verifier: Arc<dyn ServerCertVerifier>,
}

impl Hop {
    /// Asks it for a connection to `proxy`, on new connections until it has asked who the user is and has the answer.
    ///
    /// # Errors
    /// What it says in place of that, and what was seen.
    pub(super) async fn connect(&self, proxy: &Target) -> Result<Box<dyn Pipe>, (Code, String)> {
        let mut known = None;
        for _ in 0..MOST_CONNECTIONS {
            match self.ask(proxy, known.take()).await? {
                Asked::Through(pipe) => return Ok(pipe),
                Asked::Again(challenge) => known = Some(challenge),
            }
        }
        Err((Code::ViaFailed, "it asks who you are again and again, and closes each connection".into()))
    }

    async fn ask(&self, proxy: &Target, known: Option<Challenge>) -> Result<Asked, (Code, String)> {
        let cut = |_: io::Error| (Code::ViaCut, String::new());
        let mut stream = self.open().await?;
        let approach = Approach { via: self.via.clone(), known, cnonce: cnonce()? };
        let (mut asking, mut words) = Asking::new(approach, proxy.clone());
        let mut buffer = vec![0; PIECE];
        loop {
            stream.write_all(&words).await.map_err(cut)?;
            stream.flush().await.map_err(cut)?;
            let length = stream.read(&mut buffer).await.map_err(cut)?;
            let came = buffer.get(..length).filter(|came| !came.is_empty());
            match asking.receive(came.ok_or((Code::ViaCut, String::new()))?) {
                Ok(Progress::Say(next)) => words = next,
                Ok(Progress::Through(rest)) if rest.is_empty() => return Ok(Asked::Through(stream)),
                Ok(Progress::Through(rest)) => {
                    let (reader, writer) = split(stream);
                    return Ok(Asked::Through(Box::new(join(Cursor::new(rest).chain(reader), writer))));
                }
                Err(ViaProblem::Challenged(challenge)) => return Ok(Asked::Again(*challenge)),
                Err(problem) => return Err(of_problem(&problem)),
            }
        }
    }

    /// A connection to it, in TLS where it speaks that. User and password go to nobody whose certificate is not trusted.
    async fn open(&self) -> Result<Box<dyn Pipe>, (Code, String)> {
        let stream = connect(self.address).await.map_err(|error| super::via::of_tcp(&error))?;
        if self.via.scheme() != ViaScheme::Https {
            return Ok(Box::new(stream));
        }
        let looked = Looked::connect(Box::new(stream), &self.via.proxy().host, self.verifier.clone()).await;
        let looked = looked.map_err(|error| match tls::failure(&error) {
            (Code::TlsNotTls, _) => (Code::ViaNotProxy, "it does not speak TLS".into()),
            (_, detail) => (Code::ViaTls, detail),
        })?;
        let (_, judgement) = looked.judgement();
        let stream = looked.trusted().ok_or((Code::ViaUntrusted, judgement))?;
        Ok(Box::new(stream))
    }
}

/// What came of one connection.
enum Asked {
    Through(Box<dyn Pipe>),
    /// It has closed it, and another can answer what it asked.
    Again(Challenge),
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A word that nobody can guess, for Digest.
fn cnonce() -> Result<String, (Code, String)> {
    let mut bytes = [0; 16];
    let failed = |_| (Code::ViaFailed, "this machine has no random numbers".to_owned());
    getrandom::fill(&mut bytes).map_err(failed)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A client asks as often.
const MOST_CONNECTIONS: usize = 3;
const PIECE: usize = 4 * 1_024;
