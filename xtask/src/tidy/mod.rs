//! The house rules that no other tool knows.

mod arrows;
mod files;
mod rings;
mod seam;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use anyhow::bail;

use crate::shell::root;

/// Looks at every file of the workspace.
///
/// # Errors
/// Says each rule that is broken and where.
pub(crate) fn run() -> anyhow::Result<()> {
    let files = read_all(&root())?;
    let mut faults = faults(&files);
    if !faults.is_empty() {
        faults.sort();
        let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
        bail!("{} broken house rules:\n{}", lines.len(), lines.join("\n"));
    }
    println!("{} files follow the house rules", files.len());
    Ok(())
}

/// A text file, by its path from the root with `/` between.
#[derive(Clone, Debug)]
struct File {
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the file holds tests and nothing else.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/") || self.path.starts_with("tests/")
    }

    fn fault(&self, line: usize, rule: impl Into<String>) -> Fault {
        Fault { path: self.path.clone(), line, rule: rule.into() }
    }
}

/// A rule that is broken, and where; line 0 is the whole file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    path: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.rule),
            line => write!(f, "{}:{line}: {}", self.path, self.rule),
        }
    }
}

fn faults(files: &[File]) -> Vec<Fault> {
    let mut faults = files::shadowed(files);
    for file in files {
        files::check(file, &mut faults);
        arrows::check(file, &mut faults);
        seam::check(file, &mut faults);
        text::check(file, &mut faults);
    }
    rings::check(files, &mut faults);
    faults
}

fn read_all(root: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if TEXTS.iter().any(|end| name.ends_with(end)) || path == Path::new(".ci/run") {
                let path = path.to_string_lossy().replace('\\', "/");
                files.push(File { text: fs::read_to_string(root.join(&path))?, path });
            }
        }
    }
    Ok(files)
}

/// Folders with what others wrote: tools, fuzzers, test generators.
const SKIPPED: [&str; 5] = [".git", "artifacts", "corpus", "proptest-regressions", "target"];

const TEXTS: [&str; 5] = [".md", ".py", ".rs", ".sh", ".toml"];
