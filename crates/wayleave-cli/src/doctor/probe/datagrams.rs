//! Datagrams through a relay: to its own echo, and to a STUN server.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep_until, timeout_at};
use wayleave_proto::base::{Host, Kind, Target};
use wayleave_proto::codec::capsule::{CapsuleDecoder, datagram_header};
use wayleave_proto::codec::http::{Answer, Want};
use wayleave_proto::codec::proxy_status::ProxyError;
use wayleave_proto::relay::echo::{HOST, PORT};

use super::direct::Stun;
use super::tls::Secured;
use super::tunnel::{Way, ask};
use super::wire::Head;
use super::{Deadline, Notes};
use crate::doctor::code::Code;
use crate::doctor::quality::Quality;
use crate::doctor::report::{Finding, Subject};

/// A tunnel for datagrams.
pub(super) struct Datagrams {
    writer: WriteHalf<Secured>,
    reader: Reader,
}

/// What comes back.
struct Reader {
    stream: ReadHalf<Secured>,
    decoder: CapsuleDecoder,
    bytes: Vec<u8>,
}

impl Reader {
    /// The next datagram; `None` when the tunnel has ended.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            while !self.bytes.is_empty() {
                let decoded = self.decoder.decode(&self.bytes).ok()?;
                let (consumed, datagram) = (decoded.consumed, decoded.datagram.map(<[u8]>::to_vec));
                self.bytes.drain(..consumed);
                if datagram.is_some() {
                    return datagram;
                }
            }
            if self.stream.read_buf(&mut self.bytes).await.ok()? == 0 {
                return None;
            }
        }
    }
}

impl Datagrams {
    /// Opens a tunnel to `target`.
    ///
    /// # Errors
    /// What came in its place.
    pub(super) async fn open(way: &Way, target: &Target, deadline: Deadline) -> Result<Self, (Code, String)> {
        let want = Want::Tunnel { kind: Kind::Datagram, target: target.clone() };
        match timeout_at(deadline.step(), ask(way, want)).await {
            Ok(Ok((head, stream))) => match of_datagrams(&head) {
                None => {
                    let (reader, writer) = split(stream);
                    let (decoder, bytes) = (CapsuleDecoder::new(), head.behind);
                    Ok(Self { writer, reader: Reader { stream: reader, decoder, bytes } })
                }
                Some(refused) => Err(refused),
            },
            Ok(Err(error)) => Err((Code::DatagramsRefused, error.to_string())),
            Err(_) => Err((Code::DatagramsRefused, "no answer in time".into())),
        }
    }

    /// Says that it is over, so that the relay need not guess.
    pub(super) async fn end(mut self, until: Instant) {
        let _ = timeout_at(until, self.writer.shutdown()).await;
    }

    pub(super) async fn send(&mut self, payload: &[u8]) -> bool {
        send(&mut self.writer, payload).await
    }

    /// The next datagram that is `wanted`, until then.
    pub(super) async fn wait(&mut self, until: Instant, wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        loop {
            let datagram = timeout_at(until, self.reader.next()).await.ok()??;
            if wanted(&datagram) {
                return Some(datagram);
            }
        }
    }
}

async fn send(writer: &mut WriteHalf<Secured>, payload: &[u8]) -> bool {
    let mut capsule = datagram_header(payload.len()).as_bytes().to_vec();
    capsule.extend_from_slice(payload);
    writer.write_all(&capsule).await.is_ok() && writer.flush().await.is_ok()
}

/// What is wrong with an answer to CONNECT-UDP; `None` where it opens the tunnel.
pub(super) fn of_datagrams(head: &Head) -> Option<(Code, String)> {
    let refusal = match head.answer(Some(Kind::Datagram)) {
        Some(Answer::Accepted { .. }) => return None,
        Some(Answer::Refused(refusal)) => refusal,
        None => return Some((Code::DatagramsRefused, head.shown())),
    };
    // A proxy that drops Upgrade makes a plain GET of it, which the relay answers with 426; others answer for it.
    let is_plain = (200..=299).contains(&refusal.status) || refusal.status == 426;
    Some((if is_plain { Code::DatagramsNotUpgraded } else { Code::DatagramsRefused }, head.shown()))
}

/// The relay's own echo as a target.
pub(super) fn echo_target() -> Option<Target> {
    Some(Target { host: HOST.parse::<Host>().ok()?, port: PORT })
}

