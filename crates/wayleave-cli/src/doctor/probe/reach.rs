//! The way to a relay at one of its addresses: TCP, TLS, and who answers there.

use std::io;
use std::net::SocketAddr;

use tokio::time::{Instant, timeout_at};
use wayleave_proto::base::{Kind, Target, UnixTime};
use wayleave_proto::codec::http::{Answer, Ask, EchoWord, Refusal, Want};
use wayleave_proto::codec::text::escaped;
use wayleave_sockets::unix_now;

use super::datagrams::echo_target;
use super::road::{Pipe, Road};
use super::tls::{self, Looked};
use super::wire::{self, Head};
use super::{Deadline, Notes, Plan};
use crate::doctor::code::Code;
use crate::doctor::report::{Finding, Subject};

/// What was reached at one address.
#[derive(Clone, Debug, Default)]
pub(super) struct Reached {
    /// The way to a relay whose certificate is trusted.
    pub(super) relay: Option<Road>,
    /// What the other side's clock showed, and ours at the same moment.
    pub(super) clocks: Option<(UnixTime, UnixTime)>,
    /// Whether a login page answered.
    pub(super) is_portal: bool,
}

/// Looks at a relay at one of its addresses.
pub(super) async fn check(
    plan: &Plan,
    proxy: &Target,
    address: SocketAddr,
    notes: &Notes,
    deadline: Deadline,
) -> Reached {
    let subject = || Subject::at(proxy, address);
    let began = Instant::now();
    let unreached = |code, detail| {
        notes.add(Finding::new(code, subject()).with(detail).after(began.elapsed()));
        notes.add(Finding::new(Code::TlsNotTried, subject()));
        notes.add(Finding::new(Code::RelayNotTried, subject()));
        Reached::default()
    };
    let road = Road::Direct(address);
    match timeout_at(deadline.step(), road.connect(proxy)).await {
        Ok(Ok(stream)) => {
            notes.add(Finding::new(Code::TcpOpen, subject()).after(began.elapsed()));
            speak(plan, proxy, road, stream, notes, deadline).await
        }
        Ok(Err(error)) => {
            let (code, detail) = of_tcp(&error);
            unreached(code, detail)
        }
        Err(_) => unreached(Code::TcpSilent, String::new()),
    }
}

/// Looks at what is at the other end of `stream`, which is of that way.
pub(super) async fn speak(
    plan: &Plan,
    proxy: &Target,
    road: Road,
    stream: Box<dyn Pipe>,
    notes: &Notes,
    deadline: Deadline,
) -> Reached {
    let subject = || road.subject(proxy);
    let began = Instant::now();
    let connecting = Looked::connect(stream, &proxy.host, plan.verifier.clone());
    let (code, detail, looked) = match timeout_at(deadline.step(), connecting).await {
        Ok(Ok(looked)) => {
            let (code, detail) = looked.judgement();
            (code, detail, Some(looked))
        }
        Ok(Err(error)) => {
            let (code, detail) = tls::failure(&error);
            (code, detail, None)
        }
        Err(_) => (Code::TlsSilent, String::new(), None),
    };
    notes.add(Finding::new(code, subject()).with(detail).after(began.elapsed()));
    let is_trusted = code == Code::TlsTrusted;
    let Some(looked) = looked else {
        if code == Code::TlsNotTls {
            return in_the_clear(proxy, &road, notes, deadline).await;
        }
        notes.add(Finding::new(Code::RelayNotTried, subject()));
        return Reached::default();
    };
    let began = Instant::now();
    let (code, detail, head) = answers(plan, proxy, &road, looked, deadline).await;
    notes.add(Finding::new(code, subject()).with(detail).after(began.elapsed()));
    let is_relay = matches!(code, Code::RelayAnswers | Code::RelayOther);
    Reached {
        relay: (is_trusted && is_relay).then_some(road),
        clocks: head.as_ref().and_then(Head::date).filter(|_| is_relay).map(|theirs| (theirs, unix_now())),
        is_portal: head.is_some_and(|head| is_portal(&head, proxy)),
    }
}

