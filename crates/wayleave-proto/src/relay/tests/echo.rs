//! The relay's own echo, and the word that comes back: for whoever asks whether it works, and no open door.

use super::*;
use crate::policy::Rates;

fn options(fields: &str) -> String {
    format!("OPTIONS * HTTP/1.1\r\nHost: relay.example\r\n{fields}\r\n")
}

/// A client with an open tunnel to the echo.
fn echo(rig: &mut Rig) -> Peer {
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_udp("echo.wayleave.alt", 7));
    assert_eq!(peer.status(), 101);
    peer.take();
    peer
}

#[test]
fn a_word_comes_back_with_whatever_is_answered_and_with_the_date() {
    let mut rig = Rig::new();
    rig.pass(Duration::from_millis(2_500));
    let prefer = "Prefer: wayleave-echo=k3-T9\r\n";
    for (fields, status) in [
        (prefer.to_owned(), 407),
        (format!("{prefer}{}", bearer()), 204),
        (format!("{prefer}Proxy-Authorization: Bearer a.b.c\r\n"), 407),
    ] {
        let answer = rig.refused(options(&fields));
        assert_eq!(
            (answer.status, answer.field("Preference-Applied")),
            (status, Some("wayleave-echo=k3-T9"))
        );
        assert_eq!(answer.field("Date"), Some("Fri, 15 Jan 2027 08:00:02 GMT"), "{status}");
    }
    let answer = rig.refused(options(""));
    assert_eq!(answer.field("Preference-Applied"), None);
    assert!(answer.field("Date").is_some());
    // A tunnel that is refused is no place for it.
    let fields = format!("{prefer}{}", bearer());
    assert_eq!(rig.refused(connect_with("10.0.0.1:25", &fields)).field("Preference-Applied"), None);
    assert!(rig.is_untouched());
    rig.assert_clean();
}

#[test]
fn what_a_stranger_is_told_is_no_longer_than_its_request() {
    let mut rig = Rig::new();
    let bare = rig.refused(options("")).text.len();
    let request = options(&format!("Prefer: wayleave-echo={}\r\n", "a".repeat(64)));
    let answer = rig.refused(&request).text.len();
    assert!(answer - bare <= request.len() - options("").len() + 16, "{answer} for {}", request.len());
    // What is longer is no word.
    let request = options(&format!("Prefer: wayleave-echo={}\r\n", "a".repeat(65)));
    assert_eq!(rig.refused(request).text.len(), bare);
}

#[test]
fn datagrams_come_back_as_they_went_out() {
    let mut rig = Rig::new();
    let mut peer = echo(&mut rig);
    rig.say(&mut peer, [capsule(b"one"), capsule(b""), capsule(&[3; 1_400])].concat());
    rig.hear(&mut peer);
    assert_eq!(payloads(&peer.take()), [b"one".to_vec(), Vec::new(), vec![3; 1_400]]);
    rig.say(&mut peer, capsule(&[5; 65_527]));
    rig.hear(&mut peer);
    assert_eq!(payloads(&peer.take()), [vec![5; 65_527]]);
    assert!(rig.is_untouched(), "nothing is looked up, dialled or bound");
    let What::TunnelOpened { address, .. } = &rig.events[0].what else { panic!("{:?}", rig.events) };
    assert_eq!(address.to_string(), LISTENER);
    rig.end(&mut peer);
    let What::TunnelClosed { sent, received, dropped, reason, .. } = rig.last() else { panic!() };
    assert_eq!((*sent, *received, *dropped, reason), (66_930, 66_930, 0, &CloseReason::Finished));
    rig.assert_clean();
}

#[test]
fn what_came_right_behind_the_request_comes_back_too() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    let request = connect_udp("Echo.Wayleave.ALT", 7);
    rig.say(&mut peer, [request.into_bytes(), capsule(b"early")].concat());
    rig.hear(&mut peer);
    let got = peer.take();
    let end = got.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(payloads(&got[end..]), [b"early".to_vec()]);
}

#[test]
fn nobody_has_the_echo_without_a_credential() {
    let mut rig = Rig::new();
    for fields in ["", "Proxy-Authorization: Bearer a.b.c\r\n"] {
        let answer = rig.refused(connect_udp_with("echo.wayleave.alt/7", fields));
        assert_eq!((answer.status, answer.error()), (407, None));
    }
    assert!(rig.is_untouched());
}

