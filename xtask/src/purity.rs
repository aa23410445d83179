//! The core and the loop over it depend on no runtime and no I/O library, and no adapter on another's runtime.

use anyhow::bail;

use crate::shell::{cargo, read};

/// Looks through everything that the core and each adapter are built from, for every platform and with every feature.
///
/// # Errors
/// Names the forbidden packages that it found.
pub(crate) fn run() -> anyhow::Result<()> {
    for (package, forbidden) in FORBIDDEN {
        let words = ["tree", "-p", package, "-e", "normal", "--all-features", "--target", "all"];
        let tree = read(cargo(&[words.as_slice(), &["--prefix", "none", "--format", "{p}"]].concat()))?;
        let found = found(&tree, forbidden);
        if !found.is_empty() {
            bail!("{package} depends on {}; see `cargo tree -p {package} -i {}`", found.join(", "), found[0]);
        }
        println!("{package} depends on none of {}", forbidden.join(", "));
    }
    Ok(())
}

fn found<'a>(tree: &str, forbidden: &[&'a str]) -> Vec<&'a str> {
    let is_in_tree = |name: &&str| tree.lines().any(|line| line.split_whitespace().next() == Some(*name));
    forbidden.iter().copied().filter(is_in_tree).collect()
}

const FORBIDDEN: &[(&str, &[&str])] = &[
    ("wayleave-proto", NO_RUNTIME),
    ("wayleave-drive", NO_RUNTIME),
    ("wayleave-tokio", &["async-executor", "async-io", "async-std", "polling", "smol"]),
    ("wayleave-async-io", &["async-std", "mio", "smol", "tokio"]),
    ("wayleave-std", &["async-executor", "async-io", "async-std", "mio", "smol", "tokio"]),
];
const NO_RUNTIME: &[&str] =
    &["async-io", "async-std", "futures", "mio", "polling", "rustix", "smol", "socket2", "tokio"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_anywhere_in_the_tree_is_found() {
        let forbidden = ["mio", "smol", "tokio"];
        let tree = "wayleave-proto v0.1.0\ntokio v1.54.0\nmio v1.0.0 (*)\n";
        assert_eq!(found(tree, &forbidden), ["mio", "tokio"]);
        assert!(
            found("wayleave-proto v0.1.0\ntokio-like v1.0.0\nfutures-lite v2.0.0\n", &forbidden).is_empty()
        );
    }
}
