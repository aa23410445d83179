use super::{address, target};
use crate::base::{Kind, TargetError};
use crate::local::{Forward, ForwardError};

#[test]
fn forwards_read_as_they_are_written() {
    for (text, kind, listen, to) in [
        ("tcp:127.0.0.1:8080=web.example:80", Kind::Stream, "127.0.0.1:8080", "web.example:80"),
        ("udp:127.0.0.1:5004=media.example:5004", Kind::Datagram, "127.0.0.1:5004", "media.example:5004"),
        ("udp:[::1]:0=[2001:db8::1]:9", Kind::Datagram, "[::1]:0", "[2001:db8::1]:9"),
    ] {
        let forward = Forward { kind, listen: address(listen), target: target(to) };
        assert_eq!(text.parse::<Forward>(), Ok(forward.clone()));
        assert_eq!(forward.to_string(), text);
    }
}

#[test]
fn a_wrong_part_is_named() {
    for (text, error) in [
        ("", ForwardError::Kind),
        ("127.0.0.1:1=a:1", ForwardError::Kind),
        ("TCP:127.0.0.1:1=a:1", ForwardError::Kind),
        ("tcp:127.0.0.1:1", ForwardError::NoTarget),
        ("tcp:localhost:1=a:1", ForwardError::Listen),
        ("tcp:8080=a:1", ForwardError::Listen),
        ("tcp:::1:80=a:1", ForwardError::Listen),
        ("udp:127.0.0.1:1=a", ForwardError::Target(TargetError::NoPort)),
        ("udp:127.0.0.1:1=a:0", ForwardError::Target(TargetError::Port)),
        ("udp:127.0.0.1:1=a:1=b:2", ForwardError::Target(TargetError::Brackets)),
        ("udp:127.0.0.1:1=::1:1", ForwardError::Target(TargetError::Brackets)),
    ] {
        assert_eq!(text.parse::<Forward>(), Err(error), "{text}");
    }
}

#[test]
fn a_wrong_forward_is_not_repeated() {
    for text in ["secret", "secret:1=a:1", "tcp:secret", "tcp:secret=a:1", "tcp:127.0.0.1:1=secret"] {
        let error = text.parse::<Forward>().unwrap_err();
        assert!(!error.to_string().contains("secret") && !format!("{error:?}").contains("secret"), "{error}");
    }
}
