//! End to end: the real command, real sockets, real clients.

mod agent;
mod allowlist;
mod client;
mod doctor;
mod foreign;
mod front;
mod lab;
mod libraries;
mod metrics;
mod namespace;
mod networks;
mod outside;
mod pages;
mod process;
mod readme;
mod relay;
mod sessions;
mod socks;
mod targets;
mod tls;
mod vanished;
mod via;
mod wrong;
