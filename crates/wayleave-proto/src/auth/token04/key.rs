//! The secret of an application.

use ring::digest::Context;

use super::super::AppId;
use super::super::key::{array, feed};
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
