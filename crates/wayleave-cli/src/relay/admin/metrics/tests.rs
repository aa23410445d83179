use std::collections::BTreeSet;

use wayleave_proto::config::RelayLimits;
use wayleave_proto::relay::Stats;

use super::reader::read;
use super::{Family, Format, Kind, VERSION, families, text};
use crate::relay::admin::ready::obstacle;

/// A relay that has counted something different everywhere.
fn busy() -> Stats {
    let mut stats = Stats::default();
    (stats.connections, stats.tunnels, stats.lookups, stats.held) = (3, 2, 1, 4_096);
    (stats.accepted, stats.opened, stats.unaccepted, stats.overflowed) = (50, 40, 6, 7);
    (stats.accounts, stats.revocations, stats.draining) = (8, 9, true);
    stats.turned_away.source = 11;
    (stats.to_client.bytes, stats.to_client.datagrams) = (u64::MAX, 13);
    (stats.to_target.bytes, stats.to_target.datagrams) = (14, 15);
    (stats.dropped.aged, stats.dropped.rate) = (16, 17);
    (stats.authentications.accepted, stats.authentications.not_yet_valid) = (18, 19);
    (stats.refused.unauthenticated, stats.refused.other) = (20, 21);
    (stats.dial_errors.refused, stats.dial_errors.name_unknown) = (22, 23);
    stats
}

#[test]
fn every_count_stands_where_it_is_looked_for() {
    let limits = RelayLimits::default();
    let read = read(&text(&families(&busy(), &limits, true), Format::Prometheus), false);
    for (sample, value) in [
        ("wayleave_ready", 0),
        ("wayleave_draining", 1),
        ("wayleave_connections", 3),
        ("wayleave_connections_limit", limits.connections as u64),
        ("wayleave_connections_accepted_total", 50),
        (r#"wayleave_connections_turned_away_total{reason="connections"}"#, 0),
        (r#"wayleave_connections_turned_away_total{reason="connections_per_source"}"#, 11),
        (r#"wayleave_connections_turned_away_total{reason="system"}"#, 6),
        ("wayleave_tunnels", 2),
        ("wayleave_tunnels_opened_total", 40),
        (r#"wayleave_payload_bytes_total{direction="to_client"}"#, u64::MAX),
        (r#"wayleave_payload_bytes_total{direction="to_target"}"#, 14),
        (r#"wayleave_datagrams_total{direction="to_client"}"#, 13),
        (r#"wayleave_datagrams_total{direction="to_target"}"#, 15),
        (r#"wayleave_datagrams_dropped_total{reason="aged"}"#, 16),
        (r#"wayleave_datagrams_dropped_total{reason="rate"}"#, 17),
        (r#"wayleave_datagrams_dropped_total{reason="system"}"#, 7),
        (r#"wayleave_authentications_total{outcome="accepted"}"#, 18),
        (r#"wayleave_authentications_total{outcome="not_yet_valid"}"#, 19),
        (r#"wayleave_requests_refused_total{status="407"}"#, 20),
        (r#"wayleave_requests_refused_total{status="other"}"#, 21),
        (r#"wayleave_dial_errors_total{reason="refused"}"#, 22),
        (r#"wayleave_dial_errors_total{reason="name_unknown"}"#, 23),
        ("wayleave_lookups", 1),
        ("wayleave_lookups_limit", limits.lookups as u64),
        ("wayleave_buffer_bytes", 4_096),
        ("wayleave_buffer_limit_bytes", limits.memory as u64),
        ("wayleave_accounts", 8),
        ("wayleave_revocations", 9),
    ] {
        assert_eq!(read.samples.get(sample), Some(&value), "{sample}");
    }
    assert_eq!(read.samples[&format!("wayleave_build_info{{version=\"{VERSION}\"}}")], 1);
}

#[test]
fn both_formats_hold_to_their_rules_and_say_the_same() {
    let families = families(&busy(), &RelayLimits::default(), true);
    let prometheus = read(&text(&families, Format::Prometheus), false);
    let open = read(&text(&families, Format::OpenMetrics), true);
    assert_eq!(prometheus.samples, open.samples);
    assert_eq!(open.types["wayleave_payload_bytes"], "counter");
    assert_eq!(open.types["wayleave_build"], "info");
    assert_eq!(prometheus.types["wayleave_payload_bytes_total"], "counter");
    assert_eq!(prometheus.types["wayleave_build_info"], "gauge");
}

#[test]
fn what_was_counted_changes_no_name_and_no_label() {
    let names = |stats: &Stats| {
        let text = text(&families(stats, &RelayLimits::default(), true), Format::Prometheus);
        read(&text, false).samples.into_keys().collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&Stats::default()), names(&busy()), "rates need a zero to begin with");
}

#[test]
fn openmetrics_is_for_those_who_name_it() {
    for (accept, format) in [
        (None, Format::Prometheus),
        (Some("*/*"), Format::Prometheus),
        (Some("text/html, text/plain;q=0.5"), Format::Prometheus),
        (Some("application/openmetrics-text"), Format::OpenMetrics),
        (Some("Application/OpenMetrics-Text; version=1.0.0; Q=0.1"), Format::OpenMetrics),
        (Some("application/openmetrics-text;q=0"), Format::Prometheus),
        (Some("application/openmetrics-text;q=x"), Format::Prometheus),
        (Some("text/plain;q=0.9, application/openmetrics-text;q=0.5"), Format::Prometheus),
        // As Prometheus asks, 2.42 and 3.
        (
            Some(
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            ),
            Format::OpenMetrics,
        ),
        (
            Some(
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3",
            ),
            Format::OpenMetrics,
        ),
    ] {
        assert_eq!(Format::accepted(accept), format, "{accept:?}");
    }
}

#[test]
fn a_relay_is_ready_that_would_take_a_tunnel() {
    let limits = RelayLimits { connections: 10, memory: 1_000, ..RelayLimits::default() };
    let why = |change: fn(&mut Stats), is_accepting| {
        let mut stats = Stats::default();
        (stats.connections, stats.held) = (9, 999);
        change(&mut stats);
        obstacle(&stats, &limits, is_accepting).unwrap_or_default()
    };
    assert_eq!(why(|_| {}, true), "");
    for (why, told) in [
        (why(|stats| stats.draining = true, false), "drains"),
        (why(|_| {}, false), "listener"),
        (why(|stats| stats.connections = 10, true), "10 connections are open"),
        (why(|stats| stats.held = 1_000, true), "1000 bytes are in buffers"),
    ] {
        assert!(why.contains(told) && why.ends_with('.'), "{why}");
    }
}

/// The table of all metrics, as docs/operations.md has it.
fn table() -> String {
    let mut table = String::from("| metric | what it is |\n|---|---|\n");
    for family in families(&Stats::default(), &RelayLimits::default(), true) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge | Kind::Info => "gauge",
        };
        let labels = match family.label {
            "" => String::new(),
            "version" => "; `version`".into(),
            label => {
                let values: Vec<_> = family.samples.iter().map(|(value, _)| format!("`{value}`")).collect();
                format!("; `{label}`: {}", values.join(", "))
            }
        };
        let (name, Family { help, .. }) = (family.sample(), &family);
        table += &format!("| `{name}` | {help} ({kind}{labels}) |\n");
    }
    table
}

#[test]
fn the_documentation_names_every_metric() {
    let docs = include_str!("../../../../../../docs/operations.md");
    let table = table();
    assert!(docs.contains(&table), "put this table into docs/operations.md:\n\n{table}");
}
