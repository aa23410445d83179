//! One suite for every pair of a client and a relay: what holds on one runtime has to hold on all.
//!
//! A behaviour is plain sequential code in [`suite`]; a runtime fulfils the traits of [`kit`]. Each test is named by its
//! pair and its behaviour, such as `smol_tokio::datagrams_of_every_size_come_back`. What a pair cannot do is written into
//! [`LEDGER`] with the reason.

mod kit;
mod lab;
mod suite;

use kit::futures::{AsyncIo, AsyncStd, Smol};
use kit::std::Std;
use kit::tokio::Tokio;
use lab::Lab;

/// A behaviour that a pair leaves out.
struct Skip {
    pair: &'static str,
    behaviour: &'static str,
    reason: &'static str,
}

/// One module of tests for each pair: `name: client, relay, bytes of the large stream`.
macro_rules! pairs {
    ($($name:ident: $client:ty, $relay:ty, $bytes:expr;)+) => {
        $(mod $name {
            use super::*;
            tests! { stringify!($name), $client, $relay;
                breaks: a_target_that_does_not_read_learns_of_a_reset();
                breaks: a_writer_that_does_not_read_learns_of_a_reset();
                datagrams: datagrams_of_every_size_come_back();
                datagrams: a_run_of_datagrams_keeps_its_order();
                datagrams: a_flow_says_where_it_goes_and_when_it_is_open();
                datagrams: datagrams_go_and_come_in_batches();
                datagrams: a_sender_that_is_too_fast_is_told_or_waits();
                datagrams: the_flows_of_an_association_share_a_port_while_they_are_direct();
                delivery: a_drain_delivers_what_was_written_and_counts_what_it_cuts();
                delivery: a_reset_wakes_a_reader_and_an_end_wakes_a_writer();
                delivery: an_aborted_relay_leaves_no_tunnel_and_no_reader_behind();
                delivery: what_was_flushed_arrives_whatever_becomes_of_the_client();
                ending: a_client_that_is_dropped_gives_everything_back();
                ending: a_closed_client_wakes_whoever_waits();
                ending: a_thousand_flows_are_open_at_once();
                ending: an_attempt_that_is_cancelled_leaves_no_tunnel();
                names: a_family_that_is_never_answered_is_not_waited_for();
                names: a_failed_look_up_is_told_as_what_it_is();
                proxies: a_drained_relay_finishes_what_it_has();
                proxies: a_failure_is_of_one_kind_on_both_ways();
                proxies: a_renewed_token_leaves_open_streams_alone();
                proxies: a_wrong_token_is_refused_until_it_is_renewed();
                proxies: when_a_relay_stops_the_next_one_takes_over();
                proxies: with_the_relays_gone_nothing_leaves_directly();
                sessions: a_renewed_token_carries_open_flows_over_the_expiry();
                sessions: an_app_sign_opens_flows_of_both_kinds();
                sessions: a_revocation_ends_what_it_means_and_nothing_else();
                sessions: a_verifier_of_the_embedder_may_answer_at_once();
                sessions: a_verifier_of_the_embedder_may_answer_later();
                smart: another_network_is_told_and_tried_anew();
                smart: behind_a_black_hole_every_link_is_treated_as_it_should();
                smart: who_asks_for_it_gets_the_direct_path_back();
                streams: a_direct_stream_is_whole_both_ways();
                streams: a_large_stream_is_whole_both_ways($bytes);
                streams: a_reset_by_the_target_is_an_error_behind_the_last_byte();
                streams: a_slow_reader_slows_the_writer_down();
                streams: an_attempt_that_takes_too_long_is_given_up();
                streams: several_pieces_are_written_as_one();
                streams: a_half_that_is_dropped_ends_as_one_that_is_shut_down();
                streams: the_application_may_end_its_half_first();
                streams: the_target_may_end_its_half_first();
            }
        })+

        /// The pairs that there are, with their behaviours.
        const PAIRS: &[(&str, &[&str])] = &[$((stringify!($name), $name::BEHAVIOURS)),+];
    };
}

macro_rules! tests {
    ($pair:expr, $client:ty, $relay:ty; $($room:ident: $behaviour:ident($($argument:expr)?);)+) => {
        $(#[test]
        fn $behaviour() {
            if !is_left_out($pair, stringify!($behaviour)) {
                suite::$room::$behaviour(&Lab::<$client, $relay>::new() $(, $argument)?);
            }
        })+

        /// The behaviours that are tested.
        pub(super) const BEHAVIOURS: &[&str] = &[$(stringify!($behaviour)),+];
    };
}

pairs! {
    tokio_tokio: Tokio, Tokio, FULL;
    tokio_async_io: Tokio, AsyncIo, SHORT;
    tokio_std: Tokio, Std, SHORT;
    smol_tokio: Smol, Tokio, SHORT;
    smol_async_io: Smol, AsyncIo, FULL;
    smol_std: Smol, Std, SHORT;
    async_std_tokio: AsyncStd, Tokio, SHORT;
    async_std_async_io: AsyncStd, AsyncIo, FULL;
    async_std_std: AsyncStd, Std, SHORT;
    std_tokio: Std, Tokio, SHORT;
    std_async_io: Std, AsyncIo, SHORT;
    std_std: Std, Std, FULL;
}

fn is_left_out(pair: &str, behaviour: &str) -> bool {
    let skip = LEDGER.iter().find(|skip| skip.pair == pair && skip.behaviour == behaviour);
    skip.inspect(|skip| eprintln!("{pair} leaves out {behaviour}: {}", skip.reason)).is_some()
}

#[test]
fn the_ledger_names_what_is_there() {
    assert!(PAIRS.iter().all(|(_, behaviours)| behaviours == &PAIRS[0].1 && !behaviours.is_empty()));
    for (at, skip) in LEDGER.iter().enumerate() {
        let Some((_, behaviours)) = PAIRS.iter().find(|(pair, _)| *pair == skip.pair) else {
            panic!("there is no pair {}", skip.pair)
        };
        assert!(behaviours.contains(&skip.behaviour), "there is no behaviour {}", skip.behaviour);
        assert!(!skip.reason.is_empty());
        let is_same = |other: &Skip| other.pair == skip.pair && other.behaviour == skip.behaviour;
        assert!(!LEDGER[..at].iter().any(is_same), "{} leaves out {} twice", skip.pair, skip.behaviour);
    }
    eprintln!("{} pairs, {} behaviours left out", PAIRS.len(), LEDGER.len());
}

/// What is left out, and why.
const LEDGER: &[Skip] = &[
    no_abort("tokio_std"),
    no_abort("smol_std"),
    no_abort("async_std_std"),
    no_abort("std_std"),
    no_halves("std_tokio"),
    no_halves("std_async_io"),
    no_halves("std_std"),
];

const fn no_halves(pair: &'static str) -> Skip {
    Skip {
        pair,
        behaviour: "a_half_that_is_dropped_ends_as_one_that_is_shut_down",
        reason: "a clone of a stream is the whole of it, as with std::net::TcpStream",
    }
}

const fn no_abort(pair: &'static str) -> Skip {
    Skip {
        pair,
        behaviour: "an_aborted_relay_leaves_no_tunnel_and_no_reader_behind",
        reason: "the relay serves on a thread, which nothing ends from outside",
    }
}

/// Bytes of the large stream where both sides run on the same runtime, and elsewhere.
const FULL: usize = 100_000_000;
const SHORT: usize = 20_000_000;
