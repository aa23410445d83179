//! A run to look at: one page of HTML that needs nothing else.

use crate::{Report, Scenario};

/// The page.
pub fn page(_scenario: &Scenario, _report: &Report) -> String {
    String::new()
}
