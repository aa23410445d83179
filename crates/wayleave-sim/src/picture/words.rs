//! What the machines say, what goes wrong and what applications do, in plain words.

use core::time::Duration;

use wayleave_proto::base::{Instant, Kind, Route, Target};
use wayleave_proto::client::{CloseReason, FlowId, What};
use wayleave_proto::relay;
use wayleave_proto::route::Blocked;

use super::time::span;
use crate::network::Quality;
use crate::scenario::{Answers, Condition, Fault, State};
use crate::{Report, Scenario};

/// The flows of a kind; of both kinds where there is none.
pub(super) const fn flows(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Datagram) => "datagrams",
        Some(Kind::Stream) => "streams",
        None => "streams and datagrams",
    }
}

/// What a network lets out, behind `the network`.
pub(super) fn lets_out(condition: Condition) -> String {
    match condition {
        Condition::Open => "lets everything out".to_owned(),
        Condition::NoUdp => "lets no UDP out".to_owned(),
        Condition::Only443 => "lets only TCP 443 out".to_owned(),
        Condition::OnlyRelays => "lets only the relays be reached".to_owned(),
        Condition::BlackHole => "swallows everything".to_owned(),
        Condition::Refusing => "refuses everything".to_owned(),
        Condition::Portal => "answers everybody with a captive portal".to_owned(),
        Condition::Intercepted => "intercepts TLS".to_owned(),
        Condition::ResetsAfter(bytes) => format!("resets connections after {bytes} bytes"),
        Condition::SilentAfter(time) => format!("lets connections fall silent after {}", span(time)),
        Condition::Swallowing => "takes every connection and says nothing".to_owned(),
    }
}

/// The same as a label.
pub(super) fn condition(condition: Condition) -> String {
    match condition {
        Condition::Open => "open".to_owned(),
        Condition::NoUdp => "no UDP".to_owned(),
        Condition::Only443 => "only TCP 443".to_owned(),
        Condition::OnlyRelays => "only the relays".to_owned(),
        Condition::BlackHole => "black hole".to_owned(),
        Condition::Refusing => "refuses everything".to_owned(),
        Condition::Portal => "captive portal".to_owned(),
        Condition::Intercepted => "TLS intercepted".to_owned(),
        Condition::ResetsAfter(bytes) => format!("resets after {bytes} bytes"),
        Condition::SilentAfter(time) => format!("silent after {}", span(time)),
        Condition::Swallowing => "takes everything in silence".to_owned(),
    }
}

/// What became of a relay.
pub(super) const fn became(state: State) -> &'static str {
    match state {
        State::Running => "runs again",
        State::WithoutKeys => "starts again with other keys",
        State::Crashed => "crashes",
        State::Draining => "drains",
        State::Babbling => "is replaced by something that talks nonsense",
        State::Lying => "is replaced by something with its certificate that talks nonsense",
        State::Mute => "is replaced by something that says nothing",
        State::Vanished => "is gone from the network",
    }
}

/// What had become of a relay.
pub(super) const fn had_become(state: State) -> &'static str {
    match state {
        State::Running => "ran again",
        State::WithoutKeys => "started again with other keys",
        State::Crashed => "crashed",
        State::Draining => "drained",
        State::Babbling => "was replaced by something that talks nonsense",
        State::Lying => "was replaced by something with its certificate that talks nonsense",
        State::Mute => "was replaced by something that says nothing",
        State::Vanished => "vanished from the network",
    }
}

/// What follows from a fault, and who knows of it.
pub(super) const fn consequence(fault: &Fault) -> &'static str {
    match fault {
        Fault::Roam { .. } => "Another address too; the client is told at once.",
        Fault::Condition { .. } => "Nobody is told; what is open there may break.",
        Fault::Up { up: true, .. } => "The client is told at once.",
        Fault::Up { up: false, .. } => "The client is told; while it is down nothing gets out.",
        Fault::Rebind { .. } => "What goes on has other ports outside; answers to the old ones are lost.",
        Fault::ClientQuality { .. } | Fault::RelayQuality { .. } => "Nobody is told.",
        Fault::Relay { state, .. } => match state {
            State::Running => "It has its keys, and knows no connection.",
            State::WithoutKeys => "It knows no connection, and accepts no token.",
            State::Crashed => "Its connections are gone, and new ones are refused.",
            State::Draining => "It finishes what it has, and takes nothing new.",
            State::Lying => "Whoever asks there is served by nobody.",
            State::Babbling | State::Mute => "Whoever connects there finds no relay.",
            State::Vanished => "Packets to it are lost without a word.",
        },
        Fault::Stall { .. } => "Its network goes on; it answers nobody.",
        Fault::ClientClock { .. } => "Its tokens seem to expire earlier or later.",
        Fault::RelayClock { .. } => "It judges tokens by what its clock shows now.",
        Fault::Descriptors { .. } => "It can dial nothing beyond, and newcomers wait.",
        Fault::Revoke { .. } => "What the user has open there ends at once.",
        Fault::Names { .. } => "What was looked up before stays known.",
    }
}

