//! What a user can say to the relay, on the command line and in a file alike.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use wayleave_proto::auth::Keys;
use wayleave_proto::base::Host;
use wayleave_proto::config::Truncation;
use wayleave_proto::policy::{Cidr, Scope};

use super::files::RelayFiles;
use super::identity::{Identity, IdentityFiles, Renewable};
use super::key_files::KeyFiles;
use super::limits::LimitsTable;
use super::log::{LogFormat, LogUsers};
use super::place::Place;
#[cfg(feature = "clap")]
use crate::options::read;
use crate::options::{Count, LookUp, NameServer, Resolve, Setting, many, one, parse, text_of};
use crate::{SettingsError, settings};

/// All that an operator says to a relay: what its machine takes, where it listens, which files it follows, and what belongs to
/// the process around it (log, admin interface). What is not said has a default.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct RelaySettings {
    /// Serve clients on this address [default: 0.0.0.0:8443]
    ///
    /// Port 0 takes any free port; the log says which. Ports below 1024 need a privilege on most systems.
    #[cfg_attr(feature = "clap", arg(long, value_name = "ADDRESS:PORT", value_parser = read::<SocketAddr>))]
    #[serde(deserialize_with = "one")]
    pub listen: Option<SocketAddr>,

    /// The certificate that clients are shown, as PEM; the certificates between it and the authority follow it
    ///
    /// It is read again together with its key when they change, and on SIGHUP. Where they do not go together, the old ones
    /// stay. Connections that are open keep theirs.
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE", conflicts_with = "self_signed"))]
    #[serde(deserialize_with = "one")]
    pub cert: Option<PathBuf>,

    /// The private key of the certificate, as PEM
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE", conflicts_with = "self_signed"))]
    #[serde(deserialize_with = "one")]
    pub key: Option<PathBuf>,

    /// Make or reuse a certificate and an authority of its own in this directory, for trying out
    ///
    /// Clients trust it when they are given DIR/ca.pem. DIR/relay.pem and DIR/relay-key.pem are made again when they no
    /// longer serve; DIR/ca.pem stays. Keep DIR/ca-key.pem secret: whoever has it can pass for any server to those
    /// clients.
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    #[serde(deserialize_with = "one")]
    pub self_signed: Option<PathBuf>,

    /// What clients call the relay, for --self-signed; can be given several times [default: localhost]
    ///
    /// For localhost the certificate is also for 127.0.0.1 and ::1.
    #[cfg_attr(feature = "clap", arg(long, value_name = "HOST", value_parser = read::<Host>))]
    #[serde(deserialize_with = "many")]
    pub name: Vec<Host>,

    /// The keys that tokens are checked with, from `wayleave token keygen --public-out`; can be given several times
    ///
    /// A TOML file with any number of `[[jwt]]`, `[[jwks]]` (signed tokens), `[[token04]]` and `[[app_sign]]` tables, and what
    /// the operator says: `[[app]]` narrows what an application may do, `[[revoked]]` takes back a token (jti), a user or an
    /// application. All files together are one whole. They are read again when they change, and on SIGHUP; where one of
    /// them is not in order, all stay as they were.
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    #[serde(deserialize_with = "many")]
    pub token_keys: Vec<PathBuf>,

    /// The name by which tokens know this relay; a token must then be meant for it (aud)
    ///
    /// Without a name a token must not say whom it is meant for.
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME"))]
    #[serde(deserialize_with = "one")]
    pub audience: Option<String>,

    /// How far the clock of whoever mints tokens may be off [default: 30s]
    #[cfg_attr(feature = "clap", arg(long, value_name = "TIME", value_parser = read::<Duration>))]
    #[serde(deserialize_with = "one")]
    pub leeway: Option<Duration>,

    /// Forward to this range of special addresses too; can be given several times
    ///
    /// Loopback, private, link-local and other special ranges are closed by default. Multicast and broadcast stay so.
    #[cfg_attr(feature = "clap", arg(long, value_name = "ADDRESS/LENGTH", value_parser = read::<Cidr>))]
    #[serde(deserialize_with = "many")]
    pub allow_target: Vec<Cidr>,

    /// Never forward to this range; can be given several times and wins over --allow-target
    #[cfg_attr(feature = "clap", arg(long, value_name = "ADDRESS/LENGTH", value_parser = read::<Cidr>))]
    #[serde(deserialize_with = "many")]
    pub deny_target: Vec<Cidr>,

    /// Never forward to this port, nor to 25 (mail); can be given several times
    #[cfg_attr(feature = "clap", arg(long, value_name = "PORT", value_parser = read::<u16>))]
    #[serde(deserialize_with = "many")]
    pub deny_port: Vec<u16>,

    /// Answer this name with this address and never look it up; can be given several times
    ///
    /// The address is judged like the answer of a look-up.
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME=ADDRESS", value_parser = read::<Resolve>))]
    #[serde(deserialize_with = "many")]
    pub resolve: Vec<Resolve>,

    /// Take the PROXY protocol (version 2) from balancers in this range; can be given several times
    ///
    /// A balancer for TCP says with it whose connection it passes on: limits for each address and the log go by the
    /// client then, and not by the balancer. From these addresses the header is required, from all others it is refused.
    #[cfg_attr(feature = "clap", arg(long, value_name = "ADDRESS/LENGTH", value_parser = read::<Cidr>))]
    #[serde(deserialize_with = "many")]
    pub proxy_protocol_from: Vec<Cidr>,

    /// What becomes of the target's connection where a client ends without close_notify [default: end]
    ///
    /// end: it ends, as it would without a relay, since many clients never send one; reset: it is reset, so that nobody
    /// takes what came for the whole, also where the relay itself is killed. The log tells it either way.
    #[cfg_attr(feature = "clap", arg(long, value_name = "end|reset", value_parser = read::<Truncation>))]
    #[serde(deserialize_with = "one")]
    pub truncated: Option<Truncation>,

    /// Answer nobody who looks for what is wrong: no echo of datagrams, no echo of a word
    ///
    /// Without this, who has a good token gets datagrams to echo.wayleave.alt:7 back, counted like any others, and OPTIONS gives
    /// a short word back, so that `wayleave check` can tell this relay from a portal and measure the way to it.
    #[cfg_attr(feature = "clap", arg(long))]
    pub no_echo: bool,

    /// Receive and send datagrams one by one, and leave nothing of it to the system or the network card
    ///
    /// Without this, Linux cuts apart what is sent together, and joins what comes together (GSO and GRO of UDP). Try this where
    /// datagrams get lost in bursts: some systems and cards damage what they cut.
    #[cfg_attr(feature = "clap", arg(long))]
    pub no_offload: bool,

    /// How names of targets are looked up: dns, or platform [default: dns]
    ///
    /// dns asks the name servers of /etc/resolv.conf, or those of --name-server, with the hosts file before them: IPv4 and
    /// IPv6 at the same time, always for the whole name, never with a search list. platform asks the system's resolver,
    /// which knows other name services too (LDAP, mDNS), and holds a thread for each name: on Windows it is the only way
    /// without --name-server.
    #[cfg_attr(feature = "clap", arg(long, value_name = "HOW", value_parser = read::<LookUp>))]
    #[serde(deserialize_with = "one")]
    pub look_up: Option<LookUp>,

    /// Ask this name server and not those of /etc/resolv.conf; can be given several times
    #[cfg_attr(feature = "clap", arg(long, value_name = "ADDRESS[:PORT]", value_parser = read::<NameServer>))]
    #[serde(deserialize_with = "many")]
    pub name_server: Vec<NameServer>,

    /// How long open tunnels may go on after the first signal [default: 10s]
    #[cfg_attr(feature = "clap", arg(long, value_name = "TIME", value_parser = read::<Duration>))]
    #[serde(deserialize_with = "one")]
    pub drain: Option<Duration>,

    /// Serve on so many threads, each of which takes a part of the connections [default: one for each core]
    ///
    /// Together they are one relay: every limit is granted once. The system gives each connection to one of them, by a hash of
    /// its addresses. It does so on Linux; elsewhere there is one thread.
    #[cfg_attr(feature = "clap", arg(long, value_name = "COUNT", value_parser = read::<usize>))]
    #[serde(deserialize_with = "one")]
    pub threads: Option<usize>,

    /// Let packets gather for this long, at most 1ms, while they come faster than that [default: 0]
    ///
    /// One wake-up serves more of them then: fewer cycles for a packet, and up to this much delay in each direction. A
    /// relay with little to do adds none.
    #[cfg_attr(feature = "clap", arg(long, value_name = "TIME", value_parser = read::<Duration>))]
    #[serde(deserialize_with = "one")]
    pub gather: Option<Duration>,

    /// Let the operator speak to the relay here, with `wayleave admin` or any HTTP client [default: nowhere]
    ///
    /// A Unix socket is for this user and root alone; an address needs --admin-secret-file and is one of loopback. No
    /// client reaches it through the relay.
    #[cfg_attr(feature = "clap", arg(long, value_name = "ADDRESS:PORT|unix:PATH", value_parser = read::<Place>))]
    #[serde(deserialize_with = "one")]
    pub admin: Option<Place>,

    /// The secret that opens the admin interface: one word of at least 32 characters in a file
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    #[serde(deserialize_with = "one")]
    pub admin_secret_file: Option<PathBuf>,

    /// Let --admin be an address that is not loopback; what is said there is not encrypted
    #[cfg_attr(feature = "clap", arg(long))]
    pub admin_anywhere: bool,

    /// Client connections at once [default: 65536]
    #[cfg_attr(feature = "clap", arg(long, value_name = "COUNT", value_parser = read::<usize>))]
    #[serde(deserialize_with = "one")]
    pub max_connections: Option<usize>,

    /// Tunnels at once on one client connection, where its transport carries several [default: 1024]
    #[cfg_attr(feature = "clap", arg(long, value_name = "COUNT", value_parser = read::<usize>))]
    #[serde(deserialize_with = "one")]
    pub max_tunnels_per_connection: Option<usize>,

    /// Tunnels at once of one user of one application [default: 16384]
    #[cfg_attr(feature = "clap", arg(long, value_name = "COUNT", value_parser = read::<usize>))]
    #[serde(deserialize_with = "one")]
    pub max_tunnels_per_token: Option<usize>,

    /// Bits a second of one user in each direction, like 10M [default: no limit]
    #[cfg_attr(feature = "clap", arg(long, value_name = "RATE", value_parser = read::<Count>))]
    #[serde(deserialize_with = "one")]
    pub rate_bits: Option<Count>,

    /// Datagrams a second of one user in each direction [default: no limit]
    #[cfg_attr(feature = "clap", arg(long, value_name = "RATE", value_parser = read::<Count>))]
    #[serde(deserialize_with = "one")]
    pub rate_packets: Option<Count>,

    /// How much to log: error, warn, info, debug or trace [default: the variable RUST_LOG, else info]
    #[cfg_attr(feature = "clap", arg(long, value_name = "LEVEL"))]
    #[serde(deserialize_with = "one")]
    pub log: Option<String>,

    /// How to write the log: text or json, one object a line [default: text]
    #[cfg_attr(feature = "clap", arg(long, value_name = "text|json", value_parser = read::<LogFormat>))]
    #[serde(deserialize_with = "one")]
    pub log_format: Option<LogFormat>,

    /// How users stand in the log: clear, hashed or none [default: hashed]
    ///
    /// hashed: 16 digits by which the lines of one user can be found, and that say nothing of the name to who has no key.
    #[cfg_attr(feature = "clap", arg(long, value_name = "clear|hashed|none", value_parser = read::<LogUsers>))]
    #[serde(deserialize_with = "one")]
    pub log_users: Option<LogUsers>,

    /// The key of these hashes: one word of at least 32 characters in a file [default: a random one with each start]
    ///
    /// With the same key a user is the same after a restart and on several relays.
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    #[serde(deserialize_with = "one")]
    pub log_key_file: Option<PathBuf>,

    /// The limits, in the file only.
    #[cfg_attr(feature = "clap", arg(skip))]
    pub limits: LimitsTable,

    /// What everybody may do at most, in the file only.
    #[cfg_attr(feature = "clap", arg(skip))]
    pub scope: Scope,
}

