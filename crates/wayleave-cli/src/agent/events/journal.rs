//! Where events go as JSON, one object a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use tracing::{info, warn};

use super::super::options::Destination;
use crate::Failure;
use crate::lines::{Lines, Outlet, Trouble};

/// The events of this run. It is apart from the log and from every flow: none waits for whoever reads it.
#[derive(Debug)]
pub(in crate::agent) struct Journal(Lines);

impl Journal {
    /// Opens `destination`; a file begins empty. Moments count from `began`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(in crate::agent) fn open(destination: Destination, began: Instant) -> Result<Self, Failure> {
        let shown = match &destination {
            Destination::File(path) => path.display().to_string(),
            Destination::StandardOutput => "standard output".into(),
        };
        let outlet = Events { destination, began, is_begun: false };
        Lines::start("wayleave-events", outlet, HELD).map(Self).map_err(|error| {
            Failure::run(format!(
                "the events cannot be written to {shown} ({error}); check the path of --events"
            ))
        })
    }

    /// Puts one line, with its end, behind the others.
    pub(in crate::agent) fn write(&self, line: String) {
        self.0.push(line.into_bytes());
    }

    /// Goes on in a new file of the same name, after somebody has renamed the old one.
    pub(in crate::agent) fn reopen(&self) {
        self.0.reopen();
    }

    /// Waits until everything is written, at most until `until`.
    pub(in crate::agent) fn finish(&self, until: Instant) {
        self.0.flush(until);
    }
}

/// The outlet of events.
struct Events {
    destination: Destination,
    began: Instant,
    is_begun: bool,
}

impl Outlet for Events {
    fn open(&mut self) -> io::Result<Box<dyn Write + Send>> {
        match &self.destination {
            Destination::File(path) => {
                let file = append(path)?;
                if !self.is_begun && file.metadata()?.is_file() {
                    file.set_len(0)?;
                }
                self.is_begun = true;
                Ok(Box::new(file))
            }
            Destination::StandardOutput => standard_output().map(|file| Box::new(file) as _),
        }
    }

    fn left_out(&self, count: u64) -> String {
        let at = self.began.elapsed().as_millis();
        let at = u64::try_from(at).unwrap_or(u64::MAX);
        format!("{}\n", json!({ "t_ms": at, "event": "events_left_out", "count": count }))
    }

    fn trouble(&self, trouble: Trouble<'_>) {
        match trouble {
            Trouble::Kept(error) => {
                warn!("the events file cannot be opened anew ({error}); events go on into the old one");
            }
            Trouble::Over(count) => info!("events are written again; {count} were left out"),
            Trouble::Unwritten(error) => {
                warn!("events cannot be written ({error}); they are left out and counted until they can");
            }
        }
    }
}

/// Whoever empties the file meanwhile (`copytruncate`) finds the next line at its beginning.
fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// A descriptor of its own: the one of the standard library has a lock that a reader who stands still would keep.
fn standard_output() -> io::Result<File> {
    #[cfg(unix)]
    let owned = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?;
    #[cfg(windows)]
    let owned = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned()?;
    Ok(File::from(owned))
}

/// Bytes that wait for the disk or a reader.
const HELD: usize = 4 << 20;
