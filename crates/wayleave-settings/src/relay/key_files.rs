//! The key files of a relay.

use std::path::{Path, PathBuf};

use wayleave_proto::auth::Keys;
use wayleave_proto::base::Secret;

use super::config::token_keys;
use crate::SettingsError;
use crate::files::{self, AtRest, print_of};
use crate::keys::{LONGEST, sets_named};

/// The key files, and what stood in them when they were last read.
///
/// They are one whole: a mistake in one of them leaves the keys of all as they were.
#[derive(Debug)]
pub struct KeyFiles {
    paths: Vec<PathBuf>,
    rest: AtRest,
}

impl KeyFiles {
    /// Reads the files at `paths`.
    ///
    /// # Errors
    /// There is no file, or what is wrong with one, with its line.
    pub fn open(paths: Vec<PathBuf>) -> Result<(Self, Keys), SettingsError> {
        // Looked at before they are read: what changes in between shows at the next look.
        let rest = AtRest::new(print(&paths));
        let keys = token_keys(&paths)?;
        Ok((Self { paths, rest }, keys))
    }

    /// Looks at the files. Where they have changed since they were last read and then stayed the same between two looks,
    /// so that nobody is in the middle of writing them, they are read.
    pub fn look(&mut self) -> Option<Result<Keys, SettingsError>> {
        self.rest.look(print(&self.paths)).then(|| token_keys(&self.paths))
    }

    /// Reads the files, changed or not.
    ///
    /// # Errors
    /// What is wrong with one of them, with its line.
    pub fn read(&mut self) -> Result<Keys, SettingsError> {
        self.rest.read(print(&self.paths));
        token_keys(&self.paths)
    }
}

/// A number that is another one when the text of any file is another one, or cannot be read, and of any set of keys that a
/// file names.
fn print(paths: &[PathBuf]) -> u64 {
    let mut prints = Vec::new();
    for path in paths {
        let text = add(&mut prints, path);
        let sets = text.as_ref().and_then(|text| Some(sets_named(path, str::from_utf8(text.expose()).ok()?)));
        for set in sets.unwrap_or_default() {
            add(&mut prints, &set);
        }
    }
    print_of(&prints)
}

/// Adds one file, and returns its text.
fn add(prints: &mut Vec<u64>, path: &Path) -> Option<Secret<Vec<u8>>> {
    let read = files::read(path, LONGEST).map(Secret::new);
    prints.push(match &read {
        Ok(text) => print_of(text.expose()),
        Err(unread) => print_of(unread),
    });
    read.ok()
}
