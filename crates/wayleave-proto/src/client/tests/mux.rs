//! The same behaviour over a carrier with many tunnels on one connection, and what only such a carrier can show.

use super::*;
use crate::testing::{On, over_mux};

over_mux! {
    associations:
        the_flows_of_an_association_share_one_socket_for_each_family,
        what_strangers_send_is_heard_with_their_name,
        a_flow_without_an_association_keeps_a_socket_of_its_own;
    check:
        a_good_credential_is_told_at_the_start_and_once,
        a_bad_credential_is_told_at_the_start_and_once_and_the_next_one_is_looked_at,
        the_first_relay_that_answers_is_asked,
        a_relay_that_comes_later_is_asked_then,
        a_tunnel_says_as_much,
        smart_mode_asks_no_relay_for_this_alone,
        nobody_is_asked_in_mode_off_or_unbidden,
        a_credential_that_was_renewed_in_between_is_the_one_that_is_judged;
    closed:
        after_close_there_is_silence_whatever_comes;
    datagrams:
        datagrams_of_every_size_come_back_whole,
        a_datagram_that_its_target_could_never_get_is_an_error,
        what_is_sent_before_the_tunnel_stands_waits_and_arrives,
        a_flow_that_nothing_answers_directly_goes_through_the_relay_at_the_deadline,
        a_flow_that_is_answered_directly_stays_direct,
        a_flow_whose_relay_dies_goes_on_through_another,
        a_flow_that_never_was_open_fails_in_time_although_the_network_changes,
        a_flow_that_is_refused_asks_once_a_second_however_soon_a_connection_stands;
    errors:
        what_happened_to_the_target_has_one_kind_on_both_ways,
        what_a_user_can_mend_is_no_refusal,
        an_error_is_found_again_in_that_of_the_standard_library_with_its_source;
    lack:
        a_trial_in_which_the_machine_lacked_descriptors_proves_nothing,
        a_lack_is_not_a_proxys_fault;
    proxies:
        the_first_proxy_is_used_and_the_second_when_it_fails,
        a_flow_through_a_known_relay_costs_one_round_trip_to_it,
        the_switch_costs_no_handshake_because_one_was_made_during_the_trial,
        no_application_byte_leaves_during_warm_standby,
        an_app_sign_opens_tunnels_of_both_kinds_without_a_token,
        a_wrong_token_fails_with_what_every_proxy_said,
        a_renewed_token_is_used_at_once_and_its_expiry_is_announced,
        a_token_is_announced_before_it_expires_however_short_it_is,
        a_connection_that_the_relay_closed_while_idle_costs_nothing_but_a_new_one,
        every_proxy_unreachable_says_what_each_one_said,
        a_thousand_flows_at_once_all_open,
        many_flows_at_once_leave_a_proxy_that_refuses_them,
        a_closed_client_says_nothing_more,
        flows_that_are_given_back_at_once_leave_no_more_than_the_standby;
    renewal:
        a_relay_with_tunnels_is_shown_the_new_token_once,
        without_tunnels_nothing_is_shown,
        every_relay_with_tunnels_is_shown_it,
        a_new_tunnel_shows_it_as_well,
        a_bad_token_is_shown_once_and_told,
        a_token_that_expired_says_so,
        the_expiry_is_announced_by_what_the_civil_clock_shows_now,
        a_sleep_that_wakes_nobody_is_noticed_within_a_minute,
        a_refusal_says_what_this_side_can_know,
        a_flow_that_waits_while_its_token_expires_takes_the_renewed_one,
        a_request_that_was_under_way_with_the_old_token_is_made_again,
        a_stream_is_cut_in_the_middle_where_the_token_is_not_renewed,
        an_application_that_follows_the_events_keeps_its_stream_over_many_tokens,
        a_datagram_flow_rests_after_the_expiry_and_goes_on_with_a_renewed_token,
        a_datagram_flow_with_a_renewed_token_is_never_interrupted;
    rescue:
        rule_2_a_connection_whose_bytes_got_no_answer_proves_nothing,
        rule_2_nor_does_one_whose_bytes_must_not_be_sent_again,
        rule_2_a_connection_on_which_nothing_was_sent_counts_at_the_deadline,
        rule_2_a_connection_from_before_the_trial_does_not_count,
        rule_2_what_is_reset_or_ended_before_a_byte_came_back_is_tried_again_until_the_deadline,
        rule_2_and_at_the_deadline_it_goes_to_the_relay,
        rule_2_what_must_not_be_sent_again_fails_as_it_would_directly,
        rule_9_a_stream_to_a_blocked_port_is_opened_through_a_relay_after_one_second,
        rule_9_a_flow_that_fails_at_once_is_rescued_at_once,
        rule_9_switched_off_rules_1_to_8_hold_to_the_letter,
        rule_9_never_on_cellular,
        rule_9_a_datagram_flow_that_is_not_answered_goes_to_a_relay,
        rule_9_a_datagram_flow_is_left_alone_where_another_was_answered_on_its_port,
        rule_9_a_client_hello_is_sent_again_and_nothing_else,
        rule_9_a_stream_that_is_reset_or_ended_before_a_byte_came_back_is_rescued,
        rule_9_what_must_not_be_sent_again_fails_as_it_would_directly_and_the_next_is_saved,
        rule_9_what_an_application_does_in_between_is_done_on_the_new_path,
        rule_9_one_host_does_not_block_a_port_on_which_others_are_answered,
        rule_9_one_in_a_while_tries_direct_again,
        rule_9_if_no_relay_serves_it_either_the_direct_failure_is_told,
        rule_9_a_direct_path_that_no_relay_replaces_is_waited_for,
        rule_9_a_flow_that_went_to_the_relay_at_once_and_is_refused_there_is_tried_directly,
        rule_9_what_is_blocked_is_forgotten_with_the_network,
        rule_9_a_flow_that_is_being_rescued_begins_again_with_the_network,
        rule_10_silence_where_there_were_answers_begins_a_new_trial,
        rule_10_what_is_sent_rarely_is_moved_with_its_third_word_into_silence,
        rule_10_so_is_a_stream_that_is_written_to_rarely,
        rule_10_several_resets_at_once_begin_a_new_trial,
        rule_10_switched_off_nothing_is_doubted,
        in_mode_normal_nothing_of_this_happens;
    silence:
        a_call_leaves_a_relay_that_vanished_within_seconds_and_a_stream_is_told,
        a_new_stream_does_not_wait_for_a_relay_that_vanished,
        a_request_that_is_owed_an_answer_is_repeated_until_somebody_answers,
        all_who_wait_for_an_answer_that_got_lost_go_on_as_soon_as_another_relay_connection_stands,
        all_who_waited_go_on_as_soon_as_one_connection_stands,
        media_that_goes_one_way_stays_where_it_is,
        a_false_alarm_costs_nothing,
        an_asked_stream_asks_again_when_the_network_changes,
        an_asked_stream_goes_directly_when_that_is_tried_again,
        each_word_after_a_long_silence_is_answered_as_fast_as_the_first,
        a_word_that_waited_for_its_way_is_not_too_old_for_it,
        a_call_is_heard_again_a_second_after_the_end_of_an_outage;
    smart:
        rule_2_an_open_network_settles_direct_at_once,
        rule_3_every_link_but_cellular_becomes_proxied_at_the_deadline,
        rule_3_cellular_stays_direct_and_tries_again,
        rule_3_probes_on_cellular_try_again_soon_after_the_deadline,
        rule_4_an_answered_datagram_flow_stays_direct_on_an_open_network,
        rule_4_an_answered_datagram_flow_leaves_a_black_hole_after_one_second,
        rule_4_a_datagram_flow_outlives_a_time_without_network,
        rule_4_a_new_network_with_nothing_that_looks_for_its_way_is_tried_with_the_next_flow,
        rule_4_a_new_network_during_the_trial_gives_a_flow_a_whole_new_second,
        rule_4_a_new_network_starts_the_trial_anew,
        rule_4_while_the_network_is_down_everything_waits,
        rule_5_a_proxied_route_stays_and_datagram_tunnels_are_made_anew,
        rule_7_a_new_trial_on_request_can_return_to_direct,
        rule_7_a_new_trial_on_the_same_network_keeps_the_sockets_of_datagram_flows,
        rule_7_a_datagram_flow_that_is_not_answered_anew_goes_to_the_relay,
        rule_7_a_flow_that_waits_for_a_relay_begins_the_new_trial,
        rule_7_a_flow_that_loses_its_tunnel_begins_the_new_trial,
        rule_8_an_open_stream_is_not_cut_by_a_route_change,
        kinds_are_judged_apart_and_together_in_session_scope,
        probes_start_the_trial_and_prove_the_path,
        the_same_inputs_give_the_same_story,
        rule_3_an_answer_that_comes_before_an_overdue_timer_dials_nothing_directly;
    streams:
        bytes_come_back_whole_at_any_split_of_writes,
        who_does_not_read_slows_down_who_writes_and_loses_nothing,
        a_relay_that_falls_silent_is_heard_again,
        one_half_ends_while_the_other_goes_on,
        what_was_written_before_the_release_is_delivered,
        a_reader_that_does_not_read_stops_the_sender,
        a_broken_connection_is_an_error_behind_the_last_byte,
        a_broken_connection_is_given_back_with_its_unread_bytes,
        a_target_that_refuses_is_told_apart_from_one_that_is_forbidden,
        normal_mode_reaches_nothing_but_proxies_whatever_fails,
        in_mode_off_a_stream_that_is_dialled_when_the_network_changes_is_dialled_over_the_new_one;
}

