//! Whether the text of some files has changed, and nobody is in the middle of writing it.

use std::hash::{DefaultHasher, Hash, Hasher as _};

/// What stood in files when they were last read and last looked at, each as a number.
///
/// Following the text and not the time of a file, it takes a file that was put in its place by a rename, a link that
/// leads elsewhere, and an editor that writes in place alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtRest {
    /// What stood there when they were last read, whether it was good or not.
    read: u64,
    /// What stood there at the last look.
    seen: u64,
}

impl AtRest {
    /// Files that are read now, with `print` in them.
    pub(crate) const fn new(print: u64) -> Self {
        Self { read: print, seen: print }
    }

    /// Looks at them, with `print` in them: whether that is another than was read, and the same at two looks. Then it counts
    /// as read.
    pub(crate) const fn look(&mut self, print: u64) -> bool {
        let is_new = print == self.seen && print != self.read;
        self.seen = print;
        if is_new {
            self.read = print;
        }
        is_new
    }

    /// Reads them at once, with `print` in them: whether that is another than was read before.
    pub(crate) const fn read(&mut self, print: u64) -> bool {
        let is_new = print != self.read;
        *self = Self::new(print);
        is_new
    }
}

/// A number that is another one when the value is.
pub(crate) fn print_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
