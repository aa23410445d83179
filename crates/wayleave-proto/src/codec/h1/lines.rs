//! Finds the end of a head byte by byte, and refuses what no line may contain.

use super::fault::HeadFault;
use super::head::HeadLimits;

/// Where in a head the next byte stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines {
    bytes: usize,
    /// Bytes of the present line, without its end.
    line: usize,
    /// Lines that are whole.
    lines: usize,
    leading: usize,
    after_cr: bool,
}

/// What a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The last byte of the head.
    End,
    /// A byte of the head.
    Keep,
    /// A byte of an empty line before the head.
    Skip,
}

impl Lines {
    /// Looks at the next byte.
    ///
    /// # Errors
    /// A broken line end, a control byte, or a limit that this byte exceeds.
    pub(super) fn step(&mut self, byte: u8, limits: &HeadLimits) -> Result<Step, HeadFault> {
        let leading = self.lines == 0 && self.line == 0;
        self.bytes = self.bytes.saturating_add(1);
        let step = match byte {
            b'\n' if !self.after_cr => return Err(HeadFault::BareLf),
            b'\n' => {
                self.after_cr = false;
                self.end_line(limits)?
            }
            _ if self.after_cr => return Err(HeadFault::BareCr),
            b'\r' => {
                self.after_cr = true;
                if leading { Step::Skip } else { Step::Keep }
            }
            b'\t' | b' '..=b'~' | 0x80.. => {
                self.line = self.line.saturating_add(1);
                Step::Keep
            }
            _ => return Err(HeadFault::Control),
        };
        match self.lines {
            0 if self.line > limits.request_line || self.bytes > limits.bytes => Err(HeadFault::LineTooLong),
            _ if self.bytes > limits.bytes => Err(HeadFault::HeadTooLong),
            _ => Ok(step),
        }
    }

    fn end_line(&mut self, limits: &HeadLimits) -> Result<Step, HeadFault> {
        match (self.lines, self.line) {
            (0, 0) => {
                self.leading = self.leading.saturating_add(1);
                if self.leading > MAX_LEADING { Err(HeadFault::LeadingLines) } else { Ok(Step::Skip) }
            }
            (_, 0) => Ok(Step::End),
            _ => {
                self.lines = self.lines.saturating_add(1);
                self.line = 0;
                if self.fields() > limits.fields { Err(HeadFault::FieldsTooMany) } else { Ok(Step::Keep) }
            }
        }
    }

    /// How many field lines are whole.
    pub(super) fn fields(&self) -> usize {
        self.lines.saturating_sub(1)
    }
}

/// Checks that `head` is one whole head and nothing else, and counts its fields.
pub(super) fn check(head: &[u8], limits: &HeadLimits) -> Result<usize, HeadFault> {
    let mut lines = Lines::default();
    let mut bytes = head.iter();
    for byte in bytes.by_ref() {
        if lines.step(*byte, limits)? == Step::End {
            let whole = bytes.as_slice().is_empty();
            return if whole { Ok(lines.fields()) } else { Err(HeadFault::Incomplete) };
        }
    }
    Err(HeadFault::Incomplete)
}

/// Empty lines before a head that are tolerated; [RFC 9112 §2.2](https://www.rfc-editor.org/rfc/rfc9112#section-2.2)
/// asks for one.
const MAX_LEADING: usize = 2;
