//! How many cases a property is tried on.

use proptest::test_runner::Config;

/// `count` cases; one under Miri, which is some hundred times slower and has no files to keep failures in.
pub(crate) fn cases(count: u32) -> Config {
    if cfg!(miri) {
        Config { cases: UNDER_MIRI, failure_persistence: None, ..Config::default() }
    } else {
        Config::with_cases(count)
    }
}

const UNDER_MIRI: u32 = 1;
