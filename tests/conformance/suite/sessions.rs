//! Credentials under flows that are open: renewed, expired, revoked, and judged by somebody else.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use wayleave_proto::auth::{
    AccountId, AppSign, Authorization, Claims, Credential, CredentialKind, Revoked, Token, TokenError,
    Verdict, authorization,
};
use wayleave_proto::base::Link;
use wayleave_proto::client::{FlowError, What as Told};
use wayleave_proto::config::{Mode, RelayConfig, Verifier};
use wayleave_proto::policy::{OnExpiry, Scope};
use wayleave_proto::relay::What;

use crate::kit::{Client, ClientKit, Datagrams, RelayKit, Served, Stream};
use crate::lab::{Lab, beside, echo_datagrams, echo_stream, localhost, wait_for, wait_until};

/// A client with a stream and a datagram flow that are both open.
struct Session {
    client: Box<dyn Client>,
    stream: Stream,
    flow: Box<dyn Datagrams>,
}

impl Session {
    /// Opens both; `None` where the token was over before they stood.
    fn open<C: ClientKit, R: RelayKit>(
        lab: &Lab<C, R>,
        relay: &Served,
        credential: impl Into<Credential>,
        ttl: Duration,
        (tcp, udp): (u16, u16),
    ) -> Option<Self> {
        let mut config = lab.config(Mode::Normal, Link::Wifi, &[relay.address.port()]);
        config.credential = Some(credential.into());
        let client = lab.start(config);
        let stream = client.connect(localhost(tcp)).ok()?;
        let flow = client.datagrams(localhost(udp)).unwrap();
        flow.send(b"first").ok()?;
        flow.recv_within(ttl).ok()??;
        let mut session = Self { client, stream, flow };
        session.ping().ok().map(|()| session)
    }

    /// One exchange on the stream.
    fn ping(&mut self) -> std::io::Result<()> {
        self.stream.writer.write_all(b"ping")?;
        let mut pong = [0; 4];
        self.stream.reader.read_exact(&mut pong)?;
        assert_eq!(&pong, b"ping");
        Ok(())
    }

    fn expect_open(&mut self) {
        self.ping().unwrap();
        self.flow.send(b"still").unwrap();
        // What was sent before may come before.
        while self.flow.recv().unwrap() != b"still" {}
    }

    /// Waits for the end of the stream, which must not look like a regular one.
    fn expect_cut(&mut self) {
        let error = self.stream.reader.read(&mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }

    fn renew(&self, token: Token) {
        self.client.verbs().renew(Credential::Token(token));
    }
}

pub(crate) fn a_renewed_token_carries_open_flows_over_the_expiry<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay_with(|config| {
        config.rules.leeway = Duration::ZERO;
        config.scope.on_expiry = Some(OnExpiry::CloseAfter(Duration::ZERO));
    });
    let targets = (echo_stream(), echo_datagrams());
    // On a busy machine a short token may be over before anything is open.
    let (mut alice, mut bob, mut carol) = [4, 8, 16, 32]
        .into_iter()
        .find_map(|secs| {
            let ttl = Duration::from_secs(secs);
            let open = |token| Session::open(lab, &relay, token, ttl, targets);
            let token = |user| lab.token_of(user, ttl);
            Some((open(token("alice"))?, open(token("bob"))?, open(lab.token04_of("carol", ttl))?))
        })
        .expect("flows that open before their token is over");
    alice.renew(lab.token_of("alice", HOUR));
    carol.renew(lab.token04_of("carol", HOUR));
    for renewed in [&alice, &carol] {
        wait_for(&*renewed.client, |what| matches!(what, Told::TokenAccepted { .. }).then_some(()));
    }
    // Bob did not renew, and is told so.
    bob.expect_cut();
    wait_for(&*bob.client, |what| {
        matches!(what, Told::TokenExpiring { left } if left.is_zero()).then_some(())
    });
    wait_until(|| relay.stats(), |stats| stats.tunnels == 4);
    let error = bob.client.connect(localhost(targets.0)).err().expect("no stream");
    assert!(error.to_string().contains("expired"), "{error}");
    alice.expect_open();
    carol.expect_open();
    // The datagram flow is still there, and goes on with a token that is good.
    bob.renew(lab.token_of("bob", HOUR));
    let came_back = (0..100).any(|_| {
        bob.flow.send(b"again").unwrap();
        bob.flow.recv_within(Duration::from_millis(200)).unwrap().is_some_and(|got| got == b"again")
    });
    assert!(came_back);
    bob.stream = bob.client.connect(localhost(targets.0)).unwrap();
    bob.expect_open();
}

