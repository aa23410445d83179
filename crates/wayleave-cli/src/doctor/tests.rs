//! What follows from findings, and how it is told.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use wayleave_proto::base::{Kind, Target};

use super::code::{Code, Outcome, Step, table as codes};
use super::quality::Quality;
use super::report::{Family, Finding, Report, Subject};
use super::show::{Paint, document, page, table};
use super::verdict::Verdict;

fn proxy(text: &str) -> Target {
    text.parse().unwrap()
}

fn one() -> Target {
    proxy("one.example:443")
}

/// A report about one relay: what was found by family 4, by family 6, and as a whole.
fn report(v4: &[Code], v6: &[Code], whole: &[Code]) -> Report {
    let of_family = |family, codes: &[Code]| -> Vec<Finding> {
        codes.iter().map(|code| Finding::new(*code, Subject::family(&one(), family))).collect()
    };
    let whole = whole.iter().map(|code| Finding::new(*code, Subject::proxy(&one())));
    let findings = of_family(Family::V4, v4).into_iter().chain(of_family(Family::V6, v6)).chain(whole);
    Report { proxies: vec![one()], findings: findings.collect(), ..Report::default() }
}

const REACHED: [Code; 4] = [Code::NameFound, Code::TcpOpen, Code::TlsTrusted, Code::RelayAnswers];
/// By a proxy of the network, to a relay that serves.
const THROUGH: [Code; 5] =
    [Code::ViaOpen, Code::TcpByVia, Code::TlsTrusted, Code::RelayAnswers, Code::CredentialAccepted];
const USED: [Code; 4] = [Code::ClockRight, Code::CredentialAccepted, Code::StreamOpen, Code::DatagramsBack];

#[test]
fn codes_are_words_of_their_step_and_say_what_to_do_where_something_failed() {
    let mut seen = BTreeSet::new();
    let mut steps = Vec::new();
    for code in Code::ALL {
        let text = code.as_str();
        assert!(seen.insert(text), "{text} twice");
        assert!(text.starts_with(&format!("{}-", code.step().name())), "{text} is of {}", code.step());
        assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit()), "{text}");
        assert!(code.outcome() != Outcome::Failed || !code.remedy().is_empty(), "{text}");
        assert!(
            !code.sentence().ends_with('.') && code.remedy().is_empty() || code.remedy().ends_with('.'),
            "{text}"
        );
        steps.push(code.step());
    }
    assert!(steps.is_sorted(), "codes stand by the order of their steps");
    assert_eq!(steps.into_iter().collect::<BTreeSet<_>>().len(), Step::ALL.len());
    assert!(Code::ALL.iter().all(|code| codes().contains(&format!("| `{code}` |"))));
}

/// What was found by family 4, by family 6 and as a whole, and what has to be mended.
type Case<'a> = (&'a [Code], &'a [Code], &'a [Code], Option<Code>);

