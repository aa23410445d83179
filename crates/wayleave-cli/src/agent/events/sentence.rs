//! Events as sentences for the log.

use wayleave_proto::carrier::tls::TlsError;
use wayleave_proto::client::{CloseReason, FlowError, ProxyFault, What};
use wayleave_proto::net::Fault;

/// How much a sentence matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// One of many.
    Detail,
    /// Something changed.
    News,
    /// Somebody has to do something, or will soon.
    Warning,
}

/// What to say of `what`, with what the options of the agent can do about it.
pub(super) fn sentence(what: &What) -> (Weight, String) {
    let text = match what {
        What::FlowClosed { reason: CloseReason::Failed(FlowError::NoProxy(said)), .. }
            if !said.is_empty() =>
        {
            let plain = FlowError::NoProxy(said.clone()).to_string();
            let said: Vec<String> =
                said.iter().map(|(proxy, fault)| format!("{proxy}: {fault}{}", remedy(fault))).collect();
            what.to_string().replace(&plain, &format!("no proxy could be used: {}", said.join("; ")))
        }
        What::ProxyFailed { error, .. } => format!("{what}{}", remedy(error)),
        what => what.to_string(),
    };
    (weight(what), text)
}

fn weight(what: &What) -> Weight {
    match what {
        What::FlowClosed { reason: CloseReason::Failed(FlowError::NoProxy(_)), .. }
        | What::Overflowed { .. }
        | What::ProxyFailed { .. }
        | What::SystemLacks { .. }
        | What::TokenExpiring { .. }
        | What::TokenUnheard { .. } => Weight::Warning,
        What::FlowClosed { reason: CloseReason::Failed(error), .. } if *error != FlowError::Closed => {
            Weight::News
        }
        What::FlowClosed { .. }
        | What::FlowMoved { .. }
        | What::FlowOpened { .. }
        | What::ProxyConnected { .. }
        | What::Rescuing { .. }
        | What::Retrying { .. } => Weight::Detail,
        _ => Weight::News,
    }
}

/// How the options of the agent help against what a proxy said.
fn remedy(fault: &ProxyFault) -> &'static str {
    match fault {
        ProxyFault::Connection(Fault::Tls(
            TlsError::CertificateNotTrusted { .. } | TlsError::CertificateRejected { .. },
        )) => " (--ca FILE names the CA to trust; a relay with --self-signed DIR has DIR/ca.pem)",
        ProxyFault::Refused { status: 407 } | ProxyFault::TokenExpired { .. } => {
            " (write a new token to the file of --token-file)"
        }
        ProxyFault::AppSignRefused => " (`wayleave token app-sign` prints what the relay's key file needs)",
        _ => "",
    }
}
