//! What a user can say to the relay, on the command line and in a file alike.

use std::path::PathBuf;

use clap::Args;
use wayleave_settings::relay::RelaySettings;

use crate::Failure;

/// Run a relay: it authenticates clients by their tokens and forwards their streams and datagrams.
///
/// Clients speak HTTP CONNECT and CONNECT-UDP (RFC 9298) over TLS on one TCP port. Without --allow-target a relay
/// forwards to public addresses only.
#[derive(Clone, Debug, Default, Args)]
#[command(allow_negative_numbers = true)]
#[command(after_long_help = EXAMPLES, after_help = "`wayleave relay --help` shows examples, the file and the signals.")]
pub(crate) struct RelayArgs {
    /// Read everything that stands here from a TOML file, under the same names, and the limits
    ///
    /// What is given on the command line wins. Paths in the file are relative to the file. What can be given several
    /// times is a list there: allow-target = ["10.0.0.0/8", "fd00::/8"].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: RelaySettings,
}

impl RelayArgs {
    /// What was said here and, where nothing was said, in the file that `config` names.
    ///
    /// # Errors
    /// The file cannot be read, or what is wrong in it, with the line.
    pub(super) fn complete(self) -> Result<RelaySettings, Failure> {
        let Some(path) = &self.config else { return Ok(self.settings) };
        let file = RelaySettings::read(path)?;
        Ok(self.settings.over(file))
    }
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
  # threads = 4                      # one for each core by default
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
