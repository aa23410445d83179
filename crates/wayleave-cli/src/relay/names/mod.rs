//! The names of targets, asked of the name servers without the platform's resolver.
//!
//! The platform's resolver holds a thread for each name until it is done with it, asks for both families at once, and does not
//! say why it failed. A relay asks for the names of strangers: here each name costs two sockets, which are closed as soon as
//! nobody waits any more.

mod ask;
mod system;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use wayleave_proto::base::{Families, Name};
use wayleave_proto::error::{IoFailed, IoFailure};
use wayleave_sockets::{in_hosts, loopback};
use wayleave_tokio::drive::{Answer, Lookup, PollAnswer, Resolver};

use system::System;

/// Asks the name servers of `resolv.conf`, or others, and the hosts file before them.
#[derive(Debug)]
pub(super) struct NameServers {
    system: Arc<System>,
    handle: Handle,
}

impl NameServers {
    /// Those of the system, or `servers` where there are any. They are read again when their files change.
    ///
    /// To be called within a runtime.
    pub(super) fn new(servers: Vec<SocketAddr>) -> Self {
        Self { system: Arc::new(System::new(servers)), handle: Handle::current() }
    }
}

impl Resolver for NameServers {
    fn lookup(&self, name: &Name) -> Lookup {
        let half = |family| Half::Asking(Box::pin(answer(Arc::clone(&self.system), name.clone(), family)));
        let (v4, v6) = (half(Families::V4), half(Families::V6));
        Box::new(Both { v4, v6, handle: self.handle.clone() })
    }
}

type Asking = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, IoFailed>> + Send>>;

/// The two questions for one name.
struct Both {
    v4: Half,
    v6: Half,
    /// Sockets belong to a runtime, and a look-up may be polled from outside of it.
    handle: Handle,
}

enum Half {
    Asking(Asking),
    Answered,
}

impl PollAnswer for Both {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        let _context = self.handle.enter();
        for (half, family) in [(&mut self.v6, Families::V6), (&mut self.v4, Families::V4)] {
            if let Half::Asking(asking) = half
                && let Poll::Ready(answer) = asking.as_mut().poll(cx)
            {
                *half = Half::Answered;
                return Poll::Ready((family, answer));
            }
        }
        Poll::Pending
    }
}

/// The addresses of `name` in one family: what the machine itself knows, or what a name server says.
async fn answer(system: Arc<System>, name: Name, family: Families) -> Result<Vec<IpAddr>, IoFailed> {
    let mut own = in_hosts(&system.look().await.hosts, &name);
    if own.is_empty() {
        own = loopback(&name).unwrap_or_default();
    }
    if !own.is_empty() {
        own.retain(|address| Families::of(*address) == family);
        return Ok(own);
    }
    let mut failure = IoFailed::new(IoFailure::NameUnanswered);
    for round in 0..ROUNDS {
        // A change of the servers reaches a look-up that waits for the old ones.
        let snapshot = system.look().await;
        if round >= snapshot.config.attempts {
            break;
        }
        for server in system.in_order(&snapshot) {
            match ask::ask(server, &name, family, snapshot.config.timeout).await {
                Ok(Ok(addresses)) => {
                    system.prefer(server);
                    return Ok(addresses);
                }
                // What a server says of the name is the answer; what it says of itself may be otherwise at the next one.
                Ok(Err(error)) if error.failure == IoFailure::NameUnknown => {
                    system.prefer(server);
                    return Err(error);
                }
                Ok(Err(error)) => failure = error,
                Err(error) if failure.failure == IoFailure::NameUnanswered => failure = error,
                Err(_) => {}
            }
        }
        if failure.failure != IoFailure::NameUnanswered {
            break;
        }
    }
    Err(failure)
}

/// Rounds over the servers at most.
const ROUNDS: u32 = 16;
