//! The wire formats, each a pure function of bytes. Nothing here knows a state or a clock.

pub mod capsule;
pub mod client_hello;
pub mod date;
pub mod digest;
pub mod dns;
pub mod h1;
pub mod http;
pub mod proxy_protocol;
pub mod proxy_status;
pub mod socks;
pub mod template;
pub mod text;
pub mod varint;

pub(crate) mod authority;
pub(crate) mod percent;
