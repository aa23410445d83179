//! The same options in a TOML file.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::AgentArgs;
use super::word::Word;
use crate::Failure;

/// Reads the text of the file at `path`.
///
/// The text itself is never shown: the line that is wrong may hold the token.
pub(super) fn parse(path: &Path, text: &str) -> Result<AgentArgs, Failure> {
    let shown = path.display();
    let args: AgentArgs = toml::from_str(text).map_err(|error| {
        let message = error.message().replace("unknown field", "unknown key");
        match error.span() {
            Some(span) => {
                let line = 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
                Failure::usage(format!("{shown}, line {line}: {message}"))
            }
            None => Failure::usage(format!("{shown}: {message}")),
        }
    })?;
    if args.token.is_some() && args.token_file.is_some() {
        return Err(Failure::usage(format!(
            "{shown}: token and token-file exclude each other; keep one of them"
        )));
    }
    Ok(args)
}

/// One option.
pub(super) fn one<'de, D: Deserializer<'de>, T: Word>(deserializer: D) -> Result<Option<T>, D::Error> {
    Given::deserialize(deserializer).map(|given| Some(given.0))
}

/// An option that can be given several times: a text, or a list of them.
pub(super) fn many<'de, D: Deserializer<'de>, T: Word>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(OneOrMany(PhantomData))
}

struct Given<T>(T);

impl<'de, T: Word> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        T::read(&text).map(Self).map_err(Error::custom)
    }
}

struct OneOrMany<T>(PhantomData<T>);

impl<'de, T: Word> Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        T::read(text).map(|value| vec![value]).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            // Only the line of the whole list is known, so that the error repeats which text it is.
            values.push(T::read(&text).map_err(|what| A::Error::custom(format!("{text:?}: {what}")))?);
        }
        Ok(values)
    }
}
