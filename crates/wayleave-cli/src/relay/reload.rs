//! Keys and certificates that are put into force while the relay runs.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::{info, warn};
use wayleave_proto::auth::Keys;
use wayleave_proto::carrier::tls::Acceptor;
use wayleave_proto::relay::Stats;
use wayleave_settings::SettingsError;
use wayleave_settings::files::Follower;
use wayleave_settings::relay::{RelayNews, Renewable};
use wayleave_tokio::RelayHandle;

/// What became of a reading: what is in force now, or what is wrong and stays as it was.
pub(super) type Told = Result<String, String>;

/// The files that are followed, and who waits for them.
pub(super) struct Reloads {
    files: Follower<RelayNews>,
    handle: RelayHandle,
    certificate: Arc<Renewable>,
    /// Who asked, by the number of the asking.
    asking: Vec<(u64, oneshot::Sender<Told>)>,
}

impl Reloads {
    pub(super) const fn new(
        files: Follower<RelayNews>,
        handle: RelayHandle,
        certificate: Arc<Renewable>,
    ) -> Self {
        Self { files, handle, certificate, asking: Vec::new() }
    }

    /// Lets the files be read, and tells `tell` what became of it.
    pub(super) fn ask(&mut self, tell: Option<oneshot::Sender<Told>>) {
        let number = self.files.ask();
        // Who gave up waiting is forgotten here, so that no more wait than can ask.
        self.asking.retain(|(_, tell)| !tell.is_closed());
        self.asking.extend(tell.map(|tell| (number, tell)));
    }

    /// Waits for what is read next and puts it into force. Cancel safe.
    pub(super) async fn work(&mut self) {
        let (RelayNews { keys, certificate, .. }, answers) = self.files.next().await;
        let keys = keys.map(|read| self.renew_keys(read));
        let certificate = certificate.map(|read| self.renew_certificate(read));
        let told = together(keys, certificate);
        for (number, tell) in std::mem::take(&mut self.asking) {
            if answers.is_some_and(|answers| number <= answers) {
                let _ = tell.send(told.clone());
            } else {
                self.asking.push((number, tell));
            }
        }
    }

    fn renew_keys(&self, read: Result<Keys, SettingsError>) -> Told {
        match read {
            Ok(keys) => {
                let (count, before) = (keys.len(), self.handle.stats().tunnels);
                self.handle.renew_keys(keys);
                let Stats { revocations, tunnels, .. } = self.handle.stats();
                let ended = before.saturating_sub(tunnels);
                info!(keys = count, revocations, ended, "token keys read again");
                Ok(if count == 1 { "1 key is in force".into() } else { format!("{count} keys are in force") })
            }
            Err(error) => {
                warn!("the old token keys stay: {error}");
                Err(format!("the old keys stay: {error}"))
            }
        }
    }

    fn renew_certificate(&self, read: Result<Arc<dyn Acceptor>, SettingsError>) -> Told {
        match read {
            Ok(acceptor) => {
                self.certificate.renew(acceptor);
                info!("the certificate was read again; new connections get the new one");
                Ok("the new certificate is in force".into())
            }
            Err(error) => {
                warn!("the old certificate stays: {error}");
                Err(format!("the old certificate stays: {error}"))
            }
        }
    }
}

/// Both in one: wrong where one of them is.
fn together(keys: Option<Told>, certificate: Option<Told>) -> Told {
    let parts: Vec<Told> = [keys, certificate].into_iter().flatten().collect();
    let is_good = parts.iter().all(Result::is_ok);
    let sentence = parts.into_iter().map(|part| part.unwrap_or_else(|wrong| wrong));
    let sentence = sentence.collect::<Vec<_>>().join("; ");
    if is_good { Ok(sentence) } else { Err(sentence) }
}
