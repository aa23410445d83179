//! The secret of an application.

use ring::digest::Context;

use super::super::key::{array, feed, sha256};
use super::super::{AppId, MintError, Token, TokenError, TokenTextError};
use super::body::{Body, Token04Claims};
use super::seal::{open, seal};
use super::wire::{Token04Mode, Wire, malformed};
use crate::base::Secret;

/// A secret with which the server of an application mints Token04.
///
/// It both mints and checks: a relay that holds it could mint as well.
#[derive(Clone, Debug)]
pub struct Token04Key {
    app_id: AppId,
    secret: Secret<[u8; 32]>,
    allow_cbc: bool,
}

impl Token04Key {
    /// The secret of application `app_id`: its 32 characters as bytes. Both forms are allowed.
    ///
    /// # Errors
    /// [`Token04KeyError`].
    pub fn new(app_id: u32, secret: &[u8]) -> Result<Self, Token04KeyError> {
        if secret.len() != 32 {
            return Err(Token04KeyError { length: secret.len() });
        }
        Ok(Self { app_id: app_id.into(), secret: Secret::new(array(secret)), allow_cbc: true })
    }

    /// The same secret, good for the CBC form or not. That form has no authentication of its own.
    #[must_use]
    pub fn allowing_cbc(self, allow_cbc: bool) -> Self {
        Self { allow_cbc, ..self }
    }

    /// The application.
    pub const fn app_id(&self) -> &AppId {
        &self.app_id
    }

    /// Whether the CBC form is allowed.
    pub const fn allows_cbc(&self) -> bool {
        self.allow_cbc
    }

    /// Mints a token. `random` is drawn anew for each: two tokens with the same would give the secret of the GCM form
    /// away.
    ///
    /// # Errors
    /// [`MintError`] where no relay would accept the token.
    pub fn mint(
        &self,
        claims: &Token04Claims,
        mode: Token04Mode,
        random: &[u8; 16],
    ) -> Result<Token, MintError> {
        if claims.user_id.is_empty() {
            return Err(MintError::NoUser);
        }
        let nonce = i32::from_be_bytes(array(&sha256(|digest| digest.update(random))));
        let text = claims.to_json(&self.app_id, nonce);
        let expires = i64::try_from(claims.expires.as_secs()).map_err(|_| MintError::NoExpiry)?;
        let (iv, _) = random.split_at_checked(mode.iv_length()).unwrap_or((random, &[]));
        self.write(mode, expires, iv, text.as_bytes())
    }

    pub(super) fn write(
        &self,
        mode: Token04Mode,
        expires: i64,
        iv: &[u8],
        text: &[u8],
    ) -> Result<Token, MintError> {
        let too_long = TokenTextError::TooLong { length: text.len() };
        let sealed = seal(self.secret.expose(), mode, iv, text).ok_or(too_long)?;
        let wire = Wire { mode, expires, iv: iv.to_vec(), sealed };
        Ok(Token::new(&wire.write().ok_or(too_long)?)?)
    }

    /// What `wire` says, if it was made with this secret for this application; `None` where it was not.
    ///
    /// # Errors
    /// It was, and something else is wrong with it.
    pub(super) fn open(&self, wire: &Wire) -> Option<Result<Body, TokenError>> {
        let (text, is_whole) = open(self.secret.expose(), wire)?;
        // Read in any case: how long it takes must not tell a wrong padding from a right one.
        let body = Body::read(&text);
        if !is_whole {
            return None;
        }
        let body = match (body, wire.mode) {
            (Ok(body), _) => body,
            // Another secret makes noise, of which one in 256 has a padding that looks right.
            (Err(_), Token04Mode::Cbc) => return None,
            (Err(error), Token04Mode::Gcm) => return Some(Err(error)),
        };
        Some(if body.claims.app_id.as_ref() != Some(&self.app_id) {
            Err(TokenError::WrongApp)
        } else if wire.mode == Token04Mode::Cbc && !self.allow_cbc {
            Err(TokenError::CbcForbidden)
        } else if body.expires != wire.expires {
            Err(malformed("its expiry in the clear is not the one inside"))
        } else {
            Ok(body)
        })
    }

    /// Feeds all that makes up the key into `digest`.
    pub(in super::super) fn digest(&self, digest: &mut Context) {
        let app_id = self.app_id.as_str().as_bytes();
        let fields = [b"token04".as_slice(), app_id, self.secret.expose(), &[u8::from(self.allow_cbc)]];
        feed(digest, &fields.map(Some));
    }
}

/// A secret of the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the secret of a Token04 application has {length} bytes; it needs exactly 32 characters, as they are given out"
)]
pub struct Token04KeyError {
    /// How many bytes it has.
    pub length: usize,
}
