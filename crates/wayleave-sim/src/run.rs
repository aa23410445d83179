//! What the command does.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};
use wayleave_sim::{Law, Report, Scenario, Tape, catalogue, coverage, run, run_once, shrink, swarm};

use crate::canary;
use crate::options::Options;

/// Does what `options` say; says whether every law held.
pub(crate) fn run_all(options: &Options) -> anyhow::Result<bool> {
    if let Some(named) = &options.canary {
        if !cfg!(feature = "canary") {
            bail!("this build keeps every rule; `cargo xtask canary` makes one that can break them");
        }
        return canary::run_all(options, named);
    }
    if options.list {
        for scenario in catalogue::all() {
            println!("{:<40} {}", scenario.name, scenario.about);
        }
        return Ok(true);
    }
    if let Some(name) = &options.scenario {
        return scenarios(options, name);
    }
    if let Some(path) = &options.tape {
        let bytes = fs::read(path).with_context(|| format!("the tape {} cannot be read", path.display()))?;
        return one(options, &format!("the tape {}", path.display()), &Tape::new(bytes));
    }
    if let (1, Some(seed)) = (options.seeds, options.from) {
        return one(options, &format!("seed {seed}"), &Tape::from_seed(seed));
    }
    if options.html.is_some() || options.trace {
        bail!("a picture or a trace is of one run: give --scenario NAME, --tape FILE, or --seeds 1 --from N");
    }
    many(options)
}

fn scenarios(options: &Options, name: &str) -> anyhow::Result<bool> {
    let found: Vec<Scenario> =
        catalogue::all().into_iter().filter(|scenario| name == "all" || scenario.name == name).collect();
    if found.is_empty() {
        bail!("there is no scenario `{name}`; --list names them");
    }
    if found.len() > 1 && options.html.is_some() {
        bail!("a picture is of one run: give the name of one scenario");
    }
    let tape = Tape::from_seed(options.from.unwrap_or_default());
    let mut good = true;
    for scenario in found {
        good &= show(options, &as_wanted(options, scenario), &tape)?;
    }
    Ok(good)
}

fn one(options: &Options, name: &str, tape: &Tape) -> anyhow::Result<bool> {
    let (mut scenario, rest) = drawn(options, tape);
    name.clone_into(&mut scenario.name);
    println!("{scenario}");
    show(options, &scenario, &rest)
}

/// The random scenario that begins a tape, and the rest of it.
fn drawn(options: &Options, tape: &Tape) -> (Scenario, Tape) {
    let (scenario, rest) = swarm::drawn(tape);
    (as_wanted(options, scenario), rest)
}

fn as_wanted(options: &Options, scenario: Scenario) -> Scenario {
    Scenario { fast: options.fast, ..scenario }
}

fn show(options: &Options, scenario: &Scenario, tape: &Tape) -> anyhow::Result<bool> {
    let report = run(scenario, tape)?;
    match &report.violation {
        None => println!("{:<40} holds, {} of virtual time, trace {}", scenario.name, report.now, report.sum),
        Some(violation) => println!("{:<40} {violation}", scenario.name),
    }
    if options.trace || options.html.is_some() {
        let mut kept = run_once(scenario, tape, true)?;
        // It may be that only two runs together break a law.
        kept.violation = report.violation.clone();
        if options.trace {
            let mut out = std::io::stdout().lock();
            for item in &kept.items {
                // Whoever reads may have read enough.
                if writeln!(out, "{:>16}  {:<12} {:?}", item.at.to_string(), kept.hosts[item.host], item.what)
                    .is_err()
                {
                    break;
                }
            }
        }
        if let Some(path) = &options.html {
            fs::write(path, wayleave_sim::picture::page(scenario, &kept))
                .with_context(|| format!("the picture {} cannot be written", path.display()))?;
            println!("the picture is in {}", path.display());
        }
    }
    Ok(report.violation.is_none())
}

/// What many runs have in common.
struct Swarm<'a> {
    options: &'a Options,
    begun: Instant,
    next: AtomicU64,
    first: u64,
    done: AtomicU64,
    virtual_millis: AtomicU64,
    /// For how many whole minutes progress was told.
    minutes: AtomicU64,
    failed: AtomicUsize,
    seen: Mutex<BTreeMap<String, u64>>,
}

