//! Laws, held against a reading of the clock minute by minute.

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Span, Timestamp};
use proptest::prelude::*;
use tollgate_core::calendar::{
    Answer, Calendar, Days, Fit, FixedTime, HolidayCalendar, Moment, RecurrenceRule, Rule, Weekdays, Windows,
    Yearly, Zone,
};

/// Zones with days at which their clocks change, and others at which nothing happens.
const PLACES: &[(&str, &str)] = &[
    ("America/Los_Angeles", "2026-03-08"),
    ("America/Los_Angeles", "2026-11-01"),
    ("Europe/London", "2026-03-29"),
    ("Europe/London", "2026-10-25"),
    ("Africa/Cairo", "2026-04-24"),
    ("America/Havana", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Asia/Beirut", "2026-10-25"),
    ("Africa/Nairobi", "2028-02-29"),
    ("AoE", "2026-12-31"),
    ("UTC", "2026-01-01"),
];

/// The minutes of some days, with what clocks show in each.
struct Minutes {
    start: Timestamp,
    shown: Vec<DateTime>,
}

impl Minutes {
    fn around(zone: &Zone, middle: Date) -> Self {
        let day = |days: i32| middle.saturating_add(Span::new().days(days));
        let start = zone.day_start(day(-4));
        let count = zone.day_start(day(4)).duration_since(start).as_mins();
        let shown = (0..count).map(|minute| zone.local(start + SignedDuration::from_mins(minute))).collect();
        Self { start, shown }
    }

    fn instant(&self, minute: usize) -> Timestamp {
        self.start + SignedDuration::from_mins(i64::try_from(minute).expect("few"))
    }

    /// The first minute at which clocks show this or something later.
    fn first(&self, local: DateTime) -> usize {
        self.shown.iter().position(|shown| *shown >= local).unwrap_or(self.shown.len())
    }

    /// The last minute at which clocks show this; where they leave it out, the first that shows something later.
    fn last(&self, local: DateTime) -> usize {
        self.shown.iter().rposition(|shown| *shown == local).unwrap_or_else(|| self.first(local))
    }
}

/// A rule in numbers, from which its text and its minutes are made apart from each other.
#[derive(Debug, Clone)]
struct Made {
    /// Days of the week, from Monday.
    days: [bool; 7],
    start: i16,
    end: i16,
    every: bool,
}

fn made() -> impl Strategy<Value = Made> {
    let quarter = || (0..96_i16).prop_map(|quarter| quarter * 15);
    let days = proptest::array::uniform7(any::<bool>()).prop_filter("a day", |days| days.contains(&true));
    (days, quarter(), quarter(), any::<bool>())
        .prop_filter("hours", |(_, start, end, _)| start != end)
        .prop_map(|(days, start, end, every)| Made { days, start, end, every })
}

fn clock(minutes: i16) -> Time {
    Time::midnight().wrapping_add(Span::new().minutes(minutes))
}

impl Made {
    fn names(&self) -> Vec<&'static str> {
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        names.into_iter().zip(self.days).filter(|(_, on)| *on).map(|(name, _)| name).collect()
    }

    /// An anchor some weeks before a date, on one of the days.
    fn anchor(&self, middle: Date) -> Date {
        let mut anchor = middle.saturating_sub(Span::new().days(150));
        while !self.on(anchor) {
            anchor = anchor.tomorrow().expect("a day");
        }
        anchor
    }

    fn on(&self, date: Date) -> bool {
        self.days[usize::try_from(date.weekday().to_monday_zero_offset()).expect("few")]
    }

    fn text(&self, zone: &Zone, middle: Date) -> String {
        let hours = format!("{}-{}", clock(self.start).strftime("%H:%M"), clock(self.end).strftime("%H:%M"));
        let every = if self.every { format!(" /2w from {}", self.anchor(middle)) } else { String::new() };
        format!("{} {hours} {zone}{every}", self.names().join(","))
    }

    /// Marks the minutes of the rule.
    fn mark(&self, minutes: &Minutes, middle: Date, marks: &mut [bool]) {
        let first = middle.saturating_sub(Span::new().days(7));
        let monday =
            |date: Date| date.saturating_sub(Span::new().days(date.weekday().to_monday_zero_offset()));
        for date in first.series(Span::new().days(1)).take(14).filter(|date| self.on(*date)) {
            let weeks = (date - monday(self.anchor(middle))).get_days() / 7;
            if self.every && weeks % 2 != 0 {
                continue;
            }
            let end_day = if self.end < self.start { date.tomorrow().expect("a day") } else { date };
            let end = end_day.to_datetime(clock(self.end));
            let start = minutes.first(date.to_datetime(clock(self.start)));
            let end = if self.end == 0 { minutes.first(end) } else { minutes.last(end) };
            (start..end).for_each(|minute| marks[minute] = true);
        }
    }
}

