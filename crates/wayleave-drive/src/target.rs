//! How a target can be named.

use core::net::{IpAddr, SocketAddr};

use wayleave_proto::base::{Host, Target};
use wayleave_proto::client::FlowError;

/// What can be named as a target: a [`Target`], a text such as `"media.example:5004"`, a socket address, or a host and a port.
pub trait IntoTarget {
    /// The target.
    ///
    /// # Errors
    /// [`FlowError::Target`] where it is none: a text that cannot be read, or the port zero.
    fn into_target(self) -> Result<Target, FlowError>;
}

impl IntoTarget for Target {
    fn into_target(self) -> Result<Target, FlowError> {
        Ok(self)
    }
}

impl IntoTarget for &Target {
    fn into_target(self) -> Result<Target, FlowError> {
        Ok(self.clone())
    }
}

impl IntoTarget for &str {
    fn into_target(self) -> Result<Target, FlowError> {
        self.parse().map_err(FlowError::Target)
    }
}

impl IntoTarget for String {
    fn into_target(self) -> Result<Target, FlowError> {
        self.as_str().into_target()
    }
}

impl IntoTarget for &String {
    fn into_target(self) -> Result<Target, FlowError> {
        self.as_str().into_target()
    }
}

impl IntoTarget for SocketAddr {
    fn into_target(self) -> Result<Target, FlowError> {
        self.try_into().map_err(FlowError::Target)
    }
}

impl IntoTarget for (IpAddr, u16) {
    fn into_target(self) -> Result<Target, FlowError> {
        SocketAddr::from(self).into_target()
    }
}

/// A name or an address, an IPv6 address without brackets.
impl IntoTarget for (&str, u16) {
    fn into_target(self) -> Result<Target, FlowError> {
        let (host, port) = self;
        host.parse::<Host>().and_then(|host| Target::new(host, port)).map_err(FlowError::Target)
    }
}

impl IntoTarget for (String, u16) {
    fn into_target(self) -> Result<Target, FlowError> {
        (self.0.as_str(), self.1).into_target()
    }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
