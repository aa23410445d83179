//! The way to the relays through a proxy of the network: what the user writes.

use core::fmt;
use core::str::FromStr;

use crate::base::{Secret, Target};
use crate::codec::percent;

/// A proxy of the network through which relays are reached: `http://user:password@proxy.example:3128`, `https://…` or
/// `socks5://…`.
///
/// It is asked for a TCP connection to the relay, by the relay's name, which is not looked up on this side; TLS with the relay
/// runs inside, so that it sees nothing but that name. Its own name is looked up here.
#[derive(Clone, PartialEq, Eq)]
pub struct Via {
    scheme: ViaScheme,
    proxy: Target,
    account: Option<Account>,
}

/// What the proxy of a [`Via`] speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViaScheme {
    /// HTTP CONNECT ([RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)).
    Http,
    /// The same over TLS.
    Https,
    /// SOCKS5 ([RFC 1928](https://www.rfc-editor.org/rfc/rfc1928)).
    Socks5,
}

/// Who the user is, for the proxy.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) password: Secret<String>,
}

/// Why a text names no way; it never shows a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ViaError(String);

impl Via {
    /// What the proxy speaks.
    pub const fn scheme(&self) -> ViaScheme {
        self.scheme
    }

    /// Where the proxy is.
    pub const fn proxy(&self) -> &Target {
        &self.proxy
    }

    pub(crate) const fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }
}

impl FromStr for Via {
    type Err = ViaError;

    fn from_str(text: &str) -> Result<Self, ViaError> {
        let wrong = |remedy: &str| ViaError(remedy.to_owned());
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong("write a URL: http://PROXY:PORT, https://PROXY:PORT or socks5://PROXY:PORT"));
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => ViaScheme::Http,
            "https" => ViaScheme::Https,
            "socks5" | "socks5h" => ViaScheme::Socks5,
            _ => {
                return Err(wrong(
                    "the scheme is not supported: it is one of http://, https:// and socks5://",
                ));
            }
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (account, place) = match rest.rsplit_once('@') {
            Some((account, place)) => (Some(account), place),
            None => (None, rest),
        };
        if place.contains(['/', '?', '#']) {
            return Err(wrong(
                "leave out what follows the port; a / in a user name or password is written %2F",
            ));
        }
        let proxy = place.parse().map_err(|error| ViaError(format!("{error}")))?;
        let account = account.map(|account| {
            let (user, password) = account.split_once(':').unwrap_or((account, ""));
            let plain = |text| percent::decode(text).filter(|text| !text.contains(['\r', '\n', '\0']));
            let (Some(user), Some(password)) = (plain(user), plain(password)) else {
                return Err(wrong("write a % in a user name or password as %25, and no line breaks in them"));
            };
            let is_long = user.len() > 255 || password.len() > 255;
            if is_long || (scheme != ViaScheme::Socks5 && user.contains(':')) {
                return Err(wrong("a user name and a password have at most 255 bytes, and no : in the name"));
            }
            Ok(Account { user, password: Secret::new(password) })
        });
        Ok(Self { scheme, proxy, account: account.transpose()? })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            ViaScheme::Http => "http",
            ViaScheme::Https => "https",
            ViaScheme::Socks5 => "socks5",
        };
        write!(f, "{scheme}://{}", self.proxy)
    }
}

impl fmt::Debug for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Via({self})")
    }
}

impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        self.user == other.user && self.password.expose() == other.password.expose()
    }
}

impl Eq for Account {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_read_and_shown_without_its_password() {
        for (text, shown, user) in [
            ("http://proxy.example:3128", "http://proxy.example:3128", None),
            ("HTTPS://proxy.example:443/", "https://proxy.example:443", None),
            ("socks5h://[2001:db8::1]:1080", "socks5://[2001:db8::1]:1080", None),
            ("http://ada:s%40cret@proxy.example:3128", "http://proxy.example:3128", Some(("ada", "s@cret"))),
            ("http://ada:a:b@proxy.example:3128", "http://proxy.example:3128", Some(("ada", "a:b"))),
        ] {
            let via: Via = text.parse().unwrap();
            assert_eq!(via.to_string(), shown);
            let account = via.account().map(|it| (it.user.as_str(), it.password.expose().as_str()));
            assert_eq!(account, user);
            assert!(!format!("{via:?} {via}").contains("cret"));
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_remedy_and_never_with_the_password() {
        for (text, remedy) in [
            ("proxy.example:3128", "write a URL"),
            ("ftp://u:secret@proxy.example:21", "http://, https:// and socks5://"),
            ("http://proxy.example", "port"),
            ("http://u:secret@proxy.example:0", "port"),
            ("http://u:secret@proxy.example:3128/path", "%2F"),
            ("http://u:se%zzcret@proxy.example:3128", "%25"),
            ("http://u:secret%0d@proxy.example:3128", "line breaks"),
        ] {
            let error = text.parse::<Via>().unwrap_err().to_string();
            assert!(error.contains(remedy) && !error.contains("cret"), "{text}: {error}");
        }
    }
}
