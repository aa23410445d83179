//! Where the admin interface of a relay is.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::options::Word;

/// An address and a port, or the path of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

/// Bytes both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Place {
    /// A path is relative to `base` where it is relative.
    pub(crate) fn resolve(&mut self, base: &Path) {
        match self {
            Self::Tcp(_) => {}
            #[cfg(unix)]
            Self::Unix(path) => *path = base.join(&*path),
        }
    }

    /// Connects to it.
    ///
    /// # Errors
    /// Nobody listens there, or this user may not connect.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Duplex>> {
        Ok(match self {
            Self::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            #[cfg(unix)]
            Self::Unix(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
        })
    }
}

impl Word for Place {
    fn read(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("write the path of the socket behind unix:".into()),
            #[cfg(unix)]
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            #[cfg(not(unix))]
            Some(_) => Err("this system has no Unix sockets; write ADDRESS:PORT".into()),
            None => {
                let address = text.parse();
                address.map(Self::Tcp).map_err(|_| match text {
                    _ if text.starts_with('/') => format!("a socket is written unix:{text}"),
                    _ if text.contains("://") => {
                        "write ADDRESS:PORT alone, without http://, or unix:PATH".into()
                    }
                    _ => "write ADDRESS:PORT, like 127.0.0.1:9440, or unix:PATH".into(),
                })
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
