//! An adapter without a runtime: one machine on the sockets of a simulated host.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};

use wayleave_proto::base::{Families, Instant, Name};
use wayleave_proto::error::{IoFailed, IoFailure, Resource};
use wayleave_proto::net::{Machine, Output, Remote, SocketId};

use crate::Tape;
use crate::stack::{Handle, Happened, Stack};

/// A machine and its socket table.
#[derive(Debug)]
pub(crate) struct Driver<M: Machine> {
    pub(crate) machine: M,
    sockets: BTreeMap<SocketId, Socket>,
    handles: BTreeMap<Handle, SocketId>,
    /// Look-ups, and whether one half of each is answered.
    lookups: BTreeMap<SocketId, bool>,
    /// Sockets that may have something to write.
    ready: BTreeSet<SocketId>,
    /// Sockets from which there is more to read.
    unread: BTreeSet<SocketId>,
    /// Bytes to targets and from them since this was asked last: of streams, and of datagrams to targets.
    moved: [u64; 2],
    /// Bytes that one read takes at most; 0 to draw it anew for each.
    pub(crate) chunk: usize,
}

#[derive(Debug)]
struct Socket {
    handle: Handle,
    remote: SocketAddr,
    is_stream: bool,
    /// It speaks with everybody.
    is_shared: bool,
    /// The host accepted it.
    accepted: bool,
    paused: bool,
    finishing: bool,
    finished: bool,
    opened: bool,
    /// Something was written, something was read.
    spoken: bool,
    heard: bool,
    /// It stands since the present network, and since the present trial.
    present: bool,
    fresh: bool,
}

/// What the machine asked of the world, and what the world told it, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step<E> {
    Asked {
        id: SocketId,
        name: Name,
    },
    Dialled {
        address: SocketAddr,
    },
    Bound {
        address: SocketAddr,
    },
    /// A connection of the machine's own stands.
    Opened {
        remote: SocketAddr,
    },
    /// A datagram came, or the first bytes over a connection of the machine's own that stands since the present network.
    Answered {
        remote: SocketAddr,
        is_stream: bool,
    },
    Said(E),
}

