//! What all relays of a run share: a folder, a certificate, the far ends, the cores.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::load::target;

/// What all relays of a run share.
#[derive(Debug)]
pub struct Lab {
    /// Where everything is written that does not outlive the run.
    pub folder: PathBuf,
    /// The folder of this crate, with the configurations of the peers.
    pub source: PathBuf,
    /// The certificate that every relay shows, as PEM: ECDSA on P-256.
    pub chain: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// TLS 1.3 with AES-128-GCM and X25519, full handshakes only.
    pub tls: Arc<ClientConfig>,
    /// Where stream tunnels lead.
    pub streams: TcpListener,
    /// Where datagram tunnels lead.
    pub datagrams: UdpSocket,
    /// The core of the relay.
    pub relay_core: usize,
    /// The core of the load.
    pub load_core: usize,
}

impl Lab {
    /// Makes the folder and what is in it.
    ///
    /// # Errors
    /// What could not be made.
    pub fn new(folder: PathBuf, source: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(folder.join("logs")).context("the folder for results cannot be made")?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.self_signed(&key)?;
        let (chain, key_file) = (folder.join("chain.pem"), folder.join("key.pem"));
        fs::write(&chain, certificate.pem())?;
        fs::write(&key_file, key.serialize_pem())?;
        let datagrams = UdpSocket::bind("127.0.0.1:0")?;
        datagrams.set_nonblocking(true)?;
        deepen(&datagrams);
        Ok(Self {
            chain,
            key: key_file,
            tls: client_config(certificate.der().clone())?,
            streams: target::listen()?,
            datagrams,
            relay_core: 1,
            load_core: 0,
            folder,
            source,
        })
    }

    /// An address on which nothing listens now.
    ///
    /// # Errors
    /// No port is free.
    pub fn free_address(&self) -> anyhow::Result<SocketAddr> {
        // Some relays listen for both kinds.
        for _ in 0..16 {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            if UdpSocket::bind(address).is_ok() {
                return Ok(address);
            }
        }
        anyhow::bail!("no port is free for TCP and UDP")
    }

    /// A configuration of a peer from this crate with each `@NAME@` filled in, as a file in the folder of the run.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn fill(&self, peer: &str, file: &str, values: &[(&str, String)]) -> anyhow::Result<PathBuf> {
        let path = self.source.join("peers").join(peer).join(file);
        let mut text =
            fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        for (name, value) in values {
            text = text.replace(&format!("@{name}@"), value);
        }
        let filled = self.folder.join(format!("{peer}-{file}"));
        fs::write(&filled, text)?;
        Ok(filled)
    }

    /// Where a process writes what it has to say.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    /// The folder of a program that a package client brought.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.folder.join("tools").join(name)
    }
}

/// Asks for a deep receive buffer, so that the far end does not lose what a relay sent.
pub fn deepen(socket: &UdpSocket) {
    let socket = socket2::SockRef::from(socket);
    // The kernel gives what it allows.
    let _ = socket.set_recv_buffer_size(DEPTH);
    let _ = socket.set_send_buffer_size(DEPTH);
}

fn client_config(certificate: CertificateDer<'static>) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let provider = CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![ring::kx_group::X25519],
        ..ring::default_provider()
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

const DEPTH: usize = 4 << 20;
