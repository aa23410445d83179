//! What has been found so far, by all steps that run at the same time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::doctor::report::Finding;

/// A list that is written by many.
pub(crate) struct Notes {
    findings: Mutex<Vec<Finding>>,
    /// Hears of each finding, for whoever waits.
    tell: Box<dyn Fn(&Finding) + Send + Sync>,
}

impl Notes {
    pub(crate) fn new(tell: impl Fn(&Finding) + Send + Sync + 'static) -> Self {
        Self { findings: Mutex::default(), tell: Box::new(tell) }
    }

    pub(crate) fn add(&self, finding: Finding) {
        (self.tell)(&finding);
        self.lock().push(finding);
    }

    pub(crate) fn take(&self) -> Vec<Finding> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Finding>> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Notes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notes").field("findings", &self.findings).finish_non_exhaustive()
    }
}
