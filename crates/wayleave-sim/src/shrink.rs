//! The smallest tape that still breaks the same law.

use crate::{Law, Tape};

/// Shortens and calms `tape` as long as `fails` still says that it breaks `law`, with at most `tries` runs.
///
/// First the end is cut off, then pieces are cut out, then pieces are made zero, then single bytes are made smaller. Zero
/// is the harmless choice everywhere, so what is left is what the failure needs.
pub fn shrink(tape: &Tape, law: Law, tries: u32, mut fails: impl FnMut(&Tape) -> Option<Law>) -> Tape {
    let mut best = tape.bytes().to_vec();
    let mut left = tries;
    let mut attempt = |candidate: Vec<u8>, best: &mut Vec<u8>| {
        if left == 0 || candidate == *best {
            return false;
        }
        left -= 1;
        let is_as_bad = fails(&Tape::new(candidate.clone())) == Some(law);
        if is_as_bad {
            *best = candidate;
        }
        is_as_bad
    };
    loop {
        let before = best.clone();
        let mut cut = best.len() / 2;
        while cut > 0 {
            let shorter = best[..best.len() - cut].to_vec();
            if !attempt(shorter, &mut best) {
                cut /= 2;
            }
            cut = cut.min(best.len() / 2);
        }
        for size in [64, 16, 8, 4, 2, 1] {
            let mut at = 0;
            while at < best.len() {
                let to = (at + size).min(best.len());
                let mut without = best.clone();
                without.drain(at..to);
                let mut calm = best.clone();
                calm[at..to].fill(0);
                if !attempt(without, &mut best) {
                    attempt(calm, &mut best);
                    at += size;
                }
            }
        }
        for at in 0..best.len() {
            while at < best.len() && best[at] > 0 {
                let mut smaller = best.clone();
                smaller[at] /= 2;
                if !attempt(smaller, &mut best) {
                    break;
                }
            }
        }
        if best == before {
            return Tape::new(best);
        }
    }
}
