//! Times and durations, for people.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A moment, in the zone of this machine.
pub(crate) fn at(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
}

/// A moment in a list, in the zone of this machine.
pub(crate) fn short(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long ago, or how long until.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    let span = now.duration_since(time);
    match span.as_secs() {
        0 => "just now".into(),
        seconds if seconds < 0 => format!("in {}", length(-span)),
        _ => format!("{} ago", length(span)),
    }
}

/// A length in its two largest units. What is over at once is not measured.
pub(crate) fn length(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let two = |large: i64, one: &str, small: i64, other: &str| match small {
        0 => format!("{large} {one}"),
        _ => format!("{large} {one} {small} {other}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) if seconds == 0 => "under 1 s".into(),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "min", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes, "min"),
        _ => two(days, "d", hours, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units_at_most() {
        let shown = |seconds: i64| length(SignedDuration::from_secs(seconds));
        let found = [-5, 0, 1, 59, 60, 61, 3_600, 3_725, 86_400, 90_000].map(shown);
        let expected = [
            "under 1 s",
            "under 1 s",
            "1 s",
            "59 s",
            "1 min",
            "1 min 1 s",
            "1 h",
            "1 h 2 min",
            "1 d",
            "1 d 1 h",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn moments_lie_before_or_after_now() {
        let now = Timestamp::UNIX_EPOCH;
        let shown = |seconds: i64| ago(now + SignedDuration::from_secs(seconds), now);
        assert_eq!([-60, 0, 60].map(shown), ["1 min ago", "just now", "in 1 min"]);
    }
}
