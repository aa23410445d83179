//! What a user can say to the relay, on the command line and in a file alike.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use wayleave_proto::base::Host;
use wayleave_proto::config::Truncation;
use wayleave_proto::policy::{Cidr, Scope};

use super::limits::LimitsTable;
use super::users::LogUsers;
use crate::Failure;
use crate::admin::Place;
use crate::log::Format;
use crate::options::{Count, LookUp, NameServer, Resolve, many, one, parse, read, text_of};

/// Run a relay: it authenticates clients by their tokens and forwards their streams and datagrams.
///
/// Clients speak HTTP CONNECT and CONNECT-UDP (RFC 9298) over TLS on one TCP port. Without --allow-target a relay
/// forwards to public addresses only.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[command(allow_negative_numbers = true)]
#[command(after_long_help = EXAMPLES, after_help = "`wayleave relay --help` shows examples, the file and the signals.")]
pub(crate) struct RelayArgs {
    /// Read everything that stands here from a TOML file, under the same names, and the limits
    ///
    /// What is given on the command line wins. Paths in the file are relative to the file. What can be given several
    /// times is a list there: allow-target = ["10.0.0.0/8", "fd00::/8"].
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(super) config: Option<PathBuf>,

    /// Serve clients on this address [default: 0.0.0.0:8443]
    ///
    /// Port 0 takes any free port; the log says which. Ports below 1024 need a privilege on most systems.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = read::<SocketAddr>)]
    #[serde(deserialize_with = "one")]
    pub(super) listen: Option<SocketAddr>,

    /// The certificate that clients are shown, as PEM; the certificates between it and the authority follow it
    ///
    /// It is read again together with its key when they change, and on SIGHUP. Where they do not go together, the old ones
    /// stay. Connections that are open keep theirs.
    #[arg(long, value_name = "FILE", conflicts_with = "self_signed")]
    #[serde(deserialize_with = "one")]
    pub(super) cert: Option<PathBuf>,

    /// The private key of the certificate, as PEM
    #[arg(long, value_name = "FILE", conflicts_with = "self_signed")]
    #[serde(deserialize_with = "one")]
    pub(super) key: Option<PathBuf>,

    /// Make or reuse a certificate and an authority of its own in this directory, for trying out
    ///
    /// Clients trust it when they are given DIR/ca.pem. DIR/relay.pem and DIR/relay-key.pem are made again when they no
    /// longer serve; DIR/ca.pem stays. Keep DIR/ca-key.pem secret: whoever has it can pass for any server to those
    /// clients.
    #[arg(long, value_name = "DIR")]
    #[serde(deserialize_with = "one")]
    pub(super) self_signed: Option<PathBuf>,

    /// What clients call the relay, for --self-signed; can be given several times [default: localhost]
    ///
    /// For localhost the certificate is also for 127.0.0.1 and ::1.
    #[arg(long, value_name = "HOST", value_parser = read::<Host>)]
    #[serde(deserialize_with = "many")]
    pub(super) name: Vec<Host>,

    /// The keys that tokens are checked with, from `wayleave token keygen --public-out`; can be given several times
    ///
    /// A TOML file with any number of [[jwt]], [[jwks]] (signed tokens), [[token04]] and [[app_sign]] tables, and what
    /// the operator says: [[app]] narrows what an application may do, [[revoked]] takes back a token (jti), a user or an
    /// application. All files together are one whole. They are read again when they change, and on SIGHUP; where one of
    /// them is not in order, all stay as they were.
    #[arg(long, value_name = "FILE")]
    #[serde(deserialize_with = "many")]
    pub(super) token_keys: Vec<PathBuf>,

    /// The name by which tokens know this relay; a token must then be meant for it (aud)
    ///
    /// Without a name a token must not say whom it is meant for.
    #[arg(long, value_name = "NAME")]
    #[serde(deserialize_with = "one")]
    pub(super) audience: Option<String>,

    /// How far the clock of whoever mints tokens may be off [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) leeway: Option<Duration>,

    /// Forward to this range of special addresses too; can be given several times
    ///
    /// Loopback, private, link-local and other special ranges are closed by default. Multicast and broadcast stay so.
    #[arg(long, value_name = "ADDRESS/LENGTH", value_parser = read::<Cidr>)]
    #[serde(deserialize_with = "many")]
    pub(super) allow_target: Vec<Cidr>,

    /// Never forward to this range; can be given several times and wins over --allow-target
    #[arg(long, value_name = "ADDRESS/LENGTH", value_parser = read::<Cidr>)]
    #[serde(deserialize_with = "many")]
    pub(super) deny_target: Vec<Cidr>,

