//! What a user can say to the agent, on the command line and in a file alike.

mod checked;
mod word;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, value_parser};
use serde::Deserialize;
use wayleave_proto::auth::AppId;
use wayleave_proto::base::{Link, Secret, Target};
use wayleave_proto::config::{Mode, Probe, Scope, Truncation};
use wayleave_proto::local::Forward;
use wayleave_settings::options::{Setting, many, one, parse, read, text_of};
use wayleave_settings::settings;

use crate::Failure;

/// Put programs that embed nothing behind the proxy.
///
/// The agent opens local ports: one kind speaks SOCKS5 and HTTP (--listen), the other always leads to one target
/// (--forward). What comes in there goes to its target directly or through a relay, as the mode says.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct AgentArgs {
    /// Read everything that stands here from a TOML file, under the same names
    ///
    /// What is given on the command line wins. Paths in the file are relative to the file. What can be given several
    /// times is a list there: proxy = ["relay1.example:443", "relay2.example:443"].
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(super) config: Option<PathBuf>,

    /// Serve SOCKS5 (CONNECT and UDP ASSOCIATE) and HTTP (CONNECT and http:// pages) on this address; can be given several
    /// times
    ///
    /// Both are told apart by what the client sends. Port 0 takes any free port. An address that other machines can
    /// reach needs --local-user.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = read::<SocketAddr>)]
    #[serde(deserialize_with = "many")]
    pub(super) listen: Vec<SocketAddr>,

    /// Lead a local port to one target: tcp:ADDRESS:PORT=HOST:PORT or udp:ADDRESS:PORT=HOST:PORT; can be given several
    /// times
    #[arg(long, value_name = "KIND:LISTEN=TARGET", value_parser = read::<Forward>)]
    #[serde(deserialize_with = "many")]
    pub(super) forward: Vec<Forward>,

    /// Let forwards listen on addresses that other machines can reach
    ///
    /// A forward cannot ask for a password: whoever reaches it uses your token for its target.
    #[arg(long)]
    pub(super) open_forwards: bool,

    /// A relay; can be given several times, the first is preferred until it fails
    #[arg(long, value_name = "HOST:PORT", value_parser = read::<Target>)]
    #[serde(deserialize_with = "many")]
    pub(super) proxy: Vec<Target>,

    /// Reach the relays through a proxy of this network: http://USER:PASSWORD@PROXY:PORT, https://... or socks5://...; can be
    /// given several times, and they are tried in turn; or system
    ///
    /// system takes what the environment names, as curl does for https: the first of https_proxy, HTTPS_PROXY, all_proxy and
    /// ALL_PROXY, for every relay that is not in no_proxy or NO_PROXY. Where none is set, there is no such proxy.
    ///
    /// It is asked for the relay by name, so that not even that is looked up here. User and password may be left out; they
    /// are shown only when it asks (Basic, Digest), and other users of this machine may see them in a command line: better
    /// write them into --config. What goes direct by --mode does not go through it. An https:// proxy is trusted as the
    /// relays are, see --ca.
    #[arg(long, value_name = "URL|system", value_parser = read::<Secret<String>>)]
    #[serde(deserialize_with = "many")]
    pub(super) via: Vec<Secret<String>>,

    /// Trust the relays whose certificates the authorities in this PEM file have signed, and no other
    ///
    /// Without it the certificates that this system trusts are trusted. A relay that was started with --self-signed DIR
    /// has DIR/ca.pem.
    #[arg(long, value_name = "FILE")]
    #[serde(deserialize_with = "one")]
    pub(super) ca: Option<PathBuf>,

    /// The token; other users of this machine can see it on the command line, so prefer --token-file
    ///
    /// The environment variable WAYLEAVE_TOKEN does the same; both options for the token win over it, and it wins over
    /// the file of --config.
    #[arg(long, value_name = "TOKEN", value_parser = read::<Secret<String>>, conflicts_with = "token_file")]
    #[serde(deserialize_with = "one")]
    pub(super) token: Option<Secret<String>>,

    /// Read the token from this file, and again whenever it changes: that renews the token
    #[arg(long, value_name = "FILE")]
    #[serde(deserialize_with = "one")]
    pub(super) token_file: Option<PathBuf>,

    /// How long before its expiry the token is announced as an event and in the log [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) token_warning: Option<Duration>,

    /// The application whose app sign --app-sign-file holds
    #[arg(long, value_name = "ID", value_parser = read::<AppId>, requires = "app_sign_file")]
    #[serde(deserialize_with = "one")]
    pub(super) app_id: Option<AppId>,

    /// Prove the application's own key instead of a token: a file with its 64 hexadecimal characters
    ///
    /// It takes the place of a token, which may be there and empty. It does not get through a proxy that terminates TLS
    /// before the relay.
    #[arg(long, value_name = "FILE", requires = "app_id", conflicts_with = "token_file")]
    #[serde(deserialize_with = "one")]
    pub(super) app_sign_file: Option<PathBuf>,

    /// Which way flows go [default: smart]
    ///
    /// smart: directly, and through a relay where nothing gets through directly within the trial; normal: always through
    /// a relay, and nothing leaves directly whatever fails; off: always directly.
    #[arg(long, value_name = "normal|smart|off", value_parser = read::<Mode>)]
    #[serde(deserialize_with = "one")]
    pub(super) mode: Option<Mode>,

    /// The kind of network underneath [default: auto]
    ///
    /// On cellular the agent stays direct even where a trial proved nothing. auto looks at the interface of the default
    /// route, where the system tells, and notices when it changes.
    #[arg(long, value_name = "auto|cellular|ethernet|unknown|wifi", value_parser = read::<LinkChoice>)]
    #[serde(deserialize_with = "one")]
    pub(super) link: Option<LinkChoice>,

    /// How long smart mode tries the direct path [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) trial: Option<Duration>,

    /// Ask another relay as well where one does not answer a request for so long [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) hedge: Option<Duration>,

    /// Ask a relay whether it is there when nothing came from it for so long, although something was sent [default: 2s]
    ///
    /// Where it does not answer that either, datagram flows move to another relay, and streams are told.
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) silence: Option<Duration>,

    /// Keep a connection on which nothing moved for so long alive by one small packet [default: 45s]
    ///
    /// Many address translators forget a connection after 60 s. An hour of it costs about 11 KB for each idle tunnel.
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) keep_alive: Option<Duration>,

    /// Give up a connection to a relay after so long without a sign of it, when one is due [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) user_timeout: Option<Duration>,

    /// What smart mode decides together: streams and datagrams apart (kind), or both as one (session) [default: kind]
    #[arg(long, value_name = "kind|session", value_parser = read::<Scope>)]
    #[serde(deserialize_with = "one")]
    pub(super) scope: Option<Scope>,

    /// Whether smart mode takes a flow that does not come through directly to a relay, while others do [default: on]
    ///
    /// Where a network lets port 443 out and nothing else, the first stream proves the direct path, and every other port is
    /// lost without this. What is not connected or not answered within the trial's length goes to a relay, and its port is
    /// remembered as blocked on this network. Never on cellular.
    #[arg(long, value_name = "on|off", value_parser = read::<Switch>)]
    #[serde(deserialize_with = "one")]
    pub(super) rescue: Option<Switch>,

    /// How soon one flow tries a blocked port directly again; each further pause is twice as long, at most 30 min or
    /// this [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) rescue_pause: Option<Duration>,

    /// Whether smart mode tries anew by itself when the direct path falls silent or breaks off [default: on]
    ///
    /// It does when three flows in a row break off, or nothing comes back for the time of --doubt-window, and more and more
    /// seldom.
    #[arg(long, value_name = "on|off", value_parser = read::<Switch>)]
    #[serde(deserialize_with = "one")]
    pub(super) doubt: Option<Switch>,

    /// How long nothing may come back over a direct path that was answered before [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) doubt_window: Option<Duration>,

    /// Whether the token is shown to the first relay that is reached, and the log says what the relay thinks of it [default: on]
    ///
    /// In mode normal that is at the start; in smart mode with the first connection to a relay, which a trial makes too.
    #[arg(long, value_name = "on|off", value_parser = read::<Switch>)]
    #[serde(deserialize_with = "one")]
    pub(super) check_token: Option<Switch>,

    /// What becomes of a stream whose relay ends without close_notify [default: reset]
    ///
    /// reset: it is reset, since a relay of Wayleave's says with that end that the target broke off; end: it ends, for relays
    /// of somebody else's that never send one (Apache). A line of --log warn, and the events, tell it either way.
    #[arg(long, value_name = "end|reset", value_parser = read::<Truncation>)]
    #[serde(deserialize_with = "one")]
    pub(super) truncated: Option<Truncation>,

    /// Something that answers when the direct path works; can be given several times
    ///
    /// HOST:PORT or tcp:HOST:PORT is a TCP connection, udp:HOST:PORT a STUN server. With probes the trial begins at the
    /// start, else with the first flow.
    #[arg(long, value_name = "[KIND:]HOST:PORT", value_parser = read::<Probe>)]
    #[serde(deserialize_with = "many")]
    pub(super) probe: Vec<Probe>,

    /// Write what happens to this file, one JSON object a line; - is standard output
    #[arg(long, value_name = "FILE", allow_hyphen_values = true, value_parser = read::<Destination>)]
    #[serde(deserialize_with = "one")]
    pub(super) events: Option<Destination>,

    /// Ask the clients of --listen for this user name and password
    #[arg(long, value_name = "NAME:PASSWORD", value_parser = read::<Secret<String>>)]
    #[serde(deserialize_with = "one")]
    pub(super) local_user: Option<Secret<String>>,

    /// How many targets one SOCKS5 UDP association may speak with at once, 1 to 65536 [default: 256]
    ///
    /// One more takes the place of that which was used longest ago. Directly they share one port; through a relay each is a
    /// tunnel.
    #[arg(long, value_name = "COUNT", value_parser = read::<usize>)]
    #[serde(deserialize_with = "one")]
    pub(super) association_targets: Option<usize>,

    /// After how long without a datagram either way a target of an association, or a sender to a forward, is forgotten, at
    /// least 2m [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    #[serde(deserialize_with = "one")]
    pub(super) datagram_idle: Option<Duration>,

    /// Receive and send datagrams one by one, and leave nothing of it to the system or the network card
    ///
    /// Without this, Linux cuts apart what is sent together, and joins what comes together (GSO and GRO of UDP). Try this where
    /// datagrams get lost in bursts: some systems and cards damage what they cut.
    #[arg(long)]
    pub(super) no_offload: bool,

    /// How much to say on standard error: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = value_parser!(String))]
    #[serde(deserialize_with = "one")]
    pub(super) log: Option<String>,
}

