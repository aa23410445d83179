//! The core depends on no runtime and no I/O library.

use anyhow::bail;

use crate::shell::{cargo, read};

/// Looks through everything that the core is built from, for every platform and with every feature.
///
/// # Errors
/// Names the forbidden packages that it found.
pub(crate) fn run() -> anyhow::Result<()> {
    let words = ["tree", "-p", "wayleave-proto", "-e", "normal", "--all-features", "--target", "all"];
    let tree = read(cargo(&[words.as_slice(), &["--prefix", "none", "--format", "{p}"]].concat()))?;
    let found = forbidden(&tree);
    if !found.is_empty() {
        bail!("the core depends on {}; see `cargo tree -p wayleave-proto -i {}`", found.join(", "), found[0]);
    }
    println!("wayleave-proto depends on none of {}", FORBIDDEN.join(", "));
    Ok(())
}

fn forbidden(tree: &str) -> Vec<&'static str> {
    let is_in_tree = |name: &&str| tree.lines().any(|line| line.split_whitespace().next() == Some(*name));
    FORBIDDEN.iter().copied().filter(is_in_tree).collect()
}

const FORBIDDEN: [&str; 7] = ["async-io", "async-std", "futures", "mio", "smol", "socket2", "tokio"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_anywhere_in_the_tree_is_found() {
        assert_eq!(forbidden("wayleave-proto v0.1.0\ntokio v1.54.0\nmio v1.0.0 (*)\n"), ["mio", "tokio"]);
        assert!(forbidden("wayleave-proto v0.1.0\ntokio-like v1.0.0\nfutures-lite v2.0.0\n").is_empty());
    }
}
