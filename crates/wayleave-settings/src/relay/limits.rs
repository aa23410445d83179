//! `[limits]` of the configuration file.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use wayleave_proto::config::RelayLimits;
use wayleave_proto::policy::Scope;

use crate::options::{Bytes, Rate, Setting, one};

/// What a file says of limits; what it does not say keeps its default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LimitsTable {
    #[serde(deserialize_with = "one")]
    connections: Option<usize>,
    #[serde(deserialize_with = "one")]
    lookups: Option<usize>,
    #[serde(deserialize_with = "one")]
    lookups_per_account: Option<usize>,
    #[serde(deserialize_with = "one")]
    connections_per_source: Option<usize>,
    #[serde(deserialize_with = "one")]
    tunnels_per_connection: Option<usize>,
    #[serde(deserialize_with = "one")]
    tunnels_per_account: Option<usize>,
    #[serde(deserialize_with = "one")]
    memory: Option<Bytes>,
    #[serde(deserialize_with = "one")]
    handshake_timeout: Option<Duration>,
    #[serde(deserialize_with = "one")]
    head_timeout: Option<Duration>,
    #[serde(deserialize_with = "one")]
    dial_timeout: Option<Duration>,
    #[serde(deserialize_with = "one")]
    stagger: Option<Duration>,
    #[serde(deserialize_with = "one")]
    datagram_idle: Option<Duration>,
    #[serde(deserialize_with = "one")]
    stream_idle: Option<Duration>,
    #[serde(deserialize_with = "one")]
    half_idle: Option<Duration>,
    #[serde(deserialize_with = "one")]
    linger: Option<Duration>,
    #[serde(deserialize_with = "one")]
    keep_alive: Option<Duration>,
    #[serde(deserialize_with = "one")]
    user_timeout: Option<Duration>,
    #[serde(deserialize_with = "one")]
    buffer: Option<Bytes>,
    #[serde(deserialize_with = "one")]
    receive_buffer: Option<Bytes>,
    #[serde(deserialize_with = "one")]
    accounts: Option<usize>,
    #[serde(deserialize_with = "one")]
    revocations: Option<usize>,
    #[serde(deserialize_with = "one")]
    verdicts: Option<usize>,
    #[serde(deserialize_with = "one")]
    failures: Option<Rate>,
    #[serde(deserialize_with = "one")]
    suspects: Option<Rate>,
    #[serde(deserialize_with = "one")]
    stray: Option<Bytes>,
    head: HeadTable,
    datagrams: DatagramsTable,
}

/// `[limits.head]`: the head of a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct HeadTable {
    #[serde(deserialize_with = "one")]
    bytes: Option<Bytes>,
    #[serde(deserialize_with = "one")]
    request_line: Option<Bytes>,
    #[serde(deserialize_with = "one")]
    fields: Option<usize>,
}

/// `[limits.datagrams]`: datagrams that wait.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct DatagramsTable {
    #[serde(deserialize_with = "one")]
    count: Option<usize>,
    #[serde(deserialize_with = "one")]
    bytes: Option<Bytes>,
    #[serde(deserialize_with = "one")]
    age: Option<Duration>,
}

impl LimitsTable {
    /// Puts what the file says in place of what is there.
    pub fn apply(&self, limits: &mut RelayLimits) {
        set(&mut limits.connections, self.connections);
        set(&mut limits.lookups, self.lookups);
        set(&mut limits.lookups_per_account, self.lookups_per_account);
        set(&mut limits.connections_per_source, self.connections_per_source);
        set(&mut limits.tunnels_per_connection, self.tunnels_per_connection);
        set(&mut limits.tunnels_per_account, self.tunnels_per_account);
        set(&mut limits.memory, self.memory.map(size));
        set(&mut limits.handshake_timeout, self.handshake_timeout);
        set(&mut limits.head_timeout, self.head_timeout);
        set(&mut limits.dial_timeout, self.dial_timeout);
        set(&mut limits.stagger, self.stagger);
        set(&mut limits.datagram_idle, self.datagram_idle);
        set(&mut limits.stream_idle, self.stream_idle);
        set(&mut limits.half_idle, self.half_idle);
        set(&mut limits.linger, self.linger);
        set(&mut limits.keep_alive, self.keep_alive);
        set(&mut limits.user_timeout, self.user_timeout);
        set(&mut limits.buffer, self.buffer.map(size));
        set(&mut limits.receive_buffer, self.receive_buffer.map(size));
        set(&mut limits.accounts, self.accounts);
        set(&mut limits.revocations, self.revocations);
        set(&mut limits.verdicts, self.verdicts);
        set(&mut limits.failures, self.failures.map(|Rate(rate)| rate));
        set(&mut limits.suspects, self.suspects.map(|Rate(rate)| rate));
        set(&mut limits.stray, self.stray.map(size));
        set(&mut limits.head.bytes, self.head.bytes.map(size));
        set(&mut limits.head.request_line, self.head.request_line.map(size));
        set(&mut limits.head.fields, self.head.fields);
        set(&mut limits.datagrams.count, self.datagrams.count);
        set(&mut limits.datagrams.bytes, self.datagrams.bytes.map(size));
        set(&mut limits.datagrams.age, self.datagrams.age);
    }
}

/// The command line says nothing of them.
impl Setting for LimitsTable {
    fn over(self, file: Self) -> Self {
        file
    }

    fn locate(&mut self, _: &Path) {}
}

/// As with the limits.
impl Setting for Scope {
    fn over(self, file: Self) -> Self {
        file
    }

    fn locate(&mut self, _: &Path) {}
}

fn set<T>(field: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *field = said;
    }
}

fn size(Bytes(bytes): Bytes) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
