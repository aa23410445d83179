//! End to end: the real command, real sockets, real clients.

mod agent;
mod foreign;
mod lab;
mod outside;
mod pages;
mod process;
mod readme;
mod relay;
mod sessions;
mod socks;
mod targets;
mod tls;
mod wrong;
