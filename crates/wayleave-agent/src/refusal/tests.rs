use std::time::Duration;

use wayleave_proto::base::Target;
use wayleave_proto::error::{IoFailed, Resource};

use super::*;

#[test]
fn each_failure_has_its_refusal() {
    let proxy = || "relay.example:443".parse::<Target>().expect("a target");
    let io = |failure| FlowError::Direct(Fault::Io(IoFailed::new(failure)));
    let looked_up =
        |status, error, lookup| FlowError::TargetUnreachable { proxy: proxy(), status, error, lookup };
    let relayed = |status, error| looked_up(status, error, None);
    let said = |faults: Vec<ProxyFault>| {
        FlowError::NoProxy(faults.into_iter().map(|fault| (proxy(), fault)).collect())
    };
    let cases = [
        (io(IoFailure::ConnectionRefused), Refusal::ConnectionRefused),
        (io(IoFailure::NameUnknown), Refusal::NameUnknown),
        (io(IoFailure::NameEmpty), Refusal::NameEmpty),
        (io(IoFailure::NameFailed), Refusal::NameFailed),
        (io(IoFailure::NameRefused), Refusal::NameFailed),
        (io(IoFailure::NameUnanswered), Refusal::NameTimedOut),
        (io(IoFailure::TimedOut), Refusal::TimedOut),
        (io(IoFailure::Exhausted(Resource::Descriptors)), Refusal::Overloaded),
        (relayed(504, None), Refusal::TimedOut),
        (relayed(502, None), Refusal::HostUnreachable),
        (relayed(502, Some(ProxyError::ConnectionRefused)), Refusal::ConnectionRefused),
        (relayed(502, Some(ProxyError::DnsError)), Refusal::NameUnknown),
        (looked_up(502, Some(ProxyError::DnsError), Some(IoFailure::NameRefused)), Refusal::NameFailed),
        (looked_up(502, Some(ProxyError::DnsError), Some(IoFailure::NameEmpty)), Refusal::NameEmpty),
        (FlowError::TargetForbidden { proxy: proxy() }, Refusal::NotAllowed),
        (said(vec![]), Refusal::RelayUnavailable),
        (said(vec![ProxyFault::NoAnswer]), Refusal::RelayUnavailable),
        (said(vec![ProxyFault::NoAnswer, ProxyFault::Refused { status: 407 }]), Refusal::TokenRefused),
        (said(vec![ProxyFault::NoAnswer, ProxyFault::AppSignRefused]), Refusal::TokenRefused),
        (said(vec![ProxyFault::TokenExpired { ago: Duration::ZERO }]), Refusal::TokenRefused),
        (said(vec![ProxyFault::TokenEarly { wait: Duration::ZERO }]), Refusal::TokenRefused),
        (said(vec![ProxyFault::Refused { status: 503 }]), Refusal::Overloaded),
        (FlowError::TimedOut, Refusal::TimedOut),
        (FlowError::TooManyFlows, Refusal::Overloaded),
        (FlowError::Closed, Refusal::GeneralFailure),
    ];
    for (error, expected) in cases {
        assert_eq!(refusal(&error), expected, "{error}");
    }
}
