//! What a command prints on standard output.

use std::io::{self, ErrorKind, Write};

use crate::Failure;

/// Prints `text`. A reader that has gone (`| head`) has what it wanted, and is no failure.
///
/// # Errors
/// It cannot be written: a full disk, say.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::run(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line for a person, whether anybody reads it or not.
macro_rules! show {
    ($($words:tt)*) => {
        $crate::stdout::show_line(&format!($($words)*))
    };
}

pub(crate) use show;

/// What [`show!`] calls.
pub(crate) fn show_line(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
