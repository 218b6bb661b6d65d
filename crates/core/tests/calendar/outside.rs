//! Calendars that are kept elsewhere.

use jiff::{SignedDuration, Timestamp};
use tollgate_core::calendar::{
    Answer, Asked, Busy, Calendar, Content, FILE_STRETCHES_MAX, HolidayCalendar, Lapse, Off, Weekdays,
    Windows, Zone,
};
use tollgate_core::ids::CalendarName;

fn ics(events: &str) -> Vec<u8> {
    let events = events.replace('|', "\r\n");
    format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{events}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n").into_bytes()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn berlin() -> Zone {
    Zone::new("Europe/Berlin").unwrap()
}

fn name(text: &str) -> CalendarName {
    text.parse().unwrap()
}

#[test]
fn a_file_is_the_same_rules_at_any_time() {
    let endless = ics("DTSTART;VALUE=DATE:19900501|RRULE:FREQ=YEARLY|SUMMARY:Labour day");
    let Content::Holidays(days) = Content::of_file(Asked::Holidays, &endless, &Zone::utc()).unwrap() else {
        panic!("no holidays")
    };
    assert_eq!(days.len(), 30);
    assert_eq!(days[0].to_string(), "2020-05-01: Labour day");
    assert_eq!(days[29].to_string(), "2049-05-01: Labour day");
    // A stretch over the end of ten years is one.
    let long = ics("DTSTART;VALUE=DATE:20291230|DTEND;VALUE=DATE:20300103|SUMMARY:Turn of the year");
    let content = Content::of_file(Asked::Events, &long, &berlin()).unwrap();
    let Content::Events(busy) = &content else { panic!("no events") };
    assert_eq!(busy.stretches().len(), 1);
    assert_eq!(busy.stretches()[0].when.start, at("2029-12-29T23:00:00Z"));
    assert_eq!(busy.stretches()[0].when.end, at("2030-01-02T23:00:00Z"));
    assert_eq!(content.count(), "1 stretch of time");
}

#[test]
fn what_a_file_cannot_be_is_told() {
    let cases = [
        ("DTSTART:20260501T090000Z|DTEND:20260501T100000Z", Asked::Holidays, "no whole day"),
        (
            "DTSTART:20260501T090000Z|DURATION:PT1H|RRULE:FREQ=DAILY",
            Asked::Events,
            "more than 2000 stretches",
        ),
        ("DTSTART:20200101T000000Z|DURATION:PT1S|RRULE:FREQ=SECONDLY", Asked::Events, "line 5"),
        ("DTSTART;TZID=Mars/Olympus:20260501T090000", Asked::Events, "no time zone that is known"),
        ("RRULE:FREQ=DAILY", Asked::Holidays, "no `DTSTART`"),
    ];
    for (events, asked, expected) in cases {
        let error = Content::of_file(asked, &ics(events), &Zone::utc()).expect_err(events).to_string();
        let expected = expected.replace("no time zone", "not a time zone");
        assert!(error.contains(&expected), "{events}: {error}");
    }
    assert_eq!(FILE_STRETCHES_MAX, 2_000);
}

#[test]
fn an_answer_holds_the_same_all_month() {
    let daily = ics("DTSTART:20200101T090000Z|DURATION:PT1H|RRULE:FREQ=DAILY|SUMMARY:Stand-up");
    let read = |now: &str| Content::of_answer(Asked::Events, &daily, &Zone::utc(), at(now)).unwrap();
    assert_eq!(read("2026-03-01T00:00:00Z"), read("2026-03-31T23:59:59Z"));
    assert_ne!(read("2026-03-01T00:00:00Z"), read("2026-04-01T00:00:00Z"));
    let Content::Events(busy) = read("2026-03-15T12:00:00Z") else { panic!("no events") };
    assert_eq!(busy.stretches()[0].when.start, at("2026-02-01T09:00:00Z"));
    assert_eq!(busy.stretches().last().unwrap().when.start, at("2028-03-31T09:00:00Z"));
}

/// A calendar with a list and with events that are kept elsewhere, both known until a moment.
fn known_until(until: Timestamp) -> Calendar {
    let empty = HolidayCalendar::new(Weekdays::SATURDAY_AND_SUNDAY, Vec::new()).unwrap();
    let calendar =
        Calendar::new(Weekdays::SATURDAY_AND_SUNDAY, [(name("de"), empty)].into(), Off::Any).unwrap();
    let calendar = calendar.with_feeds([(name("fair"), Busy::default())].into());
    let days = Content::Holidays(vec!["2026-05-01: Labour day".parse().unwrap()]);
    let fair = ics("DTSTART:20260504T090000Z|DTEND:20260504T170000Z|SUMMARY:The fair");
    let fair = Content::of_answer(Asked::Events, &fair, &Zone::utc(), at("2026-05-01T00:00:00Z")).unwrap();
    let lapse = |asked| Lapse { asked, at: until, why: "nobody answers".into() };
    let calendar = calendar.with_outside(&name("de"), Some(&days), lapse(Asked::Holidays)).unwrap();
    calendar.with_outside(&name("fair"), Some(&fair), lapse(Asked::Events)).unwrap()
}

#[test]
fn what_is_not_known_any_more_is_closed() {
    let until = at("2026-05-06T00:00:00Z");
    let calendar = known_until(until);
    let closed = |rule: &str, now: Timestamp, calendar: &Calendar| {
        let windows = Windows::new(Vec::new(), vec![rule.parse().unwrap()]).unwrap();
        match windows.at(now, calendar) {
            Answer::Open { .. } => None,
            Answer::Closed { because, .. } => Some(because.to_string()),
        }
    };
    let cases = [
        (
            "holidays Europe/Berlin",
            "2026-05-01T10:00:00Z",
            Some("closed by `holidays Europe/Berlin`: Labour day (de)"),
        ),
        ("holidays of de UTC", "2026-05-02T10:00:00Z", None),
        ("events of fair", "2026-05-04T10:00:00Z", Some("closed by `events of fair`: The fair")),
        ("events of fair", "2026-05-05T10:00:00Z", None),
    ];
    for (rule, now, expected) in cases {
        assert_eq!(closed(rule, at(now), &calendar).as_deref(), expected, "{rule} at {now}");
    }
    for rule in ["holidays UTC", "holidays of de UTC", "events of fair", "last working day UTC"] {
        assert_eq!(closed(rule, until - SignedDuration::from_secs(1), &calendar), None, "{rule}");
        let why = closed(rule, until, &calendar).expect(rule);
        assert!(why.starts_with("closed, since it cannot be told: `"), "{why}");
        assert!(why.ends_with("cannot be asked: nobody answers"), "{why}");
        // Looking ahead takes what is known now to be known then.
        assert_eq!(closed(rule, until, &calendar.clone().trusted_from(at("2026-05-05T00:00:00Z"))), None);
        assert!(closed(rule, until, &calendar.clone().trusted_from(until)).is_some());
    }
    // What asks nothing of them stays as it was.
    assert_eq!(closed("Sun UTC", until, &calendar), None);
}

#[test]
fn answers_are_no_part_of_the_rules() {
    let calendar = known_until(at("2026-05-06T00:00:00Z"));
    let text = serde_json::to_string(&calendar).unwrap();
    assert!(!text.contains("Labour") && !text.contains("nobody"), "{text}");
    let read: Calendar = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
}
