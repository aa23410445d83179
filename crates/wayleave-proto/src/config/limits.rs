//! Every bound and every time, with its default and its reason.

use core::time::Duration;

use super::{ConfigError, Liveness, Peer, liveness};
use crate::codec::h1::HeadLimits;
use crate::policy::RateLimit;
use crate::queue::DatagramLimits;

/// The bounds and times of a client.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// Flows at once. Default 65,536.
    pub flows: usize,
    /// Connections to proxies that are being made at once; flows beyond wait their turn. Default 64, range 1 to 1,024.
    pub dials: usize,
    /// Bytes that wait in each direction of one stream before its source is paused. Default 64 KiB, range 4 KiB to 16 MiB.
    pub buffer: usize,
    /// Datagrams that wait in each direction of one flow. Late media is worthless, so the queue is short and drops the oldest.
    pub datagrams: DatagramLimits,
    /// Bytes that the system keeps for each UDP socket while they wait to be received, as far as it allows (on Linux
    /// `net.core.rmem_max`); a burst beyond is dropped there, and counted. Default 1 MiB, range 4 KiB to 64 MiB.
    pub receive_buffer: usize,
    /// From the opening of a stream to its failure when no path answers. Default 30 s.
    pub open_timeout: Duration,
    /// For one look-up or one attempt at a proxy, TLS included, and for its answer to a request that waits for nothing
    /// else. Default 10 s.
    pub proxy_timeout: Duration,
    /// Between the starts of two attempts (RFC 8305 §5). Default 250 ms, range 10 ms to 2 s.
    pub stagger: Duration,
    /// Idle connections to a proxy that are kept ready, so that a new flow costs one round trip. Default 1, at most 16.
    pub standby: usize,
    /// How long such a connection is kept before it is replaced; relays close silent ones. Default 25 s.
    pub standby_age: Duration,
    /// For how long after the last flow was opened connections are kept ready. Default 5 min.
    pub standby_keep: Duration,
    /// How long before its expiry a token is announced; one that is good for no longer than that, when half of its time is
    /// over. Default 30 s, at most 1 day.
    pub token_warning: Duration,
    /// How long a closed stream may take to deliver what was written to it. Default 10 s.
    pub linger: Duration,
    /// A request to a proxy that is not answered for so long is asked of another one as well. Default 1 s, range 100 ms to 10 s.
    pub hedge: Duration,
    /// A proxy from which nothing comes for so long, although something was sent, is asked whether it is there. Default 2 s,
    /// range 500 ms to 1 min.
    pub silence: Duration,
    /// A tunnel or a direct stream on which nothing moved for so long is kept alive by one small packet, before a translator
    /// of addresses forgets it; many do after 60 s. Default 45 s, range 10 s to 2 h.
    pub keep_alive: Duration,
    /// A connection to a proxy has failed after so long without a sign of its other end, when one is due. Default 15 s, range
    /// 5 s to 5 min: long enough for a change of the network underneath, short enough for whoever waits.
    pub user_timeout: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            flows: 65_536,
            dials: 64,
            buffer: 64 * 1024,
            datagrams: DatagramLimits::default(),
            receive_buffer: 1 << 20,
            open_timeout: Duration::from_secs(30),
            proxy_timeout: Duration::from_secs(10),
            stagger: Duration::from_millis(250),
            standby: 1,
            standby_age: Duration::from_secs(25),
            standby_keep: Duration::from_secs(300),
            token_warning: Duration::from_secs(30),
            linger: Duration::from_secs(10),
            hedge: Duration::from_secs(1),
            silence: Duration::from_secs(2),
            keep_alive: Duration::from_secs(45),
            user_timeout: Duration::from_secs(15),
        }
    }
}

impl ClientLimits {
    /// Whether every value is in its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        within("limits.flows", self.flows, 1, 1 << 24)?;
        within("limits.dials", self.dials, 1, 1_024)?;
        within("limits.buffer", self.buffer, 4 * 1024, 16 << 20)?;
        within("limits.receive_buffer", self.receive_buffer, 4 * 1024, 64 << 20)?;
        within("limits.standby", self.standby, 0, 16)?;
        span("limits.open_timeout", self.open_timeout)?;
        span("limits.proxy_timeout", self.proxy_timeout)?;
        span("limits.linger", self.linger)?;
        span("limits.standby_age", self.standby_age)?;
        if !(Duration::from_millis(100)..=Duration::from_secs(10)).contains(&self.hedge) {
            return Err(ConfigError::new("limits.hedge", "give a time from 100 ms to 10 s"));
        }
        if !(Duration::from_millis(500)..=Duration::from_secs(60)).contains(&self.silence) {
            return Err(ConfigError::new("limits.silence", "give a time from 500 ms to 1 min"));
        }
        if self.token_warning > Duration::from_secs(86_400) {
            return Err(ConfigError::new("limits.token_warning", "give a time of at most 1 day"));
        }
        if self.stagger < Duration::from_millis(10) || self.stagger > Duration::from_secs(2) {
            return Err(ConfigError::new("limits.stagger", "give a time from 10 ms to 2 s"));
        }
        liveness::check(self.keep_alive, self.user_timeout)
    }

    /// How a connection to `peer` is watched.
    pub const fn liveness(&self, peer: Peer) -> Liveness {
        Liveness { idle: self.keep_alive, timeout: self.user_timeout, peer }
    }
}

