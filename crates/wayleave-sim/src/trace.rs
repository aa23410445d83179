//! What happened in a run: all of it as a digest, and item by item where somebody wants to look.

use std::collections::BTreeMap;

use ring::digest::{Context, SHA256};
use wayleave_proto::base::{Instant, Kind};
use wayleave_proto::route::Phase;

/// The record of a run.
pub struct Trace {
    digest: Context,
    /// Every item, where they are kept.
    pub items: Vec<Item>,
    keeps: bool,
    /// How often each thing was seen.
    pub seen: BTreeMap<String, u64>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// When.
    pub at: Instant,
    /// To or from which host, by its number.
    pub host: usize,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The application did something.
    Application(String),
    /// A packet came to a host that does not take it: the packet, and why.
    Discarded(String, String),
    /// A machine said something: the name of the event, and all of it.
    Event(String, String),
    /// Something went wrong on purpose.
    Fault(String),
    /// A law was broken.
    Violation(String),
    /// A name was looked up: the name and its answer.
    Lookup(String, String),
    /// A packet was sent.
    Packet {
        /// To which host; `None` where it came to none.
        to: Option<usize>,
        /// Which host has the address that it was sent to; somebody else may answer for it.
        toward: Option<usize>,
        /// When it arrives; `None` where it does not.
        arrives: Option<Instant>,
        /// When its doubles arrive.
        again: Vec<Instant>,
        /// Its transport.
        is_stream: bool,
        /// Bytes of payload.
        payload: usize,
        /// All of it in words.
        label: String,
        /// Why it does not arrive.
        lost: Option<String>,
    },
    /// The decision about a kind of flow stands elsewhere.
    Route(Kind, Phase),
}

impl Trace {
    /// An empty record; with `keeps` every item can be looked at later.
    pub fn new(keeps: bool) -> Self {
        Self { digest: Context::new(&SHA256), items: Vec::new(), keeps, seen: BTreeMap::new() }
    }

    /// Whether items are kept, so that it is worth to put them into words.
    pub const fn keeps(&self) -> bool {
        self.keeps
    }

    /// Adds an item.
    pub fn add(&mut self, at: Instant, host: usize, what: What) {
        if self.keeps {
            self.items.push(Item { at, host, what });
        }
    }

    /// Adds bytes to the digest alone.
    pub fn digest(&mut self, at: Instant, host: usize, bytes: &[u8]) {
        self.digest.update(&at.as_nanos().to_be_bytes());
        self.digest.update(&(host as u64).to_be_bytes());
        self.digest.update(&(bytes.len() as u64).to_be_bytes());
        self.digest.update(bytes);
    }

    /// Counts something for the summary.
    pub fn count(&mut self, name: &str) {
        match self.seen.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.seen.insert(name.to_owned(), 1);
            }
        }
    }

    /// The digest of everything so far.
    pub fn sum(&self) -> String {
        let digest = self.digest.clone().finish();
        digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl core::fmt::Debug for Trace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Trace")
            .field("items", &self.items.len())
            .field("sum", &self.sum())
            .finish_non_exhaustive()
    }
}
