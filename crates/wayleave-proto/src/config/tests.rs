use core::fmt::Debug;
use core::time::Duration;
use std::sync::Arc;

use super::{ClientLimits, ConfigError, RelayConfig, RelayLimits, Verifier};
use crate::auth::Rules;
use crate::carrier::tls::PlainAcceptor;

/// A field, how it is set, its least and its most.
type Range<L, T> = (&'static str, fn(&mut L, T), T, T);

/// Checks that what is in the range is taken, and its neighbours outside are refused by their name.
fn check<L: Default, T: Copy + Debug>(
    ranges: &[Range<L, T>],
    check: fn(&L) -> Result<(), ConfigError>,
    below: fn(T) -> Option<T>,
    above: fn(T) -> Option<T>,
) {
    for (name, set, least, most) in ranges {
        let inside = [*least, *most].map(|value| (value, None));
        let outside = [below(*least), above(*most)].into_iter().flatten().map(|value| (value, Some(*name)));
        for (value, expected) in inside.into_iter().chain(outside) {
            let mut limits = L::default();
            set(&mut limits, value);
            let field = check(&limits).err().map(|error| error.field);
            assert_eq!(field, expected, "{name} = {value:?}");
        }
    }
}

fn check_sizes<L: Default>(ranges: &[Range<L, usize>], limits: fn(&L) -> Result<(), ConfigError>) {
    check(ranges, limits, |least| least.checked_sub(1), |most| most.checked_add(1));
}

fn check_times<L: Default>(ranges: &[Range<L, Duration>], limits: fn(&L) -> Result<(), ConfigError>) {
    const TICK: Duration = Duration::from_nanos(1);
    check(ranges, limits, |least| least.checked_sub(TICK), |most| most.checked_add(TICK));
}

#[test]
fn every_limit_of_a_client_has_a_range() {
    let sizes: [Range<ClientLimits, usize>; 7] = [
        ("limits.flows", |limits, value| limits.flows = value, 1, 1 << 24),
        ("limits.dials", |limits, value| limits.dials = value, 1, 1_024),
        ("limits.buffer", |limits, value| limits.buffer = value, 4_096, 16 << 20),
        ("limits.datagrams.count", |limits, value| limits.datagrams.count = value, 1, 65_536),
        ("limits.datagrams.bytes", |limits, value| limits.datagrams.bytes = value, 2_048, 64 << 20),
        ("limits.receive_buffer", |limits, value| limits.receive_buffer = value, 4_096, 64 << 20),
        ("limits.standby", |limits, value| limits.standby = value, 0, 16),
    ];
    check_sizes(&sizes, ClientLimits::check);
    let times: [Range<ClientLimits, Duration>; 12] = [
        ("limits.datagrams.age", |limits, value| limits.datagrams.age = value, ms(10), secs(60)),
        ("limits.open_timeout", |limits, value| limits.open_timeout = value, ms(10), DAY),
        ("limits.proxy_timeout", |limits, value| limits.proxy_timeout = value, ms(10), DAY),
        ("limits.stagger", |limits, value| limits.stagger = value, ms(10), secs(2)),
        ("limits.standby_age", |limits, value| limits.standby_age = value, ms(10), DAY),
        ("limits.standby_keep", |limits, value| limits.standby_keep = value, secs(0), DAY),
        ("limits.token_warning", |limits, value| limits.token_warning = value, secs(0), DAY),
        ("limits.linger", |limits, value| limits.linger = value, ms(10), DAY),
        ("limits.hedge", |limits, value| limits.hedge = value, ms(100), secs(10)),
        ("limits.silence", |limits, value| limits.silence = value, ms(500), secs(60)),
        ("limits.keep_alive", |limits, value| limits.keep_alive = value, secs(10), secs(7_200)),
        ("limits.user_timeout", |limits, value| limits.user_timeout = value, secs(5), secs(300)),
    ];
    check_times(&times, ClientLimits::check);
}

#[test]
fn every_limit_of_a_relay_has_a_range() {
    let head = RelayLimits::default().head.bytes;
    let sizes: [Range<RelayLimits, usize>; 19] = [
        ("limits.connections", |limits, value| limits.connections = value, 1, 1 << 24),
        ("limits.lookups", |limits, value| limits.lookups = value, 1, 1 << 24),
        ("limits.lookups_per_account", |limits, value| limits.lookups_per_account = value, 1, 1 << 24),
        ("limits.connections_per_source", |limits, value| limits.connections_per_source = value, 1, 1 << 24),
        ("limits.tunnels_per_connection", |limits, value| limits.tunnels_per_connection = value, 1, 1 << 16),
        ("limits.tunnels_per_account", |limits, value| limits.tunnels_per_account = value, 1, 1 << 24),
        ("limits.memory", |limits, value| limits.memory = value, 1 << 20, usize::MAX),
        (
            "limits.head.bytes",
            |limits, value| (limits.head.bytes, limits.head.request_line) = (value, 256),
            1_024,
            1 << 20,
        ),
        ("limits.head.request_line", |limits, value| limits.head.request_line = value, 256, head),
        ("limits.head.fields", |limits, value| limits.head.fields = value, 4, 1_024),
        ("limits.buffer", |limits, value| limits.buffer = value, 4_096, 16 << 20),
        ("limits.datagrams.count", |limits, value| limits.datagrams.count = value, 1, 65_536),
        ("limits.datagrams.bytes", |limits, value| limits.datagrams.bytes = value, 2_048, 64 << 20),
        ("limits.receive_buffer", |limits, value| limits.receive_buffer = value, 4_096, 64 << 20),
        ("limits.accounts", |limits, value| limits.accounts = value, 0, 1 << 24),
        ("limits.revocations", |limits, value| limits.revocations = value, 0, 1 << 24),
        ("limits.verdicts", |limits, value| limits.verdicts = value, 0, 1 << 24),
        ("limits.verifying", |limits, value| limits.verifying = value, 1, 1 << 24),
        ("limits.stray", |limits, value| limits.stray = value, 1 << 16, usize::MAX),
    ];
    check_sizes(&sizes, RelayLimits::check);
    let times: [Range<RelayLimits, Duration>; 12] = [
        ("limits.handshake_timeout", |limits, value| limits.handshake_timeout = value, ms(10), DAY),
        ("limits.head_timeout", |limits, value| limits.head_timeout = value, ms(10), DAY),
        ("limits.dial_timeout", |limits, value| limits.dial_timeout = value, ms(10), DAY),
        ("limits.stagger", |limits, value| limits.stagger = value, ms(10), secs(2)),
        ("limits.datagram_idle", |limits, value| limits.datagram_idle = value, secs(120), DAY),
        ("limits.stream_idle", |limits, value| limits.stream_idle = value, ms(10), DAY),
        ("limits.half_idle", |limits, value| limits.half_idle = value, ms(10), DAY),
        ("limits.linger", |limits, value| limits.linger = value, ms(10), DAY),
        ("limits.keep_alive", |limits, value| limits.keep_alive = value, secs(10), secs(7_200)),
        ("limits.user_timeout", |limits, value| limits.user_timeout = value, secs(5), secs(300)),
        ("limits.datagrams.age", |limits, value| limits.datagrams.age = value, ms(10), secs(60)),
        ("limits.verify_timeout", |limits, value| limits.verify_timeout = value, ms(10), DAY),
    ];
    check_times(&times, RelayLimits::check);
    for (name, change) in [
        ("limits.failures", (|limits| limits.failures.burst = 0) as fn(&mut RelayLimits)),
        ("limits.failures", |limits| limits.failures.per_second = 0),
        ("limits.suspects", |limits| limits.suspects.burst = 0),
        ("limits.suspects", |limits| limits.suspects.per_second = 0),
    ] {
        let mut limits = RelayLimits::default();
        change(&mut limits);
        assert_eq!(limits.check().unwrap_err().field, name);
    }
}

#[test]
fn the_rules_of_a_relay_have_ranges() {
    let said = |rules: Rules| {
        let mut config = RelayConfig::new(Arc::new(PlainAcceptor), Verifier::Embedder);
        config.rules = rules;
        config.build().err().map(|error| error.field)
    };
    let usual = Rules::default();
    assert_eq!(said(Rules { leeway: secs(3_600), audience: Some("eu".into()) }), None);
    assert_eq!(said(Rules { leeway: secs(3_601), ..usual.clone() }), Some("leeway"));
    assert_eq!(said(Rules { audience: Some(String::new()), ..usual }), Some("audience"));
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const DAY: Duration = secs(86_400);
