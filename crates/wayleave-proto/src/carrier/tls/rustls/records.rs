//! Where in a record the ciphertext stands.

/// Follows the records of a connection, RFC 8446 §5.1, without reading them.
/// <https://www.rfc-editor.org/rfc/rfc8446#section-5.1>
#[derive(Debug, Default)]
pub(in crate::carrier::tls) struct Records {
    /// Bytes seen of the record that is incomplete.
    seen: usize,
    /// Its length with the header; only the header while that is incomplete.
    length: usize,
}

impl Records {
    /// Follows `bytes`.
    pub(in crate::carrier::tls) fn advance(&mut self, mut bytes: &[u8]) {
        while let Some((&first, behind)) = bytes.split_first() {
            if self.seen < HEADER {
                self.seen = self.seen.saturating_add(1);
                match self.seen {
                    4 => self.length = usize::from(first) << 8,
                    5 => self.length = (self.length | usize::from(first)).saturating_add(HEADER),
                    _ => {}
                }
                bytes = behind;
            } else {
                let taken = self.length.saturating_sub(self.seen).min(bytes.len());
                self.seen = self.seen.saturating_add(taken);
                bytes = bytes.get(taken..).unwrap_or_default();
            }
            if self.seen >= HEADER && self.seen >= self.length {
                *self = Self::default();
            }
        }
    }

    /// Bytes of the record that is incomplete; zero between two records.
    pub(in crate::carrier::tls) const fn incomplete(&self) -> usize {
        self.seen
    }
}

const HEADER: usize = 5;
