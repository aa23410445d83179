//! How the log of a relay is written.

use crate::options::Word;

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// For people.
    #[default]
    Text,
}

impl Word for LogFormat {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("unknown format; choose text or json".into()),
        }
    }
}

/// What the log says of a user: `clear`, `hashed` or `none`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogUsers {
    /// The name, as it stands in the token.
    Clear,
    /// A hash of the name, so that the lines of one user can be found and say not whose they are.
    #[default]
    Hashed,
    /// Nothing.
    None,
}

impl Word for LogUsers {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "clear" => Ok(Self::Clear),
            "hashed" => Ok(Self::Hashed),
            "none" => Ok(Self::None),
            _ => Err("unknown choice; choose clear, hashed or none".into()),
        }
    }
}
