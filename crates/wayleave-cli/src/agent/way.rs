//! `--via`: the proxies of the network by which relays are reached.

use wayleave_proto::base::{Secret, Target};
use wayleave_proto::config::{NoProxy, SystemVia, SystemViaError, Via};

use crate::Failure;

/// How the relays are reached.
#[derive(Debug, Default)]
pub(crate) struct Way {
    pub(crate) via: Vec<Via>,
    pub(crate) no_via: NoProxy,
    /// What the environment said of it, where that was asked.
    pub(crate) told: Option<String>,
}

impl Way {
    /// Reads what was said to `--via`, which no error shows as it was written: there may be a password in it.
    ///
    /// # Errors
    /// What is wrong with one of `texts`, or with what `system` finds in the environment, and how to mend it.
    pub(crate) fn read(
        texts: &[Secret<String>],
        system: impl FnOnce() -> Result<SystemVia, SystemViaError>,
    ) -> Result<Self, Failure> {
        let is_system = |text: &Secret<String>| text.expose() == "system";
        match texts {
            [text] if is_system(text) => {
                let found = system().map_err(|error| Failure::usage(format!("--via system: {error}")))?;
                let told = Some(format!("--via system: relays are reached {found}"));
                Ok(Self {
                    via: found.via.into_iter().map(|(via, _)| via).collect(),
                    no_via: found.no_via,
                    told,
                })
            }
            texts if texts.iter().any(is_system) => Err(Failure::usage(
                "--via system stands alone: leave out the other --via, or write URLs only",
            )),
            texts => {
                let read = |text: &Secret<String>| {
                    text.expose().parse().map_err(|error| Failure::usage(format!("--via: {error}")))
                };
                Ok(Self { via: texts.iter().map(read).collect::<Result<_, _>>()?, ..Self::default() })
            }
        }
    }

    /// The proxies of the network through which `relay` is reached; none where it is reached directly.
    pub(crate) fn to(&self, relay: &Target) -> &[Via] {
        if self.no_via.has(&relay.host) { &[] } else { &self.via }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str], variables: &[(&str, &str)]) -> Result<Way, String> {
        let texts: Vec<Secret<String>> = texts.iter().map(|text| Secret::new((*text).to_owned())).collect();
        let system = || {
            SystemVia::read(|name| {
                let found = variables.iter().find(|(it, _)| *it == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        Way::read(&texts, system).map_err(|failure| match failure {
            Failure::Usage(sentence) => sentence,
            Failure::Run(sentence) => format!("at run time: {sentence}"),
        })
    }

    #[test]
    fn the_environment_counts_where_it_is_asked() {
        let variables = [("https_proxy", "ada:s3cret@proxy.example:3128"), ("no_proxy", "near.example")];
        let way = read(&["system"], &variables).unwrap();
        let told = way.told.as_deref().unwrap();
        assert!(told.contains("through http://proxy.example:3128 (https_proxy)"), "{told}");
        assert!(told.contains("near.example") && !told.contains("s3cret"), "{told}");
        assert_eq!(way.to(&"far.example:443".parse().unwrap()).len(), 1);
        assert_eq!(way.to(&"a.near.example:443".parse().unwrap()).len(), 0);
        let way = read(&["http://other.example:1"], &variables).unwrap();
        assert_eq!(way.via[0].to_string(), "http://other.example:1");
        assert!(way.told.is_none() && way.to(&"near.example:443".parse().unwrap()).len() == 1);
        let way = read(&["system"], &[]).unwrap();
        assert!(way.via.is_empty() && way.told.unwrap().contains("none of https_proxy, HTTPS_PROXY"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_remedy_and_never_with_the_password() {
        for (texts, value, remedy) in [
            (&["system", "http://ada:s3cret@a:1"][..], "http://a:1", "--via system stands alone"),
            (&["System"], "http://a:1", "--via: write a URL"),
            (
                &["system"],
                "ftp://ada:s3cret@a:1",
                "--via system: the environment variable https_proxy: the scheme",
            ),
            (&["http://a:1", "http://ada:s3cret@b"], "", "--via: the port is missing"),
        ] {
            let error = read(texts, &[("https_proxy", value)]).unwrap_err();
            assert!(error.starts_with(remedy) && !error.contains("s3cret"), "{texts:?}: {error}");
        }
    }
}