/// Sends datagrams to the relay's own echo, and measures what comes back.
pub(super) async fn echo(way: &Way, notes: &Notes, deadline: Deadline) {
    let subject = || Subject::proxy(&way.proxy);
    let unmeasured = |code: Code, detail: String| {
        notes.add(Finding::new(code, subject()).with(detail));
        notes.add(Finding::new(Code::QualityUnknown, subject()));
        notes.add(Finding::new(Code::SizeUnknown, subject()));
    };
    let Some(target) = echo_target() else { return };
    let began = Instant::now();
    let mut tunnel = match Datagrams::open(way, &target, deadline).await {
        Ok(tunnel) => tunnel,
        // Other relays look the name up, which nobody has; ours says that its echo is switched off.
        Err((Code::DatagramsRefused, shown)) if is_no_echo(&shown) => {
            return unmeasured(Code::DatagramsNoEcho, shown);
        }
        Err((code, shown)) => return unmeasured(code, shown),
    };
    let trips = round_trips(&mut tunnel, deadline.step()).await;
    let Some(quality) = Quality::of(&trips) else {
        return unmeasured(Code::DatagramsLost, format!("{} sent", trips.len()));
    };
    let back = trips.iter().flatten().count();
    let detail = format!("{back} of {}", trips.len());
    notes.add(Finding::new(Code::DatagramsBack, subject()).with(detail).after(began.elapsed()));
    let code = match quality.mos {
        mos if mos >= 4.0 => Code::QualityGood,
        mos if mos >= 3.6 => Code::QualityFair,
        _ => Code::QualityPoor,
    };
    let finding = Finding::new(code, subject()).with(quality.to_string());
    notes.add(Finding { quality: Some(quality), ..finding });
    let largest = largest(&mut tunnel, deadline.step()).await;
    tunnel.end(deadline.step()).await;
    notes.add(match largest {
        Some(bytes) if bytes >= MEDIA => {
            Finding::new(Code::SizeWhole, subject()).with(format!("{bytes} bytes came back"))
        }
        Some(bytes) => Finding::new(Code::SizeSmall, subject()).with(format!("{bytes} bytes came back")),
        None => Finding::new(Code::SizeUnknown, subject()),
    });
}

/// Whether a refusal is that of a relay without an echo.
pub(super) fn is_no_echo(shown: &str) -> bool {
    [ProxyError::HttpRequestDenied, ProxyError::DnsError, ProxyError::DnsTimeout]
        .iter()
        .any(|error| shown.contains(error.as_str()))
}

/// The round trip of each of a second's half of voice packets.
async fn round_trips(tunnel: &mut Datagrams, end: Instant) -> Vec<Option<Duration>> {
    let Datagrams { writer, reader } = tunnel;
    let began = Instant::now();
    let sending = async {
        let mut sent = Vec::new();
        for number in 0..PINGS {
            sleep_until(began + PAUSE * u32::from(number)).await;
            let mut packet = vec![0; VOICE];
            packet[..2].copy_from_slice(&number.to_be_bytes());
            sent.push(Instant::now());
            if !send(writer, &packet).await {
                break;
            }
        }
        sent
    };
    let receiving = async {
        let mut came = vec![None; usize::from(PINGS)];
        let mut left = PINGS;
        while left > 0 {
            let Ok(Some(packet)) = timeout_at(end, reader.next()).await else { break };
            let number = packet.get(..2).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]));
            if let Some(place) = number.and_then(|number| came.get_mut(number)).filter(|it| it.is_none()) {
                *place = Some(Instant::now());
                left -= 1;
            }
        }
        came
    };
    let (sent, came) = tokio::join!(sending, receiving);
    sent.into_iter().zip(came).map(|(sent, came)| came.map(|came| came - sent)).collect()
}

/// The largest of a few sizes that comes back.
async fn largest(tunnel: &mut Datagrams, end: Instant) -> Option<usize> {
    let Datagrams { writer, reader } = tunnel;
    let sending = async {
        for size in SIZES {
            if !send(writer, &vec![0xff; size]).await {
                break;
            }
        }
    };
    let receiving = async {
        let mut largest = None;
        while largest < SIZES.last().copied() {
            let Ok(Some(packet)) = timeout_at(end, reader.next()).await else { break };
            if packet.first() == Some(&0xff) {
                largest = largest.max(Some(packet.len()));
            }
        }
        largest
    };
    tokio::join!(sending, receiving).1
}

/// Asks a STUN server through the relay.
pub(super) async fn stun(way: &Way, target: &Target, notes: &Notes, deadline: Deadline) {
    let subject = Subject::proxy(&way.proxy).to(Kind::Datagram, target);
    let began = Instant::now();
    let mut tunnel = match Datagrams::open(way, target, deadline).await {
        Ok(tunnel) => tunnel,
        Err((code, shown)) => return notes.add(Finding::new(code, subject).with(shown)),
    };
    let end = deadline.step();
    let stun = Stun::new();
    for _ in 0..3 {
        tunnel.send(&stun.request()).await;
        let next = end.min(Instant::now() + AGAIN);
        if tunnel.wait(next, |answer| stun.is_answer(answer)).await.is_some() {
            return notes.add(Finding::new(Code::DatagramsBack, subject).after(began.elapsed()));
        }
    }
    notes.add(Finding::new(Code::DatagramsUnanswered, subject).after(began.elapsed()));
}

/// Packets of voice: how many, how often, how large.
const PINGS: u16 = 25;
const PAUSE: Duration = Duration::from_millis(20);
const VOICE: usize = 172;
/// What media and QUIC send at least.
const MEDIA: usize = 1_200;
/// The last is the largest that a tunnel carries.
const SIZES: [usize; 5] = [500, MEDIA, 1_472, 8_972, 65_527];
/// After how long a question is asked again.
const AGAIN: Duration = Duration::from_millis(400);
