//! Where everything stands from top to bottom: a lane for each host, with the rows that belong to it.

use wayleave_proto::config::Mode;

use super::bands::{self, Band};
use crate::trace::What;
use crate::{Report, Scenario};

/// The board.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    pub(super) lanes: Vec<Lane>,
    /// Its height, in pixels.
    pub(super) height: u32,
}

/// A host.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) host: usize,
    pub(super) name: String,
    /// What there is to say of it.
    pub(super) about: String,
    /// Whether any packet came from it or went to it.
    pub(super) is_used: bool,
    /// Where its line is, from which packets go.
    pub(super) line: u32,
    /// Where its name stands.
    pub(super) label: u32,
    /// The near and the far edge of its network, where it has one of its own.
    pub(super) edge: Option<(u32, u32)>,
    pub(super) rows: Vec<Row>,
}

/// Bands beside each other.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) top: u32,
    pub(super) height: u32,
    pub(super) name: &'static str,
    /// A class of the style.
    pub(super) class: &'static str,
    pub(super) bands: Vec<Band>,
}

impl Board {
    /// The board of a run: the first client on top, relays and servers below, further clients at the bottom.
    pub(super) fn new(scenario: &Scenario, report: &Report) -> Self {
        let (clients, relays) = (scenario.clients.len(), scenario.relays.len());
        let mut board = Self::default();
        let used = used(report);
        let is_used = |host: usize| used.get(host).copied().unwrap_or(false);
        if clients > 0 {
            board.client(scenario, report, 0, false);
        }
        let others = clients + relays..report.hosts.len();
        let busy: Vec<usize> = others.clone().filter(|host| is_used(*host)).collect();
        let gap = match relays + busy.len() {
            0..=2 => 104,
            3 => 84,
            _ => 64,
        };
        for relay in 0..relays {
            let host = clients + relay;
            board.height += gap;
            let line = board.height;
            let bands = bands::relay(scenario, report, relay);
            let row = Row { top: line - 8, height: 16, name: "", class: "stand", bands };
            let about = format!("r{relay}.relay.example");
            board.lane(report, host, about, is_used(host), vec![row]);
        }
        for host in busy {
            board.height += gap;
            board.lane(report, host, about(&report.hosts[host]).to_owned(), true, Vec::new());
        }
        for client in 1..clients {
            board.height += gap;
            board.client(scenario, report, client, true);
        }
        let idle: Vec<usize> = others.filter(|host| !is_used(*host)).collect();
        for (index, host) in idle.into_iter().enumerate() {
            board.height += if index == 0 { 38 } else { 24 };
            board.lane(report, host, "no packets".to_owned(), false, Vec::new());
        }
        board.height += 22;
        board
    }

    fn lane(&mut self, report: &Report, host: usize, about: String, is_used: bool, rows: Vec<Row>) {
        let (line, name) = (self.height, report.hosts[host].clone());
        self.lanes.push(Lane { host, name, about, is_used, line, label: line, edge: None, rows });
    }

    /// A client with its rows above its line, and its network below it; the other way round where `is_last`.
    fn client(&mut self, scenario: &Scenario, report: &Report, client: usize, is_last: bool) {
        let plan = &scenario.clients[client];
        let (flows, left) = bands::flows(report, client, MOST_FLOWS);
        let mut rows: Vec<Row> = Vec::new();
        let mut at = 0;
        let mut add = |name, class, height, gap, bands| {
            rows.push(Row { top: at, height, name, class, bands });
            at += height + gap;
        };
        for (name, bands) in bands::routes(scenario, report, client) {
            add(name, "route", 26, 4, bands);
        }
        let suspended = bands::suspended(scenario, report, client);
        if !suspended.is_empty() {
            add("application", "flow", 15, 3, suspended);
        }
        for (index, bands) in flows.into_iter().enumerate() {
            add(if index == 0 { "flows" } else { "" }, "flow", 15, 3, bands);
        }
        at += 15;
        let (line, edge) = (at, (at + 26, at + 46));
        let bands = bands::network(scenario, report, client);
        rows.push(Row { top: edge.0, height: edge.1 - edge.0, name: "network", class: "network", bands });
        let height = edge.1;
        let turn = |top: u32, own: u32| if is_last { height - top - own } else { top };
        let from = self.height + if is_last { 0 } else { 14 };
        for row in &mut rows {
            row.top = from + turn(row.top, row.height);
        }
        let mut about = match plan.mode {
            Mode::Smart => "smart mode",
            Mode::Normal => "normal mode",
            Mode::Off => "proxy off",
        }
        .to_owned();
        if left > 0 {
            about = format!("{about}; {left} flows found no room here");
        }
        let edge = (from + turn(edge.0, 0), from + turn(edge.1, 0));
        let lane = Lane {
            host: client,
            name: report.hosts[client].clone(),
            about,
            is_used: true,
            line: from + turn(line, 0),
            label: if is_last { from + height + 16 } else { from - 6 },
            edge: Some(edge),
            rows,
        };
        self.lanes.push(lane);
        self.height = from + height + if is_last { 28 } else { 0 };
    }
}

/// Which hosts packets came from or went to.
fn used(report: &Report) -> Vec<bool> {
    let mut used = vec![false; report.hosts.len()];
    for item in &report.items {
        if let What::Packet { to, toward, .. } = &item.what {
            for host in [Some(item.host), *to, *toward].into_iter().flatten() {
                used[host] = true;
            }
        }
    }
    used
}

fn about(name: &str) -> &'static str {
    match name {
        "servers" => "the targets of flows",
        "portal" => "answers for all",
        "interceptor" => "breaks TLS open",
        "private" => "nobody may go there",
        "intruder" => "asks the forbidden",
        _ => "",
    }
}

/// The rows for flows that a client has at most.
const MOST_FLOWS: usize = 10;
