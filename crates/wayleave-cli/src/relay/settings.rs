//! From what the user said to what a relay takes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wayleave_proto::auth::Keys;
use wayleave_proto::base::Host;
use wayleave_proto::carrier::tls::Acceptor;
use wayleave_proto::config::{RelayConfig, RelayLimits, Valid};
use wayleave_proto::policy::Scope;

use super::RelayArgs;
use super::admin::Admin;
use super::files::Files;
use super::identity::{Identity, IdentityFiles, Renewable};
use super::key_files::KeyFiles;
use super::users::Users;
use crate::options::{Count, LookUp, NameServer, Resolve};
use crate::{Failure, keys};

/// All that the process needs.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) config: Valid<RelayConfig>,
    pub(super) listen: SocketAddr,
    /// The certificate in force.
    pub(super) certificate: Arc<Renewable>,
    pub(super) files: Files,
    pub(super) admin: Option<Admin>,
    pub(super) drain: Duration,
    /// How users stand in the log.
    pub(super) users: Arc<Users>,
    /// The name servers to ask in the place of the platform's resolver; none are those of the system.
    pub(super) name_servers: Option<Vec<SocketAddr>>,
}

impl Settings {
    /// Reads the files that `args` name, and makes those of a self-signed certificate.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub(super) fn new(args: RelayArgs) -> Result<Self, Failure> {
        let identity = identity(&args)?;
        if args.admin.is_none() && (args.admin_secret_file.is_some() || args.admin_anywhere) {
            return Err(Failure::usage(
                "--admin-secret-file and --admin-anywhere are for the admin interface; give --admin ADDRESS:PORT beside them",
            ));
        }
        let users = Users::new(args.log_users.unwrap_or_default(), args.log_key_file.as_deref())?;
        let (key_files, keys) = KeyFiles::open(args.token_keys.clone())?;
        let (identity, acceptor) = IdentityFiles::open(identity)?;
        let certificate = Arc::new(Renewable::new(acceptor));
        let admin = args
            .admin
            .as_ref()
            .map(|place| Admin::bind(place, args.admin_secret_file.clone(), args.admin_anywhere));
        let admin = admin.transpose()?;
        let (listen, drain) = (args.listen.unwrap_or(LISTEN), args.drain.unwrap_or(DRAIN));
        let name_servers = name_servers(&args)?;
        let own = [Some(listen), admin.as_ref().and_then(Admin::local_addr)];
        let config = config(args, Arc::clone(&certificate) as _, keys, own.into_iter().flatten())?;
        let files = Files { keys: key_files, identity };
        Ok(Self { config, listen, certificate, files, admin, drain, users: Arc::new(users), name_servers })
    }
}

/// The name servers to ask, where the platform's resolver is not asked.
fn name_servers(args: &RelayArgs) -> Result<Option<Vec<SocketAddr>>, Failure> {
    let servers: Vec<SocketAddr> = args.name_server.iter().map(|NameServer(address)| *address).collect();
    match args.look_up {
        Some(LookUp::Platform) if !servers.is_empty() => Err(Failure::usage(
            "--name-server is for --look-up dns; the platform's resolver has name servers of its own",
        )),
        Some(LookUp::Platform) => Ok(None),
        // There is no file of theirs to go by.
        None if servers.is_empty() && cfg!(not(unix)) => Ok(None),
        Some(LookUp::Dns) | None => Ok(Some(servers)),
    }
}

