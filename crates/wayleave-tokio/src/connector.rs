//! Connections for HTTP clients.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tower_service::Service;
use wayleave_drive::IntoTarget;
use wayleave_proto::base::{Target, TargetError};
use wayleave_proto::client::FlowError;

use crate::{Client, Stream};

/// Opens the connections of an HTTP client through a [`Client`], in the place of hyper-util's own connector. Feature `hyper`.
///
/// Everything that takes a connector for hyper-util takes it: `hyper_util::client::legacy::Client`, `HttpsConnectorBuilder` of
/// hyper-rustls by `wrap_connector`, `Endpoint::connect_with_connector` of tonic. It makes no TLS of its own: what is written to the
/// stream goes to the server of the URI, at port 80 or 443 by its scheme where it names none.
///
/// ```no_run
/// # use hyper_util::client::legacy::Client as HttpClient;
/// # use hyper_util::rt::TokioExecutor;
/// # fn example(client: wayleave_tokio::Client) {
/// let http: HttpClient<_, String> =
///     HttpClient::builder(TokioExecutor::new()).build(wayleave_tokio::HttpConnector::new(client));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HttpConnector(Client);

impl HttpConnector {
    /// A connector that opens its streams with `client`.
    pub const fn new(client: Client) -> Self {
        Self(client)
    }
}

impl Service<Uri> for HttpConnector {
    type Response = TokioIo<Stream>;
    type Error = FlowError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, FlowError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FlowError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move { Ok(TokioIo::new(client.connect(target(&uri)?).await?)) })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Where the server of `uri` is.
fn target(uri: &Uri) -> Result<Target, FlowError> {
    let host = uri.host().ok_or(FlowError::Target(TargetError::Host))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let usual = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    (host, uri.port_u16().unwrap_or(usual)).into_target()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_leads_to_its_server() {
        for (uri, expected) in [
            ("http://example.org/page", Some("example.org:80")),
            ("https://example.org", Some("example.org:443")),
            ("http://example.org:8080/", Some("example.org:8080")),
            ("https://[2001:db8::1]/", Some("[2001:db8::1]:443")),
            ("http://192.0.2.1:81", Some("192.0.2.1:81")),
            ("/page", None),
            ("http://example.org:0/", None),
        ] {
            let found = target(&uri.parse().unwrap()).ok().map(|target| target.to_string());
            assert_eq!(found.as_deref(), expected, "{uri}");
        }
    }
}
