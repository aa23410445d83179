//! Proxies of somebody else's: what their answers and their endings mean.

use super::*;
use crate::carrier::tls::{Acceptor as _, PlainAcceptor, Session, TlsError};
use crate::client::{CloseReason, FlowError, Notice, ProxyFault};
use crate::config::Truncation;
use crate::net::{Machine as _, Output, SocketId};

/// A client and a proxy that is played by hand.
struct Play {
    client: Client,
    flow: FlowId,
    socket: SocketId,
    proxy: Box<dyn Session>,
    events: Vec<What>,
    dialled: Vec<SocketId>,
}

impl Play {
    /// A stream whose request has reached the proxy.
    fn asked(change: impl FnOnce(&mut ClientConfig)) -> Self {
        let mut config = config(Mode::Normal, Link::Wifi);
        config.proxies.truncate(1);
        config.limits.standby = 0;
        change(&mut config);
        let now = Instant::ZERO;
        let mut client =
            Client::new(config.build().unwrap(), &Seed::new([1; 32]), Clock::new(now, START), now);
        let flow = client.open(now, Kind::Stream, ECHO.parse().unwrap()).unwrap();
        let proxy = PlainAcceptor.accept().unwrap();
        let socket = SocketId::from_u64(0);
        let mut play = Self { client, flow, socket, proxy, events: Vec::new(), dialled: Vec::new() };
        play.next_proxy();
        play
    }

    /// Shakes hands on the connection that was dialled last, and takes the request for a tunnel.
    fn next_proxy(&mut self) {
        let request = self.next_request();
        assert!(request.starts_with("CONNECT "), "{request}");
    }

    /// Shakes hands on the connection that was dialled last, and reads the request.
    fn next_request(&mut self) -> String {
        self.drain();
        self.socket = self.dialled.pop().expect("a dial");
        self.proxy = PlainAcceptor.accept().unwrap();
        self.client.handle_opened(Instant::ZERO, self.socket, "192.0.2.1:50000".parse().unwrap());
        self.carry();
        self.carry();
        let request = String::from_utf8(self.proxy.plaintext().to_vec()).unwrap();
        self.proxy.consume(request.len());
        request
    }

