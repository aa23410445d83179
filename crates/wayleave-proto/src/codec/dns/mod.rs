//! The two questions that a stub resolver asks, A and AAAA, and their answers:
//! [RFC 1035 §4](https://www.rfc-editor.org/rfc/rfc1035#section-4).

mod message;

#[cfg(test)]
mod tests;

use core::net::IpAddr;

use crate::base::{Families, Name};
use message::{Reader, Record};

/// A question for the addresses of one family.
#[derive(Clone, Debug)]
pub struct Question {
    /// A number that nobody on the way can guess.
    pub id: u16,
    /// The name, taken as complete.
    pub name: Name,
    /// IPv4 or IPv6; both count as IPv6, as a question has one type.
    pub family: Families,
    /// Whether to say how long an answer may be, which very old servers do not understand
    /// ([RFC 6891 §6.1.1](https://www.rfc-editor.org/rfc/rfc6891#section-6.1.1)).
    pub edns: bool,
}

/// What a name server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The addresses; none where the name has none of this family.
    Addresses(Vec<IpAddr>),
    /// It did not understand the question: ask without EDNS.
    NotUnderstood,
    /// It refused to answer.
    Refused,
    /// The server failed, or said something else that is no answer; the code.
    Failed(u8),
    /// The answer does not fit into a datagram: ask over TCP.
    Truncated,
    /// The name does not exist.
    Unknown,
}

impl Question {
    /// Appends the question as a message, recursion wanted.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.id.to_be_bytes());
        out.extend(RECURSION_DESIRED.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.edns)]);
        // A name has labels of 1 to 63 bytes, 253 in all.
        for label in self.name.as_str().split('.') {
            out.extend(u8::try_from(label.len()));
            out.extend(label.as_bytes());
        }
        out.push(0);
        out.extend(self.record_type().to_be_bytes());
        out.extend(INTERNET.to_be_bytes());
        if self.edns {
            // The root as owner, OPT, the length of an answer, no extended code, version and flags, no options.
            out.push(0);
            out.extend(OPT.to_be_bytes());
            out.extend(LONGEST.to_be_bytes());
            out.extend([0; 6]);
        }
    }

    /// What `message` says to this question; `None` where it is no answer to it, as somebody else may have sent it
    /// ([RFC 5452 §4]).
    ///
    /// Only addresses to which the name leads count, over at most 16 aliases in any order.
    ///
    /// [RFC 5452 §4]: https://www.rfc-editor.org/rfc/rfc5452#section-4
    pub fn read(&self, message: &[u8]) -> Option<Answer> {
        let mut reader = Reader::new(message);
        let (id, flags) = (reader.u16()?, reader.u16()?);
        let (questions, answers) = (reader.u16()?, reader.u16()?);
        reader.skip(4)?;
        if id != self.id || flags & (RESPONSE | OPCODE) != RESPONSE {
            return None;
        }
        let code = u8::try_from(flags & CODE).unwrap_or(u8::MAX);
        // Servers that do not understand a message need not repeat its question.
        if matches!(code, FORMAT_ERROR | NOT_IMPLEMENTED) && questions == 0 {
            return Some(if self.edns { Answer::NotUnderstood } else { Answer::Failed(code) });
        }
        let asked = self.name.as_str().as_bytes();
        let is_ours = questions == 1
            && reader.name()? == asked
            && reader.u16()? == self.record_type()
            && reader.u16()? == INTERNET;
        if !is_ours {
            return None;
        }
        Some(match code {
            _ if flags & TRUNCATED != 0 => Answer::Truncated,
            NO_ERROR => Answer::Addresses(self.addresses(&mut reader, answers)),
            FORMAT_ERROR | NOT_IMPLEMENTED if self.edns => Answer::NotUnderstood,
            NAME_ERROR => Answer::Unknown,
            REFUSED => Answer::Refused,
            code => Answer::Failed(code),
        })
    }

    /// The addresses at the end of the aliases. What cannot be read ends the list.
    fn addresses(&self, reader: &mut Reader<'_>, count: u16) -> Vec<IpAddr> {
        let mut records = Vec::new();
        for _ in 0..count.min(RECORDS) {
            let Some((owner, record)) = reader.record() else { break };
            records.push((owner, record));
        }
        let mut name = self.name.as_str().as_bytes().to_vec();
        for _ in 0..ALIASES {
            let alias = records.iter().find_map(|(owner, record)| match record {
                Record::Alias(target) if *owner == name => Some(target.clone()),
                Record::Alias(_) | Record::Address(_) | Record::Other => None,
            });
            let Some(alias) = alias else { break };
            name = alias;
        }
        let of = |(owner, record): &(Vec<u8>, Record)| match record {
            Record::Address(address) if *owner == name && Families::of(*address) == self.wanted() => {
                Some(*address)
            }
            Record::Address(_) | Record::Alias(_) | Record::Other => None,
        };
        records.iter().filter_map(of).collect()
    }

    const fn wanted(&self) -> Families {
        match self.family {
            Families::V4 => Families::V4,
            Families::Both | Families::V6 => Families::V6,
        }
    }

    const fn record_type(&self) -> u16 {
        match self.wanted() {
            Families::V4 => A,
            Families::Both | Families::V6 => AAAA,
        }
    }
}

/// Records of an answer that are looked at.
const RECORDS: u16 = 256;
/// Aliases that are followed.
const ALIASES: usize = 16;
/// The longest answer that a datagram may have: what passes every path in one piece.
const LONGEST: u16 = 1_232;

const A: u16 = 1;
const AAAA: u16 = 28;
const CNAME: u16 = 5;
const OPT: u16 = 41;
const INTERNET: u16 = 1;

const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;
const CODE: u16 = 0x000f;

const NO_ERROR: u8 = 0;
const FORMAT_ERROR: u8 = 1;
const NAME_ERROR: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;
const REFUSED: u8 = 5;
