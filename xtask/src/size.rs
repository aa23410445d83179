//! How large the least program is that embeds a client.

use std::fs;

use anyhow::ensure;

use crate::shell::{cargo, check, target_dir};

/// Builds the example `minimal` of `wayleave-tokio` as a product would be built, without symbols and with link-time optimisation
/// over everything, and prints its size.
///
/// # Errors
/// It cannot be built, or is larger than it should be.
pub(crate) fn run() -> anyhow::Result<()> {
    let words = ["build", "--release", "--package", "wayleave-tokio", "--example", "minimal"];
    // What our own release profile leaves at `thin`, to build faster.
    let product = ["--config", "profile.release.strip=true", "--config", "profile.release.lto=\"fat\""];
    check(cargo(&[words.as_slice(), &product].concat()))?;
    let name = format!("minimal{}", std::env::consts::EXE_SUFFIX);
    let bytes = fs::metadata(target_dir().join("release/examples").join(name))?.len();
    println!("{bytes} bytes, of {MOST} at most");
    ensure!(bytes <= MOST, "a minimal embedder is too large");
    Ok(())
}

/// What an SDK can carry along.
const MOST: u64 = 2_700_000;
