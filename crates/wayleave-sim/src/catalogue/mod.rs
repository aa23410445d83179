//! The scenarios that have a name.

use crate::Scenario;

/// Every named scenario.
pub fn all() -> Vec<Scenario> {
    Vec::new()
}