settings!(AgentArgs {
    config,
    listen,
    forward,
    open_forwards,
    proxy,
    via,
    ca,
    token,
    token_file,
    token_warning,
    app_id,
    app_sign_file,
    mode,
    link,
    trial,
    hedge,
    silence,
    keep_alive,
    user_timeout,
    scope,
    rescue,
    rescue_pause,
    doubt,
    doubt_window,
    check_token,
    truncated,
    probe,
    events,
    local_user,
    association_targets,
    datagram_idle,
    no_offload,
    log,
});

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// It is not.
    Off,
    /// It is.
    On,
}

impl Switch {
    /// What was said, or what is usual.
    pub(super) fn or_usual(said: Option<Self>, usual: bool) -> bool {
        said.map_or(usual, |said| said == Self::On)
    }
}

/// Where events are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To a file.
    File(PathBuf),
    /// To standard output, which is written `-`.
    StandardOutput,
}

/// Where the kind of link comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkChoice {
    /// From the platform.
    Auto,
    /// From the user.
    Fixed(Link),
}

impl AgentArgs {
    /// What was said here and, where nothing was said, in the file that `config` names.
    ///
    /// # Errors
    /// The file cannot be read, or what is wrong in it, with the line.
    pub(super) fn complete(self, environment: Option<String>) -> Result<Self, Failure> {
        let Some(path) = self.config.clone() else { return Ok(self.with_token(environment)) };
        let text = text_of(&path)?;
        Ok(self.with_token(environment).over(Self::from_text(&path, &text)?))
    }

