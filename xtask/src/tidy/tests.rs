use super::*;

fn broken(path: &str, text: &str) -> Vec<String> {
    let file = File { path: path.into(), text: text.into() };
    faults(&[file]).into_iter().map(|fault| fault.rule).collect()
}

#[test]
fn the_workspace_is_tidy() {
    run().unwrap();
}

#[test]
fn long_and_silent_files_are_found_but_not_long_tests() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(700));
    assert_eq!(broken("xtask/src/a.rs", &long), ["701 lines; split it below 700"]);
    assert!(broken("xtask/src/a/tests.rs", &long).is_empty());
    assert_eq!(broken("xtask/src/a.rs", "fn f() {}\n").len(), 1);
    assert!(broken("xtask/src/a.rs", "#![no_main]\n//! Short.\n").is_empty());
}

#[test]
fn imports_of_the_core_go_down_only() {
    let used =
        |room: &str, line: &str| broken(&format!("{}{room}/a.rs", core()), &format!("//! A.\n{line}\n"));
    for (room, line) in [
        ("codec", "use crate::base::Target;"),
        ("net", "use crate::{base, auth};"),
        ("config", "use crate::carrier::Connector;"),
        ("client", "use crate::route::Routes;"),
        ("client", "use super::Client;"),
        ("base", "/// A word about [`use`](crate::client)."),
    ] {
        assert!(used(room, line).is_empty(), "{room}: {line}");
    }
    for (room, line) in [
        ("base", "use crate::codec::varint;"),
        ("queue", "use crate::{base, net::Machine};"),
        ("client", "use crate::relay::Relay;"),
        ("route", "use crate::local::Front;"),
        ("route", "pub(crate) use crate::client::Client;"),
        ("relay", "    use crate::testing::World;"),
        ("unknown", "use crate::base::Target;"),
    ] {
        assert_eq!(used(room, line).len(), 1, "{room}: {line}");
    }
}

#[test]
fn what_belongs_to_a_carrier_is_named_by_carriers_alone() {
    let named = |path: &str, line: &str| broken(&format!("{}{path}", core()), &format!("//! A.\n{line}\n"));
    for (path, line) in [
        ("client/a.rs", "use crate::carrier::tls::Session;"),
        ("relay/a.rs", "    let pipe = h1::Pipe::new();"),
        ("relay/a.rs", "    self.config.acceptor.accept();"),
        ("net/dial/a.rs", "use crate::codec::h1::HeadReader;"),
    ] {
        assert!(!named(path, line).is_empty(), "{path}: {line}");
    }
    for (path, line) in [
        ("carrier/a.rs", "use crate::carrier::tls::Session;"),
        ("local/a.rs", "use crate::codec::h1::HeadReader;"),
        ("client/a.rs", "// as HTTP/1.1 does, h1"),
        ("client/tests/a.rs", "use crate::carrier::tls::Session;"),
        ("config/client.rs", "use crate::carrier::tls::Connector;"),
    ] {
        assert!(named(path, line).is_empty(), "{path}: {line}");
    }
}

#[test]
fn manifests_point_down_only() {
    assert!(broken("crates/wayleave-cli/Cargo.toml", "wayleave-tokio.workspace = true").is_empty());
    assert!(broken("crates/wayleave-tokio/Cargo.toml", "wayleave-drive.workspace = true").is_empty());
    assert!(broken("crates/wayleave-sim/Cargo.toml", "wayleave-drive.workspace = true").is_empty());
    assert!(broken("tests/Cargo.toml", "wayleave-cli = { workspace = true }").is_empty());
    assert!(broken("fuzz/libfuzzer/Cargo.toml", "wayleave-fuzz = { path = \"..\" }").is_empty());
    for (path, line) in [
        ("crates/wayleave-proto/Cargo.toml", "wayleave-tokio.workspace = true"),
        ("crates/wayleave-proto/Cargo.toml", "wayleave-drive.workspace = true"),
        ("crates/wayleave-drive/Cargo.toml", "wayleave-sockets.workspace = true"),
        ("crates/wayleave-std/Cargo.toml", "wayleave-tokio.workspace = true"),
        ("crates/wayleave-tokio/Cargo.toml", "wayleave-cli = { path = \"..\" }"),
        ("xtask/Cargo.toml", "wayleave-proto.workspace = true"),
    ] {
        assert_eq!(broken(path, line).len(), 1, "{path}");
    }
}

