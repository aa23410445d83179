//! The table for people: Markdown, which is as readable on a terminal.

use std::fmt::{self, Write as _};

use super::{Figures, Measured, Results, Sample};
use crate::machines::Cost;
use crate::peers::Kind;

/// The whole report as text.
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, results);
    out
}

fn write(out: &mut String, results: &Results) -> fmt::Result {
    results.conditions.iter().try_for_each(|sentence| writeln!(out, "- {sentence}"))?;
    for (relay, reason) in &results.absent {
        writeln!(out, "- **absent**: {relay}: {reason}")?;
    }
    if !results.machines.is_empty() {
        machines(out, &results.machines)?;
    }
    if !results.rows.is_empty() {
        overview(out, &results.rows)?;
    }
    results.rows.iter().try_for_each(|row| section(out, row))
}

fn machines(out: &mut String, costs: &[Cost]) -> fmt::Result {
    writeln!(out, "\n### Machines alone\n")?;
    writeln!(out, "| one unit of | instructions | ns | allocations |\n|---|---:|---:|---:|")?;
    for cost in costs {
        let instructions = cost.instructions.map_or("-".into(), |count| format!("{count:.0}"));
        let (name, time, allocations) = (&cost.name, cost.nanoseconds, cost.allocations);
        writeln!(out, "| {name} | {instructions} | {time:.0} | {allocations:.2} |")?;
    }
    Ok(())
}

/// Our ratios alone.
fn overview(out: &mut String, rows: &[Measured]) -> fmt::Result {
    writeln!(out, "\n### Ratios\n")?;
    writeln!(
        out,
        "| row | ours | to the best peer | to the best without TLS | to the limit |\n|---|---|---:|---:|---:|"
    )?;
    for row in rows {
        for figures in
            row.relays.iter().filter(|figures| matches!(figures.kind, Kind::Gathering | Kind::Ours))
        {
            let Some(cost) = figures.cost() else { continue };
            let [peer, clear, limit] = [row.mark(), row.best(Kind::Clear), row.best(Kind::Limit)]
                .map(|to| to.map_or("-".to_owned(), |to| format!("{:.2}", cost.median / to)));
            let (name, ours, unit) = (&row.name, rounded(cost.median), row.work.cost_unit());
            writeln!(out, "| {name} | {}: {ours} {unit} | {peer} | {clear} | {limit} |", figures.relay)?;
        }
    }
    Ok(())
}

fn section(out: &mut String, row: &Measured) -> fmt::Result {
    let (cost, rate) = (row.work.cost_unit(), row.work.rate_unit());
    writeln!(out, "\n**{}**\n", row.name)?;
    let without = row.without();
    let added = if without.is_some() { "added us" } else { "us" };
    writeln!(
        out,
        "| relay | ratio | {cost} (least - most) | {rate} | core used | {added} p50 / p99 / p99.9 | lost |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|")?;
    row.relays.iter().try_for_each(|figures| line(out, figures, row.mark(), without))
}

/// `without` is how long it takes without a relay; what a relay adds is shown.
fn line(out: &mut String, figures: &Figures, mark: Option<f64>, without: Option<[f64; 3]>) -> fmt::Result {
    let name = &figures.relay;
    let Some(cost) = figures.cost() else {
        return writeln!(out, "| {name} | failed: {} ||||||", figures.failure.as_deref().unwrap_or_default());
    };
    let is_there = figures.kind != Kind::Nothing;
    let ratio = mark.filter(|_| is_there).map_or("-".to_owned(), |mark| format!("{:.2}", cost.median / mark));
    let spread = format!("{} ({} - {})", rounded(cost.median), rounded(cost.least), rounded(cost.greatest));
    let spread = if is_there { spread } else { "-".to_owned() };
    let median = |figure: fn(&Sample) -> f64| figures.spread(figure).map_or(0.0, |spread| spread.median);
    let (rate, busy) = (rounded(median(|sample| sample.rate)), median(|sample| sample.busy) * 100.0);
    let latency = figures.latency().map_or(String::new(), |latency| {
        let less = without.filter(|_| is_there).unwrap_or_default();
        let [p50, p99, p999] = std::array::from_fn(|place| latency[place] - less[place]);
        let whole = if without.is_some() && !is_there { " in all" } else { "" };
        format!("{p50:.0} / {p99:.0} / {p999:.0}{whole}")
    });
    let is_lossy = figures.samples.iter().any(|sample| sample.loss.is_some());
    let loss = if is_lossy {
        format!("{:.1} %", median(|sample| sample.loss.unwrap_or_default()) * 100.0)
    } else {
        String::new()
    };
    let failure = figures.failure.as_ref().map_or(String::new(), |why| format!(" (a run failed: {why})"));
    writeln!(out, "| {name}{failure} | {ratio} | {spread} | {rate} | {busy:.0} % | {latency} | {loss} |")
}

/// Three digits, as a person would say it.
fn rounded(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
