//! The registry of proxy errors.

use core::fmt;
use core::str::FromStr;

/// A text that is no error of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a registered proxy error")]
pub struct ProxyErrorUnknown;

/// Declares the registry, a line for each error.
macro_rules! registry {
    ($($variant:ident, $name:literal, $status:literal, $doc:literal;)+) => {
        /// An error of the registry, in its order: [RFC 9209 §2.3](https://www.rfc-editor.org/rfc/rfc9209#section-2.3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ProxyError {
            $(#[doc = $doc] $variant,)+
        }

        impl ProxyError {
            /// Every error, in the order of the registry.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in the registry.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The status that the standard recommends; where it leaves the choice, 400 for a bad request and 500 for
            /// an answer of the proxy's own.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }
        }
    };
}

registry! {
    DnsTimeout, "dns_timeout", 504, "No name server answered in time.";
    DnsError, "dns_error", 502, "The name could not be resolved.";
    DestinationNotFound, "destination_not_found", 500, "The proxy does not know where to send this request.";
    DestinationUnavailable, "destination_unavailable", 503, "The target is known to be down.";
    DestinationIpProhibited, "destination_ip_prohibited", 502, "The proxy does not connect to this address.";
    DestinationIpUnroutable, "destination_ip_unroutable", 502, "There is no way to this address.";
    ConnectionRefused, "connection_refused", 502, "The target refused the connection.";
    ConnectionTerminated, "connection_terminated", 502, "The target ended the connection too early.";
    ConnectionTimeout, "connection_timeout", 504, "The target did not answer in time.";
    ConnectionReadTimeout, "connection_read_timeout", 504, "The target sent nothing for too long.";
    ConnectionWriteTimeout, "connection_write_timeout", 504, "The target took nothing for too long.";
    ConnectionLimitReached, "connection_limit_reached", 503, "The proxy has as many connections as it may.";
    TlsProtocolError, "tls_protocol_error", 502, "TLS to the next hop failed.";
    TlsCertificateError, "tls_certificate_error", 502, "The certificate of the next hop is not trusted.";
    TlsAlertReceived, "tls_alert_received", 502, "The next hop sent a TLS alert.";
    HttpRequestError, "http_request_error", 400, "The request is at fault.";
    HttpRequestDenied, "http_request_denied", 403, "The policy of the proxy forbids the request.";
    HttpResponseIncomplete, "http_response_incomplete", 502, "The answer of the next hop was cut.";
    HttpResponseHeaderSectionSize, "http_response_header_section_size", 502, "The head of the answer is too long.";
    HttpResponseHeaderSize, "http_response_header_size", 502, "A field of the answer is too long.";
    HttpResponseBodySize, "http_response_body_size", 502, "The body of the answer is too long.";
    HttpResponseTrailerSectionSize, "http_response_trailer_section_size", 502, "The trailers are too long.";
    HttpResponseTrailerSize, "http_response_trailer_size", 502, "A trailer of the answer is too long.";
    HttpResponseTransferCoding, "http_response_transfer_coding", 502, "The transfer coding could not be read.";
    HttpResponseContentCoding, "http_response_content_coding", 502, "The content coding could not be read.";
    HttpResponseTimeout, "http_response_timeout", 504, "The next hop did not answer in time.";
    HttpUpgradeFailed, "http_upgrade_failed", 502, "The next hop did not change the protocol.";
    HttpProtocolError, "http_protocol_error", 502, "The next hop broke the rules of HTTP.";
    ProxyInternalResponse, "proxy_internal_response", 500, "The proxy made the answer itself.";
    ProxyInternalError, "proxy_internal_error", 500, "The proxy failed.";
    ProxyConfigurationError, "proxy_configuration_error", 500, "The configuration of the proxy is wrong.";
    ProxyLoopDetected, "proxy_loop_detected", 502, "The request came back to the proxy.";
}

impl FromStr for ProxyError {
    type Err = ProxyErrorUnknown;

    fn from_str(text: &str) -> Result<Self, ProxyErrorUnknown> {
        Self::ALL.iter().copied().find(|error| error.as_str() == text).ok_or(ProxyErrorUnknown)
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