    /// Never forward to this port, nor to 25 (mail); can be given several times
    #[arg(long, value_name = "PORT", value_parser = read::<u16>)]
    #[serde(deserialize_with = "many")]
    pub(super) deny_port: Vec<u16>,

    /// Answer this name with this address and never look it up; can be given several times
    ///
    /// The address is judged like the answer of a look-up.
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = read::<Resolve>)]
    #[serde(deserialize_with = "many")]
    pub(super) resolve: Vec<Resolve>,

    /// Take the PROXY protocol (version 2) from balancers in this range; can be given several times
    ///
    /// A balancer for TCP says with it whose connection it passes on: limits for each address and the log go by the
    /// client then, and not by the balancer. From these addresses the header is required, from all others it is refused.
    #[arg(long, value_name = "ADDRESS/LENGTH", value_parser = read::<Cidr>)]
    #[serde(deserialize_with = "many")]
    pub(super) proxy_protocol_from: Vec<Cidr>,

    /// What becomes of the target's connection where a client ends without close_notify [default: end]
    ///
    /// end: it ends, as it would without a relay, since many clients never send one; reset: it is reset, so that nobody
    /// takes what came for the whole. The log tells it either way.
    #[arg(long, value_name = "end|reset", value_parser = read::<Truncation>)]
    #[serde(deserialize_with = "one")]
    pub(super) truncated: Option<Truncation>,

    /// Answer nobody who looks for what is wrong: no echo of datagrams, no echo of a word
    ///
    /// Without this, who has a good token gets datagrams to echo.wayleave.alt:7 back, counted like any others, and OPTIONS gives
    /// a short word back, so that `wayleave check` can tell this relay from a portal and measure the way to it.
    #[arg(long)]
    pub(super) no_echo: bool,

    /// How names of targets are looked up: dns, or platform [default: dns]
    ///
    /// dns asks the name servers of /etc/resolv.conf, or those of --name-server, with the hosts file before them: IPv4 and
    /// IPv6 at the same time, always for the whole name, never with a search list. platform asks the system's resolver,
    /// which knows other name services too (LDAP, mDNS), and holds a thread for each name: on Windows it is the only way
    /// without --name-server.
    #[arg(long, value_name = "HOW", value_parser = read::<LookUp>)]
    #[serde(deserialize_with = "one")]
    pub(super) look_up: Option<LookUp>,

    /// Ask this name server and not those of /etc/resolv.conf; can be given several times
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = read::<NameServer>)]
    #[serde(deserialize_with = "many")]
    pub(super) name_server: Vec<NameServer>,

    /// How long open tunnels may go on after the first signal [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) drain: Option<Duration>,

    /// Let packets gather for this long, at most 1ms, while they come faster than that [default: 0]
    ///
    /// One wake-up serves more of them then: fewer cycles for a packet, and up to this much delay in each direction. A
    /// relay with little to do adds none.
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) gather: Option<Duration>,

    /// Let the operator speak to the relay here, with `wayleave admin` or any HTTP client [default: nowhere]
    ///
    /// A Unix socket is for this user and root alone; an address needs --admin-secret-file and is one of loopback. No
    /// client reaches it through the relay.
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH", value_parser = read::<Place>)]
    #[serde(deserialize_with = "one")]
    pub(super) admin: Option<Place>,

    /// The secret that opens the admin interface: one word of at least 32 characters in a file
    #[arg(long, value_name = "FILE")]
    #[serde(deserialize_with = "one")]
    pub(super) admin_secret_file: Option<PathBuf>,

    /// Let --admin be an address that is not loopback; what is said there is not encrypted
    #[arg(long)]
    pub(super) admin_anywhere: bool,

    /// Client connections at once [default: 65536]
    #[arg(long, value_name = "COUNT", value_parser = read::<usize>)]
    #[serde(deserialize_with = "one")]
    pub(super) max_connections: Option<usize>,

    /// Tunnels at once on one client connection, where its transport carries several [default: 1024]
    #[arg(long, value_name = "COUNT", value_parser = read::<usize>)]
    #[serde(deserialize_with = "one")]
    pub(super) max_tunnels_per_connection: Option<usize>,

    /// Tunnels at once of one user of one application [default: 16384]
    #[arg(long, value_name = "COUNT", value_parser = read::<usize>)]
    #[serde(deserialize_with = "one")]
    pub(super) max_tunnels_per_token: Option<usize>,

    /// Bits a second of one user in each direction, like 10M [default: no limit]
    #[arg(long, value_name = "RATE", value_parser = read::<Count>)]
    #[serde(deserialize_with = "one")]
    pub(super) rate_bits: Option<Count>,

    /// Datagrams a second of one user in each direction [default: no limit]
    #[arg(long, value_name = "RATE", value_parser = read::<Count>)]
    #[serde(deserialize_with = "one")]
    pub(super) rate_packets: Option<Count>,

    /// How much to log: error, warn, info, debug or trace [default: the variable RUST_LOG, else info]
    #[arg(long, value_name = "LEVEL")]
    #[serde(deserialize_with = "one")]
    pub(super) log: Option<String>,

    /// How to write the log: text or json, one object a line [default: text]
    #[arg(long, value_name = "text|json", value_parser = read::<Format>)]
    #[serde(deserialize_with = "one")]
    pub(super) log_format: Option<Format>,

    /// How users stand in the log: clear, hashed or none [default: hashed]
    ///
    /// hashed: 16 digits by which the lines of one user can be found, and that say nothing of the name to who has no key.
    #[arg(long, value_name = "clear|hashed|none", value_parser = read::<LogUsers>)]
    #[serde(deserialize_with = "one")]
    pub(super) log_users: Option<LogUsers>,

    /// The key of these hashes: one word of at least 32 characters in a file [default: a random one with each start]
    ///
    /// With the same key a user is the same after a restart and on several relays.
    #[arg(long, value_name = "FILE")]
    #[serde(deserialize_with = "one")]
    pub(super) log_key_file: Option<PathBuf>,

    /// The limits, in the file only.
    #[arg(skip)]
    pub(super) limits: LimitsTable,

    /// What everybody may do at most, in the file only.
    #[arg(skip)]
    pub(super) scope: Scope,
}

