//! What an end without a word about it means.

use core::str::FromStr;

/// What becomes of a stream whose other side ends its connection without the close_notify that says that it is whole
/// ([RFC 8446 §6.1](https://www.rfc-editor.org/rfc/rfc8446#section-6.1)). It is told as such in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Truncation {
    /// It ends, as it would without TLS in between: what came is delivered, and the protocol inside knows whether that is
    /// all.
    #[default]
    End,
    /// It is reset, so that nobody takes it for whole.
    Reset,
}

impl FromStr for Truncation {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "end" => Ok(Self::End),
            "reset" => Ok(Self::Reset),
            _ => Err(()),
        }
    }
}
