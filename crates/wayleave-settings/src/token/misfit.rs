//! What people give for a token that is more, or something else.

/// What is wrong with a text that was given for a token, the rest of a sentence that began with it; nothing of it is
/// repeated.
pub fn misfit(text: &str) -> Option<&'static str> {
    let begins = |word: &str| text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    if text.contains("[[") {
        return Some("is a key file; `wayleave token mint --keys FILE` makes a token by it");
    }
    if begins("bearer ") || begins("basic ") {
        return Some("begins with the word Bearer or Basic; leave it out, the token alone belongs here");
    }
    if text.starts_with(['"', '\'']) {
        return Some("stands in quotes; leave them out, the token alone belongs here");
    }
    if text.split_once('=').is_some_and(|(name, _)| is_name(name)) {
        return Some("is a line like NAME=VALUE; leave the name out, the token alone belongs here");
    }
    None
}

/// Whether a text is a token, given where something else is wanted.
pub fn is_token(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("eyJ") && text.split('.').count() == 3 && !text.contains(char::is_whitespace)
}
