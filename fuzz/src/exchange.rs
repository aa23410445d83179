//! A request for a page and its answer mean the same however they are cut, and what goes on can be read in one way only.

use wayleave_proto::local::{Ending, Exchange, Front, FrontConfig, FrontOutput, HttpRequest};

/// Plays an exchange whole and in pieces. The input is a size of pieces, the length of what the client sends, that, and what
/// the origin server answers.
pub(crate) fn run(data: &[u8]) {
    let Some((&[piece, high, low], rest)) = data.split_first_chunk::<3>() else { return };
    let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
    let (request, answer) = rest.split_at(length);
    let Some((asked, left)) = ask(request) else { return };
    let whole = play(asked.clone(), left, answer, usize::MAX);
    let pieces = play(asked.clone(), left, answer, usize::from(piece).max(1));
    assert_eq!((pieces.ended, pieces.left), (whole.ended, whole.left));
    assert!(whole.to_client.len() <= 4 * answer.len() + 4_096, "an answer grows");
    if whole.is_asked {
        reads_in_one_way(&asked, &whole.to_origin);
    }
}

/// What went out is one request that stands alone: asked for again, it is the same.
fn reads_in_one_way(asked: &HttpRequest, to_origin: &[u8]) {
    let text = String::from_utf8_lossy(to_origin);
    let Some((method, rest)) = text.split_once(' ') else { panic!("{text}") };
    if !rest.starts_with('/') || matches!(text, std::borrow::Cow::Owned(_)) {
        return;
    }
    let again = format!("{method} http://{}{rest}", asked.target());
    let (twice, left) = ask(again.as_bytes()).unwrap_or_else(|| panic!("{again}"));
    let played = play(twice, left, b"", usize::MAX);
    assert!(played.is_asked && played.left == 0, "{again}");
    let sent = String::from_utf8_lossy(&played.to_origin);
    let content = |text: &str| text.split_once("\r\n\r\n").map(|(_, content)| content.to_owned());
    assert_eq!(content(&sent), content(&text));
}

/// The request at the front of `bytes`, and what stands behind its head.
fn ask(bytes: &[u8]) -> Option<(HttpRequest, &[u8])> {
    let mut front = Front::new(&FrontConfig::default());
    let used = front.handle_received(bytes);
    let outputs = std::iter::from_fn(|| front.poll_output());
    let request = outputs.filter_map(|output| match output {
        FrontOutput::Forward(request) => Some(request),
        _ => None,
    });
    Some((request.last()?, &bytes[used..]))
}

struct Played {
    to_origin: Vec<u8>,
    to_client: Vec<u8>,
    ended: Option<Ending>,
    /// The whole request was read.
    is_asked: bool,
    /// How much of what the client sent was not.
    left: usize,
}

fn play(request: HttpRequest, mut content: &[u8], answer: &[u8], piece: usize) -> Played {
    let mut exchange = Exchange::new(request);
    let (mut to_origin, mut to_client) = (Vec::new(), Vec::new());
    let mut drain = |exchange: &mut Exchange| {
        to_origin.extend_from_slice(exchange.to_origin());
        exchange.origin_took(usize::MAX);
        to_client.extend_from_slice(exchange.to_client());
        exchange.client_took(usize::MAX);
    };
    while exchange.wants_client() && !content.is_empty() {
        let used = exchange.handle_client(&content[..piece.min(content.len())]);
        content = &content[used..];
        drain(&mut exchange);
    }
    let is_asked = !exchange.wants_client() && exchange.ended().is_none();
    for bytes in answer.chunks(piece) {
        if exchange.wants_origin() {
            exchange.handle_origin(bytes);
        }
        drain(&mut exchange);
    }
    if exchange.wants_origin() {
        exchange.handle_origin_end();
    }
    drain(&mut exchange);
    let ended = exchange.ended();
    Played { to_origin, to_client, ended, is_asked, left: content.len() }
}
