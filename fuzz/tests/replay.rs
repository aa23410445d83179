//! Replays the corpus of every fuzz target.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wayleave_fuzz::TARGETS;

#[test]
fn every_target_takes_its_corpus() {
    for (name, target) in TARGETS {
        let mut inputs = Vec::new();
        for entry in fs::read_dir(corpora().join(name)).unwrap_or_else(|_| panic!("{name} has no corpus")) {
            inputs.push(entry.expect("the corpus can be listed").path());
        }
        assert!(!inputs.is_empty(), "the corpus of {name} is empty");
        inputs.sort();
        for path in inputs {
            let input = fs::read(&path).expect("the corpus can be read");
            // Shown only where the target fails.
            println!("{}", path.display());
            target(&input);
            // A tape cut short is a shorter tape; a few of those are enough.
            let cuts = match *name {
                "client_machine" | "relay_machine" => MACHINE_CUTS,
                "world" => WORLD_CUTS,
                _ => MAX_CUTS,
            };
            let step = input.len().div_ceil(cuts.max(1)).max(1);
            for end in (0..input.len()).rev().step_by(step).take(cuts) {
                target(&input[..end]);
            }
        }
    }
}

#[test]
fn every_corpus_has_its_target() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let found: BTreeSet<String> = fs::read_dir(corpora())
        .expect("there are corpora")
        .map(|entry| entry.expect("the corpora can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, known);
}

fn corpora() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"))
}

/// Each input is tried cut short too, at so many places at most.
const MAX_CUTS: usize = 50;
const MACHINE_CUTS: usize = 4;
/// Worlds are dear.
const WORLD_CUTS: usize = 0;
