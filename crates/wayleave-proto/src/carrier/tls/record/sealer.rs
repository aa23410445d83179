//! The sending half.

use super::{Content, DATA, Fault, HEADER, LONGEST, RecordKey, TAG};

/// Makes records.
#[derive(Debug)]
pub(in crate::carrier::tls) struct Sealer {
    key: RecordKey,
    /// Records that one key may seal.
    limit: u64,
}

impl Sealer {
    /// Makes records with `key`, at most `limit` with it and with every key that follows it.
    pub(in crate::carrier::tls) const fn new(key: RecordKey, limit: u64) -> Self {
        Self { key, limit }
    }

    /// Whether the key has sealed as many records as it should, RFC 8446 §5.5.
    /// <https://www.rfc-editor.org/rfc/rfc8446#section-5.5>
    pub(in crate::carrier::tls) const fn is_worn(&self) -> bool {
        self.key.sequence() >= self.limit
    }

    /// Takes the next key into use.
    pub(in crate::carrier::tls) fn renew(&mut self, key: RecordKey) {
        self.key = key;
    }

    /// Appends to `out` the chunks, joined, as records of at most 16 KiB.
    ///
    /// # Errors
    /// [`Fault::Internal`] where the cryptography fails; nothing may be sent any more.
    pub(in crate::carrier::tls) fn seal(
        &mut self,
        content: Content,
        chunks: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let mut left = chunks.iter().fold(0, |sum: usize, chunk| sum.saturating_add(chunk.len()));
        let mut chunks = chunks.iter();
        let mut chunk: &[u8] = &[];
        while left > 0 {
            let length = left.min(LONGEST);
            let [.., high, low] = length.saturating_add(1 + TAG).to_be_bytes();
            let header = [DATA, 3, 3, high, low];
            out.extend_from_slice(&header);
            let start = out.len();
            let mut room = length;
            while room > 0 {
                if chunk.is_empty() {
                    chunk = chunks.next().ok_or(Fault::Internal)?;
                }
                let (now, later) = chunk.split_at(chunk.len().min(room));
                out.extend_from_slice(now);
                room = room.saturating_sub(now.len());
                chunk = later;
            }
            out.push(content.code());
            let tag = self.key.seal(&header, out.get_mut(start..).unwrap_or_default())?;
            out.extend_from_slice(&tag);
            left = left.saturating_sub(length);
        }
        Ok(())
    }

    /// How long the records for `length` bytes of payload are.
    pub(in crate::carrier::tls) const fn sealed_len(length: usize) -> usize {
        let records = length.div_ceil(LONGEST);
        length.saturating_add(records.saturating_mul(HEADER + 1 + TAG))
    }
}
