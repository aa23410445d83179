//! A whole simulated world: the fuzzer supplies the tape from which a seed draws otherwise.

use wayleave_sim::{Tape, run_once, swarm};

/// Draws a scenario from the tape and lets it happen: fast, or now and then twice and with cryptography; every law of the
/// simulation holds.
pub(crate) fn run(data: &[u8]) {
    let mut tape = Tape::new(data.to_vec());
    let mut scenario = swarm::scenario(&mut tape);
    scenario.fast = data.last().is_none_or(|last| last % 8 != 7);
    let report =
        if !scenario.fast { wayleave_sim::run(&scenario, &tape) } else { run_once(&scenario, &tape, false) };
    let report = report.expect("machines take every configuration that is drawn");
    if let Some(violation) = &report.violation {
        let fast = if scenario.fast { " --fast" } else { "" };
        panic!("{violation}; `cargo xtask sim --tape FILE{fast}` shows the run");
    }
}
