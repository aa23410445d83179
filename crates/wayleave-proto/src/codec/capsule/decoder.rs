//! Reads capsules from a stream that arrives in any pieces.

use core::fmt;

use super::{CapsuleError, MAX_PAYLOAD};
use crate::codec::varint;

/// What one step of [`CapsuleDecoder::decode`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// How much of the input is done with; at least one byte of any input that is not empty.
    pub consumed: usize,
    /// The payload of a UDP datagram, which may be empty.
    pub datagram: Option<&'a [u8]>,
}

/// Reads the DATAGRAM capsules of context 0 from a stream of capsules.
///
/// Capsules of other types are skipped as they pass, and so are datagrams of other contexts, however long they are.
/// A payload that lies whole in the input is lent from there; only a cut one is kept, in a buffer of at most
/// [`MAX_PAYLOAD`] bytes that is given back with the next step.
#[derive(Clone, Default)]
pub struct CapsuleDecoder {
    state: State,
    buffer: Vec<u8>,
    dropped: u64,
}

impl CapsuleDecoder {
    /// A decoder at the beginning of a stream.
    pub const fn new() -> Self {
        Self { state: State::START, buffer: Vec::new(), dropped: 0 }
    }

    /// Reads on in `input`, up to the end of one capsule at most. Call again with the rest until nothing is left, and
    /// [`release`](Self::release) after the last.
    ///
    /// # Errors
    /// The rule of the standard that the sender broke, as early as it can be known; every later call says the same.
    pub fn decode<'a>(&'a mut self, input: &'a [u8]) -> Result<Decoded<'a>, CapsuleError> {
        self.release();
        let step = self.step(input).inspect_err(|error| {
            self.state = State::Failed(*error);
            self.buffer = Vec::new();
        })?;
        Ok(match step {
            Step::Taken { consumed } => Decoded { consumed, datagram: None },
            Step::Lent { start, end } => Decoded { consumed: end, datagram: input.get(start..end) },
            Step::Kept { consumed } => Decoded { consumed, datagram: Some(&self.buffer) },
        })
    }

    /// Gives back the memory of a datagram that was lent by the last step.
    pub fn release(&mut self) {
        if matches!(self.state, State::Head { .. }) && self.buffer.capacity() > 0 {
            self.buffer = Vec::new();
        }
    }

    /// Says that the stream has ended.
    ///
    /// # Errors
    /// [`CapsuleError::Truncated`] inside a capsule, and whatever was wrong before.
    pub const fn finish(&self) -> Result<(), CapsuleError> {
        match self.state {
            State::Head { kept: 0, .. } => Ok(()),
            State::Failed(error) => Err(error),
            _ => Err(CapsuleError::Truncated),
        }
    }

    /// How many bytes of a capsule are kept until the rest of it comes.
    pub fn held(&self) -> usize {
        match self.state {
            State::Head { kept, .. } => kept.saturating_add(self.buffer.len()),
            State::Failed(_) | State::Payload { .. } | State::Skip { .. } => self.buffer.len(),
        }
    }

    /// How many datagrams of an unknown context were dropped.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    #[cfg(test)]
    pub(super) fn buffer_capacity(&self) -> usize {
        self.buffer.capacity()
    }

    fn step(&mut self, input: &[u8]) -> Result<Step, CapsuleError> {
        match self.state {
            State::Failed(error) => Err(error),
            State::Head { bytes, kept } => self.read_head(bytes, kept, input),
            State::Payload { left } => Ok(self.keep(0, left, input)),
            State::Skip { left } => Ok(self.skip(0, left, input)),
        }
    }

    /// Reads a head of which `kept` bytes came before, and what follows it.
    fn read_head(
        &mut self,
        mut bytes: [u8; HEAD_LEN],
        kept: usize,
        input: &[u8],
    ) -> Result<Step, CapsuleError> {
        let mut filled = kept;
        for (to, from) in bytes.iter_mut().skip(kept).zip(input) {
            *to = *from;
            filled = filled.saturating_add(1);
        }
        let Some((head, size)) = Head::read(bytes.get(..filled).unwrap_or_default())? else {
            // The array has room for every head, so the whole input is in it.
            self.state = State::Head { bytes, kept: filled };
            return Ok(Step::Taken { consumed: input.len() });
        };
        let start = size.saturating_sub(kept);
        Ok(match head {
            Head::Datagram { len } => {
                let end = start.saturating_add(len);
                if end <= input.len() {
                    self.state = State::START;
                    Step::Lent { start, end }
                } else {
                    self.keep(start, len, input)
                }
            }
            Head::Other { len } => self.skip(start, len, input),
            Head::UnknownContext { len } => {
                self.dropped = self.dropped.saturating_add(1);
                self.skip(start, len, input)
            }
        })
    }

