//! Windows at the instants that matter.

use jiff::{SignedDuration, Timestamp};
use tollgate_core::calendar::{Answer, Because, Busy, Calendar, Fit, Off, Stretch, Titled, Windows, Zone};

use crate::{at, calendar, name, rules, windows};

/// Each row: when, whether it is open then, and when that changes (`never` when it does not).
fn check(windows: &Windows, calendar: &Calendar, rows: &[(&str, &str, &str)]) {
    for (when, what, change) in rows {
        let expected = (*change != "never").then(|| at(change));
        let (open, found) = match windows.at(at(when), calendar) {
            Answer::Open { until } => ("open", until),
            Answer::Closed { opens_at, .. } => ("closed", opens_at),
        };
        assert_eq!((open, found), (*what, expected), "{windows} at {when}");
    }
}

fn check_one(rule: &str, rows: &[(&str, &str, &str)]) {
    check(&windows(&[rule], &[]), &Calendar::default(), rows);
}

#[test]
fn ordinary_weeks() {
    check_one(
        "Mon-Fri 09:30-17:00 Europe/London",
        &[
            ("2026-01-07 09:29 Europe/London", "closed", "2026-01-07 09:30 Europe/London"),
            ("2026-01-07 09:30 Europe/London", "open", "2026-01-07 17:00 Europe/London"),
            ("2026-01-07 16:59 Europe/London", "open", "2026-01-07 17:00 Europe/London"),
            ("2026-01-07 17:00 Europe/London", "closed", "2026-01-08 09:30 Europe/London"),
            ("2026-01-09 17:00 Europe/London", "closed", "2026-01-12 09:30 Europe/London"),
            // Over the night in which clocks are put forward, and back.
            ("2026-03-27 17:00 Europe/London", "closed", "2026-03-30 09:30 Europe/London"),
            ("2026-10-23 17:00 Europe/London", "closed", "2026-10-26 09:30 Europe/London"),
        ],
    );
    check_one(
        "Sun 20:00 - Mon 08:30 Africa/Nairobi",
        &[
            ("2026-01-04 19:59 Africa/Nairobi", "closed", "2026-01-04 20:00 Africa/Nairobi"),
            ("2026-01-04 23:59 Africa/Nairobi", "open", "2026-01-05 08:30 Africa/Nairobi"),
            ("2026-01-05 00:00 Africa/Nairobi", "open", "2026-01-05 08:30 Africa/Nairobi"),
            ("2026-01-05 08:30 Africa/Nairobi", "closed", "2026-01-11 20:00 Africa/Nairobi"),
            // A year ends in the window.
            ("2028-12-31 21:00 Africa/Nairobi", "open", "2029-01-01 08:30 Africa/Nairobi"),
            // Clocks change elsewhere: the window is where it was.
            ("2026-03-29 20:00 Africa/Nairobi", "open", "2026-03-30 05:30 UTC"),
        ],
    );
    check_one(
        "Fri AoE",
        &[
            ("2026-01-09 11:59 UTC", "closed", "2026-01-09 12:00 UTC"),
            ("2026-01-09 12:00 UTC", "open", "2026-01-10 12:00 UTC"),
            ("2026-01-10 12:00 UTC", "closed", "2026-01-16 12:00 UTC"),
        ],
    );
}

#[test]
fn every_second_week() {
    check_one(
        "Tue,Thu 09:00-10:00 America/Los_Angeles /2w from 2026-01-06",
        &[
            ("2025-12-30 09:30 America/Los_Angeles", "closed", "2026-01-06 09:00 America/Los_Angeles"),
            ("2026-01-06 09:30 America/Los_Angeles", "open", "2026-01-06 10:00 America/Los_Angeles"),
            ("2026-01-08 10:00 America/Los_Angeles", "closed", "2026-01-20 09:00 America/Los_Angeles"),
            // The week of 3 March is one of them, that of 10 March is not; clocks change between.
            ("2026-03-05 10:00 America/Los_Angeles", "closed", "2026-03-17 09:00 America/Los_Angeles"),
            // 2026 has 53 weeks.
            ("2026-12-24 10:00 America/Los_Angeles", "closed", "2027-01-05 09:00 America/Los_Angeles"),
        ],
    );
    // An anchor late in its week: what comes before it in that week is not meant.
    check_one(
        "Mon,Wed UTC /2w from 2026-01-07",
        &[
            ("2026-01-05 12:00 UTC", "closed", "2026-01-07 00:00 UTC"),
            ("2026-01-08 00:00 UTC", "closed", "2026-01-19 00:00 UTC"),
        ],
    );
}

