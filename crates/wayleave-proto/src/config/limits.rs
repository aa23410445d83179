//! Every bound and every time, with its default and its reason.

use core::ops::RangeInclusive;
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
    /// Datagrams that wait in each direction of one flow: 1 to 65,536, 2 KiB to 64 MiB, for 10 ms to 1 min. Late media is
    /// worthless, so the queue is short and drops the oldest.
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
    /// For how long after the last flow was opened connections are kept ready. Default 5 min, at most 1 day;
    /// zero keeps none.
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
        // Taken apart whole, so that a field without a range does not compile.
        let Self {
            flows,
            dials,
            buffer,
            datagrams,
            receive_buffer,
            open_timeout,
            proxy_timeout,
            stagger,
            standby,
            standby_age,
            standby_keep,
            token_warning,
            linger,
            hedge,
            silence,
            keep_alive,
            user_timeout,
        } = *self;
        within("limits.flows", flows, 1, 1 << 24)?;
        within("limits.dials", dials, 1, 1_024)?;
        within("limits.buffer", buffer, 4 * 1024, 16 << 20)?;
        check_datagrams(datagrams)?;
        within("limits.receive_buffer", receive_buffer, 4 * 1024, 64 << 20)?;
        span("limits.open_timeout", open_timeout)?;
        span("limits.proxy_timeout", proxy_timeout)?;
        check_stagger(stagger)?;
        within("limits.standby", standby, 0, 16)?;
        span("limits.standby_age", standby_age)?;
        time("limits.standby_keep", standby_keep, Duration::ZERO..=DAY, "of at most 1 day")?;
        time("limits.token_warning", token_warning, Duration::ZERO..=DAY, "of at most 1 day")?;
        span("limits.linger", linger)?;
        time("limits.hedge", hedge, millis(100)..=millis(10_000), "from 100 ms to 10 s")?;
        time("limits.silence", silence, millis(500)..=millis(60_000), "from 500 ms to 1 min")?;
        liveness::check(keep_alive, user_timeout)
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
    /// The request head: 1 KiB to 1 MiB, with a first line of 256 bytes up to the whole, and 4 to 1,024 fields. Default 16 KiB,
    /// 8 KiB and 64.
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
    /// A tunnel of datagrams in which nothing moved for this long is closed. Default 5 min, range 2 min (RFC 9298 §3.1) to
    /// 1 day.
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
    /// Datagrams that wait in each direction of one tunnel; the ranges are those of a client.
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
        // As above.
        let Self {
            connections,
            lookups,
            lookups_per_account,
            connections_per_source,
            tunnels_per_connection,
            tunnels_per_account,
            memory,
            head,
            handshake_timeout,
            head_timeout,
            dial_timeout,
            stagger,
            datagram_idle,
            stream_idle,
            half_idle,
            linger,
            keep_alive,
            user_timeout,
            buffer,
            datagrams,
            receive_buffer,
            accounts,
            revocations,
            verdicts,
            verifying,
            verify_timeout,
            failures,
            suspects,
            stray,
        } = *self;
        within("limits.connections", connections, 1, 1 << 24)?;
        within("limits.lookups", lookups, 1, 1 << 24)?;
        within("limits.lookups_per_account", lookups_per_account, 1, 1 << 24)?;
        within("limits.connections_per_source", connections_per_source, 1, 1 << 24)?;
        within("limits.tunnels_per_connection", tunnels_per_connection, 1, 1 << 16)?;
        within("limits.tunnels_per_account", tunnels_per_account, 1, 1 << 24)?;
        within("limits.memory", memory, 1 << 20, usize::MAX)?;
        check_head(head)?;
        span("limits.handshake_timeout", handshake_timeout)?;
        span("limits.head_timeout", head_timeout)?;
        span("limits.dial_timeout", dial_timeout)?;
        check_stagger(stagger)?;
        time(
            "limits.datagram_idle",
            datagram_idle,
            millis(120_000)..=DAY,
            "from 2 min (RFC 9298 §3.1) to 1 day",
        )?;
        span("limits.stream_idle", stream_idle)?;
        span("limits.half_idle", half_idle)?;
        span("limits.linger", linger)?;
        within("limits.buffer", buffer, 4 * 1024, 16 << 20)?;
        check_datagrams(datagrams)?;
        within("limits.receive_buffer", receive_buffer, 4 * 1024, 64 << 20)?;
        within("limits.accounts", accounts, 0, 1 << 24)?;
        within("limits.revocations", revocations, 0, 1 << 24)?;
        within("limits.verdicts", verdicts, 0, 1 << 24)?;
        within("limits.verifying", verifying, 1, 1 << 24)?;
        span("limits.verify_timeout", verify_timeout)?;
        check_rate("limits.failures", failures)?;
        check_rate("limits.suspects", suspects)?;
        within("limits.stray", stray, 64 * 1024, usize::MAX)?;
        liveness::check(keep_alive, user_timeout)
    }

    /// How a connection to `peer` is watched.
    pub const fn liveness(&self, peer: Peer) -> Liveness {
        Liveness { idle: self.keep_alive, timeout: self.user_timeout, peer }
    }
}

fn check_datagrams(limits: DatagramLimits) -> Result<(), ConfigError> {
    let DatagramLimits { count, bytes, age } = limits;
    within("limits.datagrams.count", count, 1, 1 << 16)?;
    within("limits.datagrams.bytes", bytes, 2 * 1024, 64 << 20)?;
    time("limits.datagrams.age", age, millis(10)..=millis(60_000), "from 10 ms to 1 min")
}

fn check_head(limits: HeadLimits) -> Result<(), ConfigError> {
    let HeadLimits { bytes, request_line, fields } = limits;
    within("limits.head.bytes", bytes, 1_024, 1 << 20)?;
    within("limits.head.request_line", request_line, 256, bytes)?;
    within("limits.head.fields", fields, 4, 1_024)
}

fn check_rate(field: &'static str, rate: RateLimit) -> Result<(), ConfigError> {
    if rate.per_second == 0 || rate.burst == 0 {
        return Err(ConfigError::new(field, "give a rate and a burst of at least 1"));
    }
    Ok(())
}

fn check_stagger(stagger: Duration) -> Result<(), ConfigError> {
    time("limits.stagger", stagger, millis(10)..=millis(2_000), "from 10 ms to 2 s")
}

fn within(field: &'static str, value: usize, least: usize, most: usize) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(field, format!("give a number from {least} to {most}, not {value}")))
}

fn span(field: &'static str, value: Duration) -> Result<(), ConfigError> {
    time(field, value, millis(10)..=DAY, "from 10 ms to 1 day")
}

/// Checks that `value` is in `range`, which `words` says.
fn time(
    field: &'static str,
    value: Duration,
    range: RangeInclusive<Duration>,
    words: &str,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(field, format!("give a time {words}, not {value:?}")))
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const DAY: Duration = Duration::from_secs(86_400);
