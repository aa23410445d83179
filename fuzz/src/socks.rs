//! SOCKS messages, and the front door that tells SOCKS5 and HTTP apart.

use core::net::{Ipv4Addr, SocketAddr};

use wayleave_proto::codec::socks::{parse_credentials, parse_greeting, parse_request, parse_udp, udp_header};
use wayleave_proto::local::{Front, FrontConfig, FrontOutput};

/// Parses every SOCKS message, and plays a conversation whole and byte by byte.
pub(crate) fn run(data: &[u8]) {
    let _ = parse_greeting(data);
    let _ = parse_credentials(data);
    let _ = parse_request(data);
    if let Ok((target, payload)) = parse_udp(data) {
        let mut again = Vec::new();
        udp_header(&target, &mut again);
        again.extend_from_slice(payload);
        assert_eq!(parse_udp(&again), Ok((target, payload)));
    }
    assert_eq!(play(data, data.len().max(1)), play(data, 1));
}

/// What the front door wrote, what else it said, and which bytes it left to the tunnel.
fn play(data: &[u8], chunk: usize) -> (Vec<u8>, Vec<FrontOutput>, Vec<u8>) {
    let bound = SocketAddr::from((Ipv4Addr::LOCALHOST, 1080));
    let mut front = Front::new(&FrontConfig::default());
    let (mut written, mut others, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for piece in data.chunks(chunk) {
        left.extend_from_slice(piece);
        loop {
            let used = front.handle_received(&left);
            left.drain(..used);
            let mut said = false;
            while let Some(output) = front.poll_output() {
                match &output {
                    FrontOutput::Associate(_) => front.associated(bound),
                    FrontOutput::Close(_) => {}
                    FrontOutput::Forward(_) => front.resume(),
                    FrontOutput::Open(_) => front.answer(Ok(bound)),
                    FrontOutput::Write(bytes) => {
                        written.extend_from_slice(bytes);
                        continue;
                    }
                }
                said = true;
                others.push(output);
            }
            if used == 0 && !said {
                break;
            }
        }
    }
    (written, others, left)
}
