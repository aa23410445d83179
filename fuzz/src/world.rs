//! A whole simulated world: the fuzzer supplies the tape from which a seed draws otherwise.

use wayleave_sim::{Tape, run_once, swarm};

/// Draws a scenario from the tape and lets it happen, now and then twice; every law of the simulation holds.
pub(crate) fn run(data: &[u8]) {
    let mut tape = Tape::new(data.to_vec());
    let scenario = swarm::scenario(&mut tape);
    let report = if data.last().is_some_and(|last| last % 8 == 7) {
        wayleave_sim::run(&scenario, &tape)
    } else {
        run_once(&scenario, &tape, false)
    };
    let report = report.expect("machines take every configuration that is drawn");
    if let Some(violation) = &report.violation {
        panic!("{violation}; `cargo xtask sim --tape FILE` shows the run");
    }
}
