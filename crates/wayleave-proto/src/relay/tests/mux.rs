//! The same behaviour over a carrier with many tunnels on one connection: nothing outside of `carrier` may know which it is.

use core::ops::Range;

use super::*;
use crate::base::Kind;
use crate::carrier::mux::{ABORT, ANSWER, ASK, CREDIT, DATA, END, Frame, LEAVING, RESET, WINDOW, asking};
use crate::carrier::tls::TlsError;
use crate::codec::capsule::{CapsuleDecoder, datagram_header};
use crate::codec::h1::{HeadLimits, parse_ask};
use crate::queue::ByteQueue;
use crate::testing::over_mux;

/// A client that has one tunnel of a connection. It is asked in the words of HTTP/1.1 and answers in them, so that whoever
/// plays a client need not know what is underneath.
#[derive(Debug)]
pub(super) struct Caller {
    number: u32,
    /// TLS, where the connection is this client's alone.
    tls: Option<Box<dyn Session>>,
    /// What came of the request.
    head: Vec<u8>,
    kind: Option<Kind>,
    asked: bool,
    capsules: Capsules,
    /// Bytes that wait for the relay's credit, and how much of that there is.
    unsent: ByteQueue,
    credit: usize,
    ending: bool,
    pending: ByteQueue,
    partial: Vec<u8>,
    got: ByteQueue,
    ended: bool,
    reset: bool,
    /// How often the relay has said that it leaves.
    leaving: usize,
}

#[derive(Default)]
struct Capsules(CapsuleDecoder);

impl core::fmt::Debug for Capsules {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Capsules")
    }
}

impl Caller {
    pub(super) fn new(number: u32, tls: Option<Box<dyn Session>>) -> Self {
        Self {
            number,
            tls,
            head: Vec::new(),
            kind: None,
            asked: false,
            capsules: Capsules::default(),
            unsent: ByteQueue::default(),
            credit: WINDOW,
            ending: false,
            pending: ByteQueue::default(),
            partial: Vec::new(),
            got: ByteQueue::default(),
            ended: false,
            reset: false,
            leaving: 0,
        }
    }

    pub(super) const fn leaving(&self) -> usize {
        self.leaving
    }

    fn frame(&mut self, tag: u8, payload: &[u8]) {
        let mut frame = Vec::new();
        Frame { tag, number: self.number, payload }.write(&mut frame);
        match &mut self.tls {
            Some(tls) => tls.send(&[&frame]),
            None => self.pending.push(&frame),
        }
    }

    fn ask(&mut self, head: &[u8]) {
        let text = match parse_ask(head, &HeadLimits::default()) {
            Ok(ask) => {
                self.kind = ask.want.kind();
                asking(&ask)
            }
            Err(_) => "nonsense".to_owned(),
        };
        self.asked = true;
        self.frame(ASK, text.as_bytes());
    }

    fn say(&mut self, mut bytes: &[u8]) {
        if self.kind == Some(Kind::Datagram) {
            while !bytes.is_empty() {
                let decoded = self.capsules.0.decode(bytes).unwrap();
                let payload = decoded.datagram.map(<[u8]>::to_vec);
                bytes = &bytes[decoded.consumed..];
                payload.into_iter().for_each(|payload| self.frame(DATA, &payload));
            }
            return;
        }
        self.unsent.push(bytes);
        self.flush();
    }

    fn flush(&mut self) {
        let length = self.unsent.len().min(self.credit);
        if length > 0 {
            let bytes = self.unsent.as_slice()[..length].to_vec();
            self.unsent.consume(length);
            self.credit -= length;
            self.frame(DATA, &bytes);
        }
        if self.unsent.is_empty() && core::mem::take(&mut self.ending) {
            self.frame(END, &[]);
        }
    }

