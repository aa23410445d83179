//! Where the admin interface listens.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::admin::Duplex;

#[cfg(unix)]
use std::path::{Path, PathBuf};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use wayleave_settings::relay::Place;

/// A listener on TCP, or a Unix socket that its owner alone can use.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix(UnixListener, Socket),
}

/// The file of a Unix socket, gone when dropped.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct Socket(PathBuf);

impl Listener {
    pub(super) fn bind(place: &Place) -> io::Result<Self> {
        match place {
            Place::Tcp(address) => {
                let listener = std::net::TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                let local = listener.local_addr()?;
                Ok(Self::Tcp(TcpListener::from_std(listener)?, local))
            }
            #[cfg(unix)]
            Place::Unix(path) => {
                let listener = bind_path(path)?;
                Ok(Self::Unix(listener, Socket(path.clone())))
            }
        }
    }

    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, address) => Some(*address),
            #[cfg(unix)]
            Self::Unix(..) => None,
        }
    }

    /// Waits for the next connection. Cancel safe.
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Duplex>> {
        match self {
            Self::Tcp(listener, _) => Ok(Box::new(listener.accept().await?.0)),
            #[cfg(unix)]
            Self::Unix(listener, _) => loop {
                let (stream, _) = listener.accept().await?;
                if is_trusted(&stream) {
                    return Ok(Box::new(stream));
                }
            },
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(_, address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(_, Socket(path)) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Listens at `path`, in the place of a relay that is gone too.
#[cfg(unix)]
fn bind_path(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let listener = UnixListener::bind(path).or_else(|error| {
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
        let is_left = || std::os::unix::net::UnixStream::connect(path).is_err();
        if error.kind() != io::ErrorKind::AddrInUse || !is_socket || !is_left() {
            return Err(error);
        }
        std::fs::remove_file(path)?;
        UnixListener::bind(path)
    })?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Whether the other side is this user or root, whatever the mode of the file was when it connected.
#[cfg(unix)]
fn is_trusted(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(unix)]
impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
