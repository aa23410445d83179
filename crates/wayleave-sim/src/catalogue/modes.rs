//! Modes off and normal.

use core::time::Duration;

use wayleave_proto::base::{Link, Route};
use wayleave_proto::client::FlowError;
use wayleave_proto::config::Mode;

use crate::Scenario;
use crate::scenario::{Answers, ClientPlan, Condition, Credential, Fault, FlowPlan, State};

pub(super) fn mode_off_goes_direct() -> Scenario {
    let client = ClientPlan { mode: Mode::Off, ..ClientPlan::smart() };
    let client = client.opens(10, FlowPlan::stream(2_000, 2_000)).opens(20, FlowPlan::datagrams(5));
    Scenario::new("", "Mode off: every flow goes direct, and no relay is asked for anything.")
        .relays(1)
        .client(client)
        .expect("both flows are done directly", |report| {
            report.is_done_within(0, Route::Direct, 100) && report.is_done_within(1, Route::Direct, 150)
        })
        .expect("no relay was reached", |report| report.count("client ProxyConnected") == 0)
}

pub(super) fn mode_normal_is_proxied_from_the_first_packet() -> Scenario {
    let client = ClientPlan::normal();
    let client = client.opens(10, FlowPlan::stream(2_000, 2_000)).opens(20, FlowPlan::datagrams(5));
    Scenario::new("", "Mode normal: every flow goes through a relay from the first packet, although direct works.")
        .relays(1)
        .client(client)
        .expect("both flows are done through the relay", |report| {
            report.is_done_within(0, Route::Proxied, 200) && report.is_done_within(1, Route::Proxied, 150)
        })
}

pub(super) fn mode_normal_fails_closed_without_a_relay() -> Scenario {
    let client = ClientPlan::normal().opens(10, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Mode normal fails closed: with every relay gone nothing leaves directly.")
        .relays(2)
        .client(client)
        .fault(0, Fault::Relay { relay: 0, state: State::Crashed })
        .fault(0, Fault::Relay { relay: 1, state: State::Vanished })
        .lasts(45_000)
        .expect("the flow fails, and says what each proxy said", |report| {
            let said = matches!(report.error(0), Some(FlowError::NoProxy(said)) if said.len() == 2);
            // One attempt at a proxy that does not answer.
            said && report.is_failed_within(0, 10_500)
        })
}

pub(super) fn mode_normal_fails_closed_without_names() -> Scenario {
    let client = ClientPlan::normal().opens(10, FlowPlan::stream(2_000, 2_000));
    let denied = Fault::Names { client: Some(0), answering: Answers::Denied, delay: Duration::from_millis(10) };
    Scenario::new("", "Mode normal fails closed: where the relay's name is unknown, the target's is not looked up.")
        .relays(1)
        .client(client)
        .fault(0, denied)
        .lasts(45_000)
        .expect("the flow fails", |report| report.is_failed_within(0, 1_000))
}

pub(super) fn mode_normal_fails_closed_with_an_expired_token() -> Scenario {
    let client = ClientPlan { credential: Credential::Expired, ..ClientPlan::normal() };
    let client = client.opens(10, FlowPlan::stream(2_000, 2_000)).opens(10, FlowPlan::datagrams(5));
    Scenario::new("", "Mode normal fails closed: a relay that refuses the token is no reason to go direct.")
        .relays(1)
        .client(client)
        .expect("the relay refuses, and forwards nothing", |report| {
            report.count("relay Refused") > 0 && report.is_failed_within(0, 500)
        })
}

pub(super) fn mode_normal_fails_closed_behind_a_portal() -> Scenario {
    let client = ClientPlan::normal().behind(Condition::Portal).opens(10, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Mode normal fails closed: a captive portal that answers for the relay is no relay.")
        .relays(1)
        .client(client)
        .lasts(45_000)
        .expect("no proxy connected while the portal stood", |report| {
            report.said(|what| matches!(what, wayleave_proto::client::What::ProxyConnected { .. })).iter().all(|at| *at > report.healed)
        })
        .expect("the flow fails", |report| report.is_failed_within(0, 1_000))
}

pub(super) fn mode_normal_fails_closed_while_it_roams() -> Scenario {
    let client = ClientPlan::normal()
        .opens(10, FlowPlan::stream(50_000, 50_000))
        .opens(1_100, FlowPlan::datagrams(100))
        .opens(2_100, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Mode normal fails closed: other links, no network and back, and never a packet beside the relay.")
        .relays(2)
        .client(client)
        .fault(1_000, Fault::Roam { client: 0, link: Link::Cellular, condition: Condition::Open })
        .fault(2_000, Fault::Up { client: 0, up: false })
        .fault(3_000, Fault::Up { client: 0, up: true })
        .fault(4_000, Fault::Roam { client: 0, link: Link::Wifi, condition: Condition::OnlyRelays })
        .expect("what was opened while the network was down is done through a relay", |report| {
            report.is_done_within(2, Route::Proxied, 1_200)
        })
}
