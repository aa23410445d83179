//! A scenario in words, for people who look at what a swarm has found.

use core::fmt;
use core::time::Duration;

use wayleave_proto::base::Kind;

use super::{Answers, ClientPlan, Condition, Ending, Fault, FlowPlan, RelayPlan, Scenario, State, Step};
use crate::network::Quality;

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, self.about)?;
        for (index, relay) in self.relays.iter().enumerate() {
            writeln!(f, "  relay {index}: {relay}")?;
        }
        for (index, client) in self.clients.iter().enumerate() {
            writeln!(f, "  client {index}: {client}")?;
        }
        if let Some(intruder) = self.intruder {
            write!(f, "  intruder: tries {} times what is forbidden", intruder.attempts)?;
            if let Some(at) = intruder.at_once {
                write!(f, ", all at once after {} ms", at.as_millis())?;
            }
            match intruder.drips.as_millis() {
                0 => writeln!(f)?,
                drips => writeln!(f, ", and waits {drips} ms within each request")?,
            }
        }
        if self.balanced {
            writeln!(f, "  all relays stand behind the name of the first")?;
        }
        let steps = self.clients.iter().enumerate().flat_map(|(client, plan)| {
            plan.application.steps.iter().map(move |(at, of)| (*at, format!("client {client} {}", step(of))))
        });
        let mut lines: Vec<(Duration, String)> =
            steps.chain(self.faults.iter().map(|(at, fault)| (*at, fault.to_string()))).collect();
        lines.sort_by_key(|(at, _)| *at);
        for (at, what) in lines {
            writeln!(f, "  {:>8} ms  {what}", at.as_millis())?;
        }
        let chunk = if self.chunk == 0 {
            "reads of any size".to_owned()
        } else {
            format!("reads of {} bytes", self.chunk)
        };
        write!(
            f,
            "  {:>8} ms  the faults are over, networks are {}; {chunk}",
            self.length.as_millis(),
            self.after
        )?;
        if self.odd > 0 { write!(f, "; {}/256 calls of a system are odd", self.odd) } else { Ok(()) }
    }
}

impl fmt::Display for ClientPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {} ({})", self.mode, self.link, self.condition)?;
        if !self.up {
            f.write_str(", down")?;
        }
        write!(f, ", {}", self.credential)?;
        if !self.allowed.is_everything() {
            write!(f, " that allows {}", self.allowed)?;
        }
        for (is, word) in [
            (self.probes.0, "stream probe"),
            (self.probes.1, "datagram probe"),
            (self.return_to_direct, "returns to direct"),
            (!self.rescue, "no rescue"),
            (self.tight, "tight limits"),
            (self.scope == wayleave_proto::config::Scope::Session, "scope session"),
        ] {
            if is {
                write!(f, ", {word}")?;
            }
        }
        if let Some(pace) = self.in_use {
            write!(f, ", in use every {} ms", pace.as_millis())?;
        }
        if self.ahead != 0 {
            write!(f, ", clock {:+} s", self.ahead)?;
        }
        if self.mapping != Duration::from_secs(120) {
            write!(f, ", mappings last {:?}", self.mapping)?;
        }
        if self.tcp_mapping != Self::TCP_MAPPING {
            write!(f, ", those of TCP {:?}", self.tcp_mapping)?;
        }
        quality(f, &self.quality)
    }
}

