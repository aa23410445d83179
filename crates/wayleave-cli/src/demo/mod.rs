//! `wayleave demo`: the whole of it on loopback, step by step, each step checked.

mod lab;
mod story;

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wayleave_proto::base::{Kind, Link, Route};
use wayleave_proto::client::What;
use wayleave_proto::config::Mode;
use wayleave_tokio::{Client, Stream};

use crate::Failure;
use lab::{Lab, TARGETS};
use story::Story;

/// Runs the demonstration.
///
/// # Errors
/// The first step that did not happen as it should.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut story = Story::begin();
    let lab = Lab::new().await?;
    let [first, second] = lab.relays.each_ref().map(|relay| relay.address);
    story.say(&format!(
        "two relays listen on {first} and {second}, with a certificate authority made just now"
    ));
    story.say(&format!("a web server and a UDP echo are on {TARGETS}; the client calls them localhost"));
    story.say("on the direct path to them is a black hole: nothing answers, nothing refuses");

    behind_the_firewall(&mut story, &lab).await?;
    behind_a_port_list(&mut story).await?;
    on_cellular(&mut story, &lab).await?;
    on_an_open_network(&mut story, &lab).await?;
    story.end();
    Ok(())
}

async fn behind_the_firewall(story: &mut Story, lab: &Lab) -> Result<(), Failure> {
    story.chapter("Behind a firewall, on wifi, in smart mode");
    let client = lab.client(Mode::Smart, Link::Wifi)?;
    story.follow(&client);
    let began = Instant::now();
    let (stream, proxied) = tokio::join!(
        client.connect(lab.web("localhost")?),
        story.until("the route of streams becomes proxied", |what| matches!(
            what,
            What::RouteChanged { kind: Some(Kind::Stream), to: Route::Proxied, .. }
        ))
    );
    proxied?;
    let mut stream = stream.map_err(Failure::run)?;
    let took = began.elapsed();
    story.check(
        stream.route() == Some(Route::Proxied)
            && (Duration::from_secs(1)..Duration::from_millis(1_500)).contains(&took),
        &format!("the stream opens through relay 1, {:.3} s after the application asked", took.as_secs_f64()),
    )?;
    get(story, &mut stream).await?;
    datagrams(story, lab, &client).await?;

    story.say("now relay 1 is stopped");
    lab.relays[0].handle.close();
    let mut stream = client.connect(lab.web("localhost")?).await.map_err(Failure::run)?;
    get(story, &mut stream).await?;
    let carried = lab.relays[1].handle.stats().opened;
    story.check(carried > 0, "new flows go through relay 2")?;
    datagrams(story, lab, &client).await
}

/// A network that lets one port out: the first stream there proves the direct path, and the others are rescued.
async fn behind_a_port_list(story: &mut Story) -> Result<(), Failure> {
    story.chapter("Behind a port list: one port gets out, and nothing else");
    let lab = Lab::new().await?;
    let client = lab.client(Mode::Smart, Link::Wifi)?;
    story.follow(&client);
    let (open, proven) = tokio::join!(
        async {
            let mut stream = client.connect(lab.web(&TARGETS.to_string())?).await.map_err(Failure::run)?;
            ask(&mut stream).await.map(|_| stream.route())
        },
        story.until("the port that gets out proves the direct path", |what| {
            matches!(what, What::DirectConnected { kind: Some(Kind::Stream), .. })
        })
    );
    proven?;
    story.check(open? == Some(Route::Direct), "a stream to the port that gets out goes direct")?;
    for (which, from, to) in [("the first", 1_000, 2_500), ("the next", 0, 900)] {
        let began = Instant::now();
        let mut stream = client.connect(lab.blocked()?).await.map_err(Failure::run)?;
        let took = began.elapsed();
        story.drain().await;
        story.check(
            stream.route() == Some(Route::Proxied)
                && (Duration::from_millis(from)..Duration::from_millis(to)).contains(&took),
            &format!(
                "{which} stream to another port opens through a relay after {:.3} s",
                took.as_secs_f64()
            ),
        )?;
        get(story, &mut stream).await?;
    }
    story.check(client.route(Kind::Stream) == Route::Direct, "everything else stays direct")
}

