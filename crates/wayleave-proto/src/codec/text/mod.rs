//! What a stranger wrote, made fit for a log line or an error.

use core::fmt::Write;

/// At most `limit` characters of `bytes`, all of them printable ASCII.
///
/// A backslash is doubled and every byte outside of printable ASCII becomes `\xNN`, so that one event stays on one
/// line and a terminal is not steered by a peer. An escape is never cut in half.
pub fn escaped(bytes: &[u8], limit: usize) -> String {
    let mut out = String::new();
    for &byte in bytes {
        let width = match byte {
            b'\\' => 2,
            b' '..=b'~' => 1,
            _ => 4,
        };
        if out.len().saturating_add(width) > limit {
            break;
        }
        // Writing to a string does not fail.
        let _ = match byte {
            b'\\' => out.write_str("\\\\"),
            b' '..=b'~' => out.write_char(char::from(byte)),
            _ => write!(out, "\\x{byte:02x}"),
        };
    }
    out
}

#[cfg(test)]
mod tests;
