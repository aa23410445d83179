//! What the environment of this process says.

use wayleave_proto::config::{SystemVia, SystemViaError};

/// The way to the relays that this process's environment names, see [`SystemVia`]. It is read anew at each call.
///
/// # Errors
/// The proxy has a scheme that is not supported, or is no URL.
pub fn system_via() -> Result<SystemVia, SystemViaError> {
    SystemVia::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
}