async fn on_cellular(story: &mut Story, lab: &Lab) -> Result<(), Failure> {
    story.chapter("The same start on cellular");
    let client = lab.client(Mode::Smart, Link::Cellular)?;
    story.follow(&client);
    let flow = client.connect(lab.web("localhost")?);
    tokio::select! {
        _ = flow => return Err(Failure::run("the black hole let a stream through")),
        held = story.until("the deadline passes and the route stays direct", |what| {
            matches!(what, What::Retrying { .. })
        }) => {
            held?;
        }
    }
    story.check(client.route(Kind::Stream) == Route::Direct, "it stays direct, and goes on trying")
}

async fn on_an_open_network(story: &mut Story, lab: &Lab) -> Result<(), Failure> {
    story.chapter("The same start with an open network");
    let client = lab.client(Mode::Smart, Link::Wifi)?;
    story.follow(&client);
    let (route, proven) = tokio::join!(
        async {
            let mut stream = client.connect(lab.web(&TARGETS.to_string())?).await.map_err(Failure::run)?;
            ask(&mut stream).await.map(|_| stream.route())
        },
        story.until("the direct path is proven", |what| matches!(what, What::DirectConnected { .. }))
    );
    let elapsed = match proven? {
        What::DirectConnected { elapsed, .. } => elapsed,
        _ => Duration::MAX,
    };
    story.check(
        route? == Some(Route::Direct) && elapsed < Duration::from_millis(500),
        &format!("it settles direct within {:.1} ms", elapsed.as_secs_f64() * 1_000.0),
    )
}

/// Asks the web server for its page.
async fn get(story: &mut Story, stream: &mut Stream) -> Result<(), Failure> {
    let began = Instant::now();
    let answer = ask(stream).await?;
    let page = answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| &answer[at + 4..]);
    story.check(
        page == Some(lab::PAGE.as_bytes()),
        &format!(
            "GET / is answered with its page of {} bytes in {} ms",
            lab::PAGE.len(),
            millis(began.elapsed())
        ),
    )
}

async fn ask(stream: &mut Stream) -> Result<Vec<u8>, Failure> {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .map_err(Failure::run)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(Failure::run)?;
    Ok(answer)
}

/// Sends packets as a call would, every 20 ms, and measures how long each takes there and back.
async fn datagrams(story: &mut Story, lab: &Lab, client: &Client) -> Result<(), Failure> {
    let flow = client.datagrams(lab.echo()?).map_err(Failure::run)?;
    let opened = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut sent: Vec<Instant> = Vec::new();
    let mut times = Vec::new();
    let mut buffer = [0; 1_500];
    while times.len() < PACKETS {
        tokio::select! {
            () = story.tell() => {}
            _ = pace.tick() => {
                let mut payload = [0; 160];
                payload[..8].copy_from_slice(&(sent.len() as u64).to_be_bytes());
                sent.push(Instant::now());
                flow.send(&payload).map_err(Failure::run)?;
            }
            received = flow.recv(&mut buffer) => {
                let count = received.map_err(Failure::run)?;
                let number = buffer.first_chunk().map(|number| u64::from_be_bytes(*number));
                let began = number.and_then(|number| sent.get(usize::try_from(number).ok()?));
                let Some(began) = began.filter(|_| count == 160) else {
                    return Err(Failure::run("a datagram came back changed"));
                };
                times.push(began.elapsed());
            }
        }
        if opened.elapsed() > Duration::from_secs(5) {
            return Err(Failure::run(format!(
                "{} datagrams were sent and {} came back",
                sent.len(),
                times.len()
            )));
        }
    }
    let lost = sent.len() - times.len();
    times.sort();
    let (least, middle, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    story.check(
        flow.route() == Some(Route::Proxied),
        &format!(
            "{PACKETS} datagrams come back through the relay, {lost} were lost before it; round trip {} ms ({} to {})",
            millis(middle),
            millis(least),
            millis(most)
        ),
    )
}

fn millis(span: Duration) -> String {
    format!("{:.2}", span.as_secs_f64() * 1_000.0)
}

const PACKETS: usize = 25;
