//! One request for an `http://` page and its answer, between a local client and the origin server:
//! [RFC 9110 §7.6](https://www.rfc-editor.org/rfc/rfc9110#section-7.6).

mod body;
mod fields;
mod request;
mod response;

use core::fmt;

use super::{Refusal, http};
use crate::codec::h1::{ChunkFault, HeadFault, HeadLimits, HeadReader};
use crate::queue::ByteQueue;

use body::{Body, Form};
use response::Answer;

pub use request::HttpRequest;

/// Why an exchange did not come to a regular end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeFault {
    /// The head of the answer breaks the rules of HTTP/1.1.
    #[error("the origin server's answer cannot be read: {0}")]
    Head(HeadFault),
    /// More interim answers than are listened to.
    #[error("the origin server sends one interim answer after the other")]
    Interim,
    /// The content of the request comes in malformed chunks.
    #[error("the request cannot be read: {0}")]
    RequestChunks(ChunkFault),
    /// The client went away inside its request.
    #[error("the client ended its request in the middle")]
    RequestCut,
    /// The content of the answer comes in malformed chunks.
    #[error("the origin server's answer cannot be read: {0}")]
    ResponseChunks(ChunkFault),
    /// The origin server went away inside its answer, or before it.
    #[error("the origin server ended the connection before its answer was whole")]
    ResponseCut,
    /// A status that no answer has.
    #[error("the origin server answered with the status {0}, which does not exist")]
    Status(u16),
    /// The stream to the origin server could not be opened, or broke.
    #[error("{0}")]
    Stream(Refusal),
    /// The answer changes to a protocol that the client did not offer.
    #[error("the origin server changed to a protocol that the client did not offer")]
    Upgrade,
}

/// One request for an `http://` page and its answer.
///
/// A stream leads to the origin server for this exchange alone, so that it is judged and routed like every other flow,
/// nothing has to be sent twice, and nothing that a server sends unasked is taken for the next answer. The client's
/// connection outlives it where [`ended`](Self::ended) says so.
///
/// Lend it what comes from either side while it wants that, write what it has [pending](Self::to_origin) for either side, and
/// tell it of both ends. Requests that the client sends ahead stay where they are: they are read in their order, each when
/// the answer before it is whole. It holds at most [`BUFFER`](Self::BUFFER) bytes for either side and what one call added, and
/// one head of an answer (64 KiB).
///
/// Nothing is cached, and no Via is added: to the origin server this is the client.
pub struct Exchange {
    request: HttpRequest,
    asking: Body,
    answering: Answering,
    to_origin: ByteQueue,
    to_client: ByteQueue,
    /// The client ended its half.
    client_ended: bool,
    /// A final answer has begun to go to the client, so that no other can.
    answered: bool,
    ended: Option<Ending>,
}

/// How an exchange ended, once everything that is pending for the client has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The answer is whole, and the client may ask for more: go on with [`Front::resume`](super::Front::resume).
    Again,
    /// The client's connection ends regularly.
    Close(Option<ExchangeFault>),
    /// Both connections are to be reset, so that nobody takes a part for the whole.
    Reset(ExchangeFault),
}

#[derive(Debug)]
enum Answering {
    Body {
        body: Body,
        keep: bool,
    },
    Head {
        reader: HeadReader,
        interims: usize,
    },
    /// Every further byte, in both directions, belongs to another protocol.
    Switched {
        origin_ended: bool,
    },
}

impl Exchange {
    /// How many bytes may wait for either side before no more is wanted from the other.
    pub const BUFFER: usize = 64 * 1024;

    /// The exchange of `request`, whose stream is being opened.
    pub fn new(request: HttpRequest) -> Self {
        let mut to_origin = ByteQueue::new();
        to_origin.push(&request.head);
        let asking = Body::new(request.body, Form::Chunks);
        let answering = Answering::Head { reader: HeadReader::new(ANSWER_LIMITS), interims: 0 };
        Self {
            request,
            asking,
            answering,
            to_origin,
            to_client: ByteQueue::new(),
            client_ended: false,
            answered: false,
            ended: None,
        }
    }

    /// The request.
    pub const fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Whether more is wanted from the client now.
    pub fn wants_client(&self) -> bool {
        self.ended.is_none()
            && self.to_origin.len() < Self::BUFFER
            && (!self.asking.is_done() || matches!(self.answering, Answering::Switched { .. }))
    }

    /// Whether more is wanted from the origin server now.
    pub fn wants_origin(&self) -> bool {
        self.ended.is_none() && self.to_client.len() < Self::BUFFER
    }

    /// Takes bytes of the client; returns how many of them belong to this exchange. The others are the caller's to keep.
    pub fn handle_client(&mut self, data: &[u8]) -> usize {
        if self.ended.is_some() {
            return 0;
        }
        if matches!(self.answering, Answering::Switched { .. }) {
            self.to_origin.push(data);
            return data.len();
        }
        let mut rest = data;
        if let Err(fault) = self.asking.forward(&mut rest, &mut self.to_origin) {
            self.give_up(ExchangeFault::RequestChunks(fault));
        }
        data.len().saturating_sub(rest.len())
    }

