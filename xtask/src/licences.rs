//! Every package that is built here has a licence that is allowed, and none comes twice without a reason.

use std::collections::BTreeSet;

use anyhow::bail;

use crate::shell::{cargo, read};
use crate::twice;

/// Reads the licence of every package in the workspace's tree, for every platform.
///
/// # Errors
/// Names each package whose licence is missing or not allowed.
pub(crate) fn run() -> anyhow::Result<()> {
    let words = ["tree", "--workspace", "--all-features", "--target", "all", "--prefix", "none"];
    let tree = read(cargo(&[words.as_slice(), &["--format", "{p}\t{l}"]].concat()))?;
    let packages: BTreeSet<(&str, &str)> = tree.lines().filter_map(package).collect();
    let refused: Vec<String> = packages
        .iter()
        .filter(|(_, licence)| !is_allowed(licence))
        .map(|(name, licence)| format!("{name}: `{licence}`"))
        .collect();
    if !refused.is_empty() {
        bail!("licences that are not allowed:\n  {}", refused.join("\n  "));
    }
    println!("{} packages, all with a licence that is allowed", packages.len());
    twice::run()
}

/// The name with the version, and the licence, of one line of the tree.
fn package(line: &str) -> Option<(&str, &str)> {
    let (package, licence) = line.split_once('\t')?;
    let end = package.match_indices(' ').nth(1).map_or(package.len(), |(place, _)| place);
    Some((&package[..end], licence.trim_end_matches("(*)").trim()))
}

/// Whether an SPDX expression leaves a choice that is allowed: one arm of an OR, all of an AND.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let allowed = either(&mut rest);
    allowed && rest.is_empty()
}

fn either(words: &mut &[&str]) -> bool {
    let mut allowed = both(words);
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        allowed |= both(words);
    }
    allowed
}

fn both(words: &mut &[&str]) -> bool {
    let mut allowed = one(words);
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut &[&str]) -> bool {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let allowed = either(words);
            let [")", rest @ ..] = *words else { return false };
            *words = rest;
            allowed
        }
        [licence, "WITH", exception, rest @ ..] => {
            *words = rest;
            ALLOWED.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, rest @ ..] => {
            *words = rest;
            ALLOWED.contains(licence)
        }
        [] => false,
    }
}

/// The same list stands in `deny.toml`.
const ALLOWED: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_or_needs_one_arm_and_an_and_needs_all() {
        for licence in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "Apache-2.0 AND ISC"] {
            assert!(is_allowed(licence), "{licence}");
        }
        for licence in ["(MIT OR GPL-3.0) AND Unicode-3.0", "Apache-2.0 WITH LLVM-exception OR GPL-2.0"] {
            assert!(is_allowed(licence), "{licence}");
        }
        for licence in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT GPL-3.0", "(MIT", "OpenSSL", "GPL-2.0 WITH MIT"]
        {
            assert!(!is_allowed(licence), "{licence}");
        }
    }

    #[test]
    fn a_line_of_the_tree_is_a_package_and_its_licence() {
        assert_eq!(package("a v1.0.0 (proc-macro)\tMIT OR ISC (*)"), Some(("a v1.0.0", "MIT OR ISC")));
        assert_eq!(package("b v2.0.0\t"), Some(("b v2.0.0", "")));
        assert_eq!(package(""), None);
    }

    #[test]
    fn the_list_of_cargo_deny_is_the_same() {
        let deny = include_str!("../../deny.toml");
        let allow =
            deny.split_once("\nallow = [").and_then(|(_, rest)| rest.split_once(']')).map(|(list, _)| list);
        let listed: Vec<&str> = allow.unwrap_or_default().split('"').skip(1).step_by(2).collect();
        assert_eq!(listed, ALLOWED);
    }
}
