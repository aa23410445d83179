//! TOML files, and where in them a mistake is.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, SeqAccess, Visitor};

use toml::Spanned;
use wayleave_proto::base::Secret;

use super::Word;
use crate::{SettingsError, files};

/// The text of the file at `path`.
///
/// # Errors
/// The file cannot be read, or is no text.
pub fn text_of(path: &Path) -> Result<String, SettingsError> {
    let wrong = |what: &dyn fmt::Display| SettingsError::new(format!("{}: {what}", path.display()));
    let bytes = files::read(path, LONGEST).map_err(|unread| wrong(&unread))?;
    String::from_utf8(bytes).map_err(|_| wrong(&"this is not a text file"))
}

/// The secret in the file at `path`, which is `what`: one word; white space around it does not count.
///
/// # Errors
/// The file cannot be read, or what is in it could be guessed.
pub fn secret_of(path: &Path, what: &str) -> Result<Secret<String>, SettingsError> {
    let text = Secret::new(text_of(path)?);
    let secret = text.expose().trim();
    if (32..=1_024).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Secret::new(secret.to_owned()));
    }
    Err(SettingsError::new(format!(
        "{}: {what} is one word of 32 to 1024 characters that nobody can guess; make one with `openssl rand -hex 32`",
        path.display()
    )))
}

/// Reads `text`, which came from `path`. Nothing of it but names of keys is shown: a line may hold a secret.
///
/// # Errors
/// What is wrong, with its line.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, SettingsError> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().replace("missing field", "missing key");
        let message = unknown(&message).or_else(|| wordless(&message));
        let message = message.or_else(|| unquoted(text, error.span()?.start));
        let message = message.unwrap_or_else(|| error.message().replace("missing field", "missing key"));
        SettingsError::new(format!("{}: {message}", place(path, text, error.span())))
    })
}

/// A sentence of serde about an unknown name, in our words and with the known name that is nearest to it.
fn unknown(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (name, known) = rest.split_once('`')?;
    let mut known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    known.sort_unstable();
    let nearest = known.iter().min_by_key(|known| distance(name, known));
    // A slip of the fingers changes a few letters; else all names are a better help.
    let nearest = nearest.filter(|known| distance(name, known) <= 2.max(name.len().min(known.len()) / 2));
    let hint = match (nearest, known.split_last()) {
        (Some(nearest), _) => format!("; the nearest that is known is `{nearest}`"),
        (None, Some((last, rest))) if !rest.is_empty() => {
            format!("; there are `{}` and `{last}`", rest.join("`, `"))
        }
        _ => String::new(),
    };
    Some(format!("unknown key `{}`{hint}", name.escape_debug()))
}

/// A sentence of serde about a value, without the value, which may be a secret in the wrong place.
fn wordless(message: &str) -> Option<String> {
    let wanted = |rest: &str| rest.rsplit_once(", expected ").map(|(_, wanted)| in_words(wanted).to_owned());
    if message == "invalid type: map, expected a sequence" {
        return Some("write this table with double brackets, like [[jwt]]; there can be several".to_owned());
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return Some(format!("there is no such word, expected {}", wanted(rest)?));
    }
    let rest =
        ["invalid type: string ", "invalid value: string "].iter().find_map(|it| message.strip_prefix(it))?;
    Some(format!("a text stands here, expected {}", wanted(rest)?))
}

/// What to say where a value is a word without quotes, which TOML takes for a broken number or nothing at all.
fn unquoted(text: &str, at: usize) -> Option<String> {
    let begin = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(begin..)?.lines().next()?;
    let (key, value) = line.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let is_list = value.starts_with('[') && value.ends_with(']');
    let is_bare = !value.is_empty() && !value.starts_with(['"', '\'', '[', '{', '#']);
    let is_broken = || format!("it = {value}").parse::<toml::Table>().is_err();
    if !is_key || !(is_bare || is_list) || !is_broken() {
        return None;
    }
    Some(if is_list {
        format!("each text in the list of `{key}` needs quotes: {key} = [\"...\"]")
    } else {
        format!("the value of `{key}` needs quotes: {key} = \"...\"")
    })
}

/// The name of a type, as a person calls it.
fn in_words(wanted: &str) -> &str {
    match wanted {
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "i64" | "u16" | "u32" | "u64" | "usize" => "a whole number without quotes",
        other => other,
    }
}

/// How many letters have to be added, taken away or changed to make `one` of `other`.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.bytes().enumerate() {
        let mut corner = line;
        row[0] = line + 1;
        for (column, b) in other.bytes().enumerate() {
            let changed = corner + usize::from(a != b);
            corner = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

/// Names the file, and the line where `span` begins.
pub(crate) fn place(path: &Path, text: &str, span: Option<Range<usize>>) -> String {
    let shown = path.display();
    let Some(span) = span else { return shown.to_string() };
    let line = 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
    format!("{shown}, line {line}")
}

/// An option that is given once.
pub fn one<'de, D: Deserializer<'de>, T: Word>(deserializer: D) -> Result<Option<T>, D::Error> {
    Given::deserialize(deserializer).map(|given| Some(given.0))
}

/// A value, and where in its file it stands.
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

/// [`one`], with its place.
pub(crate) fn one_at<'de, D: Deserializer<'de>, T: Word>(deserializer: D) -> Result<Option<At<T>>, D::Error> {
    let given = Spanned::<Given<T>>::deserialize(deserializer)?;
    let span = given.span();
    Ok(Some(At { value: given.into_inner().0, span }))
}

/// An option that can be given several times: one value, or a list of them.
pub fn many<'de, D: Deserializer<'de>, T: Word>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(OneOrMany(PhantomData))
}

/// One word.
struct Given<T>(T);

impl<'de, T: Word> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneWord(PhantomData)).map(Self)
    }
}

struct OneWord<T>(PhantomData<T>);

impl<T: Word> Visitor<'_> for OneWord<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::read(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        T::read(&number.to_string()).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::read(&number.to_string()).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        T::read(&number.to_string()).map_err(E::custom)
    }
}

struct OneOrMany<T>(PhantomData<T>);

impl<'de, T: Word> Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        OneWord(PhantomData).visit_str(text).map(|value| vec![value])
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<T>, E> {
        OneWord(PhantomData).visit_i64(number).map(|value| vec![value])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(Given(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

/// More than any file that a person writes has.
const LONGEST: u64 = 4 << 20;
