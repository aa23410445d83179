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
    let bad_target = |target: &str, reason| ForwardError::Target { target: target.into(), reason };
    for (text, error) in [
        ("", ForwardError::Kind(String::new())),
        ("127.0.0.1:1=a:1", ForwardError::Kind("127.0.0.1".into())),
        ("TCP:127.0.0.1:1=a:1", ForwardError::Kind("TCP".into())),
        ("tcp:127.0.0.1:1", ForwardError::NoTarget("tcp:127.0.0.1:1".into())),
        ("tcp:localhost:1=a:1", ForwardError::Listen("localhost:1".into())),
        ("tcp:8080=a:1", ForwardError::Listen("8080".into())),
        ("tcp:::1:80=a:1", ForwardError::Listen("::1:80".into())),
        ("udp:127.0.0.1:1=a", bad_target("a", TargetError::NoPort)),
        ("udp:127.0.0.1:1=a:0", bad_target("a:0", TargetError::Port)),
        ("udp:127.0.0.1:1=a:1=b:2", bad_target("a:1=b:2", TargetError::Brackets)),
        ("udp:127.0.0.1:1=::1:1", bad_target("::1:1", TargetError::Brackets)),
    ] {
        assert_eq!(text.parse::<Forward>(), Err(error), "{text}");
    }
    let long = format!("tcp:{}\n=a:1", "x".repeat(1000));
    assert!(long.parse::<Forward>().unwrap_err().to_string().len() < 200, "a message repeats only so much");
}
