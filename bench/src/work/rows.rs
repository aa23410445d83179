//! The rows of the table.

use super::{Datagrams, Group, Row, Streams, Work};
use crate::adapter::Runtime;
use crate::load::datagrams::{Pace, Way};

/// Every row, in the order of the table. Those of [`Row::is_extra`] run only when they are asked for by name.
pub fn rows() -> Vec<Row> {
    // First the memory, while no relay has done anything yet.
    let mut rows = idle();
    rows.extend(streams());
    rows.extend(datagrams());
    rows.extend(switches());
    rows.extend(adapters());
    rows.extend(growth());
    rows
}

fn idle() -> Vec<Row> {
    let growing = [1, 10, 100].map(|tunnels| (format!("growth/idle/{tunnels}"), Group::Ours, tunnels));
    let all = [1_000, 10_000].map(|tunnels| (format!("streams/idle/{tunnels}"), Group::Relays, tunnels));
    let rows = growing.into_iter().chain(all);
    rows.map(|(name, group, tunnels)| row(name, group, Work::Streams(Streams::Idle { tunnels }))).collect()
}

fn streams() -> Vec<Row> {
    let stream = |name: String, work| row(name, Group::Relays, Work::Streams(work));
    let mut rows = Vec::new();
    for tunnels in [8, 1, 100] {
        for (way, is_up) in [("down", false), ("up", true)] {
            rows.push(stream(format!("streams/{way}/{tunnels}"), Streams::Bulk { is_up, tunnels }));
        }
    }
    for tunnels in [1, 100] {
        rows.push(stream(format!("streams/ask/{tunnels}"), Streams::Ask { tunnels }));
    }
    rows.push(stream("streams/setup".into(), Streams::Reopen { at_once: 8 }));
    rows
}

fn switches() -> Vec<Row> {
    let all = [("tokio", Runtime::Tokio), ("async-io", Runtime::AsyncIo), ("std", Runtime::Std)];
    all.into_iter()
        .map(|(name, runtime)| row(format!("switch/{name}"), Group::Ours, Work::Switches(runtime)))
        .collect()
}

fn adapters() -> Vec<Row> {
    let flows = |way, pace| Work::Datagrams(Datagrams { flows: 100, size: 160, way, pace });
    let bulk = |is_up| Work::Streams(Streams::Bulk { is_up, tunnels: 8 });
    let all = [
        ("streams/down/8", bulk(false)),
        ("streams/up/8", bulk(true)),
        ("streams/ask/100", Work::Streams(Streams::Ask { tunnels: 100 })),
        ("streams/setup", Work::Streams(Streams::Reopen { at_once: 8 })),
        ("datagrams/rate/up/100/160", flows(Way::Up, RATE)),
        ("datagrams/rate/down/100/160", flows(Way::Down, RATE)),
        ("datagrams/paced/both/100/160", flows(Way::Both, PACED)),
    ];
    all.into_iter().map(|(name, work)| row(format!("adapters/{name}"), Group::Adapters, work)).collect()
}

fn growth() -> Vec<Row> {
    let mut rows = Vec::new();
    for (word, way) in [("up", Way::Up), ("down", Way::Down)] {
        for flows in [1, 10, 100, 1_000, MANY] {
            let work = Work::Datagrams(Datagrams { flows, size: 160, way, pace: RATE });
            rows.push(row(format!("growth/{word}/{flows}/160"), Group::Ours, work));
        }
    }
    rows
}

fn datagrams() -> Vec<Row> {
    let mut rows = Vec::new();
    let paces = [("rate", RATE), ("paced", PACED), ("flood", Pace::Flood)];
    for (word, pace) in paces {
        for size in [160, 1_200] {
            for flows in [100, 1, 1_000, MANY] {
                for (direction, way) in [("up", Way::Up), ("down", Way::Down), ("both", Way::Both)] {
                    // Real-time traffic goes both ways; how fast one way can go is asked one at a time.
                    if (way == Way::Both) != (pace == PACED) || flows == MANY && (pace, size) != (RATE, 160) {
                        continue;
                    }
                    let name = format!("datagrams/{word}/{direction}/{flows}/{size}");
                    let work = Work::Datagrams(Datagrams { flows, size, way, pace });
                    let is_seldom = size == 1_200 && flows != 100 || pace == Pace::Flood && flows == 1_000;
                    let is_extra = is_seldom || flows == MANY;
                    rows.push(Row { is_extra, ..row(name, Group::Relays, work) });
                }
            }
        }
    }
    rows
}

fn row(name: String, group: Group, work: Work) -> Row {
    Row { name, work, group, is_extra: false }
}

/// As many flows as fit the files that one process may open on most systems, with both ends of each in it.
const MANY: usize = 9_900;

/// Low enough for every relay here, so that all do the same work.
const RATE: Pace = Pace::Groups { rate: 60_000, group: 16 };

/// Voice and video: a datagram every 20 ms.
const PACED: Pace = Pace::Steady { each: 50 };
