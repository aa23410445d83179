//! A world in a seed: the real [`Client`](wayleave_drive::Client) and [`Relay`](wayleave_drive::Relay), with the loop that
//! ships, on simulated systems over a simulated network, in virtual time, with every choice from one finite [`Tape`].
//!
//! A [`Scenario`] says who is there, what they do and what goes wrong. [`run`] makes it happen, checks the [`Law`]s at
//! every step, and gives a [`Report`]. The same scenario and tape give the same report, byte for byte. Nothing of the core
//! is mocked, TLS included; its keys come from the tape, so nothing here is a secret.
//!
//! | room | what |
//! |---|---|
//! | `tape` | where choices come from |
//! | `network`, `stack` | links, firewalls, translation of addresses, names; TCP and UDP over packets |
//! | `crypto` | TLS that repeats |
//! | `scenario`, `catalogue` | the description of a run, and the ones that have a name |
//! | `world` | hosts, their systems (`kernel`) and processes, and what happens to them; `laws` are checked here |
//! | `swarm`, `shrink`, `coverage` | random scenarios, the smallest that still fails, and what they reach |
//! | `picture` | a run to look at |

pub mod catalogue;
pub mod coverage;
pub mod laws;
pub mod network;
pub mod picture;
pub mod report;
pub mod scenario;
pub mod shrink;
pub mod stack;
pub mod swarm;
pub mod trace;

mod crypto;
mod tape;
#[cfg(test)]
mod tests;
mod world;

pub use laws::{Law, Violation};
pub use report::Report;
pub use scenario::Scenario;
pub use tape::Tape;

/// Runs a scenario twice and compares; what it chooses at random comes from `tape`.
///
/// # Errors
/// The scenario has a configuration that a machine does not take.
pub fn run(scenario: &Scenario, tape: &Tape) -> anyhow::Result<Report> {
    let mut report = run_once(scenario, tape, false)?;
    if report.violation.is_none() {
        let again = run_once(scenario, tape, false)?;
        if again.sum != report.sum {
            let what = format!("two runs differ: {} and {}", report.sum, again.sum);
            report.violation = Some(Violation { law: Law::Determinism, at: report.now, what });
        }
    }
    Ok(report)
}

/// Runs the random scenario that begins `tape`, twice, with the rest of it.
///
/// # Errors
/// As [`run`].
pub fn run_tape(tape: &Tape) -> anyhow::Result<Report> {
    let (scenario, rest) = swarm::drawn(tape);
    run(&scenario, &rest)
}

/// Runs a scenario once; with `keeps` the report has every item, for a picture.
///
/// # Errors
/// As [`run`].
pub fn run_once(scenario: &Scenario, tape: &Tape, keeps: bool) -> anyhow::Result<Report> {
    let mut report = world::World::new(scenario.clone(), tape.clone(), keeps)?.run();
    if report.violation.is_none()
        && let Some(missed) = scenario.expectations.iter().find(|expectation| !(expectation.check)(&report))
    {
        let what = format!("expected that {}", missed.says);
        report.violation = Some(Violation { law: Law::Scenario, at: report.now, what });
    }
    Ok(report)
}
