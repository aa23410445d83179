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

/// Another network behind a wire: this one is 192.0.2.2 on it, that one 192.0.2.1 and 192.0.2.3.
#[cfg(target_os = "linux")]
pub(crate) struct Beyond(std::fs::File);

#[cfg(target_os = "linux")]
impl Beyond {
    pub(crate) fn new() -> Self {
        // The names of networks are kept in a folder, which is that of this test alone.
        let ran = Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        ip("netns add beyond");
        ip("link add wire0 type veth peer name wire1 netns beyond");
        ip("address add 192.0.2.2/24 dev wire0");
        ip("link set wire0 up");
        let beyond = Self(std::fs::File::open("/run/netns/beyond").unwrap());
        beyond.run(|| {
            ip("link set lo up");
            ip("address add 192.0.2.1/24 dev wire1");
            ip("address add 192.0.2.3/24 dev wire1");
            ip("link set wire1 up");
        });
        beyond
    }

    /// Does something there: sockets and programs that it makes are in that network for good.
    pub(crate) fn run<T: Send>(&self, there: impl FnOnce() -> T + Send) -> T {
        use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
        use std::os::fd::AsFd;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                there()
            });
            thread.join().unwrap()
        })
    }
}

/// Loads `rules` with nft.
pub(crate) fn nft(rules: &str) {
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

/// A firewall that says nothing: whatever comes and fits one of these rules of nft is gone.
pub(crate) fn drop_silently(rules: &[String]) {
    let rules: String = rules.iter().map(|rule| format!("{rule} drop\n")).collect();
    let table =
        format!("table inet silent {{ chain come {{ type filter hook input priority 0\n{rules}}}\n}}\n");
    nft(&table);
}

/// Lays `file` over another, for the processes in here.
pub(crate) fn lay_over(file: &Path, other: &str) {
    let ran = Command::new("mount").arg("--bind").arg(file).arg(other).output().unwrap();
    assert!(ran.status.success(), "{other}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// The variable that tells the binary that it runs in its own network.
const INSIDE: &str = "WAYLEAVE_TEST_ALONE";
