//! What networks do.

use core::time::Duration;

use wayleave_proto::base::{Kind, Route};

use crate::Scenario;
use crate::scenario::{Answers, ClientPlan, Condition, Ending, Fault, FlowPlan, Server, Step};

pub(super) fn only_port_443_splits_the_kinds() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::Only443);
    let client = client.opens(0, FlowPlan::stream(2_000, 2_000)).opens(0, FlowPlan::datagrams(150));
    Scenario::new("", "Where only TCP 443 gets out, streams to 443 prove direct, and datagrams go to the relay.")
        .relays(1)
        .client(client)
        .ends(Condition::Only443)
        .expect("datagrams are answered within a round trip of the switch", |report| report.longest_quiet(1) <= 1_200)
        .expect("only datagrams switch", |report| {
            report.switched_at(Kind::Datagram, 1_000) && report.never_switched(Kind::Stream)
        })
}

pub(super) fn interception_is_noticed() -> Scenario {
    let client = ClientPlan::normal().behind(Condition::Intercepted).opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "TLS that is intercepted by somebody whom the client does not trust carries no token.")
        .relays(1)
        .client(client)
        .lasts(45_000)
        .expect("the relay saw nothing", |report| report.count("relay TunnelOpened") == 0 || report.error(0).is_some())
        .expect("the flow fails", |report| report.is_failed_within(0, 1_000))
}

pub(super) fn names_that_are_not_answered() -> Scenario {
    let client = ClientPlan::smart().opens(0, FlowPlan::stream(2_000, 2_000));
    let silent = Fault::Names { client: Some(0), answering: Answers::Silent, delay: Duration::from_millis(10) };
    Scenario::new("", "Names are not answered: nothing can be proven, and the relay's name is not known either.")
        .relays(1)
        .client(client)
        .fault(0, silent)
        .lasts(60_000)
        .expect("the flow fails with a reason", |report| report.is_failed_within(0, 10_500))
}

pub(super) fn a_rebound_translator_breaks_nothing_for_ever() -> Scenario {
    let client = ClientPlan::normal().opens(0, FlowPlan::datagrams(600).ending(Ending::Open));
    Scenario::new("", "A translator of addresses that forgets its mappings breaks the tunnel; the flow gets another.")
        .relays(1)
        .client(client.opens(6_000, FlowPlan::stream(2_000, 2_000)))
        .fault(3_000, Fault::Rebind { client: 0 })
        .lasts(12_000)
        .expect("a new stream is done", |report| report.is_done_within(1, Route::Proxied, 150))
        .expect("the datagram flow is silent for no more than a second", |report| report.longest_quiet(0) <= 1_000)
}

pub(super) fn connections_that_fall_silent_are_given_up() -> Scenario {
    let condition = Condition::SilentAfter(Duration::from_secs(3));
    let client = ClientPlan::normal().behind(condition).opens(0, FlowPlan::stream(1_000, 1_000).ending(Ending::Open));
    Scenario::new("", "A firewall that drops what is older than three seconds: the stream fails, it does not hang.")
        .relays(1)
        .client(client.opens(5_000, FlowPlan::stream(2_000, 2_000)))
        .lasts(240_000)
        .expect("a new stream is done within 1.5 s", |report| report.is_done_within(1, Route::Proxied, 1_500))
        .expect("the old one is found dead", |report| report.error(0).is_some())
}

pub(super) fn a_suspended_application_wakes_up() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::OnlyRelays).opens(0, FlowPlan::datagrams(50));
    let client = client.does(500, Step::Suspend(Duration::from_secs(20)));
    Scenario::new("", "An application that was suspended in its trial goes on where it was, and the late proof is none.")
        .relays(1)
        .client(client.opens(25_000, FlowPlan::stream(2_000, 2_000).to(Server::ByAddress)))
        .fault(10_000, Fault::Condition { client: 0, condition: Condition::Open })
        .lasts(40_000)
        .expect("datagrams are proxied when it wakes up", |report| report.switched_at(Kind::Datagram, 20_500))
}
