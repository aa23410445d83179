//! The key files of a relay, read again when they change.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use wayleave_proto::auth::Keys;
use wayleave_proto::base::Secret;

use super::settings;
use crate::Failure;
use crate::keys::sets_named;

/// The key files, and what stood in them when they were last read.
///
/// They are one whole: a mistake in one of them leaves the keys of all as they were.
#[derive(Debug)]
pub(super) struct KeyFiles {
    paths: Vec<PathBuf>,
    /// What stood in them when they were last read, whether it was good or not.
    read: u64,
    /// What stood in them at the last look.
    seen: u64,
}

impl KeyFiles {
    /// Reads the files at `paths`.
    ///
    /// # Errors
    /// There is no file, or what is wrong with one, with its line.
    pub(super) fn open(paths: Vec<PathBuf>) -> Result<(Self, Keys), Failure> {
        // Looked at before they are read: what changes in between shows at the next look.
        let seen = look(&paths);
        let keys = settings::token_keys(&paths)?;
        Ok((Self { paths, read: seen, seen }, keys))
    }

    /// Looks at the files. Where they have changed since they were last read and then stayed the same between two looks,
    /// so that nobody is in the middle of writing them, they are read.
    pub(super) fn look(&mut self) -> Option<Result<Keys, Failure>> {
        let now = look(&self.paths);
        let is_at_rest = now == self.seen;
        self.seen = now;
        (is_at_rest && now != self.read).then(|| self.read())
    }

    /// Reads the files, changed or not.
    ///
    /// # Errors
    /// What is wrong with one of them, with its line.
    pub(super) fn read(&mut self) -> Result<Keys, Failure> {
        self.read = look(&self.paths);
        self.seen = self.read;
        settings::token_keys(&self.paths)
    }
}

/// A number that is another one when the text of any file is another one, or cannot be read, and of any set of keys that a
/// file names. Following the text and not
/// the time of the file, it takes a file that was put in its place by a rename, a link that leads elsewhere, and an
/// editor that writes in place alike.
fn look(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        let text = add(&mut hasher, path);
        let sets = text.as_ref().and_then(|text| Some(sets_named(path, str::from_utf8(text.expose()).ok()?)));
        for set in sets.unwrap_or_default() {
            add(&mut hasher, &set);
        }
    }
    hasher.finish()
}

/// Adds one file, and returns its text.
fn add(hasher: &mut DefaultHasher, path: &Path) -> Option<Secret<Vec<u8>>> {
    match fs::read(path).map(Secret::new) {
        Ok(text) => {
            text.expose().hash(hasher);
            Some(text)
        }
        Err(error) => {
            error.kind().hash(hasher);
            None
        }
    }
}
