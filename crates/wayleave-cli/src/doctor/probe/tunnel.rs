//! What is asked of a relay with a credential: each on a connection of its own, whose certificate is trusted.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};
use wayleave_proto::auth::Credential;
use wayleave_proto::base::{Kind, Target};
use wayleave_proto::codec::http::{Answer, Ask, Want};
use wayleave_proto::codec::proxy_status::ProxyError;

use super::road::Road;
use super::tls::{Looked, Secured};
use super::wire::{self, Head};
use super::{Deadline, Plan};
use crate::doctor::code::Code;
use crate::doctor::report::{Finding, Subject};

/// A relay that is trusted, and the credential to show there.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) plan: Arc<Plan>,
    pub(super) proxy: Target,
    pub(super) road: Road,
    pub(super) credential: Credential,
}

/// Asks on a new connection, and gives back what may run there then.
///
/// # Errors
/// The connection failed, is not trusted this time, or what came is no answer.
pub(super) async fn ask(way: &Way, want: Want) -> io::Result<(Head, Secured)> {
    let stream = way.road.connect(&way.proxy).await?;
    let looked = Looked::connect(stream, &way.proxy.host, way.plan.verifier.clone()).await?;
    let mut stream = looked.trusted().ok_or_else(|| io::Error::other("another certificate this time"))?;
    let authority = match &want {
        Want::Tunnel { kind: Kind::Stream, target } => target.clone(),
        _ => way.proxy.clone(),
    };
    let session = stream.get_ref().1;
    let export =
        |label: &[u8], context: &[u8]| session.export_keying_material([0; 48], label, Some(context)).ok();
    let authorization = way.credential.authorization_value(&authority, export);
    let ask = Ask { want, authority: Some(authority), authorization, user_agent: None, echo: None };
    let head = wire::ask(&mut stream, &ask).await?;
    Ok((head, stream))
}

/// Whether a stream opens to `target`.
pub(super) async fn stream(way: &Way, target: &Target, deadline: Deadline) -> Finding {
    let began = Instant::now();
    let want = Want::Tunnel { kind: Kind::Stream, target: target.clone() };
    let asked = timeout_at(deadline.step(), ask(way, want)).await;
    let (code, detail) = match asked {
        Ok(Ok((head, mut stream))) => {
            let _ = timeout_at(deadline.step(), stream.shutdown()).await;
            of_stream(&head)
        }
        Ok(Err(error)) => (Code::StreamFailed, error.to_string()),
        Err(_) => (Code::StreamSilent, "the relay has no answer yet".to_owned()),
    };
    let subject = Subject::proxy(&way.proxy).to(Kind::Stream, target);
    Finding::new(code, subject).with(detail).after(began.elapsed())
}

/// What an answer to CONNECT says.
pub(super) fn of_stream(head: &Head) -> (Code, String) {
    use ProxyError as E;
    let refusal = match head.answer(Some(Kind::Stream)) {
        Some(Answer::Accepted { .. }) => return (Code::StreamOpen, String::new()),
        Some(Answer::Refused(refusal)) => refusal,
        None => return (Code::StreamFailed, head.shown()),
    };
    let code = match (refusal.error(), refusal.status) {
        (Some(E::DestinationIpProhibited), _) => Code::StreamAddressForbidden,
        (Some(E::HttpRequestDenied), _) => Code::StreamForbidden,
        (Some(E::DnsError | E::DnsTimeout), _) => Code::StreamNameUnknown,
        (Some(E::ConnectionRefused), _) => Code::StreamRefused,
        (Some(E::ConnectionTimeout), _) => Code::StreamSilent,
        (_, 429) => Code::StreamLimited,
        (_, 503) => Code::StreamBusy,
        (None, 403) => Code::StreamForbidden,
        _ => Code::StreamFailed,
    };
    (code, head.shown())
}
