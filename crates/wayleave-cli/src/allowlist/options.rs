//! What a user can say to `wayleave allowlist`.

use std::path::PathBuf;

use clap::Args;
use wayleave_proto::base::{Secret, Target};
use wayleave_settings::options::{Word, read};
use wayleave_settings::relay::RelaySettings;
use wayleave_sockets::system_via;

use super::entry::List;
use super::{client, relay};
use crate::Failure;
use crate::agent::{AgentArgs, Way};

/// Write down what a firewall has to permit for these relays, or for a relay itself
///
/// Names are looked up here and now; run it where they lead to the addresses that count. The exit status is 0 where every rule
/// could be written, 1 where a name has no address that a rule by address could have, and 2 for a wrong argument.
#[derive(Debug, Default, Args)]
#[command(group(clap::ArgGroup::new("whose").required(true).multiple(true).args(["config", "proxy", "relay"])))]
pub(crate) struct AllowlistArgs {
    /// For an agent with this file
    #[arg(long, value_name = "FILE", conflicts_with = "relay")]
    config: Option<PathBuf>,

    /// For clients of this relay; can be given several times
    #[arg(long, value_name = "HOST:PORT", value_parser = read::<Target>, conflicts_with = "relay")]
    proxy: Vec<Target>,

    /// Through this proxy of the network, or system, as the agent has it: then it is what has to be permitted, in the place of
    /// the relays; can be given several times
    ///
    /// With --format squid it is told of the relays, which it has to connect to.
    #[arg(long, value_name = "URL|system", value_parser = read::<Secret<String>>, conflicts_with = "relay")]
    via: Vec<Secret<String>>,

    /// For a relay with this file, on premises perhaps: from its clients, and outwards
    #[arg(long, value_name = "FILE")]
    relay: Option<PathBuf>,

    /// How it is written: text, json, csv, nft, iptables, netsh, pf or squid [default: text]
    ///
    /// text is for a ticket, csv for a table. nft is a whole table for this machine that drops everything else; iptables,
    /// netsh, pf and squid are the lines that permit, for a firewall that drops the rest already.
    #[arg(long, value_name = "FORMAT", value_parser = read::<Format>)]
    pub(super) format: Option<Format>,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Iptables,
    Json,
    Netsh,
    Nft,
    Pf,
    Squid,
    #[default]
    Text,
}

impl Format {
    /// Whether its rules go by addresses, and names are of no use there.
    pub(super) const fn is_by_address(self) -> bool {
        matches!(self, Self::Iptables | Self::Netsh | Self::Nft | Self::Pf)
    }
}

impl Word for Format {
    fn read(text: &str) -> Result<Self, String> {
        Ok(match text {
            "csv" => Self::Csv,
            "iptables" => Self::Iptables,
            "json" => Self::Json,
            "netsh" => Self::Netsh,
            "nft" => Self::Nft,
            "pf" => Self::Pf,
            "squid" => Self::Squid,
            "text" => Self::Text,
            _ => return Err("choose text, json, csv, nft, iptables, netsh, pf or squid".into()),
        })
    }
}

impl AllowlistArgs {
    /// What is to be permitted.
    ///
    /// # Errors
    /// A file cannot be read, or what is wrong in it.
    pub(super) async fn list(self) -> Result<List, Failure> {
        if let Some(path) = &self.relay {
            if self.format == Some(Format::Squid) {
                return Err(Failure::usage(
                    "a relay goes through no proxy; squid is for its clients (--proxy HOST:PORT)",
                ));
            }
            return Ok(relay::list(&RelaySettings::read(path)?)?);
        }
        let mut proxies = self.proxy;
        let mut via = self.via;
        let mut has_ca = false;
        if let Some(path) = &self.config {
            let agent = AgentArgs::checked(path)?;
            has_ca = agent.ca.is_some();
            if proxies.is_empty() {
                proxies = agent.proxies;
            }
            if via.is_empty() {
                via = agent.via;
            }
        }
        if proxies.is_empty() {
            return Err(Failure::usage("the agent's file names no relay; give --proxy HOST:PORT"));
        }
        let mut way = Way::read(&via, system_via)?;
        if self.format == Some(Format::Squid) && !way.via.is_empty() {
            proxies.retain(|proxy| !way.to(proxy).is_empty());
            if proxies.is_empty() {
                return Err(Failure::usage(
                    "every relay is reached without a proxy (no_proxy); squid is for those that are not",
                ));
            }
            way = Way::default();
        }
        Ok(client::list(&proxies, &way, has_ca).await)
    }
}
