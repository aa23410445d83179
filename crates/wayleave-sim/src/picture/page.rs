//! All of it as one page.

use core::fmt::Write as _;

use wayleave_proto::base::Instant;

use super::arrows::Arrows;
use super::bands::{self, Band};
use super::html::escape;
use super::lanes::{Board, Lane};
use super::story::{self, Card, Moment};
use super::time::{Axis, moment, number, span};
use super::words;
use crate::trace::What;
use crate::{Report, Scenario};

/// The page.
pub(super) fn page(scenario: &Scenario, report: &Report) -> String {
    let moments = story::moments(scenario, report);
    let (cards, left) = story::cards(scenario, report);
    let board = Board::new(scenario, report);
    let axis = axis(report, &moments);
    let view = story::view(scenario, report, &cards, &axis);
    let near: Vec<Instant> = cards.iter().map(|card| card.at).collect();
    let arrows = Arrows::new(report, &near);
    let headline = story::headline(scenario, report);
    let mut out = String::new();
    let title = escape(&format!("{}: {headline}", scenario.name));
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    head(&mut out, scenario, report, &headline);
    strip(&mut out, &cards, left);
    chart(&mut out, scenario, report, &Placed { board: &board, axis: &axis, view });
    out.push_str("<div class=\"below\">\n");
    list(&mut out, report, &moments);
    out.push_str("<div class=\"aside\">\n");
    expected(&mut out, scenario, report);
    facts(&mut out, report, &arrows, &axis);
    out.push_str("</div>\n</div>\n");
    let data = arrows.data((scenario, report), &board, &axis, view, &moments);
    let _ = write!(
        out,
        "<script type=\"application/json\" id=\"data\">{data}</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    );
    out
}

/// Where things lie on the board.
struct Placed<'a> {
    board: &'a Board,
    axis: &'a Axis,
    view: (Instant, Instant),
}

impl Placed<'_> {
    /// Where on the first view, in percent; the script places everything anew.
    fn percent(&self, at: Instant) -> f64 {
        let (from, to) = (self.axis.place(self.view.0), self.axis.place(self.view.1));
        (self.axis.place(at) - from) * 100.0 / (to - from).max(1e-6)
    }
}

fn axis(report: &Report, moments: &[Moment]) -> Axis {
    let mut all: Vec<Instant> = moments.iter().map(|moment| moment.at).collect();
    all.extend(report.items.iter().map(|item| item.at));
    all.extend(report.items.iter().filter_map(|item| match item.what {
        What::Packet { arrives, .. } => arrives,
        _ => None,
    }));
    Axis::new(all, report.now)
}

fn head(out: &mut String, scenario: &Scenario, report: &Report, headline: &str) {
    let (class, verdict) = match &report.violation {
        None => ("holds", "every law held".to_owned()),
        Some(violation) if violation.law.number() == 0 => ("broken", "not as expected".to_owned()),
        Some(violation) => ("broken", format!("{} is broken", violation.law)),
    };
    let _ = write!(
        out,
        "<header>\n<p class=\"eyebrow\"><span class=\"verdict {class}\">{}</span><span>{}</span></p>\n<h1>{}</h1>\n<p class=\"about\">{}</p>\n</header>\n",
        escape(&verdict),
        escape(&scenario.name),
        escape(headline),
        escape(&scenario.about)
    );
}

fn strip(out: &mut String, cards: &[Card], left: usize) {
    out.push_str("<ol class=\"cards\" aria-label=\"The moments that matter\">\n");
    for card in cards {
        let at = number(card.at);
        let _ = write!(
            out,
            "<li><button type=\"button\" class=\"card {}\" data-go=\"{at}\"><time>{}</time><b>{}</b>",
            card.class,
            moment(card.at),
            escape(&card.title)
        );
        for line in &card.lines {
            let _ = write!(out, "<span>{}</span>", escape(line));
        }
        out.push_str("</button></li>\n");
    }
    out.push_str("</ol>\n");
    if left > 0 {
        let are = if left == 1 { "moment is" } else { "moments are" };
        let _ = writeln!(out, "<p class=\"more\">{left} more {are} in the list below the chart.</p>");
    }
}

