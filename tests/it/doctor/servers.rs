//! What answers in the place of a relay, or in front of it, in a network where something is wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// An authority of a test's own, which signs for whom it is told.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

/// A certificate with its key.
pub(super) struct Identity {
    config: Arc<ServerConfig>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let pair = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&pair).unwrap().pem();
        Self { issuer: Issuer::new(params, pair), pem }
    }

    /// A certificate for `name` that is good from `begins` to `ends`, in days from now.
    pub(super) fn signs(&self, name: &str, begins: i64, ends: i64) -> Identity {
        let pair = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (day(begins), day(ends));
        let certificate = params.signed_by(&pair, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(pair.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Identity { config: Arc::new(config) }
    }

    /// One for `relay.example` with which everything is right.
    pub(super) fn good(&self) -> Identity {
        self.signs("relay.example", -1, 30)
    }
}

fn day<T: From<SystemTime>>(days: i64) -> T {
    let span = Duration::from_secs(86_400 * days.unsigned_abs());
    let now = SystemTime::now();
    if days < 0 { (now - span).into() } else { (now + span).into() }
}

/// Answers each request over TLS with what `answer` makes of its head; with nothing, it stays silent.
pub(super) fn over_tls(
    address: &str,
    identity: Identity,
    answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) {
    serve(address, move |stream| {
        let Ok(session) = ServerConnection::new(Arc::clone(&identity.config)) else { return };
        respond(StreamOwned::new(session, stream), &answer);
    });
}

/// The same without TLS.
pub(super) fn in_the_clear(address: &str, answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) {
    serve(address, move |stream| respond(stream, &answer));
}

/// Closes every connection at its first byte.
pub(super) fn cutting(address: &str) {
    serve(address, |mut stream| drop(stream.read(&mut [0])));
}

/// Takes every connection and says nothing.
pub(super) fn silent(address: &str) {
    serve(address, |mut stream| drop(std::io::copy(&mut stream, &mut std::io::sink())));
}

fn respond(mut stream: impl Read + Write, answer: &impl Fn(&str) -> Option<String>) {
    let mut head = Vec::new();
    // A web server answers at once to what is no request: TLS where it speaks none.
    while !head.ends_with(b"\r\n\r\n") && head != [0x16] {
        let mut byte = [0];
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
    }
    if let Some(said) = answer(&String::from_utf8_lossy(&head))
        && (stream.write_all(said.as_bytes()).and_then(|()| stream.flush()).is_err() || said.is_empty())
    {
        return;
    }
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// What a relay of another kind says, which knows CONNECT and CONNECT-UDP but no OPTIONS.
pub(super) fn of_another_kind(request: &str) -> Option<String> {
    let is_shown = request.contains("Proxy-Authorization");
    let status = match request.split(' ').next() {
        Some("CONNECT") if is_shown => "200 OK",
        Some("CONNECT") => "407 Who",
        Some("GET") => "502 Bad Gateway\r\nProxy-Status: other; error=dns_error",
        _ => "404 Not Found",
    };
    Some(format!("HTTP/1.1 {status}\r\n\r\n"))
}

/// A STUN server.
pub(super) fn stun(address: &str) {
    let socket = UdpSocket::bind(address).unwrap();
    thread::spawn(move || {
        let mut message = [0; 512];
        while let Ok((count, from)) = socket.recv_from(&mut message) {
            message[..2].copy_from_slice(&[1, 1]);
            let _ = socket.send_to(&message[..count], from);
        }
    });
}

/// What a relay says to OPTIONS, with `more` fields; nothing to anything else.
pub(super) fn like_a_relay(request: &str, more: &str) -> Option<String> {
    let word = request.lines().find_map(|line| line.strip_prefix("Prefer: "));
    let echo = word.map(|word| format!("Preference-Applied: {word}\r\n")).unwrap_or_default();
    request.starts_with("OPTIONS").then(|| {
        let status = if request.contains("Proxy-Authorization") { "204 No Content" } else { "407 Who" };
        format!("HTTP/1.1 {status}\r\n{echo}{more}\r\n")
    })
}

fn serve(address: &str, handle: impl Fn(TcpStream) + Send + Sync + 'static) {
    let listener = TcpListener::bind(address).unwrap();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let handle = Arc::clone(&handle);
            thread::spawn(move || handle(stream));
        }
    });
}

/// The one name server of this network: what it says of a name is in the name's first label.
pub(crate) fn name_server(address: &str) {
    let socket = UdpSocket::bind((address, 53)).unwrap();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((count, from)) = socket.recv_from(&mut question) {
            if let Some(answer) = answer(&question[..count]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
}

/// RFC 1035 §4.
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let name = &question[12..];
    let end = 12 + name.iter().position(|byte| *byte == 0)? + 5;
    let label = name.get(1..=usize::from(name[0]))?;
    let (code, v4, v6) = match label {
        b"dead" => return None,
        b"nx" => (3, None, None),
        b"fail" => (2, None, None),
        b"empty" => (0, None, None),
        b"wire" => (0, Some([192, 0, 2, 1]), None),
        b"zero" => (0, Some([0, 0, 0, 0]), None),
        b"six" => (0, Some([127, 0, 0, 1]), Some([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9])),
        _ => (0, Some([127, 0, 0, 1]), None),
    };
    let record: Option<Vec<u8>> = match question[end - 4..end - 2] {
        [0, 1] => v4.map(|address: [u8; 4]| address.to_vec()),
        [0, 28] => v6.map(|address: [u8; 16]| address.to_vec()),
        _ => None,
    };
    let mut answer = question[..end].to_vec();
    answer[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, u8::from(record.is_some()), 0, 0, 0, 0]);
    if let Some(record) = record {
        answer.extend([0xc0, 12, question[end - 4], question[end - 3], 0, 1, 0, 0, 0, 60, 0]);
        answer.push(u8::try_from(record.len()).ok()?);
        answer.extend(record);
    }
    Some(answer)
}
