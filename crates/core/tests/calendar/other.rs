//! The calendar compared with another implementation: Python's `zoneinfo` and `dateutil`, in one process for all.

use std::io::Write;
use std::process::{Command, Stdio};

use jiff::civil::{DateTime, Weekday};
use jiff::{SignedDuration, Span, Timestamp};
use serde_json::{Value, json};
use tollgate_core::calendar::{Answer, Calendar, FixedTime, Windows, Zone};

const ZONES: &[&str] = &[
    "UTC",
    "AoE",
    "Africa/Nairobi",
    "America/Los_Angeles",
    "America/New_York",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/London",
    "Pacific/Auckland",
];

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/calendar/other.py");

/// A Python that has what the script needs.
fn python() -> Option<&'static str> {
    let has = |python: &&str| {
        let needs = "import zoneinfo, dateutil.rrule; zoneinfo.ZoneInfo('Europe/London')";
        Command::new(python).args(["-c", needs]).output().is_ok_and(|output| output.status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has)
}

/// Says that the test was left out; with `CI` set nothing may be.
#[expect(clippy::print_stderr, reason = "whoever runs the tests has to see it")]
fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("SKIPPED: {why}");
}

fn ask(python: &str, questions: &[Value]) -> Vec<Value> {
    let mut child = Command::new(python)
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut input = child.stdin.take().expect("its input");
    let text = serde_json::to_vec(questions).expect("JSON");
    // It reads all before it writes anything.
    input.write_all(&text).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the other implementation failed");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A zone, with the instants at which its clocks change.
#[derive(Clone)]
struct Place {
    zone: Zone,
    from: Timestamp,
    changes: Vec<Timestamp>,
}

impl Place {
    fn new(zone: &str) -> Self {
        let zone = Zone::new(zone).expect("a zone");
        let from: Timestamp = "2024-01-01T00:00:00Z".parse().expect("a time");
        let hour = |hours: i32| from + SignedDuration::from_hours(i64::from(hours));
        let ahead = |at: Timestamp| zone.local(at).duration_since(jiff::tz::Offset::UTC.to_datetime(at));
        let changed = |from: i32, to: i32| ahead(hour(from)) != ahead(hour(to));
        let days = (0..365 * 7).map(|day| day * 24).filter(|start| changed(*start, start + 24));
        let hours = days.flat_map(|start| (start..start + 24).filter(|at| changed(*at, at + 1)));
        let changes = hours.map(|before| hour(before + 1)).collect();
        Self { zone, from, changes }
    }
}

/// Numbers by chance, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(below).expect("few")).expect("few")
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn number(&mut self, from: i32, to: i32) -> i32 {
        from + i32::try_from(self.below(usize::try_from(to - from + 1).expect("few"))).expect("few")
    }

    /// A moment from 2024 to 2030, more often than not one at which the clocks of a zone change.
    fn change(&mut self, place: &Place) -> Timestamp {
        if place.changes.is_empty() || self.below(6) == 0 {
            return place.from + SignedDuration::from_hours(i64::from(self.number(0, 365 * 6 * 24)));
        }
        self.of(&place.changes)
    }

    /// A time of day in quarters, more often than not near one.
    fn minutes(&mut self, near: DateTime) -> i32 {
        if self.below(4) == 0 {
            return self.number(0, 95) * 15;
        }
        let minutes = i32::from(near.hour()) * 60 + i32::from(near.minute()) / 15 * 15;
        (minutes + self.number(-5, 5) * 15).rem_euclid(1440)
    }

    /// Some days of the week, of which one is this.
    fn weekdays(&mut self, with: Weekday) -> Vec<i8> {
        let mut days = vec![with.to_monday_zero_offset()];
        for _ in 0..self.below(3) {
            days.push(i8::try_from(self.below(7)).expect("few"));
        }
        days.sort_unstable();
        days.dedup();
        days
    }
}

fn clock(minutes: i32) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn names(days: &[i8], all: [&str; 7]) -> String {
    let names: Vec<&str> = days.iter().map(|day| all[usize::try_from(*day).expect("a day")]).collect();
    names.join(",")
}

const SHORT: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const BASIC: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// A question with what our own calendar says to it.
struct Question {
    ask: Value,
    what: String,
    ours: Value,
}

/// What clocks show on every day, by which other rules of the zones are found out.
fn offsets(zone: &str) -> Question {
    let start: Timestamp = "2024-01-01T00:00:00Z".parse().expect("a time");
    let at: Vec<Timestamp> = (0..5150).map(|half| start + SignedDuration::from_hours(half * 12)).collect();
    let ours = Zone::new(zone).expect("a zone");
    let offset = |at: &Timestamp| {
        ours.local(*at)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .expect("in range")
            .timestamp()
            .duration_since(*at)
            .as_secs()
    };
    Question {
        ours: json!(at.iter().map(offset).collect::<Vec<_>>()),
        ask: json!({"ask": "offsets", "zone": zone, "at": at.iter().map(|at| at.as_second()).collect::<Vec<_>>()}),
        what: zone.to_owned(),
    }
}

