use std::process::{Command, Stdio};

use super::*;
use crate::lines::Outlet as _;

#[test]
fn what_is_missing_is_told_in_the_format_of_the_log() {
    let text = StandardError { format: LogFormat::Text }.left_out(7);
    assert!(text.contains(" WARN 7 lines of the log were left out") && text.ends_with('\n'), "{text}");
    let json = StandardError { format: LogFormat::Json }.left_out(7);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["left_out"], &value["level"]), (&7.into(), &"WARN".into()));
}

/// Run by the test below, in a process of its own.
#[test]
fn panics_where_it_is_asked_to() {
    if env::var_os(ASKED).is_some() {
        start(Some("info"), LogFormat::Text).unwrap();
        end_at_panics();
        let thread = std::thread::spawn(|| panic!("of a thread"));
        let _ = thread.join();
        process::exit(0);
    }
}

#[test]
fn a_panic_anywhere_ends_the_process_and_says_where() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "log::tests::panics_where_it_is_asked_to", "--nocapture"])
        .env(ASKED, "1")
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(PANICKED), "{said}");
    assert!(said.contains("log/tests.rs") && said.contains("of a thread"), "{said}");
}

const ASKED: &str = "WAYLEAVE_TEST_PANIC";
