//! The system underneath a process on a simulated host: its sockets, its timer, its look-ups, and a record of all that the
//! process does with them.

mod choices;
mod runtime;

use core::net::{IpAddr, SocketAddr};
use core::task::Waker;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wayleave_drive::Answer as Told;
use wayleave_proto::base::{Instant, Name, Seed, UnixTime};
use wayleave_proto::error::IoFailure;

use crate::network::Answer;
use crate::stack::{Handle, Happened, Stack};
use choices::Choices;
pub(super) use choices::Temper;
pub(super) use runtime::Simulated;

/// The system of one host.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) stack: Stack,
    /// What the clocks show: the one that only goes on, and the civil one.
    pub(super) now: Instant,
    pub(super) unix: UnixTime,
    /// What a process that starts gets for its own choices.
    pub(super) seed: Seed,
    /// What the process has done, and what the system has told it, in that order.
    log: Vec<Step>,
    /// Bytes to targets and from them since this was asked last: of streams, and of datagrams to targets.
    moved: [u64; 2],
    sockets: BTreeMap<Handle, Socket>,
    lookups: BTreeMap<LookupId, Lookup>,
    next_lookup: u64,
    /// The machines of the process that listen, and who of them waits for connections to accept.
    listeners: BTreeMap<usize, Option<Waker>>,
    /// What each machine of the process waits for, and since when they may know that it has come.
    timers: BTreeMap<usize, (Instant, Waker)>,
    fired: Option<Instant>,
    choices: Choices,
    /// What was seen of what seldom happens, by name.
    seen: BTreeMap<&'static str, u64>,
    /// Processes that have ended without a word; what is left of them is not heard.
    crashes: u32,
}

/// A look-up of a host; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LookupId(u64);

/// A step of a process, or one that the system took for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Asked {
        id: LookupId,
        name: Name,
    },
    Dialled {
        address: SocketAddr,
    },
    Bound {
        address: SocketAddr,
    },
    /// A connection of the process's own stands.
    Opened {
        remote: SocketAddr,
    },
    /// A datagram came, or the first bytes over a connection of the process's own that stands since the present network.
    Answered {
        remote: SocketAddr,
        is_stream: bool,
    },
    /// It told its embedder something: a fact, or that a flow has moved on.
    Said,
    Noticed,
}

/// What the system keeps for a socket of the process.
#[derive(Debug)]
struct Socket {
    remote: SocketAddr,
    is_stream: bool,
    /// The host accepted it.
    accepted: bool,
    opened: bool,
    /// Something was written, something was read.
    spoken: bool,
    heard: bool,
    /// It stands since the present network, and since the present trial.
    present: bool,
    fresh: bool,
    /// It is over, or a datagram was refused.
    failed: Option<IoFailure>,
    /// Its end is to be a reset.
    resets: bool,
    /// Datagrams that wait to be received, how much they are, how much that may be, and how many were dropped for it.
    inbox: VecDeque<(SocketAddr, Vec<u8>)>,
    waiting: usize,
    room: usize,
    dropped: u64,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
struct Lookup {
    answers: VecDeque<Told>,
    waker: Option<Waker>,
}

/// The system of a host, held by its world and by the process.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<Kernel>>);

impl Shared {
    pub(super) fn new(address: IpAddr, temper: Temper, seed: Seed) -> Self {
        Self(Arc::new(Mutex::new(Kernel {
            stack: Stack::new(address),
            now: Instant::ZERO,
            unix: UnixTime::from_secs(0),
            choices: Choices::new(temper, &seed),
            seen: BTreeMap::new(),
            seed,
            log: Vec::new(),
            moved: [0; 2],
            sockets: BTreeMap::new(),
            lookups: BTreeMap::new(),
            next_lookup: 0,
            listeners: BTreeMap::new(),
            timers: BTreeMap::new(),
            fired: None,
            crashes: 0,
        })))
    }

    /// A system without a process: whoever plays the host takes what happens from the stack.
    pub(super) fn plain(address: IpAddr) -> Self {
        Self::new(address, Temper::default(), Seed::new([0; 32]))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Kernel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runtime of a process that starts now.
    pub(super) fn runtime(&self) -> Simulated {
        Simulated::new(self.clone(), self.lock().crashes)
    }
}

impl Kernel {
    /// Tells the process what has happened to its sockets.
    pub(super) fn deliver(&mut self) {
        let mut touched = Vec::new();
        while let Some(happened) = self.stack.poll_news() {
            touched.extend(self.hear(happened));
        }
        if self.choices.is_odd() {
            self.choices.shuffle(&mut touched);
        }
        for handle in touched {
            self.wake(handle);
        }
        if !self.sockets.is_empty() && self.choices.is_odd() {
            let nth = self.choices.below(self.sockets.len());
            if let Some(handle) = self.sockets.keys().nth(nth).copied() {
                self.see("Woken");
                self.wake(handle);
            }
        }
        for machine in self.listeners.keys().copied().collect::<Vec<_>>() {
            if self.waiting_for(machine).is_some()
                && let Some(listener) = self.listeners.get_mut(&machine).and_then(Option::take)
            {
                listener.wake();
            }
        }
    }