impl fmt::Display for RelayPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.running { "runs" } else { "does not run" })?;
        if self.tunnels < 1_000 {
            write!(f, ", {} tunnels a user", self.tunnels)?;
        }
        if self.rate > 0 {
            write!(f, ", {} bytes a second", self.rate)?;
        }
        if self.tight {
            f.write_str(", tight limits")?;
        }
        if self.lean {
            f.write_str(", little memory")?;
        }
        if self.machines > 1 {
            write!(f, ", {} machines", self.machines)?;
        }
        if self.ahead != 0 {
            write!(f, ", clock {:+} s", self.ahead)?;
        }
        quality(f, &self.quality)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::NoUdp => f.write_str("without UDP"),
            Self::Only443 => f.write_str("TCP 443 alone"),
            Self::OnlyRelays => f.write_str("relays alone"),
            Self::BlackHole => f.write_str("a black hole"),
            Self::Refusing => f.write_str("refusing everything"),
            Self::Portal => f.write_str("behind a portal"),
            Self::Intercepted => f.write_str("intercepted"),
            Self::ResetsAfter(bytes) => write!(f, "resetting after {bytes} bytes"),
            Self::Swallowing => f.write_str("taking every connection in silence"),
            Self::SilentAfter(span) => write!(f, "silent after {} ms", span.as_millis()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roam { client, link, condition } => {
                write!(f, "client {client} roams to {link} ({condition})")
            }
            Self::Condition { client, condition } => {
                write!(f, "the network of client {client} becomes {condition}")
            }
            Self::Up { client, up: true } => write!(f, "the network of client {client} is back"),
            Self::Up { client, up: false } => write!(f, "the network of client {client} goes away"),
            Self::Rebind { client } => write!(f, "the translator of client {client} forgets its mappings"),
            Self::ClientQuality { client, quality: of } => {
                write!(f, "the link of client {client} changes")?;
                quality(f, of)
            }
            Self::RelayQuality { relay, quality: of } => {
                write!(f, "the link of relay {relay} changes")?;
                quality(f, of)
            }
            Self::Relay { relay, state } => write!(f, "relay {relay} {state}"),
            Self::Stall { relay, span } => {
                write!(f, "relay {relay} does nothing for {} ms", span.as_millis())
            }
            Self::ClientClock { client, by } => write!(f, "the clock of client {client} is set by {by:+} s"),
            Self::RelayClock { relay, by } => write!(f, "the clock of relay {relay} is set by {by:+} s"),
            Self::Descriptors { relay, left } => {
                write!(f, "relay {relay} may have {left} sockets from now on")
            }
            Self::Revoke { relay, client } => write!(f, "relay {relay} revokes the user of client {client}"),
            Self::Names { client, answering, delay } => {
                match client {
                    Some(client) => write!(f, "names of client {client}")?,
                    None => f.write_str("names of relays")?,
                }
                match answering {
                    Answers::Truly => f.write_str(" are answered")?,
                    Answers::Denied => f.write_str(" are denied")?,
                    Answers::HalfSilent => f.write_str(" are answered for IPv4 alone")?,
                    Answers::Silent => f.write_str(" are not answered")?,
                    Answers::Wrong => f.write_str(" are answered wrongly")?,
                }
                write!(f, ", after {} ms", delay.as_millis())
            }
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "runs",
            Self::WithoutKeys => "starts again with other keys",
            Self::Crashed => "crashes",
            Self::Draining => "drains",
            Self::Babbling => "is something that speaks no TLS",
            Self::Lying => "answers nonsense",
            Self::Mute => "is something that says nothing",
            Self::Vanished => "vanishes from the network",
        })
    }
}

fn quality(f: &mut fmt::Formatter<'_>, quality: &Quality) -> fmt::Result {
    if *quality == Quality::default() {
        return Ok(());
    }
    let Quality { latency, jitter, rate, loss, duplicate, reorder, mtu } = quality;
    write!(f, ", link: {} ms", latency.as_millis())?;
    let spans = [("jitter", jitter.as_millis())];
    let counts = [("loss", loss), ("doubled", duplicate), ("overtaken", reorder)];
    for (word, count) in spans.into_iter().filter(|(_, count)| *count > 0) {
        write!(f, ", {word} {count} ms")?;
    }
    for (word, count) in counts.into_iter().filter(|(_, count)| **count > 0) {
        write!(f, ", {word} {count}/256")?;
    }
    if *rate > 0 {
        write!(f, ", {rate} bytes/s")?;
    }
    if *mtu != Quality::default().mtu { write!(f, ", MTU {mtu}") } else { Ok(()) }
}

/// A step with everything that its plan says; its own display is shorter.
fn step(step: &Step) -> String {
    match step {
        Step::Open(plan) => format!("opens {}", flow(plan)),
        _ => step.to_string(),
    }
}

fn flow(plan: &FlowPlan) -> String {
    let FlowPlan { kind, server, up, down, ending, pace, tls } = plan;
    let pace = pace.as_millis();
    let what = match kind {
        Kind::Stream if pace > 0 => {
            format!("a stream to {server:?}, {up} bytes up, {down} down, read every {pace} ms")
        }
        Kind::Stream => format!("a stream to {server:?}, {up} bytes up, {down} down"),
        Kind::Datagram => format!("datagrams to {server:?}, {up} of {down} bytes, one every {pace} ms"),
    };
    let end = match ending {
        Ending::ClientFirst => "",
        Ending::ServerFirst => ", the server ends first",
        Ending::Released => ", given back at once",
        Ending::Reset => ", broken off",
        Ending::Open => ", left open",
    };
    what + if *tls { ", over TLS" } else { "" } + end
}