fn chart(out: &mut String, scenario: &Scenario, report: &Report, placed: &Placed<'_>) {
    let faulty = report.now.min(report.healed);
    let _ = write!(
        out,
        "<section class=\"chart\" aria-label=\"Packets and states over virtual time\">\n<div class=\"tools\">\n\
         <div class=\"ways\"><button type=\"button\" data-a=\"{}\" data-b=\"{}\">What matters</button>\
         <button type=\"button\" data-a=\"0\" data-b=\"{}\">Part with faults</button>\
         <button type=\"button\" data-a=\"0\" data-b=\"{}\">Whole run</button></div>\n\
         <div class=\"ways\"><button type=\"button\" data-zoom=\"0.5\" aria-label=\"Zoom in\">+</button>\
         <button type=\"button\" data-zoom=\"2\" aria-label=\"Zoom out\">−</button></div>\n",
        number(placed.view.0),
        number(placed.view.1),
        number(faulty),
        number(report.now),
    );
    out.push_str("<ul class=\"legend\">");
    for (class, text) in LEGEND {
        let _ = write!(out, "<li><i class=\"{class}\"></i>{text}</li>");
    }
    out.push_str("</ul>\n</div>\n<div class=\"overview\"><canvas id=\"overview\"></canvas><div id=\"brush\"></div></div>\n");
    let height = placed.board.height;
    let _ = write!(
        out,
        "<div class=\"board\" style=\"--board:{height}px\">\n<div class=\"names\">\n<div class=\"axis-name\">virtual time</div>\n"
    );
    for lane in &placed.board.lanes {
        names(out, lane);
    }
    out.push_str("</div>\n<div class=\"plot\" id=\"plot\" tabindex=\"0\" aria-label=\"The packets. Left and right go from one to the next, plus and minus zoom.\">\n<div id=\"ticks\"></div>\n");
    flags(out, scenario, report, placed);
    let _ =
        write!(out, "<div class=\"field\" style=\"height:{height}px\">\n<canvas id=\"wires\"></canvas>\n");
    for lane in &placed.board.lanes {
        let quiet = if lane.is_used { "" } else { " quiet" };
        let _ = writeln!(
            out,
            "<div class=\"lane{quiet}\" data-host=\"{}\" style=\"top:{}px\"></div>",
            lane.host, lane.line
        );
        for row in &lane.rows {
            for band in &row.bands {
                self::band(out, placed, band, row.class, row.top, row.height);
            }
        }
    }
    out.push_str("</div>\n</div>\n</div>\n<p class=\"hint\">Drag to move, double-click or Ctrl + wheel to zoom. Tab goes from band to band; in the chart, ← and → go from packet to packet. Everything explains itself on hover and on focus.</p>\n</section>\n<div id=\"tip\" role=\"status\" hidden></div>\n<noscript><p class=\"more\">Packets are drawn by the script of this page, which does not run here.</p></noscript>\n");
}

fn names(out: &mut String, lane: &Lane) {
    let quiet = if lane.is_used { "" } else { " quiet" };
    let _ = writeln!(
        out,
        "<div class=\"name{quiet}\" style=\"top:{}px\"><b>{}</b> <small>{}</small></div>",
        lane.label,
        escape(&lane.name),
        escape(&lane.about)
    );
    for row in lane.rows.iter().filter(|row| !row.name.is_empty()) {
        let middle = row.top + row.height / 2;
        let _ = writeln!(out, "<div class=\"row\" style=\"top:{middle}px\">{}</div>", escape(row.name));
    }
}

fn band(out: &mut String, placed: &Placed<'_>, band: &Band, row: &str, top: u32, height: u32) {
    let (left, right) = (placed.percent(band.from), placed.percent(band.to));
    let time = if band.from == band.to {
        moment(band.from)
    } else {
        format!("{} to {}, {}", moment(band.from), moment(band.to), span(band.to.since(band.from)))
    };
    let tip = format!("{}\n{time}\n{}", band.text, band.tip);
    let _ = writeln!(
        out,
        "<button type=\"button\" class=\"band {row} {}\" data-a=\"{}\" data-b=\"{}\" data-tip=\"{}\" style=\"top:{top}px;height:{height}px;left:{left:.2}%;width:{:.2}%\"><span>{}</span></button>",
        band.class,
        number(band.from),
        number(band.to),
        escape(&tip),
        right - left,
        escape(&band.text)
    );
}

