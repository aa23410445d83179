//! Bytes to send, and the sums by which they are recognised.

use std::io::{self, Read, Write};
use std::thread;

use ring::digest::{Context, Digest, SHA256};

use crate::kit::{Stream, Writer};
use crate::lab::CHUNK;

/// How many bytes went by, and their SHA-256.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sum {
    length: usize,
    digest: Vec<u8>,
}

/// A sum that is still growing.
struct Summing {
    length: usize,
    context: Context,
}

impl Summing {
    fn new() -> Self {
        Self { length: 0, context: Context::new(&SHA256) }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        self.context.update(bytes);
    }

    fn finish(self) -> Sum {
        let digest: Digest = self.context.finish();
        Sum { length: self.length, digest: digest.as_ref().to_vec() }
    }
}

/// Writes `length` bytes that do not repeat.
pub(super) fn write_all(writer: &mut (impl Write + ?Sized), length: usize) -> io::Result<Sum> {
    write_while(writer, length, || true)
}

/// Writes bytes that do not repeat for as long as `goes_on` after each piece, but no more than `most`.
pub(super) fn write_while(
    writer: &mut (impl Write + ?Sized),
    most: usize,
    mut goes_on: impl FnMut() -> bool,
) -> io::Result<Sum> {
    let (mut sum, mut seed) = (Summing::new(), 1_u64);
    let mut chunk = vec![0; CHUNK];
    while sum.length < most {
        fill(&mut chunk, &mut seed);
        let piece = &chunk[..CHUNK.min(most - sum.length)];
        writer.write_all(piece)?;
        sum.add(piece);
        if !goes_on() {
            break;
        }
    }
    Ok(sum.finish())
}

/// Reads to the end.
pub(super) fn read_all(reader: &mut (impl Read + ?Sized)) -> io::Result<Sum> {
    let mut sum = Summing::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(sum.finish()),
            count => sum.add(&chunk[..count]),
        }
    }
}

/// Writes `length` bytes and ends that half while another thread reads to the end of the other: both sums.
pub(super) fn exchange(stream: Stream, length: usize) -> (Sum, Sum) {
    let Stream { mut reader, mut writer, .. } = stream;
    thread::scope(|scope| {
        let written = scope.spawn(|| write_and_finish(&mut *writer, length));
        let read = read_all(&mut *reader).unwrap();
        (written.join().unwrap(), read)
    })
}

/// Writes `length` bytes, and no more will come.
pub(super) fn write_and_finish(writer: &mut dyn Writer, length: usize) -> Sum {
    let sum = write_all(writer, length).unwrap();
    writer.finish().unwrap();
    sum
}

/// Bytes of a datagram.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fill(&mut bytes, &mut 1);
    bytes
}

/// Numbers by xorshift: cheap, and no piece is like another.
fn fill(bytes: &mut [u8], seed: &mut u64) {
    for piece in bytes.chunks_mut(8) {
        piece.copy_from_slice(&next(seed).to_le_bytes()[..piece.len()]);
    }
}

/// The next number after `seed`.
pub(super) fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}
