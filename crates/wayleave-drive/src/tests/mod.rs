//! The loop on a runtime whose sockets do what a test says.

mod datagrams;
pub(crate) mod fake;

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::TryRecvError;
use std::task::Wake;

use fake::{Executor, Fake, TOO_MANY_FILES, World};
use wayleave_proto::auth::{Credential, Revoked};
use wayleave_proto::base::{Link, Network, UnixTime};
use wayleave_proto::carrier::tls::PlainConnector;
use wayleave_proto::client::FlowError;
use wayleave_proto::config::{ClientConfig, Mode};
use wayleave_proto::relay::{Event, What};
use wayleave_proto::testing::{relay_config, token};

use crate::{Client, Events, Relay, StreamFlow};

/// A relay and what it said.
struct Serving {
    world: World,
    relay: Relay<Fake>,
    executor: Executor,
    told: Events<Event>,
    events: Vec<Event>,
}

impl Serving {
    fn new() -> Self {
        let world = World::default();
        let config = relay_config().unwrap().build().unwrap();
        let relay = Relay::bind(config, "192.0.2.1:443".parse().unwrap(), Fake(world.clone())).unwrap();
        let told = relay.events();
        Self { world, relay, executor: Executor::new(), told, events: Vec::new() }
    }

    fn run(&mut self) {
        let Self { relay, executor, told, events, .. } = self;
        executor.run(|cx| assert_eq!(relay.poll(cx), Poll::Pending));
        events.extend(core::iter::from_fn(|| told.try_recv().ok()));
    }

    /// Has a client that is connected ask for something with a good token.
    fn ask(&mut self, connected: usize, head: &str) {
        let token = token(UnixTime::from_secs(1_800_000_000), HOUR).unwrap();
        let request = format!("{head}proxy-authorization: Bearer {}\r\n\r\n", token.expose());
        self.world.change(connected, |it| {
            it.input.extend(record(0, b"relay.example"));
            it.input.extend(record(1, request.as_bytes()));
        });
        self.run();
    }

    fn said(&self, wanted: impl Fn(&What) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(&event.what)).count()
    }
}

const PAUSE: Duration = Duration::from_millis(100);

#[test]
fn a_listener_that_failed_is_asked_again_and_nothing_else_has_to_happen() {
    let mut serving = Serving::new();
    serving.world.lock().accept_error = Some(TOO_MANY_FILES);
    let connected = serving.world.connect();
    serving.run();
    assert_eq!(serving.said(|what| matches!(what, What::AcceptFailed { .. })), 1);
    for _ in 0..50 {
        serving.world.pass(PAUSE);
        serving.run();
    }
    assert_eq!(serving.said(|_| true), 1, "said once, however long it lasts");
    serving.world.lock().accept_error = None;
    serving.world.pass(Duration::from_secs(1));
    serving.run();
    assert!(serving.world.lock().queue.is_empty(), "accepted by the timer alone");
    assert!(!serving.world.look(connected, |it| it.is_closed));
    let recovered = |what: &What| matches!(what, What::AcceptRecovered { failures, .. } if *failures > 40);
    assert_eq!(serving.said(recovered), 1);
    assert_eq!(serving.relay.handle().stats().accepted, 1);
}

#[test]
fn a_descriptor_that_is_given_back_is_used_at_once() {
    let mut serving = Serving::new();
    let first = serving.world.connect();
    serving.run();
    serving.world.lock().accept_error = Some(TOO_MANY_FILES);
    serving.world.connect();
    serving.run();
    serving.world.lock().accept_error = None;
    // No time passes: the first client goes away.
    serving.world.change(first, |it| it.broken = Some(io::ErrorKind::ConnectionReset));
    serving.run();
    assert!(serving.world.lock().queue.is_empty());
    assert_eq!(serving.relay.handle().stats().accepted, 2);
}

#[test]
fn who_cannot_be_served_hears_it_at_once() {
    let mut serving = Serving::new();
    {
        let mut world = serving.world.lock();
        (world.accept_error, world.has_spare) = (Some(TOO_MANY_FILES), true);
    }
    let waiting: Vec<_> = (0..10).map(|_| serving.world.connect()).collect();
    serving.run();
    assert!(waiting.iter().all(|id| serving.world.look(*id, |it| it.is_closed)));
    assert_eq!(serving.relay.handle().stats().unaccepted, 10);
    assert_eq!(serving.said(|what| matches!(what, What::AcceptFailed { .. })), 1);
}