pub(crate) fn a_revocation_ends_what_it_means_and_nothing_else<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let targets = (echo_stream(), echo_datagrams());
    let [mut alice, mut bob] = ["alice", "bob"]
        .map(|user| Session::open(lab, &relay, lab.token_of(user, HOUR), HOUR, targets).unwrap());
    assert_eq!(relay.handle.revoke(Revoked::User { user: "bob".into(), app_id: None }), 2);
    assert_eq!(relay.stats().tunnels, 2);
    bob.expect_cut();
    assert!(matches!(bob.client.connect(localhost(targets.0)), Err(FlowError::NoProxy(_))));
    alice.expect_open();
}

pub(crate) fn an_app_sign_opens_flows_of_both_kinds<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let targets = (echo_stream(), echo_datagrams());
    let mut signed = Session::open(lab, &relay, lab.app_sign(), HOUR, targets).unwrap();
    signed.expect_open();
    // Another connection is another proof.
    let mut second = signed.client.connect(localhost(targets.0)).unwrap();
    second.writer.write_all(b"ping").unwrap();
    second.reader.read_exact(&mut [0; 4]).unwrap();

    let mut config = lab.config(Mode::Normal, Link::Wifi, &[relay.address.port()]);
    config.credential = Some(AppSign::new(1_001.into(), &"6b".repeat(32)).unwrap().into());
    let stranger = lab.start(config);
    let error = stranger.connect(localhost(targets.0)).err().expect("no stream");
    assert!(error.to_string().contains("did not accept the app sign"), "{error}");

    assert_eq!(relay.handle.revoke(Revoked::App(1_001.into())), 3);
    signed.expect_cut();
}

pub(crate) fn a_verifier_of_the_embedder_may_answer_later<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay_with(|config| config.verifier = Verifier::Embedder);
    let port = echo_stream();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let mut answered = 0;
    for answer in [Ok(()), Err(TokenError::Denied)] {
        let opened = std::thread::scope(|scope| {
            let opening = scope.spawn(|| client.connect(localhost(port)));
            wait_until(
                || {
                    // A client that is refused asks once more before it gives up.
                    for tunnel in asked(&relay).into_iter().skip(answered) {
                        relay.handle.verified(tunnel, answer.clone().map(|()| verdict()));
                        answered += 1;
                    }
                    opening.is_finished()
                },
                |is_finished| *is_finished,
            );
            opening.join().unwrap()
        });
        match opened {
            Ok(mut stream) => {
                stream.writer.write_all(b"ping").unwrap();
                stream.reader.read_exact(&mut [0; 4]).unwrap();
            }
            Err(error) => assert!(error.to_string().contains("407"), "{error}"),
        }
    }
    assert_eq!(relay.stats().opened, 1);
}

pub(crate) fn a_verifier_of_the_embedder_may_answer_at_once<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let change = |config: &mut RelayConfig| config.verifier = Verifier::Embedder;
    let relay = lab.relay_asking(change, |event| {
        let What::Verify { presented } = &event.what else { return None };
        let is_known = matches!(authorization(presented.expose()), Ok(Authorization::Token(_)));
        Some(if is_known { Ok(verdict()) } else { Err(TokenError::Denied) })
    });
    let targets = (echo_stream(), echo_datagrams());
    // An embedder that only ever answers within the callback is asked for every tunnel.
    let mut session = Session::open(lab, &relay, lab.token(), HOUR, targets).unwrap();
    session.expect_open();
    for _ in 0..20 {
        session.stream = session.client.connect(localhost(targets.0)).unwrap();
        session.ping().unwrap();
    }
    let refused = Session::open(lab, &relay, lab.app_sign(), HOUR, targets);
    assert!(refused.is_none());
}

/// Whom the relay asked about, in order.
fn asked(relay: &Served) -> Vec<wayleave_proto::relay::TunnelId> {
    let events = relay.events.lock().unwrap();
    let asked = events.iter().filter(|event| matches!(event.what, What::Verify { .. }));
    asked.filter_map(|event| event.tunnel).collect()
}

fn verdict() -> Verdict {
    let claims = Claims { subject: Some("alice".into()), ..Claims::default() };
    Verdict {
        account: AccountId::new("own", &claims),
        claims,
        credential: CredentialKind::Jwt,
        kid: "own".into(),
        payload: None,
        scope: Scope::default(),
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
