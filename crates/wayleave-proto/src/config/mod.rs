//! What the user writes, with defaults, bounds and the check that makes it valid.
