//! Flows as their application sees them.

use std::collections::BTreeSet;

use wayleave_proto::base::{Kind, Target};
use wayleave_proto::client::FlowId;

use crate::play::Pattern;

/// One flow, and how far its bytes have come.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) id: FlowId,
    pub(super) kind: Kind,
    pub(super) target: Target,
    /// What the application wrote, and what of it arrived.
    pub(super) written: Pattern,
    pub(super) arrived: Pattern,
    /// What the target sent, and what of it the application read.
    pub(super) sent: Pattern,
    pub(super) read: Pattern,
    /// Something else was put between the target's bytes.
    pub(super) is_garbled: bool,
    pub(super) is_released: bool,
    datagrams: u32,
    seen: BTreeSet<u32>,
}

impl Flow {
    pub(super) fn new(id: FlowId, kind: Kind, target: Target, number: usize) -> Self {
        Self {
            id,
            kind,
            target,
            written: Pattern::new(number, false),
            arrived: Pattern::new(number, false),
            sent: Pattern::new(number, true),
            read: Pattern::new(number, true),
            is_garbled: false,
            is_released: false,
            datagrams: 0,
            seen: BTreeSet::new(),
        }
    }

    /// The next datagram of the application, at least five bytes.
    pub(super) fn datagram(&mut self, number: usize, size: usize) -> Vec<u8> {
        let [a, b, c, d] = self.datagrams.to_be_bytes();
        self.datagrams += 1;
        let mut payload = vec![number as u8, a, b, c, d];
        payload.resize(size.max(payload.len()), d);
        payload
    }

    /// A datagram arrived at the target.
    ///
    /// # Panics
    /// Where it was not sent by this flow, was changed, or has arrived before.
    pub(super) fn expect_datagram(&mut self, number: usize, payload: &[u8]) {
        let [first, a, b, c, d, filler @ ..] = payload else { panic!("a cut datagram: {payload:?}") };
        let sequence = u32::from_be_bytes([*a, *b, *c, *d]);
        assert_eq!(usize::from(*first), number, "a datagram of another flow");
        assert!(sequence < self.datagrams, "a datagram that was never sent");
        assert!(filler.iter().all(|byte| byte == d), "a changed datagram");
        assert!(self.seen.insert(sequence), "datagram {sequence} arrived twice");
    }
}
