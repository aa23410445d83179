//! Whose limits something counts against.

use core::fmt;

use super::Claims;
use super::key::{array, feed, sha256};

/// The identity behind a token, by which a relay counts tunnels and bytes.
///
/// It follows from the application and the user, so that a renewed token keeps its account, and from the key where a token
/// names no application; tokens that name no user share the account of their application. Sixteen bytes of a hash: it tells accounts apart and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 16]);

impl AccountId {
    /// The account of a token that says `claims`, apart from those of other names of `kid`.
    pub fn new(kid: &str, claims: &Claims) -> Self {
        let app_id = claims.app_id.as_ref().map(|app_id| app_id.as_str().as_bytes());
        let subject = claims.subject.as_ref().map(String::as_bytes);
        let hash = sha256(|digest| feed(digest, &[Some(kid.as_bytes()), app_id, subject]));
        Self(array(&hash))
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
