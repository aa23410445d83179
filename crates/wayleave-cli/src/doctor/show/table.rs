//! A table for a terminal, or without colours for a pipe.

use super::{place, span};
use crate::doctor::code::Outcome;
use crate::doctor::report::{Finding, Report};
use crate::doctor::verdict::Verdict;

/// Whether the table has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Colours,
    Plain,
}

impl Paint {
    fn over(self, text: &str, style: &str) -> String {
        match self {
            Self::Colours => format!("\u{1b}[{style}m{text}\u{1b}[0m"),
            Self::Plain => text.to_owned(),
        }
    }

    fn outcome(self, outcome: Outcome) -> String {
        // What is to be seen is seen without colours too.
        let (word, style) = match outcome {
            Outcome::Failed => ("FAILED ", "1;31"),
            Outcome::Ok => ("ok     ", "32"),
            Outcome::Unknown => ("unknown", "2"),
        };
        self.over(word, style)
    }
}

/// Every finding as a line, by relay, and the verdict below.
pub(crate) fn table(report: &Report, verdict: &Verdict, paint: Paint) -> String {
    let mut text = String::new();
    let width =
        report.findings.iter().map(|finding| place(&finding.subject).chars().count()).max().unwrap_or(0);
    let mut proxy = None;
    for finding in &report.findings {
        if finding.subject.proxy != proxy {
            proxy.clone_from(&finding.subject.proxy);
            let title = proxy.as_ref().map_or_else(|| "this network".to_owned(), ToString::to_string);
            text += &format!("{}{}\n", if text.is_empty() { "" } else { "\n" }, paint.over(&title, "1"));
        }
        text += &line(finding, width, paint);
    }
    text += "\n";
    text += &paint.over(&capital(&verdict.sentence), if verdict.works { "1;32" } else { "1;31" });
    text += ".\n";
    let remedy = verdict.remedy();
    if !remedy.is_empty() {
        text += &format!("What to do: {remedy}\n");
    }
    for also in &verdict.also {
        text += &format!("Also: {} ({}). {}\n", capital(&also.sentence()), also.code, also.remedy());
    }
    text
}

fn line(finding: &Finding, width: usize, paint: Paint) -> String {
    let took = finding.took.map(|took| format!(" ({})", span(took))).unwrap_or_default();
    let (step, outcome) = (finding.code.step(), paint.outcome(finding.outcome()));
    format!(
        "  {step:<10}  {:<width$}  {outcome}  {}{}\n",
        place(&finding.subject),
        finding.sentence(),
        paint.over(&took, "2")
    )
}

fn capital(sentence: &str) -> String {
    // A host name stays as it is written.
    let first = sentence.split(' ').next().unwrap_or_default();
    if first.contains(['.', ':', '-']) {
        return sentence.to_owned();
    }
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
