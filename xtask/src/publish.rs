//! The crates as they would go to a registry: their order, what each needs for it, and what each would hold.

use std::fs;

use anyhow::{Context as _, bail, ensure};

use crate::shell::{cargo, check, read, root};

/// Looks at every crate that is meant for others, and packs all of them without sending anything and without a network.
///
/// # Errors
/// Something is missing for one of them, or it cannot be packed.
pub(crate) fn dry_run() -> anyhow::Result<()> {
    let crates = crates()?;
    let ordered = in_order(&crates)?;
    println!("in this order: {}", ordered.join(", "));
    // Whoever depends on another of them is resolved against what was packed before it, and not against a registry.
    let mut words = vec!["package", "--no-verify", "--offline", "--allow-dirty", "--quiet"];
    ordered.iter().for_each(|name| words.extend(["--package", name]));
    check(cargo(&words))?;
    for name in ordered {
        let list = read(cargo(&["package", "--list", "--offline", "--allow-dirty", "--package", name]))?;
        for file in ["Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"] {
            ensure!(list.lines().any(|line| line == file), "{name} would go without {file}");
        }
        println!("{name}: {} files", list.lines().count());
    }
    Ok(())
}

/// The names of the crates that are meant for others.
///
/// # Errors
/// A manifest cannot be read.
pub(crate) fn names() -> anyhow::Result<Vec<String>> {
    Ok(crates()?.into_iter().map(|one| one.name).collect())
}

/// A crate that is meant for others.
#[derive(Debug)]
struct Crate {
    name: String,
    /// Those of ours that it depends on.
    uses: Vec<String>,
}

/// Reads the manifests of the folder `crates`.
fn crates() -> anyhow::Result<Vec<Crate>> {
    let mut crates = Vec::new();
    let folder = root().join("crates");
    for entry in fs::read_dir(&folder).context("there is no folder crates")? {
        let path = entry?.path().join("Cargo.toml");
        let manifest = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        if let Some(found) = of_manifest(&manifest) {
            crates.push(found);
        }
    }
    crates.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(crates)
}

/// The crate of a manifest; `None` where it is for this repository alone.
fn of_manifest(manifest: &str) -> Option<Crate> {
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \""))?.trim_end_matches('"');
    if manifest.lines().any(|line| line == "publish.workspace = true") {
        return None;
    }
    let uses = manifest.lines().filter(|line| line.starts_with("wayleave-"));
    let uses = uses.filter_map(|line| line.split(['.', ' ', '=']).next().map(String::from));
    Some(Crate { name: name.into(), uses: uses.filter(|used| used != name).collect() })
}

/// Each behind those that it depends on.
fn in_order(crates: &[Crate]) -> anyhow::Result<Vec<&str>> {
    let mut ordered: Vec<&str> = Vec::new();
    while ordered.len() < crates.len() {
        let before = ordered.len();
        for Crate { name, uses } in crates {
            if !ordered.contains(&&**name) && uses.iter().all(|used| ordered.contains(&&**used)) {
                ordered.push(name);
            }
        }
        if ordered.len() == before {
            let left = crates.iter().filter(|one| !ordered.contains(&&*one.name));
            let left: Vec<_> = left.map(|one| format!("{} on {}", one.name, one.uses.join(", "))).collect();
            bail!("these depend on what is not meant for others, or on each other: {}", left.join("; "));
        }
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(name: &str, uses: &[&str]) -> Crate {
        Crate { name: name.into(), uses: uses.iter().map(|name| String::from(*name)).collect() }
    }

    #[test]
    fn a_crate_goes_behind_those_it_depends_on() {
        let crates = [crate_of("a", &["b", "c"]), crate_of("b", &["c"]), crate_of("c", &[])];
        assert_eq!(in_order(&crates).unwrap(), ["c", "b", "a"]);
        let crates = [crate_of("a", &["b"]), crate_of("b", &["a"])];
        assert!(in_order(&crates).unwrap_err().to_string().contains("a on b"));
    }

    #[test]
    fn a_manifest_says_whether_it_is_for_others_and_whom_it_needs() {
        let manifest = "[package]\nname = \"wayleave-x\"\n[dependencies]\nwayleave-y.workspace = true\n\
                        wayleave-z = { workspace = true }\nserde = \"1\"\n";
        let found = of_manifest(manifest).unwrap();
        assert_eq!(
            (&*found.name, found.uses),
            ("wayleave-x", vec!["wayleave-y".to_owned(), "wayleave-z".into()])
        );
        assert!(of_manifest("name = \"wayleave-sim\"\npublish.workspace = true\n").is_none());
    }

    #[test]
    fn every_crate_of_ours_has_its_place() {
        let crates = crates().unwrap();
        assert_eq!(in_order(&crates).unwrap().len(), crates.len());
        assert!(crates.iter().any(|one| one.name == "wayleave-cli"));
    }
}
