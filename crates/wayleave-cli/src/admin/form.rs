//! `NAME=VALUE&NAME=VALUE`, as HTML forms write it.

use form_urlencoded::{Serializer, parse};

/// The names and values in `text`; `None` where it is malformed. What browsers forgive is refused here: a name that was not
/// meant is the wrong user's.
pub(crate) fn decode(text: &str) -> Option<Vec<(String, String)>> {
    let text = text.trim();
    let is_whole = text.split('&').all(|pair| pair.is_empty() || pair.contains('='));
    let escaped = |rest: &str| rest.get(..2).is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
    let pairs: Vec<_> = parse(text.as_bytes()).into_owned().collect();
    let is_text = pairs.iter().all(|(name, value)| !name.contains(NO_TEXT) && !value.contains(NO_TEXT));
    (is_whole && text.split('%').skip(1).all(escaped) && is_text).then_some(pairs)
}

/// The text of these pairs.
pub(crate) fn encode(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What stands where bytes are no text.
const NO_TEXT: char = char::REPLACEMENT_CHARACTER;
