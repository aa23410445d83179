//! Packets and marks, as data for the script of the page.

use std::collections::BTreeMap;

use wayleave_proto::base::Instant;

use super::html::{json, list};
use super::lanes::Board;
use super::story::Moment;
use super::time::{Axis, FOLDED, number};
use crate::trace::{Item, What};
use crate::{Report, Scenario};

/// What there is to draw.
#[derive(Debug, Default)]
pub(super) struct Arrows<'a> {
    /// Packets, one by one or as a sheaf.
    arrows: Vec<Arrow<'a>>,
    /// How many packets there were, how many of them did not arrive, and how many stand in sheaves.
    pub(super) packets: usize,
    pub(super) lost: usize,
    pub(super) merged: usize,
}

#[derive(Clone, Debug)]
struct Arrow<'a> {
    at: Instant,
    from: usize,
    to: Option<usize>,
    toward: Option<usize>,
    arrives: Option<Instant>,
    is_stream: bool,
    is_double: bool,
    bytes: usize,
    /// The ends, the rest of the label, and why it was lost.
    words: [&'a str; 3],
    /// How many packets it stands for, and until when they were sent.
    count: usize,
    until: Instant,
}

/// Texts by number, each once.
#[derive(Debug, Default)]
struct Texts {
    numbers: BTreeMap<String, usize>,
    all: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.all.len();
        self.numbers.insert(text.to_owned(), number);
        self.all.push(text.to_owned());
        number
    }
}

impl<'a> Arrows<'a> {
    /// The packets of a run; those near `moments` stay apart where there are too many.
    pub(super) fn new(report: &'a Report, moments: &[Instant]) -> Self {
        let mut arrows = Self::default();
        for item in &report.items {
            arrows.add(item);
        }
        arrows.merge(moments);
        arrows
    }

    fn add(&mut self, item: &'a Item) {
        let What::Packet { to, toward, arrives, again, is_stream, payload, label, lost } = &item.what else {
            return;
        };
        self.packets += 1;
        self.lost += usize::from(lost.is_some());
        let split = [" TCP ", " UDP", " ICMP"].iter().filter_map(|word| label.find(word)).min();
        let (ends, rest) = label.split_at(split.unwrap_or(0));
        let words = [ends, rest.trim_start(), lost.as_deref().unwrap_or("")];
        let arrow = Arrow {
            at: item.at,
            from: item.host,
            to: *to,
            toward: *toward,
            arrives: *arrives,
            is_stream: *is_stream,
            is_double: false,
            bytes: *payload,
            words,
            count: 1,
            until: item.at,
        };
        for double in again {
            self.arrows.push(Arrow { arrives: Some(*double), is_double: true, ..arrow.clone() });
        }
        self.arrows.push(arrow);
    }

    /// Where there are too many packets, those far from what matters become sheaves: one arrow for all that went the same
    /// way within a while.
    fn merge(&mut self, moments: &[Instant]) {
        let mut while_of = 50_000_000;
        while self.arrows.len() > MOST && while_of < 1 << 44 {
            self.merge_once(moments, while_of, while_of > 4_000_000_000);
            while_of *= 4;
        }
    }

    fn merge_once(&mut self, moments: &[Instant], while_of: u64, everywhere: bool) {
        let near = |at: Instant| {
            moments.iter().any(|moment| at.since(*moment).max(moment.since(at)).as_millis() < NEAR)
        };
        let mut sheaves: BTreeMap<_, Arrow<'a>> = BTreeMap::new();
        let mut kept = Vec::new();
        for arrow in core::mem::take(&mut self.arrows) {
            if !everywhere && near(arrow.at) {
                kept.push(arrow);
                continue;
            }
            let lost = arrow.words[2];
            let key = (
                arrow.at.as_nanos() / while_of,
                arrow.from,
                arrow.to,
                arrow.toward,
                arrow.is_stream,
                arrow.is_double,
                lost,
            );
            match sheaves.get_mut(&key) {
                Some(sheaf) => {
                    sheaf.count += arrow.count;
                    sheaf.bytes += arrow.bytes;
                    sheaf.until = sheaf.until.max(arrow.until);
                    sheaf.words = ["", "", lost];
                }
                None => {
                    sheaves.insert(key, arrow);
                }
            }
        }
        kept.extend(sheaves.into_values());
        kept.sort_by_key(|arrow| (arrow.at, arrow.from));
        self.arrows = kept;
        self.merged = self.arrows.iter().filter(|arrow| arrow.count > 1).map(|arrow| arrow.count).sum();
    }

