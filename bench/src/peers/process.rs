//! A relay as a process: started on its core, watched, and ended.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::lab::Lab;
use crate::{stop, sys};

/// A running relay; it ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` on the core for relays.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(lab: &Lab, name: &str, mut command: Command) -> anyhow::Result<Self> {
        let log = lab.log(name);
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).current_dir(&lab.folder);
        sys::confine(&mut command, lab.relay_core);
        let child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { child, log })
    }

    /// Waits until `address` takes connections.
    ///
    /// # Errors
    /// The process has ended, with the last words of its log, or the time is over.
    pub fn until_it_listens(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        self.until(|| TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok())
    }

    /// Waits until `is_ready`.
    ///
    /// # Errors
    /// The process has ended, with the last words of its log, or the time is over.
    pub fn until(&mut self, mut is_ready: impl FnMut() -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            stop::check()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended at once ({status}): {}", self.last_words());
            }
            if is_ready() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("it was not ready within {PATIENCE:?}: {}", self.last_words())
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let family = sys::family(self.child.id());
        sys::terminate(self.child.id());
        let deadline = Instant::now() + Duration::from_secs(1);
        while Instant::now() < deadline {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        // It may have ended by now.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What it had started and left behind.
        family.into_iter().skip(1).for_each(sys::terminate);
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
