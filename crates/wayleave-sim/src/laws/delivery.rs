//! Law 3: what arrives is what was sent.

use core::time::Duration;
use std::collections::BTreeMap;

use wayleave_proto::base::Instant;

/// What was sent and has arrived, by the number that each flow carries in its first bytes.
#[derive(Debug, Default)]
pub struct Delivery {
    streams: BTreeMap<(u64, bool), Half>,
    /// By flow, direction and number.
    datagrams: BTreeMap<(u64, bool, u32), Datagram>,
}

#[derive(Debug)]
struct Datagram {
    size: usize,
    /// So often it may still arrive.
    left: u32,
    /// When it was sent last.
    sent: Instant,
}

#[derive(Debug, Default)]
struct Half {
    sent: u64,
    arrived: u64,
    ended: bool,
    /// Its writer is gone without an end.
    cut: bool,
}

impl Delivery {
    /// The first `length` bytes of one half of a stream were written: `up` from the application, else from its server.
    ///
    /// A server writes them anew for every connection that brings it the first bytes of a stream, as a stream does that moves
    /// before an answer came.
    pub fn sent(&mut self, flow: u64, up: bool, length: u64) {
        let half = self.half(flow, up);
        half.sent = half.sent.max(length);
    }

    /// A server knows the flow by the first `length` bytes, which count as arrived. `again`: they may arrive a second time,
    /// because they have no effect of their own. From a connection that the stream has left, and that is slower than the next
    /// one, they arrive behind what came after them; what may not arrive a second time is what comes then.
    ///
    /// # Errors
    /// They arrived before, and must not again.
    pub fn header(&mut self, flow: u64, length: usize, again: bool) -> Result<(), String> {
        let half = self.half(flow, true);
        let before = half.arrived;
        half.arrived = before.max(length as u64);
        if before > 0 && !again {
            return Err(format!("{}: its first bytes were sent twice, after {before}", name(flow, true)));
        }
        Ok(())
    }

    /// The writer ended that half.
    pub fn ended(&mut self, flow: u64, up: bool) {
        self.half(flow, up).ended = true;
    }

    /// The process of the writer ended before the half did. By default a relay passes that on as an end, wherever it came.
    pub fn cut(&mut self, flow: u64, up: bool) {
        self.half(flow, up).cut = true;
    }

    /// Bytes of that half arrived.
    ///
    /// # Errors
    /// They are not the ones that come next.
    pub fn arrived(&mut self, flow: u64, up: bool, bytes: &[u8]) -> Result<(), String> {
        let half = self.half(flow, up);
        let from = half.arrived;
        half.arrived += bytes.len() as u64;
        let (arrived, sent) = (half.arrived, half.sent);
        if arrived > sent {
            return Err(format!("{}: {arrived} bytes arrived of {sent} that were sent", name(flow, up)));
        }
        if is_pattern(flow, up, from, bytes) {
            return Ok(());
        }
        Err(format!("{}: a byte behind the first {from} did not arrive as it was sent", name(flow, up)))
    }

    /// The reader saw a clean end of that half.
    ///
    /// # Errors
    /// Its writer did not end it, or something is missing.
    pub fn finished(&mut self, flow: u64, up: bool) -> Result<(), String> {
        let half = self.half(flow, up);
        if half.cut {
            return Ok(());
        }
        if !half.ended {
            return Err(format!("{}: a clean end arrived that nobody sent", name(flow, up)));
        }
        if half.arrived < half.sent {
            let (arrived, sent) = (half.arrived, half.sent);
            return Err(format!("{}: a clean end after {arrived} of {sent} bytes", name(flow, up)));
        }
        Ok(())
    }

    /// A datagram was sent; it may arrive once.
    pub fn datagram_sent(&mut self, now: Instant, payload: &[u8]) {
        let Some(key) = key_of(payload) else { return };
        let new = Datagram { size: payload.len(), left: 0, sent: now };
        let datagram = self.datagrams.entry(key).or_insert(new);
        datagram.left += 1;
        datagram.sent = now;
    }

    /// The network doubled a datagram; one that is none of an application's does not count.
    pub fn datagram_doubled(&mut self, payload: &[u8]) {
        if let Some(datagram) = key_of(payload).and_then(|key| self.datagrams.get_mut(&key)) {
            datagram.left += 1;
        }
    }

