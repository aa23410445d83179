//! A report as one page that needs nothing else: no script, no file beside it, no network.

use super::{place, span};
use crate::doctor::report::{Finding, Report};
use crate::doctor::verdict::Verdict;

pub(crate) fn page(report: &Report, verdict: &Verdict) -> String {
    let class = if verdict.works { "ok" } else { "failed" };
    let mut body = format!("<h1 class=\"{class}\">{}.</h1>\n", escaped(&verdict.sentence));
    let remedy = verdict.remedy();
    if !remedy.is_empty() {
        body += &format!("<p class=\"remedy\">{}</p>\n", escaped(&remedy));
    }
    if !verdict.also.is_empty() {
        body += "<h2>Worth a look</h2>\n<ul>\n";
        for also in &verdict.also {
            body += &format!("<li>{}. {}</li>\n", escaped(&also.sentence()), escaped(&also.remedy()));
        }
        body += "</ul>\n";
    }
    for proxy in report.proxies.iter().map(Some).chain([None]) {
        let of_proxy: Vec<&Finding> =
            report.findings.iter().filter(|finding| finding.subject.proxy.as_ref() == proxy).collect();
        if !of_proxy.is_empty() {
            let title = proxy.map_or_else(|| "This network".to_owned(), ToString::to_string);
            body += &table(&title, &of_proxy);
        }
    }
    let made = format!(
        "Made {} by wayleave {} in {}. There is no token and no key in this page; names and addresses of relays and targets are.",
        report.made,
        env!("CARGO_PKG_VERSION"),
        span(report.took)
    );
    body += &format!("<footer>{}</footer>\n", escaped(&made));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>Wayleave: what was checked</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

fn table(title: &str, findings: &[&Finding]) -> String {
    let mut text = format!(
        "<h2>{}</h2>\n<table>\n<thead><tr><th scope=\"col\">step</th><th scope=\"col\">what</th>\
         <th scope=\"col\">result</th><th scope=\"col\">found</th></tr></thead>\n<tbody>\n",
        escaped(title)
    );
    for finding in findings {
        let outcome = finding.outcome();
        let took = finding.took.map(|took| format!(" <small>({})</small>", span(took))).unwrap_or_default();
        let remedy = finding.remedy();
        let remedy = if remedy.is_empty() {
            String::new()
        } else {
            format!("<br><small>{}</small>", escaped(&remedy))
        };
        text += &format!(
            "<tr class=\"{outcome}\"><td>{}</td><td>{}</td><td>{outcome}</td><td>{}{took} <code>{}</code>{remedy}</td></tr>\n",
            finding.code.step(),
            escaped(&place(&finding.subject)),
            escaped(&finding.sentence()),
            finding.code
        );
    }
    text + "</tbody>\n</table>\n"
}

/// Text as HTML shows it, in an element and in an attribute alike.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            character => out.push(character),
        }
    }
    out
}

const STYLE: &str = "\
:root { color-scheme: light dark; --ok: #176b34; --failed: #b3201c; --unknown: #666; --line: #8884; }
@media (prefers-color-scheme: dark) { :root { --ok: #6fcf8c; --failed: #ff8a80; --unknown: #a0a0a0; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin-top: 2rem; }
h1.ok { color: var(--ok); } h1.failed { color: var(--failed); }
.remedy { border-left: 4px solid var(--failed); padding-left: 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th, td:nth-child(1), td:nth-child(3) { white-space: nowrap; overflow-wrap: normal; }
td:nth-child(3) { font-weight: 600; } code, small { color: var(--unknown); }
tr.ok td:nth-child(3) { color: var(--ok); } tr.failed td:nth-child(3) { color: var(--failed); }
tr.unknown td:nth-child(3) { color: var(--unknown); }
footer { margin: 2rem 0; color: var(--unknown); }
";
