//! The words that only the agent knows.

use std::path::{Path, PathBuf};

use wayleave_settings::options::Word;

use super::{Destination, LinkChoice, Switch};

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

impl Word for Destination {
    fn read(text: &str) -> Result<Self, String> {
        if text == "-" { Ok(Self::StandardOutput) } else { PathBuf::read(text).map(Self::File) }
    }

    fn locate(&mut self, folder: &Path) {
        match self {
            Self::File(path) => path.locate(folder),
            Self::StandardOutput => {}
        }
    }
}
