//! HTTP dates (RFC 9110 section 5.6.7): the preferred form is written, all three forms are read.
//!
//! Times are whole seconds since 1970-01-01 00:00:00 UTC, without leap seconds, from year 0 to 9999.

const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
const LONG_DAYS: [&[u8]; 7] = [b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday", b"Sunday"];
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const SECONDS_PER_DAY: i64 = 86_400;
/// 9999-12-31 23:59:59, the last second the format can express.
const LAST: i64 = 253_402_300_799;

/// The length of a date as [`format()`] writes it.
pub const LENGTH: usize = 29;

/// Writes `Sun, 06 Nov 1994 08:49:37 GMT`; times out of range are moved to the nearest end.
pub fn format(seconds: i64) -> [u8; LENGTH] {
    let seconds = seconds.clamp(0, LAST);
    let days = seconds.div_euclid(SECONDS_PER_DAY);
    let time = seconds.rem_euclid(SECONDS_PER_DAY);
    let (year, month, day) = civil_from_days(days);
    let text = std::format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        name(&DAYS, days.wrapping_add(3).rem_euclid(7)),
        name(&MONTHS, month.wrapping_sub(1)),
        time.div_euclid(3600),
        time.div_euclid(60).rem_euclid(60),
        time.rem_euclid(60),
    );
    text.as_bytes().try_into().unwrap_or(*b"Thu, 01 Jan 1970 00:00:00 GMT")
}

fn name<'a>(names: &[&'a [u8; 3]], index: i64) -> &'a str {
    let name = usize::try_from(index).ok().and_then(|index| names.get(index));
    name.and_then(|name| std::str::from_utf8(*name).ok()).unwrap_or_default()
}

