//! The content of one message, on its way.

use super::fields::{may_trail, put};
use crate::codec::h1::{BodyLength, Chunk, ChunkFault, ChunkReader, Trailer};
use crate::queue::ByteQueue;

/// Content that is being forwarded, until it has ended.
#[derive(Debug)]
pub(super) enum Body {
    Chunked { reader: ChunkReader, form: Form },
    Done,
    Exact(u64),
    UntilClose,
}

/// How content that came in chunks goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In chunks again, cut in other places.
    Chunks,
    /// As it is, for a client that knows no chunks.
    Plain,
}

impl Body {
    pub(super) fn new(length: BodyLength, form: Form) -> Self {
        match length {
            BodyLength::Chunked => Self::Chunked { reader: ChunkReader::default(), form },
            BodyLength::Exact(0) | BodyLength::None => Self::Done,
            BodyLength::Exact(length) => Self::Exact(length),
            BodyLength::UntilClose => Self::UntilClose,
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Takes from the front of `input` what belongs to the content, and puts it into `out`.
    pub(super) fn forward(&mut self, input: &mut &[u8], out: &mut ByteQueue) -> Result<(), ChunkFault> {
        match self {
            Self::Done => {}
            Self::Exact(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let Some((content, rest)) = input.split_at_checked(most) else { return Ok(()) };
                out.push(content);
                *input = rest;
                *left = left.saturating_sub(most as u64);
                if *left == 0 {
                    *self = Self::Done;
                }
            }
            Self::UntilClose => {
                out.push(input);
                *input = &[];
            }
            Self::Chunked { reader, form } => {
                while let Some(chunk) = reader.next(input)? {
                    put_chunk(&chunk, *form, out);
                }
                if reader.is_done() {
                    *self = Self::Done;
                }
            }
        }
        Ok(())
    }
}

fn put_chunk(chunk: &Chunk<'_>, form: Form, out: &mut ByteQueue) {
    match (chunk, form) {
        (Chunk::Content(content), Form::Chunks) => {
            out.push(format!("{:x}\r\n", content.len()).as_bytes());
            out.push(content);
            out.push(b"\r\n");
        }
        (Chunk::Content(content), Form::Plain) => out.push(content),
        (Chunk::End(trailer), Form::Chunks) => out.push(&last_chunk(trailer)),
        (Chunk::End(_), Form::Plain) => {}
    }
}

fn last_chunk(trailer: &Trailer) -> Vec<u8> {
    let mut last = b"0\r\n".to_vec();
    for (name, value) in trailer.fields() {
        if may_trail(name) {
            put(&mut last, name, value);
        }
    }
    last.extend_from_slice(b"\r\n");
    last
}
