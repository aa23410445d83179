//! A report for programs: docs/troubleshooting.md has its schema.

use serde_json::{Value, json};
use wayleave_proto::base::Kind;

use crate::doctor::quality::millis;
use crate::doctor::report::{Finding, Report};
use crate::doctor::verdict::Verdict;

pub(crate) fn document(report: &Report, verdict: &Verdict) -> Value {
    json!({
        "schema": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "made": report.made,
        "took_ms": rounded(millis(report.took)),
        "verdict": {
            "works": verdict.works,
            "code": verdict.cause.as_ref().map(|finding| finding.code.as_str()),
            "sentence": verdict.sentence,
            "remedy": verdict.remedy(),
            "also": verdict.also.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(),
        },
        "findings": report.findings.iter().map(of_finding).collect::<Vec<_>>(),
    })
}

fn of_finding(finding: &Finding) -> Value {
    let subject = &finding.subject;
    let kind = |kind: &Kind| if *kind == Kind::Stream { "tcp" } else { "udp" };
    json!({
        "step": finding.code.step().name(),
        "code": finding.code.as_str(),
        "outcome": finding.outcome().to_string(),
        "proxy": subject.proxy.as_ref().map(ToString::to_string),
        "family": subject.family.map(|family| family.to_string()),
        "address": subject.address.map(|address| address.to_string()),
        "target": subject.target.as_ref().map(|(it, target)| format!("{}:{target}", kind(it))),
        "via": subject.via,
        "sentence": finding.sentence(),
        "remedy": finding.remedy(),
        "took_ms": finding.took.map(|took| rounded(millis(took))),
        "quality": finding.quality.map(|quality| json!({
            "round_trip_ms": rounded(millis(quality.round_trip)),
            "jitter_ms": rounded(millis(quality.jitter)),
            "loss": rounded(quality.loss),
            "mos": rounded(quality.mos),
        })),
    })
}

/// To a thousandth: nothing here is measured more exactly.
fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}
