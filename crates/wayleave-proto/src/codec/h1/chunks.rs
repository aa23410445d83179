//! Reads content that comes in chunks, [RFC 9112 §7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1).

use core::fmt;
use core::mem;

use httparse::{EMPTY_HEADER, Header, Status};

/// What is wrong with chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkFault {
    /// A line break or another byte stands where it must not.
    #[error("the chunks of the content are malformed")]
    Malformed,
    /// A size has more than 16 digits.
    #[error("a chunk of the content is too large")]
    Size,
    /// An extension or the trailer is longer than is listened to.
    #[error("an extension of a chunk or the trailer behind the content is too long")]
    TooLong,
}

/// What a reader of chunks found.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// Some of the content, not empty.
    Content(&'a [u8]),
    /// The end, with the fields behind it, each as name and value.
    End(Trailer),
}

/// The fields behind content in chunks.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Trailer(Vec<u8>);

/// Reads content that comes in chunks, in any pieces. Extensions are left out.
///
/// Strict: every line ends with CR LF, a size has 1 to 16 hexadecimal digits. It holds at most the trailer, of at most 8 KiB.
#[derive(Debug, Default)]
pub struct ChunkReader {
    state: State,
}

#[derive(Debug)]
enum State {
    /// In the digits of a size.
    Size {
        value: u64,
        digits: u8,
    },
    /// Behind the digits.
    Extension {
        value: u64,
        length: usize,
    },
    /// At the LF of a line with a size.
    SizeEnd {
        value: u64,
    },
    Content {
        left: u64,
    },
    /// At the CR LF behind a chunk.
    ContentEnd {
        after_cr: bool,
    },
    Trailer {
        held: Vec<u8>,
    },
    Done,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { value: 0, digits: 0 }
    }
}

impl ChunkReader {
    /// Takes from the front of `input` until something is found; `None` where more has to come. Behind the end nothing is
    /// taken.
    ///
    /// # Errors
    /// What is wrong; the connection is of no more use.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Chunk<'a>>, ChunkFault> {
        loop {
            if let State::Content { left } = &mut self.state {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let Some((content, rest)) = input.split_at_checked(most) else { return Ok(None) };
                *input = rest;
                *left = left.saturating_sub(most as u64);
                if *left == 0 {
                    self.state = State::ContentEnd { after_cr: false };
                }
                return Ok((!content.is_empty()).then_some(Chunk::Content(content)));
            }
            if matches!(self.state, State::Done) {
                return Ok(None);
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            if let Some(trailer) = self.step(byte)? {
                return Ok(Some(Chunk::End(trailer)));
            }
        }
    }

    /// Whether the end was found.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes a byte that is not content; the trailer where it is the last.
    fn step(&mut self, byte: u8) -> Result<Option<Trailer>, ChunkFault> {
        let next = match (mem::replace(&mut self.state, State::Done), byte) {
            (State::Size { value, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if digits >= MAX_DIGITS {
                    return Err(ChunkFault::Size);
                }
                let digit = u64::from(char::from(byte).to_digit(16).unwrap_or_default());
                State::Size { value: value << 4 | digit, digits: digits.saturating_add(1) }
            }
            (State::Size { value, digits: 1.. }, b'\r') => State::SizeEnd { value },
            (State::Size { value, digits: 1.. }, b';' | b' ' | b'\t') => {
                State::Extension { value, length: 1 }
            }
            (State::Extension { value, .. }, b'\r') => State::SizeEnd { value },
            (State::Extension { value, length }, b'\t' | b' '..=b'~' | 0x80..) => {
                if length >= MAX_EXTENSION {
                    return Err(ChunkFault::TooLong);
                }
                State::Extension { value, length: length.saturating_add(1) }
            }
            (State::SizeEnd { value: 0 }, b'\n') => State::Trailer { held: Vec::new() },
            (State::SizeEnd { value }, b'\n') => State::Content { left: value },
            (State::ContentEnd { after_cr: false }, b'\r') => State::ContentEnd { after_cr: true },
            (State::ContentEnd { after_cr: true }, b'\n') => State::default(),
            (State::Trailer { mut held }, byte) => {
                let after_cr = held.last() == Some(&b'\r');
                let fits = match byte {
                    b'\n' => after_cr,
                    b'\r' | b'\t' | b' '..=b'~' | 0x80.. => !after_cr,
                    _ => false,
                };
                if !fits {
                    return Err(ChunkFault::Malformed);
                }
                held.push(byte);
                if held == b"\r\n" || held.ends_with(b"\r\n\r\n") {
                    return Trailer::parse(held).map(Some);
                }
                if held.len() >= MAX_TRAILER {
                    return Err(ChunkFault::TooLong);
                }
                State::Trailer { held }
            }
            _ => return Err(ChunkFault::Malformed),
        };
        self.state = next;
        Ok(None)
    }
}

impl Trailer {
    /// A trailer from its lines with the empty one behind them.
    fn parse(bytes: Vec<u8>) -> Result<Self, ChunkFault> {
        let trailer = Self(bytes);
        trailer.read(|_| ()).ok_or(ChunkFault::Malformed)?;
        Ok(trailer)
    }

    /// The fields, each as name and value, in the order in which they came.
    pub fn fields(&self) -> Vec<(&str, &[u8])> {
        self.read(|headers| headers.iter().map(|field| (field.name, field.value)).collect())
            .unwrap_or_default()
    }

    fn read<'a, T>(&'a self, take: impl FnOnce(&[Header<'a>]) -> T) -> Option<T> {
        let mut fields = [EMPTY_HEADER; MAX_FIELDS];
        match httparse::parse_headers(&self.0, &mut fields) {
            Ok(Status::Complete((length, headers))) if length == self.0.len() => Some(take(headers)),
            _ => None,
        }
    }
}

impl fmt::Debug for Trailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trailer").field("held", &self.0.len()).finish()
    }
}

/// As many as 64 bits have.
const MAX_DIGITS: u8 = 16;
const MAX_EXTENSION: usize = 1_024;
const MAX_TRAILER: usize = 8 * 1_024;
const MAX_FIELDS: usize = 64;
