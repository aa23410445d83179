//! Happenings in any order: nothing may break, and nothing may be left.

use proptest::prelude::*;

use super::*;
use crate::policy::Rates;
use crate::testing::cases;

/// Something that happens to the client or the target of a number.
#[derive(Clone, Debug)]
enum Happening {
    Accept,
    /// A whole request that is answered at once: of a stream, or of datagrams.
    Tunnel(bool),
    /// A part of what a client may say.
    Say(usize, usize),
    /// Bytes on any socket, of the outside world or of a client.
    Receive(usize, usize),
    Finish(usize),
    Fail(usize),
    Open(usize),
    Resolve(usize),
    Stall(usize),
    Unstall(usize),
    Pass(u64),
    Drain,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    let any_of = 0..12_usize;
    prop_oneof![
        40 => Just(H::Accept),
        60 => any::<bool>().prop_map(H::Tunnel),
        120 => (any_of.clone(), 0..12_usize).prop_map(|(peer, what)| H::Say(peer, what)),
        40 => (any_of.clone(), 0..70_000_usize).prop_map(|(socket, amount)| H::Receive(socket, amount)),
        30 => any_of.clone().prop_map(H::Finish),
        20 => any_of.clone().prop_map(H::Fail),
        60 => any_of.clone().prop_map(H::Open),
        30 => any_of.clone().prop_map(H::Resolve),
        20 => any_of.clone().prop_map(H::Stall),
        20 => any_of.prop_map(H::Unstall),
        30 => prop_oneof![0..600_u64, 0..20_000_u64, 0..8_000_000_u64].prop_map(H::Pass),
        1 => Just(H::Drain),
    ]
}

fn sayings() -> Vec<Vec<u8>> {
    let head = connect(TARGET).into_bytes();
    vec![
        head.clone(),
        head[..40].to_vec(),
        head[40..].to_vec(),
        connect("a.example:443").into_bytes(),
        connect_udp("10.0.0.1", 443).into_bytes(),
        connect_udp("a.example", 443).into_bytes(),
        connect_with(TARGET, "").into_bytes(),
        connect("127.0.0.1:80").into_bytes(),
        capsule(&[1; 500]).repeat(20),
        capsule(&[2; 60_000])[..50_000].to_vec(),
        vec![0; 20_000],
        // The end of the client's half.
        Vec::new(),
    ]
}

/// Every socket that the relay knows, the clients' first.
fn sockets(rig: &Rig, peers: &[Peer]) -> Vec<SocketId> {
    let clients = peers.iter().map(|peer| peer.socket);
    let outside = rig.dials.iter().chain(&rig.binds).map(|(id, _)| *id);
    clients.chain(outside).filter(|id| rig.relay.requests.role(*id).is_some()).collect()
}

fn happen(rig: &mut Rig, peers: &mut Vec<Peer>, happening: &Happening, sayings: &[Vec<u8>]) {
    let open = sockets(rig, peers);
    let socket = |index: usize| open.get(index % open.len().max(1)).copied();
    match *happening {
        Happening::Accept => peers.extend(rig.accept_silent(CLIENT)),
        Happening::Tunnel(is_stream) => {
            let Some(mut peer) = rig.accept_from(CLIENT) else { return };
            rig.say(&mut peer, if is_stream { connect(TARGET) } else { connect_udp("10.0.0.1", 443) });
            let asked = if is_stream { &rig.dials } else { &rig.binds };
            if let Some((id, _)) = asked.last().copied() {
                rig.opened(id);
            }
            peers.push(peer);
        }
        Happening::Say(index, what) => {
            let count = peers.len().max(1);
            let Some(peer) = peers.get_mut(index % count) else { return };
            match sayings[what].as_slice() {
                [] => peer.session.send_end(),
                bytes => peer.session.send(&[bytes]),
            }
            let mut bytes = peer.session.pending().to_vec();
            peer.session.written(bytes.len());
            bytes.chunks_mut(16 * 1024).for_each(|part| rig.receive(peer.socket, part));
            // So that the session sends what waited for the handshake.
            for mut bytes in rig.sent(peer.socket) {
                let _ = peer.session.receive(&mut bytes);
            }
        }
        Happening::Receive(index, amount) => {
            if let Some(id) = socket(index).filter(|id| !rig.paused.contains(id)) {
                rig.receive(id, &vec![3; amount]);
            }
        }
        Happening::Finish(index) => socket(index).into_iter().for_each(|id| rig.fin(id)),
        Happening::Fail(index) => {
            socket(index).into_iter().for_each(|id| rig.fail(id, IoFailure::ConnectionReset));
        }
        Happening::Open(index) => {
            let asked = rig.dials.len() + rig.binds.len();
            let outside: Vec<_> = rig.dials.iter().chain(&rig.binds).map(|(id, _)| *id).collect();
            if let Some(id) = outside.iter().rev().nth(index % asked.max(1)) {
                rig.opened(*id);
            }
        }
        Happening::Resolve(index) => {
            let count = rig.lookups.len().max(1);
            if let Some((id, _)) = rig.lookups.iter().rev().nth(index % count).cloned() {
                rig.resolved(id, &["127.0.0.1", "10.0.0.1", "10.0.0.2"][..1 + index % 3]);
            }
        }
        Happening::Stall(index) => rig.stalled.extend(socket(index)),
        Happening::Unstall(index) => socket(index).into_iter().for_each(|id| rig.unstall(id)),
        Happening::Pass(millis) => rig.pass(Duration::from_millis(millis)),
        Happening::Drain => {
            rig.relay.drain(rig.now);
            rig.pump();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..cases(96) })]

    #[test]
    fn nothing_is_left_whatever_happens(
        happenings in prop::collection::vec(happening(), 1..80),
        is_limited in any::<bool>(),
        is_closed in any::<bool>(),
    ) {
        let mut rig = Rig::with(|config| {
            config.limits.tunnels_per_account = 8;
            if is_limited {
                let rates = Rates { bits_per_second: Some(400_000), packets_per_second: Some(100) };
                (config.scope.to_target, config.scope.to_client) = (rates, rates);
                config.scope.volume = Some(10_000_000);
            }
        });
        let (mut peers, sayings) = (Vec::new(), sayings());
        for happening in &happenings {
            happen(&mut rig, &mut peers, happening, &sayings);
            let Stats { connections, tunnels, held, .. } = rig.relay.stats();
            prop_assert!(tunnels <= 8 && tunnels <= connections);
            prop_assert!(held <= connections * (1 << 20), "{} bytes in {} connections", held, connections);
            prop_assert!(connections > 0 || held == 0);
            prop_assert!(connections > 0 || rig.relay.poll_timeout().is_none());
            let tunnel = rig.relay.ledger.read(Books::tunnels);
            prop_assert!(tunnels <= tunnel && tunnel <= connections, "tunnels and dials of the accounts");
        }
        if is_closed {
            rig.relay.close(rig.now);
            rig.pump();
        } else {
            // Everything runs into its timeouts, and nobody does anything more.
            rig.pass(24 * 3_600 * SECOND);
        }
        rig.relay.ledger.write(Books::forget_resting);
        rig.assert_clean();
        let opened = rig.events.iter().filter(|event| matches!(event.what, What::TunnelOpened { .. }));
        let ended = rig.events.iter().filter(|event| matches!(event.what, What::TunnelClosed { .. }));
        prop_assert_eq!(opened.count(), ended.count());
    }
}
