//! Random scenarios: topology, faults and workload, drawn from a tape.
//!
//! Lists are drawn as "one more?" before each element, so that a tape from which an element is cut out still makes sense;
//! zero says no.

use core::time::Duration;

use wayleave_proto::base::{Kind, Link};
use wayleave_proto::carrier::Carrier;
use wayleave_proto::config::{Mode, Scope};

use crate::network::Quality;
use crate::scenario::{
    Allowed, Answers, AtExpiry, ClientPlan, Condition, Credential, Ending, Fault, FlowPlan, IntruderPlan,
    Places, RelayPlan, Server, State, Step,
};
use crate::{Scenario, Tape};

/// The scenario that begins `tape`, and the rest of it, which is for the run.
pub fn drawn(tape: &Tape) -> (Scenario, Tape) {
    let mut rest = tape.clone();
    (scenario(&mut rest), rest)
}

/// Draws a scenario; the rest of the tape is for the run.
pub fn scenario(tape: &mut Tape) -> Scenario {
    let mut scenario = Scenario::new("swarm", "a random world");
    // Most worlds are short; some last beyond every idle time but the longest.
    let longest = *tape.pick(&[10_000, 40_000, 40_000, 700_000]);
    scenario.length = Duration::from_millis(u64::from(tape.between(2_000, longest)));
    scenario.chunk = *tape.pick(&[16 * 1024, 0, 1_000, 64 * 1024]);
    // No draw of its own, so that saved tapes keep their meaning.
    scenario.odd = [0, 20, 0, 120][(scenario.length.as_millis() % 4) as usize];
    scenario.after = *tape.pick(&[
        Condition::Open,
        Condition::OnlyRelays,
        Condition::NoUdp,
        Condition::Only443,
        Condition::BlackHole,
        Condition::Refusing,
    ]);
    scenario.relays.push(relay(tape));
    while scenario.relays.len() < 3 && tape.chance(90) {
        scenario.relays.push(relay(tape));
    }
    // No draw of its own either: every third world has relays of three machines.
    let machines = [3, 1, 1][(scenario.length.as_millis() / 4 % 3) as usize];
    scenario.relays.iter_mut().for_each(|relay| relay.machines = machines);
    scenario.clients.push(client(tape, scenario.length));
    while scenario.clients.len() < 2 && tape.chance(40) {
        scenario.clients.push(client(tape, scenario.length));
    }
    if scenario.relays[0].lean {
        fill(tape, &mut scenario);
    }
    if tape.chance(60) {
        scenario.intruder = Some(intruder(tape, scenario.length));
    }
    scenario.balanced = tape.chance(30);
    scenario.abrupt = tape.chance(40);
    let (clients, relays) = (scenario.clients.len(), scenario.relays.len());
    while scenario.faults.len() < 12 && tape.chance(200) {
        let at = moment(tape, scenario.length);
        let fault = fault(tape, clients, relays);
        scenario.faults.push((at, fault));
    }
    let drains = |(at, fault): &(Duration, Fault)| {
        matches!(fault, Fault::Relay { state: State::Draining, .. }).then_some(*at)
    };
    if let Some(at) = scenario.faults.iter().find_map(drains)
        && tape.chance(128)
    {
        // Requests that are half there when a relay begins to drain.
        let at_once = Some(at.saturating_sub(Duration::from_secs(1)));
        let drips = Duration::from_secs(2);
        scenario.intruder = Some(IntruderPlan { at_once, drips, ..IntruderPlan::new(tape.between(1, 8)) });
    }
    scenario.unnoticed = tape.chance(90);
    // No draw of its own, so that saved tapes keep their meaning. Intruders speak HTTP/1.1.
    if scenario.length.as_millis() / 4 % 4 == 3 {
        scenario.carrier = Carrier::Mux;
        scenario.intruder = None;
    }
    scenario
}

/// Slow readers, as many as fill a relay with little memory, and one who comes later.
fn fill(tape: &mut Tape, scenario: &mut Scenario) {
    let at = moment(tape, scenario.length);
    let pace = Duration::from_millis(u64::from(tape.between(50, 1_000)));
    let slow = FlowPlan { pace, ..FlowPlan::stream(100, 1_000_000) };
    let steps = &mut scenario.clients[0].application.steps;
    steps.extend(core::iter::repeat_n((at, Step::Open(slow)), 8));
    steps.push((at + Duration::from_secs(3), Step::Open(FlowPlan::stream(100, 100))));
}

fn intruder(tape: &mut Tape, length: Duration) -> IntruderPlan {
    if tape.chance(60) {
        let at_once = Some(moment(tape, length));
        return IntruderPlan { at_once, ..IntruderPlan::new(tape.between(20, 60)) };
    }
    let drips = if tape.chance(150) { tape.between(500, 20_000) } else { 0 };
    IntruderPlan { drips: Duration::from_millis(u64::from(drips)), ..IntruderPlan::new(tape.between(1, 5)) }
}

