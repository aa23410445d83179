//! Login pages of networks, which answer for everybody on port 80.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout_at;
use wayleave_proto::base::Target;

use super::reach::is_portal;
use super::road::Road;
use super::wire::{Head, read_head};
use super::{Deadline, Notes};
use crate::doctor::code::Code;
use crate::doctor::report::{Finding, Subject};

/// Looks whether somebody answers for the relay's host on port 80, where relays have nothing.
pub(super) async fn check(proxy: &Target, addresses: &[SocketAddr], notes: &Notes, deadline: Deadline) {
    let Some(address) = addresses.first() else { return };
    let address = SocketAddr::new(address.ip(), HTTP);
    let subject = Subject::proxy(proxy);
    let finding = match timeout_at(deadline.step(), get(proxy, &Road::Direct(address))).await {
        Ok(Ok(head)) if is_portal(&head, proxy) => Finding::new(Code::PortalSeen, subject).with(head.shown()),
        Ok(Ok(_)) => Finding::new(Code::PortalNone, subject),
        // A portal would take the connection.
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Finding::new(Code::PortalNone, subject)
        }
        Ok(Err(_)) | Err(_) => Finding::new(Code::PortalUnknown, subject),
    };
    notes.add(finding);
}

/// Asks for a page without TLS, as a browser looks for portals.
pub(super) async fn get(proxy: &Target, road: &Road) -> io::Result<Head> {
    let mut stream = road.connect(proxy).await?;
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", proxy.host);
    stream.write_all(request.as_bytes()).await?;
    read_head(&mut stream).await
}

const HTTP: u16 = 80;