/// Reads a date in any of the three forms; `now` decides the century of a two-digit year.
///
/// `None` when it is not exactly one of them, or names a day that does not exist. The name of the day of the week must be
/// one, but need not be the right one.
pub fn parse(bytes: &[u8], now: i64) -> Option<i64> {
    imf_fixdate(bytes).or_else(|| rfc850(bytes, now)).or_else(|| asctime(bytes))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(bytes: &[u8]) -> Option<i64> {
    let (day_name, rest) = bytes.split_first_chunk::<3>()?;
    if bytes.len() != LENGTH || !DAYS.contains(&day_name) {
        return None;
    }
    let rest = rest.strip_prefix(b", ")?;
    let (day, rest) = number(rest, 2)?;
    let (month, rest) = month(rest.strip_prefix(b" ")?)?;
    let (year, rest) = number(rest.strip_prefix(b" ")?, 4)?;
    let (time, rest) = time_of_day(rest.strip_prefix(b" ")?)?;
    (rest == b" GMT").then(|| seconds(year, month, day, time)).flatten()
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(bytes: &[u8], now: i64) -> Option<i64> {
    let rest = LONG_DAYS.iter().find_map(|day| bytes.strip_prefix(*day))?.strip_prefix(b", ")?;
    let (day, rest) = number(rest, 2)?;
    let (month, rest) = month(rest.strip_prefix(b"-")?)?;
    let (short_year, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let (time, rest) = time_of_day(rest.strip_prefix(b" ")?)?;
    if rest != b" GMT" {
        return None;
    }
    // A year that would lie more than 50 years ahead is the most recent past year with the same last two digits.
    let (this_year, ..) = civil_from_days(now.div_euclid(SECONDS_PER_DAY));
    let year = this_year.wrapping_sub(this_year.rem_euclid(100)).checked_add(short_year)?;
    let year = if year > this_year.checked_add(50)? { year.wrapping_sub(100) } else { year };
    seconds(year, month, day, time)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(bytes: &[u8]) -> Option<i64> {
    let (day_name, rest) = bytes.split_first_chunk::<3>()?;
    if !DAYS.contains(&day_name) {
        return None;
    }
    let (month, rest) = month(rest.strip_prefix(b" ")?)?;
    let rest = rest.strip_prefix(b" ")?;
    let (day, rest) = match rest.strip_prefix(b" ") {
        Some(rest) => number(rest, 1)?,
        None => number(rest, 2)?,
    };
    let (time, rest) = time_of_day(rest.strip_prefix(b" ")?)?;
    let (year, rest) = number(rest.strip_prefix(b" ")?, 4)?;
    rest.is_empty().then(|| seconds(year, month, day, time)).flatten()
}

/// `08:49:37` as seconds since midnight; a leap second counts as the last one of its minute.
fn time_of_day(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = number(bytes, 2)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?, 2)?;
    let (second, rest) = number(rest.strip_prefix(b":")?, 2)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let total = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second.min(59))?;
    Some((total, rest))
}

fn month(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (name, rest) = bytes.split_first_chunk::<3>()?;
    let index = MONTHS.iter().position(|month| *month == name)?;
    Some((i64::try_from(index).ok()?.checked_add(1)?, rest))
}

fn number(bytes: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (text, rest) = bytes.split_at_checked(digits)?;
    let value = super::framing::decimal(text)?;
    Some((value.try_into().ok()?, rest))
}

fn seconds(year: i64, month: i64, day: i64, time: i64) -> Option<i64> {
    let days = days_from_civil(year, month, day)?;
    // A day that does not exist (31 April) would come back as another one.
    if civil_from_days(days) != (year, month, day) {
        return None;
    }
    days.checked_mul(SECONDS_PER_DAY)?.checked_add(time)
}

/// Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap day is the last one.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = month.checked_add(9)?.rem_euclid(12);
    let day_of_year =
        month_from_march.checked_mul(153)?.checked_add(2)?.div_euclid(5).checked_add(day)?.checked_sub(1)?;
    let day_of_era = year_of_era
        .checked_mul(365)?
        .checked_add(year_of_era.div_euclid(4))?
        .checked_sub(year_of_era.div_euclid(100))?
        .checked_add(day_of_year)?;
    era.checked_mul(146_097)?.checked_add(day_of_era)?.checked_sub(719_468)
}

/// The inverse of [`days_from_civil`]: year, month 1-12, day 1-31.
#[expect(clippy::arithmetic_side_effects, reason = "days are divided down at once; nothing can leave the range of i64")]
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days.clamp(-719_468, 2_932_896) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37, the example of the RFC.
    const EXAMPLE: i64 = 784_111_777;
    const NOW: i64 = 1_795_000_000;

    fn text(seconds: i64) -> String {
        String::from_utf8(format(seconds).to_vec()).unwrap()
    }

    #[test]
    fn the_preferred_form_is_written() {
        assert_eq!(text(EXAMPLE), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(text(951_827_696), "Tue, 29 Feb 2000 12:34:56 GMT");
        assert_eq!(text(-5), text(0));
        assert_eq!(text(i64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn all_three_forms_are_read() {
        for form in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(form.as_bytes(), NOW), Some(EXAMPLE), "{form}");
        }
    }

    #[test]
    fn a_two_digit_year_lies_at_most_fifty_years_ahead() {
        let year = |short: &str| {
            let date = format!("Monday, 01-Jan-{short} 00:00:00 GMT");
            parse(date.as_bytes(), NOW).map(|seconds| text(seconds)[12..16].to_owned())
        };
        assert_eq!(year("26").as_deref(), Some("2026"));
        assert_eq!(year("76").as_deref(), Some("2076"));
        assert_eq!(year("77").as_deref(), Some("1977"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "",
            "0",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 31 Apr 2020 00:00:00 GMT",
            "Sun, 29 Feb 2023 00:00:00 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Xxx, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 Nov -994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
        ] {
            assert_eq!(parse(bad.as_bytes(), NOW), None, "{bad:?}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_survives_the_round_trip() {
        for day in 0..146_097 {
            let seconds = day * SECONDS_PER_DAY + day % SECONDS_PER_DAY;
            assert_eq!(parse(&format(seconds), NOW), Some(seconds));
        }
    }
}
