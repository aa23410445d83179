//! A trial of smart mode, from its beginning to the decision for the relay.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use wayleave_proto::auth::Credential;
use wayleave_proto::base::{Clock, Instant, Kind, Link, Network, Route, Seed, Target, UnixTime};
use wayleave_proto::carrier::tls::PlainConnector;
use wayleave_proto::client::Client;
use wayleave_proto::config::ClientConfig;
use wayleave_proto::net::Machine as _;
use wayleave_proto::testing::token;

use super::cases::Unit;

/// A client of its own each time: a flow is opened, nothing answers, the deadline passes.
pub(super) fn decision() -> anyhow::Result<Unit> {
    let start = UnixTime::from_secs(1_800_000_000);
    let token = token(start, Duration::from_secs(3_600)).context("no token")?;
    let proxies = vec!["10.9.9.9:443".parse()?];
    let mut config = ClientConfig::new(proxies, Credential::Token(token), Arc::new(PlainConnector));
    config.network = Network::up(Link::Wifi);
    let config = config.build()?;
    let target: Target = "10.0.0.1:7".parse()?;
    let clock = Clock::new(Instant::ZERO, start);
    Ok(Box::new(move || {
        let mut client = Client::new(config.clone(), &Seed::new([1; 32]), clock, Instant::ZERO);
        let opened = client.open(Instant::ZERO, Kind::Datagram, target.clone());
        drop(black_box(opened));
        while client.poll_output().is_some() {}
        // A proof at the deadline itself would still count.
        client.handle_timeout(Instant::ZERO + Duration::from_secs(1) + Duration::from_nanos(1));
        while client.poll_output().is_some() {}
        assert_eq!(client.route(Kind::Datagram), Route::Proxied, "the trial is over");
    }))
}
