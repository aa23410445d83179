//! The words that only the agent knows.

use wayleave_proto::base::{Kind, Secret, Target};
use wayleave_proto::config::{Mode, Probe, Scope};
use wayleave_proto::local::Forward;

use super::LinkChoice;
use crate::options::Word;

impl Word for Forward {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(said)
    }
}

impl Word for Target {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(said)
    }
}

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

impl Word for Probe {
    fn read(text: &str) -> Result<Self, String> {
        let (kind, target) = match text.split_once(':') {
            Some(("tcp", target)) => (Kind::Stream, target),
            Some(("udp", target)) => (Kind::Datagram, target),
            _ => (Kind::Stream, text),
        };
        Ok(Self { kind, target: Target::read(target)? })
    }
}

/// Taken as it is: what is wrong with it is said later and without showing it.
impl Word for Secret<String> {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Self::new(text.into()))
    }
}

fn said(error: impl std::error::Error) -> String {
    error.to_string()
}
