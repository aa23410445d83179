//! The bytes of a Token04, read strictly: no unknown mode, nothing behind the end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::TokenError;
use super::super::token::MAX_TOKEN_LENGTH;

/// How a Token04 is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token04Mode {
    /// AES-256-CBC. It has no authentication of its own: whoever sees a token can change some of what it says.
    Cbc,
    /// AES-256-GCM.
    Gcm,
}

impl Token04Mode {
    pub(super) const fn iv_length(self) -> usize {
        match self {
            Self::Cbc => 16,
            Self::Gcm => 12,
        }
    }
}

/// A Token04 taken apart; what it says is still encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wire {
    pub(super) mode: Token04Mode,
    /// The expiry in the clear, in seconds; nobody has to believe it.
    pub(super) expires: i64,
    pub(super) iv: Vec<u8>,
    /// The ciphertext, in the GCM form with its tag.
    pub(super) sealed: Vec<u8>,
}

impl Wire {
    pub(super) fn read(token: &str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(TokenError::TooLong);
        }
        let body = token.strip_prefix(PREFIX).ok_or(malformed("it does not begin with 04"))?;
        let bytes = STANDARD.decode(body).map_err(|_| malformed("it is not base64 behind 04"))?;
        let cut = malformed("it is cut off");
        let (expires, rest) = bytes.split_first_chunk().ok_or(cut.clone())?;
        let (iv, rest) = counted(rest).ok_or(cut.clone())?;
        let (sealed, rest) = counted(rest).ok_or(cut)?;
        let mode = match rest {
            [] | [0] => Token04Mode::Cbc,
            [1] => Token04Mode::Gcm,
            [_] => return Err(malformed("its mode is not known")),
            _ => return Err(malformed("something stands behind its end")),
        };
        let fits = match mode {
            Token04Mode::Cbc => !sealed.is_empty() && sealed.len().is_multiple_of(BLOCK),
            Token04Mode::Gcm => sealed.len() > TAG,
        };
        if iv.len() != mode.iv_length() || !fits {
            return Err(malformed("its lengths are not those of its mode"));
        }
        Ok(Self { mode, expires: i64::from_be_bytes(*expires), iv: iv.to_vec(), sealed: sealed.to_vec() })
    }

    /// The text of the token; `None` where something is too long for its length field.
    pub(super) fn write(&self) -> Option<String> {
        let mut bytes = self.expires.to_be_bytes().to_vec();
        for part in [&self.iv, &self.sealed] {
            bytes.extend(u16::try_from(part.len()).ok()?.to_be_bytes());
            bytes.extend(part);
        }
        if self.mode == Token04Mode::Gcm {
            bytes.push(1);
        }
        Some(format!("{PREFIX}{}", STANDARD.encode(bytes)))
    }
}

/// Whether `token` can only be a Token04; the header of a JWT never begins like that.
pub(in super::super) fn is_token04(token: &str) -> bool {
    token.starts_with(PREFIX)
}

pub(super) const fn malformed(fault: &'static str) -> TokenError {
    TokenError::Malformed { fault }
}

fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

pub(super) const BLOCK: usize = 16;
const PREFIX: &str = "04";
const TAG: usize = 16;
