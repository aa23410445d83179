//! The name service, as one host sees it.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use wayleave_proto::error::{IoFailed, IoFailure};

/// How look-ups are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answering {
    /// From the table.
    #[default]
    Truly,
    /// Every name is said to be unknown.
    Denying,
    /// Every name leads to an address at which nobody is.
    Wrongly {
        /// Where names of relays lead.
        relays: IpAddr,
        /// Where every other name leads.
        others: IpAddr,
    },
    /// Never.
    Silent,
}

/// A name service.
#[derive(Clone, Debug)]
pub struct Names {
    /// The truth.
    pub table: BTreeMap<String, Vec<IpAddr>>,
    /// How it is told.
    pub answering: Answering,
    /// How long an answer takes.
    pub delay: Duration,
}

impl Names {
    /// A service that tells the truth within 10 ms.
    pub const fn new(table: BTreeMap<String, Vec<IpAddr>>) -> Self {
        Self { table, answering: Answering::Truly, delay: Duration::from_millis(10) }
    }

    /// The answer for `name` and how long it takes. Silence is an answer as well: resolvers give up in the end.
    pub fn ask(&self, name: &str) -> (Duration, Result<Vec<IpAddr>, IoFailed>) {
        let unknown = || Err(IoFailed::new(IoFailure::NameUnknown));
        match self.answering {
            Answering::Truly => (self.delay, self.table.get(name).cloned().map_or_else(unknown, Ok)),
            Answering::Denying => (self.delay, unknown()),
            Answering::Wrongly { relays, others } => {
                let is_relay = name.ends_with(".relay.example");
                (self.delay, Ok(vec![if is_relay { relays } else { others }]))
            }
            Answering::Silent => (GIVEN_UP, Err(IoFailed::new(IoFailure::NameUnanswered))),
        }
    }
}

/// Two questions of five seconds each, which is what resolvers do by default.
const GIVEN_UP: Duration = Duration::from_secs(10);
