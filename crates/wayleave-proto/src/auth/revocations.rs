//! What is no longer accepted although its key still fits.

use std::collections::BTreeSet;

use super::{AppId, Verdict};

/// One revocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Revoked {
    /// Every credential of an application.
    App(AppId),
    /// One token, by its `jti`.
    Token(String),
    /// Every token of a user, of one application or of any.
    User {
        /// The user.
        user: String,
        /// The application; any where there is none.
        app_id: Option<AppId>,
    },
}

/// A set of revocations. The cost of a question does not depend on how many there are, but for a logarithm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    entries: BTreeSet<Revoked>,
}

impl Revocations {
    /// Adds one; `false` where it was there already.
    pub fn insert(&mut self, revoked: Revoked) -> bool {
        self.entries.insert(revoked)
    }

    /// Takes one away; `false` where it was not there.
    pub fn remove(&mut self, revoked: &Revoked) -> bool {
        self.entries.remove(revoked)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Revoked> {
        self.entries.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether one of them means the credential behind `verdict`.
    pub fn hold(&self, verdict: &Verdict) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let claims = &verdict.claims;
        let app = claims.app_id.as_ref().is_some_and(|app| self.entries.contains(&Revoked::App(app.clone())));
        let token =
            claims.token_id.as_ref().is_some_and(|id| self.entries.contains(&Revoked::Token(id.clone())));
        let user = claims.subject.as_ref().is_some_and(|user| {
            let of = |app_id| self.entries.contains(&Revoked::User { user: user.clone(), app_id });
            of(None) || (claims.app_id.is_some() && of(claims.app_id.clone()))
        });
        app || token || user
    }
}

impl FromIterator<Revoked> for Revocations {
    fn from_iter<I: IntoIterator<Item = Revoked>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

impl Extend<Revoked> for Revocations {
    fn extend<I: IntoIterator<Item = Revoked>>(&mut self, entries: I) {
        self.entries.extend(entries);
    }
}
