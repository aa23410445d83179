//! The files that users write for the command: configurations and keys, in TOML.

use core::fmt::Debug;
use std::collections::BTreeSet;

use toml::{Table, Value};
use wayleave_cli::Failure;
use wayleave_cli::check::{KeyUse, agent_file, key_file, relay_file};

/// Reads a file as each of the kinds that there are.
///
/// What is wrong is said in one line, with a line of the file and without any value of it. What can be read shows no
/// secret, and means the same further down.
pub(crate) fn run(data: &[u8]) {
    // Nothing can stand before a byte order mark.
    let Some(text) = str::from_utf8(data).ok().filter(|text| !text.starts_with('\u{feff}')) else { return };
    let file = File::new(text);
    let _ = (file.check(agent_file), file.check(relay_file));
    let _ = file.check(|text| key_file(text, KeyUse::Mint));
    let checks = file.check(|text| key_file(text, KeyUse::Check));
    let relays = file.check(|text| key_file(text, KeyUse::Relay));
    // A relay takes no more than any other who checks, and the same of it.
    if relays.is_ok() {
        assert_eq!(relays, checks);
    }
}

/// A text, and what of it must not be shown.
struct File<'a> {
    text: &'a str,
    /// Whether it is TOML at all.
    is_toml: bool,
    /// Values that no error may show.
    hidden: BTreeSet<String>,
    /// Values that nothing may show.
    secrets: BTreeSet<String>,
}

impl<'a> File<'a> {
    fn new(text: &'a str) -> Self {
        let mut file = Self { text, is_toml: false, hidden: BTreeSet::new(), secrets: BTreeSet::new() };
        if let Ok(table) = text.parse::<Table>() {
            file.is_toml = true;
            let mut shown = String::new();
            file.note(&Value::Table(table), "", &mut shown);
            file.hidden.retain(|value| !shown.contains(value.as_str()));
            file.secrets.retain(|value| !shown.contains(value.as_str()));
        }
        file
    }

    /// Notes the values below `value`, which stands behind `key`; `shown` gets the names of keys and of files.
    fn note(&mut self, value: &Value, key: &str, shown: &mut String) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.note(value, key, shown)),
            Value::Table(table) => {
                for (key, value) in table {
                    shown.push_str(key);
                    shown.push('\n');
                    self.note(value, key, shown);
                }
            }
            Value::String(text) if SHOWN.contains(&key) => {
                shown.push_str(text);
                shown.push('\n');
            }
            // What is shorter stands in our own sentences.
            Value::String(text) if text.len() >= SHORTEST => {
                if SECRET.contains(&key) {
                    self.secrets.insert(text.clone());
                }
                self.hidden.insert(text.clone());
            }
            _ => {}
        }
    }

    /// What `read` says to the text.
    fn check<T: Debug>(&self, read: impl Fn(&str) -> Result<T, Failure>) -> Result<String, String> {
        let said = say(&read, self.text);
        let lower = say(&read, &format!("\n\n{}", self.text));
        match &said {
            Ok(shown) => {
                for secret in &self.secrets {
                    assert!(!shown.contains(secret.as_str()), "a secret is shown: {shown}");
                }
                assert_eq!(Ok(shown), lower.as_ref());
            }
            Err(error) => {
                self.check_error(error, &read);
                let lower = lower.expect_err("an empty line mends nothing");
                match (split(error), split(&lower)) {
                    ((what, Some(line)), (lower, Some(down))) => {
                        assert_eq!((what, line + 2), (lower, down), "{error}");
                    }
                    (said, lower) => assert_eq!(said, lower),
                }
            }
        }
        said
    }

    fn check_error<T: Debug>(&self, error: &str, read: impl Fn(&str) -> Result<T, Failure>) {
        assert!(!error.contains(char::is_control), "more than a line: {error:?}");
        for value in self.hidden.iter().filter(|value| error.contains(value.as_str())) {
            // Words of ours may stand in the file as well: those are said whatever stands there.
            let without = self.text.replace(value.as_str(), &"x".repeat(value.chars().count()));
            let ours = say(&read, &without).is_err_and(|said| said.contains(value.as_str()));
            assert!(ours, "a value is shown: {error}");
        }
        // Where a syntax error hides what is a value and what is not, these are.
        assert!(self.is_toml || !error.contains(MARK), "a secret is shown: {error}");
        if let (_, Some(line)) = split(error) {
            let lines = 1 + self.text.matches('\n').count();
            assert!((1..=lines).contains(&line), "there are {lines} lines: {error}");
        }
    }
}

/// What came of it, as everybody sees it.
fn say<T: Debug>(read: impl Fn(&str) -> Result<T, Failure>, text: &str) -> Result<String, String> {
    match read(text) {
        Ok(read) => Ok(format!("{read:?}")),
        Err(Failure::Usage(sentence)) => Err(sentence),
        Err(Failure::Run(sentence)) => panic!("no file fails at run time: {sentence}"),
    }
}

/// What an error says, and the line that it names: `relay.toml, line 3: what is wrong`.
fn split(error: &str) -> (&str, Option<usize>) {
    let (place, what) = error.split_once(": ").unwrap_or_default();
    match place.split_once(", line ").map(|(_, line)| line.parse()) {
        Some(Ok(line)) => (what, Some(line)),
        _ => (error, None),
    }
}

/// Keys whose values are shown where something is wrong with them.
const SHOWN: [&str; 1] = ["file"];
/// Keys whose values are shown nowhere.
const SECRET: [&str; 4] = ["local-user", "private_key", "secret", "token"];
/// The shortest value that is looked for.
const SHORTEST: usize = 12;
/// What stands in the secrets of the corpus and of the dictionary.
const MARK: &str = "c3VwZXItc2VjcmV0";
