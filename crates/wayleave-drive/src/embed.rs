//! The names that nearly every embedder needs; each adapter has them at its root.

pub use wayleave_proto::auth::{AppSign, Credential, Keys, Token};
pub use wayleave_proto::base::{Kind, Link, Network, Route, Target};
pub use wayleave_proto::client::{
    CloseReason, DatagramStats, Event, Explanation, FlowError, ProxyFault, What,
};
pub use wayleave_proto::config::{ClientConfig, Mode, Probe, RelayConfig, Valid, Verifier};

pub use crate::{IntoTarget, Resolver};
