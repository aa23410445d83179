//! A network of a test's own, in which nothing else is disturbed when it fails.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `scenario` in a network and mounts of its own: this binary once more, for the one `test` (its path below the
/// crate) that is meant. Ports there are its alone, so that it may name them.
pub(crate) fn alone(test: &str, scenario: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        ip("link set lo up");
        return scenario();
    }
    let programs = [("unshare", "util-linux"), ("ip", "iproute2"), ("nft", "nftables"), ("mount", "mount")];
    if programs.iter().any(|(program, package)| wayleave_tests::require(test, program, package).is_none()) {
        return;
    }
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--mount"]);
        if !rustix::process::geteuid().is_root() {
            unshare.args(["--user", "--map-root-user"]);
        }
        unshare.stdin(Stdio::null());
        unshare
    };
    let allowed = unshare().arg("true").output().unwrap();
    if !allowed.status.success() {
        let said = String::from_utf8_lossy(&allowed.stderr);
        let right = format!("a network namespace of its own ({})", said.trim());
        return wayleave_tests::not_run(test, &right, "nothing: run as root, or allow user namespaces");
    }
    let mut again = unshare();
    again.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(INSIDE, "");
    let ran = again.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let error = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("test result: ok. 1 passed"), "{said}{error}");
}

/// `ip` of iproute2 with these words.
pub(crate) fn ip(words: &str) {
    let ran = Command::new("ip").args(words.split_whitespace()).output().unwrap();
    assert!(ran.status.success(), "ip {words}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// A firewall that says nothing: whatever comes and fits one of these rules of nft is gone.
pub(crate) fn drop_silently(rules: &[String]) {
    let rules: String = rules.iter().map(|rule| format!("{rule} drop\n")).collect();
    let table =
        format!("table inet silent {{ chain come {{ type filter hook input priority 0\n{rules}}}\n}}\n");
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{table}");
}

/// Lays `file` over another, for the processes in here.
pub(crate) fn lay_over(file: &Path, other: &str) {
    let ran = Command::new("mount").arg("--bind").arg(file).arg(other).output().unwrap();
    assert!(ran.status.success(), "{other}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// The variable that tells the binary that it runs in its own network.
const INSIDE: &str = "WAYLEAVE_TEST_ALONE";
