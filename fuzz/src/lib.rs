//! The fuzz targets: functions of any bytes that must not panic.
//!
//! `tests/replay.rs` runs each over its corpus on stable Rust; `libfuzzer/` lets libFuzzer search on.

mod capsules;
mod client_hello;
mod client_machine;
mod config;
mod credentials;
mod dns;
mod exchange;
mod head;
mod play;
mod proxy_header;
mod relay_machine;
mod socks;
mod text;
mod way;
mod world;

/// A target: its name, which is that of its corpus, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("capsules", capsules::run),
    ("client_hello", client_hello::run),
    ("client_machine", client_machine::run),
    ("relay_machine", relay_machine::run),
    ("config", config::run),
    ("concealed", credentials::concealed),
    ("digest", way::digest),
    ("dns", dns::run),
    ("exchange", exchange::run),
    ("jwks", credentials::jwks),
    ("no_proxy", way::no_proxy),
    ("proxy_header", proxy_header::run),
    ("request_head", head::request),
    ("response_head", head::response),
    ("scope", credentials::scope),
    ("socks", socks::run),
    ("target", text::target),
    ("template", text::template),
    ("token", text::token),
    ("token04", credentials::token04),
    ("world", world::run),
];

/// Runs the target `name`.
///
/// # Panics
/// Where the target fails on `data`, and where there is no such target.
pub fn run(name: &str, data: &[u8]) {
    match TARGETS.iter().find(|(known, _)| *known == name) {
        Some((_, target)) => target(data),
        None => panic!("there is no fuzz target `{name}`"),
    }
}
