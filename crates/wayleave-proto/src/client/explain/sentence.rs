//! An explanation, as sentences.

use core::fmt;

use super::{
    BlockStory, Change, Explanation, FlowStory, ProbeStory, RelayState, RelayStory, RouteStory, TrialStory,
};
use crate::base::{Kind, Route};
use crate::client::sentence::{Span, plural};
use crate::config::Mode;
use crate::route::{Cause, Phase};

/// One sentence a line, without a newline at the end.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The mode is {}, ", self.mode)?;
        match self.network.up {
            true => write!(f, "and the network is up (link {}).", self.network.link)?,
            false => f.write_str("and the network is down.")?,
        }
        if !self.open {
            f.write_str("\nThe client opens no flows any more: it drains, or is closed.")?;
        }
        for route in &self.routes {
            write!(f, "\n{route}")?;
        }
        if self.mode == Mode::Off {
            return Ok(());
        }
        for relay in &self.relays {
            write!(f, "\n{relay}")?;
        }
        if self.dialling {
            f.write_str("\nA connection to a relay is being made.")?;
        }
        Ok(())
    }
}

/// One sentence a line, without a newline at the end.
impl fmt::Display for RouteStory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_phase(f)?;
        if let Some(trial) = &self.trial {
            write!(f, "\n{trial}")?;
        }
        if self.doubts > 0 {
            write!(f, "\n{} counted against the proof so far.", Count(self.doubts as usize, "failure"))?;
        }
        if self.blocked_count > 0 {
            write!(f, "\n{} blocked on this network, and proxied: ", Are(self.blocked_count))?;
            Joined(&self.blocked, ", ").fmt(f)?;
            match self.blocked_count.saturating_sub(self.blocked.len()) {
                0 => f.write_str(".")?,
                more => write!(f, ", and {more} more.")?,
            }
        }
        f.write_str("\nWhat changes it: ")?;
        Joined(&self.changes, "; ").fmt(f)?;
        f.write_str(".")
    }
}

impl RouteStory {
    fn fmt_phase(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (flows, lasted) = (Capital(plural(self.kind)), Span(self.lasted));
        match (self.phase, self.cause) {
            (Phase::Direct, Cause::Proven { proof, elapsed }) => {
                write!(f, "{flows} have gone direct for {lasted}: {proof}")?;
                match self.trial {
                    Some(_) => write!(f, ", {} after the trial began.", Span(elapsed)),
                    None => f.write_str("."),
                }
            }
            (Phase::Direct, cause) => write!(f, "{flows} have gone direct for {lasted}: {cause}."),
            (Phase::Fixed(Route::Direct), _) => write!(f, "{flows} go direct: mode off asks no relay."),
            (Phase::Fixed(Route::Proxied), _) => {
                write!(f, "{flows} go through a relay: mode normal tries nothing directly.")
            }
            (Phase::Held { .. }, cause) => {
                write!(
                    f,
                    "{flows} go direct still, and are tried again: {cause}, {lasted} ago; on such a link they stay direct."
                )
            }
            (Phase::Idle, Cause::Started) => write!(f, "{flows} go direct: none has asked for a way yet."),
            (Phase::Idle, cause) => {
                write!(f, "{flows} go direct: nothing was tried since {cause}, {lasted} ago.")
            }
            (Phase::Proxied, cause) => write!(f, "{flows} have gone through a relay for {lasted}: {cause}."),
            (Phase::Trial { .. }, _) => write!(f, "{flows} are on trial: direct is tried."),
            (Phase::Waiting, _) => write!(f, "{flows} have waited for {lasted}: the network is down."),
        }
    }
}

/// When a trial began and why, and what was tried.
impl fmt::Display for TrialStory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The latest trial began {} ago on link {}", Span(self.ago), self.link)?;
        match self.cause {
            Cause::Started => f.write_str("; it was the first.")?,
            cause => write!(f, ", because {cause}.")?,
        }
        for probe in &self.probes {
            write!(f, "\n{probe}")?;
        }
        for flows in &self.flows {
            write!(f, "\n{flows}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ProbeStory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, target, attempts, answered, fault } = self;
        write!(f, "The {kind} probe to {target} was tried {}", Times(*attempts))?;
        match (answered, fault) {
            (true, _) => f.write_str(", and answered."),
            (false, Some(fault)) => write!(f, "; it failed last: {fault}."),
            (false, None) => f.write_str(", and not answered."),
        }
    }
}

