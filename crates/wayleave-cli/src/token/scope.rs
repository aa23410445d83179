//! What a token allows, as options.

use clap::Args;
use wayleave_proto::policy::{HostPattern, Kinds, OnExpiry, PortRange, Rates, Scope, TargetRule, Targets};
use wayleave_settings::options::{Bytes, Count, Word, read};

/// What the bearer may do, within what the operator allows the application
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What the bearer may do")]
pub(super) struct ScopeArgs {
    /// Allow this target and no other that is not given: a name, *.NAME, an address, or a range; can be given several
    /// times
    #[arg(long, value_name = "HOST", value_parser = read::<HostPattern>)]
    allow_host: Vec<HostPattern>,

    /// Allow these ports and no other; can be given several times
    #[arg(long, value_name = "PORT[-PORT]", value_parser = read::<PortRange>)]
    allow_port: Vec<PortRange>,

    /// Allow this kind of flow and no other that is not given
    #[arg(long, value_name = "stream|datagrams", value_parser = read::<KindWord>)]
    allow_kind: Vec<KindWord>,

    /// Bits of payload a second from the client to its targets
    #[arg(long, value_name = "BITS", value_parser = read::<Count>)]
    to_target_bits: Option<Count>,

    /// Datagrams a second from the client to its targets
    #[arg(long, value_name = "COUNT", value_parser = read::<Count>)]
    to_target_packets: Option<Count>,

    /// Bits of payload a second from the targets to the client
    #[arg(long, value_name = "BITS", value_parser = read::<Count>)]
    to_client_bits: Option<Count>,

    /// Datagrams a second from the targets to the client
    #[arg(long, value_name = "COUNT", value_parser = read::<Count>)]
    to_client_packets: Option<Count>,

    /// Bytes of payload in all, both ways together
    #[arg(long, value_name = "BYTES", value_parser = read::<Bytes>)]
    volume: Option<Bytes>,

    /// Tunnels that may be open at once
    #[arg(long, value_name = "COUNT", value_parser = read::<u32>)]
    tunnels: Option<u32>,

    /// What becomes of open tunnels when the token expires
    #[arg(long, value_name = "keep|refuse-new|close-after=TIME", value_parser = read::<OnExpiry>)]
    on_expiry: Option<OnExpiry>,

    /// All of this at once, as the JSON of the claim `wayleave`, which can have several rules of targets
    #[arg(long, value_name = "JSON", value_parser = read_scope, conflicts_with_all = PARTS)]
    scope: Option<Scope>,
}

impl ScopeArgs {
    pub(super) fn scope(&self) -> Scope {
        if let Some(scope) = &self.scope {
            return scope.clone();
        }
        let number = |count: Option<Count>| count.map(|Count(number)| number);
        let rates =
            |bits, packets| Rates { bits_per_second: number(bits), packets_per_second: number(packets) };
        Scope {
            targets: self.targets(),
            to_target: rates(self.to_target_bits, self.to_target_packets),
            to_client: rates(self.to_client_bits, self.to_client_packets),
            volume: self.volume.map(|Bytes(bytes)| bytes),
            tunnels: self.tunnels,
            on_expiry: self.on_expiry,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.scope() == Scope::default()
    }

    fn targets(&self) -> Targets {
        let mut rule = TargetRule::default();
        if !self.allow_host.is_empty() {
            rule.hosts.clone_from(&self.allow_host);
        }
        if !self.allow_port.is_empty() {
            rule.ports.clone_from(&self.allow_port);
        }
        if !self.allow_kind.is_empty() {
            let has = |kind| self.allow_kind.contains(&kind);
            rule.kinds = Kinds { streams: has(KindWord::Stream), datagrams: has(KindWord::Datagrams) };
        }
        if rule == TargetRule::default() { Targets::ANY } else { Targets::new(vec![rule]) }
    }
}

/// A kind of flow, as the claim of a token names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KindWord {
    Datagrams,
    Stream,
}

/// Reads the claim whole, as JSON.
fn read_scope(text: &str) -> Result<Scope, String> {
    serde_json::from_str(text).map_err(|error| {
        format!("{error}; write an object like {{\"targets\": [{{\"hosts\": [\"*.media.example\"]}}], \"tunnels\": 8}}")
    })
}

impl Word for KindWord {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "datagrams" => Ok(Self::Datagrams),
            "stream" => Ok(Self::Stream),
            _ => Err("write stream or datagrams".into()),
        }
    }
}

/// The options that say a part of the claim each.
const PARTS: [&str; 10] = [
    "allow_host",
    "allow_port",
    "allow_kind",
    "to_target_bits",
    "to_target_packets",
    "to_client_bits",
    "to_client_packets",
    "volume",
    "tunnels",
    "on_expiry",
];
