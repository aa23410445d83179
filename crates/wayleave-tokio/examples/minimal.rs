//! The least program that embeds a client: `cargo run -p wayleave-tokio --example minimal HOST:PORT [RELAY:PORT]`, with `TOKEN` in
//! the environment where a relay is given. It sends a line to a server and prints the first bytes of the answer.
//!
//! `cargo xtask size` says how large it is.

use std::error::Error;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wayleave_tokio::{Client, ClientConfig, Token, platform_connector};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let target = words.next().ok_or("say where to: HOST:PORT")?;
    let config = match words.next() {
        Some(relay) => {
            let token: Token = std::env::var("TOKEN")?.parse()?;
            ClientConfig::new(vec![relay.parse()?], token, platform_connector()?)
        }
        None => ClientConfig::direct(),
    };
    let client = Client::new(config.build()?);
    let media = client.datagrams(&target)?;
    media.send(b"a packet")?;
    let mut stream = client.connect(&target).await?;
    stream.write_all(b"HEAD / HTTP/1.0\r\n\r\n").await?;
    let mut answer = [0; 64];
    let count = stream.read(&mut answer).await?;
    println!("{}", String::from_utf8_lossy(&answer[..count]));
    Ok(())
}
