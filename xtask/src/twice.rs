//! No crate stands twice in the tree of those who take one of ours, unless there is a reason.

use std::collections::BTreeSet;

use anyhow::bail;

use crate::publish;
use crate::shell::{cargo, read};

/// Looks at what each crate that is meant for others brings with it.
///
/// # Errors
/// Names each package that comes in two versions without a reason, and each reason that is none any more.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut twice = BTreeSet::new();
    for name in publish::names()? {
        let words = ["tree", "--duplicates", "--edges", "normal,build", "--depth", "0", "--prefix", "none"];
        let tree = read(cargo(&[words.as_slice(), &["--package", &name]].concat()))?;
        twice.extend(
            tree.lines()
                .filter_map(|line| line.split(' ').next())
                .filter(|name| !name.is_empty())
                .map(String::from),
        );
    }
    let known: BTreeSet<String> = REASONS.iter().map(|(name, _)| String::from(*name)).collect();
    let unknown: Vec<_> = twice.difference(&known).cloned().collect();
    let stale: Vec<_> = known.difference(&twice).cloned().collect();
    if !unknown.is_empty() || !stale.is_empty() {
        bail!(
            "in two versions without a reason: {unknown:?}; with a reason and in one version only: {stale:?}"
        );
    }
    REASONS.iter().for_each(|(name, reason)| println!("{name} comes twice: {reason}"));
    Ok(())
}

/// What comes in two versions, and why it cannot be helped from here.
const REASONS: [(&str, &str); 3] = [
    ("base64", "the crate pem, by which rcgen writes certificates, is a version ahead of everybody"),
    ("getrandom", "ring is a version behind everybody"),
    ("syn", "the macros of asn1-rs, by which x509-parser reads certificates, are a version behind everybody"),
];
