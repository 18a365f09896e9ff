//! HTTP dates (RFC 9110, section 5.6.7): writes the preferred form, reads all three forms.
//!
//! Times are whole seconds since 1970-01-01 00:00:00 UTC, without leap seconds, up to the end of year 9999.

use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

/// 9999-12-31 23:59:59, the last second of the format.
const LAST_SECOND: i64 = 253_402_300_799;

/// Bytes of a date as [`format()`] writes it.
pub const LENGTH: usize = 29;

/// Writes `Sun, 06 Nov 1994 08:49:37 GMT`; times out of range become the nearest one in range.
pub fn format(seconds: i64) -> [u8; LENGTH] {
    let seconds = u64::try_from(seconds.clamp(0, LAST_SECOND)).unwrap_or(0);
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH);
    let text = HttpDate::from(time).to_string();
    text.as_bytes().try_into().unwrap_or(*b"Thu, 01 Jan 1970 00:00:00 GMT")
}

/// Reads a date in any of the three forms; `None` for other text, for days that do not exist and for years before 1970.
pub fn parse(bytes: &[u8]) -> Option<i64> {
    let time = httpdate::parse_http_date(std::str::from_utf8(bytes).ok()?).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37, the example of the RFC.
    const EXAMPLE: i64 = 784_111_777;

    fn text(seconds: i64) -> String {
        String::from_utf8(format(seconds).to_vec()).unwrap()
    }

    #[test]
    fn the_preferred_form_is_written() {
        assert_eq!(text(EXAMPLE), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(text(951_827_696), "Tue, 29 Feb 2000 12:34:56 GMT");
    }

    #[test]
    fn times_out_of_range_become_the_nearest_one() {
        assert_eq!(text(-5), text(0));
        assert_eq!(text(i64::MIN), text(0));
        assert_eq!(text(i64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn all_three_forms_are_read() {
        for form in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(form.as_bytes()), Some(EXAMPLE), "{form}");
        }
    }

    #[test]
    fn other_text_is_refused() {
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
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov -994 08:49:37 GMT",
            "Sun, 06 Nov 1894 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "\u{e4}",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_survives_the_round_trip() {
        const SECONDS_PER_DAY: i64 = 86_400;
        for day in 0..146_097 {
            let seconds = day * SECONDS_PER_DAY + day % SECONDS_PER_DAY;
            assert_eq!(parse(&format(seconds)), Some(seconds));
        }
    }
}
