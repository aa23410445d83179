//! Datagram flows that share a port, as an application holds them.

use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};

use crate::client::Client;
use crate::{DatagramFlow, IntoTarget, Runtime};
use wayleave_proto::client::{AssociationId, FlowError};

/// Datagram flows that share one port for each family of addresses where they are direct, as if one plain UDP socket spoke
/// with all of their targets. Each is judged and routed by itself; one that is proxied has its own port at the relay.
///
/// Dropping it leaves the flows that were opened in it.
pub struct Association<R: Runtime> {
    client: Client<R>,
    id: AssociationId,
}

impl<R: Runtime> Association<R> {
    pub(crate) const fn new(client: Client<R>, id: AssociationId) -> Self {
        Self { client, id }
    }

    /// Opens a datagram flow to `target`. Datagrams can be sent at once; they wait a moment while the way is sought.
    ///
    /// # Errors
    /// The target is not one, or the client is at its limit.
    pub fn datagrams(&self, target: impl IntoTarget) -> Result<DatagramFlow<R>, FlowError> {
        Ok(DatagramFlow::new(self.client.begin_in(self.id, target.into_target()?)?))
    }

    /// Receives one datagram from somebody who is the target of none of its flows; returns its length and who sent it. What
    /// does not fit into `buffer` is cut off. Nothing is filtered, as with a plain socket. Cancel safe; one task at a time.
    ///
    /// # Errors
    /// The client is closed.
    pub async fn recv_stray(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), FlowError> {
        poll_fn(|cx| self.poll_recv_stray(cx, buffer)).await
    }

    /// [`Self::recv_stray`] for those who poll.
    pub fn poll_recv_stray(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<(usize, SocketAddr), FlowError>> {
        let id = self.id;
        self.client.poll_stray(id, cx, |machine| {
            let Some((from, payload)) = machine.stray(id)? else { return Ok(None) };
            let count = payload.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..count), payload.get(..count)) {
                to.copy_from_slice(from);
            }
            machine.take_stray(id);
            Ok(Some((count, from)))
        })
    }
}

impl<R: Runtime> Drop for Association<R> {
    fn drop(&mut self) {
        self.client.dissociate(self.id);
    }
}

impl<R: Runtime> fmt::Debug for Association<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Association({})", self.id)
    }
}
