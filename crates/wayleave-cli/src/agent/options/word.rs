//! One option as a word, and what to say where it is none.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use wayleave_proto::base::{Kind, Secret, Target};
use wayleave_proto::config::{Mode, Probe, Scope};
use wayleave_proto::local::Forward;

use super::LinkChoice;
use crate::duration::parse_duration;

/// What can be read from one word, on the command line and in a file.
pub(super) trait Word: Sized {
    /// Reads it; an error says what is wrong and what to write instead.
    fn read(text: &str) -> Result<Self, String>;
}

/// [`Word::read`] as the command line wants it.
pub(super) fn read<T: Word>(text: &str) -> Result<T, String> {
    T::read(text)
}

impl Word for SocketAddr {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "write an IP address and a port, like 127.0.0.1:1080 or [::1]:1080".into())
    }
}

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

impl Word for Duration {
    fn read(text: &str) -> Result<Self, String> {
        parse_duration(text)
    }
}

/// Taken as it is: what is wrong with it is said later and without showing it.
impl Word for Secret<String> {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Self::new(text.into()))
    }
}

impl Word for PathBuf {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl Word for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

fn said(error: impl std::error::Error) -> String {
    error.to_string()
}
