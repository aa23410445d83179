//! Clients that vanish, and how they are watched.

use super::*;
use crate::config::Peer;

#[test]
fn every_connection_is_watched_by_what_its_silence_means() {
    let mut rig = Rig::new();
    let (stream, target) = rig.stream();
    let (datagrams, _) = rig.datagrams();
    let watched = |socket: SocketId| rig.watched.get(&socket).map(|liveness| liveness.peer);
    assert_eq!(watched(stream.socket), Some(Peer::Pausing), "it may pause as long as its application");
    assert_eq!(watched(datagrams.socket), Some(Peer::Reading));
    assert_eq!(watched(target), Some(Peer::Foreign));
}

#[test]
pub(super) fn the_clients_of_a_full_account_are_asked_whether_they_are_there() {
    let mut rig = Rig::with(|config| config.limits.tunnels_per_account = 2);
    let (first, _) = rig.stream();
    let (second, _) = rig.datagrams();
    let usual = rig.watched.clone();
    let quick = |rig: &Rig, socket: SocketId| {
        rig.watched[&socket].idle <= SECOND && rig.watched[&socket].timeout < 10 * SECOND
    };
    assert_eq!(rig.refused(connect(TARGET)).status, 429);
    assert!(quick(&rig, first.socket) && quick(&rig, second.socket));
    // One that vanished makes room.
    rig.fail(first.socket, IoFailure::TimedOut);
    let mut peer = rig.accept();
    rig.say(&mut peer, connect(TARGET));
    assert_eq!(rig.dials.len(), 2);
    // One that is there is left in peace again.
    rig.pass(11 * SECOND);
    assert_eq!(rig.watched[&second.socket], usual[&second.socket]);
}