impl<M: Machine> Driver<M>
where
    M::Event: fmt::Debug,
{
    pub(crate) const fn new(machine: M, chunk: usize) -> Self {
        Self {
            machine,
            sockets: BTreeMap::new(),
            handles: BTreeMap::new(),
            lookups: BTreeMap::new(),
            ready: BTreeSet::new(),
            unread: BTreeSet::new(),
            moved: [0; 2],
            chunk,
        }
    }

    /// How many sockets and look-ups are open.
    pub(crate) fn len(&self) -> usize {
        self.sockets.len() + self.lookups.len()
    }

    /// Takes a connection that the host accepted and the machine named.
    pub(crate) fn adopt(&mut self, id: SocketId, handle: Handle, remote: SocketAddr) {
        self.insert(id, handle, remote, true);
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.accepted = true;
        }
    }

    /// Bytes to targets and from them since this was asked last. Datagrams from targets are not among them, because a
    /// machine may drop those.
    pub(crate) fn take_moved(&mut self) -> [u64; 2] {
        core::mem::take(&mut self.moved)
    }

    /// Answers a look-up, or one half of it.
    pub(crate) fn resolved(
        &mut self,
        now: Instant,
        id: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        let Some(is_half) = self.lookups.get_mut(&id) else { return };
        if families == Families::Both || core::mem::replace(is_half, true) {
            self.lookups.remove(&id);
        }
        self.machine.handle_resolved(now, id, families, answer);
    }

    /// Passes on what happened to a socket.
    pub(crate) fn happened(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        tape: &mut Tape,
        happened: Happened,
        steps: &mut Vec<Step<M::Event>>,
    ) {
        match happened {
            Happened::Accepted(_) => {}
            Happened::Connected(handle) => {
                let Some((id, remote)) = self.known(handle) else { return };
                let Some(local) = stack.local(handle) else { return };
                steps.push(Step::Opened { remote });
                if let Some(socket) = self.sockets.get_mut(&id) {
                    (socket.opened, socket.present, socket.fresh) = (true, true, true);
                }
                self.machine.handle_opened(now, id, local);
            }
            Happened::Datagram(handle, remote, mut bytes) => {
                let Some((id, _)) = self.known(handle) else { return };
                if self.sockets.get(&id).is_some_and(|socket| !socket.paused) {
                    steps.push(Step::Answered { remote, is_stream: false });
                    if self.sockets.get(&id).is_some_and(|socket| socket.is_shared) {
                        self.machine.handle_datagram(now, id, remote, &mut bytes);
                    } else {
                        self.machine.handle_received(now, id, &mut bytes);
                    }
                }
            }
            Happened::Failed(handle, failure) => {
                let Some((id, _)) = self.known(handle) else { return };
                if self.sockets.get(&id).is_some_and(|socket| socket.is_stream) {
                    self.read(now, stack, tape, id, steps);
                    self.remove(id);
                }
                self.machine.handle_failed(now, id, IoFailed::new(failure));
            }
            Happened::Readable(handle) => {
                if let Some((id, _)) = self.known(handle) {
                    self.read(now, stack, tape, id, steps);
                }
            }
            Happened::Writable(handle) => {
                if let Some((id, _)) = self.known(handle) {
                    self.ready.insert(id);
                }
            }
        }
    }

    /// Does what the machine wants until it wants nothing more.
    ///
    /// # Errors
    /// It wants something for ever.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        tape: &mut Tape,
        steps: &mut Vec<Step<M::Event>>,
    ) -> Result<(), String> {
        for _ in 0..ROUNDS {
            let mut quiet = true;
            while let Some(output) = self.machine.poll_output() {
                quiet = false;
                self.output(now, stack, tape, output, steps);
            }
            for id in core::mem::take(&mut self.ready) {
                quiet &= !self.write(now, stack, id);
            }
            for id in core::mem::take(&mut self.unread) {
                quiet = false;
                self.read(now, stack, tape, id, steps);
            }
            if quiet {
                return Ok(());
            }
        }
        Err(format!("the machine still has outputs after {ROUNDS} rounds at one moment"))
    }

    fn output(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        tape: &mut Tape,
        output: Output<M::Event>,
        steps: &mut Vec<Step<M::Event>>,
    ) {
        match output {
            Output::Resolve { id, name } => {
                self.lookups.insert(id, false);
                steps.push(Step::Asked { id, name });
            }
            Output::Dial { id, address } => {
                steps.push(Step::Dialled { address });
                let handle = stack.connect(now, address);
                self.insert(id, handle, address, true);
            }
            Output::Bind { id, remote: Remote::One(address), .. } => {
                steps.push(Step::Bound { address });
                let Some(handle) = stack.bind(None, Some(address)) else {
                    return self.machine.handle_failed(
                        now,
                        id,
                        IoFailed::new(IoFailure::Exhausted(Resource::Descriptors)),
                    );
                };
                self.insert(id, handle, address, false);
                let local = stack.local(handle).unwrap_or(address);
                self.machine.handle_opened(now, id, local);
            }
            Output::Bind { id, remote: Remote::Every(_), .. } => {
                let handle = stack.bind(None, None);
                let Some((handle, local)) = handle.and_then(|handle| Some((handle, stack.local(handle)?)))
                else {
                    return self.machine.handle_failed(
                        now,
                        id,
                        IoFailed::new(IoFailure::Exhausted(Resource::Descriptors)),
                    );
                };
                self.insert(id, handle, local, false);
                if let Some(socket) = self.sockets.get_mut(&id) {
                    socket.is_shared = true;
                }
                self.machine.handle_opened(now, id, local);
            }
            Output::Pending(id) => {
                self.ready.insert(id);
            }
            Output::ReadPause(id) => self.pause(id, true),
            Output::ReadResume(id) => {
                self.pause(id, false);
                self.read(now, stack, tape, id, steps);
            }
            Output::Finish(id) => {
                if let Some(socket) = self.sockets.get_mut(&id) {
                    socket.finishing = true;
                    self.ready.insert(id);
                }
            }
            Output::Close { id, reset } => {
                self.lookups.remove(&id);
                if let Some(handle) = self.remove(id) {
                    stack.close(now, handle, reset);
                }
            }
            // Acknowledgements cost nothing here.
            Output::DelayAcks(_) => {}
            Output::Watch { id, liveness } => {
                if let Some(socket) = self.sockets.get(&id) {
                    stack.watch(now, socket.handle, liveness);
                }
            }
            Output::Event(event) => steps.push(Step::Said(event)),
        }
    }

    /// Writes what is pending; says whether anything went out.
    fn write(&mut self, now: Instant, stack: &mut Stack, id: SocketId) -> bool {
        let Some(socket) = self.sockets.get(&id) else { return false };
        let (handle, is_stream, accepted) = (socket.handle, socket.is_stream, socket.accepted);
        let mut any = false;
        while let Some(bytes) = self.machine.pending(now, id) {
            let taken = if is_stream {
                stack.write(now, handle, bytes)
            } else {
                let bytes = bytes.to_vec();
                let length = bytes.len();
                stack.send(handle, self.machine.destination(id), bytes);
                length
            };
            if is_stream && taken == 0 {
                return any;
            }
            any = true;
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.spoken = true;
            }
            if !accepted {
                self.moved[0] += taken as u64;
            }
            self.machine.handle_written(now, id, taken);
        }
        if let Some(socket) = self.sockets.get_mut(&id)
            && core::mem::take(&mut socket.finishing)
        {
            stack.finish(now, handle);
        }
        any
    }

    /// Reads what there is, but for a while only: a pause in answer is heard when the outputs are. Two inputs without
    /// an output between them are legal.
    fn read(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        tape: &mut Tape,
        id: SocketId,
        steps: &mut Vec<Step<M::Event>>,
    ) {
        for _ in 0..READS {
            let Some(socket) = self.sockets.get_mut(&id) else { return };
            if socket.paused || socket.finished || !socket.is_stream {
                return;
            }
            let most = if self.chunk == 0 { any_size(tape) } else { self.chunk };
            let mut bytes = stack.read(now, socket.handle, most);
            if bytes.is_empty() {
                if stack.is_finished(socket.handle) {
                    socket.finished = true;
                    self.machine.handle_finished(now, id);
                }
                return;
            }
            if !socket.accepted && !core::mem::replace(&mut socket.heard, true) && socket.present {
                steps.push(Step::Answered { remote: socket.remote, is_stream: true });
            }
            if !socket.accepted {
                self.moved[1] += bytes.len() as u64;
            }
            self.machine.handle_received(now, id, &mut bytes);
        }
        self.unread.insert(id);
    }

    /// Another trial begins, or another network: what stands already is no proof for it.
    pub(crate) fn grow_old(&mut self, is_network: bool) {
        for socket in self.sockets.values_mut() {
            socket.fresh = false;
            socket.present &= !is_network;
        }
    }

    /// Whether a connection to somebody for whom `counts` holds stands since the present trial, and nothing went over it.
    pub(crate) fn stands(&self, counts: impl Fn(SocketAddr) -> bool) -> bool {
        self.sockets.values().any(|socket| {
            let is_quiet = !socket.spoken && !socket.heard;
            socket.is_stream && socket.opened && socket.fresh && is_quiet && counts(socket.remote)
        })
    }

    /// Whether a connection to somebody for whom `counts` holds is being made.
    pub(crate) fn dials(&self, counts: impl Fn(SocketAddr) -> bool) -> bool {
        self.sockets.values().any(|socket| socket.is_stream && !socket.opened && counts(socket.remote))
    }

    fn pause(&mut self, id: SocketId, paused: bool) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.paused = paused;
        }
    }

    fn known(&self, handle: Handle) -> Option<(SocketId, SocketAddr)> {
        let id = *self.handles.get(&handle)?;
        Some((id, self.sockets.get(&id)?.remote))
    }

    fn insert(&mut self, id: SocketId, handle: Handle, remote: SocketAddr, is_stream: bool) {
        let socket = Socket {
            handle,
            remote,
            is_stream,
            is_shared: false,
            accepted: false,
            paused: false,
            finishing: false,
            finished: false,
            opened: false,
            spoken: false,
            heard: false,
            present: false,
            fresh: false,
        };
        self.sockets.insert(id, socket);
        self.handles.insert(handle, id);
    }

    fn remove(&mut self, id: SocketId) -> Option<Handle> {
        let socket = self.sockets.remove(&id)?;
        self.handles.remove(&socket.handle);
        self.ready.remove(&id);
        self.unread.remove(&id);
        Some(socket.handle)
    }
}

/// How many bytes a read takes, from one to 16 KiB.
fn any_size(tape: &mut Tape) -> usize {
    let most = *tape.pick(&[16 * 1024, 2_000, 20, 16 * 1024]);
    (most - tape.below(most)) as usize
}

/// So often a machine may find more to do at one moment.
const ROUNDS: usize = 10_000;
/// Reads of one socket before its machine is asked what it wants.
const READS: usize = 8;
