//! Several windows at once.

use jiff::{SignedDuration, Timestamp};

use super::windows::{Answer, Fit, NotNow, Windows};
use super::working::Calendar;

/// How far windows that are open together are looked for: each of them may change often.
const TOGETHER_HOURS: i64 = 24 * 366;

impl Windows {
    /// Whether something can be done at an instant, and also finished where it is known how long it takes; if not, when
    /// first.
    pub fn ask(&self, takes: Option<SignedDuration>, now: Timestamp, calendar: &Calendar) -> Fit {
        if let Some(takes) = takes {
            return self.fits(now, takes, calendar);
        }
        match self.at(now, calendar) {
            Answer::Open { until } => Fit::Now { finish_by: until },
            Answer::Closed { opens_at: Some(start), because } => {
                Fit::At { start, because: NotNow::Closed(because) }
            }
            Answer::Closed { opens_at: None, because } => Fit::Never { because: NotNow::Closed(because) },
        }
    }
}

/// The first instant, from `now` on and within a year, at which all of these windows are open at once, each for as long
/// as it is asked for.
pub fn open_together(
    all: &[(&Windows, Option<SignedDuration>)],
    now: Timestamp,
    calendar: &Calendar,
) -> Option<Timestamp> {
    let end = now.saturating_add(SignedDuration::from_hours(TOGETHER_HOURS)).unwrap_or(Timestamp::MAX);
    let mut at = now;
    while at <= end {
        let opens = all.iter().map(|(windows, takes)| match windows.ask(*takes, at, calendar) {
            Fit::Now { .. } => Some(at),
            Fit::At { start, .. } => Some(start),
            Fit::Never { .. } => None,
        });
        let latest = opens.collect::<Option<Vec<Timestamp>>>()?.into_iter().max().unwrap_or(at);
        if latest <= at {
            return Some(at);
        }
        at = latest;
    }
    None
}
