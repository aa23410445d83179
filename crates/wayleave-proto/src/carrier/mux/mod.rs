//! A carrier for tests, with many tunnels on one connection.

mod downlink;
mod frame;

pub(crate) use downlink::Downlink;
#[cfg(test)]
pub(crate) use downlink::WINDOW;
#[cfg(test)]
pub(crate) use frame::{ANSWER, ASK, CREDIT, DATA, END, Frame, GONE, RESET};
