//! Who gets the next connection, and what is kept of a relay.

use core::time::Duration;

use super::line::{Line, Want};
use super::record::Record;
use super::silence::Standing;
use crate::base::Instant;
use crate::carrier::Carrier;
use crate::client::{FlowId, ProxyFault, RelayState};

fn want(number: u64) -> Want {
    Want { flow: FlowId::from_u64(number), beside: Default::default(), leaves: false }
}

fn order(line: &mut Line) -> Vec<u64> {
    core::iter::from_fn(|| line.pop()).map(|want| want.flow.as_u64()).collect()
}

#[test]
fn whoever_waits_has_one_place_in_the_line_and_keeps_it() {
    let mut line = Line::default();
    [3, 1, 2, 3].into_iter().for_each(|number| line.join(want(number)));
    assert_eq!(line.len(), 3);
    assert!(line.leave(FlowId::from_u64(1)));
    assert!(!line.leave(FlowId::from_u64(1)));
    line.join(want(1));
    assert_eq!(order(&mut line), [3, 2, 1]);
    assert!(line.is_empty() && line.front().is_none());
}

#[test]
fn the_first_for_whom_something_is_found_is_taken_and_so_many_are_looked_at() {
    let mut line = Line::default();
    (1..=9).for_each(|number| line.join(want(number)));
    let even = |want: &Want| want.flow.as_u64().is_multiple_of(2).then_some("even");
    let taken = line.take(9, even).map(|(want, found)| (want.flow.as_u64(), found));
    assert_eq!(taken, Some((2, "even")));
    let late = |want: &Want| (want.flow.as_u64() > 5).then_some(());
    assert!(line.take(3, late).is_none());
    assert_eq!(order(&mut line), [1, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_refusal_stands_until_something_is_accepted() {
    let (mut record, standing) = (Record::default(), Standing::default());
    let refused = ProxyFault::Refused { status: 407 };
    record.handle_failed(Instant::ZERO, refused.clone());
    record.handle_connected(Instant::ZERO, None, Carrier::H1, Duration::ZERO);
    let failed = RelayState::Failed { fault: refused, ago: Duration::ZERO };
    assert_eq!(record.state(Instant::ZERO, &standing, 1), failed, "it was reached, and would refuse again");
    record.handle_good();
    assert_eq!(record.state(Instant::ZERO, &standing, 1), RelayState::Connected);
    assert_eq!(record.state(Instant::ZERO, &standing, 0), RelayState::Left);
}
