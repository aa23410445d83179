//! Whose limits count.

use super::AppId;

/// One user of one application. Limits count by it, so that a second token gains nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId {
    app: Option<AppId>,
    subject: Option<String>,
}

impl AccountId {
    pub(super) fn new(app: Option<&AppId>, subject: Option<&str>) -> Self {
        Self { app: app.cloned(), subject: subject.map(String::from) }
    }
}
