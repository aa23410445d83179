//! What flows tried directly since the latest trial of their kind began, until its decision fell.

use std::collections::BTreeMap;

use super::FlowStory;
use crate::base::{Kind, Target};
use crate::net::Fault;

/// One record for each kind.
#[derive(Debug, Default)]
pub(in crate::client) struct Tried(BTreeMap<Kind, FlowStory>);

impl Tried {
    /// A trial of this kind begins, or of both.
    pub(in crate::client) fn begin(&mut self, kind: Option<Kind>) {
        self.0.retain(|it, _| kind.is_some_and(|kind| kind != *it));
    }

    /// A flow is dialled.
    pub(in crate::client) fn dialled(&mut self, kind: Kind, target: &Target) {
        let story = self.0.entry(kind).or_insert_with(|| FlowStory {
            kind,
            attempts: 0,
            target: target.clone(),
            fault: None,
        });
        story.attempts = story.attempts.saturating_add(1);
        story.target.clone_from(target);
    }

    /// An attempt failed.
    pub(in crate::client) fn failed(&mut self, kind: Kind, target: &Target, fault: &Fault) {
        if let Some(story) = self.0.get_mut(&kind) {
            story.fault = Some((target.clone(), fault.clone()));
        }
    }

    pub(super) fn story(&self, kind: Kind) -> Option<FlowStory> {
        self.0.get(&kind).cloned()
    }
}
