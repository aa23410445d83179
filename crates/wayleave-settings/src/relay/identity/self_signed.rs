//! A certificate authority in a directory, for trying out and for private use.
//!
//! The authority is made once and stays, because clients trust it; the certificate of the relay is made again when it
//! no longer serves.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use wayleave_proto::base::{Host, Secret};
use wayleave_proto::carrier::tls::{Environment, RustlsAcceptor, certificates_from_pem};

use crate::SettingsError;
use crate::files::{self, Readers};

/// The right to a directory.
#[derive(Debug)]
pub(super) struct Turn {
    /// Locked until it is closed.
    _file: File,
}

/// Makes what is missing in `directory`, so that its relay certificate is good for every one of `names`.
///
/// Several relays can share a directory, at the same time too: what is in it stays as it is until the answer is dropped. A
/// directory that cannot be written to is good while what stands in it is; nobody changes it then, and the answer is `None`.
///
/// # Errors
/// The directory cannot be used, or what is in it does not go together.
pub(super) fn prepare(
    directory: &Path,
    names: &[Host],
    now: SystemTime,
) -> Result<Option<Turn>, SettingsError> {
    let shown = directory.display();
    let failed = |what: &dyn fmt::Display| SettingsError::new(format!("{shown}: {what}"));
    fs::create_dir_all(directory).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => failed(&"there is a file of this name; give a directory"),
        _ => failed(&format!("the directory cannot be made: {error}")),
    })?;
    let names = complete(names);
    let turn = match lock(directory) {
        Ok(turn) => turn,
        Err(_) if is_good(directory, &names, now) => return Ok(None),
        Err(error) => return Err(failed(&format!("the directory cannot be written to: {error}"))),
    };
    if is_good(directory, &names, now) {
        return Ok(Some(turn));
    }
    make(directory, &names, now).map_err(|what| failed(&what))?;
    if is_good(directory, &names, now) {
        return Ok(Some(turn));
    }
    Err(failed(&format!(
        "{CA} and {CA_KEY} do not go together, or were made elsewhere; remove them to begin with new ones, or give \
         your certificate with --cert and --key"
    )))
}

/// Waits for its turn among relays that start at the same time.
fn lock(directory: &Path) -> io::Result<Turn> {
    let file = File::options().create(true).truncate(false).write(true).open(directory.join(LOCK))?;
    let deadline = Instant::now() + TURN;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Turn { _file: file }),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(io::Error::new(ErrorKind::TimedOut, "another relay does not let go of it"));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(AGAIN),
        }
    }
}

/// A relay on this machine is called by address, too.
fn complete(names: &[Host]) -> Vec<Host> {
    let mut names = names.to_vec();
    if names.iter().any(|name| matches!(name, Host::Name(name) if name.as_str() == "localhost")) {
        names.extend([Host::Address(Ipv4Addr::LOCALHOST.into()), Host::Address(Ipv6Addr::LOCALHOST.into())]);
    }
    names.sort();
    names.dedup();
    names
}

/// Whether a client that trusts the authority accepts the relay's certificate under every name, for a while yet.
fn is_good(directory: &Path, names: &[Host], now: SystemTime) -> bool {
    let check = || -> Option<()> {
        let read = |name| files::read(&directory.join(name), super::LONGEST).ok();
        let (ca, cert, key) = (certificates_from_pem(&read(CA)?).ok()?, read(CERT)?, read(KEY)?);
        let environment = Environment::system();
        let provider = Arc::clone(&environment.provider);
        RustlsAcceptor::from_pem(environment, &cert, &key).ok()?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.into_iter().next()?).ok()?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
        let cert = certificates_from_pem(&cert).ok()?;
        let (first, rest) = cert.split_first()?;
        let later = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.checked_add(LEFT)?;
        let later = UnixTime::since_unix_epoch(later);
        names.iter().try_for_each(|name| {
            let name = ServerName::try_from(name.to_string()).ok()?;
            verifier.verify_server_cert(first, rest, &name, &[], later).ok().map(drop)
        })
    };
    check().is_some()
}

fn make(directory: &Path, names: &[Host], now: SystemTime) -> Result<(), String> {
    let (ca, ca_key) = (directory.join(CA), directory.join(CA_KEY));
    let authority = if ca_key.exists() {
        let text = files::read(&ca_key, super::LONGEST).map_err(|unread| format!("{CA_KEY}: {unread}"))?;
        let text = Secret::new(String::from_utf8(text).map_err(|_| format!("{CA_KEY} is not a text file"))?);
        KeyPair::from_pem(text.expose())
            .map_err(|error| format!("{CA_KEY} is not a private key ({error}); remove it"))?
    } else if ca.exists() {
        return Err(format!(
            "the certificate of the relay has to be made again, and {CA_KEY} is missing; remove {CA} to begin with a \
             new authority, or give your certificate with --cert and --key"
        ));
    } else {
        let pair = KeyPair::generate().map_err(said)?;
        write(directory, CA_KEY, &pair.serialize_pem(), Readers::Owner)?;
        pair
    };
    let params = authority_params(now);
    if !ca.exists() {
        let certificate = params.self_signed(&authority).map_err(said)?;
        write(directory, CA, &certificate.pem(), Readers::Everybody)?;
    }
    let authority = Issuer::new(params, authority);
    let pair = KeyPair::generate().map_err(said)?;
    let certificate = relay_params(names, now)?.signed_by(&pair, &authority).map_err(said)?;
    // The old certificate must never stand beside the new key.
    let _ = fs::remove_file(directory.join(CERT));
    write(directory, KEY, &pair.serialize_pem(), Readers::Owner)?;
    write(directory, CERT, &certificate.pem(), Readers::Everybody)
}

/// The same each time but for the dates, so that the key alone can sign in the name of the certificate in the file.
fn authority_params(now: SystemTime) -> CertificateParams {
    let mut params = dated("Wayleave private authority", AUTHORITY_LIFE, now);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn relay_params(names: &[Host], now: SystemTime) -> Result<CertificateParams, String> {
    let named =
        CertificateParams::new(names.iter().map(Host::to_string).collect::<Vec<_>>()).map_err(said)?;
    let mut params = dated("Wayleave relay", RELAY_LIFE, now);
    params.subject_alt_names = named.subject_alt_names;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn dated(name: &str, life: Duration, now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Clocks of clients may be behind.
    params.not_before = (now - DAY).into();
    params.not_after = (now + life).into();
    params
}

fn write(directory: &Path, name: &str, text: &str, readers: Readers) -> Result<(), String> {
    files::replace(&directory.join(name), text, readers)
        .map_err(|error| format!("{name} cannot be written: {error}"))
}

fn said(error: rcgen::Error) -> String {
    format!("the certificate cannot be made: {error}")
}

/// The certificate of the relay.
pub(super) const CERT: &str = "relay.pem";
/// Its private key.
pub(super) const KEY: &str = "relay-key.pem";

/// The certificate of the authority, which clients are given.
const CA: &str = "ca.pem";
/// Its private key.
const CA_KEY: &str = "ca-key.pem";
/// Held while files are made.
const LOCK: &str = ".lock";

/// How long to wait for another relay that makes files there.
const TURN: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(20);
const DAY: Duration = Duration::from_secs(86_400);
/// Longer than anybody tries out.
const AUTHORITY_LIFE: Duration = Duration::from_secs(20 * 365 * 86_400);
/// Some clients refuse certificates that live longer than 825 days.
const RELAY_LIFE: Duration = Duration::from_secs(730 * 86_400);
/// What must be left of it, so that it does not end while the relay runs.
const LEFT: Duration = Duration::from_secs(30 * 86_400);
