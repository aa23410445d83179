//! Files: read with bounds, followed, written in one piece.

mod follow;
mod read;
mod rest;

#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

pub use follow::{Follower, Look};
pub use read::{Unread, read};
pub(crate) use rest::{AtRest, print_of};

/// Who can read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whom the system lets by default.
    Everybody,
    /// Its owner alone (mode 0600), where the system has such modes.
    Owner,
}

/// Makes the file at `path`.
///
/// # Errors
/// There is one already, or it cannot be written.
pub fn create(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = readers;
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes the file at `path` or puts another in its place; whoever reads it meanwhile sees the one or the other.
///
/// # Errors
/// It cannot be written.
pub fn replace(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    // What a process of the same number left behind when it died in between.
    let _ = fs::remove_file(&beside);
    let written = create(&beside, text, readers).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}