    fn hear(&mut self, tag: u8, payload: &[u8]) {
        match tag {
            ANSWER => {
                let text = String::from_utf8(payload.to_vec()).unwrap();
                let lines: Vec<&str> = text.split('\n').collect();
                let status = match (lines[0], self.kind) {
                    ("200", Some(Kind::Datagram)) => "101",
                    ("200", None) => "204",
                    (status, _) => status,
                };
                self.ended = lines[0] != "200" || self.kind.is_none();
                let mut head = format!("HTTP/1.1 {status} \r\n");
                for (name, value) in [("Proxy-Status", lines[1]), ("Retry-After", lines[2])] {
                    if !value.is_empty() {
                        head += &format!("{name}: {value}\r\n");
                    }
                }
                self.got.push((head + "\r\n").as_bytes());
            }
            CREDIT => {
                self.credit += u32::from_be_bytes(payload.try_into().unwrap()) as usize;
                self.flush();
            }
            DATA if self.kind == Some(Kind::Datagram) => {
                self.got.push(datagram_header(payload.len()).as_bytes());
                self.got.push(payload);
            }
            DATA => {
                self.got.push(payload);
                let credit = u32::try_from(payload.len()).unwrap().to_be_bytes();
                self.frame(CREDIT, &credit);
            }
            END => self.ended = true,
            RESET => self.reset = true,
            LEAVING => self.leaving += 1,
            other => panic!("{other}"),
        }
    }
}

impl Session for Caller {
    fn decrypt(&mut self, bytes: &mut [u8]) -> (Range<usize>, Result<(), TlsError>) {
        match &mut self.tls {
            Some(tls) => {
                tls.receive(bytes).unwrap();
                while tls.plaintext_len() > 0 {
                    let plaintext = tls.plaintext();
                    let length = plaintext.len();
                    self.partial.extend_from_slice(plaintext);
                    tls.consume(length);
                }
            }
            None => self.partial.extend_from_slice(bytes),
        }
        let all = core::mem::take(&mut self.partial);
        let mut rest = all.as_slice();
        while let Some((frame, length)) = Frame::read(rest) {
            if frame.number == self.number || frame.tag == LEAVING {
                self.hear(frame.tag, frame.payload);
            }
            rest = &rest[length..];
        }
        self.partial = rest.to_vec();
        (0..0, Ok(()))
    }

    fn keep(&mut self, _: &[u8]) {}

    fn receive_end(&mut self) -> Result<(), TlsError> {
        if self.ended { Ok(()) } else { Err(TlsError::Truncated) }
    }

    fn excuse_end(&mut self) {
        self.ended = true;
    }

    fn plaintext(&mut self) -> &[u8] {
        self.got.as_slice()
    }

    fn consume(&mut self, amount: usize) {
        self.got.consume(amount);
    }

    fn plaintext_len(&self) -> usize {
        self.got.len()
    }

    fn is_finished(&mut self) -> bool {
        self.ended && self.got.is_empty()
    }

    fn send(&mut self, chunks: &[&[u8]]) {
        let mut bytes = chunks.concat();
        if !self.asked {
            self.head.append(&mut bytes);
            let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else { return };
            bytes = self.head.split_off(end + 4);
            let head = core::mem::take(&mut self.head);
            self.ask(&head);
        }
        self.say(&bytes);
    }

    fn send_end(&mut self) {
        self.ending = true;
        self.flush();
    }

    fn send_abort(&mut self) {
        self.frame(ABORT, &[]);
    }

    fn pending(&mut self) -> &[u8] {
        match &mut self.tls {
            Some(tls) => tls.pending(),
            None => self.pending.as_slice(),
        }
    }

    fn written(&mut self, amount: usize) {
        match &mut self.tls {
            Some(tls) => tls.written(amount),
            None => self.pending.consume(amount),
        }
    }

    fn pending_len(&self) -> usize {
        self.tls.as_ref().map_or(self.pending.len(), |tls| tls.pending_len())
    }

    fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    fn alpn(&self) -> Option<&[u8]> {
        None
    }

    fn export_keying_material(&self, _: &mut [u8], _: &[u8], _: Option<&[u8]>) -> Result<(), TlsError> {
        Err(TlsError::Protocol { detail: "in the clear".into() })
    }

    fn held(&self) -> usize {
        self.got.len() + self.pending.len()
    }
}

