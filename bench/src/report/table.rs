//! The table for people.

use std::fmt::Write as _;

use super::{Figures, Measured, Results};
use crate::peers::Kind;

/// The table in plain text.
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    for row in &results.rows {
        // Writing to a string cannot fail.
        let _ = section(&mut out, row);
    }
    for (relay, reason) in &results.absent {
        let _ = writeln!(out, "absent: {relay}: {reason}");
    }
    out
}

fn section(out: &mut String, row: &Measured) -> std::fmt::Result {
    writeln!(out, "\n{} (cost in {}, rate in {})", row.name, row.work.cost_unit(), row.work.rate_unit())?;
    writeln!(
        out,
        "  {:24} {:>7} {:>7} {:>26} {:>12} {:>5}  latency us p50/p99/p99.9, loss",
        "relay", "/ peer", "/ limit", "cost", "rate", "busy"
    )?;
    let best = |kind| {
        let costs = row.relays.iter().filter(move |figures| figures.kind == kind);
        costs.filter_map(|figures| Some(figures.spread(|sample| sample.cost)?.median)).min_by(f64::total_cmp)
    };
    let (peer, limit) = (best(Kind::Peer), best(Kind::Limit));
    for figures in &row.relays {
        line(out, figures, peer, limit)?;
    }
    Ok(())
}

fn line(out: &mut String, figures: &Figures, peer: Option<f64>, limit: Option<f64>) -> std::fmt::Result {
    let name = &figures.relay;
    let Some(cost) = figures.spread(|sample| sample.cost) else {
        return writeln!(out, "  {name:24} failed: {}", figures.failure.as_deref().unwrap_or_default());
    };
    let ratio = |to: Option<f64>| to.map_or("-".to_owned(), |to| format!("{:.2}", cost.median / to));
    let shown = format!("{:.3} ({:.3}-{:.3})", cost.median, cost.least, cost.greatest);
    let median =
        |figure: fn(&super::Sample) -> f64| figures.spread(figure).map_or(0.0, |spread| spread.median);
    let (rate, busy) = (median(|sample| sample.rate), median(|sample| sample.busy) * 100.0);
    write!(
        out,
        "  {name:24} {:>7} {:>7} {shown:>26} {:>12} {busy:>4.0}%",
        ratio(peer),
        ratio(limit),
        rounded(rate)
    )?;
    let latency = figures.samples.iter().filter_map(|sample| sample.latency).count();
    if latency > 0 {
        let micros = [0, 1, 2].map(|place| {
            let figure =
                |sample: &super::Sample| sample.latency.map_or(0.0, |all| all[place].as_secs_f64() * 1e6);
            figures.spread(figure).map_or(0.0, |spread| spread.median)
        });
        write!(out, "  {:.0}/{:.0}/{:.0}", micros[0], micros[1], micros[2])?;
    }
    if figures.samples.iter().any(|sample| sample.loss.is_some()) {
        write!(out, "  {:.2} % lost", median(|sample| sample.loss.unwrap_or_default()) * 100.0)?;
    }
    if let Some(failure) = &figures.failure {
        write!(out, "  (a run failed: {failure})")?;
    }
    writeln!(out)
}

/// Three digits, as a person would say it.
fn rounded(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
