//! How cost grows with the number of flows, as a picture.

use std::fmt::{self, Write as _};

use super::Results;
use crate::peers::Kind;

/// A curve of the picture: its name and its points.
type Curve = (String, Vec<(f64, f64)>);

/// Two panels: processor time of a datagram, and memory of a tunnel, over the number of flows.
pub fn picture(results: &Results) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, results);
    out
}

fn write(out: &mut String, results: &Results) -> fmt::Result {
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
        2.0 * WIDTH
    )?;
    let datagrams = [curves(results, "growth/up/"), curves(results, "growth/down/")].concat();
    panel(out, 0.0, "processor time of the relay, us a datagram", &datagrams)?;
    let memory = [curves(results, "growth/idle/"), curves(results, "streams/idle/")].concat();
    panel(out, WIDTH, "memory of the relay, KiB an idle tunnel", &joined(memory))?;
    writeln!(out, "</svg>")
}

/// Our curves in the rows whose names begin with `prefix`.
fn curves(results: &Results, prefix: &str) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    let way = prefix.split('/').nth(1).unwrap_or_default();
    for row in results.rows.iter().filter(|row| row.name.starts_with(prefix)) {
        let flows = row.name[prefix.len()..].split('/').next().and_then(|word| word.parse::<f64>().ok());
        let Some(flows) = flows else { continue };
        for figures in row.relays.iter().filter(|figures| figures.kind == Kind::Ours) {
            let Some(cost) = figures.cost() else { continue };
            let name = format!("{}, {way}", figures.relay);
            match curves.iter_mut().find(|(known, _)| *known == name) {
                Some((_, points)) => points.push((flows, cost.median)),
                None => curves.push((name, vec![(flows, cost.median)])),
            }
        }
    }
    curves
}

/// Curves of one name as one.
fn joined(curves: Vec<Curve>) -> Vec<Curve> {
    let mut all: Vec<Curve> = Vec::new();
    for (name, points) in curves {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => known.extend(points),
            None => all.push((name, points)),
        }
    }
    all
}

fn panel(out: &mut String, left: f64, title: &str, curves: &[Curve]) -> fmt::Result {
    let costs = curves.iter().flat_map(|(_, points)| points.iter().map(|point| point.1));
    let top = costs.fold(1.0, f64::max) * 1.15;
    let x = |flows: f64| left + MARGIN + (WIDTH - 2.0 * MARGIN) * flows.max(1.0).log10() / DECADES;
    let y = |cost: f64| HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * cost / top;
    writeln!(out, "<text x=\"{}\" y=\"24\" font-size=\"14\">{title}</text>", left + MARGIN)?;
    for decade in 0..=DECADES as i32 {
        let flows = 10_f64.powi(decade);
        let (place, low) = (x(flows), HEIGHT - MARGIN);
        writeln!(out, "<path d=\"M{place} {MARGIN}V{low}\" stroke=\"#ddd\"/>")?;
        writeln!(out, "<text x=\"{place}\" y=\"{}\" text-anchor=\"middle\">{flows}</text>", low + 18.0)?;
    }
    for part in 0..=4 {
        let cost = top * f64::from(part) / 4.0;
        let (place, start, end) = (y(cost), x(1.0), x(10_f64.powf(DECADES)));
        writeln!(out, "<path d=\"M{start} {place}H{end}\" stroke=\"#ddd\"/>")?;
        writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{cost:.1}</text>",
            start - 6.0,
            place + 4.0
        )?;
    }
    for (place, (name, points)) in curves.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let path: Vec<String> =
            points.iter().map(|(flows, cost)| format!("{:.1},{:.1}", x(*flows), y(*cost))).collect();
        writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        )?;
        for (flows, cost) in points {
            writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(*flows),
                y(*cost)
            )?;
        }
        let line = HEIGHT - MARGIN - 14.0 - 16.0 * place as f64;
        writeln!(out, "<text x=\"{}\" y=\"{line}\" fill=\"{colour}\">{name}</text>", left + MARGIN + 8.0)?;
    }
    Ok(())
}

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 48.0;

/// From 1 to 10,000 flows.
const DECADES: f64 = 4.0;

const COLOURS: [&str; 6] = ["#0b6e99", "#c0392b", "#27803b", "#8e44ad", "#b9770e", "#444444"];
