//! `wayleave relay`: a relay as a process.

mod admin;
mod descriptors;
mod gather;
mod identity;
mod key_files;
mod limits;
mod options;
mod report;
mod settings;

#[cfg(test)]
mod tests;

use std::future::pending;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{info, warn};
use wayleave_proto::auth::Keys;
use wayleave_proto::carrier::tls::{Acceptor, Session, TlsError};
use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_proto::relay::Stats;
use wayleave_tokio::{Relay, RelayHandle};

use crate::Failure;
use crate::log::{self, Format};
use crate::signals::{Signals, Wish};

use admin::Order;
use settings::Settings;

pub(crate) use options::RelayArgs;

/// Runs a relay until a signal ends it.
///
/// # Errors
/// What is wrong with the arguments or the configuration, or why it cannot start.
pub(crate) fn main(args: RelayArgs) -> Result<(), Failure> {
    let args = args.complete()?;
    let gather = args.gather.unwrap_or_default();
    if gather > gather::MOST {
        return Err(Failure::usage("--gather: give at most 1ms; more would be heard in a call"));
    }
    let runtime = gather::runtime(gather).map_err(|error| Failure::run(format!("cannot start: {error}")))?;
    runtime.block_on(run(args))
}

/// What a configuration file with this text makes of a relay that has no certificate yet and these keys.
///
/// # Errors
/// What is wrong in it.
pub(crate) fn config_in_text(path: &Path, text: &str, keys: Keys) -> Result<Valid<RelayConfig>, Failure> {
    settings::config(RelayArgs::from_text(path, text)?, Arc::new(NoCertificate), keys, [])
}

async fn run(args: RelayArgs) -> Result<(), Failure> {
    let format = args.log_format.unwrap_or_default();
    log::start(args.log.as_deref(), format)?;
    let Settings { config, listen, mut key_files, admin, drain } = Settings::new(args)?;
    raise_limit(config.limits.connections);
    let mut signals = Signals::new()?;
    let relay = Relay::bind(config, listen).await.map_err(|error| unbound(listen, &error))?;
    let handle = relay.handle();
    announce(relay.local_addr(), format);
    let mut serving = tokio::spawn(relay.serve(|event| report::report(&event)));
    let (orders, mut ordered) = mpsc::channel(1);
    let mut administered = JoinSet::new();
    if let Some(admin) = admin {
        administered.spawn(admin.serve(handle.clone(), orders));
    }
    let mut deadline = None;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            served = &mut serving => {
                return served.map_err(|error| Failure::run(format!("the relay broke down: {error}")));
            }
            wish = signals.next() => match wish {
                Wish::Reload => drop(reload(&handle, key_files.read())),
                Wish::Stop if deadline.is_none() && !drain.is_zero() => {
                    begin_drain(&handle, drain);
                    deadline = Some(Instant::now() + drain);
                }
                Wish::Stop => stop(&handle, "stopping at once"),
            },
            Some(order) = ordered.recv() => match order {
                Order::Drain if deadline.is_none() => {
                    begin_drain(&handle, drain);
                    deadline = Some(Instant::now() + drain);
                }
                Order::Drain => {}
                Order::Reload(tell) => {
                    let _ = tell.send(reload(&handle, key_files.read()));
                }
            },
            _ = ticks.tick() => if let Some(read) = key_files.look() {
                drop(reload(&handle, read));
            },
            () = reached(deadline) => {
                stop(&handle, "the time to drain is over");
                deadline = Some(Instant::now() + LAST_WORDS);
            }
        }
    }
}

/// Takes as many open files as the system gives, and says where they are fewer than the connections allowed.
fn raise_limit(connections: usize) {
    // A tunnel has two sockets, and the process a few files of its own.
    let tunnels = descriptors::raise().map(|files| files.saturating_sub(FILES) / 2);
    if let Some(tunnels) = tunnels.filter(|most| *most < connections as u64) {
        info!(
            tunnels,
            connections, "the system's limit on open files (ulimit -Hn) is below the limit on connections"
        );
    }
}

/// The acceptor of a relay that is only looked at.
#[derive(Debug)]
struct NoCertificate;

impl Acceptor for NoCertificate {
    fn accept(&self) -> Result<Box<dyn Session>, TlsError> {
        Err(TlsError::Protocol { detail: "there is no certificate".into() })
    }
}

/// Says where the relay listens, at any log level, in a line that programs can wait for.
fn announce(local: SocketAddr, format: Format) {
    let mut line = format!("listening on {local}");
    if format == Format::Json {
        line = serde_json::json!({ "level": "INFO", "message": line }).to_string();
    }
    // A closed standard error is no reason to stop.
    let _ = writeln!(io::stderr(), "{line}");
}

fn begin_drain(handle: &RelayHandle, drain: Duration) {
    let tunnels = handle.stats().tunnels;
    info!(
        tunnels,
        "draining: no new connections; open tunnels may go on for {drain:?}, a second signal stops at once"
    );
    handle.drain();
}

fn stop(handle: &RelayHandle, why: &str) {
    info!(tunnels = handle.stats().tunnels, "{why}");
    handle.close();
}

/// Puts keys into force that were read again, and says how many they are, or what was wrong.
fn reload(handle: &RelayHandle, read: Result<Keys, Failure>) -> Result<usize, String> {
    match read {
        Ok(keys) => {
            let (count, before) = (keys.len(), handle.stats().tunnels);
            handle.renew_keys(keys);
            let Stats { revocations, tunnels, .. } = handle.stats();
            let ended = before.saturating_sub(tunnels);
            info!(keys = count, revocations, ended, "token keys read again");
            Ok(count)
        }
        Err(failure) => {
            warn!("the old token keys stay: {failure}");
            Err(failure.to_string())
        }
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
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

/// How often the key files are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Files that are no sockets of tunnels, about.
const FILES: u64 = 64;
/// Between two attempts to end what does not end.
const LAST_WORDS: Duration = Duration::from_secs(1);
