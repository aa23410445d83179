//! How a command ends when it does not end well.

use std::fmt;
use std::process::ExitCode;
use wayleave_settings::SettingsError;

/// A sentence for the user that names what is wrong and how to mend it, and the exit status that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Something went wrong while running: exit status 1.
    Run(String),
    /// An argument or a configuration is wrong: exit status 2.
    Usage(String),
}

impl Failure {
    /// A failure at run time.
    pub fn run(sentence: impl fmt::Display) -> Self {
        Self::Run(sentence.to_string())
    }

    /// A wrong argument or configuration.
    pub fn usage(sentence: impl fmt::Display) -> Self {
        Self::Usage(sentence.to_string())
    }

    /// The exit status of the process.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Run(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(sentence) | Self::Usage(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for Failure {}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::usage(error)
    }
}