impl fmt::Display for FlowStory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, attempts, target, fault } = self;
        let flows = Capital(plural(Some(*kind)));
        let last = if *attempts == 1 { "" } else { "the last time " };
        write!(f, "{flows} were tried directly {}, {last}to {target}", Times(*attempts))?;
        match fault {
            Some((at, fault)) if at == target => write!(f, "; that failed: {fault}."),
            Some((at, fault)) => write!(f, "; one to {at} failed: {fault}."),
            None => f.write_str("."),
        }
    }
}

impl fmt::Display for BlockStory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.block.kind {
            Kind::Datagram => "udp",
            Kind::Stream => "tcp",
        };
        match &self.block.host {
            Some(host) => write!(f, "{transport} port {} of {host}", self.block.port)?,
            None => write!(f, "{transport} port {}", self.block.port)?,
        }
        match self.again.is_zero() {
            true => f.write_str(" (the next flow there tries direct again)"),
            false => write!(f, " (direct is tried again in {})", Span(self.again)),
        }
    }
}

/// A part of a sentence.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline { left, to: Route::Direct } => {
                write!(f, "the end of the trial in {}, after which flows stay direct and try on", Span(*left))
            }
            Self::Deadline { left, to: Route::Proxied } => {
                write!(f, "the end of the trial in {}, after which flows go through a relay", Span(*left))
            }
            Self::Doubt { failures, window } => {
                let failures = Count(*failures as usize, "failure");
                write!(f, "{failures} or silence within {}, which end the proof", Span(*window))
            }
            Self::Flow => f.write_str("the next flow, which begins a trial"),
            Self::NetworkChanged => f.write_str("another network, after which direct is tried anew"),
            Self::NetworkUp => f.write_str("a network that is up, which begins a trial"),
            Self::NewClient => f.write_str("a client in another mode"),
            Self::NewTrialAsked => {
                f.write_str("the application, when it asks for a new trial (retry_direct)")
            }
            Self::Proof => f.write_str("an answer that comes directly"),
        }
    }
}

/// One sentence or two.
impl fmt::Display for RelayStory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay {}", self.proxy)?;
        match &self.state {
            RelayState::Connected => write!(
                f,
                " is connected: {} with {}",
                Count(self.connections, "connection"),
                Count(self.tunnels, "tunnel")
            )?,
            RelayState::Failed { fault, ago } => write!(f, " failed {} ago: {fault}", Span(*ago))?,
            RelayState::Left => f.write_str(" has no connection now")?,
            RelayState::NotTried => f.write_str(" was not reached yet, and has not failed")?,
        }
        match (&self.state, &self.contact) {
            (RelayState::Connected | RelayState::Left, Some(contact)) => {
                let (ago, elapsed) = (Span(contact.ago), Span(contact.elapsed));
                write!(f, "; the latest ({}) was made {ago} ago in {elapsed}", contact.carrier)?;
                match &contact.via {
                    Some(via) => write!(f, ", through {via}.")?,
                    None => f.write_str(".")?,
                }
            }
            _ if self.via.is_empty() => f.write_str(".")?,
            _ => {
                f.write_str("; the way there is ")?;
                Joined(&self.via, " or ").fmt(f)?;
                f.write_str(".")?;
            }
        }
        if let Some(left) = self.last_for {
            write!(f, " For {} it is tried after all others.", Span(left))?;
        }
        Ok(())
    }
}

/// So many of something.
struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, what) = self;
        write!(f, "{count} {what}{}", if *count == 1 { "" } else { "s" })
    }
}

/// So many ports and hosts are.
struct Are(usize);

impl fmt::Display for Are {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 port or host is"),
            count => write!(f, "{count} ports or hosts are"),
        }
    }
}

/// So often.
struct Times(u32);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("not once"),
            1 => f.write_str("once"),
            count => write!(f, "{count} times"),
        }
    }
}

/// A word at the beginning of a sentence.
struct Capital(&'static str);

impl fmt::Display for Capital {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        rest.next().map_or(Ok(()), |first| write!(f, "{}{}", first.to_ascii_uppercase(), rest.as_str()))
    }
}

/// One after the other, with something in between.
struct Joined<'a, T>(&'a [T], &'static str);

impl<T: fmt::Display> fmt::Display for Joined<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(self.1)?;
            }
            part.fmt(f)?;
        }
        Ok(())
    }
}
