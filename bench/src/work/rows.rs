//! The rows of the table.

use super::{Datagrams, Row, Streams, Work};
use crate::load::datagrams::{Pace, Way};

/// Every row, in the order of the table. Those of [`Row::is_extra`] run only when they are asked for by name.
pub fn rows() -> Vec<Row> {
    let mut rows = streams();
    rows.extend(datagrams());
    rows
}

fn streams() -> Vec<Row> {
    let mut rows = Vec::new();
    for tunnels in [8, 1, 100] {
        for (way, is_up) in [("down", false), ("up", true)] {
            rows.push(row(format!("streams/{way}/{tunnels}"), Streams::Bulk { is_up, tunnels }));
        }
    }
    for tunnels in [1, 100] {
        rows.push(row(format!("streams/ask/{tunnels}"), Streams::Ask { tunnels }));
    }
    rows.push(row("streams/setup".into(), Streams::Reopen { at_once: 8 }));
    for tunnels in [1_000, 10_000] {
        rows.push(row(format!("streams/idle/{tunnels}"), Streams::Idle { tunnels }));
    }
    rows
}

fn datagrams() -> Vec<Row> {
    let mut rows = Vec::new();
    let paces = [("rate", RATE), ("paced", PACED), ("flood", Pace::Flood)];
    for (word, pace) in paces {
        for size in [160, 1_200] {
            for flows in [100, 1, 1_000] {
                for (direction, way) in [("up", Way::Up), ("down", Way::Down), ("both", Way::Both)] {
                    // Real-time traffic goes both ways; how fast one way can go is asked one at a time.
                    if (way == Way::Both) != (pace == PACED) {
                        continue;
                    }
                    let name = format!("datagrams/{word}/{direction}/{flows}/{size}");
                    let work = Work::Datagrams(Datagrams { flows, size, way, pace });
                    let is_extra = size == 1_200 && flows != 100 || pace == Pace::Flood && flows == 1_000;
                    rows.push(Row { name, work, is_extra });
                }
            }
        }
    }
    rows
}

fn row(name: String, work: Streams) -> Row {
    Row { name, work: Work::Streams(work), is_extra: false }
}

/// Low enough for every relay here, so that all do the same work.
const RATE: Pace = Pace::Groups { rate: 60_000, group: 16 };

/// Voice and video: a datagram every 20 ms.
const PACED: Pace = Pace::Steady { each: 50 };
