//! The agent's front doors: what programs that embed nothing speak to it.

mod association;
mod config;
mod forward;
mod front;
mod http;
mod refusal;

#[cfg(test)]
mod tests;

pub use association::{Association, AssociationConfig, DatagramError, Inbound};
pub use config::{FrontConfig, FrontConfigError};
pub use forward::{Forward, ForwardError};
pub use front::{Front, FrontFault, FrontOutput};
pub use http::HttpFault;
pub use refusal::Refusal;