fn place() -> impl Strategy<Value = (Zone, Date)> {
    proptest::sample::select(PLACES)
        .prop_map(|(zone, date)| (Zone::new(zone).expect("a zone"), date.parse().expect("a date")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// What windows say, when that changes, and what fits: all as counted by hand.
    #[test]
    fn windows_are_what_the_clock_says(
        (zone, middle) in place(),
        allow in proptest::collection::vec(made(), 1..3),
        deny in proptest::option::of(made()),
        asked in proptest::collection::vec((3..5_usize, 0..1440_usize), 12),
        fits_at in 3 * 1440..5 * 1440_usize,
        takes in prop_oneof![1..120_i64, 1..1200_i64],
    ) {
        let minutes = Minutes::around(&zone, middle);
        let mut open = vec![false; minutes.shown.len()];
        allow.iter().for_each(|rule| rule.mark(&minutes, middle, &mut open));
        let mut denied = vec![false; minutes.shown.len()];
        deny.iter().for_each(|rule| rule.mark(&minutes, middle, &mut denied));
        open.iter_mut().zip(denied).for_each(|(open, denied)| *open &= !denied);

        let read = |rule: &Made| -> Rule { rule.text(&zone, middle).parse().expect("a rule") };
        let windows = Windows::new(allow.iter().map(read).collect(), deny.iter().map(read).collect()).expect("windows");
        let calendar = Calendar::default();
        for minute in asked.into_iter().map(|(day, minute)| day * 1440 + minute) {
            let now = minutes.instant(minute);
            let (is_open, change) = match windows.at(now, &calendar) {
                Answer::Open { until } => (true, until),
                Answer::Closed { opens_at, .. } => (false, opens_at),
            };
            prop_assert_eq!(is_open, open[minute], "{} at {}", windows, now);
            // Rules before the first minute are not marked; those at the end can change after the last one.
            match open[minute..].iter().position(|other| *other != is_open) {
                Some(later) => prop_assert_eq!(change, Some(minutes.instant(minute + later)), "{} at {}", windows, now),
                None => prop_assert!(change.is_none_or(|at| at >= minutes.instant(open.len())), "{windows} at {now}"),
            }
        }
        let now = minutes.instant(fits_at);
        let need = usize::try_from(takes).expect("few");
        let fits = (fits_at..open.len() - need).find(|start| open[*start..start + need].iter().all(|open| *open));
        let found = match windows.fits(now, SignedDuration::from_mins(takes), &calendar) {
            Fit::Now { .. } => Some(now),
            Fit::At { start, .. } => Some(start),
            Fit::Never { .. } => None,
        };
        match fits {
            Some(start) => prop_assert_eq!(found, Some(minutes.instant(start)), "{} at {} for {}", windows, now, takes),
            None => prop_assert!(found.is_none_or(|at| at >= minutes.instant(open.len() - need)), "{windows} at {now}"),
        }
    }

    /// Of every kind of rule: what is told stays so until the change that is told, and is otherwise from then on.
    #[test]
    fn a_change_is_the_first_one(
        allow in proptest::option::of(proptest::sample::select(KINDS)),
        deny in proptest::option::of(proptest::sample::select(KINDS)),
        second in 0..220_000_000_i64,
        between in proptest::collection::vec(0..1000_i64, 8),
    ) {
        let calendar = crate::calendar(tollgate_core::calendar::Off::Any);
        let read = |text: Option<&str>| crate::rules(text.as_slice());
        let windows = Windows::new(read(allow), read(deny)).expect("windows");
        let now = "2024-01-01T00:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(second);
        let ask = |at: Timestamp| match windows.at(at, &calendar) {
            Answer::Open { until } => (true, until),
            Answer::Closed { opens_at, .. } => (false, opens_at),
        };
        let (open, change) = ask(now);
        if let Some(change) = change {
            prop_assert!(change > now);
            let long = change.duration_since(now);
            let inside = between.iter().map(|part| now + SignedDuration::from_secs(long.as_secs() * part / 1000));
            for at in inside.chain([change - SignedDuration::from_nanos(1)]) {
                prop_assert_eq!(ask(at), (open, Some(change)), "{} at {} and {}", windows, now, at);
            }
            prop_assert_eq!(ask(change).0, !open, "{} at {}", windows, change);
        } else {
            for at in between.iter().map(|part| now + SignedDuration::from_hours(part * 87)) {
                prop_assert_eq!(ask(at).0, open, "{} at {} and {}", windows, now, at);
            }
        }
    }

    /// A fixed time comes once on each of its days, at the first minute that shows it or something later.
    #[test]
    fn fixed_times_come_once_a_day((zone, middle) in place(), quarter in 0..96_i16) {
        let minutes = Minutes::around(&zone, middle);
        let time = clock(quarter * 15);
        let rule: FixedTime = format!("daily {} {zone}", time.strftime("%H:%M")).parse().expect("a time");
        let days = middle.saturating_sub(Span::new().days(2)).series(Span::new().days(1)).take(4);
        let expected: Vec<_> = days.map(|date| minutes.instant(minutes.first(date.to_datetime(time)))).collect();
        let before = *expected.first().expect("one") - SignedDuration::from_secs(1);
        let found: Vec<_> = rule.after(before, &Calendar::default()).take(4).collect();
        prop_assert_eq!(&found, &expected);
        let last = *expected.last().expect("one");
        prop_assert_eq!(rule.between(before, last, 99, &Calendar::default()), expected);
    }

    /// Going some working days forward and back, and counting them, agree.
    #[test]
    fn working_days_are_counted_as_they_are_gone(day in 0..4000_i32, count in 1..60_i32) {
        let calendar = crate::calendar(tollgate_core::calendar::Off::Any);
        let date = Date::constant(2020, 1, 1).saturating_add(Span::new().days(day));
        let start = calendar.shift(date, 0).expect("a day");
        let later = calendar.shift(start, count).expect("a day");
        prop_assert!(calendar.is_working(later));
        prop_assert_eq!(calendar.between(start, later), count);
        prop_assert_eq!(calendar.shift(later, -count), Some(start));
    }

    /// Any text is read or refused; what is read comes back the same.
    #[test]
    fn any_text_is_read_or_refused(text in text()) {
        fn check<T>(text: &str) -> Result<(), TestCaseError>
        where
            T: std::str::FromStr<Err = tollgate_core::calendar::CalendarError> + std::fmt::Display + PartialEq + std::fmt::Debug,
        {
            match text.parse::<T>() {
                Ok(value) => {
                    let written = value.to_string();
                    let back = written.parse::<T>();
                    prop_assert_eq!(back, Ok(value), "{:?} was written {:?}", text, written);
                }
                Err(error) => prop_assert!(!error.to_string().chars().any(char::is_control)),
            }
            Ok(())
        }
        check::<Zone>(&text)?;
        check::<Rule>(&text)?;
        check::<FixedTime>(&text)?;
        check::<Days>(&text)?;
        check::<Moment>(&text)?;
        check::<Yearly>(&text)?;
        check::<Weekdays>(&text)?;
        check::<RecurrenceRule>(&text)?;
        check::<tollgate_core::calendar::Holiday>(&text)?;
        check::<tollgate_core::calendar::Exemption>(&text)?;
    }
}

/// A rule of every kind, with what is special about some.
#[rustfmt::skip]
const KINDS: &[&str] = &[
    "Mon-Fri 09:30-17:00 Europe/London", "Fri America/Los_Angeles", "Sun 20:00 - Mon 08:30 Africa/Nairobi",
    "Mon 09:00 - Mon 08:00 UTC", "daily 01:30-02:30 America/Los_Angeles", "daily UTC", "daily 00:00-24:00 Africa/Cairo",
    "Tue,Thu 09:00-10:00 America/Los_Angeles /2w from 2026-01-06", "Wed 22:00-06:00 UTC /8w from 2025-01-01",
    "16 monthly 09:00-17:00 Europe/London", "31 monthly 23:00-01:00 Europe/London", "last day AoE", "first Mon UTC",
    "5th Sun Europe/London", "last working day 09:00-12:00 Europe/London", "working days 14:00-15:00 America/New_York",
    "holidays Europe/London", "holidays of US America/New_York", "29 Feb UTC", "Easter -2 22:00-03:00 Europe/London",
    "2026-12-24 - 2027-01-03 Europe/London", "2026-03-29 00:30 - 2026-10-25 01:30 Europe/London",
    "RRULE:FREQ=MONTHLY;BYDAY=-1FR from 2025-01-31 09:00 lasts 2h Europe/London",
    "RRULE:FREQ=DAILY;INTERVAL=3 from 2025-01-01 02:30 lasts 2d America/New_York",
    "RRULE:FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30 from 2025-01-01 01:00 lasts 30m America/Los_Angeles",
    "RRULE:FREQ=WEEKLY;BYDAY=SU;COUNT=100 from 2025-01-05 00:00 lasts 5h Europe/London",
    "RRULE:FREQ=YEARLY;BYWEEKNO=53;UNTIL=20290101 from 2026-12-28 00:00 lasts 31d UTC",
];

/// Words that rules are made of.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "Mon", "Fri-Mon", "Tue,Thu", "daily", "16", "monthly", "first", "last", "5th", "working", "day", "days",
    "holidays", "of", "UK", "events", "25", "Dec", "Feb", "29", "Easter", "Easter-2", "+1", "-2", "09:30",
    "17:00", "24:00", "00:00", "09:30-17:00", "22:00-06:00", "00:00-24:00", "-", "to", "2026-01-07",
    "2028-02-29", "UTC", "Europe/London", "AoE", "PST", "+03:00", "/2w", "/52w", "from", "T", "T-8wd",
    "T+3d", "next", "+next", "after", "lasts", "2h", "1d30m", "RRULE:FREQ=DAILY",
    "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "observed",
    "nearest:", "x:", "hotfix", "with", "1", "approval",
];

/// Any text, and words that rules are made of in any order.
fn text() -> impl Strategy<Value = String> {
    let words =
        proptest::collection::vec(proptest::sample::select(WORDS), 0..9).prop_map(|words| words.join(" "));
    prop_oneof![4 => words, 1 => ".{0,40}"]
}

#[test]
fn lists_of_holidays_are_bounded() {
    let many = vec!["25 Dec: x".parse().expect("a holiday"); 201];
    assert!(HolidayCalendar::new(Weekdays::NONE, many).is_err());
}