#[test]
fn the_verdict_names_what_has_to_be_mended_first() {
    let cases: &[Case<'_>] = &[
        (&REACHED, &REACHED, &USED, None),
        // One family is enough.
        (&REACHED, &[Code::NameFound, Code::TcpUnreachable], &USED, None),
        (&REACHED, &[Code::NameFamilyMissing], &USED, None),
        (&REACHED, &[], &[Code::CredentialMissing], None),
        (&REACHED, &[], &[Code::CredentialAccepted, Code::DatagramsNoEcho, Code::QualityUnknown], None),
        (&[], &[], &[Code::NameUnknown, Code::TcpNotTried], Some(Code::NameUnknown)),
        (&[Code::NameBlocked], &[Code::NameFamilyMissing], &[], Some(Code::NameBlocked)),
        // The family that gets further says more.
        (
            &[Code::NameFound, Code::TcpOpen, Code::TlsIssuerUnknown],
            &[Code::NameFound, Code::TcpUnreachable],
            &[],
            Some(Code::TlsIssuerUnknown),
        ),
        (&[Code::NameFound, Code::TcpSilent], &[], &[Code::PortalSeen], Some(Code::PortalSeen)),
        // A word behind a certificate that nobody trusts proves nothing.
        (
            &[Code::TcpOpen, Code::TlsWrongName, Code::RelayAnswers],
            &[],
            &[Code::ClockRight, Code::CredentialNotShown],
            Some(Code::TlsWrongName),
        ),
        (&[Code::TcpOpen, Code::TlsExpired], &[], &[Code::ClockWrong], Some(Code::ClockWrong)),
        (&[Code::TcpRefused], &[], &[Code::ClockWrong], Some(Code::TcpRefused)),
        (&REACHED, &[], &[Code::ClockWrong, Code::CredentialExpired], Some(Code::ClockWrong)),
        (&REACHED, &[], &[Code::ClockWrong, Code::CredentialAccepted], None),
        (&REACHED, &[], &[Code::CredentialRefused, Code::StreamNotTried], Some(Code::CredentialRefused)),
        (
            &[Code::TcpOpen, Code::TlsTrusted, Code::RelayWebServer],
            &[],
            &[Code::CredentialNotShown],
            Some(Code::RelayWebServer),
        ),
        (
            &REACHED,
            &[],
            &[Code::CredentialAccepted, Code::StreamRefused, Code::DatagramsBack],
            Some(Code::StreamRefused),
        ),
        (&REACHED, &[], &[Code::CredentialAccepted, Code::DatagramsLost], Some(Code::DatagramsLost)),
        // The proxy of the network comes before everything behind it, and one that leads on is enough.
        (
            &[],
            &[],
            &[Code::ViaWrongPassword, Code::NameByVia, Code::TcpByVia, Code::TlsNotTried, Code::PortalByVia],
            Some(Code::ViaWrongPassword),
        ),
        (
            &[],
            &[],
            &[Code::ViaForbidden, Code::ClockUnknown, Code::CredentialMalformed],
            Some(Code::ViaForbidden),
        ),
        (&[], &[], &THROUGH, None),
        (&[], &[], &[&[Code::ViaRefused], &THROUGH[..]].concat(), None),
        (
            &[],
            &[],
            &[Code::ViaRefused, Code::ViaOpen, Code::TlsIssuerUnknown, Code::RelayAnswers],
            Some(Code::TlsIssuerUnknown),
        ),
        (&[], &[], &[Code::ViaOpen, Code::TlsNotTls, Code::PortalSeen], Some(Code::PortalSeen)),
        (&[], &[], &[&THROUGH[..4], &[Code::CredentialRefused]].concat(), Some(Code::CredentialRefused)),
        // What is bad and not broken is told beside.
        (&REACHED, &[], &[Code::CredentialAccepted, Code::QualityPoor, Code::IdleLost], None),
    ];
    for (v4, v6, whole, code) in cases {
        let report = report(v4, v6, whole);
        let verdict = Verdict::of(&report);
        assert_eq!(verdict.cause.as_ref().map(|cause| cause.code), *code, "{v4:?} {v6:?} {whole:?}");
        assert_eq!(verdict.works, code.is_none());
        assert_eq!(verdict.remedy().is_empty(), code.is_none(), "{code:?}");
    }
    let also = |report: &Report| Verdict::of(report).also.iter().map(|it| it.code).collect::<Vec<_>>();
    let broken =
        report(&REACHED, &[Code::NameFound, Code::TcpSilent], &[Code::CredentialAccepted, Code::IdleLost]);
    assert_eq!(also(&broken), [Code::TcpSilent, Code::IdleLost]);
    let direct = report(&REACHED, &[], &[Code::CredentialAccepted, Code::DirectClosed]);
    assert!(also(&direct).is_empty(), "that is what relays are for");
}

