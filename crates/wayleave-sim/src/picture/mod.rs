//! A run to look at: one page of HTML that needs nothing else.
//!
//! | room | what |
//! |---|---|
//! | `story` | the headline, the moments that matter and everything that happened, in sentences |
//! | `decision` | what a client decided about its routes, and on what evidence |
//! | `bands` | what lasts: phases of routes, networks, states of relays, flows |
//! | `lanes` | where everything stands from top to bottom |
//! | `arrows` | packets and marks, as data for the script of the page |
//! | `page` | all of it as HTML; `style.css` and `script.js` go into it |
//! | `time`, `words`, `html` | moments, plain words and escaped text |

mod arrows;
mod bands;
mod decision;
mod html;
mod lanes;
mod page;
mod story;
mod time;
mod words;

#[cfg(test)]
mod tests;

use crate::{Report, Scenario};

/// The page. `report` comes from [`run_once`](crate::run_once) with `keeps`; without it there are no packets to draw. The
/// same run gives the same page, byte for byte.
pub fn page(scenario: &Scenario, report: &Report) -> String {
    page::page(scenario, report)
}
