//! HTTP/1.1 heads of what [`http`](super::http) asks and answers, read and written by both sides:
//! [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112), [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110),
//! [RFC 9298 §3.2](https://www.rfc-editor.org/rfc/rfc9298#section-3.2) and
//! [RFC 9931](https://www.rfc-editor.org/rfc/rfc9931).
//!
//! Reading is strict: what one parser could take for something else than the next is refused, not repaired.

mod answer;
mod body;
mod chunks;
mod encode;
mod fault;
mod fields;
mod head;
mod lines;
mod message;
mod request;
mod response;

#[cfg(test)]
mod tests;

pub use answer::encode_answer;
pub(crate) use body::length;

pub use body::BodyLength;
pub use chunks::{Chunk, ChunkFault, ChunkReader, Trailer};
pub use encode::encode_ask;
pub(crate) use encode::push_field;
pub use fault::{HeadError, HeadFault};
pub use fields::Fields;
pub use head::{HeadLimits, HeadReader, Progress};
pub use message::{RequestHead, ResponseHead};
pub use request::parse_ask;
pub use response::parse_answer;