    /// The client ended its half; it may still listen.
    pub fn handle_client_end(&mut self) {
        self.client_ended = true;
        if !self.asking.is_done() {
            self.end(Ending::Reset(ExchangeFault::RequestCut));
        }
        self.settle();
    }

    /// Takes bytes of the origin server, all of them.
    pub fn handle_origin(&mut self, data: &[u8]) {
        let mut rest = data;
        while !rest.is_empty() && self.ended.is_none() {
            let read = match &mut self.answering {
                Answering::Head { reader, .. } => match reader.push(rest) {
                    Ok(progress) => {
                        rest = rest.get(progress.consumed..).unwrap_or_default();
                        if progress.complete {
                            let head = reader.take();
                            self.on_head(&head)
                        } else {
                            Ok(())
                        }
                    }
                    Err(error) => Err(ExchangeFault::Head(error.reason)),
                },
                Answering::Body { body, .. } => {
                    body.forward(&mut rest, &mut self.to_client).map_err(ExchangeFault::ResponseChunks)
                }
                Answering::Switched { .. } => {
                    self.to_client.push(rest);
                    rest = &[];
                    Ok(())
                }
            };
            if let Err(fault) = read {
                self.give_up(fault);
            }
            self.settle();
        }
    }

    /// The origin server ended its half.
    pub fn handle_origin_end(&mut self) {
        match &mut self.answering {
            Answering::Body { body: body @ Body::UntilClose, .. } => *body = Body::Done,
            Answering::Switched { origin_ended } => *origin_ended = true,
            Answering::Body { .. } | Answering::Head { .. } => {
                self.give_up(ExchangeFault::ResponseCut);
            }
        }
        self.settle();
    }

    /// The stream to the origin server could not be opened, or broke.
    pub fn handle_failed(&mut self, refusal: Refusal) {
        self.give_up(ExchangeFault::Stream(refusal));
    }

    /// What waits for the origin server.
    pub fn to_origin(&self) -> &[u8] {
        self.to_origin.as_slice()
    }

    /// So many bytes were written to the origin server.
    pub fn origin_took(&mut self, amount: usize) {
        self.to_origin.consume(amount);
        self.settle();
    }

    /// Whether the sending half to the origin server is to be ended: a client of another protocol has ended its own.
    pub fn finishes_origin(&self) -> bool {
        self.client_ended && self.to_origin.is_empty() && matches!(self.answering, Answering::Switched { .. })
    }

    /// What waits for the client.
    pub fn to_client(&self) -> &[u8] {
        self.to_client.as_slice()
    }

    /// So many bytes were written to the client.
    pub fn client_took(&mut self, amount: usize) {
        self.to_client.consume(amount);
    }

    /// Whether the sending half to the client is to be ended: an origin server of another protocol has ended its own.
    pub fn finishes_client(&self) -> bool {
        self.to_client.is_empty() && matches!(self.answering, Answering::Switched { origin_ended: true })
    }

    /// How it ended; `None` while it goes on, or while something is pending for the client that can still be written.
    pub fn ended(&self) -> Option<Ending> {
        match self.ended {
            Some(Ending::Again | Ending::Close(_)) if !self.to_client.is_empty() => None,
            ended => ended,
        }
    }

    fn on_head(&mut self, head: &[u8]) -> Result<(), ExchangeFault> {
        match response::read(head, &self.request, self.asking.is_done())? {
            Answer::Final { head, body, keep } => {
                let form = if self.request.is_modern { Form::Chunks } else { Form::Plain };
                self.answering = Answering::Body { body: Body::new(body, form), keep };
                self.answered = true;
                self.to_client.push(&head);
            }
            Answer::Interim(head) => {
                if let Answering::Head { interims, .. } = &mut self.answering {
                    *interims = interims.saturating_add(1);
                    if *interims > MAX_INTERIMS {
                        return Err(ExchangeFault::Interim);
                    }
                }
                self.to_client.push(&head);
            }
            Answer::Switched(head) => {
                self.answering = Answering::Switched { origin_ended: false };
                self.answered = true;
                self.to_client.push(&head);
            }
        }
        Ok(())
    }

    /// Ends with an answer in our own words, or with a reset where another has begun.
    fn give_up(&mut self, fault: ExchangeFault) {
        if self.answered {
            return self.end(Ending::Reset(fault));
        }
        if self.ended.is_none() {
            self.answered = true;
            self.to_client.push(&http::exchange_refused(fault));
            self.end(Ending::Close(Some(fault)));
        }
    }

    fn settle(&mut self) {
        match &self.answering {
            Answering::Body { body: Body::Done, keep } => {
                let ending = if *keep && !self.client_ended { Ending::Again } else { Ending::Close(None) };
                self.end(ending);
            }
            Answering::Switched { origin_ended: true } if self.client_ended && self.to_origin.is_empty() => {
                self.end(Ending::Close(None));
            }
            _ => {}
        }
    }

    fn end(&mut self, ending: Ending) {
        self.ended.get_or_insert(ending);
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("request", &self.request)
            .field("answering", &self.answering)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

const ANSWER_LIMITS: HeadLimits = HeadLimits { bytes: 64 * 1024, request_line: 8_192, fields: 256 };
/// Interim answers (100, 103) before the final one that are let pass.
const MAX_INTERIMS: usize = 32;