#[test]
fn of_several_relays_one_that_works_is_enough_and_else_the_best_is_told() {
    let mut report = report(&[Code::TcpSilent], &[], &[]);
    let two = proxy("two.example:443");
    report.proxies.push(two.clone());
    report.findings.push(Finding::new(Code::TlsIssuerUnknown, Subject::family(&two, Family::V4)));
    let verdict = Verdict::of(&report);
    assert!(verdict.sentence.starts_with("two.example:443 does not work"), "{}", verdict.sentence);
    report.findings.pop();
    for code in REACHED {
        report.findings.push(Finding::new(code, Subject::family(&two, Family::V4)));
    }
    report.findings.push(Finding::new(Code::CredentialAccepted, Subject::proxy(&two)));
    let verdict = Verdict::of(&report);
    assert_eq!((verdict.works, verdict.sentence.as_str()), (true, "two.example:443 works"));
    assert_eq!(verdict.also[0].code, Code::TcpSilent);
}

/// Round trips; their median, jitter in ms, loss, and the MOS from and to.
type Measured<'a> = (&'a [Option<Duration>], u64, u64, f64, f64, f64);

#[test]
fn a_way_is_as_good_as_its_round_trips() {
    let ms = |millis: u64| Some(Duration::from_millis(millis));
    let cases: &[Measured<'_>] = &[
        (&[ms(20), ms(20), ms(20), ms(20)], 20, 0, 0.0, 4.35, 4.45),
        (&[ms(10), ms(30), ms(10), ms(30)], 30, 20, 0.0, 4.3, 4.45),
        (&[ms(20), None, ms(20), None], 20, 0, 0.5, 1.0, 1.9),
        (&[ms(600), ms(600)], 600, 0, 0.0, 3.5, 3.8),
        (
            &[ms(40), ms(40), ms(40), ms(40), ms(40), ms(40), ms(40), ms(40), ms(40), None],
            40,
            0,
            0.1,
            3.0,
            3.6,
        ),
        (&[ms(7)], 7, 0, 0.0, 4.3, 4.5),
    ];
    for (trips, round_trip, jitter, loss, low, high) in cases {
        let quality = Quality::of(trips).unwrap();
        assert_eq!(quality.round_trip, Duration::from_millis(*round_trip), "{trips:?}");
        assert_eq!(quality.jitter, Duration::from_millis(*jitter), "{trips:?}");
        assert!((quality.loss - loss).abs() < 1e-9, "{trips:?}");
        assert!((*low..=*high).contains(&quality.mos), "{quality} of {trips:?}");
    }
    assert_eq!(Quality::of(&[None, None]), None);
    assert_eq!(Quality::of(&[]), None);
}

#[test]
fn remedies_name_what_is_to_be_permitted() {
    let address: SocketAddr = "192.0.2.7:443".parse().unwrap();
    let finding = Finding::new(Code::TcpSilent, Subject::at(&one(), address));
    assert_eq!(finding.sentence(), "192.0.2.7:443 does not answer");
    assert!(
        finding.remedy().contains("permit it outwards")
            && finding.remedy().contains("--proxy one.example:443")
    );
    let target = proxy("target.example:5060");
    let finding =
        Finding::new(Code::StreamForbidden, Subject::proxy(&one()).to(Kind::Stream, &target)).with("403");
    assert_eq!(
        finding.sentence(),
        "the relay does not lead to target.example:5060: port or token forbid it: 403"
    );
    let via = "http://ada:s3cret@hop.example:3128".parse().unwrap();
    let finding = Finding::new(Code::ViaForbidden, Subject::through(&one(), &via)).with("403");
    assert_eq!(
        finding.sentence(),
        "http://hop.example:3128 does not permit CONNECT to port 443 of one.example: 403"
    );
    assert!(finding.remedy().contains("permits CONNECT to one.example:443"));
    let told = Report { findings: vec![finding], ..Report::default() };
    assert_eq!(document(&told, &Verdict::of(&told))["findings"][0]["via"], "http://hop.example:3128");
    for code in Code::ALL {
        let finding = Finding::new(*code, Subject::at(&one(), address).to(Kind::Stream, &target));
        assert!(!finding.sentence().contains(['{', '}']) && !finding.remedy().contains(['{', '}']), "{code}");
    }
}

