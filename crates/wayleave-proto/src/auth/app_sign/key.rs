//! The public key of an application.

use ring::digest::Context;

use super::super::AppId;
use super::super::key::feed;

/// The public half of an application's sign. Who holds it can check and not sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSignKey {
    app_id: AppId,
    public_key: [u8; 32],
}

impl AppSignKey {
    /// The Ed25519 key of application `app_id`.
    pub const fn new(app_id: AppId, public_key: [u8; 32]) -> Self {
        Self { app_id, public_key }
    }

    /// The application.
    pub const fn app_id(&self) -> &AppId {
        &self.app_id
    }

    /// The key.
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// Feeds all that makes up the key into `digest`.
    pub(in super::super) fn digest(&self, digest: &mut Context) {
        feed(digest, &[b"app sign".as_slice(), self.app_id.as_str().as_bytes(), &self.public_key].map(Some));
    }
}
