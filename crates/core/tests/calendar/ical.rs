//! Calendars of others read, and calendars for others written.

use jiff::civil::Date;
use proptest::prelude::*;
use tollgate_core::calendar::ical::{BYTES_MAX, Entry, EntryTime, Feed, OCCURRENCES_MAX, write};
use tollgate_core::calendar::{Stretch, Zone};

use crate::at;

fn zone() -> Zone {
    Zone::new("Europe/London").expect("a zone")
}

fn calendar(events: &[&str]) -> String {
    let events: String =
        events.iter().map(|event| format!("BEGIN:VEVENT\n{}\nEND:VEVENT\n", event.trim())).collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n")
}

fn read(events: &[&str]) -> Feed {
    Feed::read(calendar(events).as_bytes(), &zone()).unwrap_or_else(|error| panic!("{error}"))
}

fn year() -> Stretch {
    Stretch { start: at("2026-01-01 00:00 UTC"), end: at("2027-01-01 00:00 UTC") }
}

/// The stretches of one event in 2026, told in a zone.
fn busy(event: &str, zone: &str, expected: &[&str]) {
    assert_eq!(stretches(&read(&[event]), zone), expected, "{event}");
}

fn stretches(feed: &Feed, zone: &str) -> Vec<String> {
    let zone = Zone::new(zone).expect("a zone");
    let busy = feed.busy(year()).unwrap_or_else(|error| panic!("{error}"));
    let local = |at| zone.local(at).strftime("%m-%d %H:%M").to_string();
    busy.stretches()
        .iter()
        .map(|one| format!("{} to {}", local(one.when.start), local(one.when.end)))
        .collect()
}

#[test]
fn events_of_every_form() {
    busy("DTSTART:20260107T093000Z\nDTEND:20260107T100000Z", "UTC", &["01-07 09:30 to 01-07 10:00"]);
    busy(
        "DTSTART;TZID=Africa/Nairobi:20260107T093000\nDURATION:PT1H30M",
        "Africa/Nairobi",
        &["01-07 09:30 to 01-07 11:00"],
    );
    // Without a zone in that of the calendar; a day on the calendar is not 24 hours.
    busy("DTSTART:20260328T120000\nDURATION:P1D", "Europe/London", &["03-28 12:00 to 03-29 12:00"]);
    busy("DTSTART:20260328T120000\nDURATION:PT24H", "Europe/London", &["03-28 12:00 to 03-29 13:00"]);
    busy("DTSTART;VALUE=DATE:20260403", "Europe/London", &["04-03 00:00 to 04-04 00:00"]);
    busy(
        "DTSTART;VALUE=DATE:20260403\nDTEND;VALUE=DATE:20260406",
        "Europe/London",
        &["04-03 00:00 to 04-06 00:00"],
    );
    busy("DTSTART;VALUE=DATE:20260329", "Europe/London", &["03-29 00:00 to 03-30 00:00"]);
    // Names of zones as calendars write them.
    for id in ["\"Europe/London\"", "/mozilla.org/20050126_1/Europe/London", "GMT Standard Time"] {
        busy(
            &format!("DTSTART;TZID={id}:20260707T093000\nDURATION:PT1H"),
            "UTC",
            &["07-07 08:30 to 07-07 09:30"],
        );
    }
    let id = "/a/b/c/d/e/f/America/Argentina/Buenos_Aires";
    let at = format!("DTSTART;TZID={id}:20260707T093000\nDURATION:PT1H");
    busy(&at, "UTC", &["07-07 12:30 to 07-07 13:30"]);
    // What makes nobody busy.
    for nothing in ["TRANSP:TRANSPARENT", "STATUS:CANCELLED"] {
        busy(&format!("DTSTART:20260107T093000Z\nDURATION:PT1H\n{nothing}"), "UTC", &[]);
    }
    busy("DTSTART:20260107T093000Z", "UTC", &[]);
    // Partly in the time that is asked for.
    busy("DTSTART:20251231T230000Z\nDURATION:PT2H", "UTC", &["12-31 23:00 to 01-01 01:00"]);
    busy("DTSTART:20251231T220000Z\nDURATION:PT2H", "UTC", &[]);
}

