//! What a name server says is read as an answer to our question, or not at all.

use std::net::IpAddr;

use wayleave_proto::base::Families;
use wayleave_proto::codec::dns::{Answer, Question};

/// Reads a message as the answer to two questions; the first two bytes are their id, so that most of them get past it.
pub(crate) fn run(data: &[u8]) {
    let Some(id) = data.first_chunk().map(|id| u16::from_be_bytes(*id)) else { return };
    for family in [Families::V4, Families::V6] {
        let question = Question {
            id,
            name: "www.example.com".parse().expect("a name"),
            family,
            edns: data.len().is_multiple_of(2),
        };
        let answer = question.read(data);
        if let Some(Answer::Addresses(addresses)) = &answer {
            assert!(addresses.iter().all(|address: &IpAddr| Families::of(*address) == family));
            assert!(addresses.len() <= data.len() / 16, "no record is shorter");
        }
        let other = Question { id: !id, ..question };
        assert_eq!(other.read(data), None, "it answers another question");
    }
}
