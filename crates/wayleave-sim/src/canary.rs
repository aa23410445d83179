//! Rules and promises that are broken on purpose: each has to be seen, by the law that is about it, within so many seeds.

use std::io::Write as _;

use anyhow::bail;
use wayleave_proto::config::Canary;
use wayleave_sim::{Law, Scenario, Tape, run_once, swarm};

use crate::options::Options;

/// A break, the law that must see it, and within how many seeds.
struct Expected(Canary, Law, u64);

/// Breaks what `--canary` names, one after the other; says whether each was seen.
pub(crate) fn run_all(options: &Options, named: &str) -> anyhow::Result<bool> {
    let chosen: Vec<&Expected> =
        EXPECTED.iter().filter(|expected| named == "all" || name(expected.0) == named).collect();
    if chosen.is_empty() {
        let names: Vec<String> = Canary::ALL.into_iter().map(name).collect();
        bail!("there is no canary `{named}`; there are all, {}", names.join(", "));
    }
    println!("{:<22} {:<22} {:>6} {:>8}", "break", "seen by", "after", "of seeds");
    let mut good = true;
    for Expected(canary, law, most) in chosen {
        let seen = first(options, *canary, *law, *most)?;
        let after = seen.map_or_else(|| "NOT SEEN".to_owned(), |seeds| seeds.to_string());
        println!("{:<22} {:<22} {after:>6} {most:>8}", name(*canary), law.to_string());
        std::io::stdout().flush()?;
        good &= seen.is_some();
    }
    Ok(good)
}

/// After how many fast seeds `law` saw the break first, in a world in which nothing is seen without it. Another law may see it
/// earlier.
fn first(options: &Options, canary: Canary, law: Law, most: u64) -> anyhow::Result<Option<u64>> {
    let from = options.from.unwrap_or(1);
    for count in 1..=most {
        let mut tape = Tape::from_seed(from + count - 1);
        let scenario = swarm::scenario(&mut tape);
        let law_of = |canary| -> anyhow::Result<Option<Law>> {
            let scenario = Scenario { canary, fast: true, ..scenario.clone() };
            Ok(run_once(&scenario, &tape, false)?.violation.map(|violation| violation.law))
        };
        if law_of(Some(canary))? == Some(law) && law_of(None)?.is_none() {
            return Ok(Some(count));
        }
    }
    Ok(None)
}

/// Its name on the command line and in the table: small letters and `-`.
fn name(canary: Canary) -> String {
    let mut name = String::new();
    for letter in format!("{canary:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// About ten times as many seeds as each takes from the first.
const EXPECTED: &[Expected] = &[
    Expected(Canary::TrialTooLong, Law::Route, 300),
    Expected(Canary::ConnectionProves, Law::Route, 300),
    Expected(Canary::CellularSwitches, Law::Route, 300),
    Expected(Canary::NetworkNotTried, Law::Route, 300),
    Expected(Canary::NetworkReturns, Law::Route, 300),
    Expected(Canary::LateSuccessCounts, Law::Route, 300),
    Expected(Canary::RetryNotHeard, Law::Route, 1_000),
    Expected(Canary::PendingNotTaken, Law::Route, 300),
    Expected(Canary::CellularRescued, Law::Route, 300),
    Expected(Canary::DoubtWithoutPause, Law::Route, 20_000),
    Expected(Canary::FailsOpen, Law::FailClosed, 300),
    Expected(Canary::SentTwice, Law::Delivery, 15_000),
    Expected(Canary::RevokedServed, Law::Grants, 1_000),
    Expected(Canary::EndNotSent, Law::Liveness, 300),
    Expected(Canary::BufferUnbounded, Law::Growth, 20_000),
    Expected(Canary::DeafAfterRefusal, Law::Listener, 300),
    Expected(Canary::RefusedAtOnce, Law::Growth, 6_000),
    Expected(Canary::SilenceTrusted, Law::Recovery, 3_000),
    Expected(Canary::NotRescued, Law::Liveness, 1_000),
    Expected(Canary::ClockReadOnce, Law::Grants, 1_000),
    Expected(Canary::LimitPerMachine, Law::Grants, 12_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_canary_has_a_law_that_must_see_it() {
        let expected: Vec<Canary> = EXPECTED.iter().map(|Expected(canary, ..)| *canary).collect();
        assert_eq!(expected, Canary::ALL);
        assert_eq!(name(Canary::TrialTooLong), "trial-too-long");
    }
}