#[test]
fn days_of_months_and_years() {
    check_one("16 monthly 09:00-12:00 UTC", &[("2026-01-16 12:00 UTC", "closed", "2026-02-16 09:00 UTC")]);
    check_one("31 monthly UTC", &[("2026-02-01 00:00 UTC", "closed", "2026-03-31 00:00 UTC")]);
    check_one(
        "last day monthly UTC",
        &[
            ("2028-02-01 00:00 UTC", "closed", "2028-02-29 00:00 UTC"),
            ("2026-12-31 10:00 UTC", "open", "2027-01-01 00:00 UTC"),
        ],
    );
    check_one("first Mon UTC", &[("2026-03-03 00:00 UTC", "closed", "2026-04-06 00:00 UTC")]);
    check_one("last Fri UTC", &[("2026-01-30 00:00 UTC", "open", "2026-01-31 00:00 UTC")]);
    check_one("1 Jan -1 UTC", &[("2026-06-01 00:00 UTC", "closed", "2026-12-31 00:00 UTC")]);
    check_one("31 Dec +1 UTC", &[("2026-06-01 00:00 UTC", "closed", "2027-01-01 00:00 UTC")]);
    check_one("29 Feb UTC", &[("2026-01-30 00:00 UTC", "closed", "2028-02-29 00:00 UTC")]);
    check_one(
        "2026-12-24 - 2027-01-03 Europe/London",
        &[
            ("2026-01-01 00:00 Europe/London", "closed", "2026-12-24 00:00 Europe/London"),
            ("2027-01-03 23:59 Europe/London", "open", "2027-01-04 00:00 Europe/London"),
            ("2027-01-04 00:00 Europe/London", "closed", "never"),
        ],
    );
    check_one(
        "2026-12-24 18:00 - 2027-01-03 08:00 Europe/London",
        &[
            ("2026-12-24 17:59 Europe/London", "closed", "2026-12-24 18:00 Europe/London"),
            ("2026-12-31 00:00 Europe/London", "open", "2027-01-03 08:00 Europe/London"),
            ("2027-01-03 08:00 Europe/London", "closed", "never"),
        ],
    );
    // Farther away than searches go.
    check_one("2050-01-01 UTC", &[("2026-01-01 00:00 UTC", "closed", "never")]);
    check_one("daily UTC", &[("2026-01-01 00:00 UTC", "open", "never")]);
    let uk = calendar(Off::Any);
    check(
        &windows(&["last working day UTC"], &[]),
        &uk,
        &[
            ("2026-05-01 00:00 UTC", "closed", "2026-05-29 00:00 UTC"),
            ("2026-12-01 00:00 UTC", "closed", "2026-12-31 00:00 UTC"),
        ],
    );
    check(
        &windows(&["2nd working day UTC"], &[]),
        &uk,
        &[("2026-01-01 00:00 UTC", "closed", "2026-01-05 00:00 UTC")],
    );
}

#[test]
fn when_clocks_are_put_forward() {
    let la = "America/Los_Angeles";
    let in_la = |text: &str| at(&format!("{text} {la}"));
    // 02:00 to 03:00 does not exist on 8 March 2026: windows in it are empty that day.
    check_one(
        "daily 02:00-03:00 America/Los_Angeles",
        &[
            ("2026-03-08 01:59 America/Los_Angeles", "closed", "2026-03-09 02:00 America/Los_Angeles"),
            ("2026-03-08 03:00 America/Los_Angeles", "closed", "2026-03-09 02:00 America/Los_Angeles"),
        ],
    );
    check_one(
        "daily 02:30-04:00 America/Los_Angeles",
        &[
            ("2026-03-08 01:59 America/Los_Angeles", "closed", "2026-03-08 03:00 America/Los_Angeles"),
            ("2026-03-08 03:00 America/Los_Angeles", "open", "2026-03-08 04:00 America/Los_Angeles"),
        ],
    );
    check_one(
        "daily 01:00-02:30 America/Los_Angeles",
        &[("2026-03-08 01:00 America/Los_Angeles", "open", "2026-03-08 03:00 America/Los_Angeles")],
    );
    let day = in_la("2026-03-09 00:00").duration_since(in_la("2026-03-08 00:00"));
    assert_eq!(day.as_hours(), 23);
    check_one(
        "Sun Europe/London",
        &[
            ("2026-03-29 00:00 Europe/London", "open", "2026-03-29 23:00 UTC"),
            ("2026-03-29 01:00 UTC", "open", "2026-03-29 23:00 UTC"),
        ],
    );
    // In Cairo this day begins at 01:00.
    check_one(
        "Fri Africa/Cairo",
        &[
            ("2026-04-23 12:00 Africa/Cairo", "closed", "2026-04-24 01:00 Africa/Cairo"),
            ("2026-04-24 01:00 Africa/Cairo", "open", "2026-04-25 00:00 Africa/Cairo"),
        ],
    );
}