/// The name of a flow, by its kind and number.
pub(super) fn flow_name(kind: Kind, number: usize) -> String {
    match kind {
        Kind::Datagram => format!("datagram flow {number}"),
        Kind::Stream => format!("stream {number}"),
    }
}

/// A fault as a sentence without its end, and the host that it concerns.
pub(super) fn fault(scenario: &Scenario, fault: &Fault) -> (usize, String) {
    let relays = scenario.clients.len();
    match fault {
        Fault::Roam { client, link, condition } => {
            (*client, format!("client {client} gets another network: {link}, which {}", lets_out(*condition)))
        }
        Fault::Condition { client, condition } => {
            (*client, format!("the network of client {client} now {}", lets_out(*condition)))
        }
        Fault::Up { client, up: true } => (*client, format!("the network of client {client} comes up")),
        Fault::Up { client, up: false } => (*client, format!("the network of client {client} goes down")),
        Fault::Rebind { client } => {
            (*client, format!("the translator of client {client} forgets its mappings"))
        }
        Fault::ClientQuality { client, quality: of } => {
            (*client, format!("the links of client {client} change: {}", quality(of)))
        }
        Fault::RelayQuality { relay, quality: of } => {
            (relays + relay, format!("the links of relay {relay} change: {}", quality(of)))
        }
        Fault::Relay { relay, state } => (relays + relay, format!("relay {relay} {}", became(*state))),
        Fault::Stall { relay, span: time } => {
            (relays + relay, format!("relay {relay} does nothing for {}", span(*time)))
        }
        Fault::ClientClock { client, by } => {
            (*client, format!("the clock of client {client} is set by {by:+} s"))
        }
        Fault::RelayClock { relay, by } => {
            (relays + relay, format!("the clock of relay {relay} is set by {by:+} s"))
        }
        Fault::Descriptors { relay, left } => {
            (relays + relay, format!("relay {relay} may have {left} sockets from now on"))
        }
        Fault::Revoke { relay, client } => {
            (relays + relay, format!("relay {relay} revokes the user of client {client}"))
        }
        Fault::Names { client, answering, delay } => {
            let whose = client.map_or_else(|| "relays".to_owned(), |client| format!("client {client}"));
            let how = match answering {
                Answers::Truly => "answered truly",
                Answers::Denied => "said not to exist",
                Answers::HalfSilent => "answered for IPv4 alone",
                Answers::Silent => "not answered",
                Answers::Wrong => "answered wrongly",
            };
            (client.unwrap_or(relays), format!("names of {whose} are {how}, after {}", span(*delay)))
        }
    }
}

/// How good a link is.
pub(super) fn quality(quality: &Quality) -> String {
    let mut parts = vec![span(quality.latency)];
    if !quality.jitter.is_zero() {
        parts.push(format!("{} jitter", span(quality.jitter)));
    }
    if quality.rate > 0 {
        parts.push(format!("{} kB/s", quality.rate / 1_000));
    }
    for (share, name) in
        [(quality.loss, "lost"), (quality.duplicate, "doubled"), (quality.reorder, "overtaken")]
    {
        if share > 0 {
            parts.push(format!("{:.1}\u{202f}% {name}", f64::from(share) / 2.56));
        }
    }
    parts.join(", ")
}

/// Which number a client's flow has, from 1.
pub(super) fn flow_number(report: &Report, client: usize, id: FlowId) -> Option<usize> {
    let mut opened = report.opened.iter().zip(&report.flows);
    let found = opened.position(|((_, opened), (of, ..))| *of == client && *opened == Some(id));
    found.map(|index| index + 1)
}

fn flow(report: &Report, client: usize, id: FlowId) -> String {
    match flow_number(report, client, id) {
        Some(number) => flow_name(report.flows[number - 1].1.kind, number),
        None => format!("flow {id}"),
    }
}

/// The name of the relay at a proxy's address.
pub(super) fn relay_of(proxy: &Target) -> String {
    let host = proxy.host.to_string();
    let number = host.strip_prefix('r').and_then(|rest| rest.split('.').next());
    match number.and_then(|number| number.parse::<usize>().ok()) {
        Some(number) => format!("relay {number}"),
        None => host,
    }
}

/// How flows go.
pub(super) const fn by(route: Route) -> &'static str {
    match route {
        Route::Direct => "directly",
        Route::Proxied => "through the relay",
    }
}

