//! Each conversation is driven through the public verbs, whole and in every split.

mod association;
mod config;
mod exchange;
mod forward;
mod front;
mod http;
mod refusal;

use core::net::SocketAddr;

use super::{Front, FrontConfig, FrontOutput, Refusal};
use crate::base::{Secret, Target};

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn with_password() -> FrontConfig {
    FrontConfig {
        password: Some(("alice".into(), Secret::new("open:sesame".into()))),
        ..FrontConfig::default()
    }
}

/// All that happened to one connection: the bytes written, the other outputs, and the bytes left to the tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    written: Vec<u8>,
    others: Vec<FrontOutput>,
    left: Vec<u8>,
}

/// Plays one conversation, its bytes arriving in `pieces`, each request answered at once with `result`.
fn play_pieces(config: &FrontConfig, pieces: &[&[u8]], result: Result<SocketAddr, Refusal>) -> Told {
    let mut front = Front::new(config);
    let mut told = Told::default();
    for piece in pieces {
        told.left.extend_from_slice(piece);
        loop {
            let used = front.handle_received(&told.left);
            told.left.drain(..used);
            let answered = drain(&mut front, &mut told, result);
            if used == 0 && !answered {
                break;
            }
        }
    }
    assert!(!front.is_closed() || told.left.is_empty());
    told
}

/// Does what the front says; whether it asked for something.
fn drain(front: &mut Front, told: &mut Told, result: Result<SocketAddr, Refusal>) -> bool {
    let mut asked = false;
    while let Some(output) = front.poll_output() {
        match &output {
            FrontOutput::Write(bytes) => {
                told.written.extend_from_slice(bytes);
                continue;
            }
            FrontOutput::Open(_) => front.answer(result),
            FrontOutput::Associate(_) => match result {
                Ok(bound) => front.associated(bound),
                Err(_) => front.answer(result),
            },
            FrontOutput::Close(_) => {}
            FrontOutput::Forward(_) => front.resume(),
        }
        asked = true;
        told.others.push(output);
    }
    asked
}

/// Plays one conversation whole, in every cut into two, and byte by byte: what happened must be the same.
fn play(config: &FrontConfig, bytes: &[u8], result: Result<SocketAddr, Refusal>) -> Told {
    let whole = play_pieces(config, &[bytes], result);
    for at in 0..bytes.len() {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(play_pieces(config, &[head, tail], result), whole, "cut at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(play_pieces(config, &single, result), whole, "byte by byte");
    whole
}