#[test]
fn host_paths_and_markers_are_found_and_their_likes_are_not() {
    for line in
        [concat!("see /wo", "rk/x"), concat!("\"/t", "mp/x\""), concat!("// TO", "DO: x"), concat!("XX", "X")]
    {
        assert_eq!(broken("a.md", line).len(), 1, "{line}");
    }
    for line in [concat!("XX", "XX"), concat!("$DIR/t", "mp/x"), concat!("$(mktemp)/ro", "ot/"), "tmp"] {
        assert!(broken("a.md", line).is_empty(), "{line}");
    }
}

#[test]
fn citations_have_one_form() {
    for line in [
        "RFC 9298 and RFC 9297 §3.1, RFC 9298 §2. The RFCs",
        "[RFC 9298 §3.1](https://www.rfc-editor.org/rfc/rfc9298#section-3.1)",
        "[RFC 9298](https://www.rfc-editor.org/rfc/rfc9298)",
        "[RFC 5234 §B.1](https://www.rfc-editor.org/rfc/rfc5234#appendix-B.1)",
        "fn rfc_7515_a_1() {}",
    ] {
        assert!(broken("a.md", line).is_empty(), "{line}");
    }
    let wrong = [
        ("RFC", "9298"),
        ("RFC", "-9298"),
        ("RFC", " 9298§3"),
        ("RFC", " 9298 § 3"),
        ("RFC", " 9298, section 3"),
        ("RFC", " 9298 Section 3"),
    ];
    for (rfc, rest) in wrong {
        assert_eq!(broken("a.md", &format!("{rfc}{rest}")).len(), 1, "{rest}");
    }
    let astray = ["RFC", " 9298 §3](https://www.rfc-editor.org/rfc/rfc9298#section-4)"].concat();
    assert_eq!(broken("a.md", &format!("[{astray}")).len(), 1);
}

#[test]
fn methods_of_a_machine_that_call_each_other_in_a_ring_are_found() {
    let file = |name: &str, body: &str| File {
        path: format!("{}client/{name}.rs", core()),
        text: format!("//! A.\n\nimpl Client {{\n{body}}}\n"),
    };
    let method =
        |name: &str, body: &str| format!("    pub(super) fn {name}(&mut self) {{\n        {body}\n    }}\n");
    let found = |files: &[File]| {
        let faults = faults(files).into_iter();
        faults.filter(|fault| fault.path.contains("client/")).map(|fault| fault.rule).collect::<Vec<_>>()
    };
    let ring = |methods: &str| vec![format!("methods of Client call each other in a ring: {methods}")];
    let there = file("a", &method("there", "if self.is_far() { self.back(1) }"));
    assert!(
        found(&[there.clone(), file("b", &method("back", "self.stay(); self.pool.there();"))]).is_empty()
    );
    assert!(found(&[there.clone(), file("b", &method("back", "// self.there()"))]).is_empty());
    assert!(found(&[there.clone(), file("b/tests", &method("back", "self.there()"))]).is_empty());
    assert_eq!(found(&[there.clone(), file("b", &method("back", "self.there();"))]), ring("back, there"));
    let by_name = file("b", &method("back", "ids.for_each(Self::there);"));
    assert_eq!(found(&[there, by_name]), ring("back, there"));
    assert_eq!(found(&[file("a", &method("again", "self.again();"))]), ring("again"));
}

#[test]
fn a_module_with_a_folder_lives_in_it() {
    let file = |path: &str| File { path: path.into(), text: "//! A.\n".into() };
    assert_eq!(faults(&[file("a/b.rs"), file("a/b/c.rs")]).len(), 1);
    assert!(faults(&[file("a/b/mod.rs"), file("a/b/c.rs")]).is_empty());
}

fn core() -> &'static str {
    "crates/wayleave-proto/src/"
}