    /// What a file at `path` with this text says.
    ///
    /// # Errors
    /// What is wrong in it, with the line.
    pub(crate) fn from_text(path: &Path, text: &str) -> Result<Self, Failure> {
        let mut file: Self = parse(path, text)?;
        if file.token.is_some() && file.token_file.is_some() {
            return Err(Failure::usage(format!(
                "{}: token and token-file exclude each other; keep one of them",
                path.display()
            )));
        }
        file.locate(path.parent().unwrap_or(Path::new("")));
        Ok(file)
    }

    /// The token from the environment, where neither option for it was given.
    fn with_token(mut self, environment: Option<String>) -> Self {
        if self.token.is_none() && self.token_file.is_none() && self.app_sign_file.is_none() {
            self.token = environment.map(Secret::new);
        }
        self
    }

    fn over(self, mut file: Self) -> Self {
        // All that proves who we are comes from one place.
        if self.token.is_some() || self.token_file.is_some() || self.app_sign_file.is_some() {
            (file.token, file.token_file, file.app_id, file.app_sign_file) = (None, None, None, None);
        }
        Setting::over(self, file)
    }
}

const EXAMPLES: &str = "\
Examples:
  Behind a firewall, a browser or curl through a relay where nothing else gets out:
    wayleave agent --listen 127.0.0.1:1080 --proxy relay.example:443 --token-file token.txt
    curl --proxy socks5h://127.0.0.1:1080 https://www.example/
    curl --proxy http://127.0.0.1:1080 https://www.example/

  A media tool that knows no proxy; send to 127.0.0.1:5004 what is meant for media.example:5004:
    wayleave agent --proxy relay.example:443 --token-file token.txt \\
                   --forward udp:127.0.0.1:5004=media.example:5004

  Everything through two relays of your own, and a record of what happened:
    wayleave agent --listen 127.0.0.1:1080 --mode normal --proxy localhost:8443 --proxy localhost:8444 \\
                   --ca DIR/ca.pem --token-file token.txt --events events.jsonl

  The same from a file:
    wayleave agent --config agent.toml
      listen = \"127.0.0.1:1080\"
      mode = \"normal\"
      proxy = [\"localhost:8443\", \"localhost:8444\"]
      ca = \"DIR/ca.pem\"
      token-file = \"token.txt\"
      events = \"events.jsonl\"

SIGHUP reads the token file again, and opens the file of --events anew, which somebody may have renamed.

Exit status: 0 after SIGTERM or SIGINT, 2 for a wrong argument or configuration, 1 for a failure at run time.";
