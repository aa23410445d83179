//! Dates as HTTP writes them: [RFC 9110 §5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7).

use crate::base::UnixTime;

/// The moment as an IMF-fixdate, to the second: `Sun, 06 Nov 1994 08:49:37 GMT`. Beyond the year 9999 it stays there, since
/// the form has four digits for it.
pub fn imf_fixdate(time: UnixTime) -> String {
    let secs = time.as_secs().min(LAST_SECOND);
    let (days, second) = (secs / DAY, secs % DAY);
    let (year, month, day) = civil(days);
    let weekday = WEEKDAYS.get((days + 4) as usize % 7).copied().unwrap_or_default();
    let month = MONTHS.get(month as usize - 1).copied().unwrap_or_default();
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// The moment that an IMF-fixdate names; `None` for anything else, the obsolete forms too. The name of the day is not
/// compared with the date.
pub fn parse_imf_fixdate(text: &str) -> Option<UnixTime> {
    let (weekday, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let [day, month, year, time, zone] = core::array::from_fn(|_| words.next());
    if words.next().is_some() || !WEEKDAYS.contains(&weekday) || zone? != "GMT" {
        return None;
    }
    let month = MONTHS.iter().position(|known| Some(*known) == month)? as u64 + 1;
    let mut parts = time?.split(':');
    let [hour, minute, second] = core::array::from_fn(|_| parts.next().and_then(|part| number(part, 2)));
    let (hour, minute, second) = (hour?, minute?, second?);
    let (day, year) = (number(day?, 2)?, number(year?, 4)?);
    // A leap second counts as the one before it.
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 || year < 1_970 {
        return None;
    }
    let days = days_of(year, month, day);
    if day == 0 || civil(days) != (year, month, day) {
        return None;
    }
    Some(UnixTime::from_secs(days * DAY + hour * 3_600 + minute * 60 + second.min(59)))
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01. Years are counted from March, so that the day
/// that not every year has is the last one.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + MARCH_OF_YEAR_0;
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / (ERA - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// How many days after 1970-01-01 a day is, of the year 1970 or later.
const fn days_of(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month + 2) / 5 + day.saturating_sub(1);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * ERA + day_of_era).saturating_sub(MARCH_OF_YEAR_0)
}

const DAY: u64 = 86_400;
/// Days of 400 years.
const ERA: u64 = 146_097;
/// Days from the first of March of the year 0 to 1970-01-01.
const MARCH_OF_YEAR_0: u64 = 719_468;
/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (secs, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            // RFC 9110 §5.6.7.
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_164_799, "Wed, 28 Feb 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (LAST_SECOND, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let time = UnixTime::from_secs(secs);
            assert_eq!(imf_fixdate(time), date);
            assert_eq!(parse_imf_fixdate(date), Some(time), "{date}");
        }
        assert_eq!(imf_fixdate(UnixTime::from_secs(u64::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
        for step in 0..4_000 {
            let time = UnixTime::from_secs(step * 86_399 * 23);
            assert_eq!(parse_imf_fixdate(&imf_fixdate(time)), Some(time));
        }
    }

    #[test]
    fn what_is_no_such_date_is_none() {
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Xxx, 06 Nov 1994 08:49:37 GMT",
            "Thu, 30 Feb 2023 00:00:00 GMT",
            "Thu, 00 Mar 2023 00:00:00 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
        ] {
            assert_eq!(parse_imf_fixdate(text), None, "{text}");
        }
    }
}
