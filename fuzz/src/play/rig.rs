//! An adapter that checks the laws of the boundary.

use core::fmt::Debug;
use core::hash::{Hash as _, Hasher as _};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::hash::DefaultHasher;
use std::sync::LazyLock;

use wayleave_proto::base::{Families, Instant, Name};
use wayleave_proto::error::IoFailed;
use wayleave_proto::net::{Machine, Output, Packets, Remote, SocketId};

/// A machine, its sockets and its clock.
///
/// After every step the outputs are drained, unless the player says [`Self::hold`]: then the next step comes first.
pub(crate) struct Rig<M: Machine> {
    pub(crate) machine: M,
    pub(crate) sockets: BTreeMap<SocketId, Socket>,
    /// What came out and was not looked at yet.
    pub(crate) events: Vec<M::Event>,
    /// What was asked for and was not looked at yet.
    pub(crate) asked: Vec<SocketId>,
    /// Texts that may stand nowhere.
    secrets: Vec<String>,
    latest: Instant,
    /// How far the next input lies in the past.
    behind: Duration,
    is_held: bool,
    /// An input was not followed by a drain.
    is_behind: bool,
    known: BTreeSet<SocketId>,
    /// Reported as broken since the last drain: what the machine had said of them before is void.
    broken: BTreeSet<SocketId>,
    trace: DefaultHasher,
}

/// A socket or a look-up.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    pub(crate) asked: Asked,
    pub(crate) is_open: bool,
    /// The other end said that it sends no more.
    pub(crate) is_ended: bool,
    pub(crate) is_paused: bool,
    pub(crate) is_finished: bool,
    /// There is something to write.
    pub(crate) is_pending: bool,
}

/// What a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Accepted,
    Lookup(Name),
    Tcp(SocketAddr),
    Udp(SocketAddr),
}

impl<M: Machine<Event: Debug> + Debug> Rig<M> {
    pub(crate) fn new(machine: M, secrets: Vec<String>) -> Self {
        let mut rig = Self {
            machine,
            sockets: BTreeMap::new(),
            events: Vec::new(),
            asked: Vec::new(),
            secrets,
            latest: Instant::ZERO,
            behind: Duration::ZERO,
            is_held: false,
            is_behind: false,
            known: BTreeSet::new(),
            broken: BTreeSet::new(),
            trace: DefaultHasher::new(),
        };
        rig.drain();
        rig
    }

    /// The moment of the next input.
    pub(crate) fn now(&self) -> Instant {
        self.latest - self.behind
    }

    /// The moment that counts.
    pub(crate) fn latest(&self) -> Instant {
        self.latest
    }

    /// The next input comes `span` too old.
    pub(crate) fn lag(&mut self, span: Duration) {
        self.behind = span;
    }

    /// Whether everything that the machine has to say was taken.
    pub(crate) fn is_drained(&self) -> bool {
        !self.is_behind
    }

    /// The next input is not followed by a drain.
    pub(crate) fn hold(&mut self) {
        self.is_held = true;
    }

    /// The socket that the adapter accepted.
    pub(crate) fn accepted(&mut self, id: SocketId) {
        assert!(self.known.insert(id), "{id} was given out before");
        self.sockets.insert(id, Socket { is_open: true, ..Socket::new(Asked::Accepted) });
        self.settle();
    }

    /// To be called behind every input.
    pub(crate) fn settle(&mut self) {
        self.behind = Duration::ZERO;
        self.is_behind = core::mem::take(&mut self.is_held);
        if !self.is_behind {
            self.drain();
        }
    }

    pub(crate) fn resolved(&mut self, id: SocketId, answer: Result<&[IpAddr], IoFailed>) {
        self.sockets.remove(&id);
        self.broken.insert(id);
        self.machine.handle_resolved(self.now(), id, Families::Both, answer);
        self.settle();
    }

