//! The tests that could not run here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use anyhow::Context as _;

use crate::shell::target_dir;

/// The file in which tests write that they did not run.
#[derive(Debug)]
pub(crate) struct NotRun(PathBuf);

impl NotRun {
    /// The environment variable by which the tests find the file.
    pub(crate) const VARIABLE: &str = "WAYLEAVE_NOT_RUN";

    /// The file, emptied.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn empty() -> anyhow::Result<Self> {
        let path = target_dir().join("not-run.tsv");
        fs::create_dir_all(target_dir())
            .and_then(|()| fs::write(&path, ""))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What the tests wrote.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(&self) -> io::Result<Missing> {
        Ok(Missing::parse(&fs::read_to_string(&self.0)?))
    }
}

/// What each test that did not run would need, by the test's name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing(BTreeMap<String, String>);

impl Missing {
    /// How many tests did not run.
    pub(crate) fn tests(&self) -> usize {
        self.0.len()
    }

    /// Whether every test ran.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads lines of a test, what it needs and the package that brings it, with tabs between.
    fn parse(text: &str) -> Self {
        let mut missing = BTreeMap::new();
        for line in text.lines() {
            let mut parts = line.split('\t');
            let [test, reason, package] = [(); 3].map(|()| parts.next().unwrap_or_default());
            // A test that asks for several things counts once.
            missing.entry(test.to_owned()).or_insert_with(|| format!("needs {reason}; install {package}"));
        }
        Self(missing)
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "tests not run: none");
        }
        writeln!(f, "tests not run:")?;
        for (test, needs) in &self.0 {
            writeln!(f, "  {test}: {needs}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_needs_two_programs_counts_once() {
        let missing = Missing::parse("a\tcurl\tcurl\na\tpython3\tpython3\nb\tip\tiproute2\n");
        assert_eq!(missing.tests(), 2);
        let shown = "tests not run:\n  a: needs curl; install curl\n  b: needs ip; install iproute2\n";
        assert_eq!(missing.to_string(), shown);
        assert!(Missing::parse("").is_empty());
    }
}
