//! The name service, as one host sees it.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use wayleave_proto::base::Families;
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
    /// From the table, but never for this family.
    HalfSilent(Families),
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

    /// The answers for `name`, one for each family, and how long they take. Silence is an answer as well: resolvers give up
    /// in the end.
    pub fn ask(&self, name: &str) -> Vec<Answer> {
        let unknown = || Err(IoFailed::new(IoFailure::NameUnknown));
        let addresses = match self.answering {
            Answering::Denying => unknown(),
            Answering::HalfSilent(_) | Answering::Truly => {
                self.table.get(name).cloned().map_or_else(unknown, Ok)
            }
            Answering::Silent => return vec![Answer::unanswered(GIVEN_UP)],
            Answering::Wrongly { relays, others } => {
                let is_relay = name.ends_with(".relay.example");
                Ok(vec![if is_relay { relays } else { others }])
            }
        };
        let half = |families| {
            if self.answering == Answering::HalfSilent(families) {
                return Answer { families, ..Answer::unanswered(GIVEN_UP) };
            }
            let of = |all: &Vec<IpAddr>| {
                all.iter().copied().filter(|address| Families::of(*address) == families).collect()
            };
            Answer {
                after: self.delay,
                families,
                addresses: addresses.as_ref().map(of).map_err(Clone::clone),
            }
        };
        vec![half(Families::V6), half(Families::V4)]
    }
}

/// What a name service says to one question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How long it takes.
    pub after: Duration,
    /// What was asked for.
    pub families: Families,
    /// The addresses.
    pub addresses: Result<Vec<IpAddr>, IoFailed>,
}

impl Answer {
    /// Nothing, which is noticed so much later.
    pub const fn unanswered(after: Duration) -> Self {
        let addresses = Err(IoFailed::new(IoFailure::NameUnanswered));
        Self { after, families: Families::Both, addresses }
    }

    /// The addresses, as a machine takes them.
    ///
    /// # Errors
    /// Why there are none.
    pub fn lent(&self) -> Result<&[IpAddr], IoFailed> {
        self.addresses.as_deref().map_err(Clone::clone)
    }
}

/// Two questions of five seconds each, which is what resolvers do by default.
const GIVEN_UP: Duration = Duration::from_secs(10);
