use super::super::rustls::Records;

#[test]
fn records_are_followed_over_every_split() {
    let mut stream = Vec::new();
    let mut ends = vec![0];
    for len in [0_usize, 1, 255, 256, 700] {
        stream.extend([23, 3, 3, (len >> 8) as u8, len as u8]);
        stream.extend(vec![9; len]);
        ends.push(stream.len());
    }
    for split in 1..stream.len() {
        let (mut records, mut at) = (Records::default(), 0);
        for piece in stream.chunks(split) {
            records.advance(piece);
            at += piece.len();
            let start = ends.iter().rev().find(|end| **end <= at).unwrap();
            assert_eq!(records.incomplete(), at - start, "split {split}, byte {at}");
        }
    }
}
