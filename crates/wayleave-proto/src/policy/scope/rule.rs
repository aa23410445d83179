//! Rules of targets: one list for each side that has a word, and every side has to allow.

use core::fmt;
use core::net::IpAddr;

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::object::object;
use super::{HostPattern, PortRange};
use crate::base::{Host, Kind, Target};

/// Which targets are allowed: those that each of the lists allows.
///
/// Written down it is one list of rules. Lists of several sides are kept beside each other, because the intersection of
/// a rule by name and a rule by address is neither: the name has to fit the one, and the address the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    lists: Vec<List>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct List {
    grantor: Grantor,
    rules: Vec<TargetRule>,
}

impl Targets {
    /// Every target.
    pub const ANY: Self = Self { lists: Vec::new() };

    /// The targets that one of `rules` allows, and none where there is no rule; by a credential's word until
    /// [`granted_by`](super::Scope::granted_by) says otherwise.
    pub fn new(rules: Vec<TargetRule>) -> Self {
        Self { lists: vec![List { grantor: Grantor::Credential, rules }] }
    }

    /// Whether every target is allowed.
    pub const fn is_any(&self) -> bool {
        self.lists.is_empty()
    }

    /// The targets that both allow.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mut lists = self.lists.clone();
        for list in &other.lists {
            if !lists.contains(list) {
                lists.push(list.clone());
            }
        }
        Self { lists }
    }

    /// The rules of each side.
    pub fn lists(&self) -> impl Iterator<Item = (Grantor, &[TargetRule])> {
        self.lists.iter().map(|list| (list.grantor, list.rules.as_slice()))
    }

    pub(super) fn granted_by(mut self, grantor: Grantor) -> Self {
        self.lists.iter_mut().for_each(|list| list.grantor = grantor);
        self
    }

    pub(super) fn judge_target(&self, target: &Target, kind: Kind) -> Result<(), OutOfScope> {
        let is_name = matches!(target.host, Host::Name(_));
        self.judge(target, kind, |rule| {
            rule.hosts.iter().any(|host| host.is_met_by(&target.host) || (is_name && host.is_by_address()))
        })
    }

    pub(super) fn judge_address(
        &self,
        target: &Target,
        kind: Kind,
        address: IpAddr,
    ) -> Result<(), OutOfScope> {
        self.judge(target, kind, |rule| {
            rule.hosts.iter().any(|host| match target.host {
                Host::Name(_) => host.is_met_by(&target.host) || host.holds(address),
                Host::Address(_) => host.holds(address),
            })
        })
    }

    fn judge(
        &self,
        target: &Target,
        kind: Kind,
        host_fits: impl Fn(&TargetRule) -> bool,
    ) -> Result<(), OutOfScope> {
        let allows = |rule: &TargetRule| {
            rule.kinds.contains(kind)
                && rule.ports.iter().any(|ports| ports.contains(target.port))
                && host_fits(rule)
        };
        match self.lists.iter().find(|list| !list.rules.iter().any(allows)) {
            Some(list) => Err(OutOfScope { grantor: list.grantor }),
            None => Ok(()),
        }
    }
}

impl Serialize for Targets {
    /// One side's rules as they were read. Several sides cannot be written as one list.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.lists.as_slice() {
            [] => serializer.serialize_none(),
            [list] => list.rules.serialize(serializer),
            _ => Err(serde::ser::Error::custom("the targets of several sides cannot be written as one list")),
        }
    }
}

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rules = Vec::<TargetRule>::deserialize(deserializer)?;
        if rules.len() > MAX_RULES {
            return Err(D::Error::custom("targets has more than 64 rules"));
        }
        Ok(Self::new(rules))
    }
}

/// One rule: the targets whose host, port and kind of flow all fit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct TargetRule {
    /// The hosts, of which one must fit; missing for every host.
    pub hosts: Vec<HostPattern>,
    /// The ports; missing for every port.
    pub ports: Vec<PortRange>,
    /// The kinds of flow; missing for both.
    pub kinds: Kinds,
}

object!(TargetRule);

impl Default for TargetRule {
    /// The rule that allows everything.
    fn default() -> Self {
        Self { hosts: vec![HostPattern::Any], ports: vec![PortRange::ALL], kinds: Kinds::BOTH }
    }
}

/// Kinds of flow; written as a list of `"stream"` and `"datagrams"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// TCP.
    pub streams: bool,
    /// UDP.
    pub datagrams: bool,
}

impl Kinds {
    /// Streams and datagrams.
    pub const BOTH: Self = Self { streams: true, datagrams: true };

    /// Whether `kind` is one of them.
    pub const fn contains(self, kind: Kind) -> bool {
        match kind {
            Kind::Datagram => self.datagrams,
            Kind::Stream => self.streams,
        }
    }
}

impl Serialize for Kinds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let streams = self.streams.then_some(KindWord::Stream);
        let datagrams = self.datagrams.then_some(KindWord::Datagrams);
        serializer.collect_seq(streams.into_iter().chain(datagrams))
    }
}

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<KindWord>::deserialize(deserializer)?;
        let streams = words.iter().any(|word| matches!(word, KindWord::Stream));
        let datagrams = words.iter().any(|word| matches!(word, KindWord::Datagrams));
        Ok(Self { streams, datagrams })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum KindWord {
    Datagrams,
    Stream,
}

/// Whose word a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantor {
    /// The operator of the relay, for the application.
    Application,
    /// The credential that the client showed.
    Credential,
    /// The operator of the relay, for everybody.
    Operator,
}

impl fmt::Display for Grantor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Application => "[[app]] entry of its application",
            Self::Credential => "credential",
            Self::Operator => "[scope] of the relay",
        })
    }
}

/// A target that no rule of one side allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the target is out of scope: no rule of the {grantor} allows it")]
#[non_exhaustive]
pub struct OutOfScope {
    /// Whose rules they are.
    pub grantor: Grantor,
}

const MAX_RULES: usize = 64;