#[test]
fn a_relay_whose_task_ends_leaves_nothing_open() {
    let mut serving = Serving::new();
    let connected = serving.world.connect();
    serving.run();
    let handle = serving.relay.handle();
    assert_eq!(serving.told.try_recv().err(), Some(TryRecvError::Empty));
    drop(serving.relay);
    assert_eq!(serving.told.try_recv().err(), Some(TryRecvError::Disconnected));
    assert!(serving.world.look(connected, |it| it.is_closed && !it.is_reset));
    assert_eq!((handle.stats().connections, handle.stats().tunnels), (0, 0));
}

/// A record of the transport without cryptography.
fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, high, low], payload].concat()
}

#[test]
fn what_a_handle_ends_is_ended_before_another_connection_takes_its_place() {
    let mut serving = Serving::new();
    let connected = serving.world.connect();
    serving.run();
    serving.ask(connected, "CONNECT 10.0.0.1:7 HTTP/1.1\r\nhost: 10.0.0.1:7\r\n");
    assert_eq!(serving.said(|what| matches!(what, What::TunnelOpened { .. })), 1, "{:?}", serving.events);
    let user = Revoked::User { user: "alice".to_owned(), app_id: None };
    assert_eq!(serving.relay.handle().revoke(user).unwrap(), 1);
    // Before the relay has its next turn.
    serving.world.connect();
    serving.run();
    assert!(serving.world.look(connected, |it| it.is_closed && it.is_reset));
    assert_eq!(serving.relay.handle().stats().accepted, 2);
}

/// A client with one direct stream, and the task that drives it.
struct Opened {
    world: World,
    client: Client<Fake>,
    task: core::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
    executor: Executor,
    stream: StreamFlow<Fake>,
    socket: usize,
}

impl Opened {
    fn new() -> Self {
        let credential = Credential::Token(token(UnixTime::from_secs(1_800_000_000), HOUR).unwrap());
        let proxies = vec!["203.0.113.1:443".parse().unwrap()];
        let mut config = ClientConfig::new(proxies, credential, Arc::new(PlainConnector));
        config.route.mode = Mode::Off;
        config.network = Network::up(Link::Wifi);
        let world = World::default();
        let (client, task) = Client::with_task(config.build().unwrap(), Fake(world.clone()));
        let (mut task, executor) = (Box::pin(task), Executor::new());
        let mut connecting = Box::pin(client.connect("192.0.2.9:7"));
        let mut stream = None;
        for _ in 0..2 {
            let _ = connecting.as_mut().poll(&mut noop()).map(|opened| {
                stream = Some(opened.unwrap());
            });
            executor.run(|cx| assert!(task.as_mut().poll(cx).is_pending()));
            if stream.is_some() {
                break;
            }
        }
        drop(connecting);
        Self { world, client, task, executor, stream: stream.unwrap(), socket: 0 }
    }

    fn run(&mut self) {
        let task = &mut self.task;
        self.executor.run(|cx| {
            let _ = task.as_mut().poll(cx);
        });
    }

    fn write(&self, bytes: &[u8]) -> Poll<Result<usize, FlowError>> {
        self.stream.poll_write(&mut noop(), bytes)
    }

    fn read(&self, buffer: &mut [u8]) -> Poll<Result<usize, FlowError>> {
        self.stream.poll_read(&mut noop(), buffer)
    }
}

fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_break_is_noticed_while_nobody_reads_and_what_came_before_is_still_read() {
    let mut opened = Opened::new();
    let all = 300_000;
    opened.world.change(opened.socket, |it| it.input.extend(std::iter::repeat_n(7, all)));
    opened.run();
    assert!(opened.world.look(opened.socket, |it| !it.input.is_empty()), "reading is paused");
    assert_eq!(opened.write(b"x"), Poll::Ready(Ok(1)));
    opened.world.change(opened.socket, |it| it.broken = Some(io::ErrorKind::ConnectionReset));
    opened.run();
    assert_eq!(opened.write(b"y"), Poll::Ready(Err(FlowError::Reset)), "the writer is told at once");
    let (mut buffer, mut got) = (vec![0; 4_096], 0);
    let error = loop {
        match opened.read(&mut buffer) {
            Poll::Ready(Ok(count)) => got += count,
            Poll::Ready(Err(error)) => break error,
            Poll::Pending => opened.run(),
        }
    };
    assert_eq!((got, error), (all, FlowError::Reset));
}

