//! A strict reader of the exposition formats, written from their specifications and not from the writer.

use std::collections::{BTreeMap, BTreeSet};

/// What one exposition says.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    /// The type of each family.
    pub(super) types: BTreeMap<String, String>,
    /// The value of each sample, by its name with its labels.
    pub(super) samples: BTreeMap<String, u64>,
}

/// Reads a whole exposition, in which families must not be mixed, repeated, or without a HELP and a TYPE before their samples.
///
/// # Panics
/// With the line that breaks a rule.
pub(super) fn read(text: &str, is_open_metrics: bool) -> Exposition {
    let mut read = Exposition::default();
    let (mut helped, mut current) = (BTreeSet::new(), String::new());
    assert!(text.ends_with('\n') && !text.contains('\r'), "each line ends with a line feed");
    let mut lines = text.lines().collect::<Vec<_>>();
    if is_open_metrics {
        assert_eq!(lines.pop(), Some("# EOF"), "OpenMetrics says where it ends");
    }
    for line in lines {
        if let Some(comment) = line.strip_prefix("# ") {
            let (keyword, rest) = comment.split_once(' ').expect(line);
            let (family, said) = rest.split_once(' ').expect(line);
            assert!(is_name(family) && !said.is_empty(), "{line}");
            match keyword {
                "HELP" => assert!(helped.insert(family.to_owned()), "twice: {line}"),
                "TYPE" => {
                    assert!(helped.contains(family), "no HELP before: {line}");
                    current = family.to_owned();
                    assert!(read.types.insert(current.clone(), said.to_owned()).is_none(), "twice: {line}");
                }
                "UNIT" => assert!(is_open_metrics && family.ends_with(&format!("_{said}")), "{line}"),
                _ => panic!("an unknown keyword: {line}"),
            }
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect(line);
        let name = sample.split_once('{').map_or(sample, |(name, labels)| {
            check_labels(labels, line);
            name
        });
        let kind = read.types.get(&current).expect(line).as_str();
        let end = match (kind, is_open_metrics) {
            ("counter", true) => "_total",
            ("info", true) => "_info",
            ("counter" | "gauge", _) => "",
            _ => panic!("an unknown type: {line}"),
        };
        assert_eq!(name, format!("{current}{end}"), "of another family: {line}");
        assert!(is_name(name) && (kind != "counter" || name.ends_with("_total")), "{line}");
        let value = value.parse().expect(line);
        assert!(read.samples.insert(sample.to_owned(), value).is_none(), "twice: {line}");
    }
    assert!(helped.iter().all(|family| read.types.contains_key(family)), "a HELP without a TYPE");
    read
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

fn check_labels(labels: &str, line: &str) {
    let labels = labels.strip_suffix('}').expect(line);
    for label in labels.split(',') {
        let (name, value) = label.split_once('=').expect(line);
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).expect(line);
        assert!(is_name(name) && !value.is_empty() && !value.contains(['"', '\\', '\n']), "{line}");
    }
}