    fn carry(&mut self) {
        let now = Instant::ZERO;
        while let Some(bytes) = self.client.pending(now, self.socket).map(<[u8]>::to_vec) {
            self.client.handle_written(now, self.socket, bytes.len());
            self.proxy.receive(&mut bytes.clone()).unwrap();
        }
        let mut answer = self.proxy.pending().to_vec();
        self.proxy.written(answer.len());
        if !answer.is_empty() {
            self.client.handle_received(now, self.socket, &mut answer);
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Dial { id, .. } => self.dialled.push(id),
                Output::Event(Notice::Event(event)) => self.events.push(event.what),
                _ => {}
            }
        }
    }

    fn say(&mut self, text: &str) {
        self.proxy.send(&[text.as_bytes()]);
        self.carry();
    }

    fn error(&self) -> FlowError {
        match self.client.status(self.flow) {
            FlowStatus::Failed(error) => error,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
pub(super) fn a_dead_target_behind_another_proxy_is_told_as_such() {
    // Squid and Envoy say 503, tinyproxy says 500; neither says of itself that it is overloaded.
    for status in [500, 503] {
        let mut play = Play::asked(|_| {});
        play.say(&format!("HTTP/1.1 {status} Whatever\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n\r\n"));
        let error = play.error();
        assert!(matches!(&error, FlowError::TargetUnreachable { error: None, .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("the target cannot be reached") && text.contains(&status.to_string()),
            "{text}"
        );
        let told = play.events.iter().any(|what| matches!(what, What::ProxyFailed { .. }));
        assert!(!told, "the only proxy is not held for one target");
    }
}

#[test]
pub(super) fn a_proxy_that_would_say_so_to_everybody_has_accepted_no_token() {
    for answer in ["HTTP/1.1 200 OK\r\nAllow: GET\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n\r\n"] {
        let mut play = Play::asked(|config| config.check_credential = true);
        let request = play.next_request();
        assert!(request.starts_with("OPTIONS * ") && !request.contains("10.0.0.1"), "{request}");
        play.say(answer);
        let told = |what: &&What| matches!(what, What::CredentialAccepted { .. } | What::ProxyFailed { .. });
        assert_eq!(play.events.iter().find(told), None, "{answer}");
        assert!(play.dialled.is_empty(), "it is not asked again");
    }
}

#[test]
pub(super) fn a_proxy_that_speaks_of_itself_is_at_fault() {
    for fields in ["Retry-After: 1\r\n", "Proxy-Status: x; error=connection_limit_reached\r\n"] {
        let mut play = Play::asked(|_| {});
        play.say(&format!("HTTP/1.1 503 Whatever\r\n{fields}\r\n"));
        let told = play.events.iter().find_map(|what| match what {
            What::ProxyFailed { error, .. } => Some(error.clone()),
            _ => None,
        });
        assert_eq!(told, Some(ProxyFault::Refused { status: 503 }), "{fields}");
    }
}

#[test]
pub(super) fn where_another_proxy_may_know_better_it_is_asked() {
    let mut play =
        Play::asked(|config| config.proxies = RELAYS.iter().map(|it| it.parse().unwrap()).collect());
    play.say("HTTP/1.1 503 Whatever\r\n\r\n");
    assert_eq!(play.client.status(play.flow), FlowStatus::Pending);
    play.next_proxy();
    play.say("HTTP/1.1 200 OK\r\n\r\n");
    assert!(matches!(play.client.status(play.flow), FlowStatus::Open(_)));
    // And where each leaves it open, it is most likely the target's.
    let mut play =
        Play::asked(|config| config.proxies = RELAYS.iter().map(|it| it.parse().unwrap()).collect());
    for _ in 0..3 {
        play.say("HTTP/1.1 503 Whatever\r\n\r\n");
        if play.client.status(play.flow) == FlowStatus::Pending {
            play.next_proxy();
        }
    }
    assert!(matches!(play.error(), FlowError::TargetUnreachable { status: 503, error: None, .. }));
}

#[test]
pub(super) fn an_end_without_close_notify_is_a_break_unless_the_embedder_forgives_it() {
    for truncation in [Truncation::Reset, Truncation::End] {
        let mut play = Play::asked(|config| config.truncation = truncation);
        play.say("HTTP/1.1 200 OK\r\n\r\nall of it");
        let (now, flow) = (Instant::ZERO, play.flow);
        play.client.handle_finished(now, play.socket);
        play.drain();
        let Ok(Incoming::Bytes(b"all of it")) = play.client.read(flow) else { panic!("{truncation:?}") };
        play.client.consume(now, flow, 9);
        match truncation {
            Truncation::Reset => {
                let error = play.client.read(flow).unwrap_err();
                assert_eq!(error, FlowError::Truncated);
                assert!(error.to_string().contains("without close_notify"));
                assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::ConnectionReset);
            }
            Truncation::End => {
                assert_eq!(play.client.read(flow), Ok(Incoming::End));
                // The other half lives.
                assert_eq!(play.client.write(now, flow, b"more"), Ok(4));
                play.client.finish(now, flow);
                play.carry();
                assert_eq!(play.proxy.plaintext(), b"more");
                play.client.release(now, flow);
                play.drain();
                let closed = play.events.iter().find_map(|what| match what {
                    What::FlowClosed { reason, .. } => Some(reason.clone()),
                    _ => None,
                });
                assert_eq!(closed, Some(CloseReason::Truncated));
                assert!(CloseReason::Truncated.to_string().contains("without close_notify"));
            }
        }
    }
}

#[test]
pub(super) fn an_end_in_the_middle_of_an_answer_is_forgiven_by_nobody() {
    for truncation in [Truncation::Reset, Truncation::End] {
        let mut play = Play::asked(|config| config.truncation = truncation);
        play.say("HTTP/1.1 200 OK\r\n");
        play.client.handle_finished(Instant::ZERO, play.socket);
        play.drain();
        let told = play
            .events
            .iter()
            .any(|what| matches!(what, What::ProxyFailed { error: ProxyFault::NoAnswer, .. }));
        assert!(told, "{:?}", play.events);
    }
}

#[test]
pub(super) fn a_proxy_that_breaks_tls_is_told_before_its_connection_ends() {
    let mut play = Play::asked(|_| {});
    let (now, broken) = (Instant::ZERO, play.socket);
    play.client.handle_received(now, broken, &mut [255; 8]);
    // Nothing ends yet: the alert is there to be written, and the end of the sending half comes behind it.
    let mut outputs = Vec::new();
    while let Some(output) = play.client.poll_output() {
        outputs.push(output);
    }
    assert!(outputs.iter().all(|output| !matches!(output, Output::Close { id, .. } if *id == broken)));
    assert!(outputs.iter().any(|output| matches!(output, Output::Finish(id) if *id == broken)));
    let mut alert = play.client.pending(now, broken).expect("an alert").to_vec();
    play.client.handle_written(now, broken, alert.len());
    assert!(matches!(play.proxy.receive(&mut alert), Err(TlsError::PeerRefused { .. })));
    assert_eq!(play.client.pending(now, broken), None);
    // What it says meanwhile is ignored, up to a bound; it ends with the proxy, or after its time.
    play.client.handle_received(now, broken, &mut [0; 1000]);
    play.client.handle_timeout(now + Duration::from_millis(999));
    let is_closed = |output: &Output<Notice>| matches!(output, Output::Close { id, .. } if *id == broken);
    assert!(!core::iter::from_fn(|| play.client.poll_output()).any(|output| is_closed(&output)));
    play.client.handle_timeout(now + Duration::from_secs(1));
    assert!(core::iter::from_fn(|| play.client.poll_output()).any(|output| is_closed(&output)));
}
