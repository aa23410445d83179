//! The receiving half.

use super::{Content, DATA, Fault, HEADER, LONGEST, LONGEST_SEALED, RecordKey};

/// Opens records where they were received.
#[derive(Debug)]
pub(in crate::carrier::tls) struct Opener {
    key: RecordKey,
    /// The record that is incomplete; no memory between two records.
    partial: Vec<u8>,
}

/// How far a run of ciphertext is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::carrier::tls) struct Place {
    /// Ciphertext in front of this has been opened.
    read: usize,
    /// Plaintext in front of this is kept; it is never behind `read`.
    pub(in crate::carrier::tls) written: usize,
}

impl Opener {
    /// Opens records with `key`.
    pub(in crate::carrier::tls) const fn new(key: RecordKey) -> Self {
        Self { key, partial: Vec::new() }
    }

    /// Takes the next key into use.
    pub(in crate::carrier::tls) fn renew(&mut self, key: RecordKey) {
        self.key = key;
    }

    /// Opens the next whole record of `bytes`: its payload begins at `place.written` and is as long as is returned. `None`
    /// where no whole record follows.
    ///
    /// # Errors
    /// What is wrong with the record.
    pub(in crate::carrier::tls) fn open(
        &mut self,
        bytes: &mut [u8],
        place: &mut Place,
    ) -> Result<Option<(Content, usize)>, Fault> {
        let Some(header) = bytes.get(place.read..).and_then(<[u8]>::first_chunk).copied() else {
            return Ok(None);
        };
        let end = place.read.saturating_add(whole(header)?);
        let Some(region) = bytes.get_mut(place.written..end) else { return Ok(None) };
        let from = place.read.saturating_add(HEADER).saturating_sub(place.written);
        let opened = self.key.open(&header, region, from)?;
        place.read = end;
        let inner = region.get(..opened).unwrap_or_default();
        // Behind the payload comes its type, and behind that as many zeros as the sender liked, RFC 8446 §5.4.
        let at = inner.iter().rposition(|byte| *byte != 0).ok_or(Fault::Unexpected)?;
        if opened > LONGEST.saturating_add(1) {
            return Err(Fault::Overflow);
        }
        let content = inner.get(at).copied().and_then(Content::from_code).ok_or(Fault::Unexpected)?;
        Ok(Some((content, at)))
    }

    /// Keeps the beginning of a record that `bytes` ends with.
    pub(in crate::carrier::tls) fn keep(&mut self, bytes: &[u8], place: Place) {
        let rest = bytes.get(place.read..).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        let length = rest.first_chunk().map_or(HEADER, |header| whole(*header).unwrap_or(HEADER));
        self.partial.reserve_exact(length.max(rest.len()));
        self.partial.extend_from_slice(rest);
    }

    /// Completes the record that was begun with what it needs of `bytes`, and gives it out once it is whole; `bytes` is
    /// left with what follows.
    ///
    /// # Errors
    /// [`Fault::Overflow`] or [`Fault::Unexpected`] as soon as its header shows that.
    pub(in crate::carrier::tls) fn complete(
        &mut self,
        bytes: &mut &mut [u8],
    ) -> Result<Option<Vec<u8>>, Fault> {
        if self.partial.len() < HEADER {
            self.take(HEADER, bytes);
        }
        let Some(header) = self.partial.first_chunk().copied() else { return Ok(None) };
        let length = whole(header)?;
        self.take(length, bytes);
        Ok((self.partial.len() >= length).then(|| core::mem::take(&mut self.partial)))
    }

    /// Whether a record was begun.
    pub(in crate::carrier::tls) const fn has_begun(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Forgets the record that was begun: nothing more is read.
    pub(in crate::carrier::tls) fn forget(&mut self) {
        self.partial = Vec::new();
    }

    /// Bytes of memory for the record that was begun.
    pub(in crate::carrier::tls) const fn held(&self) -> usize {
        self.partial.capacity()
    }

    /// Moves bytes to the record that was begun until it is `length` long.
    fn take(&mut self, length: usize, bytes: &mut &mut [u8]) {
        let wanted = length.saturating_sub(self.partial.len());
        self.partial.reserve_exact(wanted);
        let there = wanted.min(bytes.len());
        let (now, later) = core::mem::take(bytes).split_at_mut(there);
        self.partial.extend_from_slice(now);
        *bytes = later;
    }
}

/// How long the record with this header is, header included.
fn whole([content, _, _, high, low]: [u8; HEADER]) -> Result<usize, Fault> {
    let length = usize::from(u16::from_be_bytes([high, low]));
    if content != DATA {
        return Err(Fault::Unexpected);
    }
    if length > LONGEST_SEALED {
        return Err(Fault::Overflow);
    }
    Ok(length.saturating_add(HEADER))
}