/// What the machine of the relay takes; `own` are the addresses of this process, to which nobody is forwarded.
///
/// # Errors
/// The first option that is out of its range.
pub(super) fn config(
    args: RelayArgs,
    acceptor: Arc<dyn Acceptor>,
    keys: Keys,
    own: impl IntoIterator<Item = SocketAddr>,
) -> Result<Valid<RelayConfig>, Failure> {
    let (limits, scope) = (limits(&args), scope(&args));
    let mut config = RelayConfig::new(acceptor, keys);
    if args.audience.as_deref().is_some_and(str::is_empty) {
        return Err(Failure::usage(
            "--audience is empty; give the name that tokens have in aud, or leave it out",
        ));
    }
    if args.leeway.is_some_and(|leeway| leeway > MOST_LEEWAY) {
        return Err(Failure::usage("--leeway: give at most 1h; every token is good for that much longer"));
    }
    config.rules.audience = args.audience;
    config.rules.leeway = args.leeway.unwrap_or(config.rules.leeway);
    config.targets.addresses.allow = args.allow_target;
    config.targets.addresses.deny = args.deny_target;
    config.targets.denied_ports.extend(args.deny_port);
    for Resolve { name, address } in args.resolve {
        config.hosts.entry(name).or_default().push(address);
    }
    config.balancers = args.proxy_protocol_from;
    config.truncation = args.truncated.unwrap_or(config.truncation);
    config.echo = !args.no_echo;
    config.limits = limits;
    config.scope = scope;
    config.targets.own.extend(own);
    config.build().map_err(|error| {
        // Users know the fields by the names in the file.
        Failure::usage(format!("{}: {}", error.field.replace('_', "-"), error.remedy))
    })
}

/// The keys in all of `files`.
///
/// # Errors
/// There is no file, or what is wrong with one, with its line.
pub(super) fn token_keys(files: &[PathBuf]) -> Result<Keys, Failure> {
    if files.is_empty() {
        return Err(Failure::usage(
            "a relay without token keys would serve nobody; make keys with `wayleave token keygen --out keys.toml \
             --public-out relay-keys.toml` and give --token-keys relay-keys.toml",
        ));
    }
    keys::together(files, keys::for_relay)
}

fn names(args: &RelayArgs) -> Vec<Host> {
    let localhost = || "localhost".parse().into_iter().collect();
    if args.name.is_empty() { localhost() } else { args.name.clone() }
}

fn identity(args: &RelayArgs) -> Result<Identity, Failure> {
    let (cert, key, directory) = (args.cert.clone(), args.key.clone(), args.self_signed.clone());
    if directory.is_none() && !args.name.is_empty() {
        return Err(Failure::usage(
            "--name is for --self-signed; a certificate given with --cert has its names inside",
        ));
    }
    match (cert, key, directory) {
        (Some(cert), Some(key), None) => Ok(Identity::Files { cert, key }),
        (None, None, Some(directory)) => Ok(Identity::SelfSigned { directory, names: names(args) }),
        (Some(_), None, None) => {
            Err(Failure::usage("--cert needs the private key of the certificate; give --key FILE"))
        }
        (None, Some(_), None) => {
            Err(Failure::usage("--key needs the certificate that it belongs to; give --cert FILE"))
        }
        (None, None, None) => Err(Failure::usage(
            "a relay needs a certificate; give --cert FILE and --key FILE, or --self-signed DIR to try it out",
        )),
        (_, _, Some(_)) => Err(Failure::usage(
            "cert and key exclude self-signed; keep the certificate of an authority or the directory",
        )),
    }
}

fn limits(args: &RelayArgs) -> RelayLimits {
    let mut limits = RelayLimits::default();
    args.limits.apply(&mut limits);
    limits.connections = args.max_connections.unwrap_or(limits.connections);
    limits.tunnels_per_connection = args.max_tunnels_per_connection.unwrap_or(limits.tunnels_per_connection);
    limits.tunnels_per_account = args.max_tunnels_per_token.unwrap_or(limits.tunnels_per_account);
    limits
}

/// What the command line and the file say that everybody may do at most.
fn scope(args: &RelayArgs) -> Scope {
    let mut scope = args.scope.clone();
    for rates in [&mut scope.to_client, &mut scope.to_target] {
        rates.bits_per_second = args.rate_bits.map(|Count(bits)| bits).or(rates.bits_per_second);
        rates.packets_per_second =
            args.rate_packets.map(|Count(packets)| packets).or(rates.packets_per_second);
    }
    scope
}

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443);
const DRAIN: Duration = Duration::from_secs(10);
/// Clocks that differ by more are wrong.
const MOST_LEEWAY: Duration = Duration::from_secs(3_600);
