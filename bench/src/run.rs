//! A whole run: the machines alone, then every row at each relay in turn, then the report.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::lab::Lab;
use crate::options::{Options, Part};
use crate::peers::{self, Peer};
use crate::report::{Progress, Results, json, svg, table};
use crate::work::{Row, rows};
use crate::{forward, machines, stop, sys};

/// Does what `options` say.
///
/// # Errors
/// Nothing could be measured, or a signal ended it.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.part {
        Some(Part::Adapter(adapter)) => return adapter.run(),
        Some(Part::Forward { medium, listen, streams, datagrams }) => {
            return forward::run(*medium, *listen, *streams, *datagrams);
        }
        Some(Part::Machine { name, units }) => return machines::repeat(name, *units),
        None => {}
    }
    let is_chosen =
        |row: &Row| chosen(&options.only, &row.name) && !(row.is_extra && options.only.is_empty());
    let rows: Vec<Row> = rows().into_iter().filter(is_chosen).collect();
    let cases: Vec<String> = machines::names().map(|name| format!("machines/{name}")).collect();
    let cases: Vec<&str> =
        cases.iter().map(String::as_str).filter(|name| chosen(&options.only, name)).collect();
    if options.list {
        cases.iter().for_each(|name| println!("{name}"));
        rows.iter().for_each(|row| println!("{}", row.name));
        peers::names().for_each(|name| println!("relay: {name}"));
        return Ok(());
    }
    stop::watch();
    let mut results = Results { conditions: conditions(options), ..Results::default() };
    count(&cases, &mut results)?;
    if !rows.is_empty() {
        compare(options, &rows, &mut results)?;
    }
    write(options, &results)
}

/// The machines alone.
fn count(cases: &[&str], results: &mut Results) -> anyhow::Result<()> {
    let has_valgrind = machines::has_valgrind();
    if !has_valgrind && !cases.is_empty() {
        let warning = "valgrind is absent: NO INSTRUCTIONS ARE COUNTED; install the package valgrind";
        eprintln!("{warning}");
        results.conditions.push(warning.to_owned());
    }
    let started = Instant::now();
    let mut progress = Progress::new(cases.len());
    for name in cases {
        progress.step(name, "");
        let name = name.trim_start_matches("machines/");
        results.machines.push(machines::measure(name, has_valgrind)?);
    }
    if !cases.is_empty() {
        progress.end(started.elapsed());
    }
    Ok(())
}

/// Every row at each relay.
fn compare(options: &Options, rows: &[Row], results: &mut Results) -> anyhow::Result<()> {
    sys::raise_files();
    let lab = Lab::new(std::path::absolute(&options.folder)?, std::path::absolute(&options.source)?)?;
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
    measure(&lab, rows, &running, options, results)
}

fn measure(
    lab: &Lab,
    rows: &[Row],
    running: &[Peer],
    options: &Options,
    results: &mut Results,
) -> anyhow::Result<()> {
    let (rounds, span) = (rounds(options), span(options));
    let started = Instant::now();
    let steps = |row: &Row| row.rounds(rounds) * running.iter().filter(|peer| row.fits(peer)).count();
    let mut progress = Progress::new(rows.iter().map(steps).sum());
    for row in rows {
        for _ in 0..row.rounds(rounds) {
            // Each in turn, so that a disturbance does not fall on one of them alone.
            for peer in running.iter().filter(|peer| row.fits(peer)) {
                progress.step(&row.name, &peer.name);
                // What failed once would only take its time again.
                if results.has_failed(row, peer) {
                    continue;
                }
                let sample = row.work.sample(lab, peer, span);
                stop::check()?;
                results.add(row, peer, sample);
            }
        }
    }
    progress.end(started.elapsed());
    Ok(())
}

fn write(options: &Options, results: &Results) -> anyhow::Result<()> {
    fs::create_dir_all(&options.folder)?;
    let text = table::text(results);
    print!("{text}");
    let file = |given: &Option<_>, name: &str| given.clone().unwrap_or_else(|| options.folder.join(name));
    let all = [
        (options.folder.join("bench.md"), text),
        (file(&options.json, "bench.json"), serde_json::to_string_pretty(&json::value(results))?),
        (file(&options.svg, "bench.svg"), svg::picture(results)),
    ];
    for (path, text) in all {
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        eprintln!("written: {}", path.display());
    }
    Ok(())
}

/// How the run was made.
fn conditions(options: &Options) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let priority = if sys::may_take_priority() {
        "relay and load at real-time priority"
    } else {
        "NO real-time priority: this user may not have it, so other programs disturb the figures more"
    };
    let (rounds, span) = (rounds(options), span(options));
    vec![
        format!("{cores} cores, Linux {}, load average at the start {load}", kernel.trim()),
        format!("relays pinned to one core, the load to another; {priority}"),
        format!("median (least - most) of {rounds} runs of {span:?} each, relays in turn"),
        "TLS 1.3, AES-128-GCM, X25519, ECDSA on P-256, full handshakes, loopback".to_owned(),
    ]
}

fn rounds(options: &Options) -> usize {
    if options.quick { 1 } else { ROUNDS }
}

fn span(options: &Options) -> Duration {
    options.span.map_or(if options.quick { SHORT } else { SPAN }, Duration::from_millis)
}

fn chosen(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
}

const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_millis(500);
const SHORT: Duration = Duration::from_millis(300);