/// As many flows as fill one connection, and one more.
fn nine(world: &mut World) -> Vec<FlowId> {
    (0..9).map(|_| connect(world, ECHO)).collect()
}

fn accepted(world: &World) -> Vec<u64> {
    world.relays.iter().filter_map(|(_, relay)| Some(relay.as_ref()?.stats().accepted)).collect()
}

fn failures(world: &World) -> usize {
    world.events.iter().filter(|event| matches!(event.what, What::ProxyFailed { .. })).count()
}

#[test]
fn flows_share_a_connection_and_the_next_begins_where_it_is_full() {
    let _on = On::new();
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let flows = nine(&mut world);
    let media = open(&mut world, Kind::Datagram, ECHO);
    assert!(world.run_until(SECOND, |world| is_open(world, media)));
    assert_eq!(accepted(&world), [2, 0], "{}", story(&world.events));
    for (number, flow) in flows.iter().enumerate() {
        assert_eq!(exchange(&mut world, *flow, &[number as u8; 100_000]), [number as u8; 100_000]);
    }
    world.client.send_datagram(world.now, media, b"hello").unwrap();
    world.run(SECOND);
    assert_eq!(datagrams(&mut world, media), [b"hello"]);
}

#[test]
fn a_lost_connection_moves_all_its_calls_and_is_one_failure() {
    let _on = On::new();
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let calls: Vec<_> = (0..5).map(|_| open(&mut world, Kind::Datagram, ECHO)).collect();
    let stream = connect(&mut world, ECHO);
    assert!(world.run_until(SECOND, |world| calls.iter().all(|call| is_open(world, *call))));
    world.crash(0);
    for call in &calls {
        world.client.send_datagram(world.now, *call, b"still").unwrap();
    }
    world.run(2 * SECOND);
    for call in calls {
        assert!(is_open(&world, call), "{}", story(&world.events));
        world.client.send_datagram(world.now, call, b"there").unwrap();
        world.run(SECOND / 10);
        let came = datagrams(&mut world, call);
        assert_eq!(came.last().map(Vec::as_slice), Some(&b"there"[..]), "{call} {}", story(&world.events));
    }
    assert_eq!(world.client.status(stream), FlowStatus::Failed(super::super::FlowError::Reset));
    assert_eq!(accepted(&world), [1], "one connection to the other relay carries all");
}

