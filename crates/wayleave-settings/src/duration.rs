//! Spans of time as people write and read them.

use std::time::Duration;

/// Reads a number with a unit: `250ms`, `1s`, `1.5s`, `10m`, `1h`, `7d`; a number alone is seconds.
///
/// # Errors
/// What to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || "write a number and a unit, like 250ms, 1s, 10m, 1h or 7d; a number alone is seconds".to_owned();
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let secs = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(wrong());
    }
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let span = Duration::try_from_secs_f64(number * secs).map_err(|_| wrong())?;
    if span > LONGEST { Err("write a time of at most 36500d".to_owned()) } else { Ok(span) }
}

/// Writes a span with its two largest units: `2 d 3 h`, `59 min 58 s`, `4 s`.
pub fn words(span: Duration) -> String {
    let secs = span.as_secs();
    let units = [(secs / 86_400, "d"), (secs / 3_600 % 24, "h"), (secs / 60 % 60, "min"), (secs % 60, "s")];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(units.len() - 1);
    let written = units.iter().skip(first).take(2).filter(|(count, _)| *count > 0 || secs == 0);
    written.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

/// A hundred years: more is a slip, and sums of times stay far from any end.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_or_are_seconds() {
        let read = [
            ("0", 0),
            ("10", 10_000),
            ("500ms", 500),
            ("1s", 1_000),
            ("1.5s", 1_500),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
        ];
        for (text, millis) in read {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "s", "-1s", "1 s", "1S", "1w", "+1s", "1e3", "1.2.3s", "inf", "nan", ".", "99999999d", "1sé"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_name_the_two_largest_units() {
        for (secs, text) in [
            (0, "0 s"),
            (4, "4 s"),
            (60, "1 min"),
            (3_598, "59 min 58 s"),
            (3_601, "1 h"),
            (183_600, "2 d 3 h"),
        ] {
            assert_eq!(words(Duration::from_secs(secs)), text);
        }
    }
}