fn many(options: &Options) -> anyhow::Result<bool> {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let first = options.from.unwrap_or(clock);
    println!("sim: {} seeds from {first}", options.seeds);
    let swarm = Swarm {
        options,
        begun: Instant::now(),
        next: AtomicU64::new(first),
        first,
        done: AtomicU64::new(0),
        virtual_millis: AtomicU64::new(0),
        minutes: AtomicU64::new(0),
        failed: AtomicUsize::new(0),
        seen: Mutex::new(BTreeMap::new()),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let results = std::thread::scope(|scope| {
        let jobs: Vec<_> =
            (0..options.jobs.unwrap_or(cores).max(1)).map(|_| scope.spawn(|| swarm.work())).collect();
        jobs.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    for result in results {
        match result {
            Ok(done) => done?,
            Err(_) => bail!("a run panicked; the seed stands above"),
        }
    }
    swarm.summary();
    let missing = swarm.seen.lock().map_or_else(|_| Vec::new(), |seen| coverage::missing(&seen));
    if options.reach_all && !missing.is_empty() {
        println!("these worlds have never seen: {}", missing.join(", "));
    }
    Ok(swarm.failed.load(Ordering::Relaxed) == 0 && (!options.reach_all || missing.is_empty()))
}

impl Swarm<'_> {
    fn work(&self) -> anyhow::Result<()> {
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            let is_late = self.options.time.is_some_and(|limit| self.begun.elapsed() >= limit);
            let failed = self.failed.load(Ordering::Relaxed);
            if seed.wrapping_sub(self.first) >= self.options.seeds
                || is_late
                || failed >= self.options.failures
            {
                return Ok(());
            }
            let tape = Tape::from_seed(seed);
            // A panic is a failure like another, but for the tape: nothing makes it smaller.
            let is_twice = !self.options.fast || seed.is_multiple_of(TWICE);
            let Ok(report) = std::panic::catch_unwind(|| self.play(&tape, is_twice)) else {
                self.fail(seed, "it panicked, as said above");
                continue;
            };
            let report = report?;
            if let Some(violation) = &report.violation {
                self.fail(seed, &violation.to_string());
                if !self.options.no_shrink {
                    self.save(seed, &tape, violation.law)?;
                }
            }
            if let Ok(mut seen) = self.seen.lock() {
                for (name, count) in report.seen {
                    *seen.entry(name).or_default() += count;
                }
            }
            self.virtual_millis.fetch_add(report.now.as_millis(), Ordering::Relaxed);
            self.progress(self.done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    }

    /// Runs the random scenario that begins a tape, and once more to compare.
    fn play(&self, tape: &Tape, is_twice: bool) -> anyhow::Result<Report> {
        let (scenario, rest) = drawn(self.options, tape);
        if is_twice { run(&scenario, &rest) } else { run_once(&scenario, &rest, false) }
    }

    /// Says what a seed has come to, and how to see it again.
    fn fail(&self, seed: u64, what: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        clear();
        println!("seed {seed}: {what}");
        println!("  replay: cargo xtask sim --seeds 1 --from {seed}{}", self.fast());
    }

    fn save(&self, seed: u64, tape: &Tape, law: Law) -> anyhow::Result<()> {
        let folder = &self.options.save;
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let small = shrink::shrink(tape, law, TRIES, |tape| {
            self.play(tape, law == Law::Determinism)
                .ok()
                .and_then(|report| report.violation)
                .map(|violation| violation.law)
        });
        let path = folder.join(format!("{seed}.tape"));
        write(&path, small.bytes())?;
        println!(
            "  shrunk to {} bytes: cargo xtask sim --tape {}{}",
            small.bytes().len(),
            path.display(),
            self.fast()
        );
        // One line of words is worth more than the numbers that it came from.
        println!("{}", swarm::scenario(&mut small.clone()));
        if let Some(violation) = self.play(&small, true)?.violation {
            println!("  {violation}");
        }
        Ok(())
    }

    /// What a command that replays a run needs beside.
    const fn fast(&self) -> &'static str {
        if self.options.fast { " --fast" } else { "" }
    }

    /// Says how far it is: on a terminal all the time, elsewhere once a minute.
    fn progress(&self, done: u64) {
        if !done.is_multiple_of(20) {
            return;
        }
        let (all, spent) = (self.options.seeds, self.begun.elapsed());
        if !std::io::stderr().is_terminal() {
            let minutes = spent.as_secs() / 60;
            if self.minutes.fetch_max(minutes, Ordering::Relaxed) < minutes {
                eprintln!("sim: {done} of {all} seeds, {} failed", self.failed.load(Ordering::Relaxed));
            }
            return;
        }
        let share = usize::try_from(done * 30 / all.max(1)).unwrap_or_default();
        let left = spent.mul_f64((all - done) as f64 / done as f64);
        let bar = format!("{}{}", "#".repeat(share), ".".repeat(30_usize.saturating_sub(share)));
        eprint!("\r[{bar}] {done}/{all}, {:.0} s left  ", left.as_secs_f64());
        let _ = std::io::stderr().flush();
    }

    fn summary(&self) {
        let done = self.done.load(Ordering::Relaxed);
        let spent = self.begun.elapsed().max(Duration::from_millis(1));
        let lived = Duration::from_millis(self.virtual_millis.load(Ordering::Relaxed));
        clear();
        println!("what the worlds have seen, and how often:");
        if let Ok(seen) = self.seen.lock() {
            println!("{}", coverage::summary(&seen));
        }
        let runs = if self.options.fast { 1.0 + 1.0 / TWICE as f64 } else { 2.0 };
        println!(
            "{done} seeds, {}, in {:.1} s: {:.0} seeds a second, {:.0} virtual seconds a second; {} failed",
            if self.options.fast { "one in 16 twice" } else { "each twice" },
            spent.as_secs_f64(),
            done as f64 / spent.as_secs_f64(),
            runs * lived.as_secs_f64() / spent.as_secs_f64(),
            self.failed.load(Ordering::Relaxed)
        );
    }
}

/// Takes the progress bar away.
fn clear() {
    if std::io::stderr().is_terminal() {
        eprint!("\r{:<70}\r", "");
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

/// One in so many fast worlds is run twice.
const TWICE: u64 = 16;
/// Runs that shrinking may take.
const TRIES: u32 = 2_000;