impl RelayArgs {
    /// What was said here and, where nothing was said, in the file that `config` names.
    ///
    /// # Errors
    /// The file cannot be read, or what is wrong in it, with the line.
    pub(super) fn complete(self) -> Result<Self, Failure> {
        let Some(path) = &self.config else { return Ok(self) };
        let file = Self::from_text(path, &text_of(path)?)?;
        Ok(self.over(file))
    }

    /// What a file at `path` with this text says.
    ///
    /// # Errors
    /// What is wrong in it, with the line.
    pub(super) fn from_text(path: &Path, text: &str) -> Result<Self, Failure> {
        let mut file: Self = parse(path, text)?;
        file.resolve_paths(path.parent().unwrap_or(Path::new("")));
        Ok(file)
    }

    fn resolve_paths(&mut self, base: &Path) {
        let single = [
            &mut self.cert,
            &mut self.key,
            &mut self.self_signed,
            &mut self.admin_secret_file,
            &mut self.log_key_file,
        ];
        for path in single.into_iter().flatten().chain(&mut self.token_keys) {
            *path = base.join(&*path);
        }
        if let Some(place) = &mut self.admin {
            place.resolve(base);
        }
    }

    /// Written out whole: an option that is forgotten here does not compile.
    fn over(self, mut file: Self) -> Self {
        // A certificate comes from files or from a directory: the command line's way puts the file's out of force.
        if self.self_signed.is_some() {
            (file.cert, file.key) = (None, None);
        }
        if self.cert.is_some() || self.key.is_some() {
            file.self_signed = None;
            file.name.clear();
        }
        Self {
            config: self.config,
            listen: self.listen.or(file.listen),
            cert: self.cert.or(file.cert),
            key: self.key.or(file.key),
            self_signed: self.self_signed.or(file.self_signed),
            name: first(self.name, file.name),
            token_keys: first(self.token_keys, file.token_keys),
            audience: self.audience.or(file.audience),
            leeway: self.leeway.or(file.leeway),
            allow_target: first(self.allow_target, file.allow_target),
            deny_target: first(self.deny_target, file.deny_target),
            deny_port: first(self.deny_port, file.deny_port),
            resolve: first(self.resolve, file.resolve),
            proxy_protocol_from: first(self.proxy_protocol_from, file.proxy_protocol_from),
            truncated: self.truncated.or(file.truncated),
            no_echo: self.no_echo || file.no_echo,
            look_up: self.look_up.or(file.look_up),
            name_server: first(self.name_server, file.name_server),
            drain: self.drain.or(file.drain),
            gather: self.gather.or(file.gather),
            admin: self.admin.or(file.admin),
            admin_secret_file: self.admin_secret_file.or(file.admin_secret_file),
            admin_anywhere: self.admin_anywhere || file.admin_anywhere,
            log: self.log.or(file.log),
            log_format: self.log_format.or(file.log_format),
            log_users: self.log_users.or(file.log_users),
            log_key_file: self.log_key_file.or(file.log_key_file),
            max_connections: self.max_connections.or(file.max_connections),
            max_tunnels_per_connection: self.max_tunnels_per_connection.or(file.max_tunnels_per_connection),
            max_tunnels_per_token: self.max_tunnels_per_token.or(file.max_tunnels_per_token),
            rate_bits: self.rate_bits.or(file.rate_bits),
            rate_packets: self.rate_packets.or(file.rate_packets),
            limits: file.limits,
            scope: file.scope,
        }
    }
}

