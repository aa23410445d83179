//! What a proxy of the network wants to know of its user, and the answers: challenges
//! ([RFC 9110 §11.7.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.7.1)), Basic
//! ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)) and Digest ([RFC 7616](https://www.rfc-editor.org/rfc/rfc7616)).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::digest;

#[cfg(test)]
mod tests;

/// How a proxy wants its users to prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// By name and password, as they are.
    Basic,
    /// By a digest of them.
    Digest(DigestChallenge),
}

/// What goes into a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestChallenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// The digest is bound to the session.
    session: bool,
    /// It offers `auth`; where it offers nothing, the older form of RFC 2069 is meant.
    auth: bool,
    /// It wants the digest of the user's name in place of the name.
    userhash: bool,
    /// Only the nonce was too old.
    pub stale: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Sha256,
}

/// Why none of what a proxy offers can be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// Digest with integrity of the content, which a CONNECT has none of.
    #[error("it wants Digest with auth-int alone, which covers content and no tunnel: let it offer auth")]
    AuthInt,
    /// Other schemes.
    #[error("it offers {0} and neither Basic nor Digest, which are what is known here")]
    Schemes(String),
}

/// The best of what the values of Proxy-Authenticate offer: Digest with SHA-256, then with MD5, then Basic.
///
/// # Errors
/// Nothing of it can be answered.
pub fn choose<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Challenge, Unanswerable> {
    let (mut best, mut is_auth_int, mut names) = (None, false, Vec::new());
    for (scheme, parameters) in values.into_iter().flat_map(challenges) {
        names.push(scheme.clone());
        let (rank, challenge) = if scheme.eq_ignore_ascii_case("basic") {
            (0, Challenge::Basic)
        } else if scheme.eq_ignore_ascii_case("digest") {
            match DigestChallenge::of(&parameters) {
                Some(Ok(digest)) => (1 + digest.algorithm as u8, Challenge::Digest(digest)),
                Some(Err(())) => {
                    is_auth_int = true;
                    continue;
                }
                None => continue,
            }
        } else {
            continue;
        };
        if best.as_ref().is_none_or(|(than, _)| rank > *than) {
            best = Some((rank, challenge));
        }
    }
    match best {
        Some((_, challenge)) => Ok(challenge),
        None if is_auth_int => Err(Unanswerable::AuthInt),
        None if names.is_empty() => Err(Unanswerable::Schemes("no scheme".into())),
        None => Err(Unanswerable::Schemes(super::text::escaped(names.join(", ").as_bytes(), MOST_NAMES))),
    }
}

/// The schemes that the values of Proxy-Authenticate offer, as they are written there: escaped, cut, and in their order.
pub fn offered<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = values.into_iter().flat_map(challenges).map(|(scheme, _)| scheme).collect();
    super::text::escaped(names.join(", ").as_bytes(), MOST_NAMES)
}

impl Challenge {
    /// The value of Proxy-Authorization that answers it, for a request with that method and URI. `count` says how often its
    /// nonce was answered, this time included; `cnonce` is a word that nobody can guess.
    pub fn answer(
        &self,
        (user, password): (&str, &str),
        (method, uri): (&str, &str),
        cnonce: &str,
    ) -> String {
        match self {
            Self::Basic => format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
            Self::Digest(digest) => digest.answer((user, password), (method, uri), cnonce),
        }
    }
}