/// What happens at one moment and concerns every lane: faults, switches, and what is broken.
fn flags(out: &mut String, scenario: &Scenario, report: &Report, placed: &Placed<'_>) {
    let mut flags: Vec<(Instant, &str, String, String)> = Vec::new();
    for (at, fault) in bands::faults(scenario, report) {
        let (_, text) = words::fault(scenario, fault);
        flags.push((at, "fault", text.clone(), text));
    }
    for decision in super::decision::all(report) {
        let class = if decision.is_proxied() { "proxied" } else { "direct" };
        let kinds = words::flows(decision.kind);
        let text = match (class, decision.verdict) {
            ("proxied", _) => format!("{kinds} → relay"),
            (_, super::decision::Verdict::Proven(..)) => format!("{kinds}: direct proven"),
            _ => format!("{kinds} → direct"),
        };
        let tip = format!("client {}: {text}", decision.client);
        flags.push((decision.at, class, text, tip));
    }
    if let Some(at) = bands::healed(scenario, report) {
        flags.push((
            at,
            "healed",
            "faults are over".to_owned(),
            "The faults are over; from here everything must work again.".to_owned(),
        ));
    }
    if let Some((at, _, text)) = story::violation(report) {
        flags.push((at, "violation", "law broken".to_owned(), text));
    }
    flags.sort_by_key(|(at, ..)| *at);
    out.push_str("<div id=\"flags\">\n");
    for (at, class, text, tip) in flags {
        let _ = writeln!(
            out,
            "<button type=\"button\" class=\"flag {class}\" data-a=\"{0}\" data-b=\"{0}\" data-tip=\"{1}\" style=\"left:{2:.2}%\"><span>{3}</span></button>",
            number(at),
            escape(&format!("{}\n{}", words::sentence(&tip), moment(at))),
            placed.percent(at),
            escape(&text)
        );
    }
    out.push_str("</div>\n");
}

fn list(out: &mut String, report: &Report, moments: &[Moment]) {
    let told: Vec<&Moment> = moments.iter().filter(|moment| moment.is_told).collect();
    out.push_str("<section class=\"story\">\n<h2>What happened</h2>\n<ol>\n");
    for moment_of in told.iter().take(MOST_TOLD) {
        let host = report.hosts.get(moment_of.host).map_or("", String::as_str);
        let _ = writeln!(
            out,
            "<li class=\"{}\"><button type=\"button\" data-go=\"{}\"><time>{}</time><b>{}</b><span>{}</span></button></li>",
            moment_of.class,
            number(moment_of.at),
            moment(moment_of.at),
            escape(host),
            escape(&moment_of.text)
        );
    }
    out.push_str("</ol>\n");
    if told.len() > MOST_TOLD {
        let left = told.len() - MOST_TOLD;
        let _ = writeln!(
            out,
            "<p class=\"more\">{left} later ones are left out here; the chart has them all.</p>"
        );
    }
    out.push_str("</section>\n");
}

fn expected(out: &mut String, scenario: &Scenario, report: &Report) {
    let _ = write!(out, "<section class=\"expected\">\n<h2>What must be</h2>\n<ul>\n");
    let law = match &report.violation {
        Some(violation) if violation.law.number() > 0 => {
            (false, story::violation(report).map_or_else(|| violation.to_string(), |(_, _, text)| text))
        }
        _ => (true, "every law holds at every step".to_owned()),
    };
    // After a broken law the run has ended early, and what it was to bring about means little; it is shown all the same.
    let all = scenario
        .expectations
        .iter()
        .map(|expectation| ((expectation.check)(report), expectation.says.clone()));
    for (met, says) in core::iter::once(law).chain(all) {
        let (class, sign, word) = if met { ("met", "✓", "Yes: ") } else { ("missed", "✕", "No: ") };
        let _ = writeln!(
            out,
            "<li class=\"{class}\"><i aria-hidden=\"true\">{sign}</i><span><span class=\"aloud\">{word}</span>{}</span></li>",
            escape(&words::sentence(&says))
        );
    }
    out.push_str("</ul>\n</section>\n");
}

fn facts(out: &mut String, report: &Report, arrows: &Arrows<'_>, axis: &Axis) {
    let mut facts = vec![
        ("virtual time", span(report.now.since(Instant::ZERO))),
        ("packets", format!("{}, of which {} were lost", arrows.packets, arrows.lost)),
        ("flows", report.flows.len().to_string()),
        ("trace", report.sum.clone()),
    ];
    if !axis.folds.is_empty() {
        let stretches = if axis.folds.len() == 1 { "stretch" } else { "stretches" };
        let text = format!(
            "{} quiet {stretches}, {} together, in which nothing happened",
            axis.folds.len(),
            span(axis.folded())
        );
        facts.push(("folded away", text));
    }
    if arrows.merged > 0 {
        let text = format!(
            "{} packets far from what matters are drawn as sheaves, each with its count",
            arrows.merged
        );
        facts.push(("merged", text));
    }
    if report.items.is_empty() {
        facts.push(("packets", "were not kept by this run".to_owned()));
    }
    out.push_str("<section class=\"facts\">\n<h2>This run</h2>\n<dl>\n");
    for (name, text) in facts {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&text));
    }
    out.push_str("</dl>\n</section>\n");
}

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const LEGEND: [(&str, &str); 8] = [
    ("trial", "trial"),
    ("direct", "direct"),
    ("proxied", "to the relay"),
    ("onward", "relay to target"),
    ("other", "others"),
    ("lost", "lost"),
    ("tcp", "TCP"),
    ("udp", "UDP"),
];
/// The list tells so many moments at most.
const MOST_TOLD: usize = 400;