    /// The next connection that waits for a machine: they are divided among those that listen.
    fn waiting_for(&self, machine: usize) -> Option<Handle> {
        let place = self.listeners.keys().position(|listening| *listening == machine)?;
        self.stack.waiting().find(|handle| handle.number() % self.listeners.len() as u64 == place as u64)
    }

    /// Closes the next connection that waits for a machine; `false` where there is none.
    fn refuse_one(&mut self, machine: usize) -> bool {
        let Some(handle) = self.waiting_for(machine) else { return false };
        self.stack.refuse(self.now, handle);
        true
    }

    /// Notes what happened to a socket of the process, and gives it.
    fn hear(&mut self, happened: Happened) -> Option<Handle> {
        let (Happened::Accepted(handle)
        | Happened::Connected(handle)
        | Happened::Readable(handle)
        | Happened::Writable(handle)
        | Happened::Failed(handle, _)
        | Happened::Datagram(handle, ..)) = happened;
        let socket = self.sockets.get_mut(&handle)?;
        match happened {
            Happened::Connected(_) => socket.opened = true,
            Happened::Failed(_, failure) => socket.failed = Some(failure),
            Happened::Datagram(_, from, bytes) if socket.waiting + bytes.len() <= socket.room => {
                socket.waiting += bytes.len();
                socket.inbox.push_back((from, bytes));
            }
            Happened::Datagram(..) => socket.dropped += 1,
            Happened::Accepted(_) | Happened::Readable(_) | Happened::Writable(_) => {}
        }
        Some(handle)
    }

    /// Answers a look-up, or one half of it.
    pub(super) fn resolved(&mut self, id: LookupId, answer: &Answer) {
        let Some(lookup) = self.lookups.get_mut(&id) else { return };
        lookup.answers.push_back((answer.families, answer.addresses.clone()));
        if let Some(waker) = lookup.waker.take() {
            waker.wake();
        }
    }

    /// When the timer of the process, or one of its connections, is due.
    pub(super) fn poll_timeout(&self, is_asleep: bool) -> Option<Instant> {
        let timers = self.timers.values().filter(|_| !is_asleep).map(|(at, _)| *at);
        timers.chain(self.stack.poll_timeout()).min()
    }

    /// Lets time pass: what is due now is due from now on.
    pub(super) fn handle_timeout(&mut self) {
        self.stack.handle_timeout(self.now);
        self.fired = Some(self.now);
        let now = self.now;
        self.timers.retain(|_, (at, waker)| {
            let is_due = *at <= now;
            if is_due {
                waker.wake_by_ref();
            }
            !is_due
        });
    }

    /// Ends the process without a word, as a crash does.
    pub(super) fn crash(&mut self) {
        self.crashes += 1;
        self.stack.crash();
        self.sockets.clear();
        self.lookups.clear();
        self.log.clear();
        (self.listeners, self.timers, self.moved) = (BTreeMap::new(), BTreeMap::new(), [0; 2]);
    }

    /// What was seen of what seldom happens.
    pub(super) fn take_seen(&mut self) -> BTreeMap<&'static str, u64> {
        core::mem::take(&mut self.seen)
    }

    /// How many sockets and look-ups the process has.
    pub(super) fn open(&self) -> usize {
        self.sockets.len() + self.lookups.len()
    }

    /// What happened since this was asked last.
    pub(super) fn take_log(&mut self) -> Vec<Step> {
        core::mem::take(&mut self.log)
    }

    /// Bytes to targets and from them since this was asked last. Datagrams from targets are not among them, because a
    /// process may drop those.
    pub(super) fn take_moved(&mut self) -> [u64; 2] {
        core::mem::take(&mut self.moved)
    }

    /// Another trial begins, or another network: what stands already is no proof for it.
    pub(super) fn grow_old(&mut self, is_network: bool) {
        for socket in self.sockets.values_mut() {
            socket.fresh = false;
            socket.present &= !is_network;
        }
    }

    /// Whether a connection to somebody for whom `counts` holds stands since the present trial, and nothing went over it.
    pub(super) fn stands(&self, counts: impl Fn(SocketAddr) -> bool) -> bool {
        self.sockets.values().any(|socket| {
            let is_quiet = !socket.spoken && !socket.heard;
            socket.is_stream && socket.fresh && is_quiet && counts(socket.remote)
        })
    }

    /// Whether a connection to somebody for whom `counts` holds is being made.
    pub(super) fn dials(&self, counts: impl Fn(SocketAddr) -> bool) -> bool {
        self.sockets.values().any(|socket| socket.is_stream && !socket.opened && counts(socket.remote))
    }

    fn wake(&mut self, handle: Handle) {
        if let Some(waker) = self.sockets.get_mut(&handle).and_then(|socket| socket.waker.take()) {
            waker.wake();
        }
    }

    fn see(&mut self, name: &'static str) {
        *self.seen.entry(name).or_default() += 1;
    }

    fn insert(&mut self, handle: Handle, remote: SocketAddr, is_stream: bool, room: usize) {
        let socket = Socket {
            remote,
            is_stream,
            accepted: false,
            opened: false,
            spoken: false,
            heard: false,
            present: false,
            fresh: false,
            failed: None,
            resets: false,
            inbox: VecDeque::new(),
            waiting: 0,
            room,
            dropped: 0,
            waker: None,
        };
        self.sockets.insert(handle, socket);
    }
}
