//! Threads that stand ready before they have something to do.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Threads that wait for the word to begin, so that whoever has one too few hears it before anything has begun.
#[derive(Debug, Default)]
pub struct Crew(Vec<Sender<()>>);

impl Crew {
    /// Has a further thread, named `name`, do `work` once [`Self::begin`] is called. Where it never is, `work` is dropped
    /// there.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn add(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let (tell, told) = channel();
        thread::Builder::new().name(name.into()).spawn(move || {
            if told.recv().is_ok() {
                work();
            }
        })?;
        self.0.push(tell);
        Ok(())
    }

    /// Lets them begin; they end by themselves.
    pub fn begin(self) {
        for tell in self.0 {
            // One that is not there any more has panicked.
            let _ = tell.send(());
        }
    }
}