/// The bounds and times of a relay.
#[derive(Clone, Debug)]
pub struct RelayLimits {
    /// Client connections at once; more are closed at once. Default 65,536.
    pub connections: usize,
    /// Names of targets that are looked up at once; a request for one more gets 503. Default 1,024.
    pub lookups: usize,
    /// The same of one account, so that the slow name servers of one user cost no other anything; one more gets 429.
    /// Default 64.
    pub lookups_per_account: usize,
    /// Client connections at once from one address (IPv6: one /64). Default 16,384, for offices behind one NAT.
    pub connections_per_source: usize,
    /// Tunnels at once on one connection; more get 429. Default 1,024, range 1 to 65,536. HTTP/1.1 has one, whatever this says.
    pub tunnels_per_connection: usize,
    /// Tunnels at once of one account (one user of one application). Default 16,384; more get 429.
    pub tunnels_per_account: usize,
    /// Bytes in all buffers above which new tunnels get 503. Default 1 GiB. Clients that have not asked for anything yet may
    /// fill a quarter of them; those that would fill more are ended.
    pub memory: usize,
    /// The request head. Default 16 KiB and 64 fields.
    pub head: HeadLimits,
    /// From the acceptance of a connection to the end of the TLS handshake. Default 10 s.
    pub handshake_timeout: Duration,
    /// From there to the end of the request head, whatever drips in between. Default 30 s, so that clients can keep a
    /// connection ready.
    pub head_timeout: Duration,
    /// For the look-up of a name and for each attempt at one of its addresses. Default 10 s.
    pub dial_timeout: Duration,
    /// Between the starts of two attempts (RFC 8305 §5). Default 250 ms.
    pub stagger: Duration,
    /// A tunnel of datagrams in which nothing moved for this long is closed. Default 5 min, at least 2 min
    /// (RFC 9298 §3.1).
    pub datagram_idle: Duration,
    /// A stream tunnel in which nothing moved for this long is closed. Default 2 h.
    pub stream_idle: Duration,
    /// The same for a stream of which one half has ended, because a side that went away altogether cannot always be told
    /// from one that still listens. Default 5 min.
    pub half_idle: Duration,
    /// How long the last answer may take to reach a client that is being refused, and how long a finished tunnel may take
    /// to deliver its last bytes. Default 5 s.
    pub linger: Duration,
    /// A client or a target of which nothing came for so long is asked whether it is there. Default 2 min, range 10 s to 2 h:
    /// clients keep their tunnels alive by themselves, so this only finds those that vanished.
    pub keep_alive: Duration,
    /// A client has vanished after so long without a sign of it, when one is due. Default 15 s, range 5 s to 5 min.
    pub user_timeout: Duration,
    /// Bytes that wait in each direction of one stream before its source is paused. Default 64 KiB.
    pub buffer: usize,
    /// Datagrams that wait in each direction of one tunnel.
    pub datagrams: DatagramLimits,
    /// Bytes that the system keeps for each UDP socket while they wait to be received, as far as it allows (on Linux
    /// `net.core.rmem_max`); a burst beyond is dropped there, and counted. Default 1 MiB, range 4 KiB to 64 MiB.
    pub receive_buffer: usize,
    /// Accounts without a tunnel that are remembered because of their rates or their volume. Default 65,536; beyond,
    /// those are forgotten first that would be soonest anyway.
    pub accounts: usize,
    /// Revocations that were said while the relay runs. Default 65,536.
    pub revocations: usize,
    /// Tokens whose verdict is remembered, so that their signature need not be checked again. Default 16,384; beyond, those
    /// are forgotten first that would be soonest anyway. About 1 KB each.
    pub verdicts: usize,
    /// Requests that wait for the embedder's verifier at once. Default 4,096; more get 503.
    pub verifying: usize,
    /// How long one of them waits. Default 10 s; then it gets 503.
    pub verify_timeout: Duration,
    /// Failed authentications of one source address before it is suspected of guessing. Default 20 at once, then one a
    /// second.
    pub failures: RateLimit,
    /// Credentials of a suspected source that are judged all the same, for those behind the same address who do not guess;
    /// more get 429. Credentials that are known to be good do not count. Default 10 at once and a second.
    pub suspects: RateLimit,
    /// Bytes taken from a client that has no tunnel: before its request is allowed, and again from its refusal or the end
    /// of its tunnel on; what comes then is thrown away. Its connection is reset beyond. Default 1 MiB, at least 64 KiB.
    pub stray: usize,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            connections: 65_536,
            lookups: 1_024,
            lookups_per_account: 64,
            connections_per_source: 16_384,
            tunnels_per_connection: 1_024,
            tunnels_per_account: 16_384,
            memory: 1 << 30,
            head: HeadLimits::default(),
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(30),
            dial_timeout: Duration::from_secs(10),
            stagger: Duration::from_millis(250),
            datagram_idle: Duration::from_secs(300),
            stream_idle: Duration::from_secs(7_200),
            half_idle: Duration::from_secs(300),
            linger: Duration::from_secs(5),
            keep_alive: Duration::from_secs(120),
            user_timeout: Duration::from_secs(15),
            buffer: 64 * 1024,
            datagrams: DatagramLimits::default(),
            receive_buffer: 1 << 20,
            accounts: 65_536,
            revocations: 65_536,
            verdicts: 16_384,
            verifying: 4_096,
            verify_timeout: Duration::from_secs(10),
            failures: RateLimit { per_second: 1, burst: 20 },
            suspects: RateLimit { per_second: 10, burst: 10 },
            stray: 1 << 20,
        }
    }
}