impl DigestChallenge {
    /// Reads its parameters; `None` where it is none that could be answered, an error where it offers `auth-int` alone.
    fn of(parameters: &[(String, String)]) -> Option<Result<Self, ()>> {
        let find = |name: &str| {
            let found = parameters.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let algorithm = find("algorithm").unwrap_or("MD5").to_ascii_uppercase();
        let (name, session) = match algorithm.strip_suffix("-SESS") {
            Some(name) => (name, true),
            None => (algorithm.as_str(), false),
        };
        let algorithm = match name {
            "MD5" => Algorithm::Md5,
            "SHA-256" => Algorithm::Sha256,
            _ => return None,
        };
        let offers = |qop: &str| find("qop").is_some_and(|list| list.split(',').any(|it| it.trim() == qop));
        if find("qop").is_some() && !offers("auth") {
            return offers("auth-int").then_some(Err(()));
        }
        Some(Ok(Self {
            realm: find("realm")?.to_owned(),
            nonce: find("nonce")?.to_owned(),
            opaque: find("opaque").map(str::to_owned),
            algorithm,
            session,
            auth: offers("auth"),
            userhash: find("userhash").is_some_and(|it| it.eq_ignore_ascii_case("true")),
            stale: find("stale").is_some_and(|it| it.eq_ignore_ascii_case("true")),
        }))
    }

    /// [RFC 7616 §3.4](https://www.rfc-editor.org/rfc/rfc7616#section-3.4).
    fn answer(&self, (user, password): (&str, &str), (method, uri): (&str, &str), cnonce: &str) -> String {
        let Self { realm, nonce, algorithm, .. } = self;
        let hash = |text: String| algorithm.hash(&text);
        let mut secret = hash(format!("{user}:{realm}:{password}"));
        if self.session {
            secret = hash(format!("{secret}:{nonce}:{cnonce}"));
        }
        let request = hash(format!("{method}:{uri}"));
        let response = if self.auth {
            hash(format!("{secret}:{nonce}:00000001:{cnonce}:auth:{request}"))
        } else {
            hash(format!("{secret}:{nonce}:{request}"))
        };
        let user = if self.userhash { hash(format!("{user}:{realm}")) } else { user.to_owned() };
        let name = match (algorithm, self.session) {
            (Algorithm::Md5, false) => "MD5",
            (Algorithm::Md5, true) => "MD5-sess",
            (Algorithm::Sha256, false) => "SHA-256",
            (Algorithm::Sha256, true) => "SHA-256-sess",
        };
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, algorithm={name}, response=\"{response}\"",
            quoted(&user),
            quoted(realm),
            quoted(nonce),
            quoted(uri),
        );
        if let Some(opaque) = &self.opaque {
            value += &format!(", opaque={}", quoted(opaque));
        }
        if self.auth || self.session {
            value += &format!(", cnonce={}", quoted(cnonce));
        }
        if self.auth {
            value += ", qop=auth, nc=00000001";
        }
        if self.userhash {
            value += ", userhash=true";
        }
        value
    }
}

impl Algorithm {
    fn hash(self, text: &str) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()),
        }
    }
}

/// The challenges in one value of Proxy-Authenticate, each with its parameters; what follows something that cannot be read is
/// left out.
fn challenges(value: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let length = rest.find(|c: char| !is_token(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length);
        if word.is_empty() {
            return found;
        }
        rest = behind.trim_start_matches([' ', '\t']);
        let is_parameter = rest.starts_with('=') && !found.is_empty();
        let Some((_, parameters)) = found.last_mut().filter(|_| is_parameter) else {
            found.push((word.to_owned(), Vec::new()));
            continue;
        };
        rest = rest.trim_start_matches('=').trim_start_matches([' ', '\t']);
        let Some((value, behind)) = parameter(rest) else { return found };
        parameters.push((word.to_owned(), value));
        rest = behind;
    }
}

/// The value of a parameter, quoted or not, and what stands behind it.
fn parameter(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let length = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, behind) = text.split_at(length);
        return Some((value.to_owned(), behind));
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (place, c) in quoted.char_indices() {
        match c {
            _ if is_escaped => {
                value.push(c);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '"' => return Some((value, quoted.get(place + 1..)?)),
            c => value.push(c),
        }
    }
    None
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

const fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(
            c,
            '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '.' | '^' | '_' | '`' | '|' | '~' | '/'
        )
}

const MOST_NAMES: usize = 80;
