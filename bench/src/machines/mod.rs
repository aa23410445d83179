//! The machines alone, without sockets: instructions, allocations and wall time of one unit of work.

mod allocations;
mod cases;
mod pair;
mod trial;

#[cfg(test)]
mod tests;

use std::env;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::stop;
use cases::{CASES, Unit};

pub use allocations::Counting;

/// What one unit of a case costs.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The case.
    pub name: String,
    /// Instructions as callgrind counts them; `None` where it is absent. They hardly differ between runs and machines.
    pub instructions: Option<f64>,
    /// How often memory was asked for.
    pub allocations: f64,
    /// Wall time in nanoseconds: the least of several runs.
    pub nanoseconds: f64,
}

/// The names of all cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|(name, _)| *name)
}

/// Measures the case `name`.
///
/// # Errors
/// There is no such case, or it does not work.
pub fn measure(name: &str, has_valgrind: bool) -> anyhow::Result<Cost> {
    stop::check()?;
    let mut unit = warm(name)?;
    let allocations = allocations::count(|| (0..COUNTED).for_each(|_| measured_once(&mut unit)));
    let mut least = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        let mut units = 0_u32;
        while start.elapsed().as_millis() < 20 {
            measured_once(&mut unit);
            units += 1;
        }
        least = least.min(start.elapsed().as_nanos() as f64 / f64::from(units));
    }
    let instructions = if has_valgrind { Some(instructions(name)?) } else { None };
    let allocations = allocations as f64 / COUNTED as f64;
    Ok(Cost { name: name.to_owned(), instructions, allocations, nanoseconds: least })
}

/// Does `units` units of the case `name`: what callgrind looks at.
///
/// # Errors
/// There is no such case, or it does not work.
pub fn repeat(name: &str, units: u32) -> anyhow::Result<()> {
    let mut unit = warm(name)?;
    (0..units).for_each(|_| measured_once(&mut unit));
    Ok(())
}

/// Whether this machine has valgrind.
pub fn has_valgrind() -> bool {
    let mut command = Command::new("valgrind");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn warm(name: &str) -> anyhow::Result<Unit> {
    let (_, make) = CASES.iter().find(|(known, _)| *known == name).context("there is no such case")?;
    let mut unit = make().with_context(|| name.to_owned())?;
    // Buffers and tables reach their size.
    (0..WARM_UP).for_each(|_| unit());
    Ok(unit)
}

/// The function in which callgrind counts.
#[inline(never)]
fn measured_once(unit: &mut Unit) {
    unit();
}

fn instructions(name: &str) -> anyhow::Result<f64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*measured_once*"]);
    command.arg(env::current_exe()?).args(["machine", name, &UNITS.to_string()]);
    let output = command.output().context("valgrind cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("valgrind failed at {name}: {}", said.lines().last().unwrap_or_default());
    }
    let line =
        said.lines().find_map(|line| line.split_once("Collected :")).context("callgrind says no count")?;
    let count: f64 = line.1.trim().parse().context("callgrind says no number")?;
    Ok(count / f64::from(UNITS))
}

const WARM_UP: u32 = 64;
const COUNTED: u64 = 256;
const UNITS: u32 = 32;
