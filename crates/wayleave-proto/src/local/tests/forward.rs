use super::{address, target};
use crate::base::{Kind, TargetError};
use crate::local::{Forward, ForwardError, ForwardLoop};

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

#[test]
fn a_forward_that_leads_back_is_refused() {
    let check = |forwards: &[&str], doors: &[&str]| {
        let forwards: Vec<Forward> = forwards.iter().map(|text| text.parse().unwrap()).collect();
        let doors: Vec<_> = doors.iter().map(|text| address(text)).collect();
        // This machine has one address beside its loopback.
        Forward::check(&forwards, &doors, |ip| ip.is_loopback() || ip == address("192.0.2.9:0").ip())
    };
    for forwards in [
        &["udp:127.0.0.1:53=127.0.0.1:53"][..],
        &["tcp:127.0.0.1:80=localhost:80"],
        &["tcp:[::1]:80=a.localhost:80"],
        &["tcp:127.0.0.1:80=[::ffff:127.0.0.1]:80"],
        &["tcp:127.0.0.1:80=0.0.0.0:80"],
        &["udp:0.0.0.0:53=192.0.2.9:53"],
        &["udp:[::]:53=127.0.0.1:53"],
        &["tcp:127.0.0.1:1=127.0.0.1:2", "tcp:127.0.0.1:2=127.0.0.1:1"],
        &[
            "tcp:127.0.0.1:9=127.0.0.1:1",
            "tcp:127.0.0.1:1=127.0.0.1:2",
            "tcp:127.0.0.1:2=127.0.0.1:3",
            "tcp:127.0.0.1:3=127.0.0.1:1",
        ],
    ] {
        let error = check(forwards, &[]).expect_err(forwards[0]);
        assert!(matches!(error, ForwardLoop::Cycle { .. }), "{error}");
    }
    let error = check(&["tcp:127.0.0.1:1=127.0.0.1:2", "tcp:127.0.0.1:2=127.0.0.1:1"], &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the forward tcp:127.0.0.1:1=127.0.0.1:2 leads to itself by way of tcp:127.0.0.1:2=127.0.0.1:1; \
         give it the port of another program as its target"
    );
    let error = check(&["tcp:127.0.0.1:1=127.0.0.1:1080"], &["127.0.0.1:1080"]).unwrap_err();
    assert!(matches!(error, ForwardLoop::Door { .. }), "{error}");
    for forwards in [
        &["udp:127.0.0.1:53=192.0.2.1:53"][..],
        &["udp:127.0.0.1:53=127.0.0.2:53"],
        &["udp:127.0.0.1:53=name.example:53"],
        &["udp:0.0.0.0:53=192.0.2.1:53"],
        &["udp:127.0.0.1:0=127.0.0.1:53", "tcp:127.0.0.1:53=127.0.0.1:99"],
        &["tcp:127.0.0.1:1=127.0.0.1:2", "tcp:127.0.0.1:2=127.0.0.1:3", "udp:127.0.0.1:3=127.0.0.1:1"],
        &["udp:127.0.0.1:1=127.0.0.1:1080"],
    ] {
        assert_eq!(check(forwards, &["127.0.0.1:1080"]), Ok(()), "{forwards:?}");
    }
}