    pub(crate) fn opened(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.is_open = true;
        }
        self.machine.handle_opened(self.now(), id, SocketAddr::from(([192, 0, 2, 1], 50_000)));
        self.settle();
    }

    pub(crate) fn failed(&mut self, id: SocketId, error: IoFailed) {
        let stays = |socket: &Socket| socket.is_open && matches!(socket.asked, Asked::Udp(_));
        if !self.sockets.get(&id).is_some_and(stays) {
            self.sockets.remove(&id);
            self.broken.insert(id);
        }
        self.machine.handle_failed(self.now(), id, error);
        self.settle();
    }

    pub(crate) fn received(&mut self, id: SocketId, bytes: &[u8]) {
        let (now, mut bytes) = (self.now(), bytes.to_vec());
        match self.sockets.get(&id).map(|socket| &socket.asked) {
            Some(Asked::Udp(from)) => self.machine.handle_packets(now, id, Packets::one(*from, &mut bytes)),
            _ => self.machine.handle_received(now, id, &mut bytes),
        }
        self.settle();
    }

    pub(crate) fn finished(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.is_ended = true;
        }
        self.machine.handle_finished(self.now(), id);
        self.settle();
    }

    /// Writes at most `most` bytes of what is pending on a TCP connection, or one datagram.
    pub(crate) fn written(&mut self, id: SocketId, most: usize) -> Option<Vec<u8>> {
        let now = self.now();
        let socket = self.sockets.get_mut(&id).filter(|socket| socket.is_open)?;
        if matches!(socket.asked, Asked::Udp(_)) {
            let first = self.machine.transmit(now, id).map(|transmit| transmit.first().to_vec());
            socket.is_pending = first.is_some();
            if first.is_some() {
                self.machine.handle_sent(now, id, 1);
            }
            self.settle();
            return first;
        }
        let bytes = match self.machine.pending(now, id) {
            None => {
                socket.is_pending = false;
                None
            }
            Some(pending) => {
                assert!(!pending.is_empty(), "nothing is pending on {id}, and it is said to be");
                Some(pending[..pending.len().min(most.max(1))].to_vec())
            }
        };
        if let Some(bytes) = &bytes {
            self.machine.handle_written(now, id, bytes.len());
        }
        self.settle();
        bytes
    }

    /// Inputs to a socket that there never was, or is no more: nothing may follow.
    pub(crate) fn strange(&mut self, id: SocketId, which: u8) {
        if self.sockets.contains_key(&id) {
            return;
        }
        self.drain();
        let due = self.machine.poll_timeout();
        let now = self.latest;
        match which % 8 {
            0 => self.machine.handle_resolved(now, id, Families::Both, Ok(&[IpAddr::from([192, 0, 2, 1])])),
            1 => self.machine.handle_opened(now, id, SocketAddr::from(([192, 0, 2, 1], 1))),
            2 => self.machine.handle_failed(now, id, IoFailed::new(wayleave_proto::error::IoFailure::Other)),
            3 => self.machine.handle_received(now, id, &mut [0; 64]),
            4 => self.machine.handle_finished(now, id),
            5 => self.machine.handle_packets(
                now,
                id,
                Packets::one(SocketAddr::from(([192, 0, 2, 1], 1)), &mut [0; 64]),
            ),
            6 => {
                assert!(self.machine.transmit(now, id).is_none());
                self.machine.handle_sent(now, id, 10);
            }
            _ => {
                assert!(self.machine.pending(now, id).is_none());
                self.machine.handle_written(now, id, 10);
            }
        }
        let output = self.machine.poll_output();
        assert!(output.is_none(), "input {} to the unknown {id} changed something: {output:?}", which % 6);
        assert_eq!(self.machine.poll_timeout(), due, "an unknown id changed the deadline");
    }

    /// A timeout that comes too early does nothing.
    pub(crate) fn early(&mut self) {
        self.drain();
        let due = self.machine.poll_timeout();
        if due.is_none_or(|due| due > self.latest) {
            self.machine.handle_timeout(self.latest);
            assert!(self.machine.poll_output().is_none(), "an early timeout did something");
            assert_eq!(self.machine.poll_timeout(), due, "an early timeout moved the deadline");
        }
    }

    /// Lets `span` pass as an adapter does, or wakes the machine at the end of it only.
    pub(crate) fn pass(&mut self, span: Duration, is_late: bool) {
        self.drain();
        let end = self.latest + span;
        let mut at_once = 0;
        for _ in 0..MOST_STEPS {
            let Some(due) = self.machine.poll_timeout().filter(|due| *due <= end) else { break };
            let next = if is_late { end } else { due.max(self.latest) };
            at_once = if next == self.latest { at_once + 1 } else { 0 };
            assert!(at_once < MOST_AT_ONCE, "time stands still at {next}");
            self.latest = next;
            self.machine.handle_timeout(next);
            let said = self.drain();
            assert!(said || self.machine.poll_timeout() != Some(due), "no progress at {next}");
        }
        self.latest = end;
        self.machine.handle_timeout(end);
        self.drain();
    }

    /// Takes every output; says whether there was one.
    pub(crate) fn drain(&mut self) -> bool {
        let mut count = 0;
        while let Some(output) = self.machine.poll_output() {
            count += 1;
            assert!(count < MOST_OUTPUTS, "outputs without end");
            let text = format!("{output:?}");
            self.check(&text);
            self.note(|| text.clone());
            text.hash(&mut self.trace);
            self.take(output);
        }
        self.broken.clear();
        self.is_behind = false;
        count > 0
    }

    /// What stands for everything that came out.
    pub(crate) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// Shows what happens, for whoever looks into a failure.
    pub(crate) fn note(&self, text: impl FnOnce() -> String) {
        if *IS_SHOWN {
            println!("{} {}", self.latest, text());
        }
    }

    /// Looks for secrets in `text`.
    pub(crate) fn check(&self, text: &str) {
        for secret in &self.secrets {
            assert!(!text.contains(secret.as_str()), "a secret is shown");
        }
    }

    /// Everything is over: nothing is left, and nothing comes any more.
    pub(crate) fn expect_nothing(&mut self) {
        self.drain();
        assert!(self.sockets.is_empty(), "sockets are left: {:?}", self.sockets);
        assert_eq!(self.machine.poll_timeout(), None, "a deadline is left");
    }

    fn take(&mut self, output: Output<M::Event>) {
        match output {
            Output::DelayAcks(_) | Output::Watch { .. } => {}
            Output::Resolve { id, name } => self.ask(id, Asked::Lookup(name)),
            Output::Dial { id, address } => self.ask(id, Asked::Tcp(address)),
            Output::Bind { id, remote: Remote::One(address), .. } => self.ask(id, Asked::Udp(address)),
            Output::Bind { id, remote: Remote::Every(_), .. } => {
                panic!("{id} speaks with everybody, and nothing asked for that")
            }
            Output::Pending(id) => self.change(id, |socket| socket.is_pending = true),
            Output::ReadPause(id) => self.change(id, |socket| {
                assert!(!core::mem::replace(&mut socket.is_paused, true), "{id} is paused twice");
            }),
            Output::ReadResume(id) => self.change(id, |socket| {
                assert!(core::mem::take(&mut socket.is_paused), "{id} is resumed twice");
            }),
            Output::Finish(id) => self.change(id, |socket| {
                assert!(!core::mem::replace(&mut socket.is_finished, true), "{id} is finished twice");
            }),
            Output::Close { id, .. } => {
                assert!(
                    self.sockets.remove(&id).is_some() || self.broken.contains(&id),
                    "{id} is closed twice"
                );
            }
            Output::Event(event) => self.events.push(event),
        }
    }

    fn ask(&mut self, id: SocketId, asked: Asked) {
        assert!(self.known.insert(id), "{id} was given out before");
        self.sockets.insert(id, Socket::new(asked));
        self.asked.push(id);
    }

    fn change(&mut self, id: SocketId, change: impl FnOnce(&mut Socket)) {
        match self.sockets.get_mut(&id) {
            Some(socket) => change(socket),
            None => assert!(self.broken.contains(&id), "{id} is not open"),
        }
    }
}

impl Socket {
    /// Whether an adapter reads from it now.
    pub(crate) fn is_read(&self) -> bool {
        self.is_open && !self.is_paused && !self.is_ended
    }

    fn new(asked: Asked) -> Self {
        Self {
            asked,
            is_open: false,
            is_ended: false,
            is_paused: false,
            is_finished: false,
            is_pending: false,
        }
    }
}

/// `WAYLEAVE_FUZZ_TRACE=1` shows every step and every output.
static IS_SHOWN: LazyLock<bool> = LazyLock::new(|| env::var_os("WAYLEAVE_FUZZ_TRACE").is_some());
/// What follows from one input.
const MOST_OUTPUTS: usize = 2_000;
/// Wake-ups in one span; what is beyond comes late.
const MOST_STEPS: usize = 300;
/// Wake-ups in one moment.
const MOST_AT_ONCE: usize = 50;
