//! An agent inside a program: `cargo run -p wayleave-agent --example inside [HOST:PORT]`.
//!
//! With the address of a relay and `TOKEN` in the environment it goes through that one, else directly. What a program that
//! knows no Wayleave sends to the agent's door comes to a server of this example.

use std::error::Error;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wayleave_agent::{Agent, AgentConfig};
use wayleave_tokio::{ClientConfig, Token, platform_connector};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = match std::env::args().nth(1) {
        Some(relay) => {
            let token: Token = std::env::var("TOKEN")?.parse()?;
            ClientConfig::new(vec![relay.parse()?], token, platform_connector()?)
        }
        None => ClientConfig::direct(),
    };
    let mut config = AgentConfig::new(client.build()?);
    config.listen.push("127.0.0.1:0".parse()?);
    let agent = Agent::start(config).await?;
    for door in agent.doors() {
        println!("listening on {door}");
    }
    let mut events = agent.events();
    let telling = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            println!("{event}");
        }
    });

    let server = TcpListener::bind("127.0.0.1:0").await?;
    let target = server.local_addr()?;
    let serving = tokio::spawn(async move {
        let (mut stream, _) = server.accept().await?;
        stream.write_all(b"hello from the server").await
    });
    let mut program = TcpStream::connect(agent.doors()[0].address).await?;
    program.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await?;
    let mut said = String::new();
    program.read_to_string(&mut said).await?;
    println!("the program heard: {}", said.lines().last().unwrap_or_default());
    serving.await??;
    drop(program);

    let cut = agent.close(Duration::from_secs(1)).await;
    telling.await?;
    println!("the agent has ended; {cut} flows were cut off");
    Ok(())
}
