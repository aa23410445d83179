//! What this machine lacks is never the network's fault, the target's or a proxy's.

use super::*;
use crate::client::{FlowError, Notice};
use crate::error::{IoFailed, IoFailure, Resource};
use crate::net::{Machine, Output, Remote, SocketId};

/// A client whose machine has no descriptor left, or all that it wants.
struct Poor {
    client: Client,
    now: Instant,
    lacks: bool,
    dialled: Vec<SocketAddr>,
    open: Vec<SocketId>,
    events: Vec<What>,
}

impl Poor {
    fn new(config: ClientConfig) -> Self {
        let clock = Clock::new(Instant::ZERO, START);
        let client = Client::new(config.build().unwrap(), &Seed::new([1; 32]), clock, Instant::ZERO);
        let (now, dialled, open, events) = (Instant::ZERO, Vec::new(), Vec::new(), Vec::new());
        Self { client, now, lacks: true, dialled, open, events }
    }

    /// Lets time pass; what is dialled stands when there is a descriptor, and nothing ever answers.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            while let Some(output) = self.client.poll_output() {
                match output {
                    Output::Dial { id, address } | Output::Bind { id, remote: Remote::One(address), .. } => {
                        self.dialled.push(address);
                        if self.lacks {
                            let failed = IoFailed::new(IoFailure::Exhausted(Resource::Descriptors));
                            self.client.handle_failed(self.now, id, failed);
                        } else {
                            self.open.push(id);
                        }
                    }
                    Output::Event(Notice::Event(event)) => self.events.push(event.what),
                    _ => {}
                }
            }
            match self.client.poll_timeout().filter(|due| *due <= end) {
                Some(due) => {
                    self.now = self.now.max(due);
                    self.client.handle_timeout(self.now);
                }
                None => break,
            }
        }
        self.now = end;
    }

    fn said(&self, wanted: impl Fn(&What) -> bool) -> usize {
        self.events.iter().filter(|what| wanted(what)).count()
    }

    fn open(&mut self, kind: Kind) -> FlowId {
        self.client.open(self.now, kind, ECHO.parse().unwrap()).unwrap()
    }
}

#[test]
pub(super) fn a_trial_in_which_the_machine_lacked_descriptors_proves_nothing() {
    for kind in [Kind::Stream, Kind::Datagram] {
        let mut poor = Poor::new(config(Mode::Smart, Link::Wifi));
        let flow = poor.open(kind);
        poor.pass(30 * SECOND);
        let failed = FlowStatus::Failed(FlowError::Exhausted(Resource::Descriptors));
        assert_eq!(poor.client.status(flow), failed, "{kind}: told as the machine's own lack");
        assert_eq!(poor.said(|what| matches!(what, What::RouteChanged { .. })), 0, "{kind}");
        assert_eq!(poor.said(|what| matches!(what, What::SystemLacks { .. })), 1, "{kind}");
        poor.lacks = false;
        // The next flow has a trial of its own, in which it is direct.
        poor.dialled.clear();
        poor.open(kind);
        poor.pass(SECOND / 2);
        assert_eq!(poor.dialled.first().map(ToString::to_string).as_deref(), Some(ECHO), "{kind}");
    }
}

#[test]
pub(super) fn a_lack_is_not_a_proxys_fault() {
    let mut poor = Poor::new(config(Mode::Normal, Link::Wifi));
    let flow = poor.open(Kind::Stream);
    poor.pass(SECOND);
    let failed = FlowStatus::Failed(FlowError::Exhausted(Resource::Descriptors));
    assert_eq!(poor.client.status(flow), failed);
    poor.pass(30 * SECOND);
    assert_eq!(poor.said(|what| matches!(what, What::ProxyFailed { .. })), 0, "{:?}", poor.events);
    assert_eq!(poor.said(|what| matches!(what, What::SystemLacks { .. })), 1);
    // With descriptors the first proxy is asked first, at once.
    poor.lacks = false;
    poor.dialled.clear();
    poor.open(Kind::Stream);
    poor.pass(Duration::from_millis(1));
    assert_eq!(poor.dialled.first().map(ToString::to_string).as_deref(), Some(RELAYS[0]));
    // It is told when it is over.
    let now = poor.now;
    poor.client.handle_opened(now, poor.open[0], "192.0.2.1:1".parse().unwrap());
    poor.pass(Duration::ZERO);
    assert_eq!(poor.said(|what| matches!(what, What::SystemRecovered { failures, .. } if *failures > 1)), 1);
}