over_mux! {
    breaks:
        what_the_relay_lacks_in_the_middle_is_not_its_targets_fault, what_the_system_dropped_is_counted;
    clock:
        tokens_are_judged_by_what_the_civil_clock_shows_now, tunnels_end_by_what_the_civil_clock_shows_now,
        a_target_that_answers_after_the_expiry_is_judged_by_the_present,
        an_account_at_rest_is_remembered_until_its_token_is_over_by_the_present;
    credentials:
        tunnels_stay_open_unless_the_operator_or_the_token_says_otherwise,
        a_newer_token_on_any_connection_carries_every_tunnel_of_its_account_on,
        a_renewal_by_the_next_key_is_one_of_the_same_account, within_the_grace_a_renewal_still_helps,
        a_clock_that_is_wrong_by_minutes_is_forgiven_as_far_as_the_leeway,
        what_was_asked_before_the_expiry_and_answered_after_it_is_opened_only_where_all_is_kept,
        a_revocation_ends_what_it_means_before_it_returns,
        revocations_come_with_the_keys_and_those_made_by_hand_outlive_them,
        a_revoked_renewal_no_longer_carries_what_an_older_token_opened,
        other_keys_bring_other_scopes_to_what_runs, what_falls_back_to_an_older_token_obeys_the_keys_of_today,
        what_was_on_its_way_when_the_keys_changed_obeys_the_new_ones;
    datagrams:
        each_capsule_is_one_datagram_and_each_datagram_one_capsule, a_client_that_never_reads_loses_the_oldest,
        what_does_not_fit_into_one_write_goes_with_the_next, a_target_that_takes_nothing_loses_the_oldest, late_datagrams_are_dropped,
        a_datagram_that_was_written_costs_no_other_its_place, a_refused_datagram_leaves_the_tunnel_open,
        a_tunnel_of_datagrams_is_idle_after_five_minutes, a_payload_that_no_capsule_may_carry_is_dropped,
        what_was_sent_just_before_the_end_is_delivered, datagrams_go_straight_on_until_one_has_to_wait,
        what_goes_straight_on_counts_against_the_rate,
        datagrams_of_one_read_leave_together_where_their_sizes_are_alike,
        what_came_in_one_call_goes_to_the_client_in_one_write,
        one_read_may_bring_more_datagrams_than_may_wait;
    dialling:
        a_target_out_of_reach_is_told_by_its_class, a_name_without_an_answer_is_told_by_its_class,
        silence_ends_after_the_timeout, the_first_of_several_addresses_wins_and_the_others_are_closed,
        what_comes_behind_an_accepted_request_is_delivered_in_order,
        names_are_looked_up_absolutely_whatever_they_look_like;
    endings:
        every_tunnel_has_one_opening_and_one_end;
    limits:
        an_account_has_so_many_tunnels_and_others_are_not_touched,
        datagrams_over_their_rate_are_dropped_and_counted,
        a_rate_belongs_to_the_account_and_reconnecting_gains_nothing, accounts_that_are_at_rest_are_forgotten,
        a_stream_with_one_half_is_idle_sooner, one_account_has_so_many_names_looked_up_and_others_are_not_touched;
    liveness:
        the_clients_of_a_full_account_are_asked_whether_they_are_there;
    scope:
        a_target_out_of_scope_is_refused_before_any_look_up,
        a_rule_by_address_is_asked_for_the_address_that_is_dialled, the_lesser_number_of_tunnels_counts,
        datagrams_beyond_the_volume_are_dropped_and_the_tunnel_ends_cleanly, accounts_that_are_remembered_are_bounded;
    streams:
        bytes_run_both_ways, the_client_may_end_first, nothing_is_lost_when_a_slow_side_ends_last;
    targets:
        a_forbidden_port_is_refused_before_any_look_up, a_forbidden_address_is_never_dialled,
        of_two_addresses_exactly_the_allowed_one_is_dialled, the_relay_does_not_lead_to_itself,
        a_name_of_the_configuration_is_not_looked_up_but_judged;
    verify:
        the_embedder_is_asked_and_may_take_its_time, an_embedder_that_is_silent_or_busy_costs_only_its_own,
        guessing_is_slowed_for_an_embedder_too;
}
