//! The thread's side: it writes, remembers what it could not, and says so.

use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::Duration;

use super::{Entry, Outlet, Trouble};

/// Writes lines whole, in their order.
pub(super) struct Writer<O> {
    outlet: O,
    out: Option<Box<dyn Write + Send>>,
    /// Lines that were left out and not told of.
    lost: u64,
    /// A part of a line stands there.
    torn: bool,
    /// That it cannot be written was told.
    is_troubled: bool,
}

impl<O: Outlet> Writer<O> {
    pub(super) const fn new(outlet: O, out: Option<Box<dyn Write + Send>>) -> Self {
        Self { outlet, out, lost: 0, torn: false, is_troubled: false }
    }

    /// Does what was taken from the queue; a line stands behind one about what is missing before it.
    pub(super) fn take(&mut self, entry: Entry) {
        let written = match entry {
            Entry::Gap(count) => {
                self.lost = self.lost.saturating_add(count);
                self.tell_lost()
            }
            Entry::Line(line) => {
                let written = self.tell_lost().and_then(|()| self.put(&line));
                self.lost = self.lost.saturating_add(u64::from(written.is_err()));
                written
            }
            Entry::Reopen => return self.reopen(),
        };
        if let Err(error) = written
            && !std::mem::replace(&mut self.is_troubled, true)
        {
            self.outlet.trouble(Trouble::Unwritten(&error));
        }
    }

    /// Opens the outlet anew; where that fails the old one goes on.
    fn reopen(&mut self) {
        match self.outlet.open() {
            Ok(out) => (self.out, self.torn) = (Some(out), false),
            Err(error) => self.outlet.trouble(Trouble::Kept(&error)),
        }
    }

    fn tell_lost(&mut self) -> io::Result<()> {
        if self.torn {
            self.put(b"\n")?;
        }
        if self.lost > 0 {
            let line = self.outlet.left_out(self.lost);
            self.put(line.as_bytes())?;
            if std::mem::take(&mut self.is_troubled) {
                self.outlet.trouble(Trouble::Over(self.lost));
            }
            self.lost = 0;
        }
        Ok(())
    }

    fn put(&mut self, mut rest: &[u8]) -> io::Result<()> {
        let out = match &mut self.out {
            Some(out) => out,
            None => self.out.insert(self.outlet.open()?),
        };
        while !rest.is_empty() {
            match out.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A pipe or terminal that somebody else has made non-blocking, and whose reader stands still.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// How long to wait for a reader that cannot be waited for.
const PAUSE: Duration = Duration::from_millis(20);
