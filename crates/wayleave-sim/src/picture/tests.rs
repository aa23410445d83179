//! Tests of the picture.

use core::time::Duration;

use wayleave_proto::base::{Instant, Kind, Link, Route};
use wayleave_proto::client;

use super::arrows::MOST;
use super::html::{escape, json};
use super::page;
use super::time::{Axis, FOLDED, moment, number};
use crate::scenario::{ClientPlan, Condition, Fault, FlowPlan, IntruderPlan};
use crate::trace::{Item, What};
use crate::{Law, Report, Scenario, Tape, Violation, catalogue, run_once};

fn named(name: &str) -> (Scenario, Report) {
    let scenario = catalogue::all().into_iter().find(|scenario| scenario.name == name).unwrap();
    let report = run_once(&scenario, &Tape::from_seed(0), true).unwrap();
    (scenario, report)
}

fn small() -> (Scenario, Report) {
    let client = ClientPlan::smart().behind(Condition::OnlyRelays).opens(0, FlowPlan::stream(100, 100));
    let mut scenario =
        Scenario::new("small", "A small run.").relays(2).client(client).client(ClientPlan::normal());
    scenario.intruder = Some(IntruderPlan::new(1));
    scenario.heals = false;
    scenario = scenario
        .lasts(3_000)
        .fault(2_000, Fault::Roam { client: 0, link: Link::Ethernet, condition: Condition::Open })
        .expect("nothing much happens", |_| true);
    let report = run_once(&scenario, &Tape::from_seed(0), true).unwrap();
    (scenario, report)
}

/// What stands between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("there is no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("there is no {to} after {from}")).0
}

/// Goes through the page as a strict reader: every element ends, in order; every attribute is quoted; no text has a bare
/// `<` or `&`. Says what is wrong.
fn fault(page: &str) -> Option<String> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n")?;
    let mut open: Vec<&str> = Vec::new();
    while let Some(start) = rest.find('<') {
        if let Some(bare) = bare(&rest[..start]) {
            return Some(bare);
        }
        rest = &rest[start + 1..];
        if let Some(closing) = rest.strip_prefix('/') {
            let (name, after) = closing.split_once('>')?;
            if open.pop() != Some(name) {
                return Some(format!("</{name}> ends what is not open: {open:?}"));
            }
            rest = after;
            continue;
        }
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(0);
        let name = &rest[..length];
        if name.is_empty() {
            return Some(format!("a bare < before {:?}", rest.chars().take(20).collect::<String>()));
        }
        rest = &rest[length..];
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            }
            let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(0);
            if length == 0 {
                return Some(format!("<{name} has {:?}", rest.chars().take(20).collect::<String>()));
            }
            rest = &rest[length..];
            if let Some(value) = rest.strip_prefix("=\"") {
                let (value, after) = value.split_once('"')?;
                if value.contains('<') || bare(value).is_some() {
                    return Some(format!("an attribute of {name} is {value:?}"));
                }
                rest = after;
            }
        }
        match name {
            "meta" => {}
            "script" | "style" => rest = rest.split_once(&format!("</{name}>"))?.1,
            _ => open.push(name),
        }
    }
    (!open.is_empty()).then(|| format!("{open:?} do not end"))
}

