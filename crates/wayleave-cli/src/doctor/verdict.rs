//! One verdict from everything that was found.

use wayleave_proto::base::Target;

use super::code::{Code, Outcome, Step};
use super::report::{Family, Finding, Report};

/// Whether it works, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// Whether what was asked for works with at least one relay.
    pub(crate) works: bool,
    /// The finding that says why not; where it works, there may be none.
    pub(crate) cause: Option<Finding>,
    /// One sentence.
    pub(crate) sentence: String,
    /// What else is worth a look, although it is not what decides.
    pub(crate) also: Vec<Finding>,
}

impl Verdict {
    pub(crate) fn of(report: &Report) -> Self {
        let mut best: Option<(&Target, Option<&Finding>)> = None;
        for proxy in &report.proxies {
            let cause = cause(report, proxy);
            let gets_further = match (best, cause) {
                (None, _) | (Some((_, Some(_))), None) => true,
                (Some((_, Some(old))), Some(new)) => depth(new) > depth(old),
                (Some((_, None)), _) => false,
            };
            if gets_further {
                best = Some((proxy, cause));
            }
        }
        let Some((proxy, cause)) = best else {
            return Self {
                works: false,
                cause: None,
                sentence: "no relay was given".into(),
                also: Vec::new(),
            };
        };
        let also =
            report.findings.iter().filter(|finding| is_worth_a_look(finding, cause)).cloned().collect();
        let sentence = match cause {
            None if is_accepted(report, proxy) => format!("{proxy} works"),
            None => format!("{proxy} works as far as it was checked; nothing was opened with a credential"),
            Some(finding) => format!("{proxy} does not work: {}", finding.sentence()),
        };
        Self { works: cause.is_none(), cause: cause.cloned(), sentence, also }
    }

    /// What to do; empty where nothing is.
    pub(crate) fn remedy(&self) -> String {
        self.cause.as_ref().map(Finding::remedy).unwrap_or_default()
    }
}

/// Why a relay does not serve; `None` where it does.
fn cause<'a>(report: &'a Report, proxy: &'a Target) -> Option<&'a Finding> {
    // A wrong clock makes certificates and tokens look wrong: then it is what has to be mended.
    let clock = report.of(proxy).find(|finding| finding.code == Code::ClockWrong);
    let portal = report.of(proxy).find(|finding| finding.code == Code::PortalSeen);
    let first = reaching(report, proxy).or_else(|| using(report, proxy))?;
    let by_the_clock = matches!(
        first.code,
        Code::TlsExpired
            | Code::TlsNotYetValid
            | Code::CredentialExpired
            | Code::CredentialEarly
            | Code::CredentialRefused
    );
    let before_the_relay = first.code.step() <= Step::Relay;
    clock.filter(|_| by_the_clock).or(portal.filter(|_| before_the_relay)).or(Some(first))
}

/// What stands in the way to a relay by every family, and through every proxy of the network; the one that gets furthest is told.
fn reaching<'a>(report: &'a Report, proxy: &'a Target) -> Option<&'a Finding> {
    // One proxy of the network that leads there is enough.
    let is_led = report.of(proxy).any(|finding| finding.code == Code::ViaOpen);
    let is_on_the_way = move |finding: &&Finding| match finding.code.step() {
        Step::Via => !is_led,
        Step::Name | Step::Tcp | Step::Tls | Step::Relay => true,
        _ => false,
    };
    let mut furthest: Option<&Finding> = None;
    for family in [None, Some(Family::V4), Some(Family::V6)] {
        let of_way = || {
            let of_proxy = report.of(proxy).filter(is_on_the_way);
            of_proxy.filter(move |finding| finding.subject.family == family)
        };
        let failed = of_way().filter(|finding| is_failed(finding)).min_by_key(|finding| finding.code.step());
        match failed {
            Some(failed) if furthest.is_none_or(|other| depth(failed) > depth(other)) => {
                furthest = Some(failed)
            }
            Some(_) => {}
            None if of_way().any(|finding| finding.code == Code::TlsTrusted) => return None,
            None => {}
        }
    }
    furthest
}

/// What fails once a relay is reached.
fn using<'a>(report: &'a Report, proxy: &'a Target) -> Option<&'a Finding> {
    const NEEDED: [Step; 3] = [Step::Credential, Step::Stream, Step::Datagrams];
    let failed = |finding: &&Finding| NEEDED.contains(&finding.code.step()) && is_failed(finding);
    report.of(proxy).filter(failed).min_by_key(|finding| finding.code.step())
}

fn is_accepted(report: &Report, proxy: &Target) -> bool {
    const SERVED: [Code; 3] = [Code::CredentialAccepted, Code::StreamOpen, Code::DatagramsBack];
    report.of(proxy).any(|finding| SERVED.contains(&finding.code))
}

fn is_failed(finding: &Finding) -> bool {
    finding.outcome() == Outcome::Failed
}

fn depth(finding: &Finding) -> Step {
    finding.code.step()
}

/// A target that is not reached directly is what relays are for.
fn is_worth_a_look(finding: &Finding, cause: Option<&Finding>) -> bool {
    is_failed(finding) && finding.code.step() != Step::Direct && cause != Some(finding)
}
