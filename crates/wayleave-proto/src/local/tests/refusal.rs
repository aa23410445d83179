use super::play;
use crate::local::{FrontConfig, FrontFault, FrontOutput, Refusal};

#[test]
fn each_refusal_has_its_reply_status_and_error() {
    for (refusal, reply, status, error) in [
        (Refusal::AddressForbidden, 2, 403, "destination_ip_prohibited"),
        (Refusal::ConnectionRefused, 5, 502, "connection_refused"),
        (Refusal::ConnectionTerminated, 1, 502, "connection_terminated"),
        (Refusal::GeneralFailure, 1, 500, "proxy_internal_error"),
        (Refusal::HostUnreachable, 4, 502, "destination_ip_unroutable"),
        (Refusal::NameEmpty, 4, 502, "dns_error"),
        (Refusal::NameFailed, 4, 502, "dns_error"),
        (Refusal::NameTimedOut, 4, 504, "dns_timeout"),
        (Refusal::NameUnknown, 4, 502, "dns_error"),
        (Refusal::NetworkUnreachable, 3, 502, "destination_ip_unroutable"),
        (Refusal::NotAllowed, 2, 403, "http_request_denied"),
        (Refusal::Overloaded, 1, 503, "connection_limit_reached"),
        (Refusal::RelayUnavailable, 1, 503, "destination_unavailable"),
        (Refusal::TimedOut, 6, 504, "connection_timeout"),
        (Refusal::TokenRefused, 2, 500, "proxy_configuration_error"),
    ] {
        let closed = FrontOutput::Close(FrontFault::Refused(refusal));
        let socks = b"\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50behind";
        let told = play(&FrontConfig::default(), socks, Err(refusal));
        assert_eq!(told.written, [5, 0, 5, reply, 0, 1, 0, 0, 0, 0, 0, 0], "{refusal:?}");
        assert_eq!(told.others.get(1), Some(&closed));

        let told =
            play(&FrontConfig::default(), b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nbehind", Err(refusal));
        let answer = String::from_utf8(told.written).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(&format!("\r\nProxy-Status: wayleave-agent; error={error}\r\n")), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\nwayleave agent: {refusal}\n")), "{answer}");
        assert!(!answer.contains(&format!(" {status} \r\n")), "a status has a reason phrase");
        assert_eq!(told.others.get(1), Some(&closed));
    }
}
