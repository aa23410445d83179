//! What must have come of a scenario.

use core::fmt;

use crate::Report;

/// A condition on what happened.
pub type Check = fn(&Report) -> bool;

/// What must be, in words and as a condition.
#[derive(Clone)]
pub struct Expectation {
    /// In words.
    pub says: String,
    /// As a condition.
    pub check: Check,
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}
