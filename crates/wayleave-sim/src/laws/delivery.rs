//! Law 3: what arrives is what was sent.

use std::collections::BTreeMap;

/// What was sent and has arrived, by the number that each flow carries in its first bytes.
#[derive(Debug, Default)]
pub struct Delivery {
    streams: BTreeMap<(u64, bool), Half>,
    datagrams: BTreeMap<Vec<u8>, u32>,
}

#[derive(Debug, Default)]
struct Half {
    sent: u64,
    arrived: u64,
    ended: bool,
}

impl Delivery {
    /// `amount` bytes more were written to one half of a stream: `up` from the application, else from its server.
    pub fn sent(&mut self, flow: u64, up: bool, amount: usize) {
        self.half(flow, up).sent += amount as u64;
    }

    /// The server knows the flow by the first `length` bytes, which count as arrived.
    pub fn header(&mut self, flow: u64, length: usize) {
        self.half(flow, true).arrived = length as u64;
    }

    /// The writer ended that half.
    pub fn ended(&mut self, flow: u64, up: bool) {
        self.half(flow, up).ended = true;
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
        let right = pattern(flow, up, from, bytes.len());
        match right.iter().zip(bytes).position(|(right, byte)| right != byte) {
            Some(place) => {
                let index = from + place as u64;
                Err(format!("{}: byte {index} did not arrive as it was sent", name(flow, up)))
            }
            None => Ok(()),
        }
    }

    /// The reader saw a clean end of that half.
    ///
    /// # Errors
    /// Its writer did not end it, or something is missing.
    pub fn finished(&mut self, flow: u64, up: bool) -> Result<(), String> {
        let half = self.half(flow, up);
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
    pub fn datagram_sent(&mut self, payload: &[u8]) {
        *self.datagrams.entry(payload.to_vec()).or_default() += 1;
    }

    /// The network doubled a datagram; one that is none of an application's does not count.
    pub fn datagram_doubled(&mut self, payload: &[u8]) {
        if let Some(left) = self.datagrams.get_mut(payload) {
            *left += 1;
        }
    }

    /// A datagram arrived.
    ///
    /// # Errors
    /// It was never sent, or arrived more often than the network doubled it.
    pub fn datagram_arrived(&mut self, payload: &[u8]) -> Result<(), String> {
        match self.datagrams.get_mut(payload) {
            None => Err("a datagram arrived that nobody sent".to_owned()),
            Some(0) => Err("a datagram arrived more often than it was sent and doubled".to_owned()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn half(&mut self, flow: u64, up: bool) -> &mut Half {
        self.streams.entry((flow, up)).or_default()
    }
}

/// The `amount` bytes from `index` on of one half of a flow.
pub fn pattern(flow: u64, up: bool, index: u64, amount: usize) -> Vec<u8> {
    let skipped = (index & 7) as usize;
    let words = (skipped + amount).div_ceil(8);
    let mut bytes = Vec::with_capacity(words * 8);
    for place in (index >> 3..).take(words) {
        let mut word = (flow ^ (u64::from(up) << 63)).wrapping_add(place.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word ^= word >> 27;
        bytes.extend(word.to_be_bytes());
    }
    bytes.drain(..skipped);
    bytes.truncate(amount);
    bytes
}

fn name(flow: u64, up: bool) -> String {
    format!("stream {flow} {}", if up { "to the server" } else { "to the application" })
}
