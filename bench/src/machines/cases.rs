//! What is counted: each case does one unit of work at a time.

use std::hint::black_box;
use std::time::Duration;

use anyhow::Context as _;
use wayleave_proto::auth::{
    Algorithm, AppSign, Authorization, Claims, Credential, Keys, KeysConfig, MOST_SECRETS, Rules, SigningKey,
    Token04Claims, Token04Key, Token04Mode, Verdicts, authorization,
};
use wayleave_proto::base::{Kind, Secret, UnixTime};
use wayleave_proto::codec::capsule::{CapsuleDecoder, datagram_header};
use wayleave_proto::codec::h1::{HeadLimits, encode_answer, encode_ask, parse_answer, parse_ask};
use wayleave_proto::codec::http::{Answer, Ask, Want};

use super::pair::{Pair, Transport};

/// One unit of work, again and again.
pub(super) type Unit = Box<dyn FnMut()>;

type Make = fn() -> anyhow::Result<Unit>;

/// Every case by its name.
pub(super) const CASES: &[(&str, Make)] = &[
    ("handshake/plain", || open(Transport::plain())),
    ("handshake/tls", || open(Transport::tls()?)),
    ("datagram/h1/plain/up/160", || datagram(Transport::plain(), true, 160)),
    ("datagram/h1/plain/down/160", || datagram(Transport::plain(), false, 160)),
    ("datagram/h1/tls/up/160", || datagram(Transport::tls()?, true, 160)),
    ("datagram/h1/tls/down/160", || datagram(Transport::tls()?, false, 160)),
    ("datagram/h1/tls/up/1200", || datagram(Transport::tls()?, true, 1_200)),
    ("datagram/h1/tls/down/1200", || datagram(Transport::tls()?, false, 1_200)),
    ("stream/h1/plain/up/16384", || stream(Transport::plain(), true)),
    ("stream/h1/plain/down/16384", || stream(Transport::plain(), false)),
    ("stream/h1/tls/up/16384", || stream(Transport::tls()?, true)),
    ("stream/h1/tls/down/16384", || stream(Transport::tls()?, false)),
    ("trial/decision", super::trial::decision),
    ("token/ed25519", || token(Algorithm::EdDsa, false)),
    ("token/hs256", || token(Algorithm::Hs256, false)),
    ("token/remembered", || token(Algorithm::EdDsa, true)),
    ("token/unknown-key", unknown_key),
    ("token/token04-gcm", || token04(Token04Mode::Gcm, 1)),
    ("token/token04-cbc", || token04(Token04Mode::Cbc, 1)),
    ("token/token04-cbc-64", || token04(Token04Mode::Cbc, MOST_SECRETS)),
    ("token/app-sign", app_sign),
    ("codec/capsule/160", capsule),
    ("codec/h1/request", request),
    ("codec/h1/answer", answer),
];

fn open(transport: Transport) -> anyhow::Result<Unit> {
    Pair::open(&transport, Kind::Datagram)?;
    Ok(Box::new(move || drop(black_box(Pair::open(&transport, Kind::Datagram)))))
}

fn datagram(transport: Transport, is_up: bool, size: usize) -> anyhow::Result<Unit> {
    let mut pair = Pair::open(&transport, Kind::Datagram)?;
    let payload = vec![b'x'; size];
    Ok(Box::new(move || {
        if is_up {
            pair.datagram_up(&payload)
        } else {
            pair.datagram_down(&payload)
        }
        assert_eq!(pair.take_arrived(), size, "the datagram did not arrive");
    }))
}

fn stream(transport: Transport, is_up: bool) -> anyhow::Result<Unit> {
    let mut pair = Pair::open(&transport, Kind::Stream)?;
    let bytes = vec![b'x'; RECORD];
    Ok(Box::new(move || {
        if is_up {
            pair.stream_up(&bytes)
        } else {
            pair.stream_down(&bytes)
        }
        assert_eq!(pair.take_arrived(), RECORD, "the bytes did not arrive");
    }))
}

fn token(algorithm: Algorithm, is_remembered: bool) -> anyhow::Result<Unit> {
    let now = UnixTime::from_secs(1_800_000_000);
    let key = SigningKey::generate(algorithm, "bench", &[7; 32])?;
    let claims = Claims {
        app_id: "1001".parse().ok(),
        subject: Some("alice".into()),
        issued: Some(now),
        expires: Some(UnixTime::from_millis(now.as_millis() + 3_600_000)),
        ..Claims::default()
    };
    let token = key.mint(&claims)?;
    let (keys, rules) = (Keys::new(vec![key.verifying()])?, Rules::default());
    let mut verdicts = Verdicts::default();
    verdicts.verify(&keys, token.expose(), now, &rules)?;
    Ok(Box::new(move || {
        if is_remembered {
            drop(black_box(verdicts.verify(&keys, token.expose(), now, &rules)));
        } else {
            drop(black_box(keys.verify(token.expose(), now, &rules)));
        }
    }))
}

