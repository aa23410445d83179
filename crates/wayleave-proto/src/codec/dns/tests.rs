use proptest::prelude::*;

use super::*;
use crate::testing::cases;

fn question(family: Families) -> Question {
    Question { id: 0x1234, name: "www.Example.com".parse().unwrap(), family, edns: true }
}

/// A message with this question in its head, and these records behind it.
fn answer(flags: u16, asked: &Question, records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = Vec::new();
    asked.write(&mut message);
    let end = message.len() - if asked.edns { 11 } else { 0 };
    message.truncate(end);
    message[2..4].copy_from_slice(&(RESPONSE | flags).to_be_bytes());
    message[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
    message[10..12].copy_from_slice(&[0, 0]);
    message.extend(records.concat());
    message
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut record = owner.to_vec();
    record.extend(kind.to_be_bytes());
    record.extend([0, 1, 0, 0, 0, 60]);
    record.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    record.extend(data);
    record
}

fn addresses(texts: &[&str]) -> Option<Answer> {
    Some(Answer::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect()))
}

/// The name of the question, by a pointer to it.
const OWNER: &[u8] = &[0xc0, 12];
const ALIAS: &[u8] = b"\x03cdn\x07example\x03net\0";

#[test]
fn a_question_is_what_rfc_1035_section_4_says() {
    let mut message = Vec::new();
    question(Families::V6).write(&mut message);
    let expected: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\x01\x03www\x07example\x03com\0\0\x1c\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";
    assert_eq!(message, expected);
    let mut message = Vec::new();
    Question { edns: false, ..question(Families::V4) }.write(&mut message);
    assert_eq!(message, b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01");
}

#[test]
fn addresses_are_those_at_the_end_of_the_aliases() {
    let a = |owner: &[u8], last| record(owner, A, &[192, 0, 2, last]);
    let alias = record(OWNER, CNAME, ALIAS);
    let aaaa = record(OWNER, AAAA, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let circle = record(ALIAS, CNAME, OWNER);
    /// What it is, the records, and what they come to.
    type Case<'a> = (&'a str, &'a [Vec<u8>], &'a [&'a str]);
    let cases: [Case<'_>; 8] = [
        ("two", &[a(OWNER, 1), a(OWNER, 2)], &["192.0.2.1", "192.0.2.2"]),
        ("none", &[], &[]),
        ("an alias", &[alias.clone(), a(ALIAS, 3)], &["192.0.2.3"]),
        ("an alias behind its end", &[a(ALIAS, 3), alias.clone()], &["192.0.2.3"]),
        ("somebody else's", &[a(ALIAS, 3), a(OWNER, 1)], &["192.0.2.1"]),
        ("an alias that leads nowhere", &[alias.clone(), a(OWNER, 1)], &[]),
        ("another family", &[aaaa, a(OWNER, 1)], &["192.0.2.1"]),
        ("a circle", &[alias, circle], &[]),
    ];
    let asked = question(Families::V4);
    for (name, records, expected) in cases {
        assert_eq!(asked.read(&answer(0, &asked, records)), addresses(expected), "{name}");
    }
}

#[test]
fn every_refusal_is_told_as_what_it_is() {
    let asked = question(Families::V6);
    let plain = Question { edns: false, ..asked.clone() };
    let cases = [
        (0, &asked, addresses(&[])),
        (1, &asked, Some(Answer::NotUnderstood)),
        (1, &plain, Some(Answer::Failed(1))),
        (2, &asked, Some(Answer::Failed(2))),
        (3, &asked, Some(Answer::Unknown)),
        (4, &asked, Some(Answer::NotUnderstood)),
        (5, &asked, Some(Answer::Refused)),
        (9, &asked, Some(Answer::Failed(9))),
        (TRUNCATED, &asked, Some(Answer::Truncated)),
    ];
    for (flags, asked, expected) in cases {
        assert_eq!(asked.read(&answer(flags, asked, &[])), expected, "{flags}");
    }
    // A server that understood nothing repeats nothing.
    assert_eq!(asked.read(b"\x12\x34\x80\x01\0\0\0\0\0\0\0\0"), Some(Answer::NotUnderstood));
    assert_eq!(asked.read(b"\x12\x34\x80\x03\0\0\0\0\0\0\0\0"), None);
}

#[test]
fn what_answers_another_question_is_no_answer() {
    let asked = question(Families::V4);
    let good = answer(0, &asked, &[]);
    assert!(asked.read(&good).is_some());
    for other in [
        Question { id: 0x1235, ..asked.clone() },
        Question { family: Families::V6, ..asked.clone() },
        Question { name: "www.example.org".parse().unwrap(), ..asked.clone() },
    ] {
        assert_eq!(other.read(&good), None, "{other:?}");
    }
    let mut question = good.clone();
    question[2] &= 0x7f;
    assert_eq!(asked.read(&question), None, "it is a question itself");
    for length in 0..good.len() {
        assert_eq!(asked.read(&good[..length]), None, "cut at {length}");
    }
}

#[test]
fn a_pointer_that_does_not_lead_back_ends_the_answer() {
    let asked = question(Families::V4);
    let own = u16::try_from(answer(0, &asked, &[]).len()).unwrap();
    for to in [own, own + 1, 0x3fff] {
        let owner = (0xc000 | to).to_be_bytes();
        let records = [record(OWNER, A, &[192, 0, 2, 1]), record(&owner, A, &[192, 0, 2, 2])];
        assert!(matches!(asked.read(&answer(0, &asked, &records)), Some(Answer::Addresses(_))));
    }
    let itself = own.to_be_bytes();
    let records = [record(&[0xc0 | itself[0], itself[1]], A, &[192, 0, 2, 2])];
    assert_eq!(asked.read(&answer(0, &asked, &records)), addresses(&[]));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..cases(400) })]

    #[test]
    fn no_message_breaks_the_reader(
        tail in proptest::collection::vec(any::<u8>(), 0..80),
        records in 0_u8..8,
        cut in 0_usize..120,
    ) {
        let asked = question(Families::V4);
        let mut message = answer(0, &asked, &[]);
        message[7] = records;
        message.extend(tail);
        message.truncate(cut.max(12));
        if let Some(Answer::Addresses(found)) = asked.read(&message) {
            prop_assert!(found.iter().all(IpAddr::is_ipv4));
        }
    }
}
