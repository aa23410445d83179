//! From what the user said to what the process of a relay needs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_settings::relay::{Opened, RelayFiles, RelaySettings, Renewable};

use super::admin::Admin;
use super::users::Users;
use crate::Failure;

/// All that the process needs.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) config: Valid<RelayConfig>,
    pub(super) listen: SocketAddr,
    /// The certificate in force.
    pub(super) certificate: Arc<Renewable>,
    pub(super) files: RelayFiles,
    pub(super) admin: Option<Admin>,
    pub(super) drain: Duration,
    /// How users stand in the log.
    pub(super) users: Arc<Users>,
    /// The name servers to ask in the place of the platform's resolver; none are those of the system.
    pub(super) name_servers: Option<Vec<SocketAddr>>,
}

impl Settings {
    /// Reads the files that `said` names, and makes those of a self-signed certificate.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub(super) fn new(said: RelaySettings) -> Result<Self, Failure> {
        said.identity()?;
        if said.admin.is_none() && (said.admin_secret_file.is_some() || said.admin_anywhere) {
            return Err(Failure::usage(
                "--admin-secret-file and --admin-anywhere are for the admin interface; give --admin ADDRESS:PORT beside them",
            ));
        }
        let users = Users::new(said.log_users.unwrap_or_default(), said.log_key_file.as_deref())?;
        let Opened { keys, certificate, files, .. } = said.open()?;
        let admin = said
            .admin
            .as_ref()
            .map(|place| Admin::bind(place, said.admin_secret_file.clone(), said.admin_anywhere));
        let admin = admin.transpose()?;
        let (listen, drain) = (said.listen_or_default(), said.drain_or_default());
        let name_servers = said.name_servers()?;
        let own = [Some(listen), admin.as_ref().and_then(Admin::local_addr)];
        let config = said.config(Arc::clone(&certificate) as _, keys, own.into_iter().flatten())?;
        Ok(Self { config, listen, certificate, files, admin, drain, users: Arc::new(users), name_servers })
    }
}
