//! What a process sees of its system: the runtime that ships with no adapter.

use core::any::Any;
use core::fmt;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::io::{self, IoSlice};
use std::sync::MutexGuard;

use wayleave_drive::{Answer, Binding, Lookup, PollAnswer, Runtime};
use wayleave_proto::base::{Clock, Instant, Name, Seed};
use wayleave_proto::client::Notice;
use wayleave_proto::config::Liveness;
use wayleave_proto::error::{IoFailed, IoFailure, Resource};
use wayleave_proto::net::{Arrival, Packets, Remote, Transmit};

use super::{Kernel, LookupId, Shared, Socket, Step};
use crate::stack::Handle;

/// The sockets, the timer and the look-ups of a simulated host, for one process.
#[derive(Clone, Debug)]
pub(in crate::world) struct Simulated {
    kernel: Shared,
    /// Which of the processes it is that have run on the host.
    process: u32,
    /// Which of its machines.
    machine: usize,
}

/// A descriptor of the process.
#[derive(Debug)]
pub(in crate::world) struct Descriptor {
    handle: Handle,
    runtime: Simulated,
}

/// A port on which the process listens.
#[derive(Debug)]
pub(in crate::world) struct Listener {
    port: u16,
    runtime: Simulated,
}

struct Question {
    id: LookupId,
    runtime: Simulated,
}

impl Simulated {
    pub(super) const fn new(kernel: Shared, process: u32) -> Self {
        Self { kernel, process, machine: 0 }
    }

    /// The same for another machine of the process.
    pub(in crate::world) fn machine(&self, machine: usize) -> Self {
        Self { machine, ..self.clone() }
    }

    /// The system, as long as the process lives.
    fn enter(&self) -> Option<MutexGuard<'_, Kernel>> {
        let kernel = self.kernel.lock();
        (kernel.crashes == self.process).then_some(kernel)
    }

    fn descriptor(&self, handle: Handle) -> Descriptor {
        Descriptor { handle, runtime: self.clone() }
    }
}