fn client(tape: &mut Tape, length: Duration) -> ClientPlan {
    let mut client = ClientPlan::smart();
    client.mode = *tape.pick(&[Mode::Smart, Mode::Smart, Mode::Smart, Mode::Normal, Mode::Normal, Mode::Off]);
    client.scope = *tape.pick(&[Scope::Kind, Scope::Kind, Scope::Session]);
    client.link = link(tape);
    client.up = !tape.chance(12);
    client.condition = condition(tape);
    client.quality = quality(tape);
    client.probes = (tape.chance(70), tape.chance(70));
    client.return_to_direct = tape.chance(40);
    client.credential = credential(tape);
    client.allowed = allowed(tape);
    client.mapping = Duration::from_secs(u64::from(*tape.pick(&[120_u32, 120, 30, 5])));
    client.tcp_mapping = *tape.pick(&[
        ClientPlan::TCP_MAPPING,
        ClientPlan::TCP_MAPPING,
        Duration::from_secs(300),
        Duration::from_secs(60),
    ]);
    client.ahead = ahead(tape);
    client.tight = tape.chance(25);
    client.in_use = tape.chance(IN_USE).then(|| Duration::from_millis(250).max(length / 200));
    let burst = if tape.chance(12) { tape.between(2, 40) } else { 0 };
    let (at, many) = (moment(tape, length), flow(tape));
    for _ in 0..burst {
        client.application.steps.push((at, Step::Open(many)));
    }
    for count in 0..12 {
        if !tape.chance(if count == 0 { 250 } else { 190 }) {
            break;
        }
        let at = moment(tape, length);
        let step = step(tape);
        client.application.steps.push((at, step));
    }
    client
}

fn credential(tape: &mut Tape) -> Credential {
    let short = |tape: &mut Tape| Duration::from_secs(u64::from(tape.between(1, 60)));
    match tape.below(32) {
        0..=17 => Credential::Lasting,
        18..=21 => Credential::Short(short(tape)),
        22 | 23 => Credential::Token04(Duration::from_secs(86_400)),
        24 | 25 => Credential::Token04(short(tape)),
        26..=28 => Credential::AppSign,
        29 => Credential::Expired,
        30 => Credential::Forged,
        _ => Credential::ForgedSign,
    }
}

fn allowed(tape: &mut Tape) -> Allowed {
    if !tape.chance(70) {
        return Allowed::default();
    }
    Allowed {
        places: *tape.pick(&Places::ALL),
        tunnels: tape.chance(60).then(|| tape.between(1, 4)),
        volume: tape.chance(60).then(|| tape.between(1, 300_000)),
        rate: tape.chance(60).then(|| tape.between(500, 100_000)),
        at_expiry: match tape.below(3) {
            0 => AtExpiry::Keep,
            1 => AtExpiry::RefuseNew,
            _ => AtExpiry::CloseAfter(Duration::from_secs(u64::from(tape.below(30)))),
        },
    }
}

fn step(tape: &mut Tape) -> Step {
    match tape.below(16) {
        0..=10 => Step::Open(flow(tape)),
        11 => Step::Retry(*tape.pick(&[None, Some(Kind::Stream), Some(Kind::Datagram)])),
        12 => Step::DirectWorks(*tape.pick(&[Kind::Stream, Kind::Datagram])),
        13 => Step::Renew(Duration::from_secs(u64::from(tape.between(1, 100)))),
        14 => Step::Suspend(nap(tape, 20_000)),
        _ => Step::ReleaseAll,
    }
}

fn flow(tape: &mut Tape) -> FlowPlan {
    let server = if tape.chance(90) { *tape.pick(&Server::ALL) } else { Server::Good };
    if tape.chance(100) {
        let mut flow = FlowPlan::datagrams(tape.between(1, 60)).to(server);
        flow.down = *tape.pick(&[160, 17, 1_200, 1_400, 1_500]);
        let longest = *tape.pick(&[40, 400, 4_000, 150_000]);
        flow.pace = Duration::from_millis(u64::from(tape.between(1, longest)));
        flow.ending = *tape.pick(&[Ending::ClientFirst, Ending::Open]);
        return flow;
    }
    let size = |tape: &mut Tape| match tape.below(8) {
        0..=4 => tape.below(5_000),
        5 | 6 => tape.below(100_000),
        _ => tape.below(400_000),
    };
    let mut flow = FlowPlan::stream(size(tape), size(tape)).to(server);
    flow.ending = *tape.pick(&[
        Ending::ClientFirst,
        Ending::ServerFirst,
        Ending::Released,
        Ending::Reset,
        Ending::Open,
    ]);
    // No draw of its own, so that saved tapes keep their meaning.
    flow.tls = flow.up % 3 == 1;
    if tape.chance(30) {
        flow.pace = Duration::from_millis(u64::from(tape.between(1, 100)));
    }
    flow
}

fn relay(tape: &mut Tape) -> RelayPlan {
    RelayPlan {
        running: !tape.chance(20),
        quality: quality(tape),
        ahead: ahead(tape),
        tunnels: if tape.chance(20) { tape.between(2, 5) as usize } else { 1_000 },
        rate: if tape.chance(20) { u64::from(tape.between(2_000, 200_000)) } else { 0 },
        tight: tape.chance(25),
        machines: 1,
        lean: tape.chance(25),
    }
}

