//! One relay: the ways to it by each family, then what it does for a client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use wayleave_proto::auth::Credential;
use wayleave_proto::base::{Host, Kind, Target, UnixTime};
use wayleave_proto::codec::http::Want;
use wayleave_settings::duration::words;
use wayleave_sockets::unix_now;

use super::reach::{self, Reached};
use super::road::Road;
use super::tunnel::{self, Way};
use super::{Deadline, Notes, Plan, datagrams, idle, name, portal, via};
use crate::doctor::code::Code;
use crate::doctor::report::{Finding, Subject};

pub(super) async fn check(plan: Arc<Plan>, proxy: Target, notes: Arc<Notes>, deadline: Deadline) {
    let reached = if plan.way.to(&proxy).is_empty() {
        if let Some(told) = &plan.way.told {
            notes.add(Finding::new(Code::ViaNone, Subject::proxy(&proxy)).with(told));
        }
        directly(&plan, &proxy, &notes, deadline).await
    } else {
        through(&plan, &proxy, &notes, deadline).await
    };
    let relay = reached.into_iter().find_map(|reached| reached.relay);
    let way = credential(&plan, &proxy, relay, &notes, deadline).await;
    use_it(&plan, &proxy, way.as_ref(), &notes, deadline).await;
    if let Some(longest) = plan.idle {
        idle::check(&proxy, way.as_ref(), longest, &notes).await;
    }
}

/// To the addresses of the relay.
async fn directly(plan: &Arc<Plan>, proxy: &Target, notes: &Arc<Notes>, deadline: Deadline) -> Vec<Reached> {
    let addresses = name::check(proxy, notes, deadline).await;
    if addresses.is_empty() {
        for code in [Code::TcpNotTried, Code::TlsNotTried, Code::RelayNotTried] {
            notes.add(Finding::new(code, Subject::proxy(proxy)));
        }
    }
    let reached = reach_all(plan, proxy, &addresses, notes, deadline).await;
    notes.add(clock(proxy, &reached));
    if reached.iter().any(|reached| reached.is_portal) {
        notes.add(Finding::new(Code::PortalSeen, Subject::proxy(proxy)));
    } else if reached.iter().all(|reached| reached.relay.is_none()) {
        portal::check(proxy, &addresses, notes, deadline).await;
    }
    reached
}

/// To the relay by its name, through the first proxy of the network that leads there.
async fn through(plan: &Arc<Plan>, proxy: &Target, notes: &Arc<Notes>, deadline: Deadline) -> Vec<Reached> {
    let note = |code| notes.add(Finding::new(code, Subject::proxy(proxy)));
    note(if matches!(proxy.host, Host::Name(_)) { Code::NameByVia } else { Code::NameAddress });
    note(Code::TcpByVia);
    let reached = match via::check(plan, proxy, notes, deadline).await {
        Some((hop, pipe)) => {
            vec![reach::speak(plan, proxy, Road::Through(hop), pipe, notes, deadline).await]
        }
        None => {
            note(Code::TlsNotTried);
            note(Code::RelayNotTried);
            Vec::new()
        }
    };
    notes.add(clock(proxy, &reached));
    let is_portal = reached.iter().any(|reached| reached.is_portal);
    if is_portal || reached.iter().all(|reached| reached.relay.is_none()) {
        note(if is_portal { Code::PortalSeen } else { Code::PortalByVia });
    }
    reached
}

/// Every address at the same time, in the order in which they reached the relay.
async fn reach_all(
    plan: &Arc<Plan>,
    proxy: &Target,
    addresses: &[SocketAddr],
    notes: &Arc<Notes>,
    deadline: Deadline,
) -> Vec<Reached> {
    let mut tasks = JoinSet::new();
    for address in addresses.iter().copied() {
        let (plan, proxy, notes) = (Arc::clone(plan), proxy.clone(), Arc::clone(notes));
        tasks.spawn(async move { reach::check(&plan, &proxy, address, &notes, deadline).await });
    }
    let mut all = Vec::new();
    while let Some(reached) = tasks.join_next().await {
        all.extend(reached.ok());
    }
    all
}

fn clock(proxy: &Target, reached: &[Reached]) -> Finding {
    let subject = Subject::proxy(proxy);
    let Some((theirs, ours)) = reached.iter().find_map(|reached| reached.clocks) else {
        return Finding::new(Code::ClockUnknown, subject);
    };
    let (ahead, behind) = (ours.since(theirs), theirs.since(ours));
    let apart = ahead.max(behind);
    if apart <= TOLERATED {
        return Finding::new(Code::ClockRight, subject).with("to the second, or nearly");
    }
    let way = if ahead > behind { "ahead of" } else { "behind" };
    Finding::new(Code::ClockWrong, subject).with(format!("this one is {} {way} the relay's", words(apart)))
}

