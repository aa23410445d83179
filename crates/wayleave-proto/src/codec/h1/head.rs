//! Takes a head from a stream that arrives in any pieces.

use core::fmt;
use core::mem;

use super::fault::{HeadError, HeadFault};
use super::lines::{Lines, Step};

/// How long a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head; 16 KiB unless set.
    pub bytes: usize,
    /// Bytes of the request line, or of the status line; 8,192 unless set. The least that
    /// [RFC 9112 §3](https://www.rfc-editor.org/rfc/rfc9112#section-3) recommends is 8,000.
    pub request_line: usize,
    /// Fields; 64 unless set.
    pub fields: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes: 16_384, request_line: 8_192, fields: 64 }
    }
}

/// How far [`HeadReader::push`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How much of the input belongs to the head. What follows is not touched.
    pub consumed: usize,
    /// Whether the head is whole.
    pub complete: bool,
}

/// Collects one head, of a request or of an answer, up to and including its empty line.
///
/// Each byte is looked at once, however the head is cut. Two empty lines before it are tolerated and left out. Dropping
/// the reader, or [`take`](Self::take), gives its memory back.
pub struct HeadReader {
    limits: HeadLimits,
    bytes: Vec<u8>,
    state: State,
}

impl HeadReader {
    /// A reader at the beginning of a head.
    pub fn new(limits: HeadLimits) -> Self {
        Self { limits, bytes: Vec::new(), state: State::Reading(Lines::default()) }
    }

    /// Takes from `input` what belongs to the head.
    ///
    /// # Errors
    /// A limit that is exceeded, a bare line end or a control byte, at the byte where it shows; every later call says
    /// the same.
    pub fn push(&mut self, input: &[u8]) -> Result<Progress, HeadError> {
        let lines = match &mut self.state {
            State::Complete => return Ok(Progress { consumed: 0, complete: true }),
            State::Failed(fault) => return Err((*fault).into()),
            State::Reading(lines) => lines,
        };
        let mut skipped: usize = 0;
        let mut kept: usize = 0;
        let mut complete = false;
        for byte in input {
            match lines.step(*byte, &self.limits) {
                Ok(Step::End) => complete = true,
                Ok(Step::Keep) => {}
                Ok(Step::Skip) => {
                    skipped = skipped.saturating_add(1);
                    continue;
                }
                Err(fault) => {
                    self.state = State::Failed(fault);
                    self.bytes = Vec::new();
                    return Err(fault.into());
                }
            }
            kept = kept.saturating_add(1);
            if complete {
                break;
            }
        }
        self.bytes.extend(input.iter().skip(skipped).take(kept));
        if complete {
            self.state = State::Complete;
        }
        Ok(Progress { consumed: skipped.saturating_add(kept), complete })
    }

    /// What has come of the head.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether nothing of a head has come yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Gives the head away and begins with the next.
    pub fn take(&mut self) -> Vec<u8> {
        self.state = State::Reading(Lines::default());
        mem::take(&mut self.bytes)
    }
}

impl fmt::Debug for HeadReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes may hold a token.
        f.debug_struct("HeadReader").field("held", &self.bytes.len()).field("state", &self.state).finish()
    }
}

#[derive(Debug)]
enum State {
    Complete,
    Failed(HeadFault),
    Reading(Lines),
}
