//! What clients ask for, and what they show.

use core::time::Duration;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wayleave_proto::auth::{Algorithm, Claims, SigningKey};
use wayleave_proto::base::{Instant, Kind, UnixTime};

use super::START;
use crate::play::Tape;

/// A token, and where it is good.
pub(super) struct Shown {
    pub(super) text: String,
    /// The form of Basic, RFC 7617.
    basic: String,
    /// Which of the two keys has signed it.
    key: usize,
    /// The last moment at which it may be taken.
    until: Instant,
}

impl Shown {
    fn new(key: usize, seconds: u64) -> Self {
        let claims = Claims {
            app_id: "1001".parse().ok(),
            subject: Some(format!("user{seconds}")),
            expires: Some(UnixTime::from_secs(START.as_secs() - 7_200 + seconds)),
            ..Claims::default()
        };
        let text = KEYS[key].mint(&claims).expect("few claims").expose().to_owned();
        let basic = STANDARD.encode(format!("ab:{text}"));
        let left = Duration::from_secs((seconds + LEEWAY).saturating_sub(7_200));
        Self { text, basic, key, until: Instant::ZERO + left }
    }

    /// Whether a relay may take it.
    pub(super) fn is_good(&self, key: usize, now: Instant) -> bool {
        self.key == key && now < self.until
    }

    /// Whether it stands in `head`, whole, in one of its forms.
    pub(super) fn stands_in(&self, head: &[u8]) -> bool {
        let has = |text: &str| head.windows(text.len()).any(|window| window == text.as_bytes());
        // The first letters are the user name, which counts for nothing.
        has(&self.text) || has(&self.basic[4..])
    }
}

/// A request head and what it is.
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    /// What it opens, where nobody has changed it.
    pub(super) kind: Option<Kind>,
}

/// A request of client `number`.
pub(super) fn request(tape: &mut Tape<'_>, number: usize) -> Request {
    let port = tape.pick(&[443, 443, 443, 8_080, 25]);
    let host = match tape.below(8) {
        0 | 1 => format!("t{number}.example"),
        2 | 3 => format!("10.3.0.{number}"),
        4 => format!("[fd00::{number:x}]"),
        _ => tape
            .pick(&["127.0.0.1", "[::ffff:127.0.0.1]", "169.254.169.254", "10.9.9.9", "known.example"])
            .to_owned(),
    };
    let shown = &TOKENS[tape.below(TOKENS.len())];
    let authorization = match tape.below(8) {
        0 => String::new(),
        1 => format!("Proxy-Authorization: Basic {}\r\n", shown.basic),
        2 => format!(
            "Proxy-Authorization: Bearer {}\r\nProxy-Authorization: Bearer {}\r\n",
            shown.text, shown.text
        ),
        _ => format!("Proxy-Authorization: Bearer {}\r\n", shown.text),
    };
    let is_stream = tape.flag();
    let mut text = if is_stream {
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization}\r\n")
    } else {
        let host = host.trim_matches(['[', ']']).replace(':', "%3A");
        format!(
            "GET /.well-known/masque/udp/{host}/{port}/ HTTP/1.1\r\nHost: relay.example\r\nConnection: Upgrade\r\n\
             Upgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n{authorization}\r\n"
        )
    }
    .into_bytes();
    let mut kind = Some(if is_stream { Kind::Stream } else { Kind::Datagram });
    // Now and then some bytes of it are others.
    for _ in 0..tape.byte() / 85 {
        let place = usize::from(tape.byte()) << 8 | usize::from(tape.byte());
        let place = place % text.len();
        text[place] = tape.byte();
        kind = None;
    }
    Request { bytes: text, kind }
}

/// The key that is in force first, and the one that follows it.
pub(super) static KEYS: LazyLock<[SigningKey; 2]> = LazyLock::new(|| {
    [7, 9].map(|byte| SigningKey::generate(Algorithm::EdDsa, "test", &[byte; 32]).expect("a legal key id"))
});

/// Good ones first, then one that expires soon, one that has expired, and one of the second key.
pub(super) static TOKENS: LazyLock<[Shown; 5]> = LazyLock::new(|| {
    [(0, 100_000), (0, 200_000), (0, 7_260), (0, 3_600), (1, 100_000)]
        .map(|(key, seconds)| Shown::new(key, seconds))
});

/// How far the clock of whoever mints tokens may be off, in seconds.
const LEEWAY: u64 = 30;