    /// Keeps what `input` has from `start` on of a payload of which `left` bytes are to come.
    fn keep(&mut self, start: usize, left: usize, input: &[u8]) -> Step {
        let rest = input.get(start..).unwrap_or_default();
        let part = rest.get(..left).unwrap_or(rest);
        if self.buffer.capacity().saturating_sub(self.buffer.len()) < part.len() {
            // Twice as much as before, so that dripping costs linear work, but not more than the capsule needs.
            self.buffer.reserve_exact(part.len().max(self.buffer.len()).min(left));
        }
        self.buffer.extend_from_slice(part);
        let consumed = start.saturating_add(part.len());
        match left.saturating_sub(part.len()) {
            0 => {
                self.state = State::START;
                Step::Kept { consumed }
            }
            left => {
                self.state = State::Payload { left };
                Step::Taken { consumed }
            }
        }
    }

    /// Passes over what `input` has from `start` on of a value of which `left` bytes are to come.
    fn skip(&mut self, start: usize, left: u64, input: &[u8]) -> Step {
        let here = input.len().saturating_sub(start);
        let passed = usize::try_from(left).unwrap_or(usize::MAX).min(here);
        self.state = match left.saturating_sub(u64::try_from(passed).unwrap_or(u64::MAX)) {
            0 => State::START,
            left => State::Skip { left },
        };
        Step::Taken { consumed: start.saturating_add(passed) }
    }
}

impl fmt::Debug for CapsuleDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapsuleDecoder")
            .field("held", &self.held())
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

/// Where in a capsule the stream stands.
#[derive(Clone, Copy)]
enum State {
    /// Nothing more is read.
    Failed(CapsuleError),
    /// In the type, the length or the context id, of which `kept` bytes came.
    Head { bytes: [u8; HEAD_LEN], kept: usize },
    /// In a payload of which a part is in the buffer and `left` bytes, at least one, are to come.
    Payload { left: usize },
    /// In a value that is of no interest, of which `left` bytes, at least one, are to come.
    Skip { left: u64 },
}

impl State {
    /// Between two capsules.
    const START: Self = Self::Head { bytes: [0; HEAD_LEN], kept: 0 };
}

impl Default for State {
    fn default() -> Self {
        Self::START
    }
}

/// What one step did.
enum Step {
    /// The input was used up to `consumed`, and there is nothing to lend.
    Taken { consumed: usize },
    /// A payload lies whole in the input.
    Lent { start: usize, end: usize },
    /// A payload is whole in the buffer.
    Kept { consumed: usize },
}

/// What the first bytes of a capsule say.
enum Head {
    /// A UDP payload of `len` bytes follows.
    Datagram { len: usize },
    /// A capsule of another type, with `len` bytes to skip.
    Other { len: u64 },
    /// A datagram of an unknown context, with `len` bytes to skip.
    UnknownContext { len: u64 },
}

impl Head {
    /// Reads a head from the front of `bytes`, and how many bytes it took; `None` when it is not whole.
    fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, CapsuleError> {
        let Some((kind, type_len)) = varint::decode(bytes) else { return Ok(None) };
        let rest = bytes.get(type_len..).unwrap_or_default();
        let Some((len, len_len)) = varint::decode(rest) else { return Ok(None) };
        let before = type_len.saturating_add(len_len);
        if kind != DATAGRAM {
            return Ok(Some((Self::Other { len }, before)));
        }
        let len =
            usize::try_from(len).ok().filter(|len| *len <= MAX_DATAGRAM).ok_or(CapsuleError::TooLong)?;
        if len == 0 {
            return Err(CapsuleError::NoContext);
        }
        let rest = rest.get(len_len..).unwrap_or_default();
        let Some(&first) = rest.first() else { return Ok(None) };
        let payload = len.checked_sub(varint::width(first)).ok_or(CapsuleError::NoContext)?;
        let Some((context, context_len)) = varint::decode(rest) else { return Ok(None) };
        let head = match context {
            UDP_PAYLOAD if payload > MAX_PAYLOAD => return Err(CapsuleError::PayloadTooLong),
            UDP_PAYLOAD => Self::Datagram { len: payload },
            _ => Self::UnknownContext { len: u64::try_from(payload).unwrap_or(u64::MAX) },
        };
        Ok(Some((head, before.saturating_add(context_len))))
    }
}

/// The capsule type of an HTTP datagram, [RFC 9297 §3.5](https://www.rfc-editor.org/rfc/rfc9297#section-3.5).
const DATAGRAM: u64 = 0;
/// The context of UDP payloads, [RFC 9298 §5](https://www.rfc-editor.org/rfc/rfc9298#section-5).
const UDP_PAYLOAD: u64 = 0;
/// No datagram is longer, whatever its context.
const MAX_DATAGRAM: usize = 65_535;
/// Three integers of the greatest width: the type, the length and the context id.
const HEAD_LEN: usize = 24;