/// A recurrence rule of which the first occurrence is one, or nothing when chance made one of which it is none.
fn occurrences(chance: &mut Chance, place: &Place) -> Option<Question> {
    let zone = &place.zone;
    let change = chance.change(place);
    let near = zone.local(change);
    let back = chance.of(&[0, 1, 2, 7, 14, 28, 30, 31, 61, 182, 364, 365, 366]) + chance.number(0, 2);
    let first = near.date().saturating_sub(Span::new().days(back)).to_datetime(jiff::civil::Time::midnight());
    let first = first.saturating_add(Span::new().minutes(chance.minutes(near)));
    let (rule, interval) = parts(chance, first);
    let end = match chance.below(4) {
        0 => format!(";COUNT={}", chance.number(1, 30)),
        1 => format!(
            ";UNTIL={}",
            first.saturating_add(Span::new().days(chance.number(0, 900))).strftime("%Y%m%dT%H%M%S")
        ),
        _ => String::new(),
    };
    let interval = if interval == 1 { String::new() } else { format!(";INTERVAL={interval}") };
    let rule = format!("{rule}{interval}{end}");
    let text = format!("RRULE:{rule} from {} {zone}", first.strftime("%Y-%m-%d %H:%M"));
    let ours: FixedTime = match text.parse() {
        Ok(ours) => ours,
        Err(error) => {
            let why = format!("{error}");
            let expected = why.contains("is not one of its occurrences") || why.contains("it never occurs");
            assert!(expected, "{why}");
            return None;
        }
    };
    // From shortly before the change on, or from anywhere.
    let days = if chance.below(4) == 0 { chance.number(-3, 400) - back } else { chance.number(-4, 0) };
    let after = change + SignedDuration::from_hours(24 * i64::from(days));
    let until = after + SignedDuration::from_hours(24 * 900);
    let found = ours.between(after, until, 10, &Calendar::default());
    let found: Vec<i64> = found.iter().map(|at| at.as_second()).collect();
    Some(Question {
        ask: json!({
            "ask": "occurrences", "zone": zone.name(), "rule": rule, "first": first.to_string(),
            "after": after.as_second(), "until": until.as_second(), "count": 10,
        }),
        what: format!("{text} after {after}"),
        ours: json!(found),
    })
}

/// A frequency with what it names, and an interval.
fn parts(chance: &mut Chance, first: DateTime) -> (String, i32) {
    let date = first.date();
    let day = BASIC[usize::try_from(date.weekday().to_monday_zero_offset()).expect("a day")];
    let days = names(&chance.weekdays(date.weekday()), BASIC);
    let nth = (date.day() - 1) / 7 + 1;
    let last = -((date.days_in_month() - date.day()) / 7 + 1);
    let (month, day_of_month) = (date.month(), date.day());
    let from_end = day_of_month - date.days_in_month() - 1;
    let year_day = date.day_of_year();
    let week = date.iso_week_date().week();
    let hours = format!("BYHOUR={},{}", first.hour(), chance.number(0, 23));
    let rules = [
        ("FREQ=DAILY".to_owned(), 9),
        (format!("FREQ=DAILY;{hours};BYMINUTE=0,{}", first.minute()), 3),
        (format!("FREQ=DAILY;BYMONTH={month},{};BYDAY={days}", chance.number(1, 12)), 2),
        ("FREQ=WEEKLY".to_owned(), 5),
        (format!("FREQ=WEEKLY;BYDAY={days}"), 4),
        (format!("FREQ=WEEKLY;BYDAY={days};WKST={}", chance.of(&BASIC)), 3),
        ("FREQ=MONTHLY".to_owned(), 7),
        (format!("FREQ=MONTHLY;BYMONTHDAY={day_of_month},{},-1", chance.number(1, 31)), 3),
        (format!("FREQ=MONTHLY;BYMONTHDAY={from_end}"), 2),
        (format!("FREQ=MONTHLY;BYDAY={nth}{day},{}{}", chance.of(&[-1, 2, 5]), chance.of(&BASIC)), 2),
        (format!("FREQ=MONTHLY;BYDAY={last}{day}"), 2),
        (format!("FREQ=MONTHLY;BYDAY={days};BYSETPOS={},{}", chance.number(1, 4), chance.number(-3, -1)), 2),
        (format!("FREQ=MONTHLY;BYDAY={days};BYMONTHDAY=1,2,3,4,5,6,7,{day_of_month}"), 2),
        ("FREQ=YEARLY".to_owned(), 2),
        (format!("FREQ=YEARLY;BYMONTH={month};BYDAY={nth}{day}"), 2),
        (format!("FREQ=YEARLY;BYMONTH={month},{};BYMONTHDAY={day_of_month},29", chance.number(1, 12)), 1),
        (format!("FREQ=YEARLY;BYYEARDAY={year_day},-1,366"), 2),
        (format!("FREQ=YEARLY;BYWEEKNO={week},{};BYDAY={days}", chance.number(1, 51)), 1),
        (format!("FREQ=YEARLY;BYDAY={}{day}", (year_day - 1) / 7 + 1), 2),
        (format!("FREQ=YEARLY;BYMONTH={month};BYDAY={days};BYSETPOS={}", chance.of(&[-1, 1, 2])), 1),
    ];
    let (rule, most) = chance.of(&rules);
    let interval = if chance.below(2) == 0 { 1 } else { chance.number(1, most) };
    (rule, interval)
}