#[test]
fn when_clocks_are_put_back() {
    // 01:00 to 02:00 happens twice on 1 November 2026, at 08:00 and at 09:00 UTC.
    check_one(
        "daily 01:30-01:45 America/Los_Angeles",
        &[
            ("2026-11-01 08:29 UTC", "closed", "2026-11-01 08:30 UTC"),
            ("2026-11-01 08:30 UTC", "open", "2026-11-01 09:45 UTC"),
            ("2026-11-01 09:44 UTC", "open", "2026-11-01 09:45 UTC"),
            ("2026-11-01 09:45 UTC", "closed", "2026-11-02 09:30 UTC"),
        ],
    );
    check_one(
        "daily 00:00-01:30 America/Los_Angeles",
        &[("2026-11-01 07:00 UTC", "open", "2026-11-01 09:30 UTC")],
    );
    check_one(
        "daily 01:30-04:00 America/Los_Angeles",
        &[("2026-11-01 08:30 UTC", "open", "2026-11-01 12:00 UTC")],
    );
    // In Havana the first hour of this Sunday happens twice: Saturday ends before both.
    check_one("Sat America/Havana", &[("2026-10-31 12:00 America/Havana", "open", "2026-11-01 04:00 UTC")]);
    check_one("Sun America/Havana", &[("2026-10-31 12:00 America/Havana", "closed", "2026-11-01 04:00 UTC")]);
}

#[test]
fn what_is_denied_wins() {
    let uk = calendar(Off::Any);
    let both = windows(
        &["Mon-Thu 09:30-17:00 Europe/London", "Fri 09:30-16:00 Europe/London"],
        &["holidays of UK Europe/London", "2026-01-08 12:00 - 13:00 Europe/London"],
    );
    check(
        &both,
        &uk,
        &[
            ("2026-01-08 11:00 Europe/London", "open", "2026-01-08 12:00 Europe/London"),
            ("2026-01-08 12:00 Europe/London", "closed", "2026-01-08 13:00 Europe/London"),
            ("2026-01-09 15:59 Europe/London", "open", "2026-01-09 16:00 Europe/London"),
            // From Maundy Thursday over Good Friday and Easter Monday.
            ("2026-04-02 17:00 Europe/London", "closed", "2026-04-07 09:30 Europe/London"),
            // Boxing Day 2026 is a Saturday and is kept on Monday.
            ("2026-12-24 17:00 Europe/London", "closed", "2026-12-29 09:30 Europe/London"),
        ],
    );
    let because = |when: &str| match both.at(at(when), &uk) {
        Answer::Closed { because, .. } => because.to_string(),
        open @ Answer::Open { .. } => panic!("{open}"),
    };
    assert_eq!(
        because("2026-12-28 10:00 Europe/London"),
        "closed by `holidays of UK Europe/London`: Boxing Day, observed"
    );
    assert_eq!(
        because("2026-01-09 16:00 Europe/London"),
        "outside of the windows; the next is `Mon-Thu 09:30-17:00 Europe/London`"
    );
    let shut = windows(&["Mon 09:00-10:00 UTC"], &["Mon UTC"]);
    check(&shut, &uk, &[("2026-01-01 00:00 UTC", "closed", "never")]);
    let answer = shut.at(at("2026-01-01 00:00 UTC"), &uk).to_string();
    assert_eq!(
        answer,
        "outside of the windows, and none comes in ten years; does not open in the next ten years"
    );
    let only_denied = windows(&[], &["Fri America/Los_Angeles"]);
    check(
        &only_denied,
        &uk,
        &[
            ("2026-01-08 12:00 America/Los_Angeles", "open", "2026-01-09 00:00 America/Los_Angeles"),
            ("2026-01-09 12:00 America/Los_Angeles", "closed", "2026-01-10 00:00 America/Los_Angeles"),
        ],
    );
    check(&Windows::default(), &uk, &[("2026-01-08 12:00 UTC", "open", "never")]);
}

