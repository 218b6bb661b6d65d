//! The calendar: zones, windows, times that come again, working days, outside calendars and freezes.
//!
//! All of it is pure: the time is an argument, and the rules of time zones are part of the program. What is true of every
//! part:
//!
//! - **Stretches of time are half-open**: their start belongs to them, their end does not.
//! - **Local times have an IANA zone** (or `UTC`, or `AoE`); offsets and abbreviations are refused.
//! - **What clocks leave out** when they are put forward is the first instant after the gap: 02:30 on 8 March 2026 in Los
//!   Angeles is 03:00. A window that begins and ends in a gap is empty on that day.
//! - **What clocks show twice** when they are put back: a window begins with the first occurrence and ends with the second;
//!   a fixed time is the first occurrence and comes once.
//! - **Midnight as an end**, and whole days, end where the next day begins.
//! - **Repetitions have an anchor**: `/2w from 2026-01-07` counts weeks, from Monday to Sunday, from that of the anchor, and
//!   means nothing before it.
//! - **Searches end**: what does not happen within ten years is told as never.
//! - **Texts are one line** and come back the same: every type is written with `Display` and read with `FromStr`, and that
//!   text is also its form in data.

mod days;
mod error;
mod feed;
mod freeze;
mod holidays;
pub mod ical;

mod long;
mod moment;
mod outside;
mod recurrence;
mod rrule;
mod rule;
mod times;
mod together;
mod windows;
mod words;
mod working;
mod yearly;
mod zone;

pub use days::{Days, Weekdays};
pub use error::{CalendarError, TEXT_MAX_BYTES};
pub use feed::{Busy, STRETCHES_MAX, Stretch, Titled};
pub use freeze::{Attempt, Doubt, Exempt, Exemption, Freeze, Frozen, Kind, Only, Scope};
pub use holidays::{HOLIDAYS_MAX, Holiday, HolidayCalendar, HolidayDay, Observed, YEARLY_MAX};
pub use long::LongRule;
pub use moment::{AWAY_MAX, Moment};
pub use outside::{Asked, Content, FILE_STRETCHES_MAX, FILE_YEARS, Lapse};
pub use recurrence::Recurrence;
pub use rrule::{COUNT_MAX, RecurrenceRule, TIMES_MAX};
pub use rule::{LASTS_MAX_DAYS, Rule};
pub use times::FixedTime;
pub use together::open_together;
pub use windows::{Answer, Because, Fit, NotNow, RULES_MAX, Windows};
pub use working::{Calendar, Off};
pub use yearly::Yearly;
pub use zone::Zone;

pub(crate) use days::weekday as weekday_word;
pub(crate) use words::{date as date_word, time as time_word};

/// How far every search goes, in days: ten years.
pub const HORIZON_DAYS: usize = 3653;
