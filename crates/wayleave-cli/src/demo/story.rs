//! The timeline that a person reads.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use wayleave_proto::base::{Kind, Route};
use wayleave_proto::client::{Event, What};
use wayleave_tokio::{Client, Events};

use crate::Failure;
use crate::stdout::show;

/// Tells what happens, and remembers whether it was what should.
pub(super) struct Story {
    began: Instant,
    chapter: Instant,
    events: Option<Events>,
    colour: bool,
    steps: usize,
}

impl Story {
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        let colour = std::io::stdout().is_terminal();
        let story = Self { began: now, chapter: now, events: None, colour, steps: 0 };
        show!("{}", story.paint("1", "Wayleave: what a client does when the network drops what it sends"));
        show!(
            "Everything happens on this machine's loopback; no root, no configuration, nothing left behind.\n"
        );
        story
    }

    pub(super) fn chapter(&mut self, title: &str) {
        self.chapter = Instant::now();
        self.events = None;
        show!("\n{}", self.paint("1", title));
    }

    /// Tells from now on what happens to this client.
    pub(super) fn follow(&mut self, client: &Client) {
        self.chapter = Instant::now();
        self.events = Some(client.events());
    }

    pub(super) fn say(&self, sentence: &str) {
        show!("  {:>7.3} s    {sentence}", self.chapter.elapsed().as_secs_f64());
    }

    /// Says what was found, and fails if it was not as it should be.
    pub(super) fn check(&mut self, holds: bool, sentence: &str) -> Result<(), Failure> {
        if !holds {
            return Err(Failure::run(format!("this should have happened and did not: {sentence}")));
        }
        self.steps += 1;
        let at = self.chapter.elapsed().as_secs_f64();
        show!("  {at:>7.3} s  {} {sentence}", self.paint("32", "✓"));
        Ok(())
    }

    /// Tells events until one is as wanted.
    pub(super) async fn until(&mut self, wanted: &str, is: impl Fn(&What) -> bool) -> Result<What, Failure> {
        let late = || Failure::run(format!("this should have happened within 5 s and did not: {wanted}"));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        loop {
            let Some(events) = &mut self.events else { return Err(late()) };
            let event = tokio::time::timeout_at(deadline, events.recv()).await.map_err(|_| late())?;
            let event = event.ok_or_else(late)?;
            self.show(&event);
            if is(&event.what) {
                self.steps += 1;
                return Ok(event.what);
            }
        }
    }

    /// Tells the next event when it happens.
    pub(super) async fn tell(&mut self) {
        match &mut self.events {
            None => std::future::pending().await,
            Some(events) => match events.recv().await {
                Some(event) => self.show(&event),
                None => self.events = None,
            },
        }
    }

    /// Tells what has happened already.
    pub(super) async fn drain(&mut self) {
        while tokio::time::timeout(Duration::ZERO, self.tell()).await.is_ok() && self.events.is_some() {}
    }

    fn show(&self, event: &Event) {
        if let Some(sentence) = sentence(&event.what) {
            let at = event.at.as_nanos() as f64 / 1e9;
            show!("  {at:>7.3} s    {}", self.paint("36", &sentence));
        }
    }

    pub(super) fn end(&self) {
        let took = self.began.elapsed().as_secs_f64();
        show!("\n{}", self.paint("1;32", &format!("All {} steps happened, in {took:.1} s.", self.steps)));
        show!(
            "Next: `wayleave relay --help` and `wayleave agent --help` put your own programs behind a relay."
        );
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }
}

/// An event in the words of the timeline; `None` for what the steps tell themselves.
fn sentence(what: &What) -> Option<String> {
    let flows = |kind: &Option<Kind>| match kind {
        Some(Kind::Stream) => "streams",
        Some(Kind::Datagram) => "datagrams",
        None => "all flows",
    };
    Some(match what {
        What::TrialStarted { kind, length, link } => {
            format!("trial begins on {link}: for {length:?}, {} go direct", flows(kind))
        }
        What::DirectConnected { kind, proof, .. } => format!("direct works for {}: {proof}", flows(kind)),
        What::RouteChanged { kind, to: Route::Proxied, reason, link, .. } => {
            format!("{reason}, the link is {link}: {} become proxied", flows(kind))
        }
        What::RouteChanged { kind, reason, .. } => format!("{reason}: {} go direct", flows(kind)),
        What::StayingDirect { kind, link } => {
            format!("nothing proven, but the link is {link}: {} stay direct", flows(kind))
        }
        What::Retrying { after, error, .. } => format!("{error}: again in {:.1} s", after.as_secs_f64()),
        What::ProxyConnected { proxy, carrier, elapsed, .. } => {
            format!("connection to {proxy} is ready ({carrier}, {:.1} ms)", elapsed.as_secs_f64() * 1_000.0)
        }
        What::ProxyFailed { proxy, error, .. } => format!("{proxy}: {error}"),
        What::Rescuing { target, reason, .. } => format!("{target} is taken to a relay: {reason}"),
        What::Blocked { kind, target, pause, .. } => format!(
            "{} to port {} go to the relay from now on; one tries directly after {} s",
            flows(&Some(*kind)),
            target.port,
            pause.as_secs()
        ),
        _ => return None,
    })
}
