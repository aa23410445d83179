//! `cargo xtask miri`: the core's unit tests that need no cryptography, under Miri.

use std::process::Stdio;
use std::time::Instant;

use anyhow::bail;

use crate::shell::{check, nightly, target_dir};

/// Interprets the tests of the rooms that call no foreign code and lets Miri look for undefined behaviour. The core has
/// no unsafe code of its own, so what is looked at is how it uses the crates below it.
///
/// # Errors
/// Miri is missing, or a test fails.
pub(crate) fn run() -> anyhow::Result<()> {
    let has_miri = nightly(&["miri", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !has_miri.is_ok_and(|status| status.success()) {
        bail!(
            "NOTHING WAS CHECKED: Miri is missing; \
             `rustup toolchain install nightly --component miri --component rust-src`"
        );
    }
    let started = Instant::now();
    let mut command = nightly(&["miri", "test", "--package", "wayleave-proto", "--lib"]);
    command.env("CARGO_TARGET_DIR", target_dir().join("miri")).args([
        "--",
        "-Zunstable-options",
        "--report-time",
    ]);
    command.args(ROOMS);
    for test in NEED_RING.iter().chain(&TOO_LONG) {
        command.args(["--skip", test]);
    }
    check(command)?;
    println!("Miri found nothing in {}, in {:.0} s", ROOMS.join(" "), started.elapsed().as_secs_f64());
    Ok(())
}

/// What never comes to ring, which is assembly: no keys, no TLS, no client and no relay, and no password of the agent's
/// doors.
const ROOMS: [&str; 10] = [
    "base::",
    "carrier::h1::",
    "codec::",
    "local::tests::association::",
    "local::tests::forward::",
    "net::dial::",
    "net::race::",
    "policy::",
    "queue::",
    "route::",
];
/// Tests in those rooms that digest, or draw random numbers from streams that ring derives from the seed.
const NEED_RING: [&str; 3] = ["base::tests::streams_of_a_seed", "codec::digest::", "route::tests::edges::"];
/// Tests that try every place to cut something or a head without end: minutes each when interpreted, for code that the
/// others run too.
const TOO_LONG: [&str; 5] = ["any_pieces", "endless", "every_byte", "every_split", "every_truncation"];