#[test]
fn requests_that_a_lost_connection_owes_an_answer_are_one_failure() {
    let _on = On::new();
    let mut config = config(Mode::Normal, Link::Wifi);
    config.limits.hedge = 10 * SECOND;
    config.limits.silence = 10 * SECOND;
    config.limits.standby = 0;
    let mut world = world(config);
    connect(&mut world, ECHO);
    world.silence(0);
    let asked: Vec<_> = (0..5).map(|_| open(&mut world, Kind::Stream, ECHO)).collect();
    world.run(Duration::from_millis(500));
    assert_eq!(failures(&world), 0);
    world.crash(0);
    world.hear(0);
    assert!(world.run_until(5 * SECOND, |world| asked.iter().all(|flow| is_open(world, *flow))));
    let lost = world.events.iter().filter(|event| {
        matches!(&event.what, What::ProxyFailed { error: crate::client::ProxyFault::NoAnswer, .. })
    });
    assert_eq!(lost.count(), 1, "{}", story(&world.events));
}

#[test]
fn each_machine_hears_of_a_renewal_over_the_connection_that_it_has() {
    let _on = On::new();
    let mut world = machines::balanced();
    let flows = nine(&mut world);
    let before = machines::tunnels(&world);
    assert_eq!(before.iter().filter(|tunnels| **tunnels > 0).count(), 2, "{before:?}");
    world.client.release(world.now, flows[0]);
    world.run(80 * SECOND);
    let connections = accepted(&world);
    machines::renew(&mut world);
    world.run(5 * SECOND);
    assert_eq!(machines::told(&world), ["accepted"], "{}", story(&world.events));
    assert_eq!(accepted(&world), connections, "nothing is dialled for it");
    world.run(60 * SECOND);
    for flow in &flows[1..] {
        assert_eq!(exchange(&mut world, *flow, b"still"), b"still");
    }
}