fn bare(text: &str) -> Option<String> {
    let mut parts = text.split('&').skip(1);
    let wrong =
        parts.find(|part| !["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|good| part.starts_with(good)));
    wrong.map(|part| format!("a bare & before {part:?}"))
}

#[test]
fn text_is_escaped() {
    let nasty = "</script><b a='1' c=\"2\">&\u{2028}\u{7}";
    assert_eq!(escape(nasty), "&lt;/script&gt;&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\u{2028}\u{fffd}");
    assert_eq!(json(nasty), r#""\u003c/script\u003e\u003cb a='1' c=\"2\"\u003e\u0026\u2028\u0007""#);
}

#[test]
fn a_hostile_scenario_is_shown_as_text() {
    let (mut scenario, mut report) = small();
    let nasty = "</script></title><img src=x onerror=alert(1)>&\"'";
    scenario.name = nasty.to_owned();
    scenario.about = nasty.to_owned();
    scenario.expectations[0].says = nasty.to_owned();
    report.hosts[0] = nasty.to_owned();
    report.sum = nasty.to_owned();
    report.items.push(Item { at: report.now, host: 0, what: What::Application(nasty.to_owned()) });
    report.violation = Some(Violation { law: Law::Route, at: report.now, what: nasty.to_owned() });
    let page = page(&scenario, &report);
    assert_eq!(fault(&page), None);
    assert!(!page.contains("<img"), "an element came out of a text");
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
}

#[test]
fn a_run_that_kept_nothing_says_so() {
    let (scenario, _) = small();
    let bare = run_once(&scenario, &Tape::from_seed(0), false).unwrap();
    let page = page(&scenario, &bare);
    assert_eq!(fault(&page), None);
    assert!(page.contains("were not kept by this run"));
    assert_eq!(page.matches("class=\"lane").count(), bare.hosts.len());
}

#[test]
fn nothing_comes_from_elsewhere() {
    let (scenario, report) = small();
    let page = page(&scenario, &report);
    for word in ["http:", "https:", "//cdn", "@import", "url(", "src=", "<link", "fetch(", "import("] {
        assert!(!page.contains(word), "the page has {word}");
    }
}

#[test]
fn every_host_has_a_lane() {
    let (scenario, report) = small();
    let page = page(&scenario, &report);
    assert_eq!(report.hosts.len(), 10);
    for (host, name) in report.hosts.iter().enumerate() {
        assert_eq!(page.matches(&format!("data-host=\"{host}\"")).count(), 1, "{name}");
        assert!(page.contains(&format!("<b>{name}</b>")), "{name}");
    }
    assert_eq!(page.matches("class=\"lane").count(), report.hosts.len());
}

#[test]
fn every_change_of_route_has_its_band() {
    for name in ["kinds-are-judged-apart", "rule-7-a-new-trial-can-be-asked-for", "rule-4-down-waits-for-up"]
    {
        let (scenario, report) = named(name);
        let page = page(&scenario, &report);
        let mut changes = 0;
        for (_, event) in &report.client_events {
            let class = match &event.what {
                client::What::RouteChanged { to: Route::Proxied, .. } => "proxied",
                client::What::DirectConnected { .. } => "direct",
                client::What::TrialStarted { .. } => "trial",
                _ => continue,
            };
            changes += 1;
            let band = format!("class=\"band route {class}\" data-a=\"{}\"", number(event.at));
            assert!(page.contains(&band), "{name} has no {band}");
        }
        assert!(changes >= 3, "{name}: {changes}");
    }
}

#[test]
fn networks_and_relays_have_bands_too() {
    let (scenario, report) = small();
    let picture = page(&scenario, &report);
    assert!(picture.contains("class=\"band network wall\" data-a=\"0\" data-b=\"2000\""));
    assert!(picture.contains("class=\"band network open\" data-a=\"2000\""));
    assert!(picture.contains("class=\"flag fault\" data-a=\"2000\""));
    let (scenario, report) = named("a-relay-that-crashes-is-replaced");
    let picture = page(&scenario, &report);
    assert!(picture.contains("class=\"band stand dead\" data-a=\"2000\" data-b=\"10000\""));
}

#[test]
fn a_broken_law_cannot_be_overlooked() {
    let (scenario, mut report) = small();
    assert!(page(&scenario, &report).contains("class=\"verdict holds\""));
    let what = "client 0: streams go direct, and the rules say proxied".to_owned();
    report.violation = Some(Violation { law: Law::Route, at: Instant::from_millis(2_000), what });
    let picture = page(&scenario, &report);
    assert!(picture.contains("class=\"verdict broken\">law 2 (route) is broken<"));
    assert!(
        between(&picture, "<h1>", "</h1>")
            .starts_with("Law 2 (route) was broken at 2000 ms: client 0: streams")
    );
    assert!(picture.contains("class=\"flag violation\" data-a=\"2000\""));
    assert!(picture.contains("class=\"card violation\""));
    let last = between(&picture, "class=\"cards\"", "</ol>").rsplit("class=\"card ").next().unwrap();
    assert!(last.starts_with("violation"), "what is broken ends the story: {last}");
    assert!(picture.contains("<li class=\"missed\">"));
    assert!(between(&picture, "\"marks\":[", "\"packets\"").contains("\"violation\""));
    let view = between(&picture, "\"view\":[", "]");
    assert_eq!(view, "500,2120");
}

#[test]
fn a_long_violation_is_cut_in_the_headline_alone() {
    let (scenario, mut report) = small();
    let what = format!("{}the end", "é word ".repeat(60));
    report.violation =
        Some(Violation { law: Law::Liveness, at: Instant::from_millis(2_000), what: what.clone() });
    let picture = page(&scenario, &report);
    let headline = between(&picture, "<h1>", "</h1>");
    assert!(headline.ends_with(" ….") && headline.chars().count() < 240, "{headline}");
    assert!(between(&picture, "class=\"card violation\"", "</button>").contains(&what));
}

#[test]
fn what_a_scenario_expects_is_ticked_or_not() {
    let (mut scenario, _) = small();
    scenario = scenario.expect("pigs fly", |_| false);
    let report = run_once(&scenario, &Tape::from_seed(0), true).unwrap();
    let picture = page(&scenario, &report);
    assert!(between(&picture, "<h1>", "</h1>").starts_with("It was expected that pigs fly, and that"));
    let list = between(&picture, "class=\"expected\"", "</ul>");
    let (met, missed) = (list.matches("class=\"met\"").count(), list.matches("class=\"missed\"").count());
    assert_eq!((met, missed), (2, 1));
    assert!(between(list, "class=\"missed\"", "</li>").contains("Pigs fly"));
}

#[test]
fn the_same_run_gives_the_same_page() {
    let ((scenario, report), (again, other)) = (small(), small());
    assert_eq!(page(&scenario, &report), page(&again, &other));
}

#[test]
fn what_is_kept_does_not_change_the_digest() {
    let (scenario, report) = named("a-lossy-link-delivers-everything");
    let bare = run_once(&scenario, &Tape::from_seed(0), false).unwrap();
    assert_eq!(bare.sum, report.sum);
    assert!(bare.items.is_empty());
    let doubled = report
        .items
        .iter()
        .filter(|item| matches!(&item.what, What::Packet { again, .. } if !again.is_empty()));
    assert!(doubled.count() > 10, "the doubles of packets are kept");
}

#[test]
fn every_named_scenario_has_a_page_with_a_headline() {
    for scenario in catalogue::all() {
        let report = run_once(&scenario, &Tape::from_seed(0), true).unwrap();
        let picture = page(&scenario, &report);
        let headline = between(&picture, "<h1>", "</h1>");
        assert!(headline.len() > 20 && headline.ends_with('.'), "{}: {headline:?}", scenario.name);
        assert_eq!(fault(&picture), None, "{}", scenario.name);
        assert!(picture.len() < 2_000_000, "{}: {} bytes", scenario.name, picture.len());
        assert!(picture.contains("class=\"card "), "{} has no card", scenario.name);
    }
}

#[test]
fn headlines_say_what_happened_and_why() {
    let nothing = "nothing was proven directly by the deadline of the trial";
    let table = [
        ("mode-off-goes-direct", "Every flow went direct: the proxy is off.".to_owned()),
        (
            "rule-3-wifi-becomes-proxied",
            format!("Streams and datagrams went to the relay at 1000 ms: {nothing}."),
        ),
        (
            "kinds-are-judged-apart",
            format!(
                "Datagrams went to the relay at 1000 ms: {nothing}. Streams stayed direct: a stream was answered within 50 ms."
            ),
        ),
        (
            "rule-4-down-waits-for-up",
            format!(
                "Streams went to the relay at 4000 ms: {nothing}, which began at 3000 ms when the network came up."
            ),
        ),
        (
            "rule-3-cellular-stays-direct-and-tries-again",
            "Streams stayed direct although nothing was proven by 1000 ms: the link is cellular, and there the client keeps trying. At 23.716 s a stream was answered.".to_owned(),
        ),
        (
            "rule-4-a-change-while-direct-starts-again",
            format!("Streams went to the relay at 3100 ms: {nothing}, which began at 2100 ms with the first flow since the network changed at 2000 ms."),
        ),
        (
            "rule-6-a-late-success-changes-nothing",
            format!(
                "Streams and datagrams went to the relay at 1000 ms: {nothing}. The direct success at 2000 ms came too late and changed nothing."
            ),
        ),
        (
            "rule-7-a-new-trial-can-be-asked-for",
            format!(
                "Streams went to the relay at 1000 ms: {nothing}. At 3000 ms the application asked for a new trial, and direct was tried again."
            ),
        ),
        (
            "a-relay-that-crashes-is-replaced",
            "Relay 0 crashed at 2000 ms; relay 1 took its place at 2090 ms.".to_owned(),
        ),
    ];
    for (name, expected) in table {
        let (scenario, report) = named(name);
        assert_eq!(super::story::headline(&scenario, &report), expected, "{name}");
    }
}

#[test]
fn the_evidence_of_a_switch_is_what_was_tried() {
    let table = [
        (
            "kinds-are-judged-apart",
            "51 UDP packets left directly (all dropped by the firewall); nothing came back.",
        ),
        (
            "rule-8-established-streams-are-not-cut",
            "1 attempt to connect directly (it was dropped by the firewall); nothing came back.",
        ),
    ];
    for (name, says) in table {
        let (scenario, report) = named(name);
        let (cards, _) = super::story::cards(&scenario, &report);
        let card = cards
            .iter()
            .find(|card| card.class == "proxied" && card.title.contains("go to the relay"))
            .unwrap();
        assert_eq!(card.lines[0], says, "{name}");
    }
}

#[test]
fn too_many_packets_become_sheaves_that_say_so() {
    let (scenario, mut report) = small();
    report.items.retain(|item| !matches!(item.what, What::Packet { .. }));
    let count = 5 * MOST;
    for number in 0..count {
        let at = Instant::from_millis(number as u64 / 10);
        let what = What::Packet {
            to: Some(2),
            toward: Some(2),
            arrives: Some(at + Duration::from_millis(10)),
            again: Vec::new(),
            is_stream: true,
            payload: 100,
            label: format!(
                "192.168.0.2:1 > 52.20.0.1:443 TCP ACK at {number}, expects 0, window 0, 100 bytes"
            ),
            lost: None,
        };
        report.items.push(Item { at, host: 0, what });
    }
    report.items.sort_by_key(|item| item.at);
    report.now = Instant::from_millis(count as u64);
    let picture = page(&scenario, &report);
    assert!(picture.len() < 1_500_000, "{} bytes", picture.len());
    let rows: Vec<&str> = between(&picture, "\"packets\":[", "]]").split("],").collect();
    assert!(rows.len() <= MOST, "{} rows", rows.len());
    let counts: usize =
        rows.iter().map(|row| row.split(',').nth(11).map_or(1, |count| count.parse().unwrap())).sum();
    assert_eq!(counts, count, "no packet is lost from the count");
    assert!(picture.contains("are drawn as sheaves"));
}

#[test]
fn quiet_stretches_are_folded_and_the_rest_is_to_scale() {
    let at = Instant::from_millis;
    let axis = Axis::new(vec![at(100), at(3_000), at(60_000)], at(61_000));
    assert_eq!(axis.folds, [(at(3_200), at(60_000))]);
    let folded = |millis| axis.place(at(millis));
    assert_eq!([folded(0), folded(3_000), folded(3_200)], [0.0, 3_000.0, 3_200.0]);
    assert_eq!([folded(60_000), folded(61_000)], [3_200.0 + FOLDED, 4_200.0 + FOLDED]);
    assert_eq!(folded(31_600), 3_200.0 + FOLDED / 2.0);
}

#[test]
fn moments_are_short_and_exact() {
    let table = [
        (0, "0 ms"),
        (1_000_000_001, "1000 ms"),
        (1_016_400_000, "1016.4 ms"),
        (25_300_000_000, "25.3 s"),
        (125_000_000_000, "2 min 5 s"),
        (8_105_000_000_000, "2 h 15 min 5 s"),
    ];
    for (nanos, text) in table {
        assert_eq!(moment(Instant::ZERO + Duration::from_nanos(nanos)), text);
    }
}

#[test]
fn what_a_host_does_not_take_is_marked() {
    let (_, report) = named("rule-5-a-change-while-proxied-keeps-the-route");
    let discarded: Vec<&Item> =
        report.items.iter().filter(|item| matches!(item.what, What::Discarded(..))).collect();
    assert!(!discarded.is_empty(), "packets on their way are lost when the client roams");
    assert!(report.switched_at(Kind::Datagram, 1_000));
}