/// Shows the credential to a relay whose certificate is trusted, and to nobody else.
async fn credential(
    plan: &Arc<Plan>,
    proxy: &Target,
    relay: Option<Road>,
    notes: &Notes,
    deadline: Deadline,
) -> Option<Way> {
    let subject = Subject::proxy(proxy);
    let credential = match &plan.credential {
        None => {
            notes.add(Finding::new(Code::CredentialMissing, subject));
            return None;
        }
        Some(Err(what)) => {
            notes.add(Finding::new(Code::CredentialMalformed, subject).with(what));
            return None;
        }
        Some(Ok(credential)) => credential,
    };
    let Some(road) = relay else {
        notes.add(Finding::new(Code::CredentialNotShown, subject).with(times(credential, unix_now())));
        return None;
    };
    let way = Way { plan: Arc::clone(plan), proxy: proxy.clone(), road, credential: credential.clone() };
    let began = Instant::now();
    let asked = timeout_at(deadline.step(), tunnel::ask(&way, Want::Options)).await;
    let (code, detail) = match asked {
        Ok(Ok((head, _))) => of_credential(head.status, head.shown(), credential),
        Ok(Err(error)) => (Code::CredentialUnclear, error.to_string()),
        Err(_) => (Code::CredentialUnclear, "no answer in time".to_owned()),
    };
    notes.add(Finding::new(code, subject).with(detail).after(began.elapsed()));
    // A relay of another kind may say nothing to OPTIONS, and serve all the same.
    matches!(code, Code::CredentialAccepted | Code::CredentialUnclear).then_some(way)
}

/// What a status says of a credential, with what it says of itself.
pub(super) fn of_credential(status: u16, shown: String, credential: &Credential) -> (Code, String) {
    let now = unix_now();
    match status {
        200..=299 => (Code::CredentialAccepted, times(credential, now)),
        407 if credential.expires().is_some_and(|end| end <= now) => {
            (Code::CredentialExpired, times(credential, now))
        }
        407 if credential.not_before().is_some_and(|begin| begin > now) => {
            (Code::CredentialEarly, times(credential, now))
        }
        407 => (Code::CredentialRefused, times(credential, now)),
        429 => (Code::CredentialLimited, shown),
        503 => (Code::CredentialBusy, shown),
        _ => (Code::CredentialUnclear, shown),
    }
}

/// What kind it is, and how long it is good by its own word.
fn times(credential: &Credential, now: UnixTime) -> String {
    let kind = match credential {
        Credential::AppSign(_) => "the app sign, which does not expire",
        _ => "the token",
    };
    let end = credential.expires().map(|end| match end <= now {
        true => format!(" expired {} ago", words(now.since(end))),
        false => format!(" expires in {}", words(end.since(now))),
    });
    let begin = credential.not_before().filter(|begin| *begin > now);
    let begin = begin.map(|begin| format!(", becomes good in {}", words(begin.since(now))));
    format!("{kind}{}{}", end.unwrap_or_default(), begin.unwrap_or_default())
}

/// What a relay does for a client that it accepts: streams, then datagrams, so that a token for few tunnels is enough.
async fn use_it(plan: &Arc<Plan>, proxy: &Target, way: Option<&Way>, notes: &Arc<Notes>, deadline: Deadline) {
    let subject = || Subject::proxy(proxy);
    let streams = plan.targets.iter().filter(|(kind, _)| *kind == Kind::Stream);
    if streams.clone().next().is_none() {
        notes.add(Finding::new(Code::StreamNoTarget, subject()));
    }
    let Some(way) = way else {
        for (kind, target) in &plan.targets {
            let code = if *kind == Kind::Stream { Code::StreamNotTried } else { Code::DatagramsNotTried };
            notes.add(Finding::new(code, subject().to(*kind, target)));
        }
        for code in [Code::DatagramsNotTried, Code::QualityUnknown, Code::SizeUnknown] {
            notes.add(Finding::new(code, subject()));
        }
        return;
    };
    let targets = |wanted: Kind| plan.targets.iter().filter(move |(kind, _)| *kind == wanted);
    let mut tasks = JoinSet::new();
    for (_, target) in targets(Kind::Stream) {
        let (way, notes, target) = (way.clone(), Arc::clone(notes), target.clone());
        tasks.spawn(async move { notes.add(tunnel::stream(&way, &target, deadline).await) });
    }
    while tasks.join_next().await.is_some() {}
    for (_, target) in targets(Kind::Datagram) {
        let (way, notes, target) = (way.clone(), Arc::clone(notes), target.clone());
        tasks.spawn(async move { datagrams::stun(&way, &target, &notes, deadline).await });
    }
    let (way, notes) = (way.clone(), Arc::clone(notes));
    tasks.spawn(async move { datagrams::echo(&way, &notes, deadline).await });
    while tasks.join_next().await.is_some() {}
}

/// How far clocks may be apart: what relays allow for by default.
const TOLERATED: Duration = Duration::from_secs(30);
