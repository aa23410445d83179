//! Dependencies point down only: among the rooms of the core, and among the crates.

use super::{Fault, File};

/// A `use crate::` line of the core names a room that is not above its own, and a manifest no crate of its own floor.
pub(super) fn check(file: &File, faults: &mut Vec<Fault>) {
    if let Some(path) = file.path.strip_prefix(CORE) {
        if file.is_rust() && !file.is_test() && !path.starts_with("testing/") {
            check_room(file, path, faults);
        }
    } else if file.path.ends_with("/Cargo.toml") {
        check_crate(file, faults);
    }
}

fn check_room(file: &File, path: &str, faults: &mut Vec<Fault>) {
    let Some((room, _)) = path.split_once('/') else { return };
    let Some(own) = floor(room) else {
        faults.push(
            file.fault(0, format!("the room `{room}` is new; give it a floor in xtask/src/tidy/arrows.rs")),
        );
        return;
    };
    for (line, text) in (1..).zip(file.text.lines()) {
        for used in rooms_used(text) {
            let allowed =
                used == room || floor(used).is_some_and(|used| used < own || (used == own && own < APART));
            if !allowed {
                faults
                    .push(file.fault(line, format!("`{room}` must not use `{used}`; imports go down only")));
            }
        }
    }
}

/// The rooms that a `use crate::` line names.
fn rooms_used(line: &str) -> Vec<&str> {
    let line = line.trim_start();
    let is_import = line.starts_with("use ") || (line.starts_with("pub") && line.contains(" use "));
    let Some((_, path)) = line.split_once("use crate::").filter(|_| is_import) else { return Vec::new() };
    let word = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    match path.strip_prefix('{') {
        None => vec![&path[..word(path)]],
        Some(list) => {
            let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| &part[..word(part)]).filter(|name| !name.is_empty()).collect()
        }
    }
}

fn check_crate(file: &File, faults: &mut Vec<Fault>) {
    let own = file.path.trim_end_matches("/Cargo.toml").rsplit('/').next().unwrap_or_default();
    let own =
        if file.path.starts_with("crates/") { own } else { file.path.split('/').next().unwrap_or_default() };
    for (line, text) in (1..).zip(file.text.lines()) {
        let name: &str = text.split(['.', ' ', '=']).next().unwrap_or_default();
        if name.starts_with("wayleave-") && storey(name) >= storey(own) {
            faults.push(
                file.fault(line, format!("`{own}` must not depend on `{name}`; arrows point down only")),
            );
        }
    }
}

/// How high a room of the core stands.
fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// How high a crate stands: the core, the loop over it and the sockets that adapters share, then adapters, the files of
/// settings and the simulator, the agent, the command, and what tests them all.
fn storey(name: &str) -> usize {
    match name {
        "xtask" | "wayleave-proto" => 0,
        "wayleave-drive" | "wayleave-link" | "wayleave-sockets" => 1,
        "wayleave-agent" => 3,
        "wayleave-cli" => 4,
        "wayleave-fuzz" => 5,
        "bench" | "fuzz" | "tests" | "wayleave-bench" | "wayleave-tests" => 6,
        _ => 2,
    }
}

const CORE: &str = "crates/wayleave-proto/src/";

/// From the ground up.
const FLOORS: [&[&str]; 6] = [
    &["base"],
    &["codec", "error"],
    &["auth", "policy", "queue"],
    &["carrier", "config", "net"],
    &["local", "route"],
    &["client", "relay"],
];

/// From this floor on, rooms of one floor do not know each other.
const APART: usize = 4;
