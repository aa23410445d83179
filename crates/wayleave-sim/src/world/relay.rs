//! A relay on its host.

use wayleave_proto::base::{Instant, Kind};
use wayleave_proto::net::Machine as _;
use wayleave_proto::relay::{Event, Relay};

use super::driver::{Driver, Step};
use super::host::{Host, Role};
use super::{Happening, World};
use crate::laws::Law;
use crate::stack::{Handle, Happened};

/// A relay, or what stands in its place.
#[derive(Debug)]
pub(super) struct RelayHost {
    pub(super) stand: Stand,
    /// What this relay is configured with.
    pub(super) memory: usize,
}

/// What listens at the address of a relay.
#[derive(Debug)]
pub(super) enum Stand {
    /// The relay.
    Runs(Box<Driver<Relay>>),
    /// Nobody.
    Crashed,
    /// Somebody who says these bytes to whoever says something, and ends.
    Says(Vec<u8>),
    /// Somebody who says nothing.
    Mute,
}

impl RelayHost {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match &self.stand {
            Stand::Runs(driver) => driver.machine.poll_timeout(),
            Stand::Crashed | Stand::Says(_) | Stand::Mute => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Stand::Runs(driver) = &mut self.stand {
            driver.machine.handle_timeout(now);
        }
    }

    pub(super) fn driver(&mut self) -> Option<&mut Driver<Relay>> {
        match &mut self.stand {
            Stand::Runs(driver) => Some(driver),
            Stand::Crashed | Stand::Says(_) | Stand::Mute => None,
        }
    }
}

impl World {
    pub(super) fn settle_relay(&mut self, host: usize) {
        let mut steps = Vec::new();
        loop {
            let Host { stack, role: Role::Relay(relay), .. } = &mut self.hosts[host] else { return };
            let happened = stack.poll_happened();
            match &mut relay.stand {
                Stand::Runs(driver) => {
                    let is_quiet = happened.is_none();
                    match happened {
                        Some(Happened::Accepted(handle)) => self.accept(host, handle),
                        Some(happened) => {
                            driver.happened(self.now, stack, &mut self.tape, happened, &mut steps);
                        }
                        None => {}
                    }
                    let settled = self.settle_relay_machine(host, &mut steps);
                    self.check(host, Law::Growth, settled);
                    for step in core::mem::take(&mut steps) {
                        self.on_relay_step(host, step);
                    }
                    if is_quiet {
                        break;
                    }
                }
                Stand::Says(words) => match happened {
                    Some(Happened::Readable(handle)) => {
                        if !stack.read(self.now, handle, usize::MAX).is_empty() {
                            stack.write(self.now, handle, words);
                            stack.close(self.now, handle, false);
                        }
                    }
                    Some(_) => {}
                    None => break,
                },
                Stand::Crashed | Stand::Mute if happened.is_none() => break,
                Stand::Crashed | Stand::Mute => {}
            }
        }
        self.check_memory(host);
    }

    fn settle_relay_machine(&mut self, host: usize, steps: &mut Vec<Step<Event>>) -> Result<(), String> {
        let Host { stack, role: Role::Relay(relay), .. } = &mut self.hosts[host] else { return Ok(()) };
        match relay.driver() {
            Some(driver) => driver.settle(self.now, stack, &mut self.tape, steps),
            None => Ok(()),
        }
    }

    fn accept(&mut self, host: usize, handle: Handle) {
        let now = self.now;
        let Host { stack, role: Role::Relay(relay), .. } = &mut self.hosts[host] else { return };
        let (Some(driver), Some((local, remote))) = (relay.driver(), stack.addresses(handle)) else { return };
        match driver.machine.handle_accepted(now, remote, local) {
            Some(id) => driver.adopt(id, handle, remote),
            None => {
                self.trace.count("relay at its limits");
                stack.close(now, handle, true);
            }
        }
    }

    fn on_relay_step(&mut self, host: usize, step: Step<Event>) {
        match step {
            Step::Asked { id, name } => {
                let (after, answer) = self.relay_names.ask(name.as_str());
                self.looked_up(host, name.as_str(), &answer);
                self.later(after, Happening::Answer { host, id, answer });
            }
            Step::Dialled { address } => self.forwards(host, Kind::Stream, address),
            Step::Bound { address } => self.forwards(host, Kind::Datagram, address),
            Step::Said(event) => {
                let name = name_of(&format!("{:?}", event.what));
                self.trace.count(&format!("relay {name}"));
                let text = format!("{:?}", event.what);
                self.said(host, &name, &text);
                self.report.relay_events.push((host, event));
            }
            Step::Opened { .. } | Step::Answered { .. } => {}
        }
    }

    fn forwards(&mut self, host: usize, kind: Kind, address: core::net::SocketAddr) {
        let unix = self.unix(host);
        // Wrong answers lead there; who asked for which name is not known here.
        if address.ip() == super::build::NOBODY {
            return;
        }
        let table = &self.relay_names.table;
        let leads = |name: &str, ip: core::net::IpAddr| table.get(name).is_some_and(|ips| ips.contains(&ip));
        let result = self.grants.check(unix, kind, address, leads);
        self.check(host, Law::Grants, result);
    }

    fn check_memory(&mut self, host: usize) {
        let Role::Relay(relay) = &mut self.hosts[host].role else { return };
        let most = relay.memory;
        let Some(driver) = relay.driver() else { return };
        let stats = driver.machine.stats();
        // A connection may go on to fill what it has; only new work is refused at the limit.
        let bound = most + stats.connections * PER_CONNECTION;
        if stats.held > bound {
            let what =
                format!("{} bytes in buffers, {} connections, limit {most}", stats.held, stats.connections);
            self.broken(host, Law::Growth, what);
        }
    }
}

/// The name of a variant, from its debug form.
pub(super) fn name_of(text: &str) -> String {
    text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// What one connection may hold: its buffers both ways, twice.
const PER_CONNECTION: usize = 512 * 1024;