#[test]
fn a_calendar_that_is_not_there_is_closed() {
    let lost = windows(&[], &["holidays of UKK Europe/London"]);
    let error = lost.check(&calendar(Off::Any)).expect_err("no such list").to_string();
    assert!(error.contains("did you mean `UK`"), "{error}");
    let Answer::Closed { opens_at: None, because: Because::NoCalendar(why) } =
        lost.at(at("2026-01-01 00:00 UTC"), &calendar(Off::Any))
    else {
        panic!("it was answered")
    };
    assert!(why.contains("UKK"), "{why}");
    let fit = lost.fits(at("2026-01-01 00:00 UTC"), SignedDuration::from_mins(1), &calendar(Off::Any));
    assert!(matches!(fit, Fit::Never { .. }), "{fit}");
    assert!(!fit.to_string().contains("ten years"), "nothing is known of when it opens: {fit}");
}

#[test]
fn events_of_an_outside_calendar() {
    let event = |from: &str, to: &str, title: &str| Titled {
        when: Stretch { start: at(from), end: at(to) },
        title: title.to_owned(),
    };
    let busy = Busy::new(vec![
        event("2026-02-01 10:00 UTC", "2026-02-01 12:00 UTC", "Fair\u{1b}[2J"),
        event("2026-02-01 11:00 UTC", "2026-02-01 13:00 UTC", "Talk"),
        event("2026-01-01 10:00 UTC", "2026-01-01 10:00 UTC", "nothing"),
    ])
    .expect("stretches");
    let calendar = Calendar::default().with_feeds([(name("fairs"), busy)].into());
    let denied = windows(&[], &["events of fairs"]);
    check(
        &denied,
        &calendar,
        &[
            ("2026-01-01 10:00 UTC", "open", "2026-02-01 10:00 UTC"),
            ("2026-02-01 12:30 UTC", "closed", "2026-02-01 13:00 UTC"),
            ("2026-02-01 13:00 UTC", "open", "never"),
        ],
    );
    let answer = denied.at(at("2026-02-01 10:00 UTC"), &calendar).to_string();
    assert_eq!(answer, "closed by `events of fairs`: Fair[2J, Talk; opens at 2026-02-01T13:00:00Z");
}

