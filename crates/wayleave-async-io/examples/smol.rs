//! A client under smol, driven by smol's own executor.
//!
//! `TOKEN=... cargo run --example smol relay.example:443 echo.example:7`

use std::env::{args, var};
use std::error::Error;

use smol::io::{AsyncReadExt, AsyncWriteExt};
use wayleave_async_io::{Client, ClientConfig, Token, platform_connector};

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let token: Token = var("TOKEN")?.parse()?; // minted by your server
        let relay = args().nth(1).ok_or("no relay")?.parse()?;
        let config = ClientConfig::new(vec![relay], token, platform_connector()?);
        let client = Client::with_spawn(config.build()?, |task| smol::spawn(task).detach());

        let mut stream = client.connect(args().nth(2).ok_or("no target")?).await?;
        stream.write_all(b"hello").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        println!("{:?}: {}", stream.route(), answer.escape_ascii());
        Ok(())
    })
}
