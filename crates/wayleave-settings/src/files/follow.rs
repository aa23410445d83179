//! A thread that follows files.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};

/// What looks at files.
pub trait Look: Send + 'static {
    /// What it finds.
    type Found: Send;

    /// Looks whether something is new; one that hangs for ever is the thread's trouble alone.
    fn look(&mut self) -> Option<Self::Found>;

    /// Reads them now, because somebody asks.
    fn read(&mut self) -> Self::Found;
}

/// Files that a thread of its own looks at again and again, and at once when it is asked. It ends when this is dropped, and
/// nobody waits for it.
#[derive(Debug)]
#[must_use = "nobody follows once it is dropped"]
pub struct Follower<T> {
    asks: Arc<AtomicU64>,
    ask: SyncSender<()>,
    found: Receiver<(T, Option<u64>)>,
}

impl<T: Send + 'static> Follower<T> {
    /// Follows from now on, and looks every so often.
    ///
    /// # Errors
    /// There are no more threads.
    pub fn start(mut files: impl Look<Found = T>, every: Duration) -> io::Result<Self> {
        let asks = Arc::new(AtomicU64::new(0));
        let (ask, asked) = sync_channel::<()>(1);
        let (tell, found) = channel(1);
        let counted = Arc::clone(&asks);
        thread::Builder::new().name("wayleave-files".into()).spawn(move || {
            loop {
                let news = match asked.recv_timeout(every) {
                    Ok(()) => {
                        // Counted before it is read: who asks from now on wants it read once more.
                        let number = counted.load(Ordering::SeqCst);
                        Some((files.read(), Some(number)))
                    }
                    Err(RecvTimeoutError::Timeout) => files.look().map(|found| (found, None)),
                    Err(RecvTimeoutError::Disconnected) => return,
                };
                if news.is_some_and(|news| tell.blocking_send(news).is_err()) {
                    return;
                }
            }
        })?;
        Ok(Self { asks, ask, found })
    }

    /// Asks for a reading at once, and says which number the asking has. Several that nobody has begun with are one.
    pub fn ask(&self) -> u64 {
        let number = self.asks.fetch_add(1, Ordering::SeqCst) + 1;
        let _ = self.ask.try_send(());
        number
    }

    /// What is found next; where somebody asked, with the last number that it answers. Cancel safe; it never ends.
    pub async fn next(&mut self) -> (T, Option<u64>) {
        match self.found.recv().await {
            Some(news) => news,
            // The thread goes on as long as this is there.
            None => pending().await,
        }
    }
}
