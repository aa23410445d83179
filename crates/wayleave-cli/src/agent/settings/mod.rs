//! What the agent runs with: the options, checked and completed.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use tracing::warn;
use wayleave_agent::{AgentConfig, AgentError, TokenFile, Underlay};
use wayleave_proto::auth::Credential;
use wayleave_proto::base::{Network, Secret, UnixTime};
use wayleave_proto::carrier::tls::Connector;
use wayleave_proto::config::{
    ClientConfig, ClientLimits, DoubtConfig, Mode, RescueConfig, RouteConfig, Truncation,
};
use wayleave_proto::local::{AssociationConfig, AssociationConfigError, FrontConfig};
use wayleave_settings::{files, keys, token};
use wayleave_tokio::{connector_with_ca, platform_connector, system_via};

use super::options::{AgentArgs, Destination, LinkChoice, Switch};
use super::way::Way;
use crate::Failure;

/// A configuration that the agent can start with.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) agent: AgentConfig,
    pub(super) events: Option<Destination>,
    /// What is said at the start of what the environment contributes.
    pub(super) told: Option<String>,
}

impl Settings {
    /// Checks complete options at the moment `now`.
    ///
    /// # Errors
    /// The first thing that is wrong, and how to mend it.
    pub(super) fn new(args: AgentArgs, now: UnixTime) -> Result<Self, Failure> {
        let mode = args.mode.unwrap_or_default();
        if mode != Mode::Off && args.proxy.is_empty() {
            return Err(Failure::usage(format!(
                "mode {mode} needs a relay, and no proxy is given; give --proxy HOST:PORT, or choose --mode off"
            )));
        }
        let (credential, token_file) =
            if mode == Mode::Off { (None, None) } else { credential(&args, mode, now)? };
        let watched = match args.link.unwrap_or(LinkChoice::Auto) {
            LinkChoice::Auto => Ok(Underlay::look()),
            LinkChoice::Fixed(link) => Err(Network::up(link)),
        };
        let network = watched.as_ref().map_or_else(|fixed| *fixed, Underlay::network);
        let defaults = RouteConfig::default();
        let pause = args.rescue_pause.unwrap_or(defaults.rescue.pause);
        let route = RouteConfig {
            mode,
            scope: args.scope.unwrap_or(defaults.scope),
            trial: args.trial.unwrap_or(defaults.trial),
            rescue: RescueConfig {
                on: Switch::or_usual(args.rescue, defaults.rescue.on),
                pause,
                // Whoever wants a longer one means it.
                pause_most: defaults.rescue.pause_most.max(pause),
                ..defaults.rescue
            },
            doubt: DoubtConfig {
                on: Switch::or_usual(args.doubt, defaults.doubt.on),
                window: args.doubt_window.unwrap_or(defaults.doubt.window),
                ..defaults.doubt
            },
            ..defaults
        };
        let limits = ClientLimits::default();
        let mut client = ClientConfig::direct();
        client.proxies = args.proxy.clone();
        let way = Way::read(&args.via, system_via)?;
        (client.via, client.no_via) = (way.via, way.no_via);
        client.credential = credential;
        client.connector = connector(args.ca.as_deref(), mode)?;
        client.route = route;
        client.probes = args.probe.clone();
        client.check_credential = Switch::or_usual(args.check_token, true);
        client.network = network;
        client.truncation = args.truncated.unwrap_or(Truncation::Reset);
        client.offload = !args.no_offload;
        client.limits = ClientLimits {
            token_warning: args.token_warning.unwrap_or(limits.token_warning),
            hedge: args.hedge.unwrap_or(limits.hedge),
            silence: args.silence.unwrap_or(limits.silence),
            keep_alive: args.keep_alive.unwrap_or(limits.keep_alive),
            user_timeout: args.user_timeout.unwrap_or(limits.user_timeout),
            ..limits
        };
        let client = client.build().map_err(|error| {
            // Users know the fields by the names of the options.
            let name = match error.field.split_once('.') {
                Some(("limits" | "retry", name)) => name,
                _ => error.field,
            };
            let field = name.replace(['_', '.'], "-");
            Failure::usage(format!("{field}: {}", error.remedy))
        })?;
        let mut agent = AgentConfig::new(client);
        agent.associations = associations(&args);
        agent.front = front(args.local_user.as_ref())?;
        (agent.listen, agent.forwards, agent.open_forwards) = (args.listen, args.forward, args.open_forwards);
        (agent.underlay, agent.token_file) = (watched.ok(), token_file);
        agent.check().map_err(|error| Failure::usage(named(&error)))?;
        Ok(Self { agent, events: args.events, told: way.told })
    }
}

