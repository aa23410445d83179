//! The pieces of a message.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{A, AAAA, CNAME, INTERNET};

/// A message, and how far it has been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

/// What a record says.
#[derive(Clone, Debug)]
pub(super) enum Record {
    Address(IpAddr),
    /// The owner is another name for this one.
    Alias(Vec<u8>),
    Other,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.take(2)?.first_chunk()?))
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.message.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// A name in lower case with a dot between its labels; behind it the reader goes on. A pointer leads back only, so that
    /// every name has an end ([RFC 1035 §4.1.4](https://www.rfc-editor.org/rfc/rfc1035#section-4.1.4)).
    pub(super) fn name(&mut self) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        let mut reader = *self;
        let mut behind = None;
        let mut limit = self.at;
        loop {
            let length = *reader.take(1)?.first()?;
            match length {
                0 => break,
                1..=63 => {
                    if !name.is_empty() {
                        name.push(b'.');
                    }
                    name.extend(reader.take(length.into())?.iter().map(u8::to_ascii_lowercase));
                    if name.len() > LONGEST_NAME {
                        return None;
                    }
                }
                64..=191 => return None,
                192..=255 => {
                    let low = *reader.take(1)?.first()?;
                    behind.get_or_insert(reader.at);
                    let to = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    if to >= limit {
                        return None;
                    }
                    limit = to;
                    reader.at = to;
                }
            }
        }
        self.at = behind.unwrap_or(reader.at);
        Some(name)
    }

    /// A record and whose it is.
    pub(super) fn record(&mut self) -> Option<(Vec<u8>, Record)> {
        let owner = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        self.skip(4)?;
        let length = usize::from(self.u16()?);
        let mut inside = *self;
        let data = self.take(length)?;
        let record = match (class, kind) {
            (INTERNET, A) => {
                data.try_into().ok().map(|octets: [u8; 4]| Record::Address(Ipv4Addr::from(octets).into()))
            }
            (INTERNET, AAAA) => {
                data.try_into().ok().map(|octets: [u8; 16]| Record::Address(Ipv6Addr::from(octets).into()))
            }
            (INTERNET, CNAME) => inside.name().map(Record::Alias),
            _ => None,
        };
        Some((owner, record.unwrap_or(Record::Other)))
    }
}

/// As text, without the final dot.
const LONGEST_NAME: usize = 253;
