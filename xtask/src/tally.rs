//! Counts the results that cargo's test harness prints.

/// How many tests passed, failed and were left out, over all binaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Tally {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; ...`; other
    /// lines change nothing.
    pub(crate) fn add(&mut self, line: &str) {
        let Some((_, rest)) = line.split_once("test result: ") else { return };
        let words: Vec<&str> = rest.split_whitespace().collect();
        for pair in words.windows(2) {
            let [number, what] = pair else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            match what.trim_end_matches(';') {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// The last line of the run. `not_run` tests returned without having tested anything, so they count as skipped and
    /// not as passed.
    pub(crate) fn summary(&self, not_run: usize) -> String {
        let passed = self.passed.saturating_sub(not_run);
        format!("test: {passed} passed, {} failed, {} skipped", self.failed, self.ignored + not_run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up_and_what_did_not_run_is_not_passed() {
        let mut tally = Tally::default();
        tally.add("running 3 tests");
        tally.add(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.1s",
        );
        tally.add("\u{1b}[32mtest result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(tally, Tally { passed: 17, failed: 2, ignored: 1 });
        assert_eq!(tally.summary(3), "test: 14 passed, 2 failed, 4 skipped");
    }
}
