//! The proxy of the network in front of a relay: its name, TCP, what speaks there, and whether it leads on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use wayleave_proto::base::{Host, Target};
use wayleave_proto::carrier::via::ViaProblem;
use wayleave_proto::codec::text::escaped;
use wayleave_proto::config::Via;
use wayleave_proto::error::{IoFailed, IoFailure};
use wayleave_sockets::Lookups;

use super::road::{Hop, Pipe};
use super::{Deadline, Notes, Plan};
use crate::doctor::code::Code;
use crate::doctor::report::{Family, Finding, Subject};

/// Every proxy of the network that is in front of `proxy`, at the same time; the first in the order of the user that leads
/// there, with a connection through it.
pub(super) async fn check(
    plan: &Arc<Plan>,
    proxy: &Target,
    notes: &Arc<Notes>,
    deadline: Deadline,
) -> Option<(Arc<Hop>, Box<dyn Pipe>)> {
    let mut tasks = JoinSet::new();
    for (place, via) in plan.way.to(proxy).iter().cloned().enumerate() {
        let (plan, proxy, notes) = (Arc::clone(plan), proxy.clone(), Arc::clone(notes));
        tasks.spawn(async move {
            let began = Instant::now();
            let subject = Subject::through(&proxy, &via);
            match lead(&plan, &proxy, via, deadline).await {
                Ok(led) => {
                    notes.add(Finding::new(Code::ViaOpen, subject).after(began.elapsed()));
                    Some((place, led))
                }
                Err((code, detail)) => {
                    notes.add(Finding::new(code, subject).with(detail).after(began.elapsed()));
                    None
                }
            }
        });
    }
    let mut led = Vec::new();
    while let Some(one) = tasks.join_next().await {
        led.extend(one.ok().flatten());
    }
    led.into_iter().min_by_key(|(place, _)| *place).map(|(_, led)| led)
}

async fn lead(
    plan: &Plan,
    proxy: &Target,
    via: Via,
    deadline: Deadline,
) -> Result<(Arc<Hop>, Box<dyn Pipe>), (Code, String)> {
    let addresses = timeout_at(deadline.step(), look_up(via.proxy())).await;
    let addresses = addresses.unwrap_or_else(|_| Err(IoFailed::new(IoFailure::NameUnanswered)));
    let addresses = addresses.map_err(|failed| of_name(&failed))?;
    let shown = || if matches!(via.proxy().host, Host::Name(_)) { shown(&addresses) } else { String::new() };
    let address = timeout_at(deadline.step(), first_open(&addresses)).await;
    let address = address.unwrap_or_else(|_| Err((Code::ViaSilent, String::new())));
    let address = address.map_err(|(code, said)| (code, if said.is_empty() { shown() } else { said }))?;
    let hop = Arc::new(Hop { via, address, verifier: Arc::clone(&plan.verifier) });
    let pipe = timeout_at(deadline.step(), hop.connect(proxy)).await;
    let pipe = pipe.map_err(|_| (Code::ViaUnanswered, String::new()))??;
    Ok((hop, pipe))
}

/// One address of each family.
async fn look_up(target: &Target) -> Result<Vec<SocketAddr>, IoFailed> {
    let port = target.port.get();
    let name = match &target.host {
        Host::Address(address) => return Ok(vec![SocketAddr::new(*address, port)]),
        Host::Name(name) => name,
    };
    let found = Arc::new(Lookups::default()).begin(name).await?;
    let all = || found.iter().map(|address| SocketAddr::new(*address, port));
    let of = |family| all().find(|address| Family::of(*address) == family && !address.ip().is_unspecified());
    let first: Vec<_> = Family::BOTH.into_iter().filter_map(of).collect();
    if first.is_empty() { Err(IoFailed::new(IoFailure::NameEmpty)) } else { Ok(first) }
}

/// The address that takes a connection first; else what the last one said.
async fn first_open(addresses: &[SocketAddr]) -> Result<SocketAddr, (Code, String)> {
    let mut tasks = JoinSet::new();
    for address in addresses.iter().copied() {
        tasks.spawn(async move { TcpStream::connect(address).await.map(|_| address) });
    }
    let mut last = (Code::ViaUnreachable, String::new());
    while let Some(tried) = tasks.join_next().await {
        match tried {
            Ok(Ok(address)) => return Ok(address),
            Ok(Err(error)) => last = of_tcp(&error),
            Err(_) => {}
        }
    }
    Err(last)
}

fn shown(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ")
}

fn of_name(failed: &IoFailed) -> (Code, String) {
    match failed.failure {
        IoFailure::NameUnknown | IoFailure::NameEmpty => (Code::ViaNameUnknown, String::new()),
        IoFailure::NameUnanswered | IoFailure::TimedOut => (Code::ViaNameUnanswered, String::new()),
        _ => (Code::ViaNameUnanswered, escaped(failed.to_string().as_bytes(), LONGEST)),
    }
}

/// What the system says of a connection to the proxy of the network.
pub(super) fn of_tcp(error: &io::Error) -> (Code, String) {
    let failed = IoFailed::from(error);
    match failed.failure {
        IoFailure::ConnectionRefused => (Code::ViaRefused, String::new()),
        IoFailure::TimedOut => (Code::ViaSilent, String::new()),
        IoFailure::Unreachable => (Code::ViaUnreachable, String::new()),
        _ => (Code::ViaUnreachable, escaped(failed.to_string().as_bytes(), LONGEST)),
    }
}

/// What a proxy of the network says in place of leading to the relay.
pub(super) fn of_problem(problem: &ViaProblem) -> (Code, String) {
    use ViaProblem as P;
    let status = |status: &u16| status.to_string();
    match problem {
        P::Ended => (Code::ViaCut, String::new()),
        P::NeedsAccount { offers, .. } if offers.is_empty() => (Code::ViaNeedsAccount, String::new()),
        P::NeedsAccount { offers, .. } => (Code::ViaNeedsAccount, format!("407, it offers {offers}")),
        P::NotHttp(_) => (Code::ViaNotProxy, "its answer is no HTTP".into()),
        P::NotSocks => (Code::ViaNotProxy, "its answer is no SOCKS5".into()),
        P::Refused { status: it @ (401 | 403 | 451) } => (Code::ViaForbidden, status(it)),
        P::Refused { status: it @ (429 | 500) } => (Code::ViaFailed, status(it)),
        P::Refused { status: it } => (Code::ViaNoConnect, status(it)),
        P::SocksRefused { reply, words } => {
            let code = match reply {
                2 => Code::ViaForbidden,
                3..=6 => Code::ViaRelayUnreached,
                7 | 8 => Code::ViaNoConnect,
                _ => Code::ViaFailed,
            };
            (code, format!("SOCKS5 reply {reply}, {words}"))
        }
        P::Unreachable { status: it } => (Code::ViaRelayUnreached, status(it)),
        P::Unanswerable(_) => (Code::ViaSchemeUnknown, escaped(problem.to_string().as_bytes(), LONGEST)),
        P::WrongAccount => (Code::ViaWrongPassword, String::new()),
        problem => (Code::ViaFailed, escaped(problem.to_string().as_bytes(), LONGEST)),
    }
}

const LONGEST: usize = 200;
