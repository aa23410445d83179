//! Seeds that every test run takes, and tapes that once broke a law.

use std::fs;
use std::path::Path;

use super::{Tape, catalogue, coverage, run_once, run_tape, swarm};

/// Every tape in the folder `tapes`, each of which broke a law once; its README says which and why.
#[test]
fn tapes_that_once_broke_a_law_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tapes");
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "tape") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(readme.contains(&format!("`{name}`")), "the README of the tapes says nothing of {name}");
        let report = run_tape(&Tape::new(fs::read(&path).unwrap())).unwrap();
        assert_eq!(
            report.violation,
            None,
            "{name}: {}",
            swarm::scenario(&mut Tape::new(fs::read(path).unwrap()))
        );
        count += 1;
    }
    assert!(count > 0, "there is no tape");
}

/// Law 7 again, with other runs in between and on other threads: a run depends on its tape alone.
#[test]
fn a_run_depends_on_its_tape_alone() {
    let sums = || -> Vec<String> {
        let sum = |seed| {
            let mut tape = Tape::from_seed(seed);
            let scenario = swarm::scenario(&mut tape);
            run_once(&scenario, &tape, false).unwrap().sum
        };
        (1_000..1_010).map(sum).collect()
    };
    let first = sums();
    let other = std::thread::spawn(sums).join().unwrap();
    let mut backwards: Vec<String> =
        (1_000..1_010).rev().map(|seed| run_tape(&Tape::from_seed(seed)).unwrap().sum).collect();
    backwards.reverse();
    assert_eq!((&first, &first), (&other, &backwards));
    let different: std::collections::BTreeSet<&String> = first.iter().collect();
    assert_eq!(different.len(), first.len(), "two seeds give one run");
}

/// Keeping every item for a picture changes nothing.
#[test]
fn to_look_at_a_run_changes_nothing() {
    let mut tape = Tape::from_seed(7);
    let scenario = swarm::scenario(&mut tape);
    let plain = run_once(&scenario, &tape, false).unwrap();
    let kept = run_once(&scenario, &tape, true).unwrap();
    assert_eq!(plain.sum, kept.sum);
    assert!(plain.items.is_empty() && !kept.items.is_empty());
}

/// What is seen has a place in the summary, so that what is not seen can be named.
#[test]
fn everything_that_is_seen_has_a_name_in_the_summary() {
    let named = catalogue::all().into_iter().map(|scenario| run_once(&scenario, &Tape::from_seed(0), false));
    let drawn = (0..30).map(|seed| run_tape(&Tape::from_seed(seed)));
    for report in named.chain(drawn) {
        let seen = report.unwrap().seen;
        assert_eq!(coverage::unknown(&seen), Vec::<&str>::new());
    }
}
