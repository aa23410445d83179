use super::Pipe;
use crate::base::{Host, Instant};
use crate::carrier::tls::{Acceptor as _, Connector as _, PlainAcceptor, PlainConnector, Session};
use crate::carrier::transport::Transport;
use crate::codec::capsule::{CapsuleError, datagram_header};
use crate::codec::h1::{HeadFault, HeadLimits};
use crate::net::SocketId;
use crate::queue::{DatagramLimits, DatagramQueue};

const NOW: Instant = Instant::ZERO;
const HEAD: &[u8] = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n";

/// A pipe on the server's side whose handshake is over, and its client.
fn pair() -> (Box<dyn Session>, Pipe) {
    let host: Host = "relay.example".parse().unwrap();
    let mut client = PlainConnector.connect(&host).unwrap();
    let mut pipe = Pipe::new(
        Transport::new(SocketId::from_u64(0), PlainAcceptor.accept().unwrap()),
        HeadLimits::default(),
    );
    to_pipe(&mut *client, &mut pipe);
    to_client(&mut pipe, &mut *client);
    assert!(!client.is_handshaking());
    (client, pipe)
}

/// What the client sends for `bytes`.
fn ciphertext(client: &mut dyn Session, bytes: &[u8]) -> Vec<u8> {
    client.send(&[bytes]);
    take_pending(client)
}

fn take_pending(client: &mut dyn Session) -> Vec<u8> {
    let bytes = client.pending().to_vec();
    client.written(bytes.len());
    bytes
}

fn to_pipe(client: &mut dyn Session, pipe: &mut Pipe) {
    pipe.receive(&mut take_pending(client)).unwrap();
}

/// Carries everything to the client and returns how long each record was.
fn to_client(pipe: &mut Pipe, client: &mut dyn Session) -> Vec<usize> {
    let mut bytes = pipe.session().pending().to_vec();
    pipe.session().written(bytes.len());
    let mut records = Vec::new();
    let mut rest = bytes.as_slice();
    while let [_, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        records.push(length);
        rest = &behind[length..];
    }
    client.receive(&mut bytes).unwrap();
    records
}

fn say(client: &mut dyn Session, pipe: &mut Pipe, bytes: &[u8]) {
    client.send(&[bytes]);
    to_pipe(client, pipe);
}

#[test]
fn a_head_may_be_cut_at_every_byte_and_its_tail_is_kept() {
    let whole = [HEAD, b"tail"].concat();
    for cut in 1..whole.len() {
        let (mut client, mut pipe) = pair();
        say(&mut *client, &mut pipe, &whole[..cut]);
        let early = pipe.read_head().unwrap().map(<[u8]>::to_vec);
        assert_eq!(early.is_some(), cut >= HEAD.len(), "cut at {cut}");
        assert!(pipe.has_begun_head());
        say(&mut *client, &mut pipe, &whole[cut..]);
        let head = pipe.read_head().unwrap().map(<[u8]>::to_vec);
        assert_eq!(early.or(head).as_deref(), Some(HEAD), "cut at {cut}");
        pipe.end_head();
        assert!(!pipe.has_begun_head());
        assert_eq!(pipe.session().plaintext(), b"tail", "cut at {cut}");
        pipe.session().consume(4);
        assert_eq!(pipe.held(), 0);
    }
}

#[test]
fn a_head_byte_by_byte_is_whole_at_its_last() {
    let (mut client, mut pipe) = pair();
    for (index, byte) in HEAD.iter().enumerate() {
        say(&mut *client, &mut pipe, &[*byte]);
        assert_eq!(pipe.read_head().unwrap().is_some(), index + 1 == HEAD.len());
        assert_eq!(pipe.plaintext_len(), 0, "what belongs to the head is taken");
    }
}

#[test]
fn a_fault_shows_where_it_is() {
    let (mut client, mut pipe) = pair();
    say(&mut *client, &mut pipe, b"CONNECT a.example:443 HTTP/1.1\r\nX: \0");
    assert_eq!(pipe.read_head().unwrap_err().reason, HeadFault::Control);
    assert!(!format!("{pipe:?}").contains("a.example"));
}

