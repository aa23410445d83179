//! What a program can tell of an error without reading its text.

use core::error::Error as _;
use std::io::{self, ErrorKind};

use crate::base::{Target, TargetError};
use crate::carrier::tls::TlsError;
use crate::client::{FlowError, ProxyFault};
use crate::codec::proxy_status::ProxyError;
use crate::error::{IoFailed, IoFailure};
use crate::net::Fault;

fn relay() -> Target {
    "relay.example:443".parse().unwrap()
}

fn relayed(status: u16, error: Option<ProxyError>, lookup: Option<IoFailure>) -> FlowError {
    FlowError::TargetUnreachable { proxy: relay(), status, error, lookup }
}

fn direct(failure: IoFailure) -> FlowError {
    FlowError::Direct(IoFailed::new(failure).into())
}

fn no_proxy(said: impl IntoIterator<Item = ProxyFault>) -> FlowError {
    FlowError::NoProxy(said.into_iter().map(|fault| (relay(), fault)).collect())
}

fn untrusted() -> ProxyFault {
    ProxyFault::Connection(Fault::Tls(TlsError::CertificateNotTrusted { detail: "unknown issuer".into() }))
}

fn refused() -> ProxyFault {
    ProxyFault::Connection(IoFailed::new(IoFailure::ConnectionRefused).into())
}

#[test]
pub(super) fn what_happened_to_the_target_has_one_kind_on_both_ways() {
    use ProxyError as E;
    for (directly, through_a_relay, kind) in [
        (IoFailure::ConnectionRefused, (502, Some(E::ConnectionRefused), None), ErrorKind::ConnectionRefused),
        (IoFailure::NameUnknown, (502, Some(E::DnsError), Some(IoFailure::NameUnknown)), ErrorKind::NotFound),
        (IoFailure::NameUnknown, (502, Some(E::DnsError), None), ErrorKind::NotFound),
        (IoFailure::NameFailed, (502, Some(E::DnsError), Some(IoFailure::NameFailed)), ErrorKind::Other),
        (IoFailure::NameUnanswered, (504, Some(E::DnsTimeout), None), ErrorKind::TimedOut),
        (IoFailure::TimedOut, (504, None, None), ErrorKind::TimedOut),
        (IoFailure::Unreachable, (502, Some(E::DestinationIpUnroutable), None), ErrorKind::HostUnreachable),
    ] {
        let (status, error, lookup) = through_a_relay;
        assert_eq!(direct(directly).kind(), kind);
        assert_eq!(relayed(status, error, lookup).kind(), kind, "{error:?}");
    }
}

#[test]
pub(super) fn what_a_user_can_mend_is_no_refusal() {
    let token = || ProxyFault::Refused { status: 407 };
    for (error, kind) in [
        (no_proxy([token()]), ErrorKind::PermissionDenied),
        (no_proxy([ProxyFault::AppSignRefused]), ErrorKind::PermissionDenied),
        (no_proxy([refused(), token()]), ErrorKind::PermissionDenied),
        (no_proxy([refused(), untrusted()]), ErrorKind::InvalidData),
        (no_proxy([untrusted(), token()]), ErrorKind::PermissionDenied),
        (no_proxy([refused(), ProxyFault::Silent]), ErrorKind::ConnectionRefused),
        (no_proxy([ProxyFault::Refused { status: 503 }]), ErrorKind::ResourceBusy),
        (no_proxy([]), ErrorKind::HostUnreachable),
    ] {
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[test]
pub(super) fn an_error_is_found_again_in_that_of_the_standard_library_with_its_source() {
    let error = io::Error::from(no_proxy([refused(), untrusted()]));
    assert_eq!(FlowError::of(&error), Some(&no_proxy([refused(), untrusted()])));
    assert_eq!(FlowError::of(&ErrorKind::NotFound.into()), None);
    assert_eq!(error.source().and_then(|source| source.downcast_ref()), Some(&untrusted()));
    let error = direct(IoFailure::NameUnknown);
    let fault = error.source().and_then(|source| source.downcast_ref::<Fault>());
    assert_eq!(fault, Some(&IoFailed::new(IoFailure::NameUnknown).into()));
    let error = FlowError::Target(TargetError::NoPort);
    assert_eq!(error.source().and_then(|source| source.downcast_ref()), Some(&TargetError::NoPort));
    assert!(FlowError::TimedOut.source().is_none());
}