/// A token of a key that the relay does not know: it takes as long as one whose signature does not fit.
fn unknown_key() -> anyhow::Result<Unit> {
    let now = UnixTime::from_secs(1_800_000_000);
    let key = |kid| SigningKey::generate(Algorithm::EdDsa, kid, &[7; 32]);
    let token = key("other")?.mint(&Claims { expires: Some(now), ..Claims::default() })?;
    let (keys, rules) = (Keys::new(vec![key("bench")?.verifying()])?, Rules::default());
    Ok(Box::new(move || drop(black_box(keys.verify(token.expose(), now, &rules)))))
}

/// A Token04 of the last of so many secrets.
fn token04(mode: Token04Mode, secrets: usize) -> anyhow::Result<Unit> {
    let now = UnixTime::from_secs(1_800_000_000);
    let key = |byte: usize| Token04Key::new(1_001, &[byte.to_le_bytes()[0]; 32]);
    let claims = Token04Claims {
        user_id: "alice".into(),
        issued: now,
        expires: UnixTime::from_millis(now.as_millis() + 3_600_000),
        payload: String::new(),
    };
    let token = key(secrets)?.mint(&claims, mode, &[7; 16])?;
    let token04 = (1..=secrets).map(key).collect::<Result<_, _>>()?;
    let keys = Keys::new(KeysConfig { token04, ..KeysConfig::default() })?;
    let rules = Rules::default();
    keys.verify(token.expose(), now, &rules)?;
    Ok(Box::new(move || drop(black_box(keys.verify(token.expose(), now, &rules)))))
}

/// An app sign is checked on each connection and never remembered.
fn app_sign() -> anyhow::Result<Unit> {
    let sign = AppSign::new(1_001.into(), &"5a".repeat(32))?;
    let target = "media.example:443".parse()?;
    let config = KeysConfig { app_sign: vec![sign.public()], ..KeysConfig::default() };
    let keys = Keys::new(config)?;
    let value = Credential::AppSign(sign).authorization_value(&target, |_, _| Some([7; 48]));
    let Authorization::Concealed(shown) = authorization(value.context("no proof")?.expose())? else {
        anyhow::bail!("this is no app sign");
    };
    keys.verify_app_sign(&shown, Some(&target), |_, _| Some([7; 48]))?;
    Ok(Box::new(move || drop(black_box(keys.verify_app_sign(&shown, Some(&target), |_, _| Some([7; 48]))))))
}

fn capsule() -> anyhow::Result<Unit> {
    let (payload, mut wire, mut decoder) = ([b'x'; 160], Vec::new(), CapsuleDecoder::default());
    Ok(Box::new(move || {
        wire.clear();
        wire.extend_from_slice(datagram_header(payload.len()).as_bytes());
        wire.extend_from_slice(&payload);
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            match decoder.decode(black_box(rest)) {
                Ok(decoded) => rest = &rest[decoded.consumed..],
                Err(_) => return,
            }
        }
    }))
}

fn request() -> anyhow::Result<Unit> {
    let token = wayleave_proto::testing::token(UnixTime::from_secs(1_800_000_000), Duration::from_secs(60));
    let authorization = format!("Bearer {}", token.context("no token")?.expose());
    let ask = Ask {
        want: Want::Tunnel { kind: Kind::Datagram, target: "media.example:5004".parse()? },
        authority: Some("relay.example:443".parse()?),
        authorization: Some(Secret::new(authorization)),
        user_agent: None,
        echo: None,
    };
    let (mut head, limits) = (Vec::new(), HeadLimits::default());
    Ok(Box::new(move || {
        head.clear();
        encode_ask(&mut head, &ask);
        drop(black_box(parse_ask(&head, &limits)));
    }))
}

fn answer() -> anyhow::Result<Unit> {
    let (mut head, kind) = (Vec::new(), Some(Kind::Datagram));
    let accepted = Answer::Accepted { by: Some("relay".into()), echo: None };
    let now = UnixTime::from_secs(1_800_000_000);
    Ok(Box::new(move || {
        head.clear();
        encode_answer(&mut head, kind, &accepted, now);
        drop(black_box(parse_answer(&head, kind)));
    }))
}

/// As much as one TLS record holds.
const RECORD: usize = 16 * 1024;
