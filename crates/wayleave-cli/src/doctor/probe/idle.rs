//! For how long a network keeps a connection on which nothing moves.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use wayleave_proto::base::Target;
use wayleave_settings::duration::words;

use super::datagrams::{Datagrams, echo_target};
use super::tunnel::Way;
use super::{Deadline, LONG_STEP, Notes};
use crate::doctor::code::Code;
use crate::doctor::report::{Finding, Subject};

/// Leaves several tunnels idle at the same time, each for longer than the one before, and asks which of them are there still.
pub(super) async fn check(proxy: &Target, way: Option<&Way>, longest: Duration, notes: &Notes) {
    let subject = Subject::proxy(proxy);
    let (Some(way), Some(target)) = (way, echo_target()) else {
        return notes.add(Finding::new(Code::IdleUnknown, subject));
    };
    let mut tasks = JoinSet::new();
    for span in spans(longest) {
        let (way, target) = (way.clone(), target.clone());
        tasks.spawn(async move {
            let deadline = Deadline::new(Instant::now(), true);
            let mut tunnel = Datagrams::open(&way, &target, deadline).await.ok()?;
            sleep(span).await;
            let is_sent = tunnel.send(WORD).await;
            let end = Instant::now() + LONG_STEP;
            let is_back = is_sent && tunnel.wait(end, |datagram| datagram == WORD).await.is_some();
            Some((span, is_back))
        });
    }
    let mut tried = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        tried.extend(outcome.ok().flatten());
    }
    notes.add(judged(&tried, subject));
}

/// What is to be said of spans, and whether the tunnel was there after each.
pub(super) fn judged(tried: &[(Duration, bool)], subject: Subject) -> Finding {
    let lost = tried.iter().filter(|(_, is_kept)| !is_kept).map(|(span, _)| *span).min();
    let kept = tried.iter().filter(|(span, is_kept)| *is_kept && lost.is_none_or(|lost| *span < lost));
    let kept = kept.map(|(span, _)| *span).max();
    match (kept, lost) {
        (None, None) => Finding::new(Code::IdleUnknown, subject),
        (Some(kept), None) => {
            Finding::new(Code::IdleKept, subject).with(format!("for {} at least", words(kept)))
        }
        (Some(kept), Some(lost)) => Finding::new(Code::IdleLost, subject).with(format!(
            "kept for {}, forgotten within {}",
            words(kept),
            words(lost)
        )),
        (None, Some(lost)) => {
            Finding::new(Code::IdleLost, subject).with(format!("forgotten within {}", words(lost)))
        }
    }
}

/// The usual timeouts of boxes, up to the longest that is asked for, and that itself.
fn spans(longest: Duration) -> Vec<Duration> {
    let usual = [15, 30, 45, 60, 90, 120, 180].map(Duration::from_secs);
    usual.into_iter().filter(|span| *span < longest).chain([longest]).collect()
}

const WORD: &[u8] = b"are you still there?";