impl RelayLimits {
    /// Whether every value is in its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        within("limits.connections", self.connections, 1, 1 << 24)?;
        within("limits.lookups", self.lookups, 1, 1 << 24)?;
        within("limits.lookups_per_account", self.lookups_per_account, 1, 1 << 24)?;
        within("limits.connections_per_source", self.connections_per_source, 1, 1 << 24)?;
        within("limits.tunnels_per_connection", self.tunnels_per_connection, 1, 1 << 16)?;
        within("limits.tunnels_per_account", self.tunnels_per_account, 1, 1 << 24)?;
        within("limits.buffer", self.buffer, 4 * 1024, 16 << 20)?;
        within("limits.stray", self.stray, 64 * 1024, usize::MAX)?;
        within("limits.receive_buffer", self.receive_buffer, 4 * 1024, 64 << 20)?;
        within("limits.memory", self.memory, 1 << 20, usize::MAX)?;
        within("limits.accounts", self.accounts, 0, 1 << 24)?;
        within("limits.revocations", self.revocations, 0, 1 << 24)?;
        within("limits.verdicts", self.verdicts, 0, 1 << 24)?;
        within("limits.verifying", self.verifying, 1, 1 << 24)?;
        for (field, value) in [
            ("limits.handshake_timeout", self.handshake_timeout),
            ("limits.head_timeout", self.head_timeout),
            ("limits.dial_timeout", self.dial_timeout),
            ("limits.stream_idle", self.stream_idle),
            ("limits.half_idle", self.half_idle),
            ("limits.linger", self.linger),
            ("limits.verify_timeout", self.verify_timeout),
        ] {
            span(field, value)?;
        }
        if self.stagger < Duration::from_millis(10) || self.stagger > Duration::from_secs(2) {
            return Err(ConfigError::new("limits.stagger", "give a time from 10 ms to 2 s"));
        }
        for (field, rate) in [("limits.failures", self.failures), ("limits.suspects", self.suspects)] {
            if rate.per_second == 0 || rate.burst == 0 {
                return Err(ConfigError::new(field, "give a rate and a burst of at least 1"));
            }
        }
        if self.datagram_idle < Duration::from_secs(120) {
            return Err(ConfigError::new("limits.datagram_idle", "give at least 2 min (RFC 9298 §3.1)"));
        }
        liveness::check(self.keep_alive, self.user_timeout)
    }

    /// How a connection to `peer` is watched.
    pub const fn liveness(&self, peer: Peer) -> Liveness {
        Liveness { idle: self.keep_alive, timeout: self.user_timeout, peer }
    }
}

fn within(field: &'static str, value: usize, least: usize, most: usize) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(field, format!("give a number from {least} to {most}, not {value}")))
}

fn span(field: &'static str, value: Duration) -> Result<(), ConfigError> {
    if (Duration::from_millis(10)..=Duration::from_secs(86_400)).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(field, format!("give a time from 10 ms to 1 day, not {value:?}")))
}