#[test]
fn what_has_to_finish_inside() {
    let plain = Calendar::default();
    let check = |windows: &Windows, now: &str, minutes: i64, expected: &str| {
        let fit = windows.fits(at(now), SignedDuration::from_mins(minutes), &plain);
        let found: (&str, Option<Timestamp>) = match &fit {
            Fit::Now { finish_by } => ("now, by", *finish_by),
            Fit::At { start, .. } => ("at", Some(*start)),
            Fit::Never { .. } => ("never", None),
        };
        let expected = match expected.split_once(": ") {
            Some((what, when)) => (what, Some(at(when))),
            None => (expected, None),
        };
        assert_eq!(found, expected, "{windows} at {now}: {fit}");
    };
    let day = windows(&["Mon-Fri 09:30-17:00 Europe/London"], &["Wed 12:00-13:00 Europe/London"]);
    check(&day, "2026-01-07 09:30 Europe/London", 150, "now, by: 2026-01-07 12:00 Europe/London");
    check(&day, "2026-01-07 09:31 Europe/London", 150, "at: 2026-01-07 13:00 Europe/London");
    check(&day, "2026-01-07 16:00 Europe/London", 60, "now, by: 2026-01-07 17:00 Europe/London");
    check(&day, "2026-01-07 16:01 Europe/London", 60, "at: 2026-01-08 09:30 Europe/London");
    check(&day, "2026-01-07 08:00 Europe/London", 300, "at: 2026-01-08 09:30 Europe/London");
    check(&day, "2026-01-07 16:01 Europe/London", 451, "never");
    check(&Windows::default(), "2026-01-07 16:01 Europe/London", 451, "now, by");
    // Windows that touch are one.
    let touching = windows(&["Mon 09:00-12:00 UTC", "Mon 12:00-15:00 UTC"], &[]);
    check(&touching, "2026-01-05 09:00 UTC", 360, "now, by: 2026-01-05 15:00 UTC");
    // The hour that is left out does not count, and the one that comes twice does.
    let night = windows(&["daily 00:00-04:00 America/Los_Angeles"], &[]);
    check(&night, "2026-03-08 00:00 America/Los_Angeles", 240, "at: 2026-03-09 00:00 America/Los_Angeles");
    check(&night, "2026-11-01 00:00 America/Los_Angeles", 300, "now, by: 2026-11-01 12:00 UTC");
    // It has to start and end within one day.
    let one_day = windows(&[], &[]).within_one_day(Zone::utc());
    check(&one_day, "2026-01-07 22:30 UTC", 90, "now, by: 2026-01-08 00:00 UTC");
    check(&one_day, "2026-01-07 22:31 UTC", 90, "at: 2026-01-08 00:00 UTC");
    check(&one_day, "2026-01-07 22:31 UTC", 1441, "never");
    let json = serde_json::to_string(&one_day).expect("JSON");
    assert_eq!(json, r#"{"same-day":"UTC"}"#);
    let text =
        day.fits(at("2026-01-07 16:01 Europe/London"), SignedDuration::from_mins(60), &plain).to_string();
    assert_eq!(text, "it would not be finished by 2026-01-07T17:00:00Z; fits from 2026-01-08T09:30:00Z on");
}

/// The rules about slots, Fridays and holidays that real procedures have.
#[test]
fn rules_met_in_the_wild() {
    let plain = Calendar::default();
    let us = calendar(Off::Any);
    // About 09:00 on Tuesdays and Thursdays of every other week.
    check_one(
        "Tue,Thu 08:45-09:30 America/Los_Angeles /2w from 2026-01-06",
        &[("2026-01-08 09:00 America/Los_Angeles", "open", "2026-01-08 09:30 America/Los_Angeles")],
    );
    // Every eighth Wednesday, one of which was moved by a week.
    let moved = windows(
        &["Wed 10:00-16:00 UTC /8w from 2026-01-07", "2026-03-11 10:00-16:00 UTC"],
        &["2026-03-04 UTC"],
    );
    check(
        &moved,
        &plain,
        &[
            ("2026-01-07 16:00 UTC", "closed", "2026-03-11 10:00 UTC"),
            ("2026-03-11 16:00 UTC", "closed", "2026-04-29 10:00 UTC"),
        ],
    );
    // Deployed at 15:00 on business days, none of which is near Thanksgiving.
    check(
        &windows(&["working days 15:00-16:00 America/New_York"], &[]),
        &us,
        &[("2026-11-25 16:00 America/New_York", "closed", "2026-11-30 15:00 America/New_York")],
    );
    // Until 16:00 on Fridays; never on Fridays; not late.
    check(
        &windows(&[], &["Fri 16:00-24:00 Europe/London"]),
        &plain,
        &[("2026-01-09 15:00 Europe/London", "open", "2026-01-09 16:00 Europe/London")],
    );
    check(
        &windows(&["daily 06:00-18:00 Europe/London"], &["Fri Europe/London"]),
        &plain,
        &[("2026-01-08 18:00 Europe/London", "closed", "2026-01-10 06:00 Europe/London")],
    );
    // A table of phases.
    let phases = windows(
        &["2026-02-01 - 2026-02-14 UTC", "2026-03-01 - 2026-03-14 UTC"],
        &["2026-02-10 12:00 - 2026-02-12 12:00 UTC"],
    );
    check(
        &phases,
        &plain,
        &[
            ("2026-02-11 00:00 UTC", "closed", "2026-02-12 12:00 UTC"),
            ("2026-02-15 00:00 UTC", "closed", "2026-03-01 00:00 UTC"),
        ],
    );
    // By RFC 5545, with a second occurrence on the same day.
    check_one(
        "RRULE:FREQ=MONTHLY;BYDAY=2TU;BYHOUR=9,14 from 2026-01-13 09:00 lasts 2h America/New_York",
        &[
            ("2026-03-10 09:00 America/New_York", "open", "2026-03-10 11:00 America/New_York"),
            ("2026-03-10 11:00 America/New_York", "closed", "2026-03-10 14:00 America/New_York"),
            ("2026-03-10 16:00 America/New_York", "closed", "2026-04-14 09:00 America/New_York"),
        ],
    );
    check_one(
        "RRULE:FREQ=DAILY;COUNT=3 from 2026-03-06 02:30 lasts 1d America/Los_Angeles",
        &[
            ("2026-03-07 12:00 America/Los_Angeles", "open", "2026-03-09 02:30 America/Los_Angeles"),
            ("2026-03-09 02:30 America/Los_Angeles", "closed", "never"),
        ],
    );
}

#[test]
fn too_many_rules_are_refused() {
    let many = vec!["Mon UTC"; 201];
    let error = Windows::new(rules(&many), Vec::new()).expect_err("too many").to_string();
    assert!(error.contains("201 rules are more than 200"), "{error}");
}
