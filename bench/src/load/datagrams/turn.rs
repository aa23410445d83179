//! As much of TURN (RFC 8656) as brings a socket to ChannelData.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// The channel that every flow uses.
pub(super) const CHANNEL: u16 = 0x4000;

/// Allocates at the relay that `socket` is connected to, and binds [`CHANNEL`] to `target`.
///
/// # Errors
/// The relay does not answer, or refuses.
pub(super) fn bind(socket: &UdpSocket, target: SocketAddr) -> io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    // REQUESTED-TRANSPORT: UDP.
    ask(socket, ALLOCATE, &attribute(0x0019, &[17, 0, 0, 0]))?;
    let SocketAddr::V4(target) = target else { return Err(io::Error::other("targets are IPv4")) };
    let port = target.port() ^ (MAGIC >> 16) as u16;
    let address = u32::from(*target.ip()) ^ MAGIC;
    let peer = [vec![0, 1], port.to_be_bytes().to_vec(), address.to_be_bytes().to_vec()].concat();
    let channel = [CHANNEL.to_be_bytes(), [0, 0]].concat();
    // CHANNEL-NUMBER and XOR-PEER-ADDRESS.
    ask(socket, CHANNEL_BIND, &[attribute(0x000c, &channel), attribute(0x0012, &peer)].concat())
}

/// The request that ends an allocation: a REFRESH with a LIFETIME of 0.
pub(super) fn release() -> Vec<u8> {
    request(REFRESH, &attribute(0x000d, &[0; 4]))
}

/// Sends a request until it is answered with success.
fn ask(socket: &UdpSocket, method: u16, attributes: &[u8]) -> io::Result<()> {
    let request = request(method, attributes);
    let mut answer = [0; 1500];
    for _ in 0..5 {
        socket.send(&request)?;
        let Ok(count) = socket.recv(&mut answer) else { continue };
        if answer[..count].starts_with(&(method | 0x0100).to_be_bytes()) {
            return Ok(());
        }
        let kind = u16::from_be_bytes([answer[0], answer[1]]);
        return Err(io::Error::other(format!("the relay answered {kind:#06x} to {method:#06x}")));
    }
    Err(io::Error::other("the relay does not answer"))
}

fn request(method: u16, attributes: &[u8]) -> Vec<u8> {
    let mut request = method.to_be_bytes().to_vec();
    request.extend((attributes.len() as u16).to_be_bytes());
    request.extend(MAGIC.to_be_bytes());
    request.extend([method as u8; 12]);
    request.extend_from_slice(attributes);
    request
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), &(value.len() as u16).to_be_bytes(), value].concat()
}

const ALLOCATE: u16 = 0x0003;
const REFRESH: u16 = 0x0004;
const CHANNEL_BIND: u16 = 0x0009;
const MAGIC: u32 = 0x2112_a442;
