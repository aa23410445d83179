//! `wayleave relay`: a relay as a process.

mod admin;
mod gather;
mod names;
mod options;
mod reload;
mod report;
mod settings;
mod users;

#[cfg(test)]
mod tests;

use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};
use wayleave_proto::auth::Keys;
use wayleave_proto::carrier::tls::{Acceptor, Session, TlsError};
use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_proto::relay::Shards;
use wayleave_settings::files::Follower;
use wayleave_settings::relay::RelaySettings;
use wayleave_tokio::{Relay, RelayHandle};

use crate::log;
use crate::signals::{Signals, Wish};
use crate::{Failure, descriptors, on};

use admin::Order;
use names::NameServers;
use reload::Reloads;
use report::Report;
use settings::Settings;

pub(crate) use options::RelayArgs;

/// Runs a relay until a signal ends it.
///
/// # Errors
/// What is wrong with the arguments or the configuration, or why it cannot start.
pub(crate) fn main(args: RelayArgs) -> Result<(), Failure> {
    let said = args.complete()?;
    let gather = said.gather.unwrap_or_default();
    if gather > gather::MOST {
        return Err(Failure::usage("--gather: give at most 1ms; more would be heard in a call"));
    }
    let threads = threads(said.threads)?;
    on(gather::runtime(gather), run(said, threads, gather))
}

/// What a configuration file with this text makes of a relay that has no certificate yet and these keys.
///
/// # Errors
/// What is wrong in it.
pub(crate) fn config_in_text(path: &Path, text: &str, keys: Keys) -> Result<Valid<RelayConfig>, Failure> {
    Ok(RelaySettings::from_text(path, text)?.config(Arc::new(NoCertificate), keys, [])?)
}

/// How many threads serve.
fn threads(wanted: Option<usize>) -> Result<usize, Failure> {
    let divides = cfg!(any(target_os = "android", target_os = "linux"));
    match wanted {
        None => Ok(wayleave_tokio::threads().min(Shards::MOST)),
        Some(2..=Shards::MOST) if !divides => Err(Failure::usage(
            "--threads: this system does not divide connections among threads; give 1, or leave it out",
        )),
        Some(threads @ 1..=Shards::MOST) => Ok(threads),
        Some(_) => Err(Failure::usage(format!("--threads: give 1 to {}", Shards::MOST))),
    }
}

async fn run(said: RelaySettings, threads: usize, gather: Duration) -> Result<(), Failure> {
    log::start(said.log.as_deref(), said.log_format.unwrap_or_default())?;
    let Settings { config, listen, certificate, files, admin, drain, users, name_servers } =
        Settings::new(said)?;
    let limits = config.limits.clone();
    let room = descriptors::raise();
    let mut signals = Signals::new()?;
    let mut builder = Relay::builder().threads(threads).runtimes(move || gather::runtime(gather));
    if let Some(servers) = name_servers {
        builder = builder.resolver(Arc::new(NameServers::new(servers)));
    }
    let relay = builder.bind(config, listen).await.map_err(|error| unbound(listen, &error))?;
    let handle = relay.handle();
    log::say("INFO", &format!("listening on {}", relay.local_addr()));
    if threads > 1 {
        info!("{threads} threads serve, and divide the connections among them");
    }
    tell_room(room, limits.connections);
    let files =
        Follower::start(files, EVERY).map_err(|error| Failure::run(format!("cannot start: {error}")))?;
    let mut reloads = Reloads::new(files, handle.clone(), certificate);
    let mut report = Report::new(Arc::clone(&users));
    let mut events = relay.events();
    let reporting = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            report.report(&event);
        }
    });
    let mut serving = tokio::spawn(relay.serve());
    let (orders, mut ordered) = mpsc::channel(1);
    let mut administered = JoinSet::new();
    if let Some(admin) = admin {
        administered.spawn(admin.serve(handle.clone(), limits, orders, users));
    }
    let mut ending = Ending::None;
    loop {
        tokio::select! {
            served = &mut serving => {
                // What was told last is written before the end.
                let _ = reporting.await;
                return served.map_err(|error| Failure::run(format!("the relay broke down: {error}")));
            }
            wish = signals.next() => match wish {
                Wish::Reload => reloads.ask(None),
                Wish::Stop if matches!(ending, Ending::None) && !drain.is_zero() => {
                    ending = begin_drain(&handle, drain);
                }
                Wish::Stop => ending = stop(&handle, "stopping at once"),
            },
            Some(order) = ordered.recv() => match order {
                Order::Drain if matches!(ending, Ending::None) => ending = begin_drain(&handle, drain),
                Order::Drain => {}
                Order::Reload(tell) => reloads.ask(Some(tell)),
            },
            () = reloads.work() => {}
            () = ending.reached() => match ending {
                Ending::Draining(_) => ending = stop(&handle, "the time to drain is over"),
                Ending::None | Ending::Stopping(_) => {
                    warn!(connections = handle.stats().connections, "ended before everything was closed");
                    return Ok(());
                }
            },
        }
    }
}

/// How far the end of the relay is.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Until then what is open may go on.
    Draining(Instant),
    None,
    /// Until then what was ended may close.
    Stopping(Instant),
}

impl Ending {
    async fn reached(self) {
        match self {
            Self::Draining(deadline) | Self::Stopping(deadline) => sleep_until(deadline).await,
            Self::None => pending().await,
        }
    }
}

/// Says where there are fewer files than the connections that are allowed, and what to do about it.
fn tell_room(files: Option<u64>, connections: usize) {
    // A tunnel has two sockets, and the process a few files of its own.
    let wanted = (connections as u64).saturating_mul(2).saturating_add(FILES);
    let Some(files) = files.filter(|files| *files < wanted) else { return };
    let tunnels = files.saturating_sub(FILES) / 2;
    info!(
        "there is room for about {tunnels} tunnels at once, as the system allows {files} open files; for all \
         {connections} connections of --max-connections allow {wanted} (`ulimit -Hn`, or LimitNOFILE= of systemd)"
    );
}

/// The acceptor of a relay that is only looked at.
#[derive(Debug)]
struct NoCertificate;

impl Acceptor for NoCertificate {
    fn accept(&self) -> Result<Box<dyn Session>, TlsError> {
        Err(TlsError::Protocol { detail: "there is no certificate".into() })
    }
}

fn begin_drain(handle: &RelayHandle, drain: Duration) -> Ending {
    let tunnels = handle.stats().tunnels;
    info!(
        tunnels,
        "draining: no new connections; open tunnels may go on for {drain:?}, a second signal stops at once"
    );
    handle.drain();
    Ending::Draining(Instant::now() + drain)
}

fn stop(handle: &RelayHandle, why: &str) -> Ending {
    info!(tunnels = handle.stats().tunnels, "{why}");
    handle.close();
    Ending::Stopping(Instant::now() + LAST_WORDS)
}

fn unbound(listen: SocketAddr, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => {
            "the port is in use; stop what listens there, or choose another one with --listen"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; choose one of its own with --listen"
        }
        ErrorKind::PermissionDenied => {
            "this user may not; choose a port from 1024 on, or give the process the right to bind low ports \
             (CAP_NET_BIND_SERVICE)"
        }
        _ => return Failure::run(format!("cannot listen on {listen}: {error}")),
    };
    Failure::run(format!("cannot listen on {listen}: {remedy}"))
}

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Files that are no sockets of tunnels, about.
const FILES: u64 = 64;
/// How long it may take to close what was ended.
const LAST_WORDS: Duration = Duration::from_millis(500);
