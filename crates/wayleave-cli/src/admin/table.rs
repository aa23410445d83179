//! Lists of what is open, as tables for a person.

use serde_json::Value;

/// The table of an answer of `/connections`; `None` where it is none.
pub(super) fn connections(answer: &str) -> Option<String> {
    table(answer, "connections", &["connection", "client", "carrier", "seconds", "tunnels", "held_bytes"])
}

/// That of `/tunnels`.
pub(super) fn tunnels(answer: &str) -> Option<String> {
    let columns = [
        "tunnel",
        "connection",
        "client",
        "state",
        "kind",
        "target",
        "app",
        "user",
        "seconds",
        "sent",
        "received",
    ];
    table(answer, "tunnels", &columns)
}

fn table(answer: &str, name: &str, columns: &[&str]) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let rows = answer.get(name)?.as_array()?;
    let head = columns.iter().map(|column| column.to_uppercase().replace('_', " ")).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|column| cell(row.get(column))).collect());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(cells).collect();
    let width =
        |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|it| it.chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for line in &lines {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += padded.collect::<Vec<_>>().join("  ").trim_end();
        text += "\n";
    }
    let more = answer.get("total")?.as_u64()?.saturating_sub(rows.len() as u64);
    if more > 0 {
        text += &format!("and {more} more; --limit shows up to 10000 of them\n");
    }
    Some(text)
}

/// What a person sees of a value. A name may hold what a terminal would obey.
fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".into(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    text.chars()
        .flat_map(|it| if it.is_control() { it.escape_default().collect::<Vec<_>>() } else { vec![it] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_says_what_is_missing_and_obeys_no_name() {
        let answer = r#"{"tunnels":[{"tunnel":"t1","connection":"c1","client":"192.0.2.1:5","state":"open","kind":"stream",
            "target":"a.example:443","app":"1001","user":"al\u001b[2Jice","seconds":1.5,"sent":7,"received":123456},
            {"tunnel":"t12","connection":"c1","state":"judged","sent":0,"received":0}],"total":5}"#;
        let table = tunnels(answer).unwrap();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        let place = |line: &str, word: &str| line.find(word).unwrap_or_else(|| panic!("{word} in {table}"));
        assert_eq!(place(lines[0], "STATE"), place(lines[1], "open"));
        assert_eq!(place(lines[0], "STATE"), place(lines[2], "judged"));
        assert!(lines[1].contains("\\u{1b}[2J") && !table.contains('\u{1b}'), "{table}");
        assert_eq!(lines[3], "and 3 more; --limit shows up to 10000 of them");
        assert_eq!(connections("{}"), None);
    }
}
