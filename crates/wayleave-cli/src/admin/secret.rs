//! What opens the admin interface on TCP.

use std::path::Path;

use wayleave_proto::base::{Secret, same_secret};

use crate::Failure;
use crate::options::text_of;

/// A text that only the operator and the relay know.
#[derive(Clone, Debug)]
pub(crate) struct AdminSecret(Secret<String>);

impl AdminSecret {
    /// Reads it from the file at `path`; white space around it does not count.
    ///
    /// # Errors
    /// The file cannot be read, or what is in it could be guessed.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = Secret::new(text_of(path)?);
        let secret = text.expose().trim();
        let is_good =
            (32..=1_024).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
        if is_good {
            return Ok(Self(Secret::new(secret.to_owned())));
        }
        Err(Failure::usage(format!(
            "{}: the secret of the admin interface is one word of 32 to 1024 characters that nobody can guess; make one \
             with `openssl rand -hex 32`",
            path.display()
        )))
    }

    /// The value of `Authorization` that shows it.
    pub(crate) fn authorization(&self) -> Secret<String> {
        Secret::new(format!("Bearer {}", self.0.expose()))
    }

    /// Whether `value` shows it, in a time that tells nothing but its length.
    pub(crate) fn is_shown_by(&self, value: Option<&str>) -> bool {
        same_secret(self.authorization().expose().as_bytes(), value.unwrap_or_default().as_bytes())
    }
}
