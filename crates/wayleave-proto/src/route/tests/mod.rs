//! The rules of routing, one by one; every legal move; and a second model that must agree.

mod edges;
mod model;
mod rescue;
mod rules;
mod words;

use core::time::Duration;

use super::{Probed, RouteEvent, Routes};
use crate::base::{Instant, Kind, Link, Network};
use crate::config::RouteConfig;

const NO_PROBES: Probed = Probed { datagram: false, stream: false };
const ALL_PROBES: Probed = Probed { datagram: true, stream: true };
const STREAM_PROBES: Probed = Probed { datagram: false, stream: true };

const WIFI: Network = Network::up(Link::Wifi);
const CELLULAR: Network = Network::up(Link::Cellular);

const KINDS: [Kind; 2] = [Kind::Datagram, Kind::Stream];

const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// The first moment past `millis`.
fn past(millis: u64) -> Instant {
    at(millis) + Duration::from_nanos(1)
}

fn routes(config: RouteConfig, network: Network, probed: Probed) -> Routes {
    Routes::new(config, Instant::ZERO, network, probed)
}

fn smart(network: Network, probed: Probed) -> Routes {
    routes(RouteConfig::default(), network, probed)
}

fn events(routes: &mut Routes) -> Vec<RouteEvent> {
    core::iter::from_fn(|| routes.poll_event()).collect()
}
