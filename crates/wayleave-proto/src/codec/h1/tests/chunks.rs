use crate::codec::h1::{Chunk, ChunkFault, ChunkReader};

/// The content, the trailer's fields, and how much was left behind the end.
type Read = (Vec<u8>, Option<Vec<(String, Vec<u8>)>>, usize);

/// Reads `input` in pieces of `piece` bytes.
fn read(input: &[u8], piece: usize) -> Result<Read, ChunkFault> {
    let mut reader = ChunkReader::default();
    let (mut content, mut trailer, mut used) = (Vec::new(), None, 0);
    for bytes in input.chunks(piece) {
        let mut rest = bytes;
        while let Some(chunk) = reader.next(&mut rest)? {
            match chunk {
                Chunk::Content(bytes) => content.extend_from_slice(bytes),
                Chunk::End(fields) => {
                    let fields = fields.fields().into_iter();
                    trailer = Some(fields.map(|(name, value)| (name.to_owned(), value.to_vec())).collect());
                }
            }
        }
        used += bytes.len() - rest.len();
        if reader.is_done() {
            break;
        }
    }
    Ok((content, trailer, input.len() - used))
}

#[test]
fn content_is_read_at_every_split() {
    let input =
        b"4\r\nWiki\r\n5;a=b;c=\"d\"\r\npedia\r\nE \r\n in\r\n\r\nchunks.\r\n000\r\nX: y\r\nZ:\r\n\r\nnext";
    for piece in 1..=input.len() {
        let (content, trailer, left) = read(input, piece).unwrap();
        assert_eq!(content, b"Wikipedia in\r\n\r\nchunks.");
        assert_eq!(trailer, Some(vec![("X".to_owned(), b"y".to_vec()), ("Z".to_owned(), Vec::new())]));
        assert_eq!(left, 4);
    }
    for end in 0..input.len() - 4 {
        assert_eq!(read(&input[..end], 3).unwrap().1, None, "cut at {end}");
    }
}

#[test]
fn row16_what_two_readers_could_take_differently_is_refused() {
    for (input, fault) in [
        (&b"\r\n"[..], ChunkFault::Malformed),
        (b";x\r\n", ChunkFault::Malformed),
        (b" 5\r\n", ChunkFault::Malformed),
        (b"+5\r\n", ChunkFault::Malformed),
        (b"-1\r\n", ChunkFault::Malformed),
        (b"0x5\r\n", ChunkFault::Malformed),
        (b"5\nhello\r\n", ChunkFault::Malformed),
        (b"5\r\r\n", ChunkFault::Malformed),
        (b"5;a\nb\r\n", ChunkFault::Malformed),
        (b"5;a\rb\r\n", ChunkFault::Malformed),
        (b"5\r\nhello\n", ChunkFault::Malformed),
        (b"5\r\nhello0\r\n", ChunkFault::Malformed),
        (b"5\r\nhello\rX", ChunkFault::Malformed),
        (b"0\r\nX: y\n\r\n", ChunkFault::Malformed),
        (b"0\r\nX : y\r\n\r\n", ChunkFault::Malformed),
        (b"0\r\nX: \0\r\n\r\n", ChunkFault::Malformed),
        (b"0\r\n folded\r\n\r\n", ChunkFault::Malformed),
        (b"10000000000000000\r\n", ChunkFault::Size),
        (b"00000000000000005\r\n", ChunkFault::Size),
    ] {
        assert_eq!(read(input, 1), Err(fault), "{input:?}");
        assert_eq!(read(input, usize::MAX), Err(fault), "{input:?}");
    }
    let long = [b"5;".as_slice(), &[b'x'; 5_000], b"\r\n"].concat();
    assert_eq!(read(&long, 100), Err(ChunkFault::TooLong));
    let long = [b"0\r\nX: ".as_slice(), &[b'x'; 10_000], b"\r\n\r\n"].concat();
    assert_eq!(read(&long, 100), Err(ChunkFault::TooLong));
    let many = [b"0\r\n".as_slice(), &b"X: y\r\n".repeat(70), b"\r\n"].concat();
    assert_eq!(read(&many, 100), Err(ChunkFault::Malformed));
    assert_eq!(read(b"FFFFFFFFFFFFFFFF\r\nx", 100).unwrap().0, b"x");
}
