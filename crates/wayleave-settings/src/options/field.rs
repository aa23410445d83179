//! Structs of settings, field by field.

use std::path::Path;

use super::Word;

/// A field of a struct of settings.
pub trait Setting: Sized {
    /// What is said here or, where nothing is said, in `file`.
    #[must_use]
    fn over(self, file: Self) -> Self;

    /// Takes paths as relative to `folder`.
    fn locate(&mut self, folder: &Path);
}

impl<T: Word> Setting for Option<T> {
    fn over(self, file: Self) -> Self {
        self.or(file)
    }

    fn locate(&mut self, folder: &Path) {
        self.iter_mut().for_each(|word| word.locate(folder));
    }
}

impl<T: Word> Setting for Vec<T> {
    fn over(self, file: Self) -> Self {
        if self.is_empty() { file } else { self }
    }

    fn locate(&mut self, folder: &Path) {
        self.iter_mut().for_each(|word| word.locate(folder));
    }
}

impl Setting for bool {
    fn over(self, file: Self) -> Self {
        self || file
    }

    fn locate(&mut self, _: &Path) {}
}

/// Makes a struct whose fields are all [`Setting`]s one itself. The list names every field: one that is missing does not
/// compile, so that no option of a file is forgotten, nor a path in it.
#[macro_export]
macro_rules! settings {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::options::Setting for $name {
            fn over(self, file: Self) -> Self {
                let Self { $($field),+ } = self;
                Self { $($field: $crate::options::Setting::over($field, file.$field)),+ }
            }

            fn locate(&mut self, folder: &::std::path::Path) {
                let Self { $($field),+ } = self;
                $($crate::options::Setting::locate($field, folder);)+
            }
        }
    };
}