fn first<T>(here: Vec<T>, file: Vec<T>) -> Vec<T> {
    if here.is_empty() { file } else { here }
}

pub(super) const EXAMPLES: &str = "\
To try it out on one machine:
  wayleave token keygen --out keys.toml --public-out relay-keys.toml
  wayleave relay --listen 127.0.0.1:8443 --self-signed tls --token-keys relay-keys.toml --allow-target 127.0.0.0/8
  TOKEN=$(wayleave token mint --keys keys.toml --app-id 1001 --user alice --ttl 1h)
  curl --proxytunnel --proxy https://localhost:8443 --proxy-cacert tls/ca.pem \\
       --proxy-header \"Proxy-Authorization: Bearer $TOKEN\" http://127.0.0.1:8000/

In production:
  wayleave relay --listen 0.0.0.0:443 --cert chain.pem --key key.pem --token-keys relay-keys.toml --log-format json

The same as a file, for `wayleave relay --config relay.toml`; every limit is shown with its default:
  listen = \"0.0.0.0:443\"
  cert = \"chain.pem\"
  key = \"key.pem\"
  token-keys = [\"relay-keys.toml\"]
  resolve = [\"media.example=192.0.2.1\"]
  look-up = \"dns\"                    # or \"platform\"
  # name-server = [\"192.0.2.53\"]     # those of /etc/resolv.conf by default
  drain = \"10s\"
  gather = \"0\"                       # 0.1ms lets one wake-up serve many calls
  # admin = \"unix:admin.sock\"       # nobody by default
  log-format = \"json\"
  log-users = \"hashed\"              # or \"clear\" or \"none\"
  # log-key-file = \"log-key\"        # another key with each start by default

  [limits]
  connections = 65536                # client connections at once
  connections-per-source = 16384     # from one address (IPv6: one /64)
  lookups = 1024                     # names of targets looked up at once; new ones get 503 beyond
  lookups-per-account = 64           # the same of one user of one application; more get 429
  tunnels-per-connection = 1024      # where a connection carries several; more get 429
  tunnels-per-account = 16384        # of one user of one application; more get 429
  memory = \"1GiB\"                    # in all buffers; new tunnels get 503 beyond
  accounts = 65536                   # remembered without a tunnel, for their rates and volumes
  revocations = 65536                # made by the admin interface
  verdicts = 16384                   # tokens that were found good and need no signature check again
  failures = \"1/20\"                  # failed authentications of one address
  suspects = \"10/10\"                # what is still judged of one that failed more; more get 429
  stray = \"1MiB\"                     # bytes taken from a client outside of a tunnel
  handshake-timeout = \"10s\"
  head-timeout = \"30s\"
  dial-timeout = \"10s\"
  stagger = \"250ms\"                  # between attempts at the addresses of one name
  datagram-idle = \"5m\"
  stream-idle = \"2h\"
  half-idle = \"5m\"                  # of a stream of which one half has ended
  keep-alive = \"2m\"                 # a client or a target that was silent for so long is asked whether it is there
  user-timeout = \"15s\"              # a client that owes a sign for so long has vanished
  linger = \"5s\"
  buffer = \"64KiB\"                   # of each direction of a stream
  receive-buffer = \"1MiB\"           # of the system, for each UDP socket, as far as net.core.rmem_max allows
  head = { bytes = \"16KiB\", request-line = \"8KiB\", fields = 64 }
  datagrams = { count = 256, bytes = \"256KiB\", age = \"500ms\" }

  [scope]                            # what everybody may do at most; [[app]] in a key file and tokens narrow it
  # volume = 1000000000              # bytes of one user, as long as the relay remembers it; no limit by default
  # tunnels = 16                     # of one user at once
  # to_target = { bits_per_second = 10000000, packets_per_second = 5000 }
  # to_client = { bits_per_second = 10000000, packets_per_second = 5000 }
  # targets = [{ hosts = [\"*.media.example\"], ports = [443, \"5000-5999\"] }]
  # on_expiry = { close_after = 60 } # what becomes of open tunnels; \"keep\" by default, or \"refuse_new\"

Signals: the first SIGTERM or SIGINT stops accepting and lets tunnels finish for --drain, the second stops at once;
SIGHUP reads the token keys and the certificate again, as their change does; the old ones stay where a file is not in
order.";
