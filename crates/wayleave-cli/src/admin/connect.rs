//! The way to the admin interface of a relay.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use wayleave_settings::relay::Place;

/// Bytes both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Connects to `place`.
///
/// # Errors
/// Nobody listens there, or this user may not connect.
pub(super) async fn connect(place: &Place) -> io::Result<Box<dyn Duplex>> {
    Ok(match place {
        Place::Tcp(address) => Box::new(TcpStream::connect(address).await?),
        #[cfg(unix)]
        Place::Unix(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
    })
}
