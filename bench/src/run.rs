//! A whole run: start every relay, measure every row at each in turn, write the report.

use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::options::{Options, Part};
use crate::peers::{self, Peer};
use crate::report::{Progress, Results, table};
use crate::work::{Row, rows};
use crate::{forward, stop, sys};

/// Does what `options` say.
///
/// # Errors
/// Nothing could be measured, or a signal ended it.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.part {
        Some(Part::Forward { medium, listen, streams, datagrams }) => {
            return forward::run(*medium, *listen, *streams, *datagrams);
        }
        Some(Part::Adapter(adapter)) => return adapter.run(),
        None => {}
    }
    let is_chosen =
        |row: &Row| chosen(&options.only, &row.name) && !(row.is_extra && options.only.is_empty());
    let rows: Vec<Row> = rows().into_iter().filter(is_chosen).collect();
    if options.list {
        rows.iter().for_each(|row| println!("{}", row.name));
        return Ok(());
    }
    stop::watch();
    sys::raise_files();
    let lab = Lab::new(std::path::absolute(&options.folder)?, std::path::absolute(&options.source)?)?;
    let mut results = Results::default();
    let mut running = Vec::new();
    for (name, started) in peers::start_all(&lab, &options.ours, |name| chosen(&options.relays, name)) {
        match started {
            Ok(peer) => running.push(peer),
            Err(error) => {
                stop::check()?;
                results.absent(&name, &error);
            }
        }
    }
    measure(&lab, &rows, &running, options.quick, &mut results)?;
    print!("{}", table::text(&results));
    Ok(())
}

fn measure(
    lab: &Lab,
    rows: &[Row],
    running: &[Peer],
    is_quick: bool,
    results: &mut Results,
) -> anyhow::Result<()> {
    let (rounds, span) =
        if is_quick { (1, Duration::from_millis(300)) } else { (ROUNDS, Duration::from_millis(500)) };
    let started = Instant::now();
    let steps = |row: &Row| row.rounds(rounds) * running.iter().filter(|peer| row.fits(peer)).count();
    let mut progress = Progress::new(rows.iter().map(steps).sum());
    for row in rows {
        for _ in 0..row.rounds(rounds) {
            // Each in turn, so that a disturbance does not fall on one of them alone.
            for peer in running.iter().filter(|peer| row.fits(peer)) {
                progress.step(&row.name, &peer.name);
                let sample = row.work.sample(lab, peer, span);
                stop::check()?;
                results.add(row, peer, sample);
            }
        }
    }
    progress.end(started.elapsed());
    Ok(())
}

fn chosen(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
}

const ROUNDS: usize = 3;
