//! What no file says: paths of one machine, promises to come back, citations in another form.

use super::{Fault, File};

/// No path of one machine, no marker of unfinished work, every RFC cited in one form.
pub(super) fn check(file: &File, faults: &mut Vec<Fault>) {
    for (line, text) in (1..).zip(file.text.lines()) {
        for path in HOST_PATHS {
            if is_host_path(text, path) {
                faults.push(file.fault(line, format!("`{path}` is a path of one machine")));
            }
        }
        for marker in MARKERS {
            if text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == marker) {
                faults.push(file.fault(line, format!("`{marker}`: do it, or file it as an issue")));
            }
        }
        if let Some(rule) = citation_fault(text) {
            faults.push(file.fault(line, rule));
        }
    }
}

/// Whether an absolute path begins so; not a part of a longer relative one.
fn is_host_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(place, _)| {
        let before = line[..place].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | ')'))
    })
}

/// What is wrong with the citations of a line: they read `RFC 9298` or `RFC 9298 §3.1`, and a link beside one leads
/// there.
fn citation_fault(line: &str) -> Option<String> {
    for (place, _) in line.match_indices("RFC") {
        let after = &line[place + 3..];
        let number = after.trim_start_matches([' ', '-', '_', '\u{a0}']);
        let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        if digits == 0 || line[..place].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let (number, rest) = number.split_at(digits);
        let form = || Some(format!("cite as `RFC {number}` or `RFC {number} §3.1`"));
        if !after.starts_with(&format!(" {number}")) {
            return form();
        }
        let loose = rest.trim_start_matches([' ', ',', '(']).to_ascii_lowercase();
        if loose.starts_with("section") || loose.starts_with("sec.") || loose.starts_with("appendix") {
            return form();
        }
        let section = match rest.find('§') {
            Some(0) => return form(),
            Some(1) if rest.starts_with(' ') => {
                let section = &rest[" §".len()..];
                let end =
                    section.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(section.len());
                if end == 0 {
                    return form();
                }
                section[..end].trim_end_matches('.')
            }
            _ => "",
        };
        if let Some((_, link)) = rest.split_once("](").filter(|(text, _)| !text.contains(['[', ']'])) {
            let anchor = match section.starts_with(|c: char| c.is_ascii_digit()) {
                true => format!("https://www.rfc-editor.org/rfc/rfc{number}#section-{section})"),
                false if section.is_empty() => format!("https://www.rfc-editor.org/rfc/rfc{number})"),
                false => format!("https://www.rfc-editor.org/rfc/rfc{number}#appendix-{section})"),
            };
            if !link.starts_with(&anchor) {
                return Some(format!("the link of RFC {number} has to be {}", anchor.trim_end_matches(')')));
            }
        }
    }
    None
}

/// Written apart, so that this file does not break its own rule.
const HOST_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/t", "mp/")];

const MARKERS: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
