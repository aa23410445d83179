//! The words that only the agent knows.

use wayleave_proto::base::Secret;
use wayleave_proto::config::{Mode, Scope};

use super::{LinkChoice, Switch};
use crate::options::Word;

impl Word for Mode {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|()| "unknown mode; choose normal, smart or off".into())
    }
}

impl Word for Scope {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|()| "unknown scope; choose kind or session".into())
    }
}

impl Word for Switch {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err("choose on or off".into()),
        }
    }
}

impl Word for LinkChoice {
    fn read(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let link =
            text.parse().map_err(|()| "unknown link; choose auto, cellular, ethernet, unknown or wifi");
        Ok(Self::Fixed(link?))
    }
}

/// Taken as it is: what is wrong with it is said later and without showing it.
impl Word for Secret<String> {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Self::new(text.into()))
    }
}