/// What a client says: the kind of mark, and the sentence.
pub(super) fn client_event(report: &Report, client: usize, what: &What) -> (&'static str, String) {
    match what {
        What::TrialStarted { kind, link, length } => (
            "trial",
            format!("a trial of {} begins on {link}: direct is tried for {}", flows(*kind), span(*length)),
        ),
        What::DirectConnected { kind, proof, elapsed } => (
            "direct",
            format!(
                "direct is proven for {}: {proof}, {} after the trial began",
                flows(*kind),
                span(*elapsed)
            ),
        ),
        What::RouteChanged { kind, to, reason, link, .. } => {
            let class = if *to == Route::Proxied { "proxied" } else { "direct" };
            (class, format!("{} go {} from now on: {reason} (link {link})", flows(*kind), by(*to)))
        }
        What::StayingDirect { kind, link } => {
            ("direct", format!("{} stay direct: nothing was proven, but the link is {link}", flows(*kind)))
        }
        What::FlowOpened { flow: id, target, route, elapsed, .. } => {
            let text = format!(
                "{} reached {target} {}, {} after it was opened",
                flow(report, client, *id),
                by(*route),
                span(*elapsed)
            );
            ("flow", text)
        }
        What::FlowMoved { flow: id, route } => {
            ("flow", format!("{} goes on {}", flow(report, client, *id), by(*route)))
        }
        What::FlowClosed { flow: id, sent, received, reason, .. } => {
            let class = if matches!(reason, CloseReason::Failed(_)) { "bad" } else { "flow" };
            let text =
                format!("{} ends, {sent} bytes out and {received} in: {reason}", flow(report, client, *id));
            (class, text)
        }
        What::NetworkChanged { network } if network.up => {
            ("net", format!("is told of a network: {}", network.link))
        }
        What::NetworkChanged { .. } => ("net", "is told that the network is down".to_owned()),
        What::ProxyConnected { proxy, carrier, elapsed, .. } => {
            ("relay", format!("connected to {} by {carrier} in {}", relay_of(proxy), span(*elapsed)))
        }
        What::ProxyFailed { proxy, error, .. } => ("bad", format!("{} failed: {error}", relay_of(proxy))),
        What::Retrying { flow: id, kind, target, after, error } => {
            let who = id.map_or_else(|| format!("the {kind} probe"), |id| flow(report, client, id));
            ("retry", format!("{who} to {target} is tried again in {}: {error}", span(*after)))
        }
        What::Rescuing { flow: id, target, reason, .. } => {
            ("retry", format!("{} to {target} is taken to a relay: {reason}", flow(report, client, *id)))
        }
        What::Blocked { kind, target, what, pause } => {
            let what = match what {
                Blocked::Host => format!("{kind}s to {target}"),
                Blocked::Port => format!("{kind}s to port {}", target.port),
            };
            ("proxied", format!("{what} go through the relay, one tries directly after {}", span(*pause)))
        }
        What::ProofFailed { kind, failure } => {
            ("trial", format!("direct is no longer proven for {}: {failure}", flows(*kind)))
        }
        What::TokenAccepted { proxy } => ("relay", format!("{} took the renewed token", relay_of(proxy))),
        What::TokenUnheard { proxy, tunnels } => (
            "bad",
            format!("{tunnels} tunnels through {} have not heard of the renewed token", relay_of(proxy)),
        ),
        What::TokenExpiring { left } if left.is_zero() => ("bad", "the token has expired".to_owned()),
        What::TokenExpiring { left } => ("net", format!("the token expires in {}", span(*left))),
        // What a later core says.
        what => ("net", format!("{what:?}")),
    }
}

/// What a relay says: the kind of mark, and the sentence.
pub(super) fn relay_event(what: &relay::What) -> (&'static str, String) {
    match what {
        relay::What::ConnectionFailed { reason } => ("bad", format!("a connection ended early: {reason}")),
        relay::What::Refused { status, target, reason } => {
            let whom = target.as_ref().map(|target| format!(" for {target}")).unwrap_or_default();
            ("bad", format!("refused a request{whom} with {status}: {reason}"))
        }
        relay::What::TunnelOpened { kind, target, elapsed, .. } => {
            ("relay", format!("opened a {kind} tunnel to {target} in {}", span(*elapsed)))
        }
        relay::What::TunnelClosed { kind, target, sent, received, dropped, lasted, reason, .. } => {
            let lost = if *dropped > 0 { format!(", {dropped} datagrams dropped") } else { String::new() };
            let text = format!(
                "a {kind} tunnel to {target} ended after {}, {sent} bytes from the client and {received} to it{lost}: {reason}",
                span(*lasted)
            );
            ("relay", text)
        }
        relay::What::TurnedAway { count, reason, .. } => {
            ("bad", format!("turned {count} connections away: {reason}"))
        }
        // Whom to ask, and what a later core says; a credential is never shown here.
        _ => ("relay", "asks who the client is".to_owned()),
    }
}

/// Where a plan's time lies.
pub(super) fn at(after: Duration) -> Instant {
    Instant::ZERO + after
}

/// With a capital letter in front.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
