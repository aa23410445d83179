//! What `wayleave check` and `wayleave allowlist` need of an agent's file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wayleave_proto::auth::AppId;
use wayleave_proto::base::{Link, Secret, Target};
use wayleave_proto::config::{Mode, Probe};
use wayleave_settings::options::text_of;

use super::{AgentArgs, LinkChoice};
use crate::Failure;

/// Whom an agent speaks to, by what, and where to.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) proxies: Vec<Target>,
    pub(crate) via: Vec<Secret<String>>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) token: Option<Secret<String>>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) app_id: Option<AppId>,
    pub(crate) app_sign_file: Option<PathBuf>,
    /// The targets of its forwards, and its probes.
    pub(crate) targets: Vec<Probe>,
    pub(crate) mode: Mode,
    pub(crate) trial: Option<Duration>,
    /// The link that it takes for granted.
    pub(crate) link: Option<Link>,
}

impl AgentArgs {
    /// What the agent's file at `path` says of that.
    ///
    /// # Errors
    /// The file cannot be read, or what is wrong in it, with the line.
    pub(crate) fn checked(path: &Path) -> Result<Checked, Failure> {
        let file = Self::from_text(path, &text_of(path)?)?;
        let forwards = file.forward.into_iter().map(|it| Probe { kind: it.kind, target: it.target });
        Ok(Checked {
            targets: forwards.chain(file.probe).collect(),
            proxies: file.proxy,
            via: file.via,
            ca: file.ca,
            token: file.token,
            token_file: file.token_file,
            app_id: file.app_id,
            app_sign_file: file.app_sign_file,
            mode: file.mode.unwrap_or_default(),
            trial: file.trial,
            link: match file.link {
                Some(LinkChoice::Fixed(link)) => Some(link),
                Some(LinkChoice::Auto) | None => None,
            },
        })
    }
}
