//! The fields of a parsed head, looked up by name.

use core::fmt;

use httparse::Header;

/// The fields in the order in which they came.
#[derive(Clone, Copy)]
pub struct Fields<'h, 'b>(pub(super) &'h [Header<'b>]);

impl<'h, 'b> Fields<'h, 'b> {
    /// The values of every line of this name.
    pub fn all<'n>(self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'h, 'b, 'n> {
        self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The value of the only line of this name; `None` where there is none, or more than one.
    pub fn only(self, name: &str) -> Option<&'b [u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether there is a line of this name.
    pub fn has(self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The members of a list of tokens, over all its lines, without empty ones:
    /// [RFC 9110 §5.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1).
    pub fn tokens<'n>(self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'h, 'b, 'n> {
        self.all(name)
            .flat_map(|value| value.split(|b| *b == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|token| !token.is_empty())
    }

    /// Whether a list of tokens contains `token`, whatever its case.
    pub fn lists(self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Every line, as name and value.
    pub fn iter(self) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'h, 'b> {
        self.0.iter().map(|field| (field.name, field.value))
    }

    /// What the Upgrade and Connection fields ask for.
    pub(super) fn upgrade(self) -> Upgrade {
        let connection = self.lists("connection", "upgrade");
        let mut protocols = self.tokens("upgrade");
        match (protocols.next(), protocols.next()) {
            (None, _) if !connection && !self.has("upgrade") => Upgrade::None,
            (Some(protocol), None) if connection && self.all("upgrade").count() == 1 => {
                if protocol.eq_ignore_ascii_case(b"connect-udp") {
                    Upgrade::ConnectUdp
                } else {
                    Upgrade::Other
                }
            }
            _ => Upgrade::Malformed,
        }
    }
}

impl fmt::Debug for Fields<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may hold secrets.
        f.debug_list().entries(self.0.iter().map(|field| field.name)).finish()
    }
}

/// What the Upgrade and Connection fields ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// CONNECT-UDP and nothing else.
    ConnectUdp,
    /// Several protocols, or one of the two fields without the other.
    Malformed,
    /// Nothing.
    None,
    /// One other protocol.
    Other,
}
