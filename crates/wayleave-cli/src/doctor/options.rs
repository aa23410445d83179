//! What a user can say to `wayleave check`, and what is to be checked by it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use wayleave_agent::Underlay;
use wayleave_proto::auth::{AppId, Credential};
use wayleave_proto::base::{Kind, Network, Secret, Target};
use wayleave_proto::config::{Mode, Probe, RouteConfig};
use wayleave_settings::options::read;
use wayleave_settings::{files, keys, token};
use wayleave_sockets::{
    connector_with_ca, platform_connector, platform_verifier, system_via, verifier_with_ca,
};

use super::probe::Plan;
use crate::Failure;
use crate::agent::{AgentArgs, Way};

/// Find out why it does not connect: every step to each relay, what each found, and what to do.
///
/// Each step has a result of its own: ok, failed or unknown, with a code that stays as it is. The exit status is 0 where it
/// works with one relay at least, 1 where it does not, and 2 for a wrong argument. docs/troubleshooting.md has every code.
#[derive(Debug, Default, Args)]
pub(crate) struct CheckArgs {
    /// Check what an agent with this file would do: its relays, the proxies in front of them, credential, targets of forwards, probes and mode
    ///
    /// What is given here wins.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// A relay; can be given several times
    #[arg(long, value_name = "HOST:PORT", value_parser = read::<Target>)]
    proxy: Vec<Target>,

    /// Through this proxy of the network, or system, as the agent has it: then the proxy is checked too, and everything behind it
    /// through it; can be given several times
    ///
    /// The first that leads to the relay is used for what follows. A password is seen by other users of this machine here, so
    /// prefer --config.
    #[arg(long, value_name = "URL|system", value_parser = read::<Secret<String>>)]
    via: Vec<Secret<String>>,

    /// Trust the relays whose certificates the authorities in this PEM file have signed, and no other
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// The token; other users of this machine can see it on the command line, so prefer --token-file
    ///
    /// The environment variable WAYLEAVE_TOKEN does the same.
    #[arg(long, value_name = "TOKEN", value_parser = read::<Secret<String>>, conflicts_with_all = ["token_file", "app_sign_file"])]
    token: Option<Secret<String>>,

    /// Read the token from this file
    #[arg(long, value_name = "FILE", conflicts_with = "app_sign_file")]
    token_file: Option<PathBuf>,

    /// The application whose app sign --app-sign-file holds
    #[arg(long, value_name = "ID", value_parser = read::<AppId>, requires = "app_sign_file")]
    app_id: Option<AppId>,

    /// Prove the application's own key instead of a token: a file with its 64 hexadecimal characters
    #[arg(long, value_name = "FILE", requires = "app_id")]
    app_sign_file: Option<PathBuf>,

    /// Something to reach, through each relay and directly beside it; can be given several times
    ///
    /// tcp:HOST:PORT is any server, udp:HOST:PORT a STUN server.
    #[arg(long, value_name = "KIND:HOST:PORT", value_parser = read::<Probe>)]
    target: Vec<Probe>,

    /// Also leave connections idle for up to this time, to see when the network forgets them, at most 4m [default: 2m]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "2m", value_parser = read::<Duration>)]
    pub(super) long: Option<Duration>,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,

    /// Also write a page for a browser to this file, to send to whoever can help; no token and no key is in it
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,

    /// Print every code with its meaning and remedy as Markdown, and check nothing
    #[arg(long, hide = true)]
    pub(super) codes: bool,
}

