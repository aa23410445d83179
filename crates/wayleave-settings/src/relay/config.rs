//! From what the operator said to what the machine of a relay takes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use wayleave_proto::auth::Keys;
use wayleave_proto::carrier::tls::Acceptor;
use wayleave_proto::config::{RelayConfig, RelayLimits, Valid};
use wayleave_proto::policy::Scope;

use super::options::RelaySettings;
use crate::options::{Count, Resolve};
use crate::{SettingsError, keys};

impl RelaySettings {
    /// What the machine of the relay takes; `own` are the addresses of this process, to which nobody is forwarded.
    ///
    /// # Errors
    /// The first option that is out of its range.
    pub fn config(
        self,
        acceptor: Arc<dyn Acceptor>,
        keys: Keys,
        own: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Valid<RelayConfig>, SettingsError> {
        let (limits, scope) = (limits(&self), scope(&self));
        let mut config = RelayConfig::new(acceptor, keys);
        config.rules.audience = self.audience;
        config.rules.leeway = self.leeway.unwrap_or(config.rules.leeway);
        config.targets.addresses.allow = self.allow_target;
        config.targets.addresses.deny = self.deny_target;
        config.targets.denied_ports.extend(self.deny_port);
        for Resolve { name, address } in self.resolve {
            config.hosts.entry(name).or_default().push(address);
        }
        config.balancers = self.proxy_protocol_from;
        config.truncation = self.truncated.unwrap_or(config.truncation);
        config.echo = !self.no_echo;
        config.offload = !self.no_offload;
        config.limits = limits;
        config.scope = scope;
        config.targets.own.extend(own);
        config.build().map_err(|error| {
            // Users know the fields by the names in the file.
            SettingsError::new(format!("{}: {}", error.field.replace('_', "-"), error.remedy))
        })
    }
}

/// The keys in all of `files`.
///
/// # Errors
/// There is no file, or what is wrong with one, with its line.
pub(super) fn token_keys(files: &[PathBuf]) -> Result<Keys, SettingsError> {
    if files.is_empty() {
        return Err(SettingsError::new(
            "a relay without token keys would serve nobody; make keys with `wayleave token keygen --out keys.toml \
             --public-out relay-keys.toml` and give --token-keys relay-keys.toml",
        ));
    }
    keys::together(files, keys::for_relay)
}

fn limits(settings: &RelaySettings) -> RelayLimits {
    let mut limits = RelayLimits::default();
    settings.limits.apply(&mut limits);
    limits.connections = settings.max_connections.unwrap_or(limits.connections);
    limits.tunnels_per_connection =
        settings.max_tunnels_per_connection.unwrap_or(limits.tunnels_per_connection);
    limits.tunnels_per_account = settings.max_tunnels_per_token.unwrap_or(limits.tunnels_per_account);
    limits
}

/// What the command line and the file say that everybody may do at most.
fn scope(settings: &RelaySettings) -> Scope {
    let mut scope = settings.scope.clone();
    for rates in [&mut scope.to_client, &mut scope.to_target] {
        rates.bits_per_second = settings.rate_bits.map(|Count(bits)| bits).or(rates.bits_per_second);
        rates.packets_per_second =
            settings.rate_packets.map(|Count(packets)| packets).or(rates.packets_per_second);
    }
    scope
}