#[test]
fn over_a_relay_that_leaves_nothing_new_is_asked_for_and_what_runs_goes_on() {
    let _on = On::new();
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let flow = connect(&mut world, ECHO);
    let now = world.now;
    world.relays[0].1.as_mut().unwrap().drain(now);
    world.run(Duration::from_millis(10));
    let next = connect(&mut world, ECHO);
    assert!(!story(&world.events).contains("Refused {"), "{}", story(&world.events));
    let tunnels = |world: &World| {
        world.relays.iter().map(|it| it.1.as_ref().unwrap().stats().tunnels).collect::<Vec<_>>()
    };
    assert_eq!(tunnels(&world), [1, 1]);
    assert_eq!(exchange(&mut world, flow, b"to its end"), b"to its end");
    assert_eq!(exchange(&mut world, next, b"as well"), b"as well");
    world.client.release(world.now, flow);
    world.run(Duration::from_millis(10));
    assert!(world.relays[0].1.as_ref().unwrap().is_idle(), "the client ends what carries nothing");
}

#[test]
fn a_connection_whose_relay_refuses_more_keeps_what_it_has() {
    let _on = On::new();
    let mut config = config(Mode::Normal, Link::Wifi);
    config.proxies.truncate(1);
    let mut world = world_with(config, |relay| relay.limits.tunnels_per_connection = 2);
    let flows: Vec<_> = (0..5).map(|_| connect(&mut world, ECHO)).collect();
    assert!(accepted(&world)[0] >= 3, "{}", story(&world.events));
    for flow in flows {
        assert_eq!(exchange(&mut world, flow, b"still"), b"still");
    }
}

#[test]
fn a_full_connection_is_left_alone_although_its_relay_failed_otherwise_just_before() {
    let _on = On::new();
    let mut config = config(Mode::Normal, Link::Wifi);
    config.proxies.truncate(1);
    config.limits.standby = 0;
    let mut world = world_with(config, |relay| relay.limits.tunnels_per_connection = 2);
    connect(&mut world, ECHO);
    connect(&mut world, ECHO);
    let Client { pool, io, .. } = &mut world.client;
    pool.on_proxy_failed(io, 0, crate::client::ProxyFault::NoAnswer, None);
    connect(&mut world, ECHO);
    assert_eq!(accepted(&world), [2, 0], "{}", story(&world.events));
}

#[test]
fn a_connection_that_carries_nothing_ends_as_soon_as_its_relay_leaves() {
    let _on = On::new();
    let mut config = config(Mode::Normal, Link::Wifi);
    config.limits.dials = 1;
    let mut world = world(config);
    let flow = connect(&mut world, ECHO);
    world.client.reset(world.now, flow);
    world.run(SECOND);
    let now = world.now;
    assert!(!world.relays[0].1.as_ref().unwrap().is_idle(), "it is kept ready");
    world.relays[0].1.as_mut().unwrap().drain(now);
    world.run(Duration::from_millis(10));
    assert!(world.relays[0].1.as_ref().unwrap().is_idle());
}

#[test]
fn another_network_gets_connections_of_its_own() {
    let _on = On::new();
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let stream = connect(&mut world, ECHO);
    let call = open(&mut world, Kind::Datagram, ECHO);
    assert!(world.run_until(SECOND, |world| is_open(world, call)));
    let before = accepted(&world)[0];
    world.client.handle_network(world.now, Network::up(Link::Cellular));
    assert!(world.run_until(SECOND, |world| is_open(world, call)), "{}", story(&world.events));
    assert_eq!(accepted(&world)[0], before + 1, "{}", story(&world.events));
    let next = connect(&mut world, ECHO);
    assert_eq!(accepted(&world)[0], before + 1);
    for flow in [stream, next] {
        assert_eq!(exchange(&mut world, flow, b"x"), b"x");
    }
}

#[test]
fn who_does_not_read_one_stream_holds_up_no_other() {
    let _on = On::new();
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let (slow, fast) = (connect(&mut world, ECHO), connect(&mut world, ECHO));
    let mut sent = 0;
    for _ in 0..50 {
        sent += world.client.write(world.now, slow, &[1; 20_000]).unwrap();
        world.run(Duration::from_millis(20));
    }
    assert_eq!(world.client.write(world.now, slow, &[1]).unwrap(), 0, "it is full");
    assert_eq!(exchange(&mut world, fast, &[2; 200_000]), [2; 200_000]);
    world.client.finish(world.now, slow);
    let mut got = 0;
    let ended = world.run_until(60 * SECOND, |world| {
        let (bytes, ended) = read_all(world, slow);
        got += bytes.len();
        ended
    });
    assert!(ended && got == sent, "{got} of {sent}");
}