    /// A datagram arrived; says how long ago it was sent, or for an answer what it answers.
    ///
    /// # Errors
    /// It was never sent, is not as it was sent, or arrived more often than the network doubled it.
    pub fn datagram_arrived(&mut self, now: Instant, payload: &[u8]) -> Result<Duration, String> {
        let known = key_of(payload).and_then(|key| Some((key, self.datagrams.get_mut(&key)?)));
        let Some(((flow, up, index), datagram)) = known else {
            return Err("a datagram arrived that nobody sent".to_owned());
        };
        let bytes = payload.get(DATAGRAM_HEADER..).unwrap_or_default();
        let is_same = datagram.size == payload.len()
            && is_pattern(flow ^ u64::from(index), up, DATAGRAM_HEADER as u64, bytes);
        if !is_same {
            return Err(format!("datagram {index} of flow {flow} did not arrive as it was sent"));
        }
        if datagram.left == 0 {
            return Err("a datagram arrived more often than it was sent and doubled".to_owned());
        }
        datagram.left -= 1;
        let sent = datagram.sent;
        let asked = self.datagrams.get(&(flow, true, index)).map(|asked| asked.sent);
        Ok(now.since(asked.unwrap_or(sent)))
    }

    fn half(&mut self, flow: u64, up: bool) -> &mut Half {
        self.streams.entry((flow, up)).or_default()
    }
}

/// The `amount` bytes from `index` on of one half of a flow.
pub fn pattern(flow: u64, up: bool, index: u64, amount: usize) -> Vec<u8> {
    let mut bytes = vec![0; amount];
    let (head, place) = first_word(index, amount);
    bytes[..head].copy_from_slice(&word(flow, up, index >> 3)[8 - skipped(index)..][..head]);
    let mut words = (place..).map(|place| word(flow, up, place));
    for chunk in bytes[head..].chunks_mut(8) {
        let word = words.next().unwrap_or_default();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    bytes
}

/// Whether `bytes` are those from `index` on of one half of a flow.
fn is_pattern(flow: u64, up: bool, index: u64, bytes: &[u8]) -> bool {
    let (head, place) = first_word(index, bytes.len());
    if bytes[..head] != word(flow, up, index >> 3)[8 - skipped(index)..][..head] {
        return false;
    }
    let (words, rest) = bytes[head..].as_chunks::<8>();
    let behind = place + words.len() as u64;
    (place..).zip(words).all(|(place, bytes)| *bytes == word(flow, up, place))
        && *rest == word(flow, up, behind)[..rest.len()]
}

/// A datagram of a flow: its flow, direction and number, and bytes up to `size`.
pub fn datagram(flow: u64, up: bool, index: u32, size: usize) -> Vec<u8> {
    let mut bytes = pattern(flow ^ u64::from(index), up, 0, size.max(DATAGRAM_HEADER));
    bytes[..8].copy_from_slice(&flow.to_be_bytes());
    bytes[8] = u8::from(up);
    bytes[9..DATAGRAM_HEADER].copy_from_slice(&index.to_be_bytes());
    bytes
}

/// The flow, direction and number of a datagram.
pub fn key_of(payload: &[u8]) -> Option<(u64, bool, u32)> {
    let (flow, rest) = payload.split_first_chunk()?;
    let (up, rest) = rest.split_first()?;
    Some((u64::from_be_bytes(*flow), *up == 1, u32::from_be_bytes(*rest.first_chunk()?)))
}

/// Eight bytes of the pattern.
fn word(flow: u64, up: bool, place: u64) -> [u8; 8] {
    let mut word = (flow ^ (u64::from(up) << 63)).wrapping_add(place.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word ^= word >> 27;
    word.to_be_bytes()
}

/// How many of `amount` bytes from `index` on stand before the first whole word, and the number of that word.
fn first_word(index: u64, amount: usize) -> (usize, u64) {
    (skipped(index).min(amount), index.div_ceil(8))
}

/// Bytes from `index` on that belong to the word in which it stands, if it does not begin there.
const fn skipped(index: u64) -> usize {
    ((8 - (index & 7)) & 7) as usize
}

fn name(flow: u64, up: bool) -> String {
    format!("stream {flow} {}", if up { "to the server" } else { "to the application" })
}

/// Bytes in front of each datagram's pattern.
const DATAGRAM_HEADER: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_that_come_late_are_no_fault_and_bytes_that_come_twice_are() {
        let mut delivery = Delivery::default();
        delivery.sent(1, true, 300);
        let rest = pattern(1, true, 76, 224);
        delivery.header(1, 76, true).unwrap();
        delivery.arrived(1, true, &rest).unwrap();
        delivery.header(1, 76, true).unwrap();
        assert!(delivery.arrived(1, true, &rest).is_err());
        assert!(delivery.header(1, 76, false).is_err());
    }

    #[test]
    fn an_answer_that_is_written_twice_arrives_once() {
        let mut delivery = Delivery::default();
        // The connection that the stream left had all of it and ended, the one that it went to has half so far.
        delivery.sent(7, false, 64);
        delivery.ended(7, false);
        delivery.sent(7, false, 32);
        assert_eq!(delivery.arrived(7, false, &pattern(7, false, 0, 32)), Ok(()));
        assert!(delivery.finished(7, false).is_err(), "half of it is missing");
        delivery.sent(7, false, 64);
        assert_eq!(delivery.arrived(7, false, &pattern(7, false, 32, 32)), Ok(()));
        assert_eq!(delivery.finished(7, false), Ok(()));
    }
}
