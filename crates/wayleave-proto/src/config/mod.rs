//! What the user writes, with defaults, bounds and the check that makes it valid.

mod route;

pub use route::{AtDeadline, BackoffConfig, Mode, RouteConfig, RouteConfigError, Scope, Treatment};
