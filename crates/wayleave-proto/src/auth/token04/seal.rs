//! AES-256 in both modes.

use aes::Aes256;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::super::key::array;
use super::wire::{BLOCK, Token04Mode, Wire};

/// What `wire` says, and whether that can be trusted to be whole: in the CBC form as far as its padding tells.
///
/// In the CBC form the text comes back either way, so that the caller can do the same work for a right padding and a
/// wrong one.
pub(super) fn open(secret: &[u8; 32], wire: &Wire) -> Option<(Zeroizing<Vec<u8>>, bool)> {
    let mut text = Zeroizing::new(wire.sealed.clone());
    match wire.mode {
        Token04Mode::Cbc => {
            let mut cipher = cbc::Decryptor::<Aes256>::new_from_slices(secret, &wire.iv).ok()?;
            for chunk in text.chunks_exact_mut(BLOCK) {
                let mut block = array::<BLOCK>(chunk).into();
                cipher.decrypt_block(&mut block);
                chunk.copy_from_slice(&block);
            }
            let (length, padded_well) = unpadded(&text);
            text.truncate(length);
            Some((text, padded_well))
        }
        Token04Mode::Gcm => {
            let nonce = Nonce::try_assume_unique_for_key(&wire.iv).ok()?;
            let length = gcm(secret)?.open_in_place(nonce, Aad::empty(), &mut text).ok()?.len();
            text.truncate(length);
            Some((text, true))
        }
    }
}

/// Encrypts `text`; the length of `iv` is that of the mode.
pub(super) fn seal(secret: &[u8; 32], mode: Token04Mode, iv: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut sealed = text.to_vec();
    match mode {
        Token04Mode::Cbc => {
            let padding = BLOCK - text.len() % BLOCK;
            sealed.resize(text.len() + padding, u8::try_from(padding).ok()?);
            let mut cipher = cbc::Encryptor::<Aes256>::new_from_slices(secret, iv).ok()?;
            for chunk in sealed.chunks_exact_mut(BLOCK) {
                let mut block = array::<BLOCK>(chunk).into();
                cipher.encrypt_block(&mut block);
                chunk.copy_from_slice(&block);
            }
        }
        Token04Mode::Gcm => {
            let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
            gcm(secret)?.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed).ok()?;
        }
    }
    Some(sealed)
}

fn gcm(secret: &[u8; 32]) -> Option<LessSafeKey> {
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, secret).ok()?))
}

/// The length without the padding of [RFC 5652 §6.3](https://www.rfc-editor.org/rfc/rfc5652#section-6.3), and whether it
/// is right; all of its bytes are looked at in any case, and a wrong one takes nothing away.
fn unpadded(text: &[u8]) -> (usize, bool) {
    let padding = text.last().copied().unwrap_or_default();
    let in_range = (1..=BLOCK).contains(&usize::from(padding));
    let wrong = text.iter().rev().take(BLOCK).enumerate().fold(0, |wrong, (place, byte)| {
        let counts = u8::from(place < usize::from(padding));
        wrong | (counts * (byte ^ padding))
    });
    let right = in_range && wrong == 0;
    (text.len().saturating_sub(if right { usize::from(padding) } else { 0 }), right)
}