#[test]
fn recurring_events() {
    let weekly =
        "UID:a\nDTSTART;TZID=Europe/London:20260323T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=3";
    busy(
        weekly,
        "Europe/London",
        &["03-23 09:00 to 03-23 10:00", "03-30 09:00 to 03-30 10:00", "04-06 09:00 to 04-06 10:00"],
    );
    busy(
        weekly,
        "UTC",
        &["03-23 09:00 to 03-23 10:00", "03-30 08:00 to 03-30 09:00", "04-06 08:00 to 04-06 09:00"],
    );
    // Taken out and added; a date takes out any time of it.
    for out in
        ["EXDATE;TZID=Europe/London:20260330T090000", "EXDATE:20260330T080000Z", "EXDATE;VALUE=DATE:20260330"]
    {
        busy(
            &format!(
                "{weekly}\n{out}\nRDATE;VALUE=PERIOD:20260501T100000Z/PT30M,20260502T100000Z/20260502T103000Z"
            ),
            "Europe/London",
            &[
                "03-23 09:00 to 03-23 10:00",
                "04-06 09:00 to 04-06 10:00",
                "05-01 11:00 to 05-01 11:30",
                "05-02 11:00 to 05-02 11:30",
            ],
        );
    }
    // One moved, one cancelled.
    let moved = read(&[
        weekly,
        "UID:a\nRECURRENCE-ID;TZID=Europe/London:20260330T090000\nDTSTART:20260331T120000Z\nDURATION:PT2H",
        "UID:a\nRECURRENCE-ID:20260406T080000Z\nDTSTART:20260406T080000Z\nSTATUS:CANCELLED",
        "UID:b\nDTSTART:20260601T080000Z\nDURATION:PT1H",
    ]);
    assert_eq!(
        stretches(&moved, "UTC"),
        ["03-23 09:00 to 03-23 10:00", "03-31 12:00 to 03-31 14:00", "06-01 08:00 to 06-01 09:00"]
    );
    // What clocks leave out, and show twice.
    let night = "DTSTART;TZID=America/Los_Angeles:20260307T023000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2";
    busy(night, "UTC", &["03-07 10:30 to 03-07 11:30", "03-08 10:00 to 03-08 11:00"]);
    let twice = "DTSTART;TZID=America/Los_Angeles:20261101T013000\nDURATION:PT1H";
    busy(twice, "UTC", &["11-01 08:30 to 11-01 09:30"]);
    // It began long ago, and ends within the time.
    busy(
        "DTSTART;VALUE=DATE:19991225\nRRULE:FREQ=YEARLY;UNTIL=20261225",
        "Europe/London",
        &["12-25 00:00 to 12-26 00:00"],
    );
    // The first one is always one.
    busy(
        "DTSTART:20260106T090000Z\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=1",
        "UTC",
        &["01-06 09:00 to 01-06 10:00", "02-02 09:00 to 02-02 10:00"],
    );
}

#[test]
fn whole_days_are_holidays() {
    let feed = read(&[
        "SUMMARY:Christmas\\, the day\nDTSTART;VALUE=DATE:20201225\nDTEND;VALUE=DATE:20201227\nRRULE:FREQ=YEARLY\nTRANSP:TRANSPARENT",
        "DTSTART;VALUE=DATE:20260508",
        "SUMMARY:no whole day\nDTSTART:20260509T000000Z\nDURATION:P1D",
    ]);
    let days = feed.days(Date::constant(2026, 1, 1), Date::constant(2027, 12, 25)).expect("days");
    let days: Vec<String> = days.iter().map(ToString::to_string).collect();
    assert_eq!(
        days,
        [
            "2026-05-08: a day off",
            "2026-12-25: Christmas, the day",
            "2026-12-26: Christmas, the day",
            "2027-12-25: Christmas, the day",
        ]
    );
}

#[test]
fn free_and_busy_and_foreign_parts() {
    let text = "\u{feff}BEGIN:VCALENDAR\r\nX-WR-TIMEZONE:Africa/Nairobi\r\nBEGIN:VTIMEZONE\r\nTZID:Ours\r\n\
        X-LIC-LOCATION:America/Los_Angeles\r\nBEGIN:STANDARD\r\nDTSTART:19701101T020000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
        BEGIN:VFREEBUSY\r\nFREEBUSY;FBTYPE=BUSY:20260105T090000Z/PT1H,20260105T120000Z/20260105T130000Z\r\n\
        FREEBUSY;FBTYPE=FREE:20260106T090000Z/PT1H\r\nEND:VFREEBUSY\r\n\
        BEGIN:VEVENT\r\nDTSTART;TZID=Ours:20260107T093000\r\nDUR\r\n ATION:PT1H\r\nX-ANY;A=\"b;c:d\",e;F=g:h:i\r\n\
        BEGIN:VALARM\r\nDURATION:PT9H\r\nDTSTART:nothing\r\nEND:VALARM\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nDTSTART:20260108T093000\r\nDURATION:PT1H\r\nEND:VEVENT\r\n\
        BEGIN:VTODO\r\nDTSTART:never\r\nEND:VTODO\r\nEND:VCALENDAR";
    let feed = Feed::read(text.as_bytes(), &zone()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        stretches(&feed, "UTC"),
        [
            "01-05 09:00 to 01-05 10:00",
            "01-05 12:00 to 01-05 13:00",
            "01-07 17:30 to 01-07 18:30",
            "01-08 06:30 to 01-08 07:30",
        ]
    );
}

