//! What happened in a run: all of it as a digest, and item by item where somebody wants to look.

use core::fmt::{self, Write as _};
use std::collections::BTreeMap;

use wayleave_proto::base::{Instant, Kind};
use wayleave_proto::route::Phase;

/// The record of a run.
pub struct Trace {
    digest: Digest,
    /// Every item, where they are kept.
    pub items: Vec<Item>,
    keeps: bool,
    /// How often each thing was seen.
    pub seen: BTreeMap<String, u64>,
    /// Where names are put together.
    name: String,
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
        let (digest, name) = (Digest::default(), String::new());
        Self { digest, items: Vec::new(), keeps, seen: BTreeMap::new(), name }
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
        self.digest.add(at.as_nanos());
        self.digest.add(host as u64);
        self.digest.add_bytes(bytes);
    }

    /// Counts something for the summary.
    pub fn count(&mut self, name: &str) {
        self.count_many(name, 1);
    }

    /// Counts something that happened more than once.
    pub fn count_many(&mut self, name: &str, more: u64) {
        match self.seen.get_mut(name) {
            Some(count) => *count += more,
            None => {
                self.seen.insert(name.to_owned(), more);
            }
        }
    }

    /// Counts something by the name of its variant, as the summary has it behind `word`.
    pub fn see(&mut self, word: &str, what: &impl fmt::Debug) {
        let mut name = core::mem::take(&mut self.name);
        name.clear();
        name.push_str(word);
        name.push(' ');
        // What stands behind the name may be long, and is not asked for.
        let _ = write!(FirstWord(&mut name), "{what:?}");
        self.count(&name);
        self.name = name;
    }

    /// The digest of everything so far.
    pub fn sum(&self) -> String {
        format!("{:016x}{:016x}", self.digest.lanes[0], self.digest.lanes[1])
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("items", &self.items.len())
            .field("sum", &self.sum())
            .finish_non_exhaustive()
    }
}

/// The name of a variant, from its debug form.
pub(crate) fn name_of(what: &impl fmt::Debug) -> String {
    let mut name = String::new();
    let _ = write!(FirstWord(&mut name), "{what:?}");
    name
}

/// Takes the first word of what is written, and refuses the rest.
struct FirstWord<'a>(&'a mut String);

impl fmt::Write for FirstWord<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let length = text.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(text.len());
        self.0.push_str(&text[..length]);
        if length == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Two lanes of words that are multiplied and folded. Nobody attacks it, so it need only be fast and miss no difference.
#[derive(Clone, Debug)]
struct Digest {
    lanes: [u64; 2],
}

impl Default for Digest {
    fn default() -> Self {
        Self { lanes: [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344] }
    }
}

impl Digest {
    fn add(&mut self, word: u64) {
        let [first, second] = &mut self.lanes;
        *first = (first.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        *second = (second.rotate_left(41) ^ word ^ (*first >> 32)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.add(u64::from_le_bytes(last));
    }
}
