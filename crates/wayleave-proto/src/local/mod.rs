//! The agent's front doors: what programs that embed nothing speak to it.

mod association;
mod config;
mod exchange;
mod forward;
mod front;
mod http;
mod refusal;

#[cfg(test)]
mod tests;

pub use association::{Association, AssociationConfig, AssociationConfigError, DatagramError, Inbound};
pub use config::{FrontConfig, FrontConfigError};
pub use exchange::{Ending, Exchange, ExchangeFault, HttpRequest};
pub use forward::{Forward, ForwardError, ForwardLoop};
pub use front::{Front, FrontFault, FrontOutput};
pub use http::HttpFault;
pub use refusal::Refusal;
