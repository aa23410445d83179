//! An [`Agent`] puts programs behind the proxy that embed nothing: it opens local ports, and what comes in there goes to its
//! target directly or through a relay, as its [`Client`] decides.
//!
//! A *front door* speaks SOCKS5 ([RFC 1928](https://www.rfc-editor.org/rfc/rfc1928), with UDP ASSOCIATE) and HTTP (CONNECT, and
//! pages of `http://`) on one port, told apart by what comes first. A *forward* leads a port to one target, for programs that
//! know no proxy.
//!
//! ```no_run
//! use std::time::Duration;
//! use wayleave_agent::{Agent, AgentConfig};
//! use wayleave_tokio::{ClientConfig, Token, platform_connector};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let token: Token = std::env::var("TOKEN")?.parse()?;
//! let client = ClientConfig::new(vec!["relay.example:443".parse()?], token, platform_connector()?);
//! let mut config = AgentConfig::new(client.build()?);
//! config.listen.push("127.0.0.1:0".parse()?);
//! config.forwards.push("udp:127.0.0.1:5004=media.example:5004".parse()?);
//!
//! let agent = Agent::start(config).await?;
//! for door in agent.doors() {
//!     println!("listening on {door}");
//! }
//! let mut events = agent.events();
//! while let Some(event) = events.recv().await {
//!     println!("{event}");
//!     # break;
//! }
//! agent.close(Duration::from_secs(1)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | to | take |
//! |---|---|
//! | say which ports there are, and who may use them | [`AgentConfig`] |
//! | say where relays are, who one is, and how to route | its [`client`](AgentConfig::client): `ClientConfig` of `wayleave-tokio` |
//! | renew the token when a file changes | [`AgentConfig::token_file`], or [`Client::renew`] through [`Agent::client`] |
//! | notice another network | [`AgentConfig::underlay`], or [`Client::network_changed`] |
//! | learn where it listens | [`Agent::doors`] |
//! | see what happens | [`Agent::events`] |
//! | end it | [`Agent::close`]; dropping it ends it at once |
//!
//! # What it needs, and what it says
//!
//! A tokio runtime with both drivers (`enable_all`). What concerns one local client is told by `tracing` at level `debug`: why it
//! was cut off or refused. At `info` and `warn` it says what became of the token's file, and that a connection cannot be
//! accepted.

mod agent;
mod association;
mod config;
mod datagrams;
mod door;
mod exchange;
mod forward;
mod listen;
mod refusal;
mod rounds;
mod splice;
mod token;

#[cfg(test)]
mod tests;

pub use agent::{Agent, Door, Leads};
pub use config::{AgentConfig, AgentError};
pub use wayleave_link::Underlay;
pub use wayleave_proto::local::{AssociationConfig, Forward, FrontConfig};
pub use wayleave_settings::token::TokenFile;
pub use wayleave_tokio::{Client, Events};