impl CheckArgs {
    /// What is to be checked.
    ///
    /// # Errors
    /// What is wrong with the arguments, and how to mend it.
    pub(super) fn plan(self, environment: Option<String>) -> Result<Plan, Failure> {
        if let Some(long) = self.long.filter(|long| !(SHORTEST_IDLE..=LONGEST_IDLE).contains(long)) {
            return Err(Failure::usage(format!("--long: give a time from 1s to 4m, not {long:?}")));
        }
        let own = self.token.is_some() || self.token_file.is_some() || self.app_sign_file.is_some();
        let mut wanted = self;
        let mut route = RouteConfig::default();
        let mut fixed = None;
        if let Some(path) = wanted.config.clone() {
            let agent = AgentArgs::checked(&path)?;
            if wanted.proxy.is_empty() {
                wanted.proxy = agent.proxies;
            }
            if wanted.via.is_empty() {
                wanted.via = agent.via;
            }
            if wanted.target.is_empty() {
                wanted.target = agent.targets;
            }
            wanted.ca = wanted.ca.or(agent.ca);
            if !own && environment.is_none() {
                (wanted.token, wanted.token_file) = (agent.token, agent.token_file);
                (wanted.app_id, wanted.app_sign_file) = (agent.app_id, agent.app_sign_file);
            }
            route.mode = agent.mode;
            route.trial = agent.trial.unwrap_or(route.trial);
            fixed = agent.link;
        }
        if wanted.proxy.is_empty() {
            return Err(Failure::usage(
                "nothing to check; give --proxy HOST:PORT, or --config FILE of an agent",
            ));
        }
        let way = Way::read(&wanted.via, system_via)?;
        let credential = wanted.credential(environment)?;
        let pem = wanted.ca.as_deref().map(pem).transpose()?;
        let untrusted = |error: &dyn std::fmt::Display| match &wanted.ca {
            Some(path) => Failure::usage(format!("the CA file {}: {error}", path.display())),
            None => Failure::usage(format!(
                "the certificates that this system trusts cannot be used ({error}); give the CA of the relay with --ca FILE"
            )),
        };
        let (verifier, connector) = match &pem {
            Some(pem) => (
                verifier_with_ca(pem).map_err(|error| untrusted(&error))?,
                connector_with_ca(pem).map_err(|error| untrusted(&error))?,
            ),
            None => (
                platform_verifier().map_err(|error| untrusted(&error))?,
                platform_connector().map_err(|error| untrusted(&error))?,
            ),
        };
        let mut targets: Vec<(Kind, Target)> = Vec::new();
        for Probe { kind, target } in wanted.target {
            if !targets.contains(&(kind, target.clone())) {
                targets.push((kind, target));
            }
        }
        Ok(Plan {
            proxies: wanted.proxy,
            way,
            verifier,
            connector,
            credential,
            targets,
            goes_direct: route.mode != Mode::Normal,
            route,
            network: fixed.map_or_else(|| Underlay::look().network(), Network::up),
            idle: wanted.long,
        })
    }

    /// What is to be shown to relays. A token that cannot be used is a finding; a file that cannot be read is a wrong argument.
    fn credential(&self, environment: Option<String>) -> Result<Option<Result<Credential, String>>, Failure> {
        if let (Some(app_id), Some(path)) = (&self.app_id, &self.app_sign_file) {
            return Ok(Some(Ok(keys::app_sign(app_id, path)?.into())));
        }
        let token = match (&self.token, &self.token_file, environment) {
            (Some(token), _, _) => token.clone(),
            (None, Some(path), _) => {
                let wrong = |what: &dyn std::fmt::Display| {
                    Failure::usage(format!("the token file {}: {what}", path.display()))
                };
                let bytes = files::read(path, LONGEST_TOKEN).map_err(|unread| wrong(&unread))?;
                Secret::new(String::from_utf8(bytes).map_err(|_| wrong(&"this is not a text file"))?)
            }
            (None, None, Some(token)) => Secret::new(token),
            (None, None, None) => return Ok(None),
        };
        Ok(Some(token::credential(&token).map_err(|error| error.to_string())))
    }
}

fn pem(path: &Path) -> Result<Vec<u8>, Failure> {
    files::read(path, LONGEST_CA)
        .map_err(|unread| Failure::usage(format!("the CA file {}: {unread}", path.display())))
}

const LONGEST_TOKEN: u64 = 64 * 1_024;
const LONGEST_CA: u64 = 4 << 20;
const SHORTEST_IDLE: Duration = Duration::from_secs(1);
/// A relay ends a tunnel of datagrams in which nothing moved for 5 min.
const LONGEST_IDLE: Duration = Duration::from_secs(240);
