use super::*;
use crate::base::Link;

const fn at(secs: u64) -> Instant {
    Instant::from_millis(1_000 * secs)
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn wifi(fingerprint: u64) -> Network {
    Network::up(Link::Wifi).with_fingerprint(fingerprint)
}

fn learn(memory: &mut Memory, secs: u64, families: Families, texts: &[&str]) {
    memory.handle_resolved(at(secs), &name("relay.example"), families, &addresses(texts));
}

/// Where the relay is known to be, and whether it is asked for at once.
fn known(memory: &Memory, secs: u64) -> Option<(Vec<String>, bool)> {
    let known = memory.known(at(secs), &name("relay.example"))?;
    let texts = known.addresses.iter().map(ToString::to_string).collect();
    Some((texts, known.refresh == Refresh::Now))
}

fn some(texts: &[&str], asks: bool) -> Option<(Vec<String>, bool)> {
    Some((texts.iter().map(|text| (*text).to_owned()).collect(), asks))
}

#[test]
fn addresses_are_known_for_ever_and_fresh_for_a_minute() {
    let mut memory = Memory::new(wifi(1));
    assert_eq!(known(&memory, 0), None);
    learn(&mut memory, 0, Families::Both, &["192.0.2.1", "192.0.2.2"]);
    assert_eq!(known(&memory, 59), some(&["192.0.2.1", "192.0.2.2"], false));
    assert_eq!(known(&memory, 60), some(&["192.0.2.1", "192.0.2.2"], true));
    assert_eq!(known(&memory, 1_000_000), some(&["192.0.2.1", "192.0.2.2"], true));
    // An answer without addresses is no reason to forget those that work.
    learn(&mut memory, 1_000_000, Families::Both, &[]);
    assert_eq!(known(&memory, 1_000_000), some(&["192.0.2.1", "192.0.2.2"], true));
}

#[test]
fn the_last_good_address_stays_first_for_as_long_as_the_name_leads_to_it() {
    let mut memory = Memory::new(wifi(1));
    let (relay, second) = (name("relay.example"), "192.0.2.2".parse().unwrap());
    learn(&mut memory, 0, Families::Both, &["192.0.2.1", "192.0.2.2"]);
    memory.handle_good(&relay, second);
    assert_eq!(known(&memory, 1), some(&["192.0.2.2", "192.0.2.1"], false));
    learn(&mut memory, 2, Families::Both, &["192.0.2.3", "192.0.2.2"]);
    assert_eq!(known(&memory, 2), some(&["192.0.2.2", "192.0.2.3"], false));
    learn(&mut memory, 3, Families::Both, &["192.0.2.3"]);
    memory.handle_good(&relay, second);
    assert_eq!(known(&memory, 3), some(&["192.0.2.3"], false), "it moved away from there");
}

#[test]
fn the_answer_for_one_family_leaves_the_other() {
    let mut memory = Memory::new(wifi(1));
    learn(&mut memory, 0, Families::V4, &["192.0.2.1"]);
    learn(&mut memory, 0, Families::V6, &["2001:db8::1"]);
    learn(&mut memory, 1, Families::V4, &["192.0.2.2"]);
    assert_eq!(known(&memory, 1), some(&["2001:db8::1", "192.0.2.2"], false));
}

#[test]
fn what_was_learnt_belongs_to_its_network_and_is_better_than_nothing_on_another() {
    let mut memory = Memory::new(wifi(1));
    learn(&mut memory, 0, Families::Both, &["10.0.0.1"]);
    memory.handle_ipv6(at(0), Ipv6Evidence::Lost);
    memory.handle_ipv6(at(0), Ipv6Evidence::Lost);
    assert!(memory.avoids_ipv6(at(0)));
    memory.handle_network(wifi(2));
    assert!(!memory.avoids_ipv6(at(0)));
    assert_eq!(known(&memory, 1), some(&["10.0.0.1"], true));
    learn(&mut memory, 1, Families::Both, &["192.0.2.1"]);
    assert_eq!(known(&memory, 1), some(&["192.0.2.1"], false));
    memory.handle_network(wifi(1));
    assert!(memory.avoids_ipv6(at(2)));
    assert_eq!(known(&memory, 2), some(&["10.0.0.1"], false));
    // Without a fingerprint two networks cannot be told apart: nothing is taken for sure.
    let nameless = Network::up(Link::Wifi);
    let mut memory = Memory::new(nameless);
    learn(&mut memory, 0, Families::Both, &["192.0.2.1"]);
    memory.handle_ipv6(at(0), Ipv6Evidence::Lost);
    memory.handle_ipv6(at(0), Ipv6Evidence::Lost);
    memory.handle_network(nameless);
    assert!(!memory.avoids_ipv6(at(0)));
    assert_eq!(known(&memory, 1), some(&["192.0.2.1"], true));
}

#[test]
fn a_name_service_that_does_not_answer_is_not_asked_with_every_connection() {
    let mut memory = Memory::new(wifi(1));
    let relay = name("relay.example");
    memory.handle_asked(at(0), &relay);
    assert_eq!(known(&memory, 0), None, "what was never learnt has to be waited for");
    learn(&mut memory, 0, Families::Both, &["192.0.2.1"]);
    assert_eq!(known(&memory, 100), some(&["192.0.2.1"], true));
    memory.handle_asked(at(100), &relay);
    assert_eq!(known(&memory, 109), some(&["192.0.2.1"], false));
    assert_eq!(known(&memory, 110), some(&["192.0.2.1"], true));
    // So it is on a network where nothing was learnt yet.
    memory.handle_network(wifi(2));
    assert_eq!(known(&memory, 110), some(&["192.0.2.1"], true));
    memory.handle_asked(at(110), &relay);
    assert_eq!(known(&memory, 119), some(&["192.0.2.1"], false));
    assert_eq!(known(&memory, 120), some(&["192.0.2.1"], true));
}

#[test]
fn the_memory_has_an_end() {
    let mut memory = Memory::new(wifi(0));
    for number in 0..200 {
        let relay = name(&format!("relay{number}.example"));
        memory.handle_resolved(at(0), &relay, Families::Both, &addresses(&["192.0.2.1"]));
    }
    assert_eq!(memory.present.names.len(), NAMES);
    assert!(memory.known(at(0), &name("relay199.example")).is_some());
    assert!(memory.known(at(0), &name("relay0.example")).is_none());
    for number in 1..100 {
        memory.handle_network(wifi(number));
    }
    assert_eq!(memory.past.len(), NETWORKS - 1);
    let many: Vec<IpAddr> = (0..100_u8).map(|last| [192, 0, 2, last].into()).collect();
    memory.handle_resolved(at(0), &name("relay.example"), Families::Both, &many);
    assert_eq!(memory.known(at(0), &name("relay.example")).unwrap().addresses.len(), ADDRESSES);
}

#[test]
fn ipv6_is_avoided_for_ten_minutes_after_two_lost_races_in_a_row() {
    use Ipv6Evidence::{Lost, Reached};
    let cases: [(&[Ipv6Evidence], bool); 5] = [
        (&[], false),
        (&[Lost], false),
        (&[Lost, Lost], true),
        (&[Lost, Reached, Lost], false),
        (&[Lost, Lost, Reached], false),
    ];
    for (evidence, avoided) in cases {
        let mut ipv6 = Ipv6::default();
        evidence.iter().for_each(|evidence| ipv6.handle(at(10), *evidence));
        assert_eq!(ipv6.is_avoided(at(10)), avoided, "{evidence:?}");
        assert_eq!(ipv6.is_avoided(at(609)), avoided, "{evidence:?}");
        assert!(!ipv6.is_avoided(at(610)), "it gets its chance again");
    }
}