#[test]
fn a_stream_whose_own_address_is_gone_breaks_behind_what_it_received() {
    for is_homeless in [false, true] {
        let mut opened = Opened::new();
        opened.world.change(opened.socket, |it| it.is_homeless = is_homeless);
        opened.world.lock().streams.get_mut(&opened.socket).unwrap().input.extend(*b"last");
        opened.client.network_changed(Network::up(Link::Ethernet));
        opened.run();
        assert_eq!(opened.read(&mut [0; 8]), Poll::Ready(Ok(4)), "{is_homeless}");
        opened.run();
        let after = if is_homeless { Poll::Ready(Err(FlowError::Reset)) } else { Poll::Pending };
        assert_eq!(opened.read(&mut [0; 8]), after);
    }
}

#[test]
fn flush_waits_until_the_system_has_taken_everything() {
    let mut opened = Opened::new();
    opened.world.change(opened.socket, |it| it.room = 3);
    assert_eq!(opened.write(b"farewell"), Poll::Ready(Ok(8)));
    assert_eq!(opened.stream.poll_flush(&mut noop()), Poll::Pending);
    assert_eq!(opened.stream.poll_finish(&mut noop()), Poll::Pending);
    opened.world.change(opened.socket, |it| it.room = 100);
    opened.run();
    assert_eq!(opened.stream.poll_finish(&mut noop()), Poll::Ready(Ok(())));
    opened
        .world
        .look(opened.socket, |it| assert_eq!((&it.output[..], it.is_finished), (&b"farewell"[..], true)));
}

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn room_wakes_the_writer_and_bytes_wake_the_reader() {
    let mut opened = Opened::new();
    let counts = [(); 2].map(|()| Arc::new(Count::default()));
    let [reader, writer] = counts.each_ref().map(|count| Waker::from(Arc::clone(count)));
    let woken = || counts.each_ref().map(|count| count.0.load(Ordering::Relaxed));
    let (mut reading, mut writing) = (Context::from_waker(&reader), Context::from_waker(&writer));
    let fill = |opened: &Opened, cx: &mut Context<'_>| {
        opened.world.change(opened.socket, |it| it.room = 0);
        while opened.stream.poll_write(cx, &[1; 4_096]).is_ready() {}
    };
    assert!(opened.stream.poll_read(&mut reading, &mut [0; 8]).is_pending());
    fill(&opened, &mut writing);
    opened.world.change(opened.socket, |it| it.room = 1_000_000);
    opened.run();
    assert_eq!(woken(), [0, 1], "room");
    fill(&opened, &mut writing);
    opened.world.change(opened.socket, |it| it.input.extend(*b"bytes"));
    opened.run();
    assert_eq!(woken(), [1, 1], "bytes");
    assert_eq!(opened.stream.poll_read(&mut reading, &mut [0; 8]), Poll::Ready(Ok(5)));
    assert!(opened.stream.poll_read(&mut reading, &mut [0; 8]).is_pending());
    opened.client.close();
    assert_eq!(woken(), [2, 2], "the end");
}

#[test]
fn a_client_whose_task_ends_resets_nothing_and_says_so() {
    let mut opened = Opened::new();
    assert_eq!(opened.write(b"farewell"), Poll::Ready(Ok(8)));
    // The runtime that ran it ends.
    opened.task = Box::pin(core::future::ready(()));
    opened.world.look(opened.socket, |it| {
        assert!(it.is_closed && !it.is_reset);
        assert_eq!(it.output, b"farewell");
    });
    assert_eq!(opened.read(&mut [0; 8]), Poll::Ready(Err(FlowError::ClientClosed)));
    assert_eq!(opened.client.datagrams("192.0.2.9:7").err(), Some(FlowError::ClientClosed));
}

#[test]
fn a_drain_waits_for_what_was_written_and_says_what_it_cut() {
    for (room, cut) in [(100, 0), (0, 1)] {
        let mut opened = Opened::new();
        opened.world.change(opened.socket, |it| it.room = 3);
        assert_eq!(opened.write(b"farewell"), Poll::Ready(Ok(8)));
        let client = opened.client.clone();
        let mut draining = Box::pin(client.drain(Duration::from_secs(5)));
        assert!(draining.as_mut().poll(&mut noop()).is_pending());
        opened.world.change(opened.socket, |it| (it.room, it.has_ended) = (room, true));
        opened.run();
        if room == 0 {
            assert!(draining.as_mut().poll(&mut noop()).is_pending());
            opened.world.pass(Duration::from_secs(5));
            opened.run();
        }
        assert_eq!(draining.as_mut().poll(&mut noop()), Poll::Ready(cut));
        assert_eq!(opened.world.look(opened.socket, |it| it.output.len()), if room == 0 { 3 } else { 8 });
    }
}
