//! Points in time as text (RFC 3339), for file names and for people.

use gatepass_oauth::UtcMillis;

/// Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar.
const DAYS_TO_EPOCH: i64 = 719_468;
/// Days of the calendar's cycle of 400 years.
const DAYS_OF_CYCLE: i64 = 146_097;

/// The year, month and day of a count of days since 1970-01-01.
///
/// The year is taken to begin in March, so that the leap day is its last and every month but it has
/// a fixed place: 153 days for each five months.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_EPOCH;
    let (cycle, day) = (days.div_euclid(DAYS_OF_CYCLE), days.rem_euclid(DAYS_OF_CYCLE));
    let year = (day - day / 1460 + day / 36_524 - day / (DAYS_OF_CYCLE - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (cycle * 400 + year, if month < 10 { month + 3 } else { month - 9 });
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// `2026-11-21T22:01:50Z`.
#[must_use]
pub fn rfc3339(time: UtcMillis) -> String {
    let seconds = time.seconds();
    let ((year, month, day), second) = (civil(seconds.div_euclid(86_400)), seconds.rem_euclid(86_400));
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// `2026-11-21T220150Z`: without the colons that some file systems refuse.
#[must_use]
pub fn file_stamp(time: UtcMillis) -> String {
    rfc3339(time).replace(':', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_are_written_as_the_calendar_has_them() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_795_298_510, "2026-11-21T22:01:50Z"),
        ];
        for (seconds, text) in table {
            assert_eq!(rfc3339(UtcMillis::from_seconds(seconds)), text);
        }
        assert_eq!(file_stamp(UtcMillis(0)), "1970-01-01T000000Z");
    }
}
