//! Times and durations, for people.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A moment, in the zone of this machine.
pub(crate) fn at(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
}

/// How long ago, or how long until.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    let span = now.duration_since(time);
    if span.is_negative() { format!("in {}", length(-span)) } else { format!("{} ago", length(span)) }
}

/// A length in its two largest units.
pub(crate) fn length(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds == 0 => format!("{} ms", span.as_millis().max(0)),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