/// A window and what it is at an instant.
fn windows(chance: &mut Chance, place: &Place) -> Question {
    let zone = &place.zone;
    let change = chance.change(place);
    let near = zone.local(change);
    let day = near.date();
    let (start, mut end) = (chance.minutes(near), chance.minutes(near));
    if end == start {
        end = (start + 30) % 1440;
    }
    let anchor = day.saturating_sub(Span::new().days(chance.number(0, 60) * 7 + chance.number(0, 6)));
    let (kind, interval, nth, weekdays) = match chance.below(4) {
        0 => ("weekly", 1, 0, chance.weekdays(day.weekday())),
        1 => ("every", chance.number(2, 8), 0, chance.weekdays(anchor.weekday())),
        2 => ("day", 1, chance.of(&[day.day(), day.day(), 1, 29, 31, -1]), vec![]),
        _ => ("nth", 1, chance.of(&[1, 2, 3, 4, 5, -1]), vec![day.weekday().to_monday_zero_offset()]),
    };
    let week = names(&weekdays, SHORT);
    let days = match (kind, nth) {
        ("day", -1) => "last day".to_owned(),
        ("day", nth) => format!("{nth} monthly"),
        ("nth", nth) => format!(
            "{} {week}",
            ["last", "", "first", "second", "third", "fourth", "fifth"]
                [usize::try_from(nth + 1).expect("few")]
        ),
        _ => week,
    };
    let every = if kind == "every" { format!(" /{interval}w from {anchor}") } else { String::new() };
    let text = format!("{days} {}-{} {zone}{every}", clock(start), clock(end));
    let rule = text.parse().unwrap_or_else(|error| panic!("{error}"));
    let ours = Windows::new(vec![rule], Vec::new()).expect("windows");
    let minutes = if chance.below(3) == 0 { chance.number(-3000, 3000) } else { chance.number(-12, 12) * 15 };
    let at = change + SignedDuration::from_mins(i64::from(minutes));
    let (open, change) = match ours.at(at, &Calendar::default()) {
        Answer::Open { until } => (true, until),
        Answer::Closed { opens_at, .. } => (false, opens_at),
    };
    Question {
        ask: json!({
            "ask": "windows", "zone": zone.name(), "at": at.as_second(), "days": kind, "weekdays": weekdays, "nth": nth,
            "interval": interval, "anchor": anchor.to_string(), "start": start, "end": end,
        }),
        what: format!("{text} at {at}"),
        ours: json!([open, change.map(Timestamp::as_second)]),
    }
}

#[test]
fn another_implementation_says_the_same() {
    let Some(python) = python() else {
        return skipped("python3 with dateutil and zones is not installed (Debian: python3-dateutil)");
    };
    // Zones whose rules differ were changed by law between two editions of the database.
    let questions: Vec<Question> = ZONES.iter().map(|zone| offsets(zone)).collect();
    let answers = ask(python, &questions.iter().map(|one| one.ask.clone()).collect::<Vec<_>>());
    let same = questions.iter().zip(&answers).filter(|(ours, theirs)| ours.ours == **theirs);
    let places: Vec<Place> = same.map(|(ours, _)| Place::new(&ours.what)).collect();
    assert!(
        places.len() >= ZONES.len() - 3,
        "the rules of too many zones differ: {} are the same",
        places.len()
    );

    let mut chance = Chance(2026);
    let mut questions: Vec<Question> = Vec::new();
    while questions.len() < 400 {
        let place = chance.of(&places);
        questions.extend(occurrences(&mut chance, &place));
    }
    for _ in 0..500 {
        let place = chance.of(&places);
        questions.push(windows(&mut chance, &place));
    }
    let answers = ask(python, &questions.iter().map(|one| one.ask.clone()).collect::<Vec<_>>());
    assert_eq!(answers.len(), questions.len());
    let mut told = 0;
    let mut wrong = Vec::new();
    for (question, theirs) in questions.iter().zip(&answers) {
        let mut ours = question.ours.clone();
        // The other one looks 80 days ahead.
        if theirs.get(1) == Some(&Value::Null) {
            ours[1] = Value::Null;
        }
        told += theirs.as_array().map_or(0, Vec::len);
        if ours != *theirs {
            wrong.push(format!("{}\n  ours:   {ours}\n  theirs: {theirs}", question.what));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n")
    );
    assert!(told > 2500, "too little was compared: {told}");
}
