//! The variable-length integer of QUIC, [RFC 9000 §16](https://www.rfc-editor.org/rfc/rfc9000#section-16).

/// The largest number that fits.
pub const MAX: u64 = (1 << 62) - 1;

/// Reads one number from the front of `bytes`: the number, and how many bytes it took (1, 2, 4 or 8).
///
/// Every width is legal, not only the shortest. `None` means that the number is not whole yet.
pub fn decode(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let width = width(first);
    let rest = bytes.get(1..width)?;
    let value = rest.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Some((value, width))
}

/// How many bytes the shortest form of `value` takes; 8 for everything too large.
pub const fn len(value: u64) -> usize {
    match value {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..0x4000_0000 => 4,
        _ => 8,
    }
}

/// Appends the shortest form of `value`; a number above [`MAX`] is written as [`MAX`].
pub fn encode(value: u64, out: &mut Vec<u8>) {
    let (bytes, len) = to_bytes(value);
    out.extend(bytes.iter().take(len));
}

/// The shortest form of `value`, and how many of the bytes it takes; a number above [`MAX`] is written as [`MAX`].
pub const fn to_bytes(value: u64) -> ([u8; 8], usize) {
    let value = if value > MAX { MAX } else { value };
    let len = len(value);
    // 1, 2, 4, 8 become 0, 1, 2, 3 in the first two bits.
    let prefix = (len.trailing_zeros() as u64) << 62;
    ((value << (64 - 8 * len) | prefix).to_be_bytes(), len)
}

/// How many bytes a number takes whose first byte is `first`.
pub(super) const fn width(first: u8) -> usize {
    1 << (first >> 6)
}

#[cfg(test)]
mod tests;
