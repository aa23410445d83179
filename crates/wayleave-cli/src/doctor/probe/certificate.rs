//! What a certificate says, for people.

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use wayleave_proto::codec::text::escaped;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is told of a certificate; every text in it is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) issuer: String,
    pub(super) names: String,
    pub(super) begins: String,
    pub(super) ends: String,
}

impl Shown {
    /// `None` where it cannot be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names =
            names.map(|names| names.value.general_names.iter().filter_map(name).take(MOST_NAMES).collect());
        let names: Vec<String> = names.unwrap_or_default();
        let validity = certificate.validity();
        Some(Self {
            issuer: text(&certificate.issuer().to_string()),
            names: names.join(", "),
            begins: moment(validity.not_before.timestamp()),
            ends: moment(validity.not_after.timestamp()),
        })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(text(name)),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            bytes => {
                <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string())
            }
        },
        _ => None,
    }
}

fn moment(secs: i64) -> String {
    let date = OffsetDateTime::from_unix_timestamp(secs).ok();
    date.and_then(|date| date.format(&Rfc3339).ok()).unwrap_or_else(|| format!("second {secs}"))
}

fn text(text: &str) -> String {
    escaped(text.as_bytes(), LONGEST)
}

const MOST_NAMES: usize = 5;
const LONGEST: usize = 200;