#[test]
fn the_echo_is_datagrams_on_one_port_and_can_be_switched_off() {
    let requests = [
        connect("echo.wayleave.alt:7"),
        connect_udp("echo.wayleave.alt", 8),
        connect_udp("echo.wayleave.alt", 25),
        connect_udp("echo.wayleave.alt", 7),
    ];
    for (is_on, refused) in [(true, 3), (false, 4)] {
        let mut rig = Rig::with(|config| config.echo = is_on);
        for request in &requests[..refused] {
            let answer = rig.refused(request);
            assert_eq!((answer.status, answer.error()), (403, Some("http_request_denied")), "{request}");
            assert_eq!(rig.refuse_reason(), &RefuseReason::Echo);
        }
        assert!(rig.is_untouched(), "the name is none of DNS");
        let answer = rig.refused(options("Prefer: wayleave-echo=x\r\n"));
        assert_eq!(answer.field("Preference-Applied").is_some(), is_on);
        rig.assert_clean();
    }
    // Other names of that kind are none of the relay's.
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_udp("other.wayleave.alt", 7));
    assert_eq!(rig.lookups.len(), 1);
}

#[test]
fn the_echo_counts_for_its_account_both_ways() {
    let mut rig = Rig::with(|config| config.limits.tunnels_per_account = 1);
    let mut peer = echo(&mut rig);
    let answer = rig.refused(connect_udp("echo.wayleave.alt", 7));
    assert_eq!((answer.status, answer.error()), (429, Some("connection_limit_reached")));
    rig.end(&mut peer);
    rig.assert_clean();

    // A volume of 1000 bytes is spent by 500 there and back.
    let mut rig = Rig::with(|config| config.scope.volume = Some(1_000));
    let mut peer = echo(&mut rig);
    rig.say(&mut peer, capsule(&[1; 499]));
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.relay.stats().tunnels, 1);
    rig.say(&mut peer, capsule(&[1; 1]));
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.close_reason(), &CloseReason::VolumeSpent);

    // Five datagrams a second either way; what is too much is dropped and told.
    let rates = Rates { packets_per_second: Some(5), ..Rates::default() };
    for to_client in [false, true] {
        let mut rig = Rig::with(|config| match to_client {
            true => config.scope.to_client = rates,
            false => config.scope.to_target = rates,
        });
        let mut peer = echo(&mut rig);
        let mut back = 0;
        for _ in 0..100 {
            rig.say(&mut peer, capsule(b"x"));
            rig.hear(&mut peer);
            back += payloads(&peer.take()).len();
        }
        assert!((5..=11).contains(&back), "{back} with a rate to the client: {to_client}");
        rig.end(&mut peer);
        let What::TunnelClosed { dropped, .. } = rig.last() else { panic!() };
        assert_eq!(*dropped, 100 - back as u64);
    }
}

#[test]
fn a_client_that_does_not_read_its_echo_fills_a_short_queue_and_no_more() {
    let mut rig = Rig::new();
    let mut peer = echo(&mut rig);
    rig.stalled.insert(peer.socket);
    for _ in 0..2_000 {
        rig.say(&mut peer, capsule(&[7; 1_200]));
    }
    let held = rig.relay.stats().held;
    assert!(held < 2 * 256 * 1024 + 200 * 1024, "{held}");
    rig.unstall(peer.socket);
    rig.hear(&mut peer);
    let back = payloads(&peer.take()).len();
    assert!(back < 600, "{back}");
}

#[test]
fn a_revocation_and_idleness_end_the_echo() {
    let mut rig = Rig::new();
    let mut peer = echo(&mut rig);
    rig.pass(299 * SECOND);
    rig.say(&mut peer, capsule(b"x"));
    rig.pass(299 * SECOND);
    assert_eq!(rig.relay.stats().tunnels, 1);
    rig.pass(2 * SECOND);
    assert_eq!(rig.close_reason(), &CloseReason::Idle);
    let _peer = echo(&mut rig);
    let revoked = crate::auth::Revoked::App("1001".parse().unwrap());
    assert_eq!(rig.relay.revoke(rig.now, revoked), Ok(1));
    rig.pump();
    assert_eq!(rig.close_reason(), &CloseReason::Revoked);
}
