//! A stream with the traits and manners of [`std::net::TcpStream`].

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use wayleave_drive::{StreamFlow, stream_verbs};

use crate::Std;
use crate::wait::{Limit, Waiters, took_too_long};

/// A stream to a target, directly or through a relay.
///
/// Each half ends by itself: [`Self::shutdown`] ends the application's, a read of zero bytes is the end of the target's.
/// When the last clone is dropped both end; what was written is still delivered, if the process lives
/// for long enough; [`Client::drain`](crate::Client::drain) waits for that.
///
/// ```
/// # use std::io::{Read, Write};
/// # use std::net::{Shutdown, TcpListener};
/// # use wayleave_std::{Client, ClientConfig};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = Client::new(ClientConfig::direct().build()?)?;
/// let mut stream = client.connect(listener.local_addr()?)?;
/// let (mut target, _) = listener.accept()?;
/// stream.write_all(b"question")?;
/// stream.shutdown(Shutdown::Write)?; // the end of the application's half
/// let mut question = String::new();
/// target.read_to_string(&mut question)?;
/// target.write_all(b"answer")?;
/// drop(target); // the end of the target's
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer)?;
/// assert_eq!((&*question, &*answer), ("question", "answer"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a stream that is dropped ends"]
pub struct Stream(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stream: StreamFlow<Std>,
    readers: Arc<Waiters>,
    writers: Arc<Waiters>,
    read_limit: Limit,
    write_limit: Limit,
    /// The application wants to read no more.
    deaf: AtomicBool,
}

impl Stream {
    pub(crate) fn new(stream: StreamFlow<Std>) -> Self {
        Self(Arc::new(Shared {
            stream,
            readers: Arc::default(),
            writers: Arc::default(),
            read_limit: Limit::default(),
            write_limit: Limit::default(),
            deaf: AtomicBool::new(false),
        }))
    }

    stream_verbs!();

    /// Another handle of the same stream; timeouts and the ends of halves are common to both.
    ///
    /// # Errors
    /// None; [`std::net::TcpStream::try_clone`] has some.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(Arc::clone(&self.0)))
    }

    /// Sets how long a read waits; `None` is for ever. A read that waits already keeps the old one.
    ///
    /// # Errors
    /// `timeout` is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.read_limit.set(timeout)
    }

    /// Sets how long a write waits; `None` is for ever. A write that waits already keeps the old one.
    ///
    /// # Errors
    /// `timeout` is zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.write_limit.set(timeout)
    }

    /// How long a read waits.
    pub fn read_timeout(&self) -> Option<Duration> {
        self.0.read_limit.get()
    }

    /// How long a write waits.
    pub fn write_timeout(&self) -> Option<Duration> {
        self.0.write_limit.get()
    }

    /// Ends one half or both. The end of the application's half waits, for as long as a write may, until the system has taken
    /// it with everything that was written before: it is sent then, also when the process ends. The end of the target's half
    /// is a promise not to read: every read returns zero from now on, also one that waits.
    ///
    /// # Errors
    /// The stream broke before all was taken; `WouldBlock` (on Windows `TimedOut`) when the write timeout passes.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let Shared { stream, readers, writers, write_limit, deaf, .. } = &*self.0;
        if matches!(how, Shutdown::Read | Shutdown::Both) {
            deaf.store(true, Ordering::Release);
            readers.wake_all();
        }
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            let answer = writers.wait(write_limit.get(), |cx| stream.poll_finish(cx));
            answer.ok_or_else(took_too_long)??;
        }
        Ok(())
    }

    fn inner(&self) -> &StreamFlow<Std> {
        &self.0.stream
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let Shared { stream, readers, read_limit, deaf, .. } = &*self.0;
        let answer = readers.wait(read_limit.get(), |cx| {
            if deaf.load(Ordering::Acquire) { Poll::Ready(Ok(0)) } else { stream.poll_read(cx, buffer) }
        });
        Ok(answer.ok_or_else(took_too_long)??)
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let Shared { stream, writers, write_limit, .. } = &*self.0;
        let answer = writers.wait(write_limit.get(), |cx| stream.poll_write_vectored(cx, pieces));
        Ok(answer.ok_or_else(took_too_long)??)
    }

    /// Waits until the system has taken what was written.
    fn flush(&mut self) -> io::Result<()> {
        let Shared { stream, writers, write_limit, .. } = &*self.0;
        let answer = writers.wait(write_limit.get(), |cx| stream.poll_flush(cx));
        Ok(answer.ok_or_else(took_too_long)??)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}