#[test]
fn the_table_has_a_line_for_each_finding_and_colours_where_they_are_wanted() {
    let mut report = report(&REACHED, &[Code::TcpSilent], &[Code::CredentialRefused]);
    report.sort();
    let verdict = Verdict::of(&report);
    let plain = table(&report, &verdict, Paint::Plain);
    assert!(!plain.contains('\u{1b}'));
    let lines: Vec<&str> = plain.lines().collect();
    assert_eq!(lines[0], "one.example:443");
    assert_eq!(lines[2], "  tcp         IPv4  ok       one.example:443 accepts connections");
    assert_eq!(lines[3], "  tcp         IPv6  FAILED   one.example:443 does not answer");
    assert!(
        plain.contains(
            "\none.example:443 does not work: the relay does not accept it.\nWhat to do: The relay"
        )
    );
    assert!(plain.contains("\nAlso: one.example:443 does not answer (tcp-silent). A firewall"), "{plain}");
    let painted = table(&report, &verdict, Paint::Colours);
    assert!(painted.contains("\u{1b}[1;31mFAILED \u{1b}[0m"));
}

#[test]
fn json_has_what_the_documentation_says() {
    let address: SocketAddr = "192.0.2.7:443".parse().unwrap();
    let mut report = report(&[], &[], &[Code::CredentialRefused]);
    let reached =
        Finding::new(Code::TcpOpen, Subject::at(&one(), address)).after(Duration::from_micros(12_345));
    let quality = Quality::of(&[Some(Duration::from_millis(20))]);
    report
        .findings
        .extend([reached, Finding { quality, ..Finding::new(Code::QualityGood, Subject::proxy(&one())) }]);
    report.sort();
    let value = document(&report, &Verdict::of(&report));
    assert_eq!((&value["schema"], &value["verdict"]["works"]), (&1.into(), &false.into()));
    assert_eq!(value["verdict"]["code"], "credential-refused");
    let tcp = &value["findings"][0];
    for (key, expected) in [
        ("step", "tcp"),
        ("code", "tcp-open"),
        ("outcome", "ok"),
        ("proxy", "one.example:443"),
        ("family", "IPv4"),
        ("address", "192.0.2.7:443"),
    ] {
        assert_eq!(tcp[key], expected, "{key}");
    }
    assert_eq!(tcp["took_ms"], 12.345);
    assert!(tcp["target"].is_null() && tcp["via"].is_null() && tcp["quality"].is_null());
    assert_eq!(value["findings"][2]["quality"]["round_trip_ms"], 20.0);
}

#[test]
fn what_others_say_is_text_in_the_page_and_nothing_else() {
    let mut report = report(&REACHED, &[], &[]);
    let evil = "<script>alert(1)</script>\"'&";
    report.findings.push(Finding::new(Code::CredentialRefused, Subject::proxy(&one())).with(evil));
    let html = page(&report, &Verdict::of(&report));
    assert!(
        !html.contains("<script") && html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;")
    );
    assert!(html.contains("default-src 'none'"), "nothing is fetched");
    assert!(!html.contains("src=") && !html.contains("href="), "it is one file");
    assert!(html.contains("prefers-color-scheme: dark"));
    for tag in ["html", "head", "body", "table", "tbody", "h1"] {
        let count = |text: &str| html.matches(text).count();
        assert_eq!(
            count(&format!("<{tag}>")) + count(&format!("<{tag} ")),
            count(&format!("</{tag}>")),
            "{tag}"
        );
    }
}
