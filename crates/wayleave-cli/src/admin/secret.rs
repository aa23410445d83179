//! What opens the admin interface on TCP.

use std::path::Path;

use wayleave_proto::base::{Secret, same_secret};
use wayleave_settings::options::secret_of;

use crate::Failure;

/// A text that only the operator and the relay know.
#[derive(Clone, Debug)]
pub(crate) struct AdminSecret(Secret<String>);

impl AdminSecret {
    /// Reads it from the file at `path`; white space around it does not count.
    ///
    /// # Errors
    /// The file cannot be read, or what is in it could be guessed.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        Ok(Self(secret_of(path, "the secret of the admin interface")?))
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