/// Who answers there. Relays of another kind may know no OPTIONS; what they say to CONNECT without a credential tells them from
/// web servers.
async fn answers(
    plan: &Plan,
    proxy: &Target,
    road: &Road,
    mut looked: Looked,
    deadline: Deadline,
) -> (Code, String, Option<Head>) {
    let word = word();
    let ask = |want: Want, authority: Target, echo| Ask {
        want,
        authority: Some(authority),
        authorization: None,
        user_agent: None,
        echo,
    };
    let options = ask(Want::Options, proxy.clone(), word.clone());
    let asked = timeout_at(deadline.step(), wire::ask(looked.for_strangers(), &options)).await;
    let first = who(asked.ok(), word.as_ref());
    let Some(target) = echo_target().filter(|_| first.0 == Code::RelayWebServer) else { return first };
    let connect = ask(Want::Tunnel { kind: Kind::Stream, target: target.clone() }, target, None);
    let again = async {
        let stream = road.connect(proxy).await?;
        let mut looked = Looked::connect(stream, &proxy.host, plan.verifier.clone()).await?;
        wire::ask(looked.for_strangers(), &connect).await
    };
    match timeout_at(deadline.step(), again).await {
        Ok(Ok(head)) if is_proxy(&head) => (Code::RelayOther, head.shown(), Some(head)),
        _ => first,
    }
}

/// What speaks where TLS should: nothing of ours, but a portal perhaps.
async fn in_the_clear(proxy: &Target, road: &Road, notes: &Notes, deadline: Deadline) -> Reached {
    let asked = timeout_at(deadline.step(), super::portal::get(proxy, road)).await;
    let (code, detail, head) = who(asked.ok(), None);
    notes.add(Finding::new(code, road.subject(proxy)).with(detail));
    Reached { is_portal: head.is_some_and(|head| is_portal(&head, proxy)), ..Reached::default() }
}

/// Who gave this answer to a request with `word`; `None` where none came in time.
pub(super) fn who(asked: Option<io::Result<Head>>, word: Option<&EchoWord>) -> (Code, String, Option<Head>) {
    let head = match asked {
        None => return (Code::RelaySilent, String::new(), None),
        Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            return (Code::RelayNotHttp, String::new(), None);
        }
        Some(Err(_)) => return (Code::RelayCut, String::new(), None),
        Some(Ok(head)) => head,
    };
    let echo = match head.answer(None) {
        Some(Answer::Accepted { echo, .. } | Answer::Refused(Refusal { echo, .. })) => echo,
        None => None,
    };
    if word.is_some() && echo.as_ref() == word {
        (Code::RelayAnswers, String::new(), Some(head))
    } else if is_proxy(&head) {
        (Code::RelayOther, head.shown(), Some(head))
    } else {
        (Code::RelayWebServer, head.shown(), Some(head))
    }
}

/// Whether only a proxy says so: it wants to be shown a credential, or tells of a target that it did not reach.
fn is_proxy(head: &Head) -> bool {
    head.field("proxy-status").is_some() || matches!(head.status, 407 | 502 | 504)
}

/// Whether this is how a network asks its users to log in: RFC 6585 §6, or a way to somebody else's page.
pub(super) fn is_portal(head: &Head, proxy: &Target) -> bool {
    let leads_away = head.field("location").is_some_and(|location| {
        let authority = location.split_once("://").map(|(_, rest)| rest.split(['/', '?', ':']).next());
        authority.flatten().is_some_and(|host| !host.eq_ignore_ascii_case(&proxy.host.to_string()))
    });
    head.status == 511 || ((300..=399).contains(&head.status) && leads_away)
}

fn of_tcp(error: &io::Error) -> (Code, String) {
    use wayleave_proto::error::{IoFailed, IoFailure};
    let failed = IoFailed::from(error);
    match failed.failure {
        IoFailure::ConnectionRefused => (Code::TcpRefused, String::new()),
        IoFailure::ConnectionReset => (Code::TcpReset, String::new()),
        IoFailure::PermissionDenied => (Code::TcpForbidden, String::new()),
        IoFailure::TimedOut => (Code::TcpSilent, String::new()),
        IoFailure::Unreachable => (Code::TcpUnreachable, String::new()),
        _ => (Code::TcpFailed, escaped(failed.to_string().as_bytes(), 200)),
    }
}

/// A word that nobody has said before.
fn word() -> Option<EchoWord> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    EchoWord::new(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
