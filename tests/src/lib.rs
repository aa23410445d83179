//! What the end-to-end tests share: asking for the programs that they need, and saying that one did not run.
//!
//! `cargo xtask test` names a file in the environment variable [`NOT_RUN`] and lists at its end what the tests wrote
//! there. Under a bare `cargo test` the variable is missing, and a test that cannot run fails.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The environment variable that names the file of the tests that did not run.
pub const NOT_RUN: &str = "WAYLEAVE_NOT_RUN";

/// The path of `program`, which the operating system's `package` brings; `None` where it is not installed. Then `test`
/// is noted as not run and has to return.
///
/// # Panics
/// Where the program is missing and there is no file to note it in.
pub fn require(test: &str, program: &str, package: &str) -> Option<PathBuf> {
    let found = find(program);
    if found.is_none() {
        not_run(test, program, package);
    }
    found
}

/// Notes that `test` did not run for want of `reason`, a program or a right, which `package` brings. It has to return.
///
/// # Panics
/// Where there is no file to note it in, so that a test that did not run never counts as passed.
pub fn not_run(test: &str, reason: &str, package: &str) {
    let Some(path) = env::var_os(NOT_RUN) else {
        panic!(
            "{test} needs {reason} (install {package}); run it by `cargo xtask test`, or install what it needs"
        );
    };
    if let Err(error) = note(Path::new(&path), test, reason, package) {
        panic!(
            "{test} needs {reason} ({package}), and {} cannot be written: {error}",
            Path::new(&path).display()
        );
    }
}

/// The path of a binary that the workspace builds, beside the one that runs. `cargo xtask test` builds it first.
///
/// # Panics
/// Where it is not there.
pub fn binary(name: &str) -> PathBuf {
    let here = env::current_exe().unwrap_or_default();
    let folder = here.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).unwrap_or(&here);
    let path = folder.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is missing; build it by `cargo build --workspace`", path.display());
    path
}

/// One line a test, in one write, because several tests write at the same time.
fn note(path: &Path, test: &str, reason: &str, package: &str) -> std::io::Result<()> {
    let line = format!("{test}\t{reason}\t{package}\n");
    OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(format!("{program}{}", env::consts::EXE_SUFFIX)))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name_only_where_it_is() {
        assert!(find("cargo").is_some());
        assert_eq!(find("no-program-has-this-name"), None);
    }

    #[test]
    fn what_did_not_run_is_noted_line_by_line() {
        let path = env::temp_dir().join(format!("wayleave-not-run-{}", std::process::id()));
        for test in ["one", "two"] {
            note(&path, test, "curl", "curl").expect("the folder for temporary files can be written");
        }
        let noted = std::fs::read_to_string(&path);
        std::fs::remove_file(&path).expect("it was just written");
        assert_eq!(noted.ok().as_deref(), Some("one\tcurl\tcurl\ntwo\tcurl\tcurl\n"));
    }
}

/// The examples of the README, which see every adapter from here.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The boundary as docs/embedding.md tells it.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
struct Embedding;
