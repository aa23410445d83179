//! The way to the relays that the environment of a process names.

use core::fmt;

use super::{NoProxy, Via, ViaError};

/// What the environment says of the way to the relays, by the rules that curl follows for `https://`.
///
/// The proxy is the first that is there of `https_proxy`, `HTTPS_PROXY`, `all_proxy` and `ALL_PROXY`; what is reached without
/// it is `no_proxy`, or else `NO_PROXY`. An empty variable counts as none. `http_proxy` is of no account: nothing to a relay
/// goes in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemVia {
    /// The proxy of the network and the variable that names it, where there is one.
    pub via: Option<(Via, &'static str)>,
    /// What is reached without it.
    pub no_via: NoProxy,
}

/// A variable of the environment that cannot be used; it never shows a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable}: {problem}")]
#[non_exhaustive]
pub struct SystemViaError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub problem: ViaError,
}

impl SystemVia {
    /// Reads what `variable` tells of each variable by its name.
    ///
    /// A value without a scheme is `http://`, and one without a port has 443 for `https://` and 1080 for all else; what stands
    /// behind host and port is left out. `socks5://` is what `socks5h://` is: names are looked up by the proxy.
    ///
    /// # Errors
    /// The proxy has a scheme that is not supported, or is no URL.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SystemViaError> {
        let first = |names: &[&'static str]| {
            let said = |name: &&'static str| Some((variable(name).filter(|value| !value.is_empty())?, *name));
            names.iter().find_map(said)
        };
        let via = match first(&PROXY) {
            Some((value, variable)) => {
                let via = complete(&value).parse();
                Some((via.map_err(|problem| SystemViaError { variable, problem })?, variable))
            }
            None => None,
        };
        let Ok(no_via) = first(&NO_PROXY).map(|(value, _)| value).unwrap_or_default().parse();
        Ok(Self { via, no_via })
    }
}

impl fmt::Display for SystemVia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((via, variable)) = &self.via else {
            return write!(f, "without a proxy, since none of {} is set", PROXY.join(", "));
        };
        write!(f, "through {via} ({variable})")?;
        if self.no_via == NoProxy::default() {
            return Ok(());
        }
        match self.no_via.to_string().as_str() {
            "" => {}
            list => write!(f, ", but those in {list} directly (no_proxy)")?,
        }
        match self.no_via.ignored() {
            [] => Ok(()),
            ignored => write!(
                f,
                "; in no_proxy this stands for no host, since entries have commas between them and no ports: {}",
                ignored.join(", ")
            ),
        }
    }
}

/// The URL with its scheme and its port.
fn complete(value: &str) -> String {
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let (account, place) = match rest.rsplit_once('@') {
        Some((account, place)) => (format!("{account}@"), place),
        None => (String::new(), rest),
    };
    let place = place.split(['/', '?', '#']).next().unwrap_or_default();
    let has_port = place.rsplit(']').next().is_some_and(|behind| behind.contains(':'));
    let port = match scheme {
        _ if has_port || place.is_empty() => "",
        "https" => ":443",
        _ => ":1080",
    };
    format!("{scheme}://{account}{place}{port}")
}

const PROXY: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<SystemVia, SystemViaError> {
        SystemVia::read(|name| {
            let found = variables.iter().find(|(it, _)| *it == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_first_variable_in_the_order_of_curl_counts() {
        for (variables, told) in [
            (&[("http_proxy", "http://a:1"), ("HTTP_PROXY", "http://a:1")][..], "without a proxy"),
            (&[("ALL_PROXY", "http://a:1")], "through http://a:1 (ALL_PROXY)"),
            (&[("ALL_PROXY", "http://a:1"), ("all_proxy", "http://b:1")], "through http://b:1 (all_proxy)"),
            (
                &[("all_proxy", "http://b:1"), ("HTTPS_PROXY", "http://c:1")],
                "through http://c:1 (HTTPS_PROXY)",
            ),
            (
                &[("HTTPS_PROXY", "http://c:1"), ("https_proxy", "http://d:1")],
                "through http://d:1 (https_proxy)",
            ),
            (&[("HTTPS_PROXY", "http://c:1"), ("https_proxy", "")], "through http://c:1 (HTTPS_PROXY)"),
            (
                &[("https_proxy", "u:s3cret@d:1"), ("NO_PROXY", ".b,c:1"), ("no_proxy", "")],
                "through http://d:1 (https_proxy), but those in b directly (no_proxy); in no_proxy this stands for no host, since entries have commas between them and no ports: c:1",
            ),
            (
                &[("https_proxy", "d:1"), ("NO_PROXY", "b"), ("no_proxy", "*")],
                "through http://d:1 (https_proxy), but those in * directly (no_proxy)",
            ),
            (&[("https_proxy", "d:1"), ("no_proxy", " , ")], "through http://d:1 (https_proxy)"),
        ] {
            let shown = read(variables).unwrap().to_string();
            assert!(shown == told || shown.starts_with("without") && told == "without a proxy", "{shown}");
        }
    }

    #[test]
    fn a_value_is_completed_as_curl_does() {
        for (value, whole) in [
            ("proxy.example", "http://proxy.example:1080"),
            ("proxy.example:3128", "http://proxy.example:3128"),
            ("ada:s3cret@proxy.example:3128/path?query#place", "http://proxy.example:3128"),
            ("https://proxy.example", "https://proxy.example:443"),
            ("socks5h://ada:s3@cret@[2001:db8::1]", "socks5://[2001:db8::1]:1080"),
            ("http://[2001:db8::1]:3128/", "http://[2001:db8::1]:3128"),
        ] {
            let (via, _) = read(&[("https_proxy", value)]).unwrap().via.unwrap();
            assert_eq!(via.to_string(), whole, "{value}");
        }
        let (via, _) = read(&[("https_proxy", "ada:s%40cret@proxy.example")]).unwrap().via.unwrap();
        let account = via.account().map(|it| (it.user.as_str(), it.password.expose().as_str()));
        assert_eq!(account, Some(("ada", "s@cret")));
    }

    #[test]
    fn what_cannot_be_used_names_its_variable_and_never_the_password() {
        for (value, remedy) in [
            ("socks4://ada:s3cret@proxy.example", "http://, https:// and socks5://"),
            ("ada:s3cret@", "port"),
            ("ada:s3cret@proxy.example:0", "port"),
            ("ada:s3cret@pro xy:1", "name"),
            ("http://ada:s3cret%@proxy.example", "%25"),
        ] {
            let error = read(&[("ALL_PROXY", value)]).unwrap_err().to_string();
            let names = error.starts_with("the environment variable ALL_PROXY: ");
            assert!(names && error.contains(remedy) && !error.contains("s3cret"), "{value}: {error}");
        }
    }
}
