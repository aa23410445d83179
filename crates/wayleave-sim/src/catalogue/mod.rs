//! The scenarios that have a name: every rule of routing, line by line, and what relays and networks do to it.
//!
//! Each is a function of its name, and a test of that name runs it with cryptography and without.

use crate::Scenario;

macro_rules! catalogue {
    ($($room:ident { $($name:ident,)* })*) => {
        $(mod $room;)*

        /// Every named scenario.
        pub fn all() -> Vec<Scenario> {
            vec![$($(named(stringify!($name), $room::$name()),)*)*]
        }

        #[cfg(test)]
        mod tests {
            $($(
                #[test]
                fn $name() {
                    super::check(&super::named(stringify!($name), super::$room::$name()));
                }
            )*)*
        }
    };
}

catalogue! {
    modes {
        mode_off_goes_direct,
        mode_normal_is_proxied_from_the_first_packet,
        mode_normal_fails_closed_without_a_relay,
        mode_normal_fails_closed_without_names,
        mode_normal_fails_closed_with_an_expired_token,
        mode_normal_fails_closed_behind_a_portal,
        mode_normal_fails_closed_while_it_roams,
    }
    trial {
        rule_1_the_trial_begins_at_the_start_with_probes,
        rule_1_the_trial_begins_with_the_first_flow,
        rule_2_a_stream_proves_direct,
        rule_2_a_probe_proves_direct,
        rule_2_an_answer_proves_direct,
        rule_2_the_embedder_proves_direct,
        rule_2_a_quick_failure_proves_nothing,
        rule_2_a_proof_just_before_the_deadline_counts,
        rule_2_a_proof_at_the_deadline_itself_counts,
        rule_2_a_proof_behind_the_deadline_does_not_count,
        rule_3_wifi_becomes_proxied,
        rule_3_ethernet_becomes_proxied,
        rule_3_unknown_becomes_proxied,
        rule_3_cellular_stays_direct_and_tries_again,
    }
    changes {
        rule_4_a_change_while_direct_starts_again,
        rule_4_a_change_in_the_trial_starts_again,
        rule_4_down_waits_for_up,
        rule_5_a_change_while_proxied_keeps_the_route,
        rule_5_return_to_direct_is_opted_in,
        rule_6_a_late_success_changes_nothing,
        rule_7_a_new_trial_can_be_asked_for,
        rule_8_pending_flows_are_taken_over,
        rule_8_established_streams_are_not_cut,
        kinds_are_judged_apart,
        scope_session_is_one_decision,
        an_unanswered_datagram_flow_goes_to_the_relay,
        the_standby_costs_no_round_trip,
    }
    rescue {
        rule_2_silence_behind_a_connection_proves_nothing,
        rule_2_what_must_not_be_sent_again_is_not,
        rule_2_a_reset_before_a_byte_came_back_is_tried_again,
        rule_9_a_blocked_port_is_reached_through_the_relay,
        rule_9_switched_off_rules_1_to_8_hold_to_the_letter,
        rule_9_never_on_cellular,
        rule_9_unanswered_datagrams_go_to_the_relay,
        rule_9_a_client_hello_is_sent_again,
        rule_9_other_bytes_are_not_and_the_next_flow_is_saved,
        rule_9_one_in_a_while_tries_direct_again,
        rule_9_if_no_relay_serves_it_the_direct_failure_is_told,
        rule_9_what_is_blocked_is_forgotten_with_the_network,
        rule_10_a_firewall_that_closes_later_is_noticed,
        rule_10_trials_by_themselves_become_more_and_more_seldom,
    }
    relays {
        the_second_relay_serves_when_the_first_is_gone,
        a_relay_that_crashes_is_replaced,
        calls_that_share_a_connection_move_together,
        streams_that_share_a_connection_end_each_by_itself,
        a_relay_that_drains_finishes_what_it_has,
        a_relay_without_its_keys_is_passed_over,
        nonsense_in_place_of_a_relay_is_passed_over,
        silence_in_place_of_a_relay_is_passed_over,
        a_token_that_expires_is_renewed,
        forbidden_targets_are_refused,
        clocks_may_be_wrong_by_seconds,
        a_lossy_link_delivers_everything,
        a_slow_reader_loses_nothing,
    }
    names {
        names_that_die_do_not_stop_a_client_that_knows_its_relay,
        names_that_are_slow_cost_nothing_where_the_relay_is_known,
        names_that_are_denied_leave_the_relay_where_it_was,
        a_family_that_is_never_answered_costs_50_ms,
    }
    networks {
        only_port_443_splits_the_kinds,
        interception_is_noticed,
        names_that_are_not_answered,
        a_rebound_translator_breaks_nothing_for_ever,
        connections_that_fall_silent_are_given_up,
        a_suspended_application_wakes_up,
    }
}

fn named(name: &str, scenario: Scenario) -> Scenario {
    Scenario { name: name.replace('_', "-"), ..scenario }
}

#[cfg(test)]
fn check(scenario: &Scenario) {
    for (fast, word) in [(false, ""), (true, " --fast")] {
        let scenario = Scenario { fast, ..scenario.clone() };
        match crate::run(&scenario, &crate::Tape::from_seed(0)) {
            Ok(report) => {
                assert_eq!(
                    report.violation, None,
                    "replay: cargo xtask sim --scenario {}{word}",
                    scenario.name
                );
            }
            Err(error) => panic!("{}: {error:#}", scenario.name),
        }
    }
}
