//! How long files are, how they begin and how they are named.

use super::{Fault, File};

/// A file is short enough to be read at once and says first what it is for.
pub(super) fn check(file: &File, faults: &mut Vec<Fault>) {
    if !file.is_rust() || file.is_test() {
        return;
    }
    let lines = file.text.lines().count();
    if lines > MAX_LINES {
        faults.push(file.fault(0, format!("{lines} lines; split it below {MAX_LINES}")));
    }
    // An attribute of the whole crate may stand before.
    let first = file.text.lines().find(|line| !line.starts_with("#!["));
    if !first.is_some_and(|line| line.starts_with("//!")) {
        faults.push(file.fault(1, "begin the file with a //! comment that says what it is for"));
    }
}

/// A module with a folder has its file in it.
pub(super) fn shadowed(files: &[File]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files {
        let Some(stem) = file.path.strip_suffix(".rs") else { continue };
        let folder = format!("{stem}/");
        if files.iter().any(|other| other.is_rust() && other.path.starts_with(&folder)) {
            faults.push(file.fault(0, format!("move it to {folder}mod.rs")));
        }
    }
    faults
}

const MAX_LINES: usize = 700;