impl Descriptor {
    /// Does what can be done now, or has the process woken when something happens to the socket.
    fn poll<T>(
        &self,
        cx: &Context<'_>,
        act: impl FnOnce(&mut Kernel, Handle) -> Option<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(mut kernel) = self.runtime.enter() else { return Poll::Pending };
        if kernel.puts_off(cx) {
            return Poll::Pending;
        }
        match act(&mut kernel, self.handle) {
            Some(done) => Poll::Ready(done),
            None => {
                if let Some(socket) = kernel.sockets.get_mut(&self.handle) {
                    match &mut socket.waker {
                        Some(known) if known.will_wake(cx.waker()) => {}
                        slot => *slot = Some(cx.waker().clone()),
                    }
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let Some(mut kernel) = self.runtime.enter() else { return };
        let now = kernel.now;
        let resets = kernel.sockets.remove(&self.handle).is_some_and(|socket| socket.resets);
        kernel.stack.close(now, self.handle, resets);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let machine = self.runtime.machine;
        if let Some(mut kernel) = self.runtime.enter() {
            while kernel.refuse_one(machine) {}
            kernel.listeners.remove(&machine);
            if kernel.listeners.is_empty() {
                kernel.stack.listen(self.port, false);
            }
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Some(mut kernel) = self.runtime.enter() {
            kernel.lookups.remove(&self.id);
        }
    }
}

impl PollAnswer for Question {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        let Some(mut kernel) = self.runtime.enter() else { return Poll::Pending };
        if kernel.puts_off(cx) {
            return Poll::Pending;
        }
        let Some(lookup) = kernel.lookups.get_mut(&self.id) else { return Poll::Pending };
        match lookup.answers.pop_front() {
            Some(answer) => Poll::Ready(answer),
            None => {
                lookup.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Runtime for Simulated {
    type Stream = Descriptor;
    type Datagrams = Descriptor;
    type Listener = Listener;

    fn now(&self) -> Instant {
        self.kernel.lock().now
    }

    fn clock(&self) -> Clock {
        let kernel = self.kernel.lock();
        Clock::new(kernel.now, kernel.unix)
    }

    fn seed(&self) -> Seed {
        self.kernel.lock().seed
    }

    fn lookup(&self, name: &Name) -> Lookup {
        let mut kernel = self.kernel.lock();
        let id = LookupId(kernel.next_lookup);
        if kernel.crashes == self.process {
            kernel.next_lookup += 1;
            kernel.lookups.insert(id, super::Lookup::default());
            kernel.log.push(Step::Asked { id, name: name.clone() });
        }
        Box::new(Question { id, runtime: self.clone() })
    }

    fn dial(&self, address: SocketAddr) -> io::Result<Descriptor> {
        let mut kernel = self.enter().ok_or_else(no_descriptor)?;
        kernel.log.push(Step::Dialled { address });
        let now = kernel.now;
        let handle = kernel.stack.connect(now, address).ok_or_else(no_descriptor)?;
        kernel.insert(handle, address, true, 0);
        Ok(self.descriptor(handle))
    }

    fn poll_connected(&self, stream: &mut Descriptor, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        stream.poll(cx, |kernel, handle| {
            let socket = kernel.sockets.get_mut(&handle)?;
            if let Some(failure) = socket.failed {
                return Some(Err(failed(failure)));
            }
            if !socket.opened {
                return None;
            }
            (socket.present, socket.fresh) = (true, true);
            kernel.log.push(Step::Opened { remote: socket.remote });
            kernel.stack.local(handle).map(Ok)
        })
    }

    fn bind(&self, binding: Binding) -> io::Result<(Descriptor, SocketAddr)> {
        let mut kernel = self.enter().ok_or_else(no_descriptor)?;
        let remote = match binding.remote {
            Remote::One(address) => Some(address),
            Remote::Every(_) => None,
        };
        if let Some(address) = remote {
            kernel.log.push(Step::Bound { address });
        }
        let handle = kernel.stack.bind(None, remote).ok_or_else(no_descriptor)?;
        let local = kernel.stack.local(handle).ok_or_else(no_descriptor)?;
        kernel.insert(handle, remote.unwrap_or(local), false, binding.receive_buffer);
        Ok((self.descriptor(handle), local))
    }

    fn listen(&self, address: SocketAddr) -> io::Result<(Listener, SocketAddr)> {
        let mut kernel = self.enter().ok_or_else(no_descriptor)?;
        kernel.stack.listen(address.port(), true);
        kernel.listeners.insert(self.machine, None);
        Ok((Listener { port: address.port(), runtime: self.clone() }, address))
    }

    fn listen_beside(&self, other: &Listener) -> io::Result<Listener> {
        let mut kernel = self.enter().ok_or_else(no_descriptor)?;
        kernel.listeners.insert(self.machine, None);
        Ok(Listener { port: other.port, runtime: self.clone() })
    }

    fn poll_accept(
        &self,
        _: &mut Listener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Descriptor, SocketAddr, SocketAddr)>> {
        let Some(mut kernel) = self.enter() else { return Poll::Pending };
        if kernel.puts_off(cx) {
            return Poll::Pending;
        }
        let Some(waiting) = kernel.waiting_for(self.machine) else {
            kernel.listeners.insert(self.machine, Some(cx.waker().clone()));
            return Poll::Pending;
        };
        let Some(handle) = kernel.stack.accept(waiting) else {
            kernel.see("Full");
            return Poll::Ready(Err(no_descriptor()));
        };
        let Some((local, remote)) = kernel.stack.addresses(handle) else { return Poll::Pending };
        kernel.insert(handle, remote, true, 0);
        if let Some(socket) = kernel.sockets.get_mut(&handle) {
            (socket.accepted, socket.opened) = (true, true);
        }
        Poll::Ready(Ok((self.descriptor(handle), remote, local)))
    }

    fn refuse(&self, _: &mut Listener) -> io::Result<()> {
        let mut kernel = self.enter().ok_or_else(no_descriptor)?;
        if !kernel.choices.has_spare {
            return Err(no_descriptor());
        }
        if kernel.refuse_one(self.machine) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    fn poll_broken(&self, stream: &mut Descriptor, cx: &mut Context<'_>) -> Poll<io::Error> {
        let broken = |kernel: &mut Kernel, handle| Some(Ok(failed(kernel.sockets.get(&handle)?.failed?)));
        stream.poll(cx, broken).map(|error| error.unwrap_or_else(|error| error))
    }

    fn read_rest(&self, stream: &mut Descriptor, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut kernel) = self.enter() else { return Err(io::ErrorKind::WouldBlock.into()) };
        kernel.read(stream.handle, buffer, true).unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    fn has_lost_address(&self, stream: &Descriptor) -> bool {
        self.enter().is_some_and(|kernel| {
            let local = kernel.stack.addresses(stream.handle).map(|(local, _)| local.ip());
            kernel.choices.tells_addresses() && local.is_some_and(|local| local != kernel.stack.address)
        })
    }

    fn poll_read(
        &self,
        stream: &mut Descriptor,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // Who cannot be woken throws away what he reads, before he closes.
        let is_wanted = !cx.waker().will_wake(Waker::noop());
        stream.poll(cx, |kernel, handle| kernel.read(handle, buffer, is_wanted))
    }

    fn poll_write(
        &self,
        stream: &mut Descriptor,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        stream.poll(cx, |kernel, handle| kernel.write(handle, bytes))
    }

    fn poll_write_vectored(
        &self,
        stream: &mut Descriptor,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        stream.poll(cx, |kernel, handle| {
            let mut written = 0;
            for piece in pieces {
                match kernel.write(handle, piece) {
                    Some(Ok(taken)) if taken == piece.len() => written += taken,
                    Some(Ok(taken)) => return Some(Ok(written + taken)),
                    other if written == 0 => return other,
                    _ => break,
                }
            }
            Some(Ok(written))
        })
    }

    // Acknowledgements cost nothing here.
    fn delay_acks(&self, _: &mut Descriptor) {}

    fn watch(&self, stream: &mut Descriptor, liveness: &Liveness) {
        if let Some(mut kernel) = self.enter() {
            let now = kernel.now;
            kernel.stack.watch(now, stream.handle, *liveness);
        }
    }

    fn finish(&self, stream: &mut Descriptor) {
        if let Some(mut kernel) = self.enter() {
            let now = kernel.now;
            kernel.stack.finish(now, stream.handle);
        }
    }

    fn set_reset(&self, stream: &mut Descriptor, resets: bool) {
        if let Some(mut kernel) = self.enter()
            && let Some(socket) = kernel.sockets.get_mut(&stream.handle)
        {
            socket.resets = resets;
        }
    }

    fn poll_receive(
        &self,
        socket: &mut Descriptor,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        arrivals: &mut [Arrival],
    ) -> Poll<io::Result<usize>> {
        socket.poll(cx, |kernel, handle| kernel.receive(handle, buffer, arrivals))
    }

    fn most_arrivals(&self) -> usize {
        3
    }

    fn poll_send(
        &self,
        socket: &mut Descriptor,
        cx: &mut Context<'_>,
        transmit: Transmit<'_>,
    ) -> Poll<io::Result<usize>> {
        socket.poll(cx, |kernel, handle| kernel.send(handle, transmit))
    }

    fn overflowed(&self, socket: &Descriptor) -> u64 {
        let of = |kernel: MutexGuard<'_, Kernel>| Some(kernel.sockets.get(&socket.handle)?.dropped);
        self.enter().and_then(of).unwrap_or_default()
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let Some(mut kernel) = self.enter() else { return Poll::Pending };
        // At the very moment of a deadline, what comes is heard before it has passed.
        if deadline < kernel.now || (deadline == kernel.now && kernel.fired == Some(kernel.now)) {
            return Poll::Ready(());
        }
        kernel.timers.insert(self.machine, (deadline, cx.waker().clone()));
        Poll::Pending
    }

    /// Nothing here asks for it.
    fn spawn(&self, _: Pin<Box<dyn Future<Output = ()> + Send>>) {}

    fn told<E: Any>(&self, event: &E) {
        let step = match (event as &dyn Any).downcast_ref() {
            Some(Notice::Event(_)) => Step::Said,
            Some(Notice::Flow(_) | Notice::Association(_)) => Step::Noticed,
            // A relay's are handed to whoever serves it.
            None => return,
        };
        if let Some(mut kernel) = self.enter() {
            kernel.log.push(step);
        }
    }
}

impl Kernel {
    /// Whether the system does nothing now, for no reason that a process can see, and wakes it at once.
    fn puts_off(&mut self, cx: &Context<'_>) -> bool {
        // Who cannot be woken would never come back.
        let is_odd = !cx.waker().will_wake(Waker::noop()) && self.choices.is_odd();
        if is_odd {
            self.see("Pending");
            cx.waker().wake_by_ref();
        }
        is_odd
    }

    fn read(&mut self, handle: Handle, buffer: &mut [u8], is_wanted: bool) -> Option<io::Result<usize>> {
        let Socket { failed: failure, accepted, .. } = *self.sockets.get(&handle)?;
        let most = self.choices.chunk().min(buffer.len());
        let bytes = self.stack.read(self.now, handle, most);
        if bytes.is_empty() {
            if self.stack.is_finished(handle) {
                return Some(Ok(0));
            }
            return failure.map(|failure| Err(failed(failure)));
        }
        buffer.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        if !accepted && is_wanted {
            self.moved[1] += bytes.len() as u64;
            let socket = self.sockets.get_mut(&handle)?;
            if !core::mem::replace(&mut socket.heard, true) && socket.present {
                self.log.push(Step::Answered { remote: socket.remote, is_stream: true });
            }
        }
        Some(Ok(bytes.len()))
    }

    fn write(&mut self, handle: Handle, mut bytes: &[u8]) -> Option<io::Result<usize>> {
        if let Some(failure) = self.sockets.get(&handle)?.failed {
            self.see("Broken");
            return Some(Err(failed(failure)));
        }
        if bytes.len() > 1 && self.choices.is_odd() {
            self.see("Partial");
            bytes = bytes.get(..=self.choices.below(bytes.len() - 1))?;
        }
        let taken = self.stack.write(self.now, handle, bytes);
        if taken == 0 {
            return None;
        }
        let socket = self.sockets.get_mut(&handle)?;
        socket.spoken = true;
        if !socket.accepted {
            self.moved[0] += taken as u64;
        }
        Some(Ok(taken))
    }

    /// Brings as many pieces as the system likes, and each made of as many datagrams as it likes.
    fn receive(
        &mut self,
        handle: Handle,
        buffer: &mut [u8],
        arrivals: &mut [Arrival],
    ) -> Option<io::Result<usize>> {
        if let Some(failure) = self.sockets.get_mut(&handle)?.failed.take() {
            return Some(Err(failed(failure)));
        }
        let most = 1 + self.choices.below(arrivals.len());
        let mut count = 0;
        for (slot, arrival) in buffer.chunks_mut(Packets::SLOT).zip(arrivals).take(most) {
            let Some(piece) = self.next_piece(handle, slot) else { break };
            *arrival = piece;
            count += 1;
        }
        if count > 1 {
            self.see("Batched");
        }
        (count > 0).then_some(Ok(count))
    }

    /// The next datagram that waits, maybe joined with those behind it.
    fn next_piece(&mut self, handle: Handle, slot: &mut [u8]) -> Option<Arrival> {
        let joins = self.choices.below(2) == 0;
        let socket = self.sockets.get_mut(&handle)?;
        let (from, first) = socket.inbox.pop_front()?;
        let mut bytes = first;
        let stride = bytes.len();
        let mut last = stride;
        let mut count = 1;
        while joins
            && last == stride
            && count < Transmit::MOST
            && let Some((sender, next)) = socket.inbox.front()
            && *sender == from
            && (1..=stride).contains(&next.len())
            && bytes.len() + next.len() <= slot.len()
        {
            last = next.len();
            bytes.extend_from_slice(next);
            socket.inbox.pop_front();
            count += 1;
        }
        socket.waiting -= bytes.len();
        slot.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        (0..count).for_each(|_| self.log.push(Step::Answered { remote: from, is_stream: false }));
        if count > 1 {
            self.see("Joined");
        }
        Some(Arrival { stride, ..Arrival::one(from, bytes.len()) })
    }

    /// Takes as many of the datagrams as the system likes.
    fn send(&mut self, handle: Handle, transmit: Transmit<'_>) -> Option<io::Result<usize>> {
        if let Some(failure) = self.sockets.get_mut(&handle)?.failed.take() {
            return Some(Err(failed(failure)));
        }
        let count = 1 + self.choices.below(transmit.count());
        if count > 1 {
            self.see("Together");
        }
        self.sockets.get_mut(&handle)?.spoken = true;
        for payload in transmit.datagrams().take(count) {
            self.stack.send(handle, transmit.destination, payload.to_vec());
            self.moved[0] += payload.len() as u64;
        }
        Some(Ok(count))
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("id", &self.id).finish_non_exhaustive()
    }
}

fn no_descriptor() -> io::Error {
    failed(IoFailure::Exhausted(Resource::Descriptors))
}

fn failed(failure: IoFailure) -> io::Error {
    io::Error::new(failure.kind(), IoFailed::new(failure))
}
