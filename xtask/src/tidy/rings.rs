//! Methods that call each other in rings: one input of a top machine can be followed from its door to its end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fault, File};

/// No method of a top machine comes back to itself by what it calls on itself, but for the rings that are listed.
pub(super) fn check(files: &[File], faults: &mut Vec<Fault>) {
    for (room, machine) in MACHINES {
        let methods = methods(files, room, machine);
        let mut listed: Vec<&Ring> = RINGS.iter().filter(|(of, ..)| of == machine).collect();
        for ring in rings(&methods) {
            let names: Vec<&str> = ring.iter().map(String::as_str).collect();
            if let Some(place) = listed.iter().position(|(_, methods, _)| *methods == names.as_slice()) {
                listed.remove(place);
            } else if let Some(method) = ring.first().and_then(|name| methods.get(name)) {
                let rule = format!("methods of {machine} call each other in a ring: {}", names.join(", "));
                faults.push(Fault { path: method.path.clone(), line: method.line, rule });
            }
        }
        for (_, gone, _) in listed.iter().filter(|_| !methods.is_empty()) {
            let rule = format!("no ring of {machine} any more, strike it out: {}", gone.join(", "));
            faults.push(Fault { path: file!().into(), line: 0, rule });
        }
    }
}

/// A method, where it stands and what it calls on `self`.
struct Method {
    path: String,
    line: usize,
    calls: BTreeSet<String>,
}

/// The methods of `machine` in all files of its room, tests apart.
fn methods(files: &[File], room: &str, machine: &str) -> BTreeMap<String, Method> {
    let mut methods: BTreeMap<String, Method> = BTreeMap::new();
    let in_room = |file: &&File| file.path.starts_with(room) && file.is_rust() && !file.is_test();
    for file in files.iter().filter(in_room) {
        let (mut inside, mut current) = (false, None::<String>);
        for (line, text) in (1..).zip(file.text.lines()) {
            // The code is formatted: what is at the margin begins or ends a block, and a method is indented once.
            if !text.starts_with([' ', '\t']) && !text.is_empty() {
                inside = is_impl(text, machine);
                current = None;
            }
            if !inside {
                continue;
            }
            if let Some(name) = declared(text) {
                let new = || Method { path: file.path.clone(), line, calls: BTreeSet::new() };
                methods.entry(name.clone()).or_insert_with(new);
                current = Some(name);
            }
            let code = text.split("//").next().unwrap_or_default();
            if let Some(method) = current.as_ref().and_then(|name| methods.get_mut(name)) {
                method.calls.extend(called(code));
            }
        }
    }
    methods
}

/// Whether a line begins a block of methods of `machine`.
fn is_impl(line: &str, machine: &str) -> bool {
    let Some(rest) = line.strip_prefix("impl") else { return false };
    let Some(of) = rest.trim_end().strip_suffix('{') else { return false };
    let of = of.trim_end().rsplit(' ').next().unwrap_or_default();
    of.split('<').next() == Some(machine)
}

/// The name of the method that a line begins.
fn declared(line: &str) -> Option<String> {
    let text = line.strip_prefix("    ").filter(|text| !text.starts_with([' ', '/']))?;
    let (before, after) = text.split_once("fn ")?;
    let is_head = before.split_whitespace().all(|word| {
        word.starts_with("pub")
            || matches!(word, "const" | "async" | "super)" | "crate)")
            || word.contains("::")
    });
    is_head.then(|| name(after)).filter(|name| !name.is_empty())
}

/// What a line calls on `self`, or names as a method of its own type.
fn called(code: &str) -> impl Iterator<Item = String> + '_ {
    let after = move |word: &'static str| {
        code.match_indices(word).filter_map(move |(place, _)| {
            let is_word = !code[..place].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
            is_word.then(|| &code[place + word.len()..])
        })
    };
    let is_call = |text: &&str| text[name(text).len()..].starts_with(['(', ':']);
    after("self.").filter(is_call).chain(after("Self::")).map(name).filter(|name| !name.is_empty())
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// The methods that reach each other, ring by ring, each in the order of their names.
fn rings(methods: &BTreeMap<String, Method>) -> BTreeSet<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        methods.keys().map(|from| (from, reached(methods, from))).collect();
    let reaches = |from: &String, to: &String| reach.get(from).is_some_and(|reached| reached.contains(to));
    let in_ring = methods.keys().filter(|name| reaches(name, name));
    in_ring
        .map(|name| methods.keys().filter(|to| reaches(name, to) && reaches(to, name)).cloned().collect())
        .collect()
}

fn reached<'a>(methods: &'a BTreeMap<String, Method>, from: &String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = methods.get(from).into_iter().flat_map(|method| &method.calls).collect();
    while let Some(name) = next.pop() {
        if let Some(method) = methods.get(name)
            && reached.insert(name)
        {
            next.extend(&method.calls);
        }
    }
    reached
}

/// The machines that are looked at, each with its room.
const MACHINES: &[(&str, &str)] = &[
    ("crates/wayleave-proto/src/client/", "Client"),
    ("crates/wayleave-proto/src/client/pool/", "Pool"),
    ("crates/wayleave-proto/src/carrier/h1/", "Downlink"),
    ("crates/wayleave-proto/src/relay/", "Relay"),
];

/// A ring that may stay: its machine, its methods in the order of their names, and why.
type Ring = (&'static str, &'static [&'static str], &'static str);

const RINGS: &[Ring] = &[];
