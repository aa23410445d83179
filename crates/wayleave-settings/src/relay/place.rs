//! Where the admin interface of a relay is.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::options::Word;

/// An address and a port, or the path of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(PathBuf),
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

    fn locate(&mut self, folder: &Path) {
        match self {
            Self::Tcp(_) => {}
            #[cfg(unix)]
            Self::Unix(path) => *path = folder.join(&*path),
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
