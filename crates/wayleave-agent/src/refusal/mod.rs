//! Why a flow failed, in the words that a local client understands.

#[cfg(test)]
mod tests;

use wayleave_proto::client::{FlowError, ProxyFault};
use wayleave_proto::codec::proxy_status::ProxyError;
use wayleave_proto::error::IoFailure;
use wayleave_proto::local::Refusal;
use wayleave_proto::net::Fault;

/// What a local client is told of `error`.
pub(crate) fn refusal(error: &FlowError) -> Refusal {
    match error {
        FlowError::Closed | FlowError::ClientClosed | FlowError::DatagramTooLarge { .. } => {
            Refusal::GeneralFailure
        }
        FlowError::Direct(fault) => direct(fault),
        FlowError::Exhausted(_) | FlowError::TooManyFlows => Refusal::Overloaded,
        FlowError::NoProxy(said) => no_proxy(said.iter().map(|(_, fault)| fault)),
        FlowError::Reset | FlowError::Truncated => Refusal::ConnectionTerminated,
        FlowError::Target(_) => Refusal::HostUnreachable,
        FlowError::TargetForbidden { .. } => Refusal::NotAllowed,
        FlowError::TargetUnreachable { lookup: Some(lookup), .. } => io(*lookup),
        FlowError::TargetUnreachable { status, error, .. } => error.map_or_else(
            || if *status == 504 { Refusal::TimedOut } else { Refusal::HostUnreachable },
            relayed,
        ),
        FlowError::TimedOut => Refusal::TimedOut,
        // What a later version of the core adds.
        _ => Refusal::GeneralFailure,
    }
}

fn direct(fault: &Fault) -> Refusal {
    match fault {
        Fault::Denied(_) => Refusal::AddressForbidden,
        Fault::Io(failed) => io(failed.failure),
        Fault::Tls(_) => Refusal::GeneralFailure,
        // What a later version of the core adds.
        _ => Refusal::GeneralFailure,
    }
}

/// What the outside world said, to the agent itself or to the relay.
const fn io(failure: IoFailure) -> Refusal {
    match failure {
        IoFailure::ConnectionRefused => Refusal::ConnectionRefused,
        IoFailure::ConnectionReset => Refusal::ConnectionTerminated,
        IoFailure::Exhausted(_) => Refusal::Overloaded,
        IoFailure::NameEmpty => Refusal::NameEmpty,
        IoFailure::NameFailed | IoFailure::NameRefused => Refusal::NameFailed,
        IoFailure::NameUnanswered => Refusal::NameTimedOut,
        IoFailure::NameUnknown => Refusal::NameUnknown,
        IoFailure::PermissionDenied => Refusal::NotAllowed,
        IoFailure::TimedOut => Refusal::TimedOut,
        IoFailure::Unreachable => Refusal::NetworkUnreachable,
        IoFailure::Other => Refusal::GeneralFailure,
        // What a later version of the core adds.
        _ => Refusal::GeneralFailure,
    }
}

/// A refused token is what its owner can mend, and overload passes by itself; else no relay was reached.
fn no_proxy<'a>(faults: impl Iterator<Item = &'a ProxyFault> + Clone) -> Refusal {
    let said = |is: fn(&ProxyFault) -> bool| faults.clone().any(is);
    match () {
        () if said(is_about_credential) => Refusal::TokenRefused,
        () if said(|fault| matches!(fault, ProxyFault::Refused { status: 429 | 503 })) => Refusal::Overloaded,
        () => Refusal::RelayUnavailable,
    }
}

/// Whether a proxy refused what was shown to it.
const fn is_about_credential(fault: &ProxyFault) -> bool {
    matches!(
        fault,
        ProxyFault::AppSignRefused
            | ProxyFault::Refused { status: 407 }
            | ProxyFault::TokenEarly { .. }
            | ProxyFault::TokenExpired { .. }
    )
}

/// What the relay said of its attempt to reach the target.
fn relayed(error: ProxyError) -> Refusal {
    use ProxyError as E;
    match error {
        E::DnsTimeout => Refusal::NameTimedOut,
        E::DnsError => Refusal::NameUnknown,
        E::DestinationNotFound | E::DestinationUnavailable => Refusal::HostUnreachable,
        E::DestinationIpProhibited => Refusal::AddressForbidden,
        E::DestinationIpUnroutable => Refusal::NetworkUnreachable,
        E::ConnectionRefused => Refusal::ConnectionRefused,
        E::ConnectionTerminated => Refusal::ConnectionTerminated,
        E::ConnectionTimeout
        | E::ConnectionReadTimeout
        | E::ConnectionWriteTimeout
        | E::HttpResponseTimeout => Refusal::TimedOut,
        E::ConnectionLimitReached => Refusal::Overloaded,
        E::HttpRequestDenied => Refusal::NotAllowed,
        // The rest speaks of what a relay does not do for a tunnel.
        _ => Refusal::GeneralFailure,
    }
}
