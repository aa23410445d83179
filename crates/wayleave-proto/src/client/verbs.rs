//! What an embedder can ask of a client.

use core::net::IpAddr;
use core::time::Duration;

use smallvec::SmallVec;

use super::event::CloseReason;
use super::flow::{Flow, Hold, State};
use super::io::Timer;
use super::{AssociationId, Client, End, FlowError, FlowId, FlowStatus, Incoming, Notice, What};
use crate::auth::Credential;
use crate::base::{Host, Instant, Kind, Network, Route, Target};
use crate::codec::capsule::MAX_PAYLOAD;
use crate::config::{Canary, Mode};
use crate::route::Proof;

impl Client {
    /// Opens a flow to `target`. A stream can be written to and read from once [`Self::status`] says that it is open;
    /// datagrams can be sent at once.
    ///
    /// # Errors
    /// [`FlowError::TooManyFlows`] at the limit, [`FlowError::ClientClosed`] after [`Self::close`].
    pub fn open(&mut self, now: Instant, kind: Kind, target: Target) -> Result<FlowId, FlowError> {
        self.open_in(now, kind, target, None)
    }

    pub(super) fn open_in(
        &mut self,
        now: Instant,
        kind: Kind,
        target: Target,
        association: Option<AssociationId>,
    ) -> Result<FlowId, FlowError> {
        let now = self.at(now);
        if !self.is_open() {
            return Err(FlowError::ClientClosed);
        }
        if self.flows.len() >= self.io.config.limits.flows {
            return Err(FlowError::TooManyFlows);
        }
        if self.io.config.route.mode != Mode::Off {
            self.pool.expect(now);
        }
        let flow = Flow { association, ..Flow::new(kind, target, now, &self.io.config.limits) };
        let id = self.flows.insert(flow);
        self.routes.handle_flow(now, kind);
        self.unplaced.insert(id);
        self.advance();
        Ok(id)
    }

    /// What a flow is doing.
    pub fn status(&self, id: FlowId) -> FlowStatus {
        match self.flows.get(id) {
            None => FlowStatus::Failed(self.unknown()),
            Some(Flow { hold: Hold::Nothing, .. }) => FlowStatus::Failed(self.unknown()),
            Some(flow) => match &flow.state {
                State::DirectStream { .. } | State::DirectDatagrams { .. } => FlowStatus::Open(Route::Direct),
                State::Tunnel { .. } | State::Resting(_) => FlowStatus::Open(Route::Proxied),
                State::Failed(error) => FlowStatus::Failed(error.clone()),
                // Its application does not notice that its path is another one by and by.
                _ if flow.announced && (flow.kind == Kind::Stream || flow.spare.is_some()) => {
                    FlowStatus::Open(Route::Direct)
                }
                State::Dialling(_) | State::Retry(_) | State::Waiting(_) | State::Asking(_) => {
                    FlowStatus::Pending
                }
            },
        }
    }

    /// Takes bytes for the target of a stream, as many as there is room for; zero means that
    /// [`Notice::Flow`] will say when there is room again.
    ///
    /// # Errors
    /// Why the stream takes no more.
    pub fn write(&mut self, now: Instant, id: FlowId, bytes: &[u8]) -> Result<usize, FlowError> {
        self.write_pieces(now, id, &[bytes])
    }

    /// [`Self::write`] of several pieces, one behind the other; they go out together.
    ///
    /// # Errors
    /// Why the stream takes no more.
    pub fn write_pieces(&mut self, now: Instant, id: FlowId, pieces: &[&[u8]]) -> Result<usize, FlowError> {
        self.at(now);
        let is_bounded = !self.io.config.route.breaks(Canary::BufferUnbounded);
        let mark = if is_bounded { self.io.config.limits.buffer } else { usize::MAX };
        self.check(id)?;
        if self.flows.get(id).is_some_and(|flow| flow.is_finished()) {
            return Err(FlowError::Finished);
        }
        let Some((mut path, io)) = self.stream(id) else { return Ok(0) };
        if path.is_broken(io) {
            // There may still be something to read.
            return Err(self.broken(id));
        }
        let mut room = mark.saturating_sub(path.waiting());
        let taken: SmallVec<[&[u8]; 8]> = pieces
            .iter()
            .map_while(|piece| {
                let fits = piece.get(..piece.len().min(room)).filter(|_| room > 0)?;
                room -= fits.len();
                Some(fits)
            })
            .collect();
        let count = taken.iter().map(|piece| piece.len()).sum();
        if count == 0 {
            return Ok(0);
        }
        path.write(io, &taken);
        if let Some(flow) = self.flows.get_mut(id) {
            flow.sent += count as u64;
        }
        Ok(count)
    }

