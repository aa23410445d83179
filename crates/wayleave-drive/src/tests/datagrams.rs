//! Datagrams on a runtime that brings and takes several at once.

use super::*;
use crate::DatagramFlow;

/// A client with one direct datagram flow, and the task that drives it.
struct Flowing {
    world: World,
    task: core::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
    executor: Executor,
    flow: DatagramFlow<Fake>,
}

impl Flowing {
    fn new() -> Self {
        let Opened { world, client, task, executor, .. } = Opened::new();
        let flow = client.datagrams("192.0.2.9:7").unwrap();
        let mut flowing = Self { world, task, executor, flow };
        flowing.run();
        flowing
    }

    fn run(&mut self) {
        let task = &mut self.task;
        self.executor.run(|cx| assert!(task.as_mut().poll(cx).is_pending()));
    }

    fn received(&self) -> Vec<Vec<u8>> {
        let (mut buffer, mut received) = ([0; 100], Vec::new());
        while let Poll::Ready(count) = self.flow.poll_recv(&mut noop(), &mut buffer) {
            received.push(buffer[..count.unwrap()].to_vec());
        }
        received
    }
}

#[test]
fn what_one_call_brings_is_received_one_by_one() {
    let mut flowing = Flowing::new();
    flowing.world.change_datagrams(|it| {
        it.incoming.push_back(Ok(vec![(b"aabbc".to_vec(), 2), (b"x".to_vec(), 1)]));
        it.incoming.push_back(Err(io::ErrorKind::ConnectionRefused));
        it.incoming.push_back(Ok(vec![(Vec::new(), 0)]));
    });
    flowing.run();
    assert_eq!(flowing.received(), [&b"aa"[..], b"bb", b"c", b"x", b""]);
}

#[test]
fn what_waits_goes_with_one_call_as_far_as_it_takes_it() {
    let mut flowing = Flowing::new();
    flowing.world.change_datagrams(|it| it.takes.push_back(Ok(0)));
    for payload in ["1", "2", "3", "4", "5", "six", "7"] {
        flowing.flow.send(payload.as_bytes()).unwrap();
    }
    flowing.world.change_datagrams(|it| {
        assert_eq!(it.sent.len(), 0);
        let refused = io::ErrorKind::ConnectionRefused;
        it.takes.extend([Ok(2), Err(refused), Ok(1), Ok(0)]);
    });
    flowing.run();
    flowing.world.change_datagrams(|it| assert_eq!(it.sent, [vec![b"1", b"2"], vec![b"4"]]));
    flowing.run();
    let rest = flowing.world.change_datagrams(|it| it.sent.split_off(2));
    assert_eq!(rest, [vec![b"5".to_vec()], vec![b"six".to_vec(), b"7".to_vec()]], "an error cost one");
}

/// A relay with a tunnel of datagrams; its client has sent `payloads` through it in one record.
fn relayed(payloads: &[&[u8]], takes: &[Result<usize, io::ErrorKind>]) -> Vec<Vec<Vec<u8>>> {
    let mut serving = Serving::new();
    let connected = serving.world.connect();
    serving.run();
    let head = "GET /.well-known/masque/udp/10.0.0.1/7/ HTTP/1.1\r\nhost: relay.example\r\n\
                connection: upgrade\r\nupgrade: connect-udp\r\ncapsule-protocol: ?1\r\n";
    serving.ask(connected, head);
    assert_eq!(serving.said(|what| matches!(what, What::TunnelOpened { .. })), 1, "{:?}", serving.events);
    serving.world.change_datagrams(|it| it.takes.extend(takes));
    let capsule = |payload: &&[u8]| [&[0, u8::try_from(payload.len()).unwrap() + 1, 0], *payload].concat();
    let capsules: Vec<u8> = payloads.iter().flat_map(capsule).collect();
    serving.world.change(connected, |it| it.input.extend(record(1, &capsules)));
    serving.run();
    serving.world.change_datagrams(|it| core::mem::take(&mut it.sent))
}

#[test]
fn datagrams_of_one_record_go_to_their_target_with_one_call() {
    assert_eq!(relayed(&[b"one", b"two", b"3"], &[]), [[&b"one"[..], b"two", b"3"]]);
    let sent = relayed(&[b"one", b"two", b"6"], &[Ok(1), Ok(0)]);
    assert_eq!(sent, [vec![b"one".to_vec()], vec![b"two".to_vec(), b"6".to_vec()]], "it was full in between");
}

#[test]
fn the_answer_to_an_earlier_datagram_costs_none_of_these() {
    let refused = Err(io::ErrorKind::ConnectionRefused);
    assert_eq!(relayed(&[b"one", b"two"], &[refused]), [[b"one", b"two"]]);
    let too_large = Err(io::ErrorKind::InvalidInput);
    assert_eq!(relayed(&[b"one", b"two"], &[too_large]), [[b"two"]], "one that is too large costs itself");
}