    /// All of it as JSON.
    pub(super) fn data(
        &self,
        (scenario, report): (&Scenario, &Report),
        board: &Board,
        axis: &Axis,
        view: (Instant, Instant),
        moments: &[Moment],
    ) -> String {
        let mut texts = Texts::default();
        // Number 0 is no text.
        texts.number("");
        let lanes = list(board.lanes.iter().map(|lane| {
            let (near, far) = lane.edge.unwrap_or((0, 0));
            format!(
                "{{\"host\":{},\"name\":{},\"y\":{},\"near\":{near},\"far\":{far}}}",
                lane.host,
                json(&lane.name),
                lane.line
            )
        }));
        let marks = list(moments.iter().filter(|moment| moment.is_mark).map(|moment| {
            let text = texts.number(&moment.text);
            format!("[{},{},{},{text}]", number(moment.at), moment.host, json(moment.class))
        }));
        let packets =
            list(self.arrows.iter().map(|arrow| arrow.data(class(scenario, report, arrow), &mut texts)));
        let folds = list(axis.folds.iter().map(|(from, to)| format!("[{},{}]", number(*from), number(*to))));
        let texts = list(texts.all.iter().map(|text| json(text)));
        format!(
            "{{\"view\":[{},{}],\"end\":{},\"folded\":{FOLDED},\"folds\":{folds},\"height\":{},\"lanes\":{lanes},\"marks\":{marks},\n\
             \"packets\":{packets},\n\"texts\":{texts}}}",
            number(view.0),
            number(view.1),
            number(axis.end),
            board.height
        )
    }
}

impl Arrow<'_> {
    /// When, how long it travels (or -1), from, to, toward, way, transport and double, bytes, texts; for a sheaf also how
    /// many, and for how long.
    fn data(&self, class: u8, texts: &mut Texts) -> String {
        let host = |host: Option<usize>| host.map_or_else(|| "-1".to_owned(), |host| host.to_string());
        let travels =
            self.arrives.map_or_else(|| "-1".to_owned(), |to| number(Instant::ZERO + to.since(self.at)));
        let sort = u8::from(self.is_stream) + 2 * u8::from(self.is_double);
        let [ends, rest, lost] = self.words.map(|word| texts.number(word));
        let mut data = format!(
            "[{},{travels},{},{},{},{class},{sort},{},{ends},{rest},{lost}",
            number(self.at),
            self.from,
            host(self.to),
            host(self.toward),
            self.bytes
        );
        if self.count > 1 {
            let lasts = number(Instant::ZERO + self.until.since(self.at));
            data.push_str(&format!(",{},{lasts}", self.count));
        }
        data.push(']');
        data
    }
}

/// Which way a packet goes: 0 directly, 1 between client and relay, 2 between relay and target, 3 with anybody else.
fn class(scenario: &Scenario, report: &Report, arrow: &Arrow<'_>) -> u8 {
    let (clients, relays) = (scenario.clients.len(), scenario.relays.len());
    let role = |host: Option<usize>| match host {
        Some(host) if host < clients => 'c',
        Some(host) if host < clients + relays => 'r',
        Some(host) if matches!(report.hosts[host].as_str(), "intruder" | "portal" | "interceptor") => 'x',
        _ => 't',
    };
    match (role(Some(arrow.from)), role(arrow.toward.or(arrow.to))) {
        ('x', _) | (_, 'x') => 3,
        ('c', 'r') | ('r', 'c') => 1,
        ('c', _) | (_, 'c') => 0,
        ('r', _) | (_, 'r') => 2,
        _ => 3,
    }
}

/// So many arrows the page draws at most.
pub(super) const MOST: usize = 16_000;
/// What is as near to something that matters stays apart, in milliseconds.
const NEAR: u128 = 700;
