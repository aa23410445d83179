//! Our relay on each adapter, as a process of its own: what differs between them is the adapter alone.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use wayleave_proto::auth::Keys;
use wayleave_proto::carrier::tls::{Environment, RustlsAcceptor};
use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_proto::policy::{AddressPolicy, TargetPolicy};
use wayleave_proto::testing::{signing_key, token};

/// Whose sockets and timers the relay uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// `wayleave-async-io`, on its own executor.
    AsyncIo,
    /// `wayleave-std`, on one thread.
    Std,
    /// `wayleave-tokio`, on one thread.
    Tokio,
}

/// A relay to run.
#[derive(Clone, Debug, Args)]
pub struct Adapter {
    /// On what.
    pub runtime: Runtime,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its certificate, as PEM.
    pub chain: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
}

impl Adapter {
    /// Serves until the process ends.
    ///
    /// # Errors
    /// It cannot listen.
    pub fn run(&self) -> anyhow::Result<()> {
        let config = config(&self.chain, &self.key)?;
        match self.runtime {
            // It drives the reactor on this thread; a thread for that alone would have to be woken for every packet.
            Runtime::AsyncIo => async_io::block_on(async {
                let relay = wayleave_async_io::Relay::bind(config, self.listen).await?;
                relay.serve().await;
                Ok(())
            }),
            Runtime::Std => {
                wayleave_std::Relay::bind(config, self.listen)?.serve();
                Ok(())
            }
            Runtime::Tokio => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(async {
                    let relay = wayleave_tokio::Relay::bind(config, self.listen).await?;
                    relay.serve().await;
                    Ok(())
                })
            }
        }
    }
}

/// The field line with which these relays can be used.
///
/// # Errors
/// No token can be minted.
pub fn authorization() -> anyhow::Result<String> {
    let token = token(wayleave_sockets::unix_now(), Duration::from_secs(7_200)).context("no token")?;
    Ok(format!("Proxy-Authorization: Bearer {}\r\n", token.expose()))
}

fn config(chain: &Path, key: &Path) -> anyhow::Result<Valid<RelayConfig>> {
    let acceptor = RustlsAcceptor::from_pem(Environment::system(), &fs::read(chain)?, &fs::read(key)?)?;
    let keys = Keys::new(vec![signing_key().context("no key")?.verifying()])?;
    let mut config = RelayConfig::new(Arc::new(acceptor), keys);
    let addresses = AddressPolicy { allow: vec!["127.0.0.0/8".parse()?], deny: Vec::new() };
    config.targets = TargetPolicy { addresses, ..TargetPolicy::default() };
    Ok(config.build()?)
}
