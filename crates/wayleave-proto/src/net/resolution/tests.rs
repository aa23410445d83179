use super::*;

const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What comes, and when.
type Answer<'a> = (u64, Families, Result<&'a [&'a str], IoFailure>);

/// What a look-up gives out: addresses, each with its moment, then how it stands at the end.
fn run(v4_first: bool, answers: &[Answer<'_>]) -> (Vec<(u64, String)>, bool, Option<IoFailure>) {
    let mut resolution = Resolution::new(v4_first);
    let mut given = Vec::new();
    let mut answers = answers.iter().peekable();
    for now in 0..1_000 {
        while let Some((_, families, answer)) = answers.next_if(|(when, ..)| *when == now) {
            let answer = answer.map(addresses).map_err(IoFailed::new);
            resolution.handle_answer(at(now), *families, answer.as_deref().map_err(Clone::clone));
        }
        let due = resolution.poll_timeout();
        let addresses = resolution.poll_addresses(at(now));
        assert!(due.is_none_or(|due| due > at(now)) || !addresses.is_empty(), "it said when");
        given.extend(addresses.iter().map(|address| (now, address.to_string())));
    }
    (given, resolution.is_over(), resolution.failure().map(|failed| failed.failure))
}

#[test]
fn each_family_is_used_when_rfc_8305_section_3_says_so() {
    use Families::{Both, V4, V6};
    const A: &[&str] = &["192.0.2.1"];
    const AAAA: &[&str] = &["2001:db8::1"];
    /// What it is, whether IPv4 is wanted first, what comes, and what is given out.
    type Case<'a> = (&'a str, bool, &'a [Answer<'a>], &'a [(u64, &'a str)]);
    let cases: [Case<'_>; 9] = [
        ("both at once", false, &[(5, Both, Ok(&["192.0.2.1", "2001:db8::1"]))], &[(5, A[0]), (5, AAAA[0])]),
        ("IPv6 first", false, &[(5, V6, Ok(AAAA)), (300, V4, Ok(A))], &[(5, AAAA[0]), (300, A[0])]),
        (
            "IPv4 first, IPv6 in time",
            false,
            &[(5, V4, Ok(A)), (54, V6, Ok(AAAA))],
            &[(54, AAAA[0]), (54, A[0])],
        ),
        ("IPv4 first, IPv6 late", false, &[(5, V4, Ok(A)), (90, V6, Ok(AAAA))], &[(55, A[0]), (90, AAAA[0])]),
        ("IPv4 first, IPv6 never", false, &[(5, V4, Ok(A))], &[(55, A[0])]),
        ("no IPv6", false, &[(5, V4, Ok(A)), (20, V6, Ok(&[]))], &[(20, A[0])]),
        ("IPv6 known to be absent before", false, &[(5, V6, Ok(&[])), (20, V4, Ok(A))], &[(20, A[0])]),
        ("IPv4 wanted", true, &[(5, V4, Ok(A)), (20, V6, Ok(AAAA))], &[(5, A[0]), (20, AAAA[0])]),
        ("IPv4 wanted, but late", true, &[(5, V6, Ok(AAAA)), (90, V4, Ok(A))], &[(55, AAAA[0]), (90, A[0])]),
    ];
    for (name, v4_first, answers, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|(when, text)| (*when, (*text).to_owned())).collect();
        let (given, _, failure) = run(v4_first, answers);
        assert_eq!((given, failure), (expected, None), "{name}");
    }
}

#[test]
fn a_name_that_does_not_exist_is_unknown_at_once_and_every_failure_is_told_as_what_it_is() {
    use Families::{Both, V4, V6};
    use IoFailure as F;
    let cases: [(&[Answer<'_>], bool, IoFailure); 10] = [
        (&[(1, V4, Err(F::NameUnknown))], true, F::NameUnknown),
        (&[(1, V6, Err(F::NameUnknown))], false, F::NameUnanswered),
        (&[(1, V6, Err(F::NameUnknown)), (2, V4, Ok(&[]))], true, F::NameUnknown),
        (&[(1, V4, Ok(&[])), (2, V6, Ok(&[]))], true, F::NameEmpty),
        (&[(1, V4, Ok(&[])), (2, V6, Err(F::NameFailed))], true, F::NameFailed),
        (&[(1, V4, Err(F::NameRefused)), (2, V6, Ok(&[]))], true, F::NameRefused),
        (&[(1, V4, Ok(&[]))], false, F::NameUnanswered),
        (&[(1, Both, Ok(&[]))], true, F::NameEmpty),
        (&[(1, Both, Err(F::NameFailed))], true, F::NameFailed),
        (&[], false, F::NameUnanswered),
    ];
    for (answers, is_over, failure) in cases {
        assert_eq!(run(false, answers), (vec![], is_over, Some(failure)), "{answers:?}");
    }
}

#[test]
fn an_answer_counts_once_and_for_its_family_alone() {
    use Families::{Both, V4, V6};
    let (given, is_over, _) = run(
        false,
        &[
            (1, V6, Ok(&["192.0.2.9", "2001:db8::1"])),
            (2, V6, Ok(&["2001:db8::2"])),
            (3, Both, Ok(&["2001:db8::3"])),
            (4, V4, Ok(&["2001:db8::4", "192.0.2.1"])),
        ],
    );
    assert_eq!(given, [(1, "2001:db8::1".into()), (4, "192.0.2.1".into())]);
    assert!(is_over);
}