    /// What there is to read from a stream; say with [`Self::consume`] how much of it was taken.
    ///
    /// # Errors
    /// Why nothing will come any more, behind the last byte that came.
    pub fn read(&mut self, id: FlowId) -> Result<Incoming<'_>, FlowError> {
        self.check(id)?;
        let Some((mut path, io)) = self.stream(id) else { return Ok(Incoming::Nothing) };
        if path.readable() == 0 {
            if path.is_finished() {
                return Ok(Incoming::End);
            }
            // The connection broke, and everything that came before has been read.
            if path.is_gone(io) {
                let error = self.broken(id);
                self.fail(id, error.clone());
                self.advance();
                return Err(error);
            }
            return Ok(Incoming::Nothing);
        }
        // The borrow of the path above cannot be returned from a branch; this finds it again.
        Ok(self.stream(id).map_or(Incoming::Nothing, |(path, _)| Incoming::Bytes(path.read())))
    }

    /// The embedder took `amount` bytes of what [`Self::read`] lent.
    pub fn consume(&mut self, now: Instant, id: FlowId, amount: usize) {
        self.at(now);
        let mark = self.io.config.limits.buffer / 2;
        let Some((mut path, io)) = self.stream(id) else { return };
        path.consume(io, amount);
        if path.readable() <= mark {
            path.pause(io, false);
        }
        if let Some(flow @ Flow { state: State::Tunnel { .. }, .. }) = self.flows.get_mut(id) {
            flow.received += amount as u64;
        }
        self.settle_stream(id);
        self.advance();
    }

    /// Whether who waits for something of a flow has something to look at now: bytes, a datagram, an end or a failure.
    pub fn is_readable(&mut self, id: FlowId) -> bool {
        if self.check(id).is_err() {
            return true;
        }
        if let Some(queues) = self.flows.get(id).and_then(|flow| flow.queues.as_deref()) {
            return !queues.incoming.is_empty();
        }
        match self.stream(id) {
            None => false,
            Some((mut path, io)) => path.readable() > 0 || path.is_finished() || path.is_gone(io),
        }
    }

    /// Whether who waits for room in a flow, or for what was written to be flushed, has something to look at now.
    pub fn is_writable(&mut self, id: FlowId) -> bool {
        let mark = self.io.config.limits.buffer;
        let is_over = |flow: &Flow| flow.is_finished() || flow.kind == Kind::Datagram;
        if self.check(id).is_err() || self.flows.get(id).is_some_and(is_over) {
            return true;
        }
        match self.stream(id) {
            None => false,
            Some((path, io)) => path.waiting() < mark || path.is_broken(io),
        }
    }

    /// Whether everything that was written to a stream has gone to the system, as far as it goes with a socket: it is sent
    /// whatever becomes of this client. While it has not, [`Notice::Flow`] says when to ask again.
    ///
    /// # Errors
    /// Why it will not go out.
    pub fn is_flushed(&mut self, id: FlowId) -> Result<bool, FlowError> {
        self.check(id)?;
        let Some((path, io)) = self.stream(id) else { return Ok(true) };
        let is_flushed = path.waiting() == 0;
        if !is_flushed && path.is_broken(io) {
            return Err(FlowError::Reset);
        }
        Ok(is_flushed)
    }

    /// Ends the application's half of a stream; what was written before is delivered.
    pub fn finish(&mut self, now: Instant, id: FlowId) {
        self.at(now);
        if let Some(flow) = self.flows.get_mut(id)
            && flow.kind == Kind::Stream
            && !flow.is_finished()
        {
            flow.hold = Hold::Reads;
            if !matches!(flow.state, State::Failed(_)) {
                self.send_end(id);
            }
        }
        self.advance();
    }

    fn send_end(&mut self, id: FlowId) {
        // Whoever waits for room learns that there is none to come.
        self.io.nudge(id);
        let is_sent = !self.io.config.route.breaks(Canary::EndNotSent);
        if let Some((mut path, io)) = self.stream(id)
            && (is_sent || path.is_direct())
        {
            path.finish(io);
        }
        self.settle_stream(id);
    }

    /// Takes a datagram for the target of a flow. Where the path is slower than the sender, the oldest that wait are
    /// dropped.
    ///
    /// # Errors
    /// [`FlowError::DatagramTooLarge`] above [`Self::largest_datagram`], or why the flow has failed.
    pub fn send_datagram(&mut self, now: Instant, id: FlowId, payload: &[u8]) -> Result<(), FlowError> {
        let now = self.at(now);
        self.check(id)?;
        let most = self.largest_datagram(id);
        if payload.len() > most {
            return Err(FlowError::DatagramTooLarge { most });
        }
        let Some(flow) = self.flows.get_mut(id) else { return Err(FlowError::Closed) };
        let Some(queues) = &mut flow.queues else { return Err(FlowError::Closed) };
        let had_nothing = queues.outgoing.is_empty();
        queues.outgoing.push(now, payload);
        flow.sent += payload.len() as u64;
        match &flow.state {
            State::DirectDatagrams { socket, .. } => {
                let socket = *socket;
                if had_nothing {
                    self.wants_turn(id, socket);
                }
                self.io.requests.pending(socket);
            }
            State::Tunnel { tunnel, .. } => self.pool.announce_datagrams(&mut self.io, *tunnel),
            State::Resting(again) => {
                let again = *again;
                self.go_on_at(id, again);
            }
            _ => {}
        }
        self.advance();
        Ok(())
    }

    /// How large a datagram of a flow may be, in bytes: 65,507 over IPv4, and 65,527 where the target is an IPv6 address. A name may
    /// lead to either, so that what is larger than both is an error and never lost without a word. What is too large for a link on
    /// the way is dropped there ([RFC 9298 §3.1](https://www.rfc-editor.org/rfc/rfc9298#section-3.1)).
    pub fn largest_datagram(&self, id: FlowId) -> usize {
        match self.flows.get(id).map(|flow| &flow.target.host) {
            Some(Host::Address(IpAddr::V6(address))) if address.to_ipv4_mapped().is_none() => MAX_PAYLOAD,
            _ => MAX_PAYLOAD_IPV4,
        }
    }

    /// The oldest datagram that came for a flow; say with [`Self::take_datagram`] that it was taken.
    ///
    /// # Errors
    /// Why the flow has failed.
    pub fn datagram(&mut self, id: FlowId) -> Result<Option<&[u8]>, FlowError> {
        self.check(id)?;
        let now = self.io.now;
        let queues = self.flows.get_mut(id).and_then(|flow| flow.queues.as_mut());
        Ok(queues.and_then(|queues| queues.incoming.front(now)))
    }

    /// The embedder took what [`Self::datagram`] lent.
    pub fn take_datagram(&mut self, id: FlowId) {
        if let Some(queues) = self.flows.get_mut(id).and_then(|flow| flow.queues.as_mut()) {
            queues.incoming.pop();
        }
    }

    /// Gives a flow back. What was written to a stream is still delivered, for as long as the limit `linger` allows;
    /// what comes for it is thrown away.
    pub fn release(&mut self, now: Instant, id: FlowId) {
        let linger = self.at(now) + self.io.config.limits.linger;
        if self.flows.get(id).is_some_and(|flow| !flow.is_released()) {
            self.release_until(id, linger);
        }
        self.advance();
    }

    fn release_until(&mut self, id: FlowId, linger: Instant) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let before = core::mem::replace(&mut flow.hold, Hold::Nothing);
        match &flow.state {
            State::DirectStream { .. } | State::Tunnel { .. } if flow.kind == Kind::Stream => {
                flow.deadline = linger;
                if before == Hold::Whole {
                    self.send_end(id);
                }
                if let Some((mut path, io)) = self.stream(id) {
                    path.discard(io);
                    path.pause(io, false);
                }
                self.arm_flow(id);
                self.settle_stream(id);
                if self.stream(id).is_some_and(|(path, io)| path.is_broken(io)) {
                    // Nothing will be delivered any more.
                    self.remove(id, true);
                }
            }
            _ => self.remove(id, false),
        }
    }

    /// The connection of a stream takes nothing any more, while reading from it is paused.
    pub(super) fn on_stream_broken(&mut self, id: FlowId) {
        if self.flows.get(id).is_some_and(|flow| flow.is_released()) {
            self.remove(id, true);
        } else {
            self.io.nudge(id);
        }
    }

    /// Breaks a flow off and gives it back: the target learns that its end is no regular one, and what was written and
    /// not delivered is thrown away.
    pub fn reset(&mut self, now: Instant, id: FlowId) {
        self.at(now);
        self.remove(id, true);
        self.advance();
    }

    /// The network underneath is another, has other addresses, or went away.
    pub fn handle_network(&mut self, now: Instant, network: Network) {
        let now = self.at(now);
        if self.is_closed() {
            return;
        }
        self.io.network = network;
        self.epoch += 1;
        self.network_epoch = self.epoch;
        self.io.tell(What::NetworkChanged { network });
        self.io.memory.handle_network(network);
        self.pool.handle_network(&mut self.io);
        // What was proven over the old network has to be proven again, and its sockets have the wrong address.
        self.routes.handle_network(now, network);
        self.begin_trials();
        while let Some(event) = self.routes.poll_event() {
            self.follow(event);
        }
        for id in self.flows_of(None) {
            let Some(flow) = self.flows.get_mut(id) else { continue };
            match (&mut flow.state, flow.kind) {
                // It is not the tunnel's fault.
                (State::Tunnel { tunnel, .. }, Kind::Datagram) if !self.pool.survives_network(*tunnel) => {
                    self.reopen_at_once(id);
                }
                // In mode off no trial begins by which it would look again, over the network that there is.
                (State::Dialling(dial), _) if !network.up || self.io.config.route.mode == Mode::Off => {
                    dial.end(&mut self.io.requests, None);
                    flow.state = State::Retry(None);
                    self.unplaced.insert(id);
                }
                (State::Retry(_), _) => {
                    self.unplaced.insert(id);
                }
                (State::Asking(_), _) => self.ask_again(id),
                (State::Waiting(Some(_)), _) if network.up => {
                    self.unplaced.insert(id);
                }
                (State::DirectDatagrams { .. }, _) if network.up => self.rebind(id),
                _ => {}
            }
        }
        self.advance();
    }

    /// Asks for a new trial of the direct path, for one kind of flow or for both.
    pub fn retry_direct(&mut self, now: Instant, kind: Option<Kind>) {
        let now = self.at(now);
        if !self.is_open() {
            return;
        }
        self.routes.retry(now, kind);
        self.begin_trials();
        self.advance();
    }

    /// The embedder knows that the direct path works: a connection of its own stands.
    pub fn direct_works(&mut self, now: Instant, kind: Kind) {
        self.at(now);
        if self.is_open() {
            self.prove(kind, Proof::Embedder);
        }
        self.advance();
    }

    /// Puts a new credential in force: for every tunnel that is opened from now on, and for those that run, as far as
    /// their relays let a tunnel live longer by it.
    pub fn renew(&mut self, now: Instant, credential: Credential) {
        let now = self.at(now);
        if !self.is_open() {
            return;
        }
        self.pool.renew(&mut self.io, credential);
        self.arm_token();
        // Who was refused with the old one need not wait any longer.
        let waits = |flow: &Flow| matches!(flow.state, State::Waiting(Some(at)) if at > now);
        self.unplaced.extend(self.flows.iter().filter(|(_, flow)| waits(flow)).map(|(id, _)| id));
        self.advance();
    }

    /// Lets the client end: it opens nothing any more, takes every flow back as [`Self::release`] does, and is closed when
    /// everything that was written is delivered, or after `linger`. [`Self::cut`] says then which of both it was.
    pub fn drain(&mut self, now: Instant, linger: Duration) {
        let deadline = self.at(now) + linger;
        if !self.is_open() {
            return;
        }
        self.end = End::Draining;
        self.io.timers.set(Timer::Drain, Some(deadline));
        for id in self.flows_of(None) {
            self.release_until(id, deadline);
            self.io.nudge(id);
        }
        self.advance();
    }

    /// How many flows the end of this client cut off, before everything that was written to them was delivered.
    pub const fn cut(&self) -> usize {
        match self.end {
            End::Closed { cut } => cut,
            End::Draining | End::Open => 0,
        }
    }

    /// Whether new flows can be opened.
    pub(super) fn is_open(&self) -> bool {
        self.end == End::Open
    }

    /// Tells the relay of every stream that its application has not ended that nothing more comes, so that no tunnel waits for
    /// an end. To be called before [`Self::close`], with what is pending written in between.
    pub fn break_off(&mut self, now: Instant) {
        self.at(now);
        for id in self.flows_of(Some(Kind::Stream)) {
            let is_whole = self.flows.get(id).is_none_or(|flow| flow.is_finished());
            if !is_whole && let Some((mut path, io)) = self.stream(id) {
                path.abort(io);
            }
        }
    }

    /// Ends the client: every flow fails, every socket is closed. Nothing can be asked of it any more, and it says
    /// nothing more. What the system has taken is still sent; a reset tells the other side of a stream where it has not taken
    /// all.
    pub fn close(&mut self, now: Instant) {
        self.at(now);
        self.shut();
    }

    pub(super) fn shut(&mut self) {
        if self.is_closed() {
            return;
        }
        let is_cut = |flow: &Flow| !matches!(flow.state, State::Failed(_));
        let cut = self.flows.iter().filter(|(_, flow)| is_cut(flow)).count();
        self.end = End::Closed { cut };
        for id in self.flows_of(None) {
            let is_missing = self.stream(id).is_some_and(|(path, _)| path.waiting() > 0);
            self.fail_with(id, FlowError::ClientClosed, is_missing);
        }
        // Who waits for strangers learns of the end.
        for association in self.associations.keys() {
            self.io.requests.event(Notice::Association(association));
        }
        self.pool.shut(&mut self.io);
        self.unplaced.clear();
        self.paused.clear();
        for index in 0..self.probes.len() {
            self.stop_probe(index);
        }
        for timer in [Timer::Drain, Timer::Route, Timer::Token] {
            self.io.timers.set(timer, None);
        }
    }

    /// How the connection of a stream broke.
    pub(super) fn broken(&self, id: FlowId) -> FlowError {
        if self.is_truncated(id) { FlowError::Truncated } else { FlowError::Reset }
    }

    /// Whether the relay of an open stream ended without saying that what it sent is whole.
    fn is_truncated(&self, id: FlowId) -> bool {
        match self.flows.get(id).map(|flow| &flow.state) {
            Some(State::Tunnel { tunnel, .. }) => self.pool.is_truncated(*tunnel),
            _ => false,
        }
    }

    /// Why there is no such flow.
    fn unknown(&self) -> FlowError {
        if self.is_open() { FlowError::Closed } else { FlowError::ClientClosed }
    }

    pub(super) fn check(&self, id: FlowId) -> Result<(), FlowError> {
        match self.flows.get(id) {
            None => Err(self.unknown()),
            Some(Flow { state: State::Failed(error), .. }) => Err(error.clone()),
            Some(Flow { hold: Hold::Nothing, .. }) => Err(self.unknown()),
            Some(_) => Ok(()),
        }
    }

    /// Bytes left the machine: a writer may go on, and a stream that ended may be complete.
    pub(super) fn on_room(&mut self, id: FlowId) {
        let mark = self.io.config.limits.buffer / 2;
        if self.stream(id).is_some_and(|(path, _)| path.waiting() <= mark) {
            self.io.nudge(id);
            self.settle_stream(id);
        }
    }

    /// Closes the connection of a stream whose halves have both ended and been delivered.
    pub(super) fn settle_stream(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let (finished, released) = (flow.is_finished(), flow.is_released());
        let Some((mut path, io)) = self.stream(id) else { return };
        if released {
            path.discard(io);
        }
        if finished && path.waiting() == 0 && path.is_finished() {
            path.close(io);
            if released {
                self.remove(id, false);
            }
        }
    }

    /// Removes a flow that its application has released.
    pub(super) fn remove(&mut self, id: FlowId, reset: bool) {
        let is_truncated = self.is_truncated(id);
        let Some(flow) = self.flows.get_mut(id) else { return };
        let state = core::mem::replace(&mut flow.state, State::Retry(None));
        let spare = flow.spare.take();
        let failed = matches!(state, State::Failed(_));
        let open = matches!(state, State::Tunnel { .. } | State::DirectStream { .. });
        self.drop_path(id, state, reset);
        spare.into_iter().for_each(|spare| self.drop_path(id, *spare, true));
        self.io.timers.set(Timer::Flow(id), None);
        if !failed {
            let stream = self.flows.get(id).is_some_and(|flow| flow.kind == Kind::Stream);
            let reason = match stream && open && !reset {
                true if is_truncated => CloseReason::Truncated,
                true => CloseReason::Finished,
                false => CloseReason::Closed,
            };
            self.tell_closed(id, reason);
        }
        let gone = self.flows.remove(id);
        if let Some(association) = gone.and_then(|flow| flow.association) {
            self.leave(association);
        }
        if !self.is_closed() {
            // Whoever waits for something of this flow learns that nothing will come.
            self.io.nudge(id);
        }
    }

    pub(super) fn tell_closed(&mut self, id: FlowId, reason: CloseReason) {
        let Some(flow) = self.flows.get(id) else { return };
        let (kind, target, sent, received) = (flow.kind, flow.target.clone(), flow.sent, flow.received);
        self.io.tell(What::FlowClosed { flow: id, kind, target, sent, received, reason });
    }
}

/// The largest payload of a UDP datagram over IPv4: 65,535 bytes without the headers of IP and UDP.
const MAX_PAYLOAD_IPV4: usize = 65_507;
