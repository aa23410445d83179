//! DATAGRAM capsules with UDP payloads (RFC 9297 §3.5, RFC 9298 §5), written and read apart from the product's codec.

/// Appends the capsule of `payload`.
pub(super) fn encode(payload: &[u8], out: &mut Vec<u8>) {
    let length = payload.len() + 1;
    out.push(0);
    match u8::try_from(length) {
        Ok(length) if length < 64 => out.push(length),
        _ => out.extend((length as u16 | 0x4000).to_be_bytes()),
    }
    out.push(0);
    out.extend_from_slice(payload);
}

/// Finds payloads in a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    /// Gives `sink` each payload that is whole; what is left waits for more.
    pub(super) fn read(&mut self, bytes: &[u8], mut sink: impl FnMut(&[u8])) {
        if self.rest.is_empty() {
            let used = read_whole(bytes, &mut sink);
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            self.rest.extend_from_slice(bytes);
            let used = read_whole(&self.rest, &mut sink);
            self.rest.drain(..used);
        }
    }
}

fn read_whole(bytes: &[u8], sink: &mut impl FnMut(&[u8])) -> usize {
    let mut used = 0;
    while let Some((kind, value, length)) = next(&bytes[used..]) {
        if kind == 0 && value.first() == Some(&0) {
            sink(&value[1..]);
        }
        used += length;
    }
    used
}

fn next(bytes: &[u8]) -> Option<(u64, &[u8], usize)> {
    let (kind, first) = varint(bytes)?;
    let (length, second) = varint(&bytes[first..])?;
    let start = first + second;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    Some((kind, bytes.get(start..end)?, end))
}

fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = 1 << (bytes.first()? >> 6);
    let rest = bytes.get(1..length)?;
    let first = u64::from(bytes[0] & 0x3f);
    Some((rest.iter().fold(first, |value, byte| value << 8 | u64::from(*byte)), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_survive_every_split() {
        let payloads = [vec![1; 3], vec![2; 62], vec![3; 63], vec![4; 1200]];
        let mut wire = Vec::new();
        payloads.iter().for_each(|payload| encode(payload, &mut wire));
        for split in 0..wire.len() {
            let (mut decoder, mut found) = (Decoder::default(), Vec::new());
            decoder.read(&wire[..split], |payload| found.push(payload.to_vec()));
            decoder.read(&wire[split..], |payload| found.push(payload.to_vec()));
            assert_eq!(found, payloads, "split at {split}");
        }
    }
}
