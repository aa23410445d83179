//! Libraries that take a connector or a socket, each with the one of ours.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http::Uri;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use quinn::{ClientConfig as QuicConfig, Endpoint, EndpointConfig, ServerConfig, TokioRuntime};
use rcgen::{CertificateParams, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use tokio::runtime::Runtime;
use wayleave_agent::{Agent, AgentConfig};
use wayleave_tokio::{Client, ClientConfig, HttpConnector, QuicSocket, What};

/// A page for one connection, with everything that it asked for.
fn page() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for _ in 0..2 {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
        }
    });
    format!("http://{address}/page")
}

#[test]
fn hyper_fetches_a_page_over_our_connector_and_keeps_the_connection() {
    Runtime::new().unwrap().block_on(async {
        let client = Client::new(ClientConfig::direct().build().unwrap());
        let http: HttpClient<_, Full<&[u8]>> =
            HttpClient::builder(TokioExecutor::new()).build(HttpConnector::new(client));
        let uri: Uri = page().parse().unwrap();
        for _ in 0..2 {
            let response = http.get(uri.clone()).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
        }
        // Nobody listens there any more: the reason is found in the chain.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let refused = http.get(format!("http://127.0.0.1:{port}/").parse().unwrap()).await.unwrap_err();
        let mut source = std::error::Error::source(&refused);
        let found = std::iter::from_fn(|| {
            let error = source?;
            source = error.source();
            Some(error)
        })
        .any(|error| error.is::<wayleave_tokio::FlowError>());
        assert!(found, "{refused:?}");
    });
}

#[test]
fn tonic_calls_over_our_connector() {
    Runtime::new().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            let answer = http::Response::builder().header("content-type", "application/grpc");
            let answer = answer.header("grpc-status", "12").body(()).unwrap();
            respond.send_response(answer, true).unwrap();
            while connection.accept().await.is_some() {}
            request.uri().path().to_owned()
        });
        let client = Client::new(ClientConfig::direct().build().unwrap());
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.connect_with_connector(HttpConnector::new(client)).await.unwrap();
        let mut grpc = tonic::client::Grpc::new(channel);
        grpc.ready().await.unwrap();
        let path = http::uri::PathAndQuery::from_static("/calls.Calls/Begin");
        let status = grpc.unary(tonic::Request::new(()), path, Nothing).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unimplemented);
        drop(grpc);
        assert_eq!(served.await.unwrap(), "/calls.Calls/Begin");
    });
}

/// Messages without content.
#[derive(Default)]
struct Nothing;

impl tonic::codec::Codec for Nothing {
    type Encode = ();
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl tonic::codec::Encoder for Nothing {
    type Item = ();
    type Error = tonic::Status;

    fn encode(&mut self, (): (), _: &mut tonic::codec::EncodeBuf<'_>) -> Result<(), tonic::Status> {
        Ok(())
    }
}

impl tonic::codec::Decoder for Nothing {
    type Item = ();
    type Error = tonic::Status;

    fn decode(&mut self, _: &mut tonic::codec::DecodeBuf<'_>) -> Result<Option<()>, tonic::Status> {
        Ok(Some(()))
    }
}

/// reqwest makes its connections itself, and lets nobody in between make them otherwise; it takes a proxy.
#[test]
fn reqwest_fetches_a_page_through_an_agent_inside_the_program() {
    Runtime::new().unwrap().block_on(async {
        let mut config = AgentConfig::new(ClientConfig::direct().build().unwrap());
        config.listen.push((Ipv4Addr::LOCALHOST, 0).into());
        let agent = Agent::start(config).await.unwrap();
        let mut events = agent.events();
        let proxy = reqwest::Proxy::all(format!("http://{}", agent.doors()[0].address)).unwrap();
        let http = reqwest::Client::builder().proxy(proxy).build().unwrap();
        assert_eq!(http.get(page()).send().await.unwrap().text().await.unwrap(), "hello");
        assert_eq!(agent.close(Duration::from_secs(1)).await, 0);
        let mut opened = 0;
        while let Some(event) = events.recv().await {
            opened += usize::from(matches!(event.what, What::FlowOpened { .. }));
        }
        assert_eq!(opened, 1, "it came through the agent");
    });
}

#[test]
fn quinn_speaks_over_a_datagram_flow() {
    Runtime::new().unwrap().block_on(async {
        let pair = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&pair).unwrap();
        let key = PrivateKeyDer::try_from(pair.serialize_der()).unwrap();
        let config = ServerConfig::with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let server = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = server.local_addr().unwrap();
        tokio::spawn(async move {
            let connection = server.accept().await.unwrap().await.unwrap();
            let (mut send, mut receive) = connection.accept_bi().await.unwrap();
            let question = receive.read_to_end(2_000_000).await.unwrap();
            send.write_all(&question).await.unwrap();
            send.finish().unwrap();
            connection.closed().await;
        });
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();

        let client = Client::new(ClientConfig::direct().build().unwrap());
        let socket = QuicSocket::new(client.datagrams(address).unwrap());
        let remote = socket.remote();
        assert_eq!(remote, address);
        let config = EndpointConfig::default();
        let endpoint =
            Endpoint::new_with_abstract_socket(config, None, Arc::new(socket), Arc::new(TokioRuntime))
                .unwrap();
        let config = QuicConfig::with_root_certificates(Arc::new(roots)).unwrap();
        let connection = endpoint.connect_with(config, remote, "localhost").unwrap().await.unwrap();
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        let question: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        let ((), answer) = tokio::join!(
            async {
                send.write_all(&question).await.unwrap();
                send.finish().unwrap();
            },
            receive.read_to_end(2_000_000)
        );
        assert!(answer.unwrap() == question);
        connection.close(0_u32.into(), b"");
    });
}