fn capsule(payload: &[u8]) -> Vec<u8> {
    [datagram_header(payload.len()).as_bytes(), payload].concat()
}

#[test]
fn datagrams_may_be_cut_at_every_byte() {
    let whole = [capsule(b"one"), capsule(b""), capsule(&[7; 300])].concat();
    for cut in 1..whole.len() {
        let (mut client, mut pipe) = pair();
        let mut queue = DatagramQueue::default();
        say(&mut *client, &mut pipe, &whole[..cut]);
        let before = pipe.receive_datagrams(&mut [], |payload| queue.push(NOW, payload)).unwrap();
        let mut rest = ciphertext(&mut *client, &whole[cut..]);
        let after = pipe.receive_datagrams(&mut rest, |payload| queue.push(NOW, payload)).unwrap();
        assert_eq!((before.datagrams + after.datagrams, before.bytes + after.bytes), (3, 303));
        let got: Vec<_> = queue.iter().map(<[u8]>::to_vec).collect();
        assert_eq!(got, [b"one".to_vec(), Vec::new(), vec![7; 300]], "cut at {cut}");
        assert_eq!((pipe.finish_datagrams(), pipe.held()), (Ok(()), 0));
    }
}

#[test]
fn a_capsule_that_is_not_whole_is_told_at_the_end() {
    let (mut client, mut pipe) = pair();
    say(&mut *client, &mut pipe, &capsule(b"one")[..4]);
    pipe.receive_datagrams(&mut [], |_| {}).unwrap();
    assert_eq!(pipe.finish_datagrams(), Err(CapsuleError::Truncated));
    assert!(pipe.held() > 0);
}

#[test]
fn datagrams_that_wait_together_go_in_one_record() {
    let (mut client, mut pipe) = pair();
    let mut queue = DatagramQueue::default();
    for number in 0..10_u8 {
        queue.push(NOW, &[number; 1_000]);
    }
    let moved = pipe.send_datagrams(NOW, &mut queue);
    assert_eq!((moved.datagrams, moved.bytes, queue.len()), (10, 10_000, 0));
    assert_eq!(to_client(&mut pipe, &mut *client).len(), 1);
    let expected: Vec<u8> = (0..10_u8).flat_map(|number| capsule(&[number; 1_000])).collect();
    assert_eq!(client.plaintext(), expected);
}

#[test]
fn many_small_datagrams_go_in_records_of_thirty_two() {
    let (mut client, mut pipe) = pair();
    let mut queue = DatagramQueue::default();
    for _ in 0..70 {
        queue.push(NOW, b"");
    }
    assert_eq!(pipe.send_datagrams(NOW, &mut queue).datagrams, 70);
    assert_eq!(to_client(&mut pipe, &mut *client), [96, 96, 18]);
}

#[test]
fn what_is_not_written_keeps_datagrams_in_their_queue() {
    let (mut client, mut pipe) = pair();
    let mut queue = DatagramQueue::new(DatagramLimits::default());
    for _ in 0..200 {
        queue.push(NOW, &[0; 1_000]);
    }
    pipe.send_datagrams(NOW, &mut queue);
    let left = queue.len();
    assert!((160..200).contains(&left), "{left}");
    assert!(pipe.transport.pending_len() < 33 * 1024);
    // They grow old there.
    let later = NOW + core::time::Duration::from_millis(501);
    to_client(&mut pipe, &mut *client);
    assert_eq!(pipe.send_datagrams(later, &mut queue).datagrams, 0);
    assert_eq!(queue.dropped(), left as u64);
}

#[test]
fn the_largest_datagram_goes_alone_over_several_records() {
    let (mut client, mut pipe) = pair();
    let mut queue = DatagramQueue::default();
    queue.push(NOW, &[1; 65_527]);
    queue.push(NOW, b"next");
    let moved = pipe.send_datagrams(NOW, &mut queue);
    assert_eq!((moved.datagrams, queue.len()), (1, 1));
    to_client(&mut pipe, &mut *client);
    assert_eq!(client.plaintext(), capsule(&[1; 65_527]));
}