/// How long a process does nothing: not for long, or for minutes.
fn nap(tape: &mut Tape, longest: u32) -> Duration {
    let longest = if tape.chance(50) { 300_000 } else { longest };
    Duration::from_millis(u64::from(tape.between(10, longest)))
}

/// By how much a civil clock is set: minutes, hours or days, either way.
fn step_of_clock(tape: &mut Tape) -> i32 {
    let longest = *tape.pick(&[60, 3_600, 36_000, 1_000_000]);
    let by = i32::try_from(tape.between(1, longest)).unwrap_or_default();
    if tape.chance(128) { -by } else { by }
}

fn fault(tape: &mut Tape, clients: usize, relays: usize) -> Fault {
    let client = tape.below(u32::try_from(clients).unwrap_or(1)) as usize;
    let relay = tape.below(u32::try_from(relays).unwrap_or(1)) as usize;
    match tape.below(27) {
        0..=2 => Fault::Condition { client, condition: condition(tape) },
        3..=5 => Fault::Roam { client, link: link(tape), condition: condition(tape) },
        6 | 7 => Fault::Up { client, up: false },
        8..=10 => Fault::Up { client, up: true },
        11 => Fault::Rebind { client },
        12 => Fault::ClientQuality { client, quality: quality(tape) },
        13 => Fault::RelayQuality { relay, quality: quality(tape) },
        14..=17 => {
            let states = [
                State::Running,
                State::Running,
                State::Crashed,
                State::Draining,
                State::Draining,
                State::WithoutKeys,
                State::Babbling,
                State::Lying,
                State::Mute,
                State::Vanished,
            ];
            Fault::Relay { relay, state: *tape.pick(&states) }
        }
        18 | 19 => Fault::Stall { relay, span: nap(tape, 30_000) },
        20 => Fault::Revoke { relay, client },
        23 => Fault::ClientClock { client, by: step_of_clock(tape) },
        24 | 25 => Fault::RelayClock { relay, by: step_of_clock(tape) },
        26 => Fault::Descriptors { relay, left: tape.below(12) as usize },
        _ => {
            let client = (!tape.chance(100)).then_some(client);
            let answering = *tape.pick(&[
                Answers::Truly,
                Answers::Denied,
                Answers::HalfSilent,
                Answers::Silent,
                Answers::Wrong,
            ]);
            Fault::Names {
                client,
                answering,
                delay: Duration::from_millis(u64::from(tape.between(1, 2_000))),
            }
        }
    }
}

fn condition(tape: &mut Tape) -> Condition {
    match tape.below(16) {
        0..=3 => Condition::Open,
        4 => Condition::NoUdp,
        5 => Condition::Only443,
        6..=8 => Condition::OnlyRelays,
        9 | 10 => Condition::BlackHole,
        // One draw more only here, so that saved tapes keep their meaning.
        11 => *tape.pick(&[Condition::Refusing, Condition::Swallowing]),
        12 => Condition::Portal,
        13 => Condition::Intercepted,
        14 => Condition::ResetsAfter(tape.below(20_000)),
        _ => Condition::SilentAfter(Duration::from_millis(u64::from(tape.between(100, 10_000)))),
    }
}

fn quality(tape: &mut Tape) -> Quality {
    if !tape.chance(110) {
        return Quality::default();
    }
    Quality {
        latency: Duration::from_millis(u64::from(tape.between(1, 300))),
        jitter: Duration::from_millis(u64::from(tape.below(50))),
        rate: if tape.chance(80) { tape.between(10_000, 1_000_000) } else { 0 },
        loss: u8::try_from(if tape.chance(128) { tape.below(60) } else { 0 }).unwrap_or_default(),
        duplicate: u8::try_from(if tape.chance(60) { tape.below(60) } else { 0 }).unwrap_or_default(),
        reorder: u8::try_from(if tape.chance(60) { tape.below(60) } else { 0 }).unwrap_or_default(),
        mtu: *tape.pick(&[1_500, 1_500, 1_460, 1_500]),
    }
}

fn link(tape: &mut Tape) -> Link {
    *tape.pick(&[Link::Wifi, Link::Cellular, Link::Ethernet, Link::Unknown])
}

fn moment(tape: &mut Tape, length: Duration) -> Duration {
    // Half of all moments are early, since that is when decisions are made; some are right at the deadline.
    let millis = u32::try_from(length.as_millis()).unwrap_or(u32::MAX);
    match tape.below(4) {
        0 => Duration::from_millis(u64::from(tape.below(300))),
        1 => Duration::from_millis(u64::from(tape.between(980, 1_020))),
        2 => Duration::from_millis(u64::from(tape.below(3_000.min(millis)))),
        _ => Duration::from_millis(u64::from(tape.below(millis))),
    }
}

fn ahead(tape: &mut Tape) -> i32 {
    if !tape.chance(25) {
        return 0;
    }
    let seconds = i32::try_from(tape.below(1_200)).unwrap_or_default();
    if tape.chance(128) { -seconds } else { seconds }
}

/// So many clients in 256 are in use all the time.
const IN_USE: u8 = 80;