#[test]
fn mistakes_are_told_with_their_lines() {
    let refused = |text: &str, expected: &str| {
        let error = Feed::read(text.as_bytes(), &zone()).expect_err(text).to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    refused("", "line 1: there is no `BEGIN:VCALENDAR`");
    refused("<html>", "line 1: it is not `NAME:value`");
    refused("BEGIN:VEVENT", "line 1: `BEGIN`: a calendar begins with");
    refused("BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "line 2: `VEVENT` is not closed");
    refused("BEGIN:VCALENDAR\nEND:VEVENT\n", "line 2: `END`: `VCALENDAR` of line 1");
    refused(" BEGIN:VCALENDAR", "line 1: it continues a line");
    for (event, expected) in [
        ("UID:1", "line 5: the event that ends here has no `DTSTART`"),
        ("DTSTART:20260230T000000Z", "line 4: `DTSTART`: `20260230T000000Z` is no date"),
        ("DTSTART:90260201T000000Z", "line 4: `DTSTART`: `90260201T000000Z` is no date"),
        ("DTSTART;TZID=Mars:20260201T000000", "line 4: `DTSTART`: `Mars` is not a time zone"),
        ("DTSTART;TZID=\"Mars:20260201T000000", "line 4: a quotation mark is not closed"),
        ("DTSTART;TZID:20260201T000000", "line 4: a parameter has no value"),
        ("DTSTART", "line 4: it has no `:`"),
        ("SUMMARY:a\n b\n c\nDTSTART:20260202\nDTEND:20260201", "line 8: `DTEND`: the event ends before"),
        ("DTSTART:20260202\nDTEND:20260203T000000Z", "line 5: `DTEND`: start and end have to be both"),
        ("DTSTART:20260202\nDTEND:20560203", "line 5: `DTEND`: the event lasts longer"),
        ("DTSTART:20260202\nDURATION:-P1D", "line 5: `DURATION`: `-P1D` is no duration"),
        (
            "DTSTART:20260202\nRRULE:FREQ=SECONDLY",
            "line 5: `RRULE`: `FREQ=SECONDLY` cannot be a recurrence rule",
        ),
        ("DTSTART:20260202\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", "line 6: `RRULE`: an event has one rule"),
        (
            "DTSTART:20260202\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260202",
            "line 5: `RECURRENCE-ID`: `RANGE=THISANDFUTURE`",
        ),
        ("DTSTART:20260202\nEXDATE:x\u{1b}[2J", "line 5: `EXDATE`: `x[2J` is no date"),
    ] {
        refused(&calendar(&[event]), expected);
    }
    let mut bytes = calendar(&["DTSTART:20260202"]).into_bytes();
    bytes.extend(b"\xff");
    let error = Feed::read(&bytes, &zone()).expect_err("no UTF-8").to_string();
    assert_eq!(error, "line 7: it is not UTF-8");
}

#[test]
fn a_character_can_be_folded() {
    let text = calendar(&["SUMMARY:f\u{ea}te\nDTSTART;VALUE=DATE:20260508"]);
    let at = text.find('\u{ea}').expect("it is there") + 1;
    let folded = [&text.as_bytes()[..at], b"\r\n ", &text.as_bytes()[at..]].concat();
    let feed = Feed::read(&folded, &zone()).unwrap_or_else(|error| panic!("{error}"));
    let days = feed.days(Date::constant(2026, 1, 1), Date::constant(2026, 12, 31)).expect("days");
    assert_eq!(days.first().map(|day| day.name.as_str()), Some("f\u{ea}te"));
}

#[test]
fn what_is_too_much_is_refused() {
    let refused = |bytes: &[u8], expected: &str| {
        let error = Feed::read(bytes, &zone()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(&vec![b'\n'; BYTES_MAX + 1], "larger than");
    refused(format!("BEGIN:VCALENDAR\n{}", "BEGIN:X\n".repeat(9)).as_bytes(), "deeper than 8");
    refused(calendar(&vec!["DTSTART:20260202"; 5001]).as_bytes(), "more than 5000 events");
    refused(format!("BEGIN:VCALENDAR\nA:{}", "x".repeat(70_000)).as_bytes(), "longer than 65536");
    refused(format!("BEGIN:VCALENDAR\nA:{}", "x\n ".repeat(70_000)).as_bytes(), "longer than 65536");
    refused(format!("BEGIN:VCALENDAR\nA{}:x", ";B=c".repeat(21)).as_bytes(), "more than 20 parameters");
    let often = "DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15;BYMINUTE=0,20,40";
    let error = read(&[often; 4]).busy(year()).expect_err("too much").to_string();
    assert!(error.contains(&format!("more than {OCCURRENCES_MAX} occurrences")), "{error}");
    let never = "DTSTART:19000101\nRRULE:FREQ=DAILY;COUNT=10000;BYMONTH=2;BYMONTHDAY=30";
    let error = read(&vec![never; 1000]).busy(year()).expect_err("too much").to_string();
    assert!(error.contains("more work than is allowed"), "{error}");
    let long = Stretch { end: at("2046-01-01 00:00 UTC"), ..year() };
    assert!(read(&[never]).busy(long).is_err());
}

fn entry(key: &str, time: EntryTime, title: &str) -> Entry {
    Entry {
        key: key.to_owned(),
        time,
        title: title.to_owned(),
        description: String::new(),
        link: None,
        busy: true,
    }
}

#[test]
fn a_calendar_is_written_as_the_standard_asks() {
    let when = Stretch { start: at("2026-12-18 18:00 UTC"), end: at("2027-01-04 08:00 UTC") };
    let mut first = entry("shop/freeze/1", EntryTime::Time(when), "Freeze: holidays; all, of us");
    first.description = "One\\two\nEND:VEVENT".to_owned();
    first.link = Some("https://example.org/1".to_owned());
    let days = EntryTime::Days(Date::constant(2026, 12, 25), Date::constant(2026, 12, 26));
    let mut second = entry("shop/days", days, &"ä".repeat(60));
    second.link = Some("https://example.org/\r\nX:1".to_owned());
    second.busy = false;
    let text = write("Shop\u{1b}", &[first, second], at("2026-11-21 10:00 UTC"));
    let expected = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tollgate//EN",
        "CALSCALE:GREGORIAN",
        "X-WR-CALNAME:Shop",
        "BEGIN:VEVENT",
        "UID:",
        "DTSTAMP:20261121T100000Z",
        "DTSTART:20261218T180000Z",
        "DTEND:20270104T080000Z",
        "SUMMARY:Freeze: holidays\\; all\\, of us",
        "DESCRIPTION:One\\\\two\\nEND:VEVENT",
        "URL:https://example.org/1",
        "TRANSP:OPAQUE",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:",
        "DTSTAMP:20261121T100000Z",
        "DTSTART;VALUE=DATE:20261225",
        "DTEND;VALUE=DATE:20261227",
        &format!("SUMMARY:{}", "ä".repeat(33)),
        &format!(" {}", "ä".repeat(27)),
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ];
    assert!(text.ends_with("\r\n") && text.split("\r\n").all(|line| line.len() <= 75));
    let found: Vec<&str> = text.trim_end().split("\r\n").collect();
    assert_eq!(found.len(), expected.len(), "{text}");
    for (found, expected) in found.iter().zip(expected) {
        if expected.starts_with("UID:") {
            assert!(
                found.starts_with("UID:") && found.ends_with("@tollgate") && found.len() == 45,
                "{found}"
            );
        } else {
            assert_eq!(*found, expected);
        }
    }
    // The same event keeps its UID, another one has another.
    let uid = |key: &str| {
        let text = write("", &[entry(key, days, "")], at("2030-01-01 00:00 UTC"));
        text.split("\r\n").find(|line| line.starts_with("UID:")).map(ToOwned::to_owned)
    };
    assert_eq!(uid("shop/freeze/1").as_deref(), found.get(6).copied());
    assert_ne!(uid("shop/freeze/2"), uid("shop/freeze/1"));
}

/// Pieces that calendars are made of, whole and broken.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "BEGIN:VCALENDAR\n", "END:VCALENDAR\n", "BEGIN:VEVENT\n", "END:VEVENT\n", "BEGIN:VTIMEZONE\n", "END:VTIMEZONE\n",
    "BEGIN:VFREEBUSY\n", "END:VFREEBUSY\n", "UID:a\n", "UID:b\n", "DTSTART:20260308T023000Z\n", "DTSTART:20260101\n",
    "DTSTART;TZID=America/Los_Angeles:20260308T023000\n", "DTSTART;VALUE=DATE:00010101\n", "DTSTART:99991231T235959Z\n",
    "DTSTART:22001231T235960Z\n", "DTEND:20260309\n", "DTEND:20360101T000000Z\n", "DURATION:P9999999W\n",
    "DURATION:PT9999999H\n", "DURATION:P3660D\n", "DURATION:P\n", "RRULE:FREQ=DAILY\n", "RRULE:FREQ=YEARLY;BYWEEKNO=53,-53\n",
    "RRULE:FREQ=MONTHLY;BYDAY=5MO,-5SU;BYSETPOS=-1\n", "RRULE:FREQ=YEARLY;INTERVAL=1000;BYYEARDAY=366\n",
    "RRULE:FREQ=WEEKLY;COUNT=10000;WKST=SU\n", "RRULE:FREQ=DAILY;UNTIL=00010101T000000Z\n", "EXDATE:20260308T103000Z\n",
    "RDATE;VALUE=PERIOD:20260101T000000Z/P1D\n", "RDATE:20260101,20260102\n", "RECURRENCE-ID:20260309T023000Z\n",
    "FREEBUSY:20260101T000000Z/20260101T000000Z\n", "FREEBUSY:20260102T000000Z/20260101T000000Z\n", "X-LIC-LOCATION:UTC\n",
    "TZID:a\n", "SUMMARY:\\", "\\n\n", " folded\n", "\t\n", ";", ":", "=", "\"", ",", "\r\n", "\0", "é", "SUMMARY:\u{202e}x\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes is read or refused, and what is read can be unfolded or is refused then.
    #[test]
    fn whatever_comes_is_read_or_refused(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..30),
        event in proptest::collection::vec(proptest::sample::select(&PIECES[8..36]), 0..8),
        noise in proptest::collection::vec(any::<u8>(), 0..6),
        cut in 0..2000_usize,
    ) {
        let inside = event.concat();
        for text in [pieces.concat(), calendar(&[&inside])] {
            let mut bytes = text.into_bytes();
            let place = cut.min(bytes.len());
            for bytes in [bytes.clone(), { bytes.splice(place..place, noise.clone()); bytes }] {
                match Feed::read(&bytes, &zone()) {
                    Ok(feed) => {
                        if let Ok(busy) = feed.busy(year()) {
                            let all = busy.stretches();
                            prop_assert!(all.windows(2).all(|pair| pair[0].when.end < pair[1].when.start));
                            prop_assert!(all.iter().all(|one| one.when.start < one.when.end && one.when.end > year().start));
                        }
                        let days = feed.days(Date::constant(2026, 1, 1), Date::constant(2026, 12, 31));
                        prop_assert!(days.is_ok_and(|days| days.len() <= 365));
                    }
                    Err(error) => prop_assert!(!error.to_string().chars().any(char::is_control), "{error:?}"),
                }
            }
        }
    }

    /// What was written is read as the same.
    #[test]
    fn what_was_written_is_read_again(
        events in proptest::collection::vec((0..300_i64, 1..80_i64, "\\PC{0,90}", any::<bool>()), 0..8),
    ) {
        let start = at("2026-01-01 00:00 UTC");
        let entries: Vec<Entry> = events.iter().enumerate().map(|(number, (day, minutes, title, busy))| {
            // One after the other, so that none are joined.
            let from = start + jiff::SignedDuration::from_mins((day + number as i64 * 10_000) % 500_000);
            let when = Stretch { start: from, end: from + jiff::SignedDuration::from_mins(*minutes) };
            Entry { busy: *busy, ..entry(&number.to_string(), EntryTime::Time(when), title) }
        }).collect();
        let text = write("name", &entries, start);
        let feed = Feed::read(text.as_bytes(), &zone()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let found = feed.busy(year()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let expected: Vec<_> = entries.iter().filter(|entry| entry.busy).collect();
        prop_assert_eq!(found.stretches().len(), expected.len());
        for (found, expected) in found.stretches().iter().zip(expected) {
            prop_assert_eq!(EntryTime::Time(found.when), expected.time);
            let plain = tollgate_core::commits::plain_text(&expected.title, tollgate_core::commits::Lines::Join);
            prop_assert_eq!(&found.title, plain.trim());
        }
    }
}
