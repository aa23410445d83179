//! Names: a resolver of the embedder's own, whose answers come apart.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use wayleave_drive::{Answer, Lookup, PollAnswer, Resolver};
use wayleave_proto::base::{Families, Link, Name};
use wayleave_proto::client::FlowError;
use wayleave_proto::config::Mode;
use wayleave_proto::error::{IoFailed, IoFailure};
use wayleave_proto::net::Fault;

use super::traffic::exchange;
use crate::kit::{ClientKit, RelayKit};
use crate::lab::{Lab, TARGETS, beside, echo_stream, wait_until};

/// Says this of IPv4, and nothing of IPv6, ever.
struct Half {
    of_v4: Result<Vec<IpAddr>, IoFailed>,
    /// Look-ups that are under way.
    running: Arc<AtomicUsize>,
}

struct HalfAnswer {
    of_v4: Option<Result<Vec<IpAddr>, IoFailed>>,
    running: Arc<AtomicUsize>,
}

impl Resolver for Half {
    fn lookup(&self, name: &Name) -> Lookup {
        assert!(name.is_absolute(), "{name} has a dot");
        self.running.fetch_add(1, Ordering::Relaxed);
        Box::new(HalfAnswer { of_v4: Some(self.of_v4.clone()), running: Arc::clone(&self.running) })
    }
}

impl PollAnswer for HalfAnswer {
    fn poll_answer(&mut self, _: &mut Context<'_>) -> Poll<Answer> {
        self.of_v4.take().map_or(Poll::Pending, |answer| Poll::Ready((Families::V4, answer)))
    }
}

impl Drop for HalfAnswer {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) fn a_family_that_is_never_answered_is_not_waited_for<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let running = Arc::new(AtomicUsize::new(0));
    let resolver = Half { of_v4: Ok(vec![TARGETS.into()]), running: Arc::clone(&running) };
    let config = lab.config(Mode::Off, Link::Wifi, &[]);
    let client = C::client_asking(config.build().unwrap(), Arc::new(resolver));
    let target = format!("half.example:{}", echo_stream());
    let stream = client.connect(target.parse().unwrap()).unwrap();
    let (written, read) = exchange(stream, 10_000);
    assert_eq!(written, read);
    wait_until(|| running.load(Ordering::Relaxed), |running| *running == 0);
}

pub(crate) fn a_failed_look_up_is_told_as_what_it_is<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    // That a name does not exist is said of both families at once.
    let failed = IoFailed::new(IoFailure::NameUnknown);
    let resolver = Half { of_v4: Err(failed.clone()), running: Arc::default() };
    let config = lab.config(Mode::Off, Link::Wifi, &[]);
    let client = C::client_asking(config.build().unwrap(), Arc::new(resolver));
    let error = client.connect("nobody.example:443".parse().unwrap()).err();
    assert_eq!(error.as_ref().map(FlowError::kind), Some(ErrorKind::NotFound));
    assert_eq!(error, Some(FlowError::Direct(Fault::Io(failed))));
}