/// What is wrong, with the option that mends it.
pub(super) fn named(error: &AgentError) -> String {
    match error {
        AgentError::Associations(AssociationConfigError::Idle(_)) => format!("--datagram-idle: {error}"),
        AgentError::Associations(_) => format!("--association-targets: {error}"),
        AgentError::Front(_) => format!("{error} (--local-user NAME:PASSWORD)"),
        AgentError::Nothing => {
            "nothing to listen on; give --listen 127.0.0.1:1080, or --forward tcp:127.0.0.1:8080=HOST:PORT"
                .into()
        }
        AgentError::OpenForward(_) => format!("{error} (--open-forwards)"),
        error => error.to_string(),
    }
}

/// The credential, and the file to renew it from.
fn credential(
    args: &AgentArgs,
    mode: Mode,
    now: UnixTime,
) -> Result<(Option<Credential>, Option<TokenFile>), Failure> {
    if let Some(path) = &args.app_sign_file {
        let is_empty = |token: &Secret<String>| token.expose().trim().is_empty();
        if !args.token.as_ref().is_none_or(is_empty) || args.token_file.is_some() {
            return Err(Failure::usage("a token and an app sign are given; give one of them"));
        }
        let app_id = args.app_id.as_ref().ok_or_else(|| {
            Failure::usage("an app sign needs its application; give --app-id ID beside --app-sign-file")
        })?;
        return Ok((Some(keys::app_sign(app_id, path)?.into()), None));
    }
    if args.app_id.is_some() {
        return Err(Failure::usage("--app-id is for an app sign; give --app-sign-file FILE beside it"));
    }
    match (&args.token, &args.token_file) {
        (Some(token), _) => {
            let credential = token::credential(token)?;
            if let Some(what) = token::expired(&credential, now) {
                warn!("the token {what}");
            }
            Ok((Some(credential), None))
        }
        (None, Some(path)) => {
            let (file, credential) = TokenFile::open(path)?;
            if let Some(what) = token::expired(&credential, now) {
                warn!("{}; the agent waits for a change of the file", file.said(&what));
            }
            Ok((Some(credential), Some(file)))
        }
        (None, None) => Err(Failure::usage(format!(
            "mode {mode} needs a token; give --token-file FILE or WAYLEAVE_TOKEN (or --app-id and --app-sign-file), or choose --mode off"
        ))),
    }
}

fn front(user: Option<&Secret<String>>) -> Result<FrontConfig, Failure> {
    let Some(pair) = user else { return Ok(FrontConfig::default()) };
    let (name, password) = pair.expose().split_once(':').ok_or_else(|| {
        Failure::usage("--local-user takes a name and a password with a colon between them: NAME:PASSWORD")
    })?;
    let password = Some((name.to_owned(), Secret::new(password.to_owned())));
    Ok(FrontConfig { password, ..FrontConfig::default() })
}

fn associations(args: &AgentArgs) -> AssociationConfig {
    let defaults = AssociationConfig::default();
    AssociationConfig {
        targets: args.association_targets.unwrap_or(defaults.targets),
        idle: args.datagram_idle.unwrap_or(defaults.idle),
    }
}

fn connector(ca: Option<&Path>, mode: Mode) -> Result<Option<Arc<dyn Connector>>, Failure> {
    let connector = match ca {
        // Nobody is asked for a certificate, so a system without roots is no obstacle.
        _ if mode == Mode::Off => return Ok(None),
        Some(path) => {
            let shown = path.display();
            let pem = files::read(path, LONGEST_CA)
                .map_err(|unread| Failure::usage(format!("the CA file {shown}: {unread}")))?;
            connector_with_ca(&pem).map_err(|error| Failure::usage(format!("the CA file {shown}: {error}")))
        }
        None => platform_connector().map_err(|error| {
            Failure::usage(format!(
                "the certificates that this system trusts cannot be used ({error}); give the CA of the relay with --ca FILE"
            ))
        }),
    };
    connector.map(Some)
}

/// More than all the authorities of a system have.
const LONGEST_CA: u64 = 4 << 20;