settings!(RelaySettings {
    listen,
    cert,
    key,
    self_signed,
    name,
    token_keys,
    audience,
    leeway,
    allow_target,
    deny_target,
    deny_port,
    resolve,
    proxy_protocol_from,
    truncated,
    no_echo,
    no_offload,
    look_up,
    name_server,
    drain,
    gather,
    threads,
    admin,
    admin_secret_file,
    admin_anywhere,
    max_connections,
    max_tunnels_per_connection,
    max_tunnels_per_token,
    rate_bits,
    rate_packets,
    log,
    log_format,
    log_users,
    log_key_file,
    limits,
    scope,
});

impl RelaySettings {
    /// Reads the TOML file at `path`. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// The file cannot be read, or what is wrong in it, with the line.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        Self::from_text(path, &text_of(path)?)
    }

    /// What a file at `path` with this text says.
    ///
    /// # Errors
    /// What is wrong in it, with the line.
    pub fn from_text(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let mut file: Self = parse(path, text)?;
        file.locate(path.parent().unwrap_or(Path::new("")));
        Ok(file)
    }

    /// What is said here and, where nothing is said, what `file` says.
    #[must_use]
    pub fn over(self, mut file: Self) -> Self {
        // A certificate comes from files or from a directory: what is said here puts the file's out of force.
        if self.self_signed.is_some() {
            (file.cert, file.key) = (None, None);
        }
        if self.cert.is_some() || self.key.is_some() {
            file.self_signed = None;
            file.name.clear();
        }
        Setting::over(self, file)
    }

    /// Where the relay listens.
    pub fn listen_or_default(&self) -> SocketAddr {
        self.listen.unwrap_or(LISTEN)
    }

    /// How long open tunnels may go on when the relay is told to end.
    pub fn drain_or_default(&self) -> Duration {
        self.drain.unwrap_or(DRAIN)
    }

    /// The name servers to ask; `None` where the platform's resolver is to be asked, and none at all where those of the system
    /// are.
    ///
    /// # Errors
    /// The platform's resolver is chosen, and name servers too.
    pub fn name_servers(&self) -> Result<Option<Vec<SocketAddr>>, SettingsError> {
        let servers: Vec<SocketAddr> = self.name_server.iter().map(|NameServer(address)| *address).collect();
        match self.look_up {
            Some(LookUp::Platform) if !servers.is_empty() => Err(SettingsError::new(
                "--name-server is for --look-up dns; the platform's resolver has name servers of its own",
            )),
            Some(LookUp::Platform) => Ok(None),
            // There is no file of theirs to go by.
            None if servers.is_empty() && cfg!(not(unix)) => Ok(None),
            Some(LookUp::Dns) | None => Ok(Some(servers)),
        }
    }

    /// Reads the keys and the certificate, and makes those of a self-signed certificate.
    ///
    /// # Errors
    /// Which of them is missing or cannot be used, and why.
    pub fn open(&self) -> Result<Opened, SettingsError> {
        let identity = self.identity()?;
        let (key_files, keys) = KeyFiles::open(self.token_keys.clone())?;
        let (identity, acceptor) = IdentityFiles::open(identity)?;
        let files = RelayFiles { keys: key_files, identity };
        Ok(Opened { keys, certificate: Arc::new(Renewable::new(acceptor)), files })
    }

    /// Where the certificate comes from.
    ///
    /// # Errors
    /// Nothing says it, or more than one thing does.
    pub fn identity(&self) -> Result<Identity, SettingsError> {
        let (cert, key, directory) = (self.cert.clone(), self.key.clone(), self.self_signed.clone());
        if directory.is_none() && !self.name.is_empty() {
            return Err(SettingsError::new(
                "--name is for --self-signed; a certificate given with --cert has its names inside",
            ));
        }
        match (cert, key, directory) {
            (Some(cert), Some(key), None) => Ok(Identity::Files { cert, key }),
            (None, None, Some(directory)) => Ok(Identity::SelfSigned { directory, names: self.names() }),
            (Some(_), None, None) => {
                Err(SettingsError::new("--cert needs the private key of the certificate; give --key FILE"))
            }
            (None, Some(_), None) => {
                Err(SettingsError::new("--key needs the certificate that it belongs to; give --cert FILE"))
            }
            (None, None, None) => Err(SettingsError::new(
                "a relay needs a certificate; give --cert FILE and --key FILE, or --self-signed DIR to try it out",
            )),
            (_, _, Some(_)) => Err(SettingsError::new(
                "cert and key exclude self-signed; keep the certificate of an authority or the directory",
            )),
        }
    }

    fn names(&self) -> Vec<Host> {
        let localhost = || "localhost".parse().into_iter().collect();
        if self.name.is_empty() { localhost() } else { self.name.clone() }
    }
}

/// What a relay starts with, and the files that it is read from.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The keys that credentials are checked with.
    pub keys: Keys,
    /// The certificate in force: the relay's acceptor, which another certificate can be given to while it runs.
    pub certificate: Arc<Renewable>,
    /// The files, to be followed.
    pub files: RelayFiles,
}

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443);
const DRAIN: Duration = Duration::from_secs(10);
