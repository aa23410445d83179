//! One key in one direction.

use core::fmt;

use ::rustls::ConnectionTrafficSecrets;
use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};

use super::{Fault, HEADER, TAG};

/// The key of one direction, and the number of its next record.
pub(in crate::carrier::tls) struct RecordKey {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    sequence: u64,
}

impl RecordKey {
    /// The key in `secrets`, whose next record has the number `sequence`.
    ///
    /// # Errors
    /// [`Fault::Internal`] where the algorithm is not known.
    pub(in crate::carrier::tls) fn new(
        sequence: u64,
        secrets: &ConnectionTrafficSecrets,
    ) -> Result<Self, Fault> {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(Fault::Internal),
        };
        Self::from_parts(sequence, algorithm, key.as_ref(), iv.as_ref())
    }

    /// The same from its parts.
    ///
    /// # Errors
    /// [`Fault::Internal`] where key or iv have the wrong length.
    pub(in crate::carrier::tls) fn from_parts(
        sequence: u64,
        algorithm: &'static Algorithm,
        key: &[u8],
        iv: &[u8],
    ) -> Result<Self, Fault> {
        let key = UnboundKey::new(algorithm, key).map_err(|_| Fault::Internal)?;
        let iv = iv.try_into().map_err(|_| Fault::Internal)?;
        Ok(Self { key: LessSafeKey::new(key), iv, sequence })
    }

    /// The number of the next record: how many this key has sealed or opened.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Encrypts `in_out` in place, and returns its tag.
    pub(super) fn seal(&mut self, header: &[u8; HEADER], in_out: &mut [u8]) -> Result<[u8; TAG], Fault> {
        let nonce = self.nonce()?;
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(header), in_out);
        tag.ok().and_then(|tag| tag.as_ref().try_into().ok()).ok_or(Fault::Internal)
    }

    /// Decrypts what begins at `from` in `in_out` to its front, and returns how long it is.
    pub(super) fn open(
        &mut self,
        header: &[u8; HEADER],
        in_out: &mut [u8],
        from: usize,
    ) -> Result<usize, Fault> {
        let nonce = self.nonce()?;
        let opened = self.key.open_within(nonce, Aad::from(header), in_out, from..);
        opened.map(|opened| opened.len()).map_err(|_| Fault::BadRecordMac)
    }

    /// The nonce of the next record, RFC 8446 §5.3. <https://www.rfc-editor.org/rfc/rfc8446#section-5.3>
    fn nonce(&mut self) -> Result<Nonce, Fault> {
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(self.sequence.to_le_bytes()) {
            *byte ^= number;
        }
        self.sequence = self.sequence.checked_add(1).ok_or(Fault::Internal)?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKey").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
